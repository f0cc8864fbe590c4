package channel

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// trouble is what the chain does to a run.
type trouble uint8

const (
	calm        trouble = iota
	shallow             // the commitment leaves the chain when it is three deep, and is mined again
	shallowSwap         // another commitment takes its place
	later               // what resolved the HTLCs leaves the chain, and is mined again
	deep                // the commitment leaves the chain when it is nine deep, and is mined again
	deepSwap            // another one takes its place
	troubles
)

func (x trouble) String() string {
	return [...]string{"calm", "shallow", "shallow-swap", "later", "deep", "deep-swap"}[x]
}

// never and always are restarts; others are counted in blocks from the close.
const (
	never  = -1
	always = -2
)

// plan is one run: every contract of the table is a cell of it.
type plan struct {
	col     column
	hasty   bool // the peer moves at once, and all that it can in one transaction
	trouble trouble
	restart int
}

func (p plan) String() string {
	return fmt.Sprintf("%v hasty=%v %v restart=%d", p.col, p.hasty, p.trouble, p.restart)
}

// momentOf is where the dance stands when a column is mined, and rivalOf the commitment
// that a reorg brings in its place.
var (
	momentOf = [7]moment{colOwn: beforeThem, colRemote: beforeUs, colPrev: beforeThem, colNext: beforeThem, colLast: afterAll, colOld: beforeThem, colJust: afterAll}
	rivalOf  = [7]column{colOwn: colOld, colRemote: colOwn, colPrev: colNext, colNext: colOwn, colLast: colJust, colOld: colPrev, colJust: colLast}
)

// truth is a run under way.
type truth struct {
	t     testing.TB
	s     *stage
	p     plan
	l     *ledger
	a     *node
	col   column
	at    lnwire.Height // of the commitment's block; 0: none
	start lnwire.Height // of the first close
	told  map[string]htlc.ResolutionKind
	known map[string]bool
	count int // of blocks since the first close
}

// TestTruthTable: every commitment x format x HTLC x reorg x restart against the table:
// B5.own.1, B5.own.2, B5.own.3, B5.own.4, B5.own.5, B5.own.6, B5.own.7, B5.their.1, B5.their.2,
// B5.their.3, B5.their.4, B5.absent.1, B5.absent.2, B5.rev.1, B5.rev.2, B5.rev.3, B5.gen.3.
// V-04, V-05, V-06, V-08, V-10, V-11, V-12, V-13, V-14, V-59.
func TestTruthTable(t *testing.T) {
	cells := make(chan int, 100)
	newWorld(t) // makes the keys that all worlds share, before they do so at the same time
	t.Run("cells", func(t *testing.T) {
		for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
			for _, real := range []bool{false, true} {
				t.Run(fmt.Sprintf("format %d, real %v", format, real), func(t *testing.T) {
					t.Parallel()
					cells <- runStage(t, format, real)
				})
			}
		}
	})
	close(cells)
	all := 0
	for n := range cells {
		all += n
	}
	t.Logf("%d cells", all)
	require.Greater(t, all, 5000)
}

// runStage plays all runs of a format. Those with real signatures are a sample, and
// everything in them goes through the script engine.
func runStage(t *testing.T, format commitment.Format, real bool) (cells int) {
	s := newStage(t, format, real)
	for _, p := range plans(real) {
		x := &truth{t: t, s: s, p: p}
		x.play()
		cells += len(contracts)
	}
	return cells
}

// plans are the runs: without a restart, with one in each block, and with a single one in
// each of the blocks in which something happens, spread over the troubles.
func plans(sample bool) (list []plan) {
	single := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 33, 36}
	for _, hasty := range []bool{false, true} {
		for col := colOwn; col <= colJust; col++ {
			if hasty && !col.cheat() {
				continue
			}
			for x := calm; x < troubles; x++ {
				if sample {
					if p := (plan{col, hasty, x, never - int(col+1)%2}); (int(col)+int(x))%3 == 0 {
						list = append(list, p)
					}
					continue
				}
				list = append(list, plan{col, hasty, x, never}, plan{col, hasty, x, always})
				for i := int(x); i < len(single); i += int(troubles) {
					list = append(list, plan{col, hasty, x, single[(i+int(col))%len(single)]})
				}
			}
		}
	}
	return list
}

// play is a run from the close to the end.
func (x *truth) play() {
	x.l = x.s.run(x.t, momentOf[x.p.col])
	x.l.cheap = x.s.modelled()
	x.a = x.l.w.a
	x.told, x.known = map[string]htlc.ResolutionKind{}, map[string]bool{}
	for i := range contracts {
		switch contracts[i].open[momentOf[x.p.col]] {
		case 'F':
			x.told[contracts[i].name] = htlc.Failed
		case 'S':
			x.told[contracts[i].name] = htlc.Fulfilled
		}
	}
	x.start = x.l.height() + 1
	x.release(-1)
	x.mine(x.p.col)
	x.reorgs()
	again := x.p.trouble == later
	for x.l.height() < x.start+truthIn+8 || len(x.claims()) > 0 {
		x.mine(x.col)
		require.Less(x.t, x.count, 150, "%v: claims never come home: %v", x.p, x.claims())
		if again && x.l.height() == x.start+truthOut+4 {
			again = false
			x.l.reorg(3, true)
			x.ends()
		}
	}
	x.finish()
}

