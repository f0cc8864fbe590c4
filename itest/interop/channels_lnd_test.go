package interop

import (
	"bytes"
	"os"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// kinds is one node of ours between two of lnd, all of which know every kind of channel
// and of close.
type kinds struct {
	t        *testing.T
	w        *rig.World
	we       *rig.Node
	lnd, far *rig.Node
}

func meetKinds(t *testing.T) *kinds {
	if os.Getenv("LND_BIN") == "" {
		t.Skip("SKIPPED, NOTHING WAS PROVEN AGAINST lnd: set LND_BIN to an lnd with all sub-servers")
	}
	w := rig.NewWorld(t)
	w.ServeFees(usualRate)
	k := &kinds{t: t, w: w}
	options := []string{"--protocol.option-scid-alias", "--protocol.zero-conf", "--protocol.rbf-coop-close"}
	start := func(name string) *rig.Node {
		n := w.NewNodeOf(rig.Lnd, name, options...)
		n.Start()
		return n
	}
	k.lnd, k.far = start("lnd"), start("far")
	k.we = w.Node("ours", append(options, "--protocol.zero-conf-peer="+k.lnd.ID, "--bitcoin.defaultchanconfs=3")...)
	for _, n := range []*rig.Node{k.we, k.lnd, k.far} {
		n.Fund(10_000_000)
		n.Fund(10_000_000)
	}
	k.we.Connect(k.lnd)
	k.we.Connect(k.far)
	k.lnd.Connect(k.far)
	return k
}

// openNow opens a channel that is used before a block has its funding.
func (k *kinds) openNow(from, to *rig.Node, private bool) rig.ChanPoint {
	k.t.Helper()
	req := from.OpenRequest(to, 1_000_000)
	req.PushSat, req.ZeroConf, req.ScidAlias, req.Private, req.CommitmentType = 300_000, true, private, private, lnrpc.CommitmentType_ANCHORS
	stream, err := from.LN.OpenChannel(rig.Soon(k.t), req)
	require.NoError(k.t, err)
	u, err := stream.Recv()
	require.NoError(k.t, err)
	point := rig.PointOf(u.GetChanPending().Txid, u.GetChanPending().OutputIndex)
	from.Active(point)
	to.Active(point)
	return point
}

// bothWays pays, by hints where there are such.
func (k *kinds) bothWays(a, b *rig.Node) {
	k.t.Helper()
	for range 3 {
		k.pays(a, b, 20_000_000)
		k.pays(b, a, 10_000_000)
	}
}

// pays tries until what the payer has to know for it has come.
func (k *kinds) pays(from, to *rig.Node, msat int64) {
	k.t.Helper()
	rig.Eventually(k.t, from.Name+" pays "+to.Name, func() bool {
		p, err := from.Send(rig.Soon(k.t), rig.PayRequest(k.hinted(to, msat)))
		require.NoError(k.t, err)
		if p.Status != lnrpc.Payment_SUCCEEDED {
			k.t.Log(from.Name, p.FailureReason, p.Htlcs)
		}
		return p.Status == lnrpc.Payment_SUCCEEDED
	})
}

// hinted is an invoice with the hints of private channels.
func (k *kinds) hinted(n *rig.Node, msat int64) string {
	k.t.Helper()
	a, err := n.LN.AddInvoice(rig.Soon(k.t), &lnrpc.Invoice{ValueMsat: msat, Private: true})
	require.NoError(k.t, err)
	return a.PaymentRequest
}

// TestLndAliases: B2.alias.1, B2.alias.2, B2.alias.3, B2.alias.4: a private channel goes by
// aliases, whoever opens it and whoever forwards; over restarts of both.
func TestLndAliases(t *testing.T) {
	k := meetKinds(t)
	private := func(r *lnrpc.OpenChannelRequest) { r.Private, r.ScidAlias, r.PushSat = true, true, 300_000 }
	secret := func(r *lnrpc.OpenChannelRequest) {
		private(r)
		r.CommitmentType = lnrpc.CommitmentType_ANCHORS // lnd wants to be told all of it
	}
	public := func(r *lnrpc.OpenChannelRequest) { r.PushSat = 400_000 }
	for _, c := range []struct {
		name          string
		payer, hop    *rig.Node
		payee, opener *rig.Node
	}{
		{"we forward, we opened", k.lnd, k.we, k.far, k.we},
		{"we are paid, lnd opened", k.lnd, k.far, k.we, k.far},
		{"we forward, lnd opened", k.lnd, k.we, k.far, k.far},
	} {
		if c.payer.Channel(k.publicBetween(c.payer, c.hop)) == nil {
			c.payer.Open(c.hop, 1_000_000, public)
		}
		other := c.hop
		if c.opener == c.hop {
			other = c.payee
		}
		point := c.opener.Open(other, 1_000_000, secret)
		for round := range 2 {
			ends := map[*rig.Node]*lnrpc.Channel{c.hop: c.hop.Channel(point), c.payee: c.payee.Channel(point)}
			require.Equal(t, ends[c.hop].AliasScids[0], ends[c.payee].PeerScidAlias, c.name)
			require.Equal(t, ends[c.payee].AliasScids[0], ends[c.hop].PeerScidAlias, c.name)
			rig.Eventually(t, "hints", func() bool {
				hints := c.payer.Decode(k.hinted(c.payee, 30_000_000)).RouteHints
				for _, h := range hints {
					require.Equal(t, ends[c.hop].AliasScids[0], h.HopHints[0].ChanId, "the real id is a secret")
				}
				return len(hints) > 0
			})
			k.pays(c.payer, c.payee, 30_000_000)
			k.we.Restart()
			for _, n := range []*rig.Node{c.hop, c.payee} {
				n.Active(point)
			}
			if round == 0 {
				c.payer.Active(k.publicBetween(c.payer, c.hop))
			}
		}
		k.close(c.opener, point)
	}
}

// publicBetween is the announced channel of two nodes; empty when they have none.
func (k *kinds) publicBetween(a, b *rig.Node) rig.ChanPoint {
	for _, c := range a.Channels() {
		if c.RemotePubkey == b.ID && !c.Private {
			return rig.ChanPoint(c.ChannelPoint)
		}
	}
	return ""
}

// TestLndZeroConf: B2.zeroconf.1, B2.zeroconf.3: payments before any block has the funding,
// whoever opens; restarts before it; the real id later; a reorg; and a public one.
func TestLndZeroConf(t *testing.T) {
	k := meetKinds(t)
	refused, err := k.far.LN.OpenChannel(rig.Soon(t), func() *lnrpc.OpenChannelRequest {
		r := k.far.OpenRequest(k.we, 1_000_000)
		r.ZeroConf, r.CommitmentType = true, lnrpc.CommitmentType_ANCHORS
		return r
	}())
	require.NoError(t, err)
	_, err = refused.Recv()
	require.ErrorContains(t, err, "without confirmations", "far is not trusted")

	require.NoError(t, acceptZeroConf(t.Context(), k.lnd))
	for _, private := range []bool{true, false} {
		for _, from := range []*rig.Node{k.lnd, k.we} {
			to := k.we
			if from == k.we {
				to = k.lnd
			}
			point := k.openNow(from, to, private)
			mine := k.we.Channel(point)
			require.True(t, mine.ZeroConf)
			require.Zero(t, mine.ZeroConfConfirmedScid)
			require.Equal(t, mine.AliasScids[0], mine.ChanId)
			k.bothWays(k.lnd, k.we)
			k.we.Restart()
			k.we.Active(point)
			k.lnd.Active(point)
			k.bothWays(k.lnd, k.we)
			k.w.Mine(6)
			rig.Eventually(t, "the real id", func() bool {
				return k.we.Channel(point).ZeroConfConfirmedScid != 0 && k.lnd.Channel(point).ZeroConfConfirmedScid != 0
			})
			require.Equal(t, k.lnd.Channel(point).ZeroConfConfirmedScid, k.we.Channel(point).ZeroConfConfirmedScid)
			require.Equal(t, mine.ChanId, k.we.Channel(point).ChanId, "the name stays")
			if !private {
				k.we.Knows(point)
				k.lnd.Knows(point)
			}
			k.bothWays(k.lnd, k.we)
			k.close(from, point)
		}
	}
}

// close closes a channel together and mines that.
func (k *kinds) close(by *rig.Node, point rig.ChanPoint) {
	k.t.Helper()
	for _, n := range []*rig.Node{k.lnd, k.far} {
		if n.Channel(point) != nil {
			n.Knows(point) // or lnd stumbles over it
		}
	}
	rig.Eventually(k.t, "no HTLCs", func() bool {
		for _, n := range []*rig.Node{k.we, k.lnd, k.far} {
			if c := n.Channel(point); c != nil && len(c.PendingHtlcs) > 0 {
				return false
			}
		}
		return true
	})
	stream := k.closing(by, point, 0)
	_, err := stream.Recv()
	require.NoError(k.t, err)
	k.w.Mempool(1)
	k.w.Mine(6)
	rig.Eventually(k.t, "the close", func() bool { return len(k.we.Pending().WaitingCloseChannels) == 0 })
	k.w.Synced()
}

func (k *kinds) closing(by *rig.Node, point rig.ChanPoint, rate uint64) lnrpc.Lightning_CloseChannelClient {
	k.t.Helper()
	stream, err := by.LN.CloseChannel(rig.Soon(k.t), &lnrpc.CloseChannelRequest{ChannelPoint: point.Proto(), SatPerVbyte: rate})
	require.NoError(k.t, err)
	return stream
}

// rate is that of a closing transaction, in satoshis per vbyte; 0 when it has just been
// replaced.
func (k *kinds) rate(txid chainhash.Hash) int64 {
	var text string
	if k.w.Chain.Call(rig.Soon(k.t), &text, "getrawtransaction", txid.String(), 0) != nil {
		return 0
	}
	raw, tx := rig.Unhex(k.t, text), new(wire.MsgTx)
	require.NoError(k.t, tx.Deserialize(bytes.NewReader(raw)))
	fee := int64(1_000_000) // the channel
	for _, out := range tx.TxOut {
		fee -= out.Value
	}
	size := int64(tx.SerializeSizeStripped()*3+tx.SerializeSize()+3) / 4
	return (fee + size/2) / size
}

// paying waits until the closing transaction in the mempool pays about that rate.
func (k *kinds) paying(rate int64) {
	k.t.Helper()
	last := int64(0)
	rig.Eventually(k.t, "a closing transaction of the rate", func() bool {
		list := k.w.Mempool(1)
		if len(list) != 1 {
			return false
		}
		if now := k.rate(list[0]); now != last {
			last = now
			k.t.Logf("the closing transaction pays %d sat/vbyte", now)
		}
		return last >= rate-1 && last <= rate+1
	})
}

// TestLndSimpleClose: B2.simple.3, B2.simple.9, B2.simple.13, B2.simple.14: closed by either,
// with a higher fee by the same and then by the other side, over restarts; who asks pays.
func TestLndSimpleClose(t *testing.T) {
	k := meetKinds(t)
	for _, weOpen := range []bool{true, false} {
		for _, weClose := range []bool{true, false} {
			opener, other := k.we, k.lnd
			if !weOpen {
				opener, other = k.lnd, k.we
			}
			point := opener.Open(other, 1_000_000, func(r *lnrpc.OpenChannelRequest) { r.PushSat = 400_000 })
			by, peer := k.we, k.lnd
			if !weClose {
				by, peer = k.lnd, k.we
			}
			k.lnd.Knows(point) // or lnd stumbles over it
			t.Logf("opened by %s, closed by %s", opener.Name, by.Name)
			first := k.closing(by, point, 5)
			u, err := first.Recv()
			require.NoError(t, err)
			require.NotEmpty(t, u.GetClosePending().GetTxid())
			k.paying(5)
			k.closing(by, point, 12)
			k.paying(12)
			k.closing(peer, point, 30)
			k.paying(30)
			k.we.Restart()
			rig.Eventually(t, "connected again", func() bool { return k.we.HasPeer(k.lnd) && k.lnd.HasPeer(k.we) })
			var again lnrpc.Lightning_CloseChannelClient
			rig.Eventually(t, "bumped after a restart", func() bool {
				again = k.closing(by, point, 40)
				u, err := again.Recv()
				t.Log(u, err)
				return err == nil
			})
			k.paying(40)
			k.w.Mine(6)
			rig.Eventually(t, "over", func() bool {
				return len(k.we.Pending().WaitingCloseChannels) == 0 && len(k.lnd.Pending().WaitingCloseChannels) == 0
			})
			require.Empty(t, k.we.Channels())
			k.w.Synced()
		}
	}
}
