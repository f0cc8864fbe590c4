package channel

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// ledger is a model chain below a world: it takes only what Bitcoin would, scripts,
// relative and absolute locks included, and leads both machines over its blocks.
type ledger struct {
	t       testing.TB
	w       *world
	base    lnwire.Height // below the first of blocks
	blocks  [][]*wire.MsgTx
	refs    []lnwire.BlockRef // of blocks
	fork    int
	unseen  [][]*wire.MsgTx // taken away by a reorg: mined again first
	claims  map[*node]map[wire.OutPoint]onchain.Claim
	told    map[*node]map[sighting]bool
	taken   map[*node]int  // of n.published
	deaf    map[*node]bool // not led any more
	idle    map[*node]bool // does not bring its claims home
	coins   uint32
	funding wire.OutPoint
	cheap   bool // signatures are models: scripts are not run
	txids   map[*wire.MsgTx]chainhash.Hash
	outs    map[wire.OutPoint]*wire.TxOut // unspent, while they hold
	at      map[wire.OutPoint]lnwire.Height
}

type sighting struct {
	op   wire.OutPoint
	txid chainhash.Hash
	at   lnwire.BlockRef
}

func newLedger(t testing.TB, w *world) *ledger {
	l := &ledger{
		t: t, w: w, base: w.tip.Height, funding: w.b.ch.core.Funding, claims: map[*node]map[wire.OutPoint]onchain.Claim{},
		txids: map[*wire.MsgTx]chainhash.Hash{}, told: map[*node]map[sighting]bool{}, taken: map[*node]int{}, deaf: map[*node]bool{}, idle: map[*node]bool{},
	}
	for _, n := range w.nodes() {
		l.claims[n], l.told[n] = map[wire.OutPoint]onchain.Claim{}, map[sighting]bool{}
		l.taken[n] = len(n.published)
	}
	return l
}

func (l *ledger) ref(h lnwire.Height) lnwire.BlockRef {
	return lnwire.BlockRef{Height: h, Hash: sha256.Sum256([]byte(fmt.Sprint("ledger", h, l.fork)))}
}

// txid is the id of a transaction, reckoned once.
func (l *ledger) txid(tx *wire.MsgTx) chainhash.Hash {
	id, ok := l.txids[tx]
	if !ok {
		id = tx.TxHash()
		l.txids[tx] = id
	}
	return id
}

func (l *ledger) height() lnwire.Height { return l.base + lnwire.Height(len(l.blocks)) }

// feeCoin is an output that anybody can spend.
var feeCoin = func() wire.TxOut {
	h := sha256.Sum256([]byte{txscript.OP_TRUE})
	return wire.TxOut{Value: 1000, PkScript: append([]byte{0, 32}, h[:]...)}
}()

// unspent are the outputs in the chain, with their heights.
func (l *ledger) unspent() (map[wire.OutPoint]*wire.TxOut, map[wire.OutPoint]lnwire.Height) {
	if l.outs != nil {
		return l.outs, l.at
	}

	_, script := commitment.FundingScript(l.w.a.side.Funding, l.w.b.side.Funding)
	outs := map[wire.OutPoint]*wire.TxOut{l.funding: {Value: int64(usual.capacity), PkScript: script}}
	at := map[wire.OutPoint]lnwire.Height{}
	for i, b := range l.blocks {
		for _, tx := range b {
			for _, in := range tx.TxIn {
				delete(outs, in.PreviousOutPoint)
			}
			for j, out := range tx.TxOut {
				op := wire.OutPoint{Hash: l.txid(tx), Index: uint32(j)}
				outs[op], at[op] = out, l.base+lnwire.Height(i)+1
			}
		}
	}
	l.outs, l.at = outs, at
	return outs, at
}

// valid reports whether the next block may hold tx.
func (l *ledger) valid(tx *wire.MsgTx) error {
	outs, at := l.unspent()
	next := l.height() + 1
	if tx.LockTime < txscript.LockTimeThreshold && lnwire.Height(tx.LockTime) >= next {
		return fmt.Errorf("not final before %d", tx.LockTime)
	}
	prev := txscript.NewMultiPrevOutFetcher(nil)
	for _, in := range tx.TxIn {
		out := outs[in.PreviousOutPoint]
		if in.PreviousOutPoint.Hash == (chainhash.Hash{0xfe}) {
			out = &feeCoin
		}
		if out == nil {
			return fmt.Errorf("no output %v", in.PreviousOutPoint)
		}
		prev.AddPrevOut(in.PreviousOutPoint, out)
		if in.Sequence&wire.SequenceLockTimeDisabled == 0 && next < at[in.PreviousOutPoint]+lnwire.Height(in.Sequence&wire.SequenceLockTimeMask) {
			return fmt.Errorf("%v is not mature", in.PreviousOutPoint)
		}
	}
	if l.cheap {
		return nil
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i, in := range tx.TxIn {
		out := prev.FetchPrevOutput(in.PreviousOutPoint)
		vm, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, prev)
		if err != nil {
			return err
		}
		if err := vm.Execute(); err != nil {
			require.NoError(l.t, err, "input %d of a transaction with %d outputs", i, len(tx.TxOut))
		}
	}
	return nil
}

