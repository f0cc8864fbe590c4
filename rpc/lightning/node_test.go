package lightning_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// stranger is a node that nobody has heard of.
const stranger = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

// TestConversation is what a wallet does with a node, on a real chain: coins, a peer, a
// channel, payments both ways, and the close.
func TestConversation(t *testing.T) {
	b := chainOf(t)
	alice, bob := clientOf(t, b, "alice"), clientOf(t, b, "bob")
	ctx := t.Context()

	// Coins.
	address, err := alice.NewAddress(ctx, &lnrpc.NewAddressRequest{})
	require.NoError(t, err)
	require.NoError(t, b.Miner().Mature(ctx))
	_, err = b.Miner().PayAddress(ctx, address.Address, 10_000_000)
	require.NoError(t, err)
	alice.mine(1)
	bob.synced()
	balance, err := alice.WalletBalance(ctx, &lnrpc.WalletBalanceRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 10_000_000, balance.ConfirmedBalance)
	txs, err := alice.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{})
	require.NoError(t, err)
	require.Len(t, txs.Transactions, 1)
	require.EqualValues(t, 1, txs.Transactions[0].NumConfirmations)
	utxos, err := alice.ListUnspent(ctx, &lnrpc.ListUnspentRequest{})
	require.NoError(t, err)
	require.Len(t, utxos.Utxos, 1)
	require.Equal(t, address.Address, utxos.Utxos[0].Address)

	// A peer.
	connect := &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: bob.id, Host: bob.addr}}
	_, err = alice.ConnectPeer(ctx, connect)
	require.NoError(t, err)
	_, err = alice.ConnectPeer(ctx, connect)
	require.ErrorContains(t, err, "already connected to peer")
	peers, err := alice.ListPeers(ctx, &lnrpc.ListPeersRequest{})
	require.NoError(t, err)
	require.Len(t, peers.Peers, 1)
	require.Equal(t, bob.id, peers.Peers[0].PubKey)

	// A channel.
	events, err := alice.SubscribeChannelEvents(ctx, &lnrpc.ChannelEventSubscription{})
	require.NoError(t, err)
	bobKey, err := hex.DecodeString(bob.id)
	require.NoError(t, err)
	opening, err := alice.OpenChannel(ctx, &lnrpc.OpenChannelRequest{NodePubkey: bobKey, LocalFundingAmount: 1_000_000, PushSat: 200_000})
	require.NoError(t, err)
	u, err := opening.Recv()
	require.NoError(t, err)
	pending := u.GetChanPending()
	require.NotNil(t, pending)
	list, err := alice.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
	require.NoError(t, err)
	require.Len(t, list.PendingOpenChannels, 1)
	require.Equal(t, lnrpc.Initiator_INITIATOR_LOCAL, list.PendingOpenChannels[0].Channel.Initiator)
	alice.until("funding is on its way", func() bool {
		mempool, err := b.Mempool(ctx)
		return err == nil && len(mempool) == 1
	})
	alice.mine(6)
	u, err = opening.Recv()
	require.NoError(t, err)
	point := u.GetChanOpen().GetChannelPoint()
	require.NotNil(t, point)
	var c *lnrpc.Channel
	for _, side := range []*client{alice, bob} {
		side.until("active", func() bool {
			list, err := side.ListChannels(ctx, &lnrpc.ListChannelsRequest{ActiveOnly: true})
			require.NoError(t, err)
			if len(list.Channels) == 1 {
				c = list.Channels[0]
			}
			return len(list.Channels) == 1
		})
	}
	require.Equal(t, lnrpc.CommitmentType_ANCHORS, c.CommitmentType)
	require.EqualValues(t, 200_000, c.LocalBalance)
	require.EqualValues(t, 1_000_000, c.LocalBalance+c.RemoteBalance+c.CommitFee+660)
	for _, want := range []lnrpc.ChannelEventUpdate_UpdateType{
		lnrpc.ChannelEventUpdate_PENDING_OPEN_CHANNEL, lnrpc.ChannelEventUpdate_OPEN_CHANNEL,
	} {
		for {
			e, err := events.Recv()
			require.NoError(t, err)
			if e.Type == want {
				break
			}
			require.Equal(t, lnrpc.ChannelEventUpdate_ACTIVE_CHANNEL, e.Type)
		}
	}

	// The graph: both policies, by id and by funding output.
	alice.until("both policies", func() bool {
		edge, err := alice.GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanId: c.ChanId})
		return err == nil && edge.Node1Policy != nil && edge.Node2Policy != nil
	})
	edge, err := alice.GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanPoint: c.ChannelPoint})
	require.NoError(t, err)
	require.Equal(t, c.ChanId, edge.ChannelId)
	_, err = alice.GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanId: 1})
	require.ErrorContains(t, err, "edge not found")
	_, err = alice.GetNodeInfo(ctx, &lnrpc.NodeInfoRequest{PubKey: strings.Repeat("02", 33)})
	require.ErrorContains(t, err, "unable to find node")
	_, err = alice.SignMessage(ctx, &lnrpc.SignMessageRequest{})
	require.ErrorContains(t, err, "need a message to sign")
	provedBySignatures(t, alice, c.ChanId)
	info, err := alice.GetNetworkInfo(ctx, &lnrpc.NetworkInfoRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 1, info.GraphDiameter)
	graph, err := alice.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{IncludeUnannounced: true})
	require.NoError(t, err)
	require.Len(t, graph.Edges, 1)
	require.Len(t, graph.Nodes, 2)

	// Payments both ways.
	pay(t, alice, bob, 100_000)
	pay(t, bob, alice, 50_000)
	routes, err := alice.QueryRoutes(ctx, &lnrpc.QueryRoutesRequest{PubKey: bob.id, Amt: 1000})
	require.NoError(t, err)
	require.Len(t, routes.Routes[0].Hops, 1)
	_, err = alice.QueryRoutes(ctx, &lnrpc.QueryRoutesRequest{PubKey: stranger, Amt: 1000})
	require.ErrorContains(t, err, "unable to find a path to destination")
	_, err = alice.QueryRoutes(ctx, &lnrpc.QueryRoutesRequest{PubKey: bob.id})
	require.ErrorContains(t, err, "unable to find a path to destination", "nothing to send")
	_, err = alice.QueryRoutes(ctx, &lnrpc.QueryRoutesRequest{PubKey: bob.id, Amt: 5_000_000})
	require.ErrorContains(t, err, "insufficient local balance")
	hold(t, alice, bob)
	toRoute(t, alice, bob, routes.Routes[0])
	funds, err := alice.ChannelBalance(ctx, &lnrpc.ChannelBalanceRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 250_000+1000, funds.RemoteBalance.Sat)

	// Policies and the history.
	_, err = alice.UpdateChannelPolicy(ctx, &lnrpc.PolicyUpdateRequest{
		Scope: &lnrpc.PolicyUpdateRequest_ChanPoint{ChanPoint: point}, BaseFeeMsat: 7, FeeRatePpm: 9, TimeLockDelta: 40,
	})
	require.NoError(t, err)
	report, err := alice.FeeReport(ctx, &lnrpc.FeeReportRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 9, report.ChannelFees[0].FeePerMil)
	payments, err := alice.ListPayments(ctx, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true})
	require.NoError(t, err)
	require.Len(t, payments.Payments, 3)
	_, err = alice.DeleteAllPayments(ctx, &lnrpc.DeleteAllPaymentsRequest{})
	require.ErrorContains(t, err, "failed_htlcs_only is needed")
	_, err = alice.DeleteAllPayments(ctx, &lnrpc.DeleteAllPaymentsRequest{AllPayments: true, FailedHtlcsOnly: true})
	require.ErrorContains(t, err, "cannot be set together")
	deleted, err := alice.DeleteAllPayments(ctx, &lnrpc.DeleteAllPaymentsRequest{FailedHtlcsOnly: true})
	require.NoError(t, err)
	require.Equal(t, "0 payments deleted, failed_htlcs_only=true", deleted.Status)
	payments, err = alice.ListPayments(ctx, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true})
	require.NoError(t, err)
	require.Len(t, payments.Payments, 3)
	for _, p := range payments.Payments {
		for _, a := range p.Htlcs {
			require.NotEqual(t, lnrpc.HTLCAttempt_FAILED, a.Status)
		}
	}
	deleted, err = alice.DeleteAllPayments(ctx, &lnrpc.DeleteAllPaymentsRequest{AllPayments: true})
	require.NoError(t, err)
	require.Equal(t, "3 payments deleted, failed_htlcs_only=false", deleted.Status)
	signed, err := alice.SignMessage(ctx, &lnrpc.SignMessageRequest{Msg: []byte("hello")})
	require.NoError(t, err)
	verified, err := bob.VerifyMessage(ctx, &lnrpc.VerifyMessageRequest{Msg: []byte("hello"), Signature: signed.Signature})
	require.NoError(t, err)
	require.Equal(t, alice.id, verified.Pubkey)

	closeIt(t, alice, point)
	_, err = alice.StopDaemon(ctx, &lnrpc.StopRequest{})
	require.NoError(t, err)
	<-alice.stopped
}

