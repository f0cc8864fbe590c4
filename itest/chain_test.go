package itest

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// TestChainAway takes the chain backend away and brings it back: the nodes stay up and
// answer at once, take no new channel and say why, and can spend as soon as they say
// that they have caught up.
func TestChainAway(t *testing.T) {
	t.Parallel()
	w := rig.SimnetWorld(t)
	// A second btcd keeps the chain growing while the nodes' own is away.
	other := w.Btcd("other", &chaincfg.SimNetParams)
	alice, bob := w.Node("alice"), w.Node("bob")
	alice.Fund(5_000_000)
	alice.Connect(bob)
	point := alice.Open(bob, 1_000_000)
	alice.Pay(bob.Invoice(100_000_000))
	rig.Settled(alice, bob)
	owned := alice.InChannels()
	height := joined(w, other)

	// On its way into a block when the backend goes.
	sent, err := alice.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: bob.Address(), Amount: 400_000, SatPerVbyte: 2})
	require.NoError(t, err)
	rig.Eventually(t, "the other btcd has the transaction", func() bool {
		list, err := other.Mempool(t.Context())
		return err == nil && len(list) == 1
	})
	require.NoError(t, w.Chain.Stop(rig.Soon(t)))
	for _, n := range []*rig.Node{alice, bob} {
		rig.Eventually(t, n.Name+" notices", func() bool { return !n.Info().SyncedToChain })
		answersAtOnce(t, n)
	}
	refusesChannels(t, alice, bob)
	// What becomes of a payment is for the nodes to decide: now, or when they see the
	// chain again.
	begun := bob.Invoice(5_000_000)
	alice.Begin(begun)
	// A node can also be started now; it knows what it knew.
	bob.Stop()
	bob.Launch()
	bob.Await(lnrpc.WalletState_SERVER_ACTIVE)
	bob.ConnectAPI()
	answersAtOnce(t, bob)
	alice.Active(point)

	_, err = other.Generate(t.Context(), 5)
	require.NoError(t, err)
	require.NoError(t, w.Chain.Restart(rig.Soon(t)))
	require.Equal(t, height+5, joined(w, other))
	w.Synced()
	// At once, without another look:
	_, err = bob.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: alice.Address(), Amount: 380_000, SatPerVbyte: 2})
	require.NoError(t, err, "what came while the backend was away can be spent")
	tx := transaction(alice, sent.Txid)
	require.NotNil(t, tx)
	require.Equal(t, height+1, tx.BlockHeight)
	if fate(alice, begun) == lnrpc.Payment_SUCCEEDED {
		owned -= 5_000_000
	}
	rig.Settled(alice, bob)
	require.Equal(t, owned, alice.InChannels())
	alice.Pay(bob.Invoice(1_000_000))
	alice.Open(bob, 500_000)
}

// fate waits for the end of a payment; one that was refused has failed.
func fate(n *rig.Node, request string) lnrpc.Payment_PaymentStatus {
	n.T.Helper()
	p, err := n.TrackOr(rig.Unhex(n.T, n.Decode(request).PaymentHash))
	if status.Code(err) == codes.NotFound {
		return lnrpc.Payment_FAILED
	}
	require.NoError(n.T, err)
	return p.Status
}

// share connects the other btcd with the nodes' and waits until both stand on one
// block; it gives the height.
func joined(w *rig.World, other *btcdtest.Node) int32 {
	w.T.Helper()
	_ = w.Chain.Call(w.T.Context(), nil, "addnode", other.P2PAddr(), "onetry") // an error says that it is connected already
	var height int32
	rig.Eventually(w.T, "both btcds agree", func() bool {
		h1, hash1, err1 := w.Chain.Tip(w.T.Context())
		_, hash2, err2 := other.Tip(w.T.Context())
		height = h1
		return err1 == nil && err2 == nil && hash1 == hash2
	})
	return height
}

// answersAtOnce asks what a wallet's screen asks.
func answersAtOnce(t *testing.T, n *rig.Node) {
	t.Helper()
	for name, ask := range map[string]func(context.Context) error{
		"GetInfo": func(ctx context.Context) error { _, err := n.LN.GetInfo(ctx, &lnrpc.GetInfoRequest{}); return err },
		"WalletBalance": func(ctx context.Context) error {
			_, err := n.LN.WalletBalance(ctx, &lnrpc.WalletBalanceRequest{})
			return err
		},
		"ChannelBalance": func(ctx context.Context) error {
			_, err := n.LN.ChannelBalance(ctx, &lnrpc.ChannelBalanceRequest{})
			return err
		},
		"ListChannels": func(ctx context.Context) error {
			_, err := n.LN.ListChannels(ctx, &lnrpc.ListChannelsRequest{})
			return err
		},
		"PendingChannels": func(ctx context.Context) error {
			_, err := n.LN.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
			return err
		},
		"ClosedChannels": func(ctx context.Context) error {
			_, err := n.LN.ClosedChannels(ctx, &lnrpc.ClosedChannelsRequest{})
			return err
		},
		"NewAddress": func(ctx context.Context) error {
			_, err := n.LN.NewAddress(ctx, &lnrpc.NewAddressRequest{})
			return err
		},
		"AddInvoice": func(ctx context.Context) error { _, err := n.LN.AddInvoice(ctx, &lnrpc.Invoice{Value: 1}); return err },
		"ListInvoices": func(ctx context.Context) error {
			_, err := n.LN.ListInvoices(ctx, &lnrpc.ListInvoiceRequest{})
			return err
		},
		"ListPayments": func(ctx context.Context) error {
			_, err := n.LN.ListPayments(ctx, &lnrpc.ListPaymentsRequest{})
			return err
		},
		"GetTransactions": func(ctx context.Context) error {
			_, err := n.LN.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{})
			return err
		},
		"ListUnspent": func(ctx context.Context) error {
			_, err := n.Kit.ListUnspent(ctx, &walletrpc.ListUnspentRequest{})
			return err
		},
		"DescribeGraph": func(ctx context.Context) error {
			_, err := n.LN.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{})
			return err
		},
		"FeeReport": func(ctx context.Context) error { _, err := n.LN.FeeReport(ctx, &lnrpc.FeeReportRequest{}); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), rig.AtOnce)
		require.NoError(t, ask(ctx), "%s at %s", name, n.Name)
		cancel()
	}
}