// reorgs takes the commitment away and mines it or another one.
func (x *truth) reorgs() {
	after, col := 0, x.p.col
	switch x.p.trouble {
	case calm, later:
		return
	case shallow, shallowSwap:
		after = 2
	case deep, deepSwap:
		after = 8
	}
	for range after {
		x.mine(x.col)
	}
	if x.p.trouble == shallowSwap || x.p.trouble == deepSwap {
		col = rivalOf[col]
	}
	x.l.reorg(after+1, false)
	x.ends()
	x.at = 0
	require.Empty(x.t, x.l.claims[x.a], x.p)
	x.mine(col)
}

// ends tells our node where the chain ends after a reorg.
func (x *truth) ends() {
	at := x.s.tip
	if n := len(x.l.refs); n > 0 {
		at = x.l.refs[n-1]
	}
	x.l.step(x.a, Block{At: at})
}

// mine mines the next block: the commitment, if it is not there, what the peer does, and
// what we want. Then everything must be as the table says.
func (x *truth) mine(col column) {
	var txs []*wire.MsgTx
	if x.at == 0 {
		txs = append(txs, x.s.mined[col].tx)
		x.l.taken[x.a] = len(x.a.published) // ours would be a double spend
		x.col, x.at = col, x.l.height()+1
	} else {
		txs = x.peerMoves()
	}
	x.l.mine(txs...)
	x.release(int(x.l.height() - x.start + 1))
	x.check("")
	if x.p.restart == always || x.p.restart == x.count {
		x.crash()
		x.check("after a restart")
	}
	x.count++
}

// release gives out the preimages of incoming HTLCs whose time has come.
func (x *truth) release(now int) {
	for i := range contracts {
		c := &contracts[i]
		if c.known == 0 || c.known != now && (c.known < 0) != (now < 0) || now >= 0 && c.known > now || x.known[c.name] {
			continue
		}
		x.known[c.name] = true
		x.l.step(x.a, Resolve{Ref: x.s.refs[c.name], Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(c.pre)}})
	}
}

// crash restarts our node. What was written lazily is lost with every second restart; the
// follower tells again what it is asked for.
func (x *truth) crash() {
	n := x.a
	if x.count%2 == 1 {
		n.restore(n.safe)
		n.outcomes = n.outcomes[:n.safeOutcomes]
	}
	n.watches, x.l.claims[n], x.l.told[n] = nil, map[wire.OutPoint]onchain.Claim{}, map[sighting]bool{}
	x.l.taken[n] = len(n.published)
	n.ch = Load(n.cfg, n.crypto, n.rows)
	n.restore(n.rows)
	x.l.step(n, Resumed{})
	x.l.lead()
}

// check holds the machine against the table: claims, outcomes, and that the close is told.
func (x *truth) check(when string) {
	all, anchors := x.spends(), x.s.format == commitment.Anchors
	want := map[wire.OutPoint]lnwire.Height{}
	for i := range contracts {
		c := &contracts[i]
		f, op, op2 := x.fact(c, all)
		if w := c.way(f, anchors); w.how != "" && w.how != "publish" {
			want[op] = w.first
		}
		if w := f.stage2(); w.how != "" {
			want[op2] = w.first
		}
		if c.dir == out && x.told[c.name] == 0 && c.open[momentOf[x.p.col]] == 'o' {
			if kind := c.upstream(f); kind != 0 {
				x.told[c.name] = kind
			}
		}
	}
	x.wantMain(want, all, anchors)
	have := map[wire.OutPoint]lnwire.Height{}
	for op, c := range x.claims() {
		have[op] = c.MatureAt
	}
	require.Equal(x.t, want, have, "%v %s at %d, closed at %d", x.p, when, x.l.height(), x.at)
	x.checkTold(when)
	reported := x.l.height() >= x.at+2 // three deep: the channel is small
	require.Equal(x.t, reported, x.a.ch.core.Spend.Reported, "%v %s", x.p, when)
}

// wantMain adds the balances.
func (x *truth) wantMain(want map[wire.OutPoint]lnwire.Height, all map[wire.OutPoint]mined, anchors bool) {
	com := x.s.mined[x.col].com
	f := fact{col: x.col, at: x.at}
	mine, other := f.main(anchors)
	ours, theirs := com.ToOther, com.ToOwner
	if x.col == colOwn {
		ours, theirs = theirs, ours
	}
	for _, m := range []struct {
		index int
		first lnwire.Height
	}{{ours, mine}, {theirs, other}, {x.anchorOf(com), x.anchorFrom(anchors)}} {
		op := wire.OutPoint{Hash: com.Txid, Index: uint32(m.index)}
		if _, ok := all[op]; !ok && m.first != anyTime {
			want[op] = m.first
		}
	}
}

// anchorOf is ours.
func (x *truth) anchorOf(com *commitment.Commitment) int {
	if x.col == colOwn {
		return com.AnchorOwner
	}
	return com.AnchorOther
}