// pay pays an invoice and looks at it from all sides.
func pay(t *testing.T, from, to *client, sat int64) {
	t.Helper()
	ctx := t.Context()
	added, err := to.AddInvoice(ctx, &lnrpc.Invoice{Memo: "coffee", Value: sat})
	require.NoError(t, err)
	decoded, err := from.DecodePayReq(ctx, &lnrpc.PayReqString{PayReq: added.PaymentRequest})
	require.NoError(t, err)
	require.Equal(t, to.id, decoded.Destination)
	require.Equal(t, sat, decoded.NumSatoshis)
	stream, err := from.router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
		PaymentRequest: added.PaymentRequest, FeeLimitMsat: 1<<63 - 1, TimeoutSeconds: 30,
	})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_IN_FLIGHT, first.Status)
	last := first
	for last.Status == lnrpc.Payment_IN_FLIGHT {
		last, err = stream.Recv()
		require.NoError(t, err)
	}
	require.Equal(t, lnrpc.Payment_SUCCEEDED, last.Status, last)
	require.Positive(t, last.PaymentIndex)
	_, err = stream.Recv()
	require.ErrorContains(t, err, "EOF")
	inv, err := to.LookupInvoice(ctx, &lnrpc.PaymentHash{RHashStr: hex.EncodeToString(added.RHash)})
	require.NoError(t, err)
	require.True(t, inv.Settled)
	require.Equal(t, sat, inv.AmtPaidSat)
	require.Equal(t, last.PaymentPreimage, hex.EncodeToString(inv.RPreimage))
	found, err := to.invoices.LookupInvoiceV2(ctx, &invoicesrpc.LookupInvoiceMsg{
		InvoiceRef: &invoicesrpc.LookupInvoiceMsg_PaymentAddr{PaymentAddr: added.PaymentAddr},
	})
	require.NoError(t, err)
	require.Equal(t, inv.RHash, found.RHash)
	again, err := from.router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{PaymentRequest: added.PaymentRequest})
	require.NoError(t, err)
	_, err = again.Recv()
	require.Equal(t, codes.AlreadyExists, status.Code(err))
	require.ErrorContains(t, err, "invoice is already paid")
	tracked, err := from.router.TrackPaymentV2(ctx, &routerrpc.TrackPaymentRequest{PaymentHash: added.RHash})
	require.NoError(t, err)
	p, err := tracked.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status)
}

