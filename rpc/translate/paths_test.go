package translate

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

func pointOf(n byte) lnwire.PubKey {
	_, k := btcec.PrivKeyFromBytes([]byte{n})
	return lnwire.NewPubKey(k)
}

// A route with a blinded end is told as lnd tells it, and can be given back.
func TestRouteWithABlindedEnd(t *testing.T) {
	for _, n := range []int{1, 3} {
		tail := routing.Tail{PathKey: pointOf(77)}
		for i := range n {
			tail.Hops = append(tail.Hops, routing.BlindedHop{ID: pointOf(byte(60 + i)), Data: []byte{byte(i + 1)}})
		}
		if n == 1 { // the introduction node is the recipient
			tail.Hops[0].ID = pointOf(2)
		}
		r := routing.Route{Amount: 1110, Expiry: 900, Tail: &tail, Hops: []routing.Hop{
			{Node: pointOf(1), SCID: 11, Forward: 1100, Expiry: 800, Fee: 10},
			{Node: pointOf(2), SCID: 12, Forward: 1000, Expiry: 700, Fee: 100},
			{Node: tail.ID(), Forward: 1000, Expiry: 700},
		}}
		require.NoError(t, r.Check())
		m := Route(&r, &routing.Terms{Amount: 5000}, capacity)
		require.Len(t, m.Hops, 1+n)
		intro, last := m.Hops[1], m.Hops[n]
		require.Equal(t, tail.PathKey[:], intro.BlindingPoint)
		require.Equal(t, pointOf(2).String(), intro.PubKey)
		require.EqualValues(t, 12, intro.ChanId)
		require.EqualValues(t, 100, intro.FeeMsat)
		require.EqualValues(t, 5000, last.TotalAmtMsat)
		require.EqualValues(t, 1000, last.AmtToForwardMsat)
		got, terms, err := ReadRoute("route", m)
		require.NoError(t, err)
		if n > 1 {
			tail.Hops[0].ID = pointOf(2) // by which it is named in a route
		}
		require.Equal(t, r.Hops, got.Hops)
		require.Equal(t, tail, *got.Tail)
		require.EqualValues(t, 5000, terms.Amount)
		require.Len(t, terms.Blinded, 1)
		require.True(t, terms.Payee.IsZero())

		m.Hops[n].EncryptedData = nil
		_, _, err = ReadRoute("route", m)
		require.ErrorContains(t, err, "encrypted_data")
	}
	_, _, err := ReadRoute("route", &lnrpc.Route{TotalAmtMsat: 5, Hops: []*lnrpc.Hop{{PubKey: pointOf(1).String(), EncryptedData: []byte{1}}}})
	require.ErrorContains(t, err, "no hop before it has a blinding_point")
}

func TestReadBlindedPaths(t *testing.T) {
	key := func(n byte) []byte { p := pointOf(n); return p[:] }
	good := func() *lnrpc.BlindedPaymentPath {
		return &lnrpc.BlindedPaymentPath{
			BlindedPath: &lnrpc.BlindedPath{IntroductionNode: key(1), BlindingPoint: key(2), BlindedHops: []*lnrpc.BlindedHop{{BlindedNode: key(3), EncryptedData: []byte{1}}}},
			BaseFeeMsat: 5, ProportionalFeeRate: 6, TotalCltvDelta: 7, HtlcMinMsat: 8, HtlcMaxMsat: 9,
		}
	}
	list, err := ReadBlindedPaths("paths", []*lnrpc.BlindedPaymentPath{good()})
	require.NoError(t, err)
	require.Equal(t, routing.BlindedPath{Intro: pointOf(1), Base: 5, PPM: 6, Delta: 7, Min: 8, Max: 9,
		Tail: routing.Tail{PathKey: pointOf(2), Hops: []routing.BlindedHop{{ID: pointOf(3), Data: []byte{1}}}}}, list[0])
	for want, spoil := range map[string]func(p *lnrpc.BlindedPaymentPath){
		"blinded_hops":      func(p *lnrpc.BlindedPaymentPath) { p.BlindedPath.BlindedHops = nil },
		"introduction_node": func(p *lnrpc.BlindedPaymentPath) { p.BlindedPath.IntroductionNode = nil },
		"blinding_point":    func(p *lnrpc.BlindedPaymentPath) { p.BlindedPath.BlindingPoint = []byte{1} },
		"blinded_node":      func(p *lnrpc.BlindedPaymentPath) { p.BlindedPath.BlindedHops[0] = nil },
		"base_fee_msat":     func(p *lnrpc.BlindedPaymentPath) { p.BaseFeeMsat = 1 << 40 },
		"total_cltv_delta":  func(p *lnrpc.BlindedPaymentPath) { p.TotalCltvDelta = 1 << 20 },
		"htlc_max_msat":     func(p *lnrpc.BlindedPaymentPath) { p.HtlcMaxMsat = 7 },
		"features":          func(p *lnrpc.BlindedPaymentPath) { p.Features = []lnrpc.FeatureBit{-1} },
	} {
		p := good()
		spoil(p)
		_, err := ReadBlindedPaths("paths", []*lnrpc.BlindedPaymentPath{p})
		require.ErrorContains(t, err, want)
	}
	_, err = ReadBlindedPaths("paths", []*lnrpc.BlindedPaymentPath{nil})
	require.Error(t, err)
}