// step steps a machine and takes what it wants of the chain.
func (l *ledger) step(n *node, ev Event) {
	fx := n.step(ev)
	for _, op := range fx.Unclaim {
		require.Contains(l.t, l.claims[n], op)
		delete(l.claims[n], op)
	}
	for _, c := range fx.Claims {
		l.claims[n][c.OutPoint] = c
	}
	for _, number := range fx.Load {
		i := slices.IndexFunc(n.rows.Revoked, func(r Revoked) bool { return r.N == number })
		require.GreaterOrEqual(l.t, i, 0)
		l.step(n, Loaded{Revoked: n.rows.Revoked[i]})
	}
	for _, o := range fx.Outcomes {
		require.True(l.t, slices.ContainsFunc(n.ch.out, func(e *entry) bool { return e.Ref == o.Ref && e.Told }) || n.ch.Phase() == Closed)
	}
}

// catchUp tells a machine the spends of what it watches.
func (l *ledger) catchUp(n *node) {
	for again := true; again; {
		again = false
		for i, b := range l.blocks {
			at := l.refs[i]
			for _, tx := range b {
				for _, in := range tx.TxIn {
					s := sighting{in.PreviousOutPoint, l.txid(tx), at}
					watched := slices.ContainsFunc(n.watches, func(w Watch) bool { return w.OutPoint != nil && *w.OutPoint == s.op })
					if watched && !l.told[n][s] && n.ch.Phase() != Closed {
						l.told[n][s], again = true, true
						l.step(n, Spent{OutPoint: s.op, Tx: tx, At: at})
					}
				}
			}
		}
	}
}

// sweep is a transaction for a claim, signed.
func (l *ledger) sweep(n *node, c onchain.Claim) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.LockTime = c.LockTime
	tx.AddTxIn(c.Input())
	prev := txscript.NewMultiPrevOutFetcher(nil)
	prev.AddPrevOut(c.OutPoint, &c.Output)
	if c.Pair != nil {
		l.coins++
		coin := wire.OutPoint{Hash: chainhash.Hash{0xfe}, Index: l.coins}
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: coin, Sequence: 0xfffffffd, Witness: wire.TxWitness{{txscript.OP_TRUE}}})
		prev.AddPrevOut(coin, &feeCoin)
		tx.AddTxOut(c.Pair)
	} else {
		tx.AddTxOut(&wire.TxOut{Value: int64(c.Value), PkScript: n.script()})
	}
	sigs, ok := n.crypto.Sign([]commitment.SignJob{c.Job(tx, 0, txscript.NewTxSigHashes(tx, prev))})
	require.True(l.t, ok)
	tx.TxIn[0].Witness = c.Witness(sigs[0])
	return tx
}

// mine adds a block with what both want and Bitcoin takes, after the given
// transactions. MatureAt must be the first block that takes a claim.
func (l *ledger) mine(txs ...*wire.MsgTx) {
	var block []*wire.MsgTx
	l.blocks = append(l.blocks, nil)
	add := func(tx *wire.MsgTx) error {
		l.blocks = l.blocks[:len(l.blocks)-1]
		err := l.valid(tx)
		if err == nil && slices.ContainsFunc(block, func(o *wire.MsgTx) bool { return spends(o, tx.TxIn[0].PreviousOutPoint) }) {
			err = fmt.Errorf("taken in this block")
		}
		if err == nil {
			block = append(block, tx)
		}
		l.blocks = append(l.blocks, nil)
		return err
	}
	for _, tx := range txs {
		require.NoError(l.t, add(tx))
	}
	if len(l.unseen) > 0 {
		for _, tx := range l.unseen[0] {
			_ = add(tx)
		}
		l.unseen = l.unseen[1:]
	}
	for _, n := range l.w.nodes() {
		for _, tx := range n.published[l.taken[n]:] {
			_ = add(tx)
		}
		l.taken[n] = len(n.published)
	}
	outs, _ := l.unspent()
	for _, n := range l.w.nodes() {
		if l.idle[n] {
			continue
		}
		for _, op := range sortedOps(l.claims[n]) {
			c := l.claims[n][op]
			if l.height() < c.MatureAt-1 || outs[op] == nil || slices.ContainsFunc(block, func(o *wire.MsgTx) bool { return spends(o, op) }) {
				continue
			}
			err := add(l.sweep(n, c))
			require.Equal(l.t, l.height() >= c.MatureAt, err == nil, "%s: claim of kind %d, mature at %d, in block %d: %v", n.name, c.Kind, c.MatureAt, l.height(), err)
		}
	}
	l.blocks[len(l.blocks)-1] = block
	l.refs = append(l.refs, l.ref(l.height()))
	l.outs = nil
	for _, n := range l.w.nodes() { // empty blocks come by the hundred: the reload law rests
		if l.cheap {
			continue
		}
		if n.quietLaw = len(block) == 0; !n.quietLaw {
			n.restore(n.rows)
		}
	}
	l.lead()
}

