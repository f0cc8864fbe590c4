package wallet

import (
	"math"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// pool is a mempool by the rules of relay: BIP 125, a least rate, no packages. Blocks
// take from it what pays the price, together with what it rests on.
type pool struct {
	b     *bench
	floor lnwire.SatPerKW               // below it nothing is taken
	outs  map[wire.OutPoint]*wire.TxOut // of the chain, unspent
	txs   map[chainhash.Hash]*pooled
	told  int // of b.out
}

type pooled struct {
	tx     *wire.MsgTx
	fee    lnwire.Sat
	weight int64
}

func newPool(b *bench, spends ...commitment.Spend) *pool {
	p := &pool{b: b, floor: lnwire.FeeFloor, outs: b.prevouts(spends), txs: map[chainhash.Hash]*pooled{}}
	return p
}

func (p *pool) output(op wire.OutPoint) (out *wire.TxOut, unconfirmed bool) {
	if t := p.txs[op.Hash]; t != nil {
		return t.tx.TxOut[op.Index], true
	}
	return p.outs[op], false
}

// rivals are what tx would throw out: what spends its inputs, and all that rests on it.
func (p *pool) rivals(tx *wire.MsgTx) map[chainhash.Hash]bool {
	out := map[chainhash.Hash]bool{}
	var add func(id chainhash.Hash)
	add = func(id chainhash.Hash) {
		out[id] = true
		for child, t := range p.txs {
			if !out[child] && slices.ContainsFunc(t.tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint.Hash == id }) {
				add(child)
			}
		}
	}
	for id, t := range p.txs {
		for _, in := range t.tx.TxIn {
			if slices.ContainsFunc(tx.TxIn, func(o *wire.TxIn) bool { return o.PreviousOutPoint == in.PreviousOutPoint }) {
				add(id)
			}
		}
	}
	return out
}

// accept takes a transaction, or says why not.
func (p *pool) accept(tx *wire.MsgTx) (why chainntnfs.RejectReason, ok bool) {
	if p.txs[tx.TxHash()] != nil {
		return 0, true
	}
	in := lnwire.Sat(0)
	for _, txIn := range tx.TxIn {
		out, _ := p.output(txIn.PreviousOutPoint)
		if out == nil {
			return chainntnfs.RejectMissingInputs, false
		}
		in += lnwire.Sat(out.Value)
	}
	t := &pooled{tx: tx, fee: in - valueOf(tx.TxOut), weight: trueWeight(tx)}
	if rateOf(t.fee, t.weight) < p.floor {
		return chainntnfs.RejectFeeTooLow, false
	}
	least, parents := lnwire.Sat(0), map[chainhash.Hash]bool{}
	rivals := p.rivals(tx)
	for id := range rivals {
		old := p.txs[id]
		least += old.fee
		if uint64(t.fee)*uint64(old.weight) <= uint64(old.fee)*uint64(t.weight) && p.direct(tx, old.tx) {
			return chainntnfs.RejectFeeTooLow, false
		}
		for _, in := range old.tx.TxIn {
			parents[in.PreviousOutPoint.Hash] = true
		}
	}
	if len(rivals) > 0 && t.fee < least+lnwire.Sat(t.weight+3)/4 {
		return chainntnfs.RejectFeeTooLow, false
	}
	for _, txIn := range tx.TxIn {
		if _, fresh := p.output(txIn.PreviousOutPoint); fresh && len(rivals) > 0 && !parents[txIn.PreviousOutPoint.Hash] {
			return chainntnfs.RejectConflict, false
		}
	}
	for id := range rivals {
		delete(p.txs, id)
	}
	p.txs[tx.TxHash()] = t
	return 0, true
}

func (p *pool) direct(a, b *wire.MsgTx) bool {
	return slices.ContainsFunc(a.TxIn, func(x *wire.TxIn) bool {
		return slices.ContainsFunc(b.TxIn, func(y *wire.TxIn) bool { return x.PreviousOutPoint == y.PreviousOutPoint })
	})
}

// relay offers what was published since, and tells the sweeper what became of it.
func (p *pool) relay() {
	for ; p.told < len(p.b.out); p.told++ {
		tx := p.b.out[p.told]
		if why, ok := p.accept(tx); ok {
			p.b.s.Accepted(tx.TxHash())
		} else {
			p.b.apply(p.b.s.Rejected(tx.TxHash(), why, p.b.now))
		}
	}
}

