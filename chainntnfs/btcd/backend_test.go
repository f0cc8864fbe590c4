package btcd

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// V-14 rests on this: a confirmation that a reorg undoes is taken back.
func TestFollowsConfirmationsSpendsAndReorgs(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	m := n.Miner()
	require.NoError(t, m.Mature(ctx))
	b := startBackend(t, ctx, configOf(t, n))
	f := chainntnfs.NewFollower(chainntnfs.NewCache(b, 0))

	tx, err := m.Build(ctx, wire.NewTxOut(100_000, m.Script()))
	require.NoError(t, err)
	op := wire.OutPoint{Hash: tx.TxHash()}
	spend, err := m.Spend([]btcdtest.Coin{{Outpoint: op, Value: 100_000}}, wire.NewTxOut(90_000, script(1)))
	require.NoError(t, err)
	f.Join(1, lnwire.BlockRef{}, chainntnfs.Watch{Txid: tx.TxHash()}, chainntnfs.Watch{Outpoint: op})
	require.Len(t, follow(t, ctx, f), 1)

	require.NoError(t, b.Publish(ctx, tx))
	at := mine(t, ctx, n, b, 1)
	notices := follow(t, ctx, f)
	require.Len(t, notices, 2)
	confirmed := notices[0].Event.(chainntnfs.Confirmed)
	require.Equal(t, tx.TxHash(), confirmed.Tx.TxHash())
	require.Equal(t, at, confirmed.At)

	require.NoError(t, b.Publish(ctx, spend))
	for depth := 1; depth <= 6; depth++ {
		// The spend is mined, buried, reorganised away, and mined again.
		first := mine(t, ctx, n, b, 1)
		mine(t, ctx, n, b, depth)
		notices = follow(t, ctx, f)
		require.Len(t, notices, 2)
		spent := notices[0].Event.(chainntnfs.Spent)
		require.Equal(t, first, spent.At)
		require.Equal(t, op, spent.Outpoint)
		require.Equal(t, spend.TxHash(), spent.Tx.TxHash())

		require.NoError(t, n.InvalidateBlock(ctx, first.Hash))
		await(t, ctx, b, "the reorg", func(s chainntnfs.State) bool { return s.Tip.Height == first.Height-1 })
		notices = follow(t, ctx, f)
		require.Equal(t, []chainntnfs.Notice{
			{Client: 1, Event: chainntnfs.Unconfirmed{Txid: spend.TxHash(), Was: first}},
			{Client: 1, Event: chainntnfs.Tip{At: lnwire.BlockRef{Height: at.Height, Hash: at.Hash}}},
		}, notices)
	}
}

// mine makes blocks and waits until the backend knows.
func mine(t *testing.T, ctx context.Context, n *btcdtest.Node, b *Backend, blocks int) lnwire.BlockRef {
	t.Helper()
	hashes, err := n.Generate(ctx, blocks)
	require.NoError(t, err)
	last := hashes[len(hashes)-1]
	await(t, ctx, b, "new blocks", func(s chainntnfs.State) bool { return s.Tip.Hash == last })
	state, _ := b.State()
	return state.Tip
}

// SAFETY conclusion 6: the backend goes away and comes back while we watch.
func TestSurvivesARestartOnSimnet(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, &chaincfg.SimNetParams)
	m := n.Miner()
	require.NoError(t, m.Mature(ctx))
	b := startBackend(t, ctx, configOf(t, n))
	f := chainntnfs.NewFollower(chainntnfs.NewCache(b, 0))
	tx, err := m.Pay(ctx, wire.NewTxOut(100_000, script(1)))
	require.NoError(t, err)
	f.Join(1, lnwire.BlockRef{}, chainntnfs.Watch{Txid: tx.TxHash()})
	follow(t, ctx, f)

	for range 2 {
		require.NoError(t, n.Stop(ctx))
		await(t, ctx, b, "the loss", isDown)
		_, _, err = f.Advance(ctx)
		require.ErrorIs(t, err, chainntnfs.ErrUnavailable)
		require.ErrorIs(t, b.Publish(ctx, tx), chainntnfs.ErrUnavailable)
		state, _ := b.State()
		require.Error(t, state.Why)
		require.NoError(t, n.Restart(ctx))
		await(t, ctx, b, "the return", isUp)
	}
	require.NoError(t, b.Publish(ctx, tx)) // its mempool is gone
	at := mine(t, ctx, n, b, 1)
	notices := follow(t, ctx, f)
	require.Len(t, notices, 2)
	require.Equal(t, at, notices[0].Event.(chainntnfs.Confirmed).At)
}