func sortedOps(m map[wire.OutPoint]onchain.Claim) []wire.OutPoint {
	var ops []wire.OutPoint
	for op := range m {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b wire.OutPoint) int {
		x, y := outPointKey(a), outPointKey(b)
		return bytes.Compare(x[:], y[:])
	})
	return ops
}

// lead tells both machines the newest block.
func (l *ledger) lead() {
	for _, n := range l.w.nodes() {
		if l.deaf[n] || n.ch.Phase() == Closed {
			continue
		}
		l.catchUp(n)
		l.step(n, Block{At: l.refs[len(l.refs)-1]})
		l.step(n, Flush{})
		l.catchUp(n)
		l.grounded(n)
	}
}

// grounded: what a machine claims and what it holds for resolved is in the chain.
func (l *ledger) grounded(n *node) {
	there := map[chainhash.Hash]bool{}
	for _, b := range l.blocks {
		for _, tx := range b {
			there[l.txid(tx)] = true
		}
	}
	for op := range l.claims[n] {
		require.True(l.t, there[op.Hash], "claim of an output that is not in the chain")
	}
	if s := n.ch.core.Spend; s != nil {
		for _, m := range s.Resolving {
			require.True(l.t, there[m.Tx.TxHash()])
		}
	}
}

// reorg takes the last k blocks away. Their transactions are mined again, in the
// same order, when again is set.
func (l *ledger) reorg(k int, again bool) {
	gone := slices.Clone(l.blocks[len(l.blocks)-k:])
	l.blocks, l.refs = l.blocks[:len(l.blocks)-k], l.refs[:len(l.refs)-k]
	l.outs = nil
	for i := len(gone) - 1; i >= 0; i-- {
		for j := len(gone[i]) - 1; j >= 0; j-- {
			txid := l.txid(gone[i][j])
			for _, n := range l.w.nodes() {
				told := false
				for s := range l.told[n] {
					if s.txid == txid {
						delete(l.told[n], s)
						told = true
					}
				}
				if told && !l.deaf[n] {
					l.step(n, Unconfirmed{Txid: txid})
				}
			}
		}
	}
	l.fork++
	if again {
		l.unseen = gone
	}
}

// crash restarts a machine from its rows.
func (l *ledger) crash(n *node) {
	if n.ch.Phase() == Closed {
		return
	}
	before := l.claims[n]
	n.watches, l.claims[n], l.told[n] = nil, map[wire.OutPoint]onchain.Claim{}, map[sighting]bool{}
	published := len(n.published)
	n.ch = Load(n.cfg, n.crypto, n.rows)
	n.restore(n.rows)
	l.taken[n] = published
	l.step(n, Resumed{})
	outs, _ := l.unspent()
	for op := range before {
		if outs[op] != nil {
			require.Equal(l.t, before[op], l.claims[n][op]) // it needs no block to claim again
		}
	}
	l.catchUp(n)
}

// home is what has come to a node's wallet.
func (l *ledger) home(n *node) (sum lnwire.Sat) {
	outs, _ := l.unspent()
	for _, out := range outs {
		if bytes.Equal(out.PkScript, n.script()) {
			sum += lnwire.Sat(out.Value)
		}
	}
	return sum
}

// which commitment is mined.
type which uint8

const (
	ofA which = iota
	ofB
	ofBHeld    // the one before the newest, which it has not revoked
	ofBNext    // signed by a, not acknowledged yet
	ofBRevoked // revoked
)

func (w which) String() string { return [...]string{"a", "b", "b-held", "b-next", "b-revoked"}[w] }

