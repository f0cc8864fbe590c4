package interop

import (
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// ring is lnd1 - ours1 - lnd2 - ours2 and round, with public channels.
type ring struct {
	*testing.T
	lnd1, ours1, lnd2, ours2 *rig.Node
	points                   []rig.ChanPoint // of each with the next
}

// TestLndBlinded pays over blinded paths and writes onion messages, with an lnd and one of us in each of the places.
func TestLndBlinded(t *testing.T) {
	if os.Getenv("LND_BIN") == "" {
		t.Skip("SKIPPED, NOTHING WAS PROVEN AGAINST lnd: set LND_BIN")
	}
	w := rig.NewWorld(t)
	r := &ring{
		T: t, lnd1: w.NewNodeOf(rig.Lnd, "lnd1"), ours1: w.NewNode("ours1", "--noseedbackup"), lnd2: w.NewNodeOf(rig.Lnd, "lnd2"), ours2: w.NewNode("ours2", "--noseedbackup"),
	}
	all := []*rig.Node{r.lnd1, r.ours1, r.lnd2, r.ours2}
	for _, n := range all {
		n.Start()
	}
	for i, n := range all {
		next := all[(i+1)%len(all)]
		n.Fund(20_000_000)
		n.Connect(next)
		r.points = append(r.points, n.Open(next, 4_000_000, func(q *lnrpc.OpenChannelRequest) { q.PushSat = 2_000_000 }))
	}
	w.Mine(6)
	for _, n := range all {
		for _, p := range r.points {
			n.Knows(p)
		}
	}
	r.features(all)
	w.Synced()
	t.Run("paid over lnd", r.overLnd)
	t.Run("paid over us", r.overUs)
	t.Run("paid inside", r.inside)
	t.Run("messages", r.messages)
	t.Run("accountable", r.accountable)
}

// features waits until everybody knows that everybody blinds routes and takes messages.
func (r *ring) features(all []*rig.Node) {
	for _, n := range all {
		for _, of := range all {
			rig.Eventually(r, n.Name+" knows what "+of.Name+" can", func() bool {
				i, err := n.LN.GetNodeInfo(rig.Soon(r), &lnrpc.NodeInfoRequest{PubKey: of.ID})
				return err == nil && i.Node.Features[25] != nil && i.Node.Features[39] != nil
			})
		}
	}
}

// blind makes an invoice with blinded paths that do not go over omit.
func (r *ring) blind(n *rig.Node, real uint32, omit ...*rig.Node) *lnrpc.AddInvoiceResponse {
	hops, most := uint32(2), uint32(1)
	c := &lnrpc.BlindedPathConfig{MinNumRealHops: &real, NumHops: &hops, MaxNumPaths: &most}
	for _, o := range omit {
		id, err := hex.DecodeString(o.ID)
		require.NoError(r, err)
		c.NodeOmissionList = append(c.NodeOmissionList, id)
	}
	a, err := n.LN.AddInvoice(rig.Soon(r), &lnrpc.Invoice{ValueMsat: 100_000_000, IsBlinded: true, BlindedPathConfig: c})
	require.NoError(r, err)
	return a
}

// paid lets payer pay an invoice whose path begins at intro, over its channel of that number: lnd sends no HTLC back
// over the channel by which it came.
func (r *ring) paid(t *testing.T, payer *rig.Node, out int, payee, intro *rig.Node, real uint32, omit ...*rig.Node) {
	t.Helper()
	a := r.blind(payee, real, omit...)
	for _, n := range []*rig.Node{payer, payee} {
		paths := n.Decode(a.PaymentRequest).BlindedPaths
		require.Len(t, paths, 1)
		require.Equal(t, intro.ID, hex.EncodeToString(paths[0].BlindedPath.IntroductionNode))
	}
	q := rig.PayRequest(a.PaymentRequest)
	q.OutgoingChanIds = []uint64{payer.Knows(r.points[out]).ChannelId}
	p, err := payer.Send(rig.Soon(t), q)
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status, "%v %v", p.FailureReason, p.Htlcs)
	inv, err := payee.LN.LookupInvoice(rig.Soon(t), &lnrpc.PaymentHash{RHash: a.RHash})
	require.NoError(t, err)
	require.Equal(t, lnrpc.Invoice_SETTLED, inv.State)
	require.GreaterOrEqual(t, inv.AmtPaidMsat, int64(100_000_000))
	t.Logf("%s paid %s over a path that begins at %s, for %d msat", payer.Name, payee.Name, intro.Name, p.FeeMsat)
}

