package wallet

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// naive is the wallet as one would write it without a thought for speed: the
// transactions that are alive, and everything else worked out from them.
type naive struct {
	chain [][]*wire.MsgTx
	pool  []*wire.MsgTx // unconfirmed, in order of arrival
	own   map[chainhash.Hash]bool
}

// settle drops from the pool what the chain has or makes impossible, with all that
// rests on it.
func (n *naive) settle(dead map[chainhash.Hash]bool) {
	for {
		spentBy := map[wire.OutPoint]chainhash.Hash{}
		mined := map[chainhash.Hash]bool{}
		for _, block := range n.chain {
			for _, tx := range block {
				mined[tx.TxHash()] = true
				for _, in := range tx.TxIn {
					spentBy[in.PreviousOutPoint] = tx.TxHash()
				}
			}
		}
		before := len(n.pool)
		n.pool = slices.DeleteFunc(n.pool, func(tx *wire.MsgTx) bool {
			id := tx.TxHash()
			if mined[id] {
				return true
			}
			for _, in := range tx.TxIn {
				if _, gone := spentBy[in.PreviousOutPoint]; gone || dead[in.PreviousOutPoint.Hash] {
					dead[id] = true
				}
			}
			return dead[id]
		})
		if len(n.pool) == before {
			return
		}
	}
}

// add puts a transaction into the pool, in place of what it conflicts with. If that
// is ours and the new one is not, it is refused.
func (n *naive) add(tx *wire.MsgTx, own bool) {
	dead := map[chainhash.Hash]bool{}
	for _, other := range n.pool {
		for _, a := range other.TxIn {
			for _, b := range tx.TxIn {
				if a.PreviousOutPoint == b.PreviousOutPoint {
					if n.own[other.TxHash()] && !own {
						return
					}
					dead[other.TxHash()] = true
				}
			}
		}
	}
	n.settle(dead)
	n.pool = append(n.pool, tx)
	n.own[tx.TxHash()] = own
}

// unspent are the outputs to our scripts that nothing alive spends, and the height
// of their block or 0.
func (n *naive) unspent(ours func([]byte) bool) map[wire.OutPoint]int {
	at := map[wire.OutPoint]int{}
	var all []*wire.MsgTx
	for h, block := range n.chain {
		for _, tx := range block {
			all = append(all, tx)
			for i := range tx.TxOut {
				at[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}] = h + 1
			}
		}
	}
	for _, tx := range n.pool {
		all = append(all, tx)
		for i := range tx.TxOut {
			at[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}] = 0
		}
	}
	list := map[wire.OutPoint]int{}
	for _, tx := range all {
		for i, out := range tx.TxOut {
			if ours(out.PkScript) {
				op := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}
				list[op] = at[op]
			}
		}
	}
	for _, tx := range all {
		for _, in := range tx.TxIn {
			delete(list, in.PreviousOutPoint)
		}
	}
	return list
}

// machine drives the wallet, the naive model and the store together.
type machine struct {
	*bench
	model naive
	clock time.Time
}

// Random deposits, payments, double spends, blocks, reorgs, leases and restarts:
// after every step the coins are those of the naive model, and what was stored makes
// the same wallet (the reload law).
func TestWalletAgainstNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{bench: newBench(t), clock: testNow, model: naive{own: map[chainhash.Hash]bool{}}}
		m.fast = true // check looks at the reload law
		t.Repeat(map[string]func(*rapid.T){
			"deposit":  m.deposits,
			"send":     m.sends,
			"block":    m.mines,
			"steal":    m.steals,
			"coinbase": m.coinbase,
			"reorg":    m.reorgs,
			"lease":    m.leases,
			"abandon":  m.abandons,
			"restart":  func(*rapid.T) { m.bench.restart() },
			"":         m.check,
		})
	})
}

func (m *machine) anyAddress(t *rapid.T) Address {
	kind := rapid.SampledFrom(keys.Accounts[:]).Draw(t, "account")
	if rapid.Bool().Draw(t, "ahead") {
		// Another copy of the seed gave this one out: it is still in the window.
		row := m.w.branches[branchID{0, kind, keys.Internal}].row
		ahead := rapid.Uint32Range(0, testConfig.Window-1).Draw(t, "by")
		a, err := m.w.addressAt(keys.CoinLoc{Account: kind, Branch: keys.Internal, Index: max(row.Next, row.Used) + ahead})
		require.NoError(t, err)
		return a
	}
	if next := m.w.branches[branchID{0, kind, keys.External}].row.Next; next > 3 {
		// Somebody pays an old address again.
		a, err := m.w.addressAt(keys.CoinLoc{Account: kind, Index: rapid.Uint32Range(0, next-1).Draw(t, "again")})
		require.NoError(t, err)
		return a
	}
	return m.address(kind)
}

func (m *machine) deposits(t *rapid.T) {
	tx := m.pay(m.anyAddress(t).PkScript, lnwire.Sat(rapid.Int64Range(600, 1e6).Draw(t, "value")))
	if rapid.Bool().Draw(t, "seen first") {
		m.apply(m.w.Seen(tx, m.clock))
		m.model.add(tx, false)
		return
	}
	m.block([]*wire.MsgTx{tx})
}