// arena is a channel with HTLCs of both sides in it: two of equal hash and amount, one
// that is dust, one for each side whose preimage the receiver knows, and one that it
// does not.
func arena(t testing.TB, format commitment.Format, who which) (*ledger, *wire.MsgTx) {
	w := newWorld(t)
	w.useReal()
	o := usual
	o.format, o.push = format, 400_000_000
	w.open(o)
	w.a.add(30_000_000, 1) // b will know it
	w.a.add(40_000_000, 2) // never known
	w.a.add(40_000_000, 2) // the same again
	w.a.add(200_000, 3)    // dust
	w.b.add(35_000_000, 4) // a will know it
	w.b.add(45_000_000, 5) // never known
	w.settle()
	l := newLedger(t, w)
	mined := func(n *node) *wire.MsgTx {
		tx, ok := n.ch.signedCommitment()
		require.True(t, ok)
		return tx
	}
	var tx *wire.MsgTx
	switch who {
	case ofA:
		tx = mined(w.a)
	case ofB:
		tx = mined(w.b)
	case ofBHeld, ofBNext:
		w.a.add(50_000_000, 6)
		w.a.step(Flush{})
		if tx = mined(w.b); who == ofBNext {
			w.b.deliver(-1) // it answers, and nothing of that arrives
			tx = mined(w.b)
			w.a.inbox = nil
		}
		w.b.inbox = nil
		require.True(t, w.a.ch.awaiting())
	case ofBRevoked:
		tx = mined(w.b)
		w.a.add(50_000_000, 6)
		w.settle()
		require.Equal(t, w.b.ch.core.LocalN, w.a.ch.core.RemoteRevoked)
	}
	w.disconnect()
	return l, tx
}

// end mines until both machines have forgotten the channel. The switch answers what was
// carried on when all of it is long over.
func (l *ledger) end(each func()) {
	for round := range 700 {
		if l.over(l.w.a) && l.over(l.w.b) {
			return
		}
		l.mine()
		each()
		if round >= 250 {
			l.answer(l.w.a)
			l.answer(l.w.b)
		}
	}
	require.FailNow(l.t, "the channel is never over", "a %v, b %v", l.w.a.ch.Phase(), l.w.b.ch.Phase())
}

// answer fails every incoming HTLC that the switch was given and has not answered.
func (l *ledger) answer(n *node) {
	for _, h := range n.info().HTLCs {
		if !l.over(n) && h.Ref.Dir == htlc.Incoming && h.State == htlc.RcvdAddAckRevocation && h.Removal == nil {
			l.step(n, Resolve{Ref: h.Ref, Resolution: htlc.Resolution{Kind: htlc.Failed, Reason: []byte("no")}})
		}
	}
}

func (l *ledger) over(n *node) bool { return l.deaf[n] || n.ch.Phase() == Closed }

// outcomesOf are the ends of a node's outgoing HTLCs by attempt, each once.
func outcomesOf(t testing.TB, n *node) map[htlc.Ref]htlc.ResolutionKind {
	m := map[htlc.Ref]htlc.ResolutionKind{}
	for _, o := range n.outcomes {
		require.NotContains(t, m, o.Ref)
		m[o.Ref] = o.Resolution.Kind
	}
	return m
}

// TestOnChain is the matrix: each commitment x format x restarts x reorgs. Everybody
// gets what is his, to the satoshi where no fee is fixed in an HTLC transaction;
// every outgoing HTLC ends once, as it ended in the chain: B5.own.1 to B5.own.7 (B5.own.2,
// B5.own.3, B5.own.4, B5.own.5, B5.own.6), B5.their.1, B5.their.2, B5.their.3, B5.their.4,
// B5.absent.2, B5.gen.1, B5.gen.2, B5.gen.3.
func TestOnChain(t *testing.T) {
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		for _, who := range []which{ofA, ofB, ofBHeld, ofBNext} {
			for _, trouble := range []string{"none", "crash", "reorg", "late", "swap"} {
				t.Run(fmt.Sprintf("%d/%v/%s", format, who, trouble), func(t *testing.T) { resolveOne(t, format, who, trouble) })
			}
		}
	}
}

