package itest

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// TestChainAway takes the chain backend away and brings it back: the nodes stay up and
// answer at once, take no new channel and say why, and can spend as soon as they say
// that they have caught up.
func TestChainAway(t *testing.T) {
	t.Parallel()
	w := simnetWorld(t)
	// A second btcd keeps the chain growing while the nodes' own is away.
	other := w.btcd("other", &chaincfg.SimNetParams)
	alice, bob := w.node("alice"), w.node("bob")
	alice.fund(5_000_000)
	alice.connect(bob)
	point := alice.open(bob, 1_000_000)
	alice.pay(bob.invoice(100_000_000))
	settled(alice, bob)
	owned := alice.inChannels()
	height := w.share(other)

	// On its way into a block when the backend goes.
	sent, err := alice.ln.SendCoins(soon(t), &lnrpc.SendCoinsRequest{Addr: bob.address(), Amount: 400_000, SatPerVbyte: 2})
	require.NoError(t, err)
	eventually(t, "the other btcd has the transaction", func() bool {
		list, err := other.Mempool(t.Context())
		return err == nil && len(list) == 1
	})
	require.NoError(t, w.chain.Stop(soon(t)))
	for _, n := range []*node{alice, bob} {
		eventually(t, n.name+" notices", func() bool { return !n.info().SyncedToChain })
		answersAtOnce(t, n)
	}
	refusesChannels(t, alice, bob)
	// What becomes of a payment is for the nodes to decide: now, or when they see the
	// chain again.
	begun := bob.invoice(5_000_000)
	alice.begin(begun)
	// A node can also be started now; it knows what it knew.
	bob.stop()
	bob.launch()
	bob.await(lnrpc.WalletState_SERVER_ACTIVE)
	bob.connectAPI()
	answersAtOnce(t, bob)
	alice.active(point)

	_, err = other.Generate(t.Context(), 5)
	require.NoError(t, err)
	require.NoError(t, w.chain.Restart(soon(t)))
	require.Equal(t, height+5, w.share(other))
	w.synced()
	// At once, without another look:
	_, err = bob.ln.SendCoins(soon(t), &lnrpc.SendCoinsRequest{Addr: alice.address(), Amount: 380_000, SatPerVbyte: 2})
	require.NoError(t, err, "what came while the backend was away can be spent")
	tx := transaction(alice, sent.Txid)
	require.NotNil(t, tx)
	require.Equal(t, height+1, tx.BlockHeight)
	if fate(alice, begun) == lnrpc.Payment_SUCCEEDED {
		owned -= 5_000_000
	}
	settled(alice, bob)
	require.Equal(t, owned, alice.inChannels())
	alice.pay(bob.invoice(1_000_000))
	alice.open(bob, 500_000)
}

// fate waits for the end of a payment; one that was refused has failed.
func fate(n *node, request string) lnrpc.Payment_PaymentStatus {
	n.t.Helper()
	p, err := n.trackOr(unhex(n.t, n.decode(request).PaymentHash))
	if status.Code(err) == codes.NotFound {
		return lnrpc.Payment_FAILED
	}
	require.NoError(n.t, err)
	return p.Status
}

// share connects the other btcd with the nodes' and waits until both stand on one
// block; it gives the height.
func (w *world) share(other *btcdtest.Node) int32 {
	w.t.Helper()
	_ = w.chain.Call(w.t.Context(), nil, "addnode", other.P2PAddr(), "onetry") // an error says that it is connected already
	var height int32
	eventually(w.t, "both btcds agree", func() bool {
		h1, hash1, err1 := w.chain.Tip(w.t.Context())
		_, hash2, err2 := other.Tip(w.t.Context())
		height = h1
		return err1 == nil && err2 == nil && hash1 == hash2
	})
	return height
}