func (m *machine) sends(t *rapid.T) {
	req := FundRequest{
		FeeRate:  lnwire.SatPerKW(rapid.Uint32Range(253, 20000).Draw(t, "rate")),
		MinConfs: rapid.Uint32Range(0, 2).Draw(t, "minconfs"),
		Strategy: Strategy(rapid.IntRange(0, 2).Draw(t, "strategy")),
		Reserve:  RequiredReserve(rapid.IntRange(0, 3).Draw(t, "anchors")),
		Now:      m.clock,
	}
	if req.All = rapid.IntRange(0, 9).Draw(t, "all") == 0; req.All {
		req.Outputs = []*wire.TxOut{wire.NewTxOut(0, elsewhere(9))}
	} else {
		for range rapid.IntRange(1, 3).Draw(t, "outputs") {
			script := elsewhere(rapid.Byte().Draw(t, "to"))
			if rapid.Bool().Draw(t, "to ourselves") {
				script = m.anyAddress(t).PkScript
			}
			req.Outputs = append(req.Outputs, wire.NewTxOut(rapid.Int64Range(600, 1e6).Draw(t, "value"), script))
		}
	}
	free := m.freeValue(req.MinConfs)
	f, fx, err := m.w.Send(testRing, req, "label")
	if err != nil {
		var poor *InsufficientFunds
		if !req.All && !isErr(err, ErrReserve) {
			require.ErrorAs(t, err, &poor)
			require.LessOrEqual(t, poor.Have, free)
		}
		m.apply(m.w.flush()) // nothing has changed
		return
	}
	requireValid(t, f.Tx, outsOf(f.Coins))
	m.checkFunded(t, f, req)
	m.apply(fx)
	require.Contains(t, m.out, f.Tx)
	m.model.add(f.Tx, true)
}

func (m *machine) freeValue(minConfs uint32) (sum lnwire.Sat) {
	for _, c := range m.w.Unspent(minConfs, math.MaxUint32, m.clock) {
		sum += c.Value
	}
	return sum
}

// checkFunded: inputs are outputs and fee, the fee is at least the rate for the true
// weight, and not much more.
func (m *machine) checkFunded(t *rapid.T, f *Funded, req FundRequest) {
	in, out := lnwire.Sat(0), valueOf(f.Tx.TxOut)
	for _, c := range f.Coins {
		in += c.Value
		require.False(t, m.w.leased(c.OutPoint, m.clock))
	}
	require.Equal(t, in, out+f.Fee)
	weight := trueWeight(f.Tx)
	require.LessOrEqual(t, weight, f.Weight)
	require.LessOrEqual(t, f.Weight-weight, int64(4*len(f.Coins)))
	require.GreaterOrEqual(t, f.Fee, feeFor(req.FeeRate, weight))
	waste := feeFor(req.FeeRate, scale*changeSize+400) + 400
	require.LessOrEqual(t, f.Fee, feeFor(req.FeeRate, f.Weight)+waste)
	for i, at := range f.Outputs {
		require.Equal(t, req.Outputs[i].PkScript, f.Tx.TxOut[at].PkScript)
		if !req.All {
			require.Equal(t, req.Outputs[i].Value, f.Tx.TxOut[at].Value)
		}
	}
	for _, o := range f.Tx.TxOut {
		require.GreaterOrEqual(t, lnwire.Sat(o.Value), DustLimit(o.PkScript))
	}
}

// mines takes some of the pool into a block, parents first.
func (m *machine) mines(t *rapid.T) {
	var txs []*wire.MsgTx
	in := map[chainhash.Hash]bool{}
	pool := map[chainhash.Hash]bool{}
	for _, tx := range m.model.pool {
		pool[tx.TxHash()] = true
	}
	for _, tx := range m.model.pool {
		ok := rapid.Bool().Draw(t, "mine")
		for _, i := range tx.TxIn {
			ok = ok && (!pool[i.PreviousOutPoint.Hash] || in[i.PreviousOutPoint.Hash])
		}
		if ok {
			txs = append(txs, tx)
			in[tx.TxHash()] = true
		}
	}
	m.block(txs)
}

func (m *machine) block(txs []*wire.MsgTx) {
	m.mine(txs...)
	m.model.chain = append(m.model.chain, txs)
	m.model.settle(map[chainhash.Hash]bool{})
}