func resolveOne(t *testing.T, format commitment.Format, who which, trouble string) {
	l, tx := arena(t, format, who)
	a, b := l.w.a, l.w.b
	know := func() {
		l.step(b, Resolve{Ref: b.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(1)}})
		l.step(a, Resolve{Ref: a.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(4)}})
	}
	if trouble != "late" { // V-12: in either order
		know()
	}
	if trouble == "swap" { // V-13: another commitment takes its place
		rival, ok := a.ch.signedCommitment()
		if who == ofA {
			rival, ok = b.ch.signedCommitment()
		}
		require.True(t, ok)
		l.mine(rival)
		l.mine()
		l.mine()
		l.reorg(3, false)
		require.Empty(t, l.claims[a])
		require.Empty(t, l.claims[b])
		l.taken[a], l.taken[b] = len(a.published), len(b.published) // they would race
	}
	l.mine(tx)
	if trouble == "late" {
		for range 10 {
			l.mine()
		}
		had := len(l.claims[a]) + len(a.published)
		know()
		if format == commitment.Anchors || who != ofA {
			require.Equal(t, had+1, len(l.claims[a])+len(a.published)) // at once
		}
	}
	rounds := 0
	l.end(func() {
		rounds++
		switch {
		case trouble == "crash" && rounds%7 < 2:
			l.crash(a)
			l.crash(b)
		case trouble == "reorg" && rounds%5 == 0 && rounds < 160:
			l.reorg(3, rounds%2 == 0)
			if rounds < 10 {
				l.mine()
			}
			l.mine()
			l.mine()
			l.mine()
		}
	})
	absent := who == ofBNext || who == ofBHeld
	want := map[htlc.Ref]htlc.ResolutionKind{}
	for id := range uint64(4) {
		want[htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: id}] = htlc.TimedOut
	}
	want[htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}] = htlc.Fulfilled
	if absent {
		want[htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 4}] = htlc.TimedOut
	}
	require.Equal(t, want, outcomesOf(t, a))
	require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{
		{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}: htlc.Fulfilled, {ChanNum: 1, Dir: htlc.Outgoing, ID: 1}: htlc.TimedOut,
	}, outcomesOf(t, b))

	all := lnwire.Sat(0)
	for _, out := range tx.TxOut {
		all += lnwire.Sat(out.Value)
	}
	anchor := lnwire.Sat(0)
	if format == commitment.Anchors {
		anchor = commitment.AnchorValue
	}
	slack := lnwire.Sat(0)
	if format == commitment.StaticRemoteKey {
		slack = 6 * 2500
	}
	lost := all - l.home(a) - l.home(b)
	require.LessOrEqual(t, lost, slack)
	wantB := lnwire.Sat(400_000+30_000-35_000) + anchor
	require.InDelta(t, float64(wantB), float64(l.home(b)), float64(slack))
	require.NotNil(t, a.rows.Closed)
	require.NotEmpty(t, a.rows.Closed.Resolutions)
	for _, r := range a.rows.Closed.Resolutions {
		require.NotEqual(t, EndOpen, r.End)
	}
}

// breach is a revoked commitment of b, ready to be mined, and what b knows of it.
func breach(t testing.TB, format commitment.Format) (l *ledger, tx *wire.MsgTx, com *commitment.Commitment) {
	l, tx = arena(t, format, ofBRevoked)
	l.deaf[l.w.b] = true
	n, ok := l.w.a.ch.owner(false).NumberOf(tx)
	require.True(t, ok)
	i := slices.IndexFunc(l.w.a.rows.Revoked, func(r Revoked) bool { return r.N == n })
	c := l.w.b.ch
	com, err := c.buildLocal(n, l.w.a.ch.revokedSpec(&l.w.a.rows.Revoked[i]))
	require.NoError(t, err)
	require.Equal(t, tx.TxHash(), com.Txid)
	return l, tx, com
}

// TestBreach: B5.rev.1, B5.rev.2: all of a revoked commitment comes home, and HTLCs
// that it moved in it end for their origin.
func TestBreach(t *testing.T) {
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		for _, restart := range []bool{false, true} {
			l, tx, _ := breach(t, format)
			a := l.w.a
			l.mine(tx)
			require.Equal(t, SpentByRevoked, a.ch.core.Spend.Kind)
			require.True(t, slices.ContainsFunc(a.notices, func(n Notice) bool { return n.Kind == NoticeBreach }))
			for op, c := range l.claims[a] {
				require.Equal(t, op, c.OutPoint)
				if c.Kind != commitment.SpendOtherMain {
					require.Equal(t, c.At+lnwire.Height(a.ch.terms.Ours.ToSelfDelay), c.Deadline)
				}
			}
			if restart {
				l.crash(a)
			}
			l.end(func() {})
			all := lnwire.Sat(0)
			for _, out := range tx.TxOut {
				all += lnwire.Sat(out.Value)
			}
			if format == commitment.Anchors {
				all -= 2 * commitment.AnchorValue
			}
			require.Equal(t, all, l.home(a))
			require.Equal(t, ClosedBreach, a.rows.Closed.Kind)
			for ref, kind := range outcomesOf(t, a) {
				require.Equal(t, htlc.TimedOut, kind, ref)
			}
			require.Len(t, a.outcomes, 5)
		}
	}
}

