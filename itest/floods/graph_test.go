package floods

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// graph is a map with invented keys, true signatures and a funding. Bob learns it before
// he is flooded, so that there is something to ask him for and to lie about.
type graph struct {
	nodes    []*btcec.PrivateKey
	ids      []lnwire.PubKey
	channels []edge
	start    time.Time
}

// edge is a channel of it; ends in the order of the announcement.
type edge struct {
	scid lnwire.ShortChannelID
	ends [2]int
}

// key is the private key of a name and a number.
func key(name string, n int) *btcec.PrivateKey {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("fulgur floods "+name), uint64(n)))
	k, _ := btcec.PrivKeyFromBytes(h[:])
	return k
}

// newGraph invents channels between nodes, a tenth as many as channels. Until they are
// funded their ids are of blocks that there are, and of transactions that there are not.
func newGraph(name string, channels int) *graph {
	g := &graph{start: time.Now().Add(-time.Hour)}
	for i := range max(20, channels/10) {
		k := key(name, i)
		g.nodes, g.ids = append(g.nodes, k), append(g.ids, lnwire.NewPubKey(k.PubKey()))
	}
	n := len(g.nodes)
	for i := range channels {
		e := edge{lnwire.NewShortChannelID(lnwire.Height(1+i%90), uint32(1000+i), 0), [2]int{i % n, (i + 1 + i/n) % n}}
		if string(g.ids[e.ends[0]][:]) > string(g.ids[e.ends[1]][:]) {
			e.ends[0], e.ends[1] = e.ends[1], e.ends[0]
		}
		g.channels = append(g.channels, e)
	}
	return g
}

func plain(m lnwire.Message) []byte {
	raw, err := lnwire.Marshal(m)
	if err != nil {
		panic(err) // a mistake of the test's
	}
	return raw
}

func sign(k *btcec.PrivateKey, digest [32]byte) lnwire.Sig {
	return lnwire.NewSig(ecdsa.Sign(k, digest[:]))
}

func (g *graph) announcement(i int) []byte {
	e, b1, b2 := g.channels[i], key("bitcoin", 2*i), key("bitcoin", 2*i+1)
	a := &lnwire.ChannelAnnouncement{
		ChainHash: chainHash, SCID: e.scid, NodeID1: g.ids[e.ends[0]], NodeID2: g.ids[e.ends[1]],
		BitcoinKey1: lnwire.NewPubKey(b1.PubKey()), BitcoinKey2: lnwire.NewPubKey(b2.PubKey()),
	}
	h := a.SignedDigest()
	a.NodeSig1, a.NodeSig2, a.BitcoinSig1, a.BitcoinSig2 = sign(g.nodes[e.ends[0]], h), sign(g.nodes[e.ends[1]], h), sign(b1, h), sign(b2, h)
	return plain(a)
}

// update is the update of one end, which is told at a time.
func (g *graph) update(i, side int, at uint32) *lnwire.ChannelUpdate {
	u := &lnwire.ChannelUpdate{
		ChainHash: chainHash, SCID: g.channels[i].scid, Timestamp: at, MessageFlags: lnwire.UpdateMustBeOne,
		ChannelFlags: uint8(side), CLTVExpiryDelta: 80, HTLCMinimum: 1000, FeeBase: 1000, FeePPM: uint32(i), HTLCMaximum: 500_000_000,
	}
	u.Sig = sign(g.nodes[g.channels[i].ends[side]], u.SignedDigest())
	return u
}

// node is the announcement of a node, which is told at a time.
func (g *graph) node(i int, at uint32) []byte {
	alias, _ := lnwire.NewAlias("node " + strconv.Itoa(i))
	a := &lnwire.NodeAnnouncement{
		Features: features, Timestamp: at, NodeID: g.ids[i], Alias: alias,
		Addresses: []lnwire.Address{{Type: lnwire.AddrIPv4, Host: "203.0.113.7", Port: 9735}},
	}
	a.Sig = sign(g.nodes[i], a.SignedDigest())
	return plain(a)
}