// anchorFrom: our anchor can be spent at once; of a cheater's commitment everything else
// counts.
func (x *truth) anchorFrom(anchors bool) lnwire.Height {
	if !anchors || x.col.cheat() {
		return anyTime
	}
	return x.at
}

// claims are those that we hold out for what is not spent.
func (x *truth) claims() map[wire.OutPoint]onchain.Claim {
	outs, _ := x.l.unspent()
	m := map[wire.OutPoint]onchain.Claim{}
	for op, c := range x.l.claims[x.a] {
		if outs[op] != nil {
			m[op] = c
		}
	}
	return m
}

// checkTold compares what upstream was told, each HTLC once.
func (x *truth) checkTold(when string) {
	have := map[string]htlc.ResolutionKind{}
	for i := range contracts {
		c := &contracts[i]
		if k := c.open[momentOf[x.p.col]]; k == 'F' || k == 'S' {
			have[c.name] = x.told[c.name] // before the run
		}
	}
	for _, o := range x.a.outcomes {
		c := x.contractOf(o.Ref)
		require.NotContains(x.t, have, c.name, "%v: told twice", x.p)
		have[c.name] = o.Resolution.Kind
		switch o.Resolution.Kind {
		case htlc.Fulfilled:
			require.Equal(x.t, preimage(c.pre), o.Resolution.Preimage)
		case htlc.Failed:
			require.Equal(x.t, "no", string(o.Resolution.Reason))
		case htlc.Malformed, htlc.TimedOut:
		}
		require.EqualValues(x.t, 77, o.Origin.Ref.ChanNum) // V-11: the right one upstream
		require.Equal(x.t, o.Ref.ID, o.Origin.Ref.ID)
	}
	require.Equal(x.t, x.told, have, "%v %s at %d, closed at %d", x.p, when, x.l.height(), x.at)
}

func (x *truth) contractOf(ref htlc.Ref) *contract {
	for i := range contracts {
		if x.s.refs[contracts[i].name] == ref {
			return &contracts[i]
		}
	}
	require.FailNow(x.t, "an outcome of no contract")
	return nil
}

// finish: all that is ours has come home, and the channel is there until everything is a
// hundred deep, and not a block longer.
func (x *truth) finish() {
	x.l.answer(x.a)
	all := x.spends()
	final := x.at
	for i := range contracts {
		c := &contracts[i]
		f, _, _ := x.fact(c, all)
		final = max(final, f.spent.at, f.second.at)
		if c.dir == out && c.open[momentOf[x.p.col]] == 'o' {
			require.NotZero(x.t, x.told[c.name], "%v: %s is never told", x.p, c.name)
		}
	}
	require.Equal(x.t, x.ours(all), x.l.home(x.a), "%v", x.p)
	com := x.s.mined[x.col].com
	for _, i := range []int{com.ToOwner, com.ToOther} {
		if m, ok := all[wire.OutPoint{Hash: com.Txid, Index: uint32(i)}]; ok {
			final = max(final, m.at)
		}
	}
	x.l.skip(final + 98)
	require.Equal(x.t, Closing, x.a.ch.Phase(), "%v", x.p)
	x.l.skip(final + 99)
	require.Equal(x.t, Closed, x.a.ch.Phase(), "%v", x.p)
	row := x.a.rows.Closed
	kind := ClosedByThem
	switch {
	case x.col == colOwn:
		kind = ClosedByUs
	case x.col.cheat():
		kind = ClosedBreach
	}
	require.Equal(x.t, kind, row.Kind)
	for _, r := range row.Resolutions {
		require.NotEqual(x.t, EndOpen, r.End, "%v", x.p)
	}
}

// ours is what the commitment is worth to us: our balance, and each HTLC that the table
// gives us, less what HTLC transactions without anchors pay by themselves.
func (x *truth) ours(all map[wire.OutPoint]mined) (sum lnwire.Sat) {
	com := x.s.mined[x.col].com
	main := com.ToOther
	if x.col == colOwn {
		main = com.ToOwner
	}
	sum = lnwire.Sat(com.Tx.TxOut[main].Value)
	if x.col.cheat() {
		sum += lnwire.Sat(com.Tx.TxOut[com.ToOwner].Value)
	} else if x.s.format == commitment.Anchors {
		sum += commitment.AnchorValue // ours, which somebody's sweep takes along
	}
	for i := range contracts {
		c := &contracts[i]
		if !c.output(x.col) {
			continue
		}
		f, op, _ := x.fact(c, all)
		value := lnwire.Sat(com.Tx.TxOut[op.Index].Value)
		fee := lnwire.Sat(0)
		if x.s.format == commitment.StaticRemoteKey {
			fee = x.s.feeOf(x.col, c)
		}
		switch {
		case x.col.cheat() && f.spent.by == peer:
			sum += value - fee
		case x.col.cheat():
			sum += value
		case c.dir == in && c.known != 0 || c.dir == out && !c.taken:
			if x.col != colOwn {
				fee = 0
			}
			sum += value - fee
		}
	}
	return sum
}