// refusesChannels: neither end takes a new channel, and it says why.
func refusesChannels(t *testing.T, from, to *rig.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.AtOnce)
	defer cancel()
	stream, err := from.LN.OpenChannel(ctx, from.OpenRequest(to, 200_000))
	require.NoError(t, err)
	_, err = stream.Recv()
	require.ErrorContains(t, err, "chain backend is away")
	require.Empty(t, from.Pending().PendingOpenChannels)
}

// transaction is one of the wallet's transactions.
func transaction(n *rig.Node, txid string) *lnrpc.Transaction {
	n.T.Helper()
	list, err := n.LN.GetTransactions(rig.Soon(n.T), &lnrpc.GetTransactionsRequest{EndHeight: -1})
	require.NoError(n.T, err)
	for _, tx := range list.Transactions {
		if tx.TxHash == txid {
			return tx
		}
	}
	return nil
}

// TestNodeAway mines while a node is down, also right after its first start, before it
// has seen a block arrive.
func TestNodeAway(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice := w.Node("alice")
	address := alice.Address()
	alice.Kill()
	_, err := w.Chain.Miner().PayAddress(t.Context(), address, 700_000)
	require.NoError(t, err)
	_, err = w.Chain.Generate(t.Context(), 3)
	require.NoError(t, err)
	alice.Start()
	require.Equal(t, int64(700_000), alice.Wallet().ConfirmedBalance)

	bob := w.Node("bob")
	alice.Connect(bob)
	stream, err := alice.LN.OpenChannel(rig.Soon(t), alice.OpenRequest(bob, 300_000))
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	point := rig.PointOf(u.GetChanPending().Txid, u.GetChanPending().OutputIndex)
	w.InMempool(w.FundingTx(point))
	bob.Kill()
	alice.Stop()
	_, err = w.Chain.Generate(t.Context(), 8)
	require.NoError(t, err)
	alice.Start()
	bob.Start()
	alice.Active(point)
	bob.Active(point)
	alice.Pay(bob.Invoice(10_000_000))
}

// TestReorg undoes the three blocks that confirmed a channel and a payment on the
// chain: both come back as unconfirmed, confirm again, and go on working.
func TestReorg(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob")
	alice.Fund(3_000_000)
	alice.Fund(2_000_000)
	alice.Connect(bob)
	height, _, err := w.Chain.Tip(t.Context())
	require.NoError(t, err)

	stream, err := alice.LN.OpenChannel(rig.Soon(t), alice.OpenRequest(bob, 1_000_000))
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	point := rig.PointOf(u.GetChanPending().Txid, u.GetChanPending().OutputIndex)
	w.InMempool(w.FundingTx(point))
	sent, err := alice.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: bob.Address(), Amount: 250_000, SatPerVbyte: 3})
	require.NoError(t, err)
	w.InMempool(w.Txid(sent.Txid))
	w.Mine(3)
	alice.Active(point)
	bob.Active(point)
	require.Equal(t, int64(250_000), bob.Wallet().ConfirmedBalance)
	alice.Pay(bob.Invoice(20_000_000))
	rig.Settled(alice, bob)

	undone, err := w.Chain.BlockHash(t.Context(), height+1)
	require.NoError(t, err)
	require.NoError(t, w.Chain.InvalidateBlock(t.Context(), undone))
	w.Mempool(2)
	// The longer branch begins with blocks in which nothing is of interest.
	rig.Eventually(t, "the payment is unconfirmed again", func() bool {
		b := bob.Wallet()
		return b.ConfirmedBalance == 0 && b.UnconfirmedBalance == 250_000
	})
	require.Zero(t, transaction(bob, sent.Txid).NumConfirmations)
	before := alice.Channel(point).ChanId
	for range 3 { // others come before ours in the new block
		_, err := w.Chain.Miner().PayAddress(t.Context(), w.Chain.Miner().Address(), 1_000_000)
		require.NoError(t, err)
	}
	w.Mempool(5)
	w.Mine(4)
	require.Equal(t, int64(250_000), bob.Wallet().ConfirmedBalance)
	require.Equal(t, int32(4), transaction(bob, sent.Txid).NumConfirmations)
	id := w.ShortID(point, height+1)
	require.NotEqual(t, before, id)
	for _, n := range []*rig.Node{alice, bob} {
		rig.Eventually(t, n.Name+" knows where the channel is now", func() bool { return n.Channel(point).ChanId == id })
	}

	alice.Active(point)
	bob.Active(point)
	alice.Pay(bob.Invoice(20_000_000))
	rig.Settled(alice, bob)
	require.Equal(t, int64(40_000_000), bob.InChannels())
	for _, n := range []*rig.Node{alice, bob} {
		require.Empty(t, n.Closed())
		n.Restart()
	}
	rig.Joined([]*rig.Node{alice, bob}, []rig.ChanPoint{point})
	bob.Pay(alice.Invoice(15_000_000))
	w.Mine(3) // deep enough to be announced
	carol := w.Node("carol")
	carol.Connect(bob)
	require.Equal(t, id, carol.Knows(point).ChannelId)
	closeTogether(t, w, alice, bob, point)
}