// TestBreachSecondStage: B5.rev.3, V-04, V-08: the peer moves HTLCs of a revoked
// commitment on, several in one transaction: all are taken at the second stage, and
// the preimage that it had to show counts.
func TestBreachSecondStage(t *testing.T) {
	for _, restart := range []bool{false, true} {
		l, tx, com := breach(t, commitment.Anchors)
		a, b := l.w.a, l.w.b
		l.idle[a] = true // it comes too late
		l.mine(tx)
		for l.height() < com.HTLCs[len(com.HTLCs)-1].Expiry+1 {
			l.mine()
		}
		// b spends all that it can: the HTLCs that it offered with one transaction, the
		// one whose preimage it knows with another (their lock times differ).
		two, one := l.moveOn(b, com, 0, true), l.moveOn(b, com, 1, false)
		require.Len(t, two.TxIn, 2)
		require.Len(t, one.TxIn, 1)
		l.mine(two, one)
		require.Equal(t, htlc.Fulfilled, outcomesOf(t, a)[htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}])
		if restart {
			l.crash(a)
		}
		l.idle[a] = false
		l.end(func() {})
		all := lnwire.Sat(0)
		for _, out := range tx.TxOut {
			all += lnwire.Sat(out.Value)
		}
		all -= 2 * commitment.AnchorValue
		require.Equal(t, all, l.home(a))
	}
}

// moveOn is one transaction for HTLCs of n's commitment: those that n offered, or
// those of the known preimage.
func (l *ledger) moveOn(n *node, com *commitment.Commitment, known int, offered bool) *wire.MsgTx {
	tx, p := wire.NewMsgTx(2), preimage(known)
	prev := txscript.NewMultiPrevOutFetcher(nil)
	var spent []commitment.Spend
	sigs := n.theirSigsOf(l.t, com)
	for i := range com.HTLCs {
		s, ok := com.OwnerHTLC(i, n.ch.terms.Keys, sigs[i], &p)
		if !ok || com.HTLCs[i].Offered != offered {
			continue
		}
		tx.AddTxIn(s.Input())
		tx.AddTxOut(s.Pair)
		tx.LockTime = s.LockTime
		prev.AddPrevOut(s.OutPoint, &s.Output)
		spent = append(spent, s)
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i := range spent {
		sigs, _ := n.crypto.Sign([]commitment.SignJob{spent[i].Job(tx, i, hashes)})
		tx.TxIn[i].Witness = spent[i].Witness(sigs[0])
	}
	return tx
}

// theirSigsOf are the other side's signatures of this node's HTLC transactions.
func (n *node) theirSigsOf(t testing.TB, com *commitment.Commitment) []lnwire.Sig {
	sigs, ok := n.other.crypto.Sign(com.SignJobs(n.other.ch.terms.Keys))
	require.True(t, ok)
	return sigs[1:]
}

// TestUnknownCommitment: B5.lost.1: of a commitment that we have no record of, to_remote
// comes home; preimages that appear there count, and HTLCs end when nothing is to be
// expected any more.
func TestUnknownCommitment(t *testing.T) {
	for _, format := range []commitment.Format{commitment.StaticRemoteKey, commitment.Anchors} {
		w := newWorld(t)
		w.useReal()
		o := usual
		o.format = format
		w.open(o)
		w.a.add(30_000_000, 1)
		w.settle()
		old := w.a.rows
		w.a.add(40_000_000, 2)
		w.settle()
		w.disconnect()
		w.a.restore(old)
		l := newLedger(t, w)
		l.crash(w.a)
		l.step(w.b, CloseAsked{Force: true})
		l.step(w.b, Resolve{Ref: w.b.incoming(0), Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage(1)}})
		l.mine()
		require.Equal(t, SpentByUnknown, w.a.ch.core.Spend.Kind)
		l.end(func() {})
		require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}: htlc.Fulfilled}, outcomesOf(t, w.a))
		require.Positive(t, l.home(w.a))
		require.Equal(t, w.a.rows.Closed.Settled, l.home(w.a))
	}
}