// steals mines or shows a transaction that spends what one in the pool spends, or a
// coin of ours: another copy of the seed could.
func (m *machine) steals(t *rapid.T) {
	tx := wire.NewMsgTx(2)
	if len(m.model.pool) > 0 && rapid.Bool().Draw(t, "from the pool") {
		victim := rapid.SampledFrom(m.model.pool).Draw(t, "victim")
		for _, in := range victim.TxIn {
			for _, other := range m.model.pool {
				if other.TxHash() == in.PreviousOutPoint.Hash {
					return // it would need its parent mined with it
				}
			}
		}
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: victim.TxIn[0].PreviousOutPoint})
	} else {
		coins := m.w.Unspent(1, math.MaxUint32, m.clock)
		if len(coins) == 0 {
			return
		}
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: rapid.SampledFrom(coins).Draw(t, "coin").OutPoint})
	}
	script := elsewhere(7)
	if rapid.Bool().Draw(t, "back to us") {
		script = m.anyAddress(t).PkScript
	}
	tx.AddTxOut(wire.NewTxOut(300, script)) // less than any coin
	tx.LockTime = m.unique()
	if rapid.Bool().Draw(t, "in a block") {
		m.block([]*wire.MsgTx{tx})
		return
	}
	relevant := m.w.touches(tx)
	m.apply(m.w.Seen(tx, m.clock))
	if relevant {
		m.model.add(tx, false)
	}
}

func (m *machine) coinbase(t *rapid.T) {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, Sequence: m.unique()})
	tx.AddTxOut(wire.NewTxOut(5000, m.anyAddress(t).PkScript))
	m.block([]*wire.MsgTx{tx})
}

func (m *machine) reorgs(t *rapid.T) {
	n := rapid.IntRange(0, min(3, len(m.blocks))).Draw(t, "depth")
	if n == 0 {
		return
	}
	back := m.bench.reorg(n)
	m.model.chain = m.model.chain[:len(m.model.chain)-n]
	dead := map[chainhash.Hash]bool{}
	pool := m.model.pool
	m.model.pool = nil
	for _, tx := range back {
		switch {
		case isCoinbase(tx):
			dead[tx.TxHash()] = true
		case m.relevant(tx):
			m.model.pool = append(m.model.pool, tx)
		}
	}
	m.model.pool = append(m.model.pool, pool...)
	m.model.settle(dead)
}

// relevant reports that the wallet keeps track of a transaction.
func (m *machine) relevant(tx *wire.MsgTx) bool {
	_, known := m.store.txs[tx.TxHash()]
	return known || m.w.ours(tx)
}

func (m *machine) leases(t *rapid.T) {
	m.clock = m.clock.Add(time.Minute)
	coins := m.w.Unspent(0, math.MaxUint32, m.clock)
	switch n := rapid.IntRange(0, 3).Draw(t, "what"); {
	case n == 0:
		m.apply(m.w.Expire(m.clock))
	case n == 1 && len(m.w.Leases()) > 0:
		l := rapid.SampledFrom(m.w.Leases()).Draw(t, "lease")
		fx, err := m.w.Release(l.OutPoint, l.ID)
		require.NoError(t, err)
		m.apply(fx)
	case n >= 2 && len(coins) > 0:
		op := rapid.SampledFrom(coins).Draw(t, "coin").OutPoint
		fx, err := m.w.Lease(LeaseRow{OutPoint: op, ID: [32]byte{1}, Expiry: m.clock.Add(3 * time.Minute).UnixNano()}, m.clock)
		require.NoError(t, err)
		m.apply(fx)
		_, err = m.w.Lease(LeaseRow{OutPoint: op, ID: [32]byte{2}}, m.clock)
		require.ErrorIs(t, err, ErrLeased)
	}
}

func (m *machine) abandons(t *rapid.T) {
	if len(m.model.pool) == 0 {
		return
	}
	id := rapid.SampledFrom(m.model.pool).Draw(t, "tx").TxHash()
	fx, err := m.w.Abandon(id)
	require.NoError(t, err)
	m.apply(fx)
	m.model.settle(map[chainhash.Hash]bool{id: true})
	m.model.pool = slices.DeleteFunc(m.model.pool, func(tx *wire.MsgTx) bool { return tx.TxHash() == id })
	m.model.settle(map[chainhash.Hash]bool{id: true})
}

// check compares the coins and the sums with the model's.
func (m *machine) check(t *rapid.T) {
	ours := func(script []byte) bool { _, ok := m.w.Owner(script); return ok }
	want := m.model.unspent(ours)
	got := map[wire.OutPoint]int{}
	for op, c := range m.w.coins {
		if !c.spent() {
			got[op] = int(c.At.Height)
		}
	}
	require.Equal(t, want, got)

	sum := Balance{}
	for _, c := range m.w.coins {
		switch {
		case c.spent():
		case m.w.leased(c.OutPoint, m.clock):
			sum.Locked += c.Value
		case c.Coinbase && len(m.blocks)-int(c.At.Height)+1 < coinbaseMaturity:
			sum.Immature += c.Value
		case c.At.Height > 0:
			sum.Confirmed += c.Value
		default:
			sum.Unconfirmed += c.Value
		}
	}
	require.Equal(t, sum, m.w.Balance(0, 1, m.clock))
	again, err := Load(testConfig, m.store.rows())
	require.NoError(t, err)
	requireSame(t, m.w, again)
	for _, tx := range m.w.unmined() {
		require.False(t, m.w.txs[tx.TxHash()].mined())
	}
	for _, row := range m.w.Txs(0, math.MaxUint32, true) {
		if row.FeeKnown && len(row.Inputs) == len(row.Tx.TxIn) {
			require.Equal(t, row.Debit, row.Fee+valueOf(row.Tx.TxOut))
		}
	}
}