// answersAtOnce asks what a wallet's screen asks.
func answersAtOnce(t *testing.T, n *node) {
	t.Helper()
	for name, ask := range map[string]func(context.Context) error{
		"GetInfo": func(ctx context.Context) error { _, err := n.ln.GetInfo(ctx, &lnrpc.GetInfoRequest{}); return err },
		"WalletBalance": func(ctx context.Context) error {
			_, err := n.ln.WalletBalance(ctx, &lnrpc.WalletBalanceRequest{})
			return err
		},
		"ChannelBalance": func(ctx context.Context) error {
			_, err := n.ln.ChannelBalance(ctx, &lnrpc.ChannelBalanceRequest{})
			return err
		},
		"ListChannels": func(ctx context.Context) error {
			_, err := n.ln.ListChannels(ctx, &lnrpc.ListChannelsRequest{})
			return err
		},
		"PendingChannels": func(ctx context.Context) error {
			_, err := n.ln.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
			return err
		},
		"ClosedChannels": func(ctx context.Context) error {
			_, err := n.ln.ClosedChannels(ctx, &lnrpc.ClosedChannelsRequest{})
			return err
		},
		"NewAddress": func(ctx context.Context) error {
			_, err := n.ln.NewAddress(ctx, &lnrpc.NewAddressRequest{})
			return err
		},
		"AddInvoice": func(ctx context.Context) error { _, err := n.ln.AddInvoice(ctx, &lnrpc.Invoice{Value: 1}); return err },
		"ListInvoices": func(ctx context.Context) error {
			_, err := n.ln.ListInvoices(ctx, &lnrpc.ListInvoiceRequest{})
			return err
		},
		"ListPayments": func(ctx context.Context) error {
			_, err := n.ln.ListPayments(ctx, &lnrpc.ListPaymentsRequest{})
			return err
		},
		"GetTransactions": func(ctx context.Context) error {
			_, err := n.ln.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{})
			return err
		},
		"ListUnspent": func(ctx context.Context) error {
			_, err := n.kit.ListUnspent(ctx, &walletrpc.ListUnspentRequest{})
			return err
		},
		"DescribeGraph": func(ctx context.Context) error {
			_, err := n.ln.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{})
			return err
		},
		"FeeReport": func(ctx context.Context) error { _, err := n.ln.FeeReport(ctx, &lnrpc.FeeReportRequest{}); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), atOnce)
		require.NoError(t, ask(ctx), "%s at %s", name, n.name)
		cancel()
	}
}

// refusesChannels: neither end takes a new channel, and it says why.
func refusesChannels(t *testing.T, from, to *node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), atOnce)
	defer cancel()
	stream, err := from.ln.OpenChannel(ctx, from.openRequest(to, 200_000))
	require.NoError(t, err)
	_, err = stream.Recv()
	require.ErrorContains(t, err, "chain backend is away")
	require.Empty(t, from.pending().PendingOpenChannels)
}

// transaction is one of the wallet's transactions.
func transaction(n *node, txid string) *lnrpc.Transaction {
	n.t.Helper()
	list, err := n.ln.GetTransactions(soon(n.t), &lnrpc.GetTransactionsRequest{EndHeight: -1})
	require.NoError(n.t, err)
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
	w := newWorld(t)
	alice := w.node("alice")
	address := alice.address()
	alice.kill()
	_, err := w.chain.Miner().PayAddress(t.Context(), address, 700_000)
	require.NoError(t, err)
	_, err = w.chain.Generate(t.Context(), 3)
	require.NoError(t, err)
	alice.start()
	require.Equal(t, int64(700_000), alice.wallet().ConfirmedBalance)

	bob := w.node("bob")
	alice.connect(bob)
	stream, err := alice.ln.OpenChannel(soon(t), alice.openRequest(bob, 300_000))
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	point := pointOf(u.GetChanPending().Txid, u.GetChanPending().OutputIndex)
	w.inMempool(w.fundingTx(point))
	bob.kill()
	alice.stop()
	_, err = w.chain.Generate(t.Context(), 8)
	require.NoError(t, err)
	alice.start()
	bob.start()
	alice.active(point)
	bob.active(point)
	alice.pay(bob.invoice(10_000_000))
}

