package interop

import (
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// between is one LDK between two of us, with public channels.
type between struct {
	*meeting
	x, y        *spoken
	ldk         *ldkNode
	left, right string // x - ldk, ldk - y
}

// TestLDKBetween plays what two of us do with each other over LDK, beyond what every
// implementation does.
func TestLDKBetween(t *testing.T) {
	t.Parallel()
	needLDK(t)
	m := newMeeting(t)
	b := &between{meeting: m}
	b.x = m.join(ours(m.w, "x", Setup{})).(*spoken)
	b.ldk = m.join(startLDK(m.w, "ldk", Setup{})).(*ldkNode)
	b.y = m.join(ours(m.w, "y", Setup{})).(*spoken)
	m.fund(b.x, 2, 10_000_000)
	m.fund(b.ldk, 2, 10_000_000)
	m.connect(b.x, b.ldk)
	m.connect(b.ldk, b.y)
	b.left = m.open(b.x, b.ldk, Opening{Capacity: 5_000_000, Push: 2_000_000, Type: Anchors})
	b.right = m.open(b.ldk, b.y, Opening{Capacity: 4_000_000, Push: 2_000_000, Type: Anchors})
	all := []Peer{b.x, b.ldk, b.y}
	m.inGraphs(m.channel(b.x, b.left).SCID, all, []Peer{b.x, b.ldk})
	m.inGraphs(m.channel(b.y, b.right).SCID, all, []Peer{b.ldk, b.y})
	for _, sc := range []struct {
		name string
		play func(*between)
	}{
		{"payments both ways, by invoice and by keysend", (*between).payments},
		{"paid on a blinded path that begins at LDK", (*between).blinded},
		{"an onion message", (*between).mail},
	} {
		t.Run(sc.name, func(t *testing.T) {
			defer func(outer *testing.T) { m.t = outer }(m.t)
			m.t = t
			sc.play(b)
		})
	}
}

func (b *between) ways() [2][2]Peer { return [2][2]Peer{{b.x, b.y}, {b.y, b.x}} }

func (b *between) payments() {
	for _, d := range b.ways() {
		p := b.pays(d[0], d[1], 1_234_567)
		require.EqualValues(b.t, 1000, p.FeeMsat, "what LDK asks for")
		p, err := d[0].Keysend(b.ctx(), d[1].ID(), 77_777)
		b.must(err)
		require.Equal(b.t, Succeeded, p.State, p.Reason)
	}
	b.agreed()
}

func (b *between) agreed() {
	b.t.Helper()
	b.agree(b.left, b.x, b.ldk)
	b.agree(b.right, b.ldk, b.y)
}

// blinded: y hides behind LDK.
func (b *between) blinded() {
	hops, most := uint32(1), uint32(1)
	a, err := b.y.ln().AddInvoice(b.ctx(), &lnrpc.Invoice{ValueMsat: 100_000_000, IsBlinded: true, BlindedPathConfig: &lnrpc.BlindedPathConfig{
		MinNumRealHops: &hops, NumHops: &hops, MaxNumPaths: &most,
	}})
	b.must(err)
	req, err := b.x.ln().DecodePayReq(b.ctx(), &lnrpc.PayReqString{PayReq: a.PaymentRequest})
	b.must(err)
	require.Len(b.t, req.BlindedPaths, 1)
	require.Equal(b.t, b.ldk.id, hex.EncodeToString(req.BlindedPaths[0].BlindedPath.IntroductionNode))
	p := b.pay(b.x, Invoice{Bolt11: a.PaymentRequest}, Paying{})
	require.Equal(b.t, Succeeded, p.State, "%s %v", p.Reason, p.Failures)
	b.receives(b.y, [32]byte(a.RHash), 100_000_000)
	b.agreed()
}

func (b *between) mail() {
	over, err := lnwire.ParsePubKey(b.ldk.id)
	b.must(err)
	to, err := lnwire.ParsePubKey(b.y.ID())
	b.must(err)
	key := func() *btcec.PrivateKey {
		k, err := btcec.NewPrivateKey()
		b.must(err)
		return k
	}
	path, err := onion.MessagePath(key(), []lnwire.PubKey{over, to}, nil, nil)
	b.must(err)
	m, err := onion.BuildMessage(key(), path, nil, []lnwire.TLV{{Type: 4243, Value: []byte("over LDK")}})
	b.must(err)
	in := b.y.inbox(b.meeting)
	_, err = b.x.ln().SendOnionMessage(b.ctx(), &lnrpc.SendOnionMessageRequest{Peer: over[:], PathKey: m.PathKey[:], Onion: m.Packet})
	b.must(err)
	got, err := in.Recv()
	b.must(err)
	require.Equal(b.t, []byte("over LDK"), got.CustomRecords[4243])
	require.Equal(b.t, over[:], got.Peer)
}

// inbox follows the onion messages that end with us.
func (p *spoken) inbox(m *meeting) lnrpc.Lightning_SubscribeOnionMessagesClient {
	m.t.Helper()
	in, err := p.ln().SubscribeOnionMessages(rig.Soon(m.t), &lnrpc.SubscribeOnionMessagesRequest{})
	m.must(err)
	_, err = in.Header() // it has begun
	m.must(err)
	return in
}
