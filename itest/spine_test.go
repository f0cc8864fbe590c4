package itest

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// feeOf is what a forward costs by the default policy, in millisatoshis.
func feeOf(msat int64) int64 { return 1000 + msat/1_000_000 }

// TestSpine is the story of the product over gRPC: channels open, payments pass both
// ways, the middle earns its fee, a channel closes; every figure is held to the
// millisatoshi.
func TestSpine(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	nodes, points := w.Line(1_000_000, "alice", "bob", "carol")
	alice, bob, carol := nodes[0], nodes[1], nodes[2]
	start := []int64{alice.InChannels(), bob.InChannels(), carol.InChannels()}

	amounts := []int64{1, 999, 1000, 123_456, 1_000_000, 50_000_123, 200_000_001}
	var fees, there, hops int64
	for _, a := range amounts {
		switch p, err := alice.Send(rig.Soon(t), rig.PayRequest(carol.Invoice(a))); {
		case a < 1000: // bob carries nothing below 1 sat, by the default policy
			require.NoError(t, err)
			require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE, p.FailureReason)
		default:
			require.NoError(t, err)
			require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status, p)
			require.Equal(t, feeOf(a), p.FeeMsat)
			require.Equal(t, a, p.ValueMsat)
			fees, there, hops = fees+feeOf(a), there+a, hops+1
		}
	}
	back := carol.Pay(alice.Invoice(77_000_007))
	require.Equal(t, feeOf(77_000_007), back.FeeMsat)
	rig.Settled(nodes...)

	require.Equal(t, start[0]-there-fees+77_000_007, alice.InChannels())
	require.Equal(t, start[1]+fees+back.FeeMsat, bob.InChannels())
	require.Equal(t, start[2]+there-77_000_007-back.FeeMsat, carol.InChannels())
	checkForwards(t, bob, points, amounts[2:], back)

	var sum int64
	for _, n := range nodes {
		report, err := n.LN.FeeReport(rig.Soon(t), &lnrpc.FeeReportRequest{})
		require.NoError(t, err)
		sum += int64(report.DayFeeSum)
	}
	require.Equal(t, (fees+back.FeeMsat)/1000, sum)
	closeTogether(t, w, alice, bob, points[0])
}

// checkForwards compares bob's history with what he carried.
func checkForwards(t *testing.T, bob *rig.Node, points []rig.ChanPoint, there []int64, back *lnrpc.Payment) {
	t.Helper()
	ab, bc := bob.Channel(points[0]).ChanId, bob.Channel(points[1]).ChanId
	events := bob.Forwards()
	require.Len(t, events, len(there)+1)
	for i, a := range there {
		e := events[i]
		require.Equal(t, []uint64{ab, bc}, []uint64{e.ChanIdIn, e.ChanIdOut})
		require.Equal(t, []uint64{uint64(a + feeOf(a)), uint64(a), uint64(feeOf(a))}, []uint64{e.AmtInMsat, e.AmtOutMsat, e.FeeMsat})
		require.NotZero(t, e.TimestampNs)
	}
	last := events[len(there)]
	require.Equal(t, []uint64{bc, ab}, []uint64{last.ChanIdIn, last.ChanIdOut})
	require.Equal(t, []uint64{uint64(back.ValueMsat), uint64(back.FeeMsat)}, []uint64{last.AmtOutMsat, last.FeeMsat})
}