// btcd forgets its regtest chain whenever it starts.
func TestSurvivesAWipedRegtestChain(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	m := n.Miner()
	require.NoError(t, m.Mature(ctx))
	b := startBackend(t, ctx, configOf(t, n))
	genesis := lnwire.BlockRef{Hash: *n.Params().GenesisHash}
	f := chainntnfs.NewFollower(b, genesis)
	cached := chainntnfs.NewFollower(chainntnfs.NewCache(b, 0), genesis)
	tx, err := m.Pay(ctx, wire.NewTxOut(100_000, script(1)))
	require.NoError(t, err)
	old := mine(t, ctx, n, b, 1)
	watch := chainntnfs.Watch{PkScript: script(1), From: 1}
	for _, f := range []*chainntnfs.Follower{f, cached} {
		f.Join(1, lnwire.BlockRef{}, watch)
		require.Len(t, follow(t, ctx, f), 2)
	}

	require.NoError(t, n.Stop(ctx))
	await(t, ctx, b, "the loss", isDown)
	require.NoError(t, n.Restart(ctx))
	await(t, ctx, b, "the return", isUp)
	lost := chainntnfs.Lost{Cursor: old, Fork: genesis}
	require.Equal(t, []chainntnfs.Notice{
		{Client: 1, Event: lost}, {Client: 1, Event: chainntnfs.Tip{At: genesis}},
	}, follow(t, ctx, f))
	require.Equal(t, []chainntnfs.Notice{
		{Client: 1, Event: chainntnfs.Unconfirmed{Txid: tx.TxHash(), Was: old}}, {Client: 1, Event: chainntnfs.Tip{At: genesis}},
	}, follow(t, ctx, cached), "the cache still has the blocks")

	require.NoError(t, m.Mature(ctx))
	again, err := m.Pay(ctx, wire.NewTxOut(100_000, script(1)))
	require.NoError(t, err)
	require.NotEqual(t, tx.TxHash(), again.TxHash())
	now := mine(t, ctx, n, b, 1)
	notices := follow(t, ctx, f)
	require.Len(t, notices, 2)
	require.Equal(t, now, notices[0].Event.(chainntnfs.Confirmed).At)

	// After a restart of ours, from before the wipe.
	f = chainntnfs.NewFollower(b)
	f.Join(1, old, watch)
	notices = follow(t, ctx, f)
	require.Len(t, notices, 3)
	require.Equal(t, chainntnfs.Lost{Cursor: old}, notices[0].Event)
}

func TestStartRefusesWhatWaitingDoesNotMend(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	start := func(change func(*Config)) error {
		cfg := configOf(t, n)
		change(&cfg)
		b, err := New(cfg)
		require.NoError(t, err)
		t.Cleanup(b.Stop)
		return b.Start(ctx)
	}
	require.ErrorIs(t, start(func(c *Config) { c.Pass = "wrong" }), errAuth)
	err := start(func(c *Config) { c.Params = &chaincfg.SimNetParams })
	require.ErrorIs(t, err, chainntnfs.ErrWrongNetwork)
	require.ErrorContains(t, err, "simnet")
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, start(func(c *Config) { c.Cert = nil }), &untrusted)
	require.ErrorAs(t, start(func(c *Config) { c.Cert = newFake(t).config().Cert }), &untrusted)
	require.NoError(t, start(func(*Config) {}))
}