// TestPreimageSeen: B5.absent.1: an HTLC that carries another on is fulfilled by a preimage in any transaction, of two of the same
// hash the one whose output that spends (V-11); an incoming one is never claimed by its hash (V-03), and what we pay is not paid
// before a block says so.
func TestPreimageSeen(t *testing.T) {
	l, tx := arena(t, commitment.Anchors, ofB)
	a := l.w.a
	for id := range uint64(4) {
		carried(a, id, 700)
	}
	own := slices.IndexFunc(a.ch.out, func(e *entry) bool { return e.Ref.ID == 0 })
	a.ch.out[own].Origin = htlc.Attempt(1)
	l.mine(tx)
	ref := func(id uint64) htlc.Ref { return htlc.Ref{ChanNum: 1, Dir: htlc.Outgoing, ID: id} }
	seen := func(n int, id uint64) {
		op, p := wire.OutPoint{Index: 7}, preimage(n)
		if i, ok := a.ch.end.com.Find(ref(id)); ok {
			op = wire.OutPoint{Hash: a.ch.end.com.Txid, Index: uint32(a.ch.end.com.HTLCs[i].Output)}
		}
		l.step(a, Unmined{Tx: spendOf(op, nil, p[:], []byte{0x51})})
	}
	before := len(l.claims[a])
	seen(4, 99)
	require.Len(t, l.claims[a], before)
	seen(3, 99) // the dust
	require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{ref(3): htlc.Fulfilled}, outcomesOf(t, a))
	seen(2, 99)
	require.Len(t, a.outcomes, 1, "they have outputs: it is another's")
	seen(2, 2) // V-24: upstream does not wait for it
	require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{ref(3): htlc.Fulfilled, ref(2): htlc.Fulfilled}, outcomesOf(t, a), "not that of the same hash beside it")
	seen(1, 0)
	require.Len(t, a.outcomes, 2, "our own")
}

// TestRogueSpend: B5.gen.4: a spend that we never signed is told of.
func TestRogueSpend(t *testing.T) {
	l, tx := arena(t, commitment.Anchors, ofB)
	rogue := tx.Copy()
	rogue.LockTime, rogue.TxIn[0].Sequence = 0, 0xffffffff
	l.step(l.w.a, Spent{OutPoint: l.w.a.ch.core.Funding, Tx: rogue, At: l.ref(l.height())})
	require.True(t, slices.ContainsFunc(l.w.a.notices, func(n Notice) bool { return n.Kind == NoticeBug }))
	l.step(l.w.a, Block{At: l.ref(l.height() + 4)})
	require.Empty(t, l.w.a.outcomes)
	l.step(l.w.a, Block{At: l.ref(l.height() + 5)})
	require.Len(t, l.w.a.outcomes, 4) // nobody upstream waits for ever
}

// failedOff is a channel in which b has failed the HTLC of a, and has not yet revoked
// the commitment that holds it, which is held.
func failedOff(t *testing.T) (l *ledger, held *wire.MsgTx) {
	w := newWorld(t)
	w.useReal()
	w.open(usual)
	w.a.add(30_000_000, 1)
	w.settle()
	w.b.fail(0)
	w.b.step(Flush{})
	w.a.deliver(-1)
	w.a.step(Flush{})
	held, ok := w.b.ch.signedCommitment()
	require.True(t, ok)
	require.Equal(t, htlc.SentRemoveAckCommit, w.a.ch.out[0].State)
	l = newLedger(t, w)
	l.deaf[w.b] = true
	w.disconnect()
	return l, held
}

// TestFailedThenTaken: V-08: an HTLC that the peer failed, and then takes in a
// commitment that it has not revoked, is fulfilled upstream.
func TestFailedThenTaken(t *testing.T) {
	l, held := failedOff(t)
	a, b := l.w.a, l.w.b
	com := a.ch.theirCommitment(a.ch.core.RemoteRevoked)
	require.Equal(t, held.TxHash(), com.Txid)
	own, err := b.ch.localCommitment()
	require.NoError(t, err)
	l.mine(held)
	require.Equal(t, SpentByThem, a.ch.core.Spend.Kind)
	l.mine()
	l.crash(a)
	l.mine(l.moveOn(b, own, 1, false))
	require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}: htlc.Fulfilled}, outcomesOf(t, a))
	l.end(func() {})
}

// TestFailedAndGone: an HTLC that the peer failed, and that our own commitment does not
// hold any more, fails upstream with the peer's reason once that is deep (V-06).
func TestFailedAndGone(t *testing.T) {
	l, _ := failedOff(t)
	a := l.w.a
	l.step(a, CloseAsked{Force: true})
	l.mine()
	for range 4 {
		l.mine()
	}
	require.Equal(t, SpentByUs, a.ch.core.Spend.Kind)
	require.Empty(t, a.outcomes)
	l.crash(a)
	l.mine()
	require.Len(t, a.outcomes, 1)
	require.Equal(t, htlc.Resolution{Kind: htlc.Failed, Reason: []byte("no")}, a.outcomes[0].Resolution)
	l.end(func() {})
	require.Len(t, a.outcomes, 1)
}