// closeTogether closes a channel cooperatively and holds both wallets to the satoshi.
func closeTogether(t *testing.T, w *rig.World, opener, other *rig.Node, point rig.ChanPoint) {
	t.Helper()
	c := opener.Channel(point)
	before := []int64{opener.Wallet().TotalBalance, other.Wallet().TotalBalance}
	stream, err := opener.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: point.Proto(), SatPerVbyte: 3, NoWait: true})
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, u.GetCloseInstant(), u)
	u, err = stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, u.GetClosePending(), u)
	txid, err := chainhash.NewHash(u.GetClosePending().Txid)
	require.NoError(t, err)
	w.InMempool(*txid)
	fee := w.MinersFee(*txid)

	waiting := opener.Pending().WaitingCloseChannels
	require.Len(t, waiting, 1)
	require.Equal(t, "ChanStatusCoopBroadcasted|ChanStatusLocalCloseInitiator", waiting[0].Channel.ChanStatusFlags)
	require.Equal(t, txid.String(), waiting[0].ClosingTxid)
	w.Mine(6)
	for u.GetChanClose() == nil { // the other's own transaction is told of too
		u, err = stream.Recv()
		require.NoError(t, err)
	}
	require.True(t, u.GetChanClose().Success)
	require.Equal(t, txid[:], u.GetChanClose().ClosingTxid)

	// The opener pays for the close; what the commitment had cost comes back.
	ours := c.Capacity - c.RemoteBalance - fee
	require.Equal(t, before[0]+ours, opener.Wallet().ConfirmedBalance)
	rig.Eventually(t, other.Name+"'s share", func() bool { return other.Wallet().ConfirmedBalance == before[1]+c.RemoteBalance })
	for _, n := range []*rig.Node{opener, other} {
		rig.Eventually(t, n.Name+" reports the close", func() bool { return len(n.Closed()) == 1 })
		s := n.Closed()[0]
		require.Equal(t, lnrpc.ChannelCloseSummary_COOPERATIVE_CLOSE, s.CloseType)
		require.Equal(t, string(point), s.ChannelPoint)
		require.Equal(t, txid.String(), s.ClosingTxHash)
		require.Nil(t, n.Channel(point))
		require.Empty(t, n.Pending().WaitingCloseChannels)
	}
}

// TestSpineByCommandLine does the same as a person would: by fulgur, reading its JSON.
func TestSpineByCommandLine(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob")
	var address struct{ Address string }
	alice.Ask(&address, "newaddress", "p2tr")
	_, err := w.Chain.Miner().PayAddress(t.Context(), address.Address, 3_000_000)
	require.NoError(t, err)
	w.Mine(1)
	var purse struct {
		Confirmed int64 `json:"confirmed_balance,string"`
	}
	alice.Ask(&purse, "walletbalance")
	require.Equal(t, int64(3_000_000), purse.Confirmed)

	alice.Ask(nil, "connect", bob.ID+"@"+bob.P2P)
	var opened struct {
		Txid  string `json:"funding_txid"`
		Index uint32 `json:"output_index"`
	}
	alice.Ask(&opened, "openchannel", "--sat_per_vbyte=2", bob.ID, "0.01btc", "200000")
	point := rig.ChanPoint(opened.Txid + ":0")
	if opened.Index == 1 {
		point = rig.ChanPoint(opened.Txid + ":1")
	}
	w.InMempool(w.Txid(opened.Txid))
	w.Mine(6)
	alice.Active(point)
	bob.Active(point)

	start := []int64{alice.InChannels(), bob.InChannels()}
	cliPays(t, alice, bob, "1234567msat", 1_234_567)
	cliPays(t, bob, alice, "1500", 1_500_000)
	rig.Settled(alice, bob)
	require.Equal(t, []int64{start[0] - 1_234_567 + 1_500_000, start[1] + 1_234_567 - 1_500_000}, []int64{alice.InChannels(), bob.InChannels()})

	var closing struct {
		Txid string `json:"closing_txid"`
	}
	alice.Ask(&closing, "closechannel", "--sat_per_vbyte=2", string(point))
	w.InMempool(w.Txid(closing.Txid))
	w.Mine(6)
	var over struct {
		Channels []struct {
			Type string `json:"close_type"`
			Txid string `json:"closing_tx_hash"`
		}
	}
	rig.Eventually(t, "the close is reported", func() bool {
		alice.Ask(&over, "closedchannels")
		return len(over.Channels) == 1
	})
	require.Equal(t, "COOPERATIVE_CLOSE", over.Channels[0].Type)
	require.Equal(t, closing.Txid, over.Channels[0].Txid)
	cliTables(t, alice)
}