// fund puts an output for every channel into the chain, and gives the channels their ids
// from there.
func (g *graph) fund(t *testing.T, w *rig.World) {
	t.Helper()
	const perBlock = 250
	ctx := t.Context()
	height, _, err := w.Chain.Tip(ctx)
	require.NoError(t, err)
	for at := 0; at < len(g.channels); at += perBlock {
		var outs []*wire.TxOut
		for i := at; i < min(at+perBlock, len(g.channels)); i++ {
			outs = append(outs, wire.NewTxOut(100_000, fundingScript(i)))
			g.channels[i].scid = lnwire.NewShortChannelID(lnwire.Height(height+1), 1, uint16(i-at))
		}
		_, err = w.Chain.Miner().Pay(ctx, outs...)
		require.NoError(t, err)
		w.Mine(1)
		height++
	}
	w.Mine(6)
}

// fundingScript is the P2WSH of two of the i-th channel's two keys.
func fundingScript(i int) []byte {
	a, b := key("bitcoin", 2*i).PubKey().SerializeCompressed(), key("bitcoin", 2*i+1).PubKey().SerializeCompressed()
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	s := append([]byte{0x52, 33}, a...)
	s = append(append(s, 33), b...)
	h := sha256.Sum256(append(s, 0x52, 0xae))
	return append([]byte{0, 32}, h[:]...)
}

// teach answers a node's queries until it knows the whole of it, for a minute and a half.
func (g *graph) teach(t *testing.T, n *rig.Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	v, err := targetOf(t, n, g).dial(ctx, key("teacher", 0))
	require.NoError(t, err)
	require.NoError(t, v.greet())
	_, err = v.meet()
	require.NoError(t, err)
	go func() {
		for g.answer(v) == nil {
		}
	}()
	before, have := time.Now(), 0
	for time.Since(before) < 90*time.Second && have < len(g.channels) {
		i, err := n.LN.GetNetworkInfo(rig.Soon(t), &lnrpc.NetworkInfoRequest{})
		require.NoError(t, err)
		have = int(i.NumChannels)
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%s knows %d of %d invented channels after %.1f s", n.Name, have, len(g.channels), time.Since(before).Seconds())
}

// answer answers one message.
func (g *graph) answer(v *voice) error {
	m, err := v.read()
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *lnwire.Ping:
		return v.say(plain(&lnwire.Pong{Padding: make([]byte, m.NumPongBytes)}))
	case *lnwire.QueryChannelRange:
		r := &lnwire.ReplyChannelRange{ChainHash: chainHash, FirstBlock: m.FirstBlock, NumBlocks: m.NumBlocks, Complete: true}
		for _, e := range g.channels {
			if b := e.scid.Block(); b >= m.FirstBlock && uint64(b) < uint64(m.FirstBlock)+uint64(m.NumBlocks) {
				r.SCIDs = append(r.SCIDs, e.scid)
			}
		}
		return v.say(plain(r))
	case *lnwire.QueryShortChannelIDs:
		var list [][]byte
		at, nodes := uint32(g.start.Unix()), map[int]bool{}
		for i, e := range g.channels {
			if slices.Contains(m.SCIDs, e.scid) {
				list = append(list, g.announcement(i), plain(g.update(i, 0, at)), plain(g.update(i, 1, at)))
				nodes[e.ends[0]], nodes[e.ends[1]] = true, true
			}
		}
		for i := range g.nodes {
			if nodes[i] {
				list = append(list, g.node(i, at))
			}
		}
		return v.say(append(list, plain(&lnwire.ReplyShortChannelIDsEnd{ChainHash: chainHash, Full: true}))...)
	}
	return nil
}

func targetOf(t *testing.T, n *rig.Node, g *graph) *target {
	t.Helper()
	id, err := btcec.ParsePubKey(rig.Unhex(t, n.ID))
	require.NoError(t, err)
	return &target{addr: n.P2P, id: id, g: g}
}