// hold lets a payment wait and gives it back.
func hold(t *testing.T, from, to *client) {
	t.Helper()
	ctx := t.Context()
	hash := make([]byte, 32)
	hash[0] = 7
	added, err := to.invoices.AddHoldInvoice(ctx, &invoicesrpc.AddHoldInvoiceRequest{Hash: hash, Value: 2000})
	require.NoError(t, err)
	watch, err := to.invoices.SubscribeSingleInvoice(ctx, &invoicesrpc.SubscribeSingleInvoiceRequest{RHash: hash})
	require.NoError(t, err)
	state := func(want lnrpc.Invoice_InvoiceState) {
		i, err := watch.Recv()
		require.NoError(t, err)
		require.Equal(t, want, i.State)
	}
	state(lnrpc.Invoice_OPEN)
	stream, err := from.router.SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{
		PaymentRequest: added.PaymentRequest, NoInflightUpdates: true,
	})
	require.NoError(t, err)
	state(lnrpc.Invoice_ACCEPTED)
	list, err := from.ListChannels(ctx, &lnrpc.ListChannelsRequest{})
	require.NoError(t, err)
	require.Len(t, list.Channels[0].PendingHtlcs, 1)
	require.EqualValues(t, 2000, list.Channels[0].UnsettledBalance)
	_, err = to.invoices.CancelInvoice(ctx, &invoicesrpc.CancelInvoiceMsg{PaymentHash: hash})
	require.NoError(t, err)
	state(lnrpc.Invoice_CANCELED)
	p, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.Payment_FAILED, p.Status)
	require.Equal(t, lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS, p.FailureReason)
	require.Equal(t, lnrpc.Failure_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, p.Htlcs[0].Failure.Code)
	require.EqualValues(t, 1, p.Htlcs[0].Failure.FailureSourceIndex)
}