// mine makes a block of what pays the price, and relays what follows from it.
func (p *pool) mine(price lnwire.SatPerKW, force ...*wire.MsgTx) []*wire.MsgTx {
	block := force
	taken := map[chainhash.Hash]bool{}
	for _, tx := range force {
		taken[tx.TxHash()] = true
	}
	for {
		var best []*pooled
		rate := price
		for id := range p.txs {
			if taken[id] {
				continue
			}
			list, fee, weight := p.package_(id, taken)
			if r := rateOf(fee, weight); r >= rate && (len(best) == 0 || r > rate) {
				best, rate = list, r
			}
		}
		if len(best) == 0 {
			break
		}
		for _, t := range best {
			block = append(block, t.tx)
			taken[t.tx.TxHash()] = true
		}
	}
	for _, tx := range block {
		for id := range p.rivals(tx) {
			if !taken[id] {
				delete(p.txs, id)
			}
		}
	}
	for _, tx := range block {
		delete(p.txs, tx.TxHash())
		for _, in := range tx.TxIn {
			delete(p.outs, in.PreviousOutPoint)
		}
		for i, out := range tx.TxOut {
			p.outs[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}] = out
		}
	}
	p.b.mine(block...)
	p.relay()
	return block
}

// package_ is a transaction with everything unconfirmed that it rests on, first.
func (p *pool) package_(id chainhash.Hash, taken map[chainhash.Hash]bool) (list []*pooled, fee lnwire.Sat, weight int64) {
	t := p.txs[id]
	for _, in := range t.tx.TxIn {
		parent := in.PreviousOutPoint.Hash
		if p.txs[parent] != nil && !taken[parent] {
			l, f, w := p.package_(parent, taken)
			list, fee, weight = append(list, l...), fee+f, weight+w
		}
	}
	return append(list, t), fee + t.fee, weight + t.weight
}

// Whatever the estimates do, what is offered for an urgent output rises with every
// block and never falls, is never above the budget, and is the whole budget in the last
// block before the deadline; alone, or by lifting a parent.
func TestFeeFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t)
		b.fast = true
		for range 4 {
			b.deposit(keys.P2TR, 500_000)
		}
		at := b.mine().Height
		req := SweepRequest{Spend: b.plain(lnwire.Sat(rapid.Int64Range(20_000, 2_000_000).Draw(t, "value"))), Confirmed: at}
		req.Deadline = at + lnwire.Height(rapid.IntRange(3, 14).Draw(t, "blocks"))
		req.Budget = lnwire.Sat(rapid.Int64Range(5_000, 10_000).Draw(t, "budget"))
		if rapid.Bool().Draw(t, "lifts") {
			req.Confirmed, req.Group = 0, 3
			req.Parent = &Parent{Weight: 1300, Fee: feeFor(lnwire.SatPerKW(rapid.Uint32Range(253, 2500).Draw(t, "parent")), 1300)}
		}
		draw := func() { b.fees = Fees{{1, lnwire.SatPerKW(rapid.Uint32Range(253, 4000).Draw(t, "rate"))}} }
		draw()
		b.ask(req)
		fee := lnwire.Sat(0)
		for ; b.w.height() < req.Deadline; b.mine() {
			if tx := b.spender(req.Spend.OutPoint); tx != nil {
				row := b.rowOf(t, tx)
				require.GreaterOrEqual(t, row.Fee, fee)
				require.LessOrEqual(t, row.Fee, req.Budget)
				fee = row.Fee
			}
			draw()
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				b.restart()
				b.ask(req)
			}
		}
		require.NotNil(t, b.spender(req.Spend.OutPoint))
		// All of it, but for less than what a replacement has to add.
		least := feeFor(incrementalFee, trueWeight(b.spender(req.Spend.OutPoint)))
		require.InDelta(t, float64(req.Budget), float64(fee), float64(least)+float64(fee)/100, "before %d", req.Deadline)
	})
}