// cliPays makes an invoice at one node and pays it from the other.
func cliPays(t *testing.T, from, to *rig.Node, amount string, msat int64) {
	t.Helper()
	var made struct {
		Request string `json:"payment_request"`
		Hash    string `json:"r_hash"`
	}
	to.Ask(&made, "addinvoice", "--memo=tea", amount)
	var says struct {
		Msat int64 `json:"num_msat,string"`
		To   string
		Dest string `json:"destination"`
	}
	from.Ask(&says, "decodepayreq", made.Request)
	require.Equal(t, msat, says.Msat)
	require.Equal(t, to.ID, says.Dest)
	var paid struct {
		Status   string
		Preimage string `json:"payment_preimage"`
		Fee      int64  `json:"fee_msat,string"`
	}
	from.Ask(&paid, "payinvoice", "--force", made.Request)
	require.Equal(t, "SUCCEEDED", paid.Status)
	require.Zero(t, paid.Fee)
	var inv struct {
		State string
		Paid  int64  `json:"amt_paid_msat,string"`
		Proof string `json:"r_preimage"`
	}
	to.Ask(&inv, "lookupinvoice", made.Hash)
	require.Equal(t, "SETTLED", inv.State)
	require.Equal(t, msat, inv.Paid)
	require.Equal(t, paid.Preimage, inv.Proof)
}

// cliTables: what goes wrong has its own exit status and words.
func cliTables(t *testing.T, n *rig.Node) {
	t.Helper()
	c := n.Fulgur("", "payinvoice", "--force", "lnbcrt1nonsense")
	require.Equal(t, 1, c.Code)
	require.Contains(t, c.Err, "decode invoice")
	c = n.Fulgur("", "payinvoice")
	require.Equal(t, 2, c.Code)
	require.Contains(t, c.Err, "pay_req is missing")
	c = n.Fulgur("", "pay")
	require.Equal(t, 2, c.Code)
	require.Contains(t, c.Err, "there is no command")
	c = rig.RunCLI(t, "", "--rpcserver="+rig.FreeAddr(t), "--fulgurdir="+n.Dir, "--network=regtest", "getinfo")
	require.Equal(t, 1, c.Code)
	require.NotEmpty(t, c.Err)
}

// TestChannelStreams: what subscribers of channels and of the graph are told, from the
// opening to the close.
func TestChannelStreams(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob", "--channelupdates")
	alice.Fund(3_000_000)
	alice.Connect(bob)
	events, err := bob.LN.SubscribeChannelEvents(rig.Soon(t), &lnrpc.ChannelEventSubscription{})
	require.NoError(t, err)
	graph, err := bob.LN.SubscribeChannelGraph(rig.Soon(t), &lnrpc.GraphTopologySubscription{})
	require.NoError(t, err)
	bob.Info() // a round trip later both subscriptions stand
	point := alice.Open(bob, 500_000)

	wantEvent(t, events, lnrpc.ChannelEventUpdate_PENDING_OPEN_CHANNEL)
	open := wantEvent(t, events, lnrpc.ChannelEventUpdate_OPEN_CHANNEL)
	require.Equal(t, string(point), open.GetOpenChannel().ChannelPoint)
	wantEvent(t, events, lnrpc.ChannelEventUpdate_ACTIVE_CHANNEL)
	const paid = 70_000
	require.Equal(t, lnrpc.Payment_SUCCEEDED, alice.Pay(bob.Invoice(paid*1000)).Status)
	for have := int64(0); have != paid; {
		u := wantEvent(t, events, lnrpc.ChannelEventUpdate_CHANNEL_UPDATE).GetUpdatedChannel().Channel
		require.Equal(t, string(point), u.ChannelPoint)
		have = u.LocalBalance
	}

	closeTogether(t, w, alice, bob, point)
	wantEvent(t, events, lnrpc.ChannelEventUpdate_INACTIVE_CHANNEL)
	over := wantEvent(t, events, lnrpc.ChannelEventUpdate_CLOSED_CHANNEL)
	require.Equal(t, string(point), over.GetClosedChannel().ChannelPoint)
	for told := false; !told; {
		u, err := graph.Recv()
		require.NoError(t, err)
		for _, c := range u.ClosedChans {
			told = told || c.ChanPoint != nil && rig.PointOf(c.ChanPoint.GetFundingTxidBytes(), c.ChanPoint.OutputIndex) == point
		}
	}
}

// wantEvent skips events until one of the wanted type.
func wantEvent(t *testing.T, s grpc.ServerStreamingClient[lnrpc.ChannelEventUpdate], want lnrpc.ChannelEventUpdate_UpdateType) *lnrpc.ChannelEventUpdate {
	t.Helper()
	for {
		u, err := s.Recv()
		require.NoError(t, err, "no event of type %v", want)
		if u.Type == want {
			return u
		}
	}
}