func TestConfig(t *testing.T) {
	net := &chaincfg.RegressionNetParams
	for _, bad := range []Config{
		{}, {Params: net}, {Params: net, User: "u"}, {Params: net, User: "u", Pass: "p", Cert: []byte("x")},
		{Params: &chaincfg.Params{Name: "mine", GenesisHash: net.GenesisHash}, User: "u", Pass: "p"},
	} {
		_, err := New(bad)
		require.Error(t, err)
	}
	for params, host := range map[*chaincfg.Params]string{
		&chaincfg.MainNetParams: "localhost:8334", net: "localhost:18334", &chaincfg.SimNetParams: "localhost:18556",
		&chaincfg.SigNetParams: "localhost:38332", &chaincfg.TestNet4Params: "localhost:48334",
	} {
		b, err := New(Config{Params: params, User: "u", Pass: "p"})
		require.NoError(t, err)
		require.Equal(t, host, b.cfg.Host)
		rate, err := b.FeeEstimate(context.Background(), 6)
		if onDemand(params) {
			require.NoError(t, err)
			require.Equal(t, lnwire.SatPerKW(12_500), rate)
			require.Zero(t, b.cfg.StaleAfter)
		} else {
			require.ErrorIs(t, err, chainntnfs.ErrNoFeeEstimate)
			require.Equal(t, defaultStaleAfter, b.cfg.StaleAfter)
		}
		_, err = b.Tip(context.Background())
		require.ErrorIs(t, err, chainntnfs.ErrUnavailable, "before Start")
		b.Stop()
	}

	path := filepath.Join(t.TempDir(), "rpc.cert")
	require.NoError(t, os.WriteFile(path, []byte("pem"), 0o600))
	for _, c := range []struct{ path, raw, want string }{
		{path, "", "pem"}, {path, hex.EncodeToString([]byte("raw")), "raw"}, {"", "", ""},
	} {
		got, err := ReadCert(c.path, c.raw)
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
	}
	_, err := ReadCert("", "zz")
	require.ErrorContains(t, err, "btcd.rawrpccert")
	_, err = ReadCert(path+"x", "")
	require.ErrorContains(t, err, "btcd.rpccert")
	require.ErrorContains(t, err, "btcd makes it")
}

// A btcd that is not there yet is no error: it is found when it comes.
func TestFindsABackendThatComesLater(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	cfg := configOf(t, n)
	require.NoError(t, n.Stop(ctx))
	b := startBackend(t, ctx, cfg)
	state, _ := b.State()
	require.False(t, state.Up)
	require.Error(t, state.Why)
	require.NoError(t, n.Restart(ctx))
	await(t, ctx, b, "the backend", isUp)
	_, err := b.Tip(ctx)
	require.NoError(t, err)
	require.Error(t, b.Start(ctx), "once is enough")
	b.Stop()
	b.Stop()
	_, err = b.Tip(ctx)
	require.ErrorIs(t, err, chainntnfs.ErrUnavailable)
}

// A btcd that hangs without closing its connections.
func TestCallsEndWhenBtcdHangs(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	cfg := configOf(t, n)
	cfg.CallTimeout = 500 * time.Millisecond
	b := startBackend(t, ctx, cfg)
	await(t, ctx, b, "the backend", isUp)
	pause := func() (err error) { // it takes effect a little later
		require.NoError(t, n.Pause())
		for err == nil {
			_, err = b.Tip(ctx)
		}
		return err
	}
	err := pause()
	require.ErrorIs(t, err, chainntnfs.ErrUnavailable)
	require.NoError(t, n.Resume())
	for err != nil {
		await(t, ctx, b, "the return", isUp)
		_, err = b.Tip(ctx)
	}

	// Not even Start and Stop wait for it.
	require.Error(t, pause())
	other := startBackend(t, ctx, cfg)
	state, _ := other.State()
	require.False(t, state.Up)
	other.Stop()
	require.NoError(t, n.Resume())
}