// A commitment that pays next to nothing is in a block before its deadline, though the
// price rises all the time, and its child costs no more than it must. Over a restart
// nothing is paid twice.
func TestLiftInModelPool(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	anchor := last(t, spends)
	p := newPool(b)
	p.outs[c.Params.Funding] = wire.NewTxOut(int64(c.Params.Capacity), []byte{0})
	b.fees = Fees{{1, 2000}}
	start := b.w.height()
	req := SweepRequest{Spend: anchor, Group: 1, Deadline: start + 30, Budget: 50_000, Parent: &Parent{Weight: c.Weight(), Fee: c.Fee}}
	b.ask(req)
	p.relay()
	require.Contains(t, b.s.Pending()[0].Held, "does not have the transaction", "its parent was not offered")
	child := b.spender(anchor.OutPoint).TxHash()
	_, kept := b.w.Tx(child)
	require.True(t, kept, "it waits for its parent")
	commit := c.Finish(lnwire.Sig{1}, lnwire.Sig{2})
	_, ok := p.accept(commit)
	require.True(t, ok)
	p.mine(math.MaxUint32) // empty; the child comes again
	require.Empty(t, b.s.Pending()[0].Held)
	child = b.s.Pending()[0].Txid
	rate := b.s.Pending()[0].Rate
	b.restart()
	b.ask(req)
	require.Equal(t, child, b.s.Pending()[0].Txid)
	require.InDelta(t, float64(rate), float64(b.s.Pending()[0].Rate), 30, "the package's rate, not the child's")
	p.told = len(b.out)

	mined := lnwire.Height(0)
	for i := 0; mined == 0 && i < 40; i++ {
		for _, tx := range p.mine(lnwire.SatPerKW(2100 + 400*i)) { // always above the estimate of before
			if tx.TxHash() == commit.TxHash() {
				mined = b.w.height()
			}
		}
		b.fees = Fees{{1, lnwire.SatPerKW(2100 + 300*i)}}
	}
	require.NotZero(t, mined)
	require.LessOrEqual(t, mined, req.Deadline)
	require.True(t, contains[Swept](b.told))
	require.Empty(t, b.s.Pending())
}

// When the rival of a commitment is mined, the coins of the child are free again; so
// they are when the sweeper is told that the anchor is gone.
func TestLiftGivesBack(t *testing.T) {
	b := newSweepBench(t)
	free := b.w.Balance(0, 1, b.now).Confirmed
	ours, mine := ourSpends(t, commitment.Anchors, true, false)
	theirs, others := ourSpends(t, commitment.Anchors, false, false)
	b.fees = Fees{{1, 4000}}
	var anchors [2]commitment.Spend
	for i, s := range [][]commitment.Spend{mine, others} {
		anchors[i] = last(t, s)
		require.EqualValues(t, 330, anchors[i].Output.Value)
	}
	for i, c := range []*commitment.Commitment{ours, theirs} {
		b.ask(SweepRequest{Spend: anchors[i], Group: 1, Deadline: 90, Budget: 20_000, Parent: &Parent{Weight: c.Weight(), Fee: c.Fee}})
	}
	require.Len(t, b.w.unmined(), 2)
	child := b.spender(anchors[1].OutPoint)
	b.mine(theirs.Tx, child)
	require.Empty(t, b.w.unmined())
	require.Empty(t, b.s.Pending())
	fee := b.rowOf(t, child).Fee
	require.Equal(t, free+330-fee, b.w.Balance(0, 1, b.now).Confirmed)

	// A child that was not needed is paid no more than it offers already.
	b = newSweepBench(t)
	b.fees = Fees{{1, 4000}}
	b.ask(SweepRequest{Spend: anchors[0], Group: 1, Deadline: 90, Budget: 20_000, Parent: &Parent{Weight: ours.Weight(), Fee: ours.Fee}})
	child = b.spender(anchors[0].OutPoint)
	b.mine(ours.Tx)
	b.fees = Fees{{1, 90_000}}
	b.mineEmpty(100)
	require.Equal(t, child.TxHash(), b.spender(anchors[0].OutPoint).TxHash())

	// One that was never made is forgotten with its reason.
	b = newSweepBench(t)
	b.ask(SweepRequest{Spend: anchors[0], Group: 1, Budget: 330, Parent: &Parent{Weight: ours.Weight(), Fee: 1}})
	require.Contains(t, b.s.Pending()[0].Held, "budget", "half a lift is none")
	b.mine(ours.Tx)
	require.Empty(t, b.s.Pending())
}