// shortID is the channel's place in the chain.
func (w *world) shortID(point chanPoint, height int32) uint64 {
	w.t.Helper()
	hash, err := w.chain.BlockHash(w.t.Context(), height)
	require.NoError(w.t, err)
	block, err := w.chain.Block(w.t.Context(), hash)
	require.NoError(w.t, err)
	for i, tx := range block.Transactions {
		if tx.TxHash() == w.fundingTx(point) {
			return uint64(height)<<40 | uint64(i)<<16 | uint64(point.proto().OutputIndex)
		}
	}
	w.t.Fatalf("%s is not in block %d", point, height)
	return 0
}

// TestReorg undoes the three blocks that confirmed a channel and a payment on the
// chain: both come back as unconfirmed, confirm again, and go on working.
func TestReorg(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.node("alice"), w.node("bob")
	alice.fund(3_000_000)
	alice.fund(2_000_000)
	alice.connect(bob)
	height, _, err := w.chain.Tip(t.Context())
	require.NoError(t, err)

	stream, err := alice.ln.OpenChannel(soon(t), alice.openRequest(bob, 1_000_000))
	require.NoError(t, err)
	u, err := stream.Recv()
	require.NoError(t, err)
	point := pointOf(u.GetChanPending().Txid, u.GetChanPending().OutputIndex)
	w.inMempool(w.fundingTx(point))
	sent, err := alice.ln.SendCoins(soon(t), &lnrpc.SendCoinsRequest{Addr: bob.address(), Amount: 250_000, SatPerVbyte: 3})
	require.NoError(t, err)
	w.inMempool(w.txid(sent.Txid))
	w.mine(3)
	alice.active(point)
	bob.active(point)
	require.Equal(t, int64(250_000), bob.wallet().ConfirmedBalance)
	alice.pay(bob.invoice(20_000_000))
	settled(alice, bob)

	undone, err := w.chain.BlockHash(t.Context(), height+1)
	require.NoError(t, err)
	require.NoError(t, w.chain.InvalidateBlock(t.Context(), undone))
	w.mempool(2)
	// The longer branch begins with blocks in which nothing is of interest.
	eventually(t, "the payment is unconfirmed again", func() bool {
		b := bob.wallet()
		return b.ConfirmedBalance == 0 && b.UnconfirmedBalance == 250_000
	})
	require.Zero(t, transaction(bob, sent.Txid).NumConfirmations)
	before := alice.channel(point).ChanId
	for range 3 { // others come before ours in the new block
		_, err := w.chain.Miner().PayAddress(t.Context(), w.chain.Miner().Address(), 1_000_000)
		require.NoError(t, err)
	}
	w.mempool(5)
	w.mine(4)
	require.Equal(t, int64(250_000), bob.wallet().ConfirmedBalance)
	require.Equal(t, int32(4), transaction(bob, sent.Txid).NumConfirmations)
	id := w.shortID(point, height+1)
	require.NotEqual(t, before, id)
	for _, n := range []*node{alice, bob} {
		eventually(t, n.name+" knows where the channel is now", func() bool { return n.channel(point).ChanId == id })
	}

	alice.active(point)
	bob.active(point)
	alice.pay(bob.invoice(20_000_000))
	settled(alice, bob)
	require.Equal(t, int64(40_000_000), bob.inChannels())
	for _, n := range []*node{alice, bob} {
		require.Empty(t, n.closed())
		n.restart()
	}
	alice.active(point)
	bob.pay(alice.invoice(15_000_000))
	w.mine(3) // deep enough to be announced
	carol := w.node("carol")
	carol.connect(bob)
	require.Equal(t, id, carol.knows(point).ChannelId)
	closeTogether(t, w, alice, bob, point)
}
