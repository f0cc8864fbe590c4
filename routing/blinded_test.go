package routing

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// TestBehindTheFirstNode: what is left of a path behind its first node costs what it
// would cost alone, whatever was folded into the sums.
func TestBehindTheFirstNode(t *testing.T) {
	key, _ := btcec.PrivKeyFromBytes([]byte{1})
	node := lnwire.NewPubKey(key.PubKey())
	rapid.Check(t, func(t *rapid.T) {
		var hops []onion.PathHop
		for range rapid.IntRange(1, 4).Draw(t, "hops") {
			hops = append(hops, onion.PathHop{Node: node, SCID: 1, HTLCMaximum: lnwire.MaxMilliSat, Relay: onion.PaymentRelay{
				CLTVDelta: rapid.Uint16Range(0, 2000).Draw(t, "delta"), FeePPM: rapid.Uint32Range(0, 100_000).Draw(t, "ppm"),
				FeeBase: rapid.Uint32Range(0, 1_000_000).Draw(t, "base"),
			}})
		}
		path := func(hops []onion.PathHop) (BlindedPath, onion.PayInfo) {
			p, err := onion.BlindPayment(key, onion.PathTerms{Hops: hops, Us: node, PathID: []byte{1}, FinalDelta: 40, LastHeight: 1000, HTLCMaximum: lnwire.MaxMilliSat})
			require.NoError(t, err)
			b := BlindedPath{Intro: p.FirstNode, Base: p.FeeBase, PPM: p.FeePPM, Delta: p.CLTVDelta}
			b.PathKey = p.PathKey
			for _, h := range p.Hops {
				b.Hops = append(b.Hops, BlindedHop{h.NodeID, h.Data})
			}
			return b, p.PayInfo
		}
		whole, _ := path(hops)
		_, alone := path(hops[1:])
		next, pathKey := lnwire.PubKey{2, 1}, lnwire.PubKey{2, 2}
		rest, ok := whole.Behind(next, pathKey, hops[0].Relay)
		require.True(t, ok)
		require.Equal(t, next, rest.Intro)
		require.Equal(t, pathKey, rest.PathKey)
		require.Equal(t, whole.Hops[1:], rest.Hops)
		require.Equal(t, []any{alone.FeeBase, alone.FeePPM, alone.CLTVDelta}, []any{rest.Base, rest.PPM, rest.Delta})
	})
	_, ok := (BlindedPath{Tail: Tail{Hops: make([]BlindedHop, 1)}}).Behind(node, node, onion.PaymentRelay{})
	require.False(t, ok, "it ends there")
	_, ok = (BlindedPath{Tail: Tail{Hops: make([]BlindedHop, 2)}}).Behind(node, node, onion.PaymentRelay{FeeBase: 1})
	require.False(t, ok, "the sums are too low for what they are sums of")
}