// A commitment that a reorg takes out of its block is lifted on: its child is still priced
// with it.
func TestLiftAfterReorg(t *testing.T) {
	b := newSweepBench(t)
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	anchor := last(t, spends)
	b.fees = Fees{{1, 2000}}
	req := SweepRequest{Spend: anchor, Group: 1, Deadline: b.w.height() + 40, Budget: 20_000, Parent: &Parent{Weight: c.Weight(), Fee: c.Fee}}
	b.ask(req)
	child := b.spender(anchor.OutPoint).TxHash()
	b.mine(c.Tx)
	require.Equal(t, child, b.spender(anchor.OutPoint).TxHash())
	b.reorg(1)
	b.ask(req)
	require.InDelta(t, 2000, float64(b.s.flights[child].rate), 25)
	b.fees = Fees{{1, 3000}}
	b.mine()
	require.NotEqual(t, child, b.spender(anchor.OutPoint).TxHash())
	require.InDelta(t, 3000, float64(b.s.Pending()[0].Rate), 25)
}

// An adversary pins an HTLC: its own spend of the output is large, pays little by weight
// and much in all. What is replaced has to be outbid in full, and is, within the budget,
// in the same block (V-25).
func TestPinnedInModelPool(t *testing.T) {
	b := newSweepBench(t)
	at := b.mine().Height
	spend := b.plain(1_000_000)
	p := newPool(b, spend)
	pin := steal(elsewhere(8), spend.OutPoint)
	pin.TxOut[0] = wire.NewTxOut(int64(1_000_000-100_000), slices.Repeat([]byte{0x51}, 90_000)) // 1.1 sat/vbyte
	_, ok := p.accept(pin)
	require.True(t, ok)
	b.fees = Fees{{1, 500}}
	b.ask(SweepRequest{Spend: spend, Confirmed: at, Deadline: at + 40})
	p.relay()
	ours := b.spender(spend.OutPoint)
	require.NotNil(t, p.txs[ours.TxHash()], "the pin is gone")
	require.Greater(t, b.rowOf(t, ours).Fee, lnwire.Sat(100_000))
	require.LessOrEqual(t, b.rowOf(t, ours).Fee, lnwire.Sat(500_000))
	require.Contains(t, p.mine(1000), ours)

	// A pin beyond the budget is not chased: what is offered stays valid for when it goes.
	b = newSweepBench(t)
	at = b.mine().Height
	spend = b.plain(150_000)
	p = newPool(b, spend)
	pin = steal(elsewhere(8), spend.OutPoint)
	pin.TxOut[0] = wire.NewTxOut(50_000, slices.Repeat([]byte{0x51}, 90_000))
	_, ok = p.accept(pin)
	require.True(t, ok)
	b.ask(SweepRequest{Spend: spend, Confirmed: at, Deadline: at + 40})
	p.relay()
	require.NotNil(t, p.txs[pin.TxHash()])
	delete(p.txs, pin.TxHash())
	p.mine(math.MaxUint32)
	require.Contains(t, p.mine(1000), b.spender(spend.OutPoint))
}