// TestFulfilledStays: V-05: a preimage that was learnt before the close stays told, in
// whatever commitment the peer goes to the chain.
func TestFulfilledStays(t *testing.T) {
	w := newWorld(t)
	w.useReal()
	w.open(usual)
	w.a.add(30_000_000, 1)
	w.settle()
	held, _ := w.b.ch.signedCommitment()
	w.b.fulfill(0, 1)
	w.b.step(Flush{})
	w.a.deliver(-1)
	w.a.step(Flush{})
	require.Len(t, w.a.outcomes, 1)
	l := newLedger(t, w)
	l.deaf[w.b] = true
	w.disconnect()
	l.mine(held)
	l.crash(w.a)
	l.end(func() {}) // b does not take it: it times out, and is ours
	require.Equal(t, map[htlc.Ref]htlc.ResolutionKind{{ChanNum: 1, Dir: htlc.Outgoing, ID: 0}: htlc.Fulfilled}, outcomesOf(t, w.a))
}

// TestBreachReorg: V-14: a mutual close leaves the chain and a revoked commitment takes
// its place: it is punished. The breach leaves the chain too: nothing is claimed.
func TestBreachReorg(t *testing.T) {
	l, tx, _ := breach(t, commitment.Anchors)
	a := l.w.a
	mutual := wire.NewMsgTx(2)
	mutual.AddTxIn(&wire.TxIn{PreviousOutPoint: a.ch.core.Funding, Sequence: 0xffffffff})
	mutual.AddTxOut(&wire.TxOut{Value: 1, PkScript: a.script()})
	at := l.ref(l.height() + 1)
	l.step(a, Spent{OutPoint: a.ch.core.Funding, Tx: mutual, At: at})
	require.Equal(t, SpentByMutual, a.ch.core.Spend.Kind)
	l.step(a, Block{At: lnwire.BlockRef{Height: at.Height + 50}})
	require.NotNil(t, a.rows.Secrets)
	l.step(a, Unconfirmed{Txid: mutual.TxHash()})
	l.mine(tx)
	require.Equal(t, 7, len(l.claims[a]))
	l.reorg(1, false)
	require.Empty(t, l.claims[a])
	require.Equal(t, Failed, a.ch.Phase())
	l.taken[a] = len(a.published)
	l.mine(tx)
	l.end(func() {})
	require.Equal(t, ClosedBreach, a.rows.Closed.Kind)
}

// TestOwnRevoked: our own old commitment in the chain, from a copy of this node, is
// taken for no breach of the peer.
func TestOwnRevoked(t *testing.T) {
	l, tx, _ := breach(t, commitment.Anchors)
	b := l.w.b
	l.deaf[b] = false
	l.mine(tx)
	require.Equal(t, SpentByUnknown, b.ch.core.Spend.Kind)
	require.True(t, slices.ContainsFunc(b.notices, func(n Notice) bool { return n.Kind == NoticeDataLost }))
	require.Len(t, l.claims[b], 1) // B5.lost.2: our to_local, which is for whoever is first
	for _, c := range l.claims[b] {
		require.Equal(t, commitment.SpendOwnerMain, c.Kind)
	}
	l.step(b, Loaded{Revoked: Revoked{}}) // nobody waits for it any more
}

// TestForgottenOnlyWhenAnswered: an HTLC that came in was carried on, where it is still
// open long after its own output was lost and buried. Its channel is there for the answer.
func TestForgottenOnlyWhenAnswered(t *testing.T) {
	for _, who := range []which{ofA, ofB} {
		l, tx := arena(t, commitment.Anchors, who)
		a, b := l.w.a, l.w.b
		l.mine(tx)
		for range 400 {
			l.mine()
		}
		for _, n := range []*node{a, b} {
			require.Equal(t, Closing, n.ch.Phase())
			require.NotEmpty(t, n.info().Ends)
			for _, e := range n.info().Ends {
				require.NotEqual(t, EndOpen, e.End)
			}
			l.crash(n)
			l.mine()
			require.Equal(t, Closing, n.ch.Phase())
			l.answer(n)
			require.Equal(t, Closed, n.ch.Phase())
			require.True(t, n.last.Delta.Forget)
			require.Len(t, n.last.Delta.OutboxDone, 1)
		}
	}
}