// toRoute pays along a route that QueryRoutes gave.
func toRoute(t *testing.T, from, to *client, route *lnrpc.Route) {
	t.Helper()
	ctx := t.Context()
	added, err := to.AddInvoice(ctx, &lnrpc.Invoice{Value: 1000})
	require.NoError(t, err)
	route.Hops[0].MppRecord = &lnrpc.MPPRecord{PaymentAddr: added.PaymentAddr, TotalAmtMsat: 1_000_000}
	a, err := from.router.SendToRouteV2(ctx, &routerrpc.SendToRouteRequest{PaymentHash: added.RHash, Route: route})
	require.NoError(t, err)
	require.Equal(t, lnrpc.HTLCAttempt_SUCCEEDED, a.Status, a)
}

// closeIt closes a channel by agreement and follows it to its end.
func closeIt(t *testing.T, c *client, point *lnrpc.ChannelPoint) {
	t.Helper()
	ctx := t.Context()
	blocks, err := c.chain.RegisterBlockEpochNtfn(ctx, &chainrpc.BlockEpoch{})
	require.NoError(t, err)
	tip, err := blocks.Recv()
	require.NoError(t, err)
	closing, err := c.CloseChannel(ctx, &lnrpc.CloseChannelRequest{ChannelPoint: point, NoWait: true, SatPerVbyte: 5})
	require.NoError(t, err)
	u, err := closing.Recv()
	require.NoError(t, err)
	require.NotNil(t, u.GetCloseInstant())
	u, err = closing.Recv()
	require.NoError(t, err)
	txid, err := chainhash.NewHash(u.GetClosePending().GetTxid())
	require.NoError(t, err)
	list, err := c.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{IncludeRawTx: true})
	require.NoError(t, err)
	require.Len(t, list.WaitingCloseChannels, 1)
	w := list.WaitingCloseChannels[0]
	require.Equal(t, txid.String(), w.ClosingTxid)
	require.Contains(t, w.Channel.ChanStatusFlags, "ChanStatusCoopBroadcasted|ChanStatusLocalCloseInitiator")
	require.Positive(t, w.LimboBalance)
	c.until("closing transaction is on its way", func() bool {
		mempool, err := c.btcd.Mempool(ctx)
		return err == nil && len(mempool) == 1
	})
	c.mine(3)
	for {
		u, err = closing.Recv()
		require.NoError(t, err)
		if u.GetChanClose() != nil {
			break
		}
	}
	require.Equal(t, txid[:], u.GetChanClose().ClosingTxid)
	require.NotNil(t, u.GetChanClose().LocalCloseOutput)
	require.NotNil(t, u.GetChanClose().RemoteCloseOutput)
	closed, err := c.ClosedChannels(ctx, &lnrpc.ClosedChannelsRequest{Cooperative: true})
	require.NoError(t, err)
	require.Len(t, closed.Channels, 1)
	require.Equal(t, lnrpc.Initiator_INITIATOR_LOCAL, closed.Channels[0].CloseInitiator)
	next, err := blocks.Recv()
	require.NoError(t, err)
	require.Equal(t, tip.Height+1, next.Height)
}

// provedBySignatures waits until a channel is announced, and checks the signatures that the
// node shows of it against the keys.
func provedBySignatures(t *testing.T, n *client, id uint64) {
	ctx := t.Context()
	n.until("announced", func() bool {
		graph, err := n.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{})
		require.NoError(t, err)
		return len(graph.Edges) == 1
	})
	edge, err := n.GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanId: id, IncludeAuthProof: true})
	require.NoError(t, err)
	proof := edge.AuthProof
	for _, der := range [][]byte{proof.GetNodeSig1(), proof.GetNodeSig2(), proof.GetBitcoinSig1(), proof.GetBitcoinSig2()} {
		_, err := lnwire.SigFromDER(der)
		require.NoError(t, err)
	}
	graph, err := n.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{IncludeAuthProof: true})
	require.NoError(t, err)
	require.True(t, proto.Equal(proof, graph.Edges[0].AuthProof))
	node, err := n.GetNodeInfo(ctx, &lnrpc.NodeInfoRequest{PubKey: n.id, IncludeChannels: true, IncludeAuthProof: true})
	require.NoError(t, err)
	require.True(t, proto.Equal(proof, node.Channels[0].AuthProof))
	plain, err := n.GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanId: id})
	require.NoError(t, err)
	require.Nil(t, plain.AuthProof)
	_, err = n.GetNodeInfo(ctx, &lnrpc.NodeInfoRequest{PubKey: n.id, IncludeAuthProof: true})
	require.ErrorContains(t, err, "include_auth_proof depends on include_channels")
}