// An adversary cycles: in every block it replaces our spend by its own and then that by
// something else, so that neither is mined. We come again with every block, for more
// each time and never for less; what it must outbid adds up to many times of what is to
// be won (V-24).
func TestReplacementCycling(t *testing.T) {
	b := newSweepBench(t)
	const value, blocks = lnwire.Sat(1_000_000), 80
	at := b.mine().Height
	spend := b.plain(value)
	p := newPool(b, spend)
	lure := b.foreign()
	p.outs[lure] = wire.NewTxOut(100_000_000, elsewhere(7))
	b.fees = Fees{{1, 1000}}
	b.ask(SweepRequest{Spend: spend, Confirmed: at, Deadline: at + blocks})
	p.relay()
	spent, fee := lnwire.Sat(0), lnwire.Sat(0)
	for b.w.height() < at+blocks-1 {
		ours := b.spender(spend.OutPoint)
		row := b.rowOf(t, ours)
		require.NotNil(t, p.txs[ours.TxHash()], "we are back in every block, at %d", b.w.height())
		require.GreaterOrEqual(t, row.Fee, fee)
		fee = row.Fee

		in, out := value+100_000_000, fee*2
		theirs := steal(elsewhere(8), spend.OutPoint, lure)
		theirs.TxOut[0].Value = int64(in - out)
		_, ok := p.accept(theirs)
		require.True(t, ok)
		require.Nil(t, p.txs[ours.TxHash()])
		again := steal(elsewhere(8), lure)
		again.TxOut[0].Value = int64(100_000_000 - out - 5000)
		_, ok = p.accept(again)
		require.True(t, ok)
		spent += out + 5000
		require.Equal(t, []*wire.MsgTx{ours}, b.s.Urgent(), "to be offered between blocks, too")
		p.mine(math.MaxUint32)
		delete(p.txs, again.TxHash()) // mined for its fee, and the lure is made anew
	}
	require.Greater(t, spent, 20*value)
	require.InDelta(t, float64(value)/2, float64(b.rowOf(t, b.spender(spend.OutPoint)).Fee), float64(value)/50)
	require.Contains(t, p.mine(1000), b.spender(spend.OutPoint), "the first block without it is ours")
}

// A coin of the wallet that waits to be mined raises its own transaction; a confirmed
// one has nothing to raise, and what is spent, leased or foreign is refused.
func TestBumpCoin(t *testing.T) {
	b := newSweepBench(t)
	f, fx, err := b.w.Send(testRing, FundRequest{Outputs: []*wire.TxOut{wire.NewTxOut(20_000, elsewhere(1))}, FeeRate: 300, Now: b.now}, "")
	require.NoError(t, err)
	b.apply(fx)
	op := wire.OutPoint{Hash: f.Tx.TxHash(), Index: 1 - f.Outputs[0]}
	fx, known, err := b.s.Bump(op, Bump{Rate: 5000}, b.fees, b.now)
	require.NoError(t, err)
	require.False(t, known)
	b.apply(fx)
	child := b.spender(op)
	require.NotNil(t, child)
	row := b.rowOf(t, child)
	require.InDelta(t, 5000, float64(rateOf(row.Fee+f.Fee, trueWeight(child)+trueWeight(f.Tx))), 60)
	coin, _ := b.w.Coin(op)
	requireValid(t, child, outsOf([]CoinRow{coin}))
	require.Len(t, b.s.Pending(), 1)
	require.Equal(t, keys.P2TR, b.s.Pending()[0].Form)
	fx, known, err = b.s.Bump(op, Bump{Rate: 8000}, b.fees, b.now)
	require.NoError(t, err)
	require.True(t, known)
	b.apply(fx)
	require.NotEqual(t, child.TxHash(), b.spender(op).TxHash())
	b.mine(f.Tx, b.spender(op))
	require.Empty(t, b.s.Pending())

	_, _, err = b.s.Bump(wire.OutPoint{Hash: b.spender(op).TxHash()}, Bump{Rate: 8000}, b.fees, b.now)
	require.ErrorIs(t, err, ErrBumpConfirmed)
	_, _, err = b.s.Bump(op, Bump{Rate: 8000}, b.fees, b.now)
	require.ErrorIs(t, err, ErrNoSweep)

	// A wish without a flight goes with the coin.
	f, fx, err = b.w.Send(testRing, FundRequest{Outputs: []*wire.TxOut{wire.NewTxOut(20_000, elsewhere(1))}, FeeRate: 3000, Now: b.now}, "")
	require.NoError(t, err)
	b.apply(fx)
	op = wire.OutPoint{Hash: f.Tx.TxHash(), Index: 1 - f.Outputs[0]}
	fx, _, err = b.s.Bump(op, Bump{Rate: 400}, b.fees, b.now)
	require.NoError(t, err)
	b.apply(fx)
	require.Contains(t, b.s.Pending()[0].Held, "pays enough by itself")
	b.mine(f.Tx)
	require.Empty(t, b.s.Pending())
}