func (r *ring) overLnd(t *testing.T) {
	r.paid(t, r.lnd1, 0, r.ours2, r.lnd2, 1, r.lnd1)
	r.paid(t, r.ours1, 1, r.ours2, r.lnd2, 1, r.lnd1)
	r.paid(t, r.lnd2, 2, r.ours1, r.lnd1, 1, r.lnd2)
}

func (r *ring) overUs(t *testing.T) {
	r.paid(t, r.lnd1, 0, r.lnd2, r.ours1, 1, r.ours2)
	r.paid(t, r.lnd1, 3, r.lnd2, r.ours2, 1, r.ours1)
}

func (r *ring) inside(t *testing.T) {
	r.paid(t, r.ours2, 3, r.lnd2, r.lnd1, 2, r.ours2)
}

func key(t *testing.T) *btcec.PrivateKey {
	k, err := btcec.NewPrivateKey()
	require.NoError(t, err)
	return k
}

// messages are sent along the ring both ways: over lnd to us, and over us to lnd.
func (r *ring) messages(t *testing.T) {
	r.message(t, r.ours1, r.lnd2, r.ours2)
	r.message(t, r.lnd1, r.ours1, r.lnd2)
	r.message(t, r.lnd2, r.ours1, r.lnd1)
}

func (r *ring) message(t *testing.T, from, over, to *rig.Node) {
	ids := make([]lnwire.PubKey, 3)
	for i, n := range []*rig.Node{over, to, from} {
		var err error
		ids[i], err = lnwire.ParsePubKey(n.ID)
		require.NoError(t, err)
	}
	reply, err := onion.MessagePath(key(t), []lnwire.PubKey{ids[0], ids[2]}, []byte("answer"), nil)
	require.NoError(t, err)
	path, err := onion.MessagePath(key(t), ids[:2], nil, nil)
	require.NoError(t, err)
	m, err := onion.BuildMessage(key(t), path, &reply, []lnwire.TLV{{Type: 65, Value: []byte("hello")}})
	require.NoError(t, err)
	in, err := to.LN.SubscribeOnionMessages(rig.Soon(t), &lnrpc.SubscribeOnionMessagesRequest{})
	require.NoError(t, err)
	arrived := make(chan *lnrpc.OnionMessageUpdate, 1)
	go func() {
		if u, err := in.Recv(); err == nil {
			arrived <- u
		}
	}()
	var got *lnrpc.OnionMessageUpdate
	rig.Eventually(t, "a message", func() bool { // lnd does not say when the subscription stands
		_, err = from.LN.SendOnionMessage(rig.Soon(t), &lnrpc.SendOnionMessageRequest{Peer: ids[0][:], PathKey: m.PathKey[:], Onion: m.Packet})
		require.NoError(t, err)
		select {
		case got = <-arrived:
		case <-time.After(200 * time.Millisecond):
		}
		return got != nil
	})
	require.Equal(t, []byte("hello"), got.CustomRecords[65])
	require.Equal(t, ids[0][:], got.Peer)
	require.Equal(t, ids[0][:], got.ReplyPath.IntroductionNode)
	require.Len(t, got.ReplyPath.BlindedHops, 2)
	t.Logf("%s wrote to %s over %s", from.Name, to.Name, over.Name)
}