// What is in flight when the connection breaks ends at once.
func TestCallsInFlightEndWithTheConnection(t *testing.T) {
	ctx := within(t)
	f := newFake(t)
	asked, release := make(chan struct{}, 10), make(chan struct{})
	defer close(release)
	b := startBackend(t, ctx, f.config())
	f.set("gettxout", func([]json.RawMessage) (any, *rpcError) {
		asked <- struct{}{}
		<-release
		return nil, nil
	})
	ended := make(chan error)
	go func() {
		_, err := b.TxOut(ctx, wire.OutPoint{})
		ended <- err
	}()
	<-asked
	f.send("this is not JSON")
	require.ErrorIs(t, <-ended, chainntnfs.ErrUnavailable)
	<-f.opened
	<-f.opened
	await(t, ctx, b, "the return", isUp)
}

func TestNoticesASilentConnection(t *testing.T) {
	ctx := within(t)
	f := newFake(t)
	cfg := f.config()
	cfg.pingEvery = time.Millisecond
	startBackend(t, ctx, cfg)
	for range 10 {
		<-f.pinged
	}
	require.Len(t, f.opened, 1, "a connection that answers stays")

	f = newFake(t)
	f.mute = true
	cfg = f.config()
	cfg.pingEvery, cfg.deadAfter = time.Millisecond, 200*time.Millisecond
	startBackend(t, ctx, cfg)
	<-f.opened
	<-f.opened
}

func TestReconnectsForEver(t *testing.T) {
	ctx := within(t)
	f := newFake(t)
	b := startBackend(t, ctx, f.config())
	<-f.opened
	for range 5 {
		f.cut()
		<-f.opened // a new one means that the loss was noticed
		await(t, ctx, b, "the return", isUp)
	}
	// Another network in its place is not taken, and told.
	f.set("getblockhash", constant(chaincfg.SimNetParams.GenesisHash.String()))
	f.cut()
	await(t, ctx, b, "the reason", func(s chainntnfs.State) bool {
		return errors.Is(s.Why, chainntnfs.ErrWrongNetwork)
	})
	f.set("getblockhash", constant(chaincfg.RegressionNetParams.GenesisHash.String()))
	await(t, ctx, b, "the return", isUp)
}

// V-27: a tip that is too old, or that most peers are ahead of, is reported.
func TestReportsAStaleTip(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	cfg := configOf(t, n)
	cfg.StaleAfter = 2 * time.Hour
	b := startBackend(t, ctx, cfg)
	state, _ := b.State() // at once: a chain that is still being read is never in sight
	require.Contains(t, state.Stale, "2011-02-02")
	mine(t, ctx, n, b, 1)
	state, _ = b.State()
	require.Empty(t, state.Stale)
}

func TestReportsAStuckTip(t *testing.T) {
	ctx := within(t)
	f := newFake(t)
	cfg := f.config()
	cfg.HealthEvery = time.Millisecond
	f.set("getpeerinfo", constant([]map[string]int{{"currentheight": 5}, {"currentheight": 0}, {"currentheight": 2}}))
	b := startBackend(t, ctx, cfg)
	await(t, ctx, b, "the alarm", func(s chainntnfs.State) bool { return s.Stale != "" })
	f.set("getpeerinfo", constant([]map[string]int{{"currentheight": 5}, {"currentheight": 0}}))
	await(t, ctx, b, "the end of the alarm", func(s chainntnfs.State) bool { return s.Stale == "" })

	require.False(t, peersAhead(10, nil))
	require.True(t, peersAhead(10, []int64{12}))
	require.False(t, peersAhead(10, []int64{11, 1 << 40}))
}