// With the transaction that holds a coin the wish to raise it ends, on its way or not.
func TestBumpCoinOfWhatIsGone(t *testing.T) {
	for _, rate := range []lnwire.SatPerKW{400, 5000} {
		b := newSweepBench(t)
		f, fx, err := b.w.Send(testRing, FundRequest{Outputs: []*wire.TxOut{wire.NewTxOut(20_000, elsewhere(1))}, FeeRate: 3000, Now: b.now}, "")
		require.NoError(t, err)
		b.apply(fx)
		op := wire.OutPoint{Hash: f.Tx.TxHash(), Index: 1 - f.Outputs[0]}
		fx, _, err = b.s.Bump(op, Bump{Rate: rate}, b.fees, b.now)
		require.NoError(t, err)
		b.apply(fx)
		require.Len(t, b.s.Pending(), 1)
		b.mine(steal(elsewhere(3), f.Tx.TxIn[0].PreviousOutPoint))
		require.Empty(t, b.s.Pending(), "at %d", rate)
		require.Empty(t, b.store.wishes)
		require.Empty(t, b.w.spends)
	}
}

// What a close would cost is told without doing anything.
func TestCost(t *testing.T) {
	b := newSweepBench(t)
	b.fees = Fees{{1, 4000}, {144, 1000}}
	c, spends := ourSpends(t, commitment.Anchors, true, false)
	var reqs []SweepRequest
	for _, s := range spends {
		reqs = append(reqs, SweepRequest{Spend: s, Confirmed: 1})
	}
	fee, left := b.s.Cost(reqs, b.fees)
	require.Equal(t, 1, left, "the anchor")
	require.InDelta(t, 3400, float64(fee), 300)
	req := SweepRequest{Spend: last(t, spends), Deadline: b.w.height() + 1, Budget: 9000, Parent: &Parent{Weight: c.Weight(), Fee: c.Fee}}
	require.InDelta(t, 9000, float64(b.s.Lift(req, b.fees)), 5, "at the deadline it is the budget")
	req.Deadline = 0
	require.Zero(t, b.s.Lift(req, b.fees), "the commitment pays 1000 itself")
	require.Empty(t, b.s.Pending())
}

// Lift and claims have one budget: what the child took is not there for the claims any
// more, which keep enough to be made; over a restart, too (V-26).
func TestLiftAndClaimsShareABudget(t *testing.T) {
	const atRisk = 80_000
	budgets := func(anchorAtRisk lnwire.Sat) (lift, claims lnwire.Sat) {
		b := newSweepBench(t)
		c, spends := ourSpends(t, commitment.Anchors, true, false)
		b.fees = Fees{{1, 60_000}}
		anchor := SweepRequest{
			Spend: last(t, spends), Deadline: b.w.height() + 1, Group: 7, Parent: &Parent{Weight: c.Weight(), Fee: c.Fee},
			Budget: commitment.AnchorValue + LiftBudget(anchorAtRisk),
		}
		b.ask(anchor)
		if child := b.spender(anchor.Spend.OutPoint); child != nil {
			lift = b.rowOf(t, child).Fee
			b.mine(c.Tx, child)
		} else {
			b.mine(c.Tx)
		}
		b.restart()
		var reqs []SweepRequest
		for range 2 {
			reqs = append(reqs, SweepRequest{
				Spend: b.plain(atRisk / 2), Confirmed: b.w.height(), Deadline: b.w.height() + 1,
				Share: &Share{Anchor: anchor.Spend.OutPoint, AtRisk: atRisk},
			})
		}
		b.ask(reqs...)
		for _, p := range b.s.Pending() {
			require.GreaterOrEqual(t, p.Budget, lnwire.Sat(atRisk/2/8))
			claims += p.Budget
		}
		b.ask(reqs...)
		require.Equal(t, claims, b.s.Pending()[0].Budget+b.s.Pending()[1].Budget, "asked twice, taken off once")
		b.mineEmpty(2)
		require.EqualValues(t, atRisk/2, b.s.Pending()[0].Budget+b.s.Pending()[1].Budget, "behind the deadline nothing is at risk")
		return lift, claims
	}
	lift, claims := budgets(atRisk)
	require.Greater(t, lift, lnwire.Sat(atRisk/4))
	require.LessOrEqual(t, lift+claims, lnwire.Sat(atRisk/2+commitment.AnchorValue))
	require.InDelta(t, atRisk/2, float64(lift+claims), float64(commitment.AnchorValue))
	lift, claims = budgets(0)
	require.Zero(t, lift)
	require.EqualValues(t, atRisk/2, claims)
}
