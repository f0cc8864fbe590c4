package wallet

import (
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// SweepRequest asks for an output to be brought home.
type SweepRequest struct {
	Spend commitment.Spend
	// Confirmed is the height of the block that holds the output; 0: none yet.
	Confirmed lnwire.Height
	// Deadline is the last height at which the sweep is of full use, for somebody
	// else may spend the output then; 0: there is no hurry.
	Deadline lnwire.Height
	// Budget is the most that may be paid in fees; 0: half of what comes home.
	Budget lnwire.Sat
	// Share, if set, is what the budget, left to the rule, has to bear of a lift.
	Share *Share
	// Group, if not 0, marks requests of which at most one can be spent, such as the
	// anchors of rival transactions: each goes alone.
	Group uint64
	// Parent, if set, is an unconfirmed transaction whose fee the sweep raises. Such
	// a sweep may cost more than it brings home.
	Parent *Parent
	// Force sweeps within the budget even if nothing is won by it.
	Force bool
}

// Share: the output lies behind a transaction that may have been lifted by a child on
// Anchor, for the sake of outputs that hold AtRisk together. Lift and claims have one
// budget: half of what is at risk.
type Share struct {
	Anchor wire.OutPoint
	AtRisk lnwire.Sat
}

// LiftBudget is the most of what is at risk that a lift may take. The rest of the half is
// left to the claims that it is made for.
func LiftBudget(atRisk lnwire.Sat) lnwire.Sat { return atRisk / 8 * 3 }

// Parent is what an unconfirmed transaction weighs and pays.
type Parent struct {
	Weight int64
	Fee    lnwire.Sat
}

// Sweeper brings outputs home. It shares the goroutine of its Wallet, whose coins
// pay where an output cannot pay for itself, and stores nothing of its own but what the
// user wished: after a start the requests are made again, and what was published is
// found among the wallet's transactions.
type Sweeper struct {
	w        *Wallet
	signer   Signer
	requests map[wire.OutPoint]*request
	flights  map[chainhash.Hash]*flight
	// past are outputs that our mined sweeps spent, not long ago.
	past map[wire.OutPoint]chainhash.Hash
}

// request is a SweepRequest on its way.
type request struct {
	SweepRequest
	coin     *CoinRow        // of the wallet, that is spent to raise its transaction; nil: not of the wallet
	wish     WishRow         // of the user
	shared   lnwire.Sat      // the budget, less its part of a lift; 0: it bears none
	rate     lnwire.SatPerKW // the highest that was ever offered for it (V-07), with its parent; 0: none yet
	rateAt   lnwire.Height   // when that was
	since    lnwire.Height   // when it was first published
	versions []version       // every transaction that was published for it
	apart    bool            // its batch was refused: it goes alone
	anew     bool            // it is spent in another way now than in what was published
	flight   *flight         // the transaction that spends it; nil: none
	by       chainhash.Hash  // what spent it in a block; zero: nothing
	at       lnwire.BlockRef // that block
	told     bool            // of it by who asked: no block that was seen here says so
	held     string          // why it is not swept, as last told
}

// version is a transaction that was published once and may be mined yet, though
// another took its place.
type version struct {
	txid chainhash.Hash
	fee  lnwire.Sat
}

// flight is a published transaction that is not mined.
type flight struct {
	txid   chainhash.Hash
	inputs []wire.OutPoint // the requests that it spends
	home   []byte          // the script that it brings the money to; nil: none
	parent Parent          // whose fee it raises; zero: none
	fee    lnwire.Sat
	rate   lnwire.SatPerKW // that it pays together with its parent
	weight int64
}

// NewSweeper makes the sweeper of a wallet.
func NewSweeper(w *Wallet, s Signer) *Sweeper {
	sw := &Sweeper{
		w: w, signer: s,
		requests: map[wire.OutPoint]*request{},
		flights:  map[chainhash.Hash]*flight{},
		past:     map[wire.OutPoint]chainhash.Hash{},
	}
	for id, t := range w.txs {
		if t.Sweep && t.mined() && w.confirmations(t.At) <= keepDepth {
			for _, in := range t.Tx.TxIn {
				sw.past[in.PreviousOutPoint] = id
			}
		}
	}
	sw.recallCoins()
	return sw
}

// Request adds requests, or takes new facts for outputs that were requested before:
// asking the same again changes nothing. Decide acts on it.
func (s *Sweeper) Request(reqs ...SweepRequest) Effects {
	var fx Effects
	for _, req := range reqs {
		op := req.Spend.OutPoint
		fx.WatchSpent = append(fx.WatchSpent, Watched{OutPoint: op, PkScript: req.Spend.Output.PkScript})
		if old := s.requests[op]; old != nil {
			if old.Spend.Kind != req.Spend.Kind {
				s.ground(old)
				old.anew = true
			}
			if old.wish.Lifts && req.Parent == nil {
				old.wish = WishRow{}
				s.w.dropWish(op)
			}
			old.SweepRequest, old.shared = req, s.share(&req)
			if old.told { // a reorg that this machine took in before it was told
				old.by, old.at, old.told = chainhash.Hash{}, lnwire.BlockRef{}, false
			}
			old.grant()
			if f := old.flight; f != nil && f.parent != parentOf([]*request{old}) { // a reorg
				f.parent = parentOf([]*request{old})
				f.rate = f.rateFor(f.fee)
			}
			continue
		}
		r := &request{SweepRequest: req, shared: s.share(&req)}
		s.requests[op] = r
		s.recall(r)
		if id, ok := s.past[op]; ok && s.w.txs[id] != nil {
			r.by, r.at = id, s.w.txs[id].At
		}
	}
	return fx
}

// adopt finds the transaction that a request was published in before a restart, or
// that a reorg set free again.
func (s *Sweeper) adopt(r *request) {
	id, ok := s.w.spends[r.Spend.OutPoint]
	if !ok || r.anew {
		return
	}
	t := s.w.txs[id]
	if !t.Own || !t.Sweep {
		return
	}
	f := s.flights[id]
	if f == nil {
		weight := blockchain.GetTransactionWeight(btcutil.NewTx(t.Tx))
		f = &flight{txid: id, fee: t.Fee, weight: weight, parent: parentOf([]*request{r})}
		f.rate = f.rateFor(f.fee)
		if n := len(t.Outputs); n > 0 {
			f.home = t.Tx.TxOut[t.Outputs[n-1]].PkScript
		}
		s.flights[id] = f
	}
	s.board(r, f)
}

// board puts a request into a flight.
func (s *Sweeper) board(r *request, f *flight) {
	f.inputs = append(f.inputs, r.Spend.OutPoint)
	if len(r.versions) == 0 {
		r.since = s.w.height()
	}
	if v := (version{txid: f.txid, fee: f.fee}); !slices.Contains(r.versions, v) {
		r.versions = append(r.versions, v)
	}
	r.flight, r.rate, r.rateAt, r.held, r.anew = f, max(r.rate, f.rate), s.w.height(), "", false
}

// Cancel forgets a request. What was published for it stays published, and what the user
// wished stands if it is made again.
func (s *Sweeper) Cancel(op wire.OutPoint) {
	if r := s.requests[op]; r != nil {
		s.ground(r)
		delete(s.requests, op)
	}
}

// ground takes a request out of its flight.
func (s *Sweeper) ground(r *request) {
	f := r.flight
	if f == nil {
		return
	}
	r.flight = nil
	f.inputs = slices.DeleteFunc(f.inputs, func(op wire.OutPoint) bool { return op == r.Spend.OutPoint })
	if len(f.inputs) == 0 {
		delete(s.flights, f.txid)
	}
}

// Connect takes in the next block, after the wallet has: what it spends is done, what
// else rested on that is rebuilt at once, and fees are raised where they must be.
func (s *Sweeper) Connect(b Block, fees Fees, now time.Time) Effects {
	waiting := s.unconfirmed()
	for _, tx := range b.Txs {
		s.spentIn(tx, b.At)
		if len(waiting) > 0 {
			if id := tx.TxHash(); waiting[id] {
				s.ParentMined(id, b.At.Height)
			}
		}
	}
	for op, r := range s.requests {
		if r.done() && s.w.confirmations(r.at) > keepDepth {
			s.forget(op)
			delete(s.past, op)
		}
	}
	s.dropOldWishes()
	return s.Decide(fees, now)
}

// unconfirmed are the transactions whose outputs are requested before any block
// holds them.
func (s *Sweeper) unconfirmed() map[chainhash.Hash]bool {
	ids := map[chainhash.Hash]bool{}
	for op, r := range s.requests {
		if r.Confirmed == 0 && !r.done() {
			ids[op.Hash] = true
		}
	}
	return ids
}

// ParentMined: what was to be lifted is in a block. The child has done its work, or is
// not needed: no more is paid for it than its output is worth. Connect finds it out by
// itself, but for a parent whose block it has taken in before it was asked to lift it.
func (s *Sweeper) ParentMined(id chainhash.Hash, at lnwire.Height) {
	var lifted []uint64
	for op, r := range s.requests {
		if op.Hash != id {
			continue
		}
		r.Confirmed = at
		if r.Parent == nil {
			continue
		}
		lifted = append(lifted, r.Group)
		if r.Parent, r.Deadline, r.Budget, r.Group, r.wish = nil, 0, 0, 0, (WishRow{}); len(r.versions) == 0 {
			delete(s.requests, op)
		}
		s.w.dropWish(op)
		if f := r.flight; f != nil {
			f.parent = Parent{}
			f.rate = f.rateFor(f.fee)
		}
	}
	slices.Sort(lifted)
	for _, group := range lifted {
		s.giveUp(group, id)
	}
}

// giveUp ends the requests of a group whose parents can no longer be mined, for another
// is, and frees the coins that their children took.
func (s *Sweeper) giveUp(group uint64, mined chainhash.Hash) {
	for _, op := range s.outpoints() {
		r := s.requests[op]
		if group == 0 || r.Group != group || op.Hash == mined {
			continue
		}
		if f := r.flight; f != nil {
			s.drop(f)
			s.w.remove(f.txid, chainhash.Hash{})
		}
		delete(s.requests, op)
	}
}

// Taken: a transaction in a block spends what was requested. Connect finds it out by
// itself, but for a block that it has taken in before the request was made. Decide follows.
func (s *Sweeper) Taken(tx *wire.MsgTx, at lnwire.BlockRef) {
	for _, in := range tx.TxIn {
		if r := s.requests[in.PreviousOutPoint]; r != nil && !r.done() {
			r.told = true
		}
	}
	s.spentIn(tx, at)
	s.w.outdo(tx, at)
}

// spentIn looks at every input of a mined transaction, for each may end a request
// (V-04). Ours is recognised by its id, not by what it spends (V-19). The other
// requests of a broken flight find in Decide that the wallet has given it up (V-09).
func (s *Sweeper) spentIn(tx *wire.MsgTx, at lnwire.BlockRef) {
	for _, in := range tx.TxIn {
		r := s.requests[in.PreviousOutPoint]
		if r == nil {
			continue
		}
		id := tx.TxHash()
		if r.done() {
			r.told = r.told && r.by != id
			continue
		}
		s.ground(r)
		r.by, r.at = id, at
		if s.home(r, id) {
			s.w.fx.Tell = append(s.w.fx.Tell, Swept{OutPoint: in.PreviousOutPoint, Txid: id, At: at})
		} else {
			s.w.fx.Tell = append(s.w.fx.Tell, SweepLost{OutPoint: in.PreviousOutPoint, By: id, At: at})
		}
	}
}

// home reports that a mined transaction is one of ours. An earlier version, which the
// wallet had given up for a later one, is a sweep again.
func (s *Sweeper) home(r *request, id chainhash.Hash) bool {
	i := slices.IndexFunc(r.versions, func(v version) bool { return v.txid == id })
	if i < 0 {
		return false
	}
	if t := s.w.txs[id]; t != nil && !t.Sweep {
		row := *t
		row.Own, row.Sweep, row.Label = true, true, sweepLabel
		row.Fee, row.FeeKnown = r.versions[i].fee, true
		s.w.note(&row)
	}
	return true
}

// drop frees the requests of a flight that came to nothing.
func (s *Sweeper) drop(f *flight) {
	for _, op := range f.inputs {
		s.requests[op].flight = nil
	}
	delete(s.flights, f.txid)
}

// Disconnect goes back to a block, after the wallet has: what was spent above it is
// requested again. A sweep that nobody asks for any more is given up: what it spends left
// the chain, too, and whoever had asked for it knew that while the sweep was in a block.
func (s *Sweeper) Disconnect(to lnwire.BlockRef) Effects {
	for _, r := range s.requests {
		if r.done() && r.at.Height > to.Height {
			r.by, r.at, r.told = chainhash.Hash{}, lnwire.BlockRef{}, false
		}
		if r.Confirmed > to.Height {
			r.Confirmed = 0
		}
	}
	for op, id := range s.past {
		if t := s.w.txs[id]; t == nil || !t.mined() {
			delete(s.past, op)
		}
	}
	for _, id := range s.w.txids() {
		if t := s.w.txs[id]; t != nil && t.Own && t.Sweep && !t.mined() && s.forsaken(t.Tx) {
			s.w.remove(id, chainhash.Hash{})
		}
	}
	return s.w.flush()
}

// forsaken: a transaction spends something that is neither requested nor the wallet's.
func (s *Sweeper) forsaken(tx *wire.MsgTx) bool {
	return slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool {
		return s.requests[in.PreviousOutPoint] == nil && s.w.coins[in.PreviousOutPoint] == nil
	})
}

// grant puts the user's wish in the place of what was asked.
func (r *request) grant() {
	if r.wish.Deadline != 0 {
		r.Deadline = r.wish.Deadline
	}
	if r.wish.Budget != 0 {
		r.Budget = r.wish.Budget
	}
}

func (r *request) done() bool { return r.by != chainhash.Hash{} }

// outpoints lists the requests in a fixed order.
func (s *Sweeper) outpoints() []wire.OutPoint {
	return slices.SortedFunc(maps.Keys(s.requests), compareOutPoints)
}

// relativeLock is the delay in blocks that the sequence demands after the output's
// block (BIP 68).
func (r *request) relativeLock() lnwire.Height {
	seq := r.Spend.Sequence
	if seq&wire.SequenceLockTimeDisabled != 0 || seq&wire.SequenceLockTimeIsSeconds != 0 {
		return 0
	}
	return lnwire.Height(seq & wire.SequenceLockTimeMask)
}

// maturity is the height of the first block that may hold the sweep; false while
// that is unknown.
func (r *request) maturity() (lnwire.Height, bool) {
	delay := r.relativeLock()
	if r.Confirmed == 0 && delay > 0 {
		return 0, false
	}
	at := lnwire.Height(r.Spend.LockTime) + 1
	if r.Confirmed > 0 {
		at = max(at, r.Confirmed+delay)
	}
	return at, true
}

// ready reports that the sweep may be in the next block.
func (s *Sweeper) ready(r *request) bool {
	at, known := r.maturity()
	return !r.done() && known && at <= s.w.height()+1
}

// PendingSweep is a request as PendingSweeps shows it.
type PendingSweep struct {
	OutPoint  wire.OutPoint
	Kind      commitment.SpendKind // 0: a coin of the wallet, of the account Form
	Form      keys.AccountKind
	Value     lnwire.Sat
	Rate      lnwire.SatPerKW // of the last transaction, with its parent; 0: none yet
	Requested lnwire.SatPerKW // that the user wished to begin with; 0: none
	Attempts  int
	Deadline  lnwire.Height // 0: none
	Budget    lnwire.Sat
	Maturity  lnwire.Height  // the first block that may hold the sweep; 0: not known yet
	Immediate bool           // goes alone
	Txid      chainhash.Hash // that spends it now; zero: none
	Fee       lnwire.Sat     // of that transaction, for all that it spends
	Lifts     bool           // it raises the fee of the transaction that holds the output
	Held      string         // why there is none, or why it is not on its way, if something holds it
}

// Pending lists the requests that no block has answered yet.
func (s *Sweeper) Pending() []PendingSweep {
	var list []PendingSweep
	for _, op := range s.outpoints() {
		r := s.requests[op]
		if r.done() {
			continue
		}
		p := PendingSweep{
			OutPoint: op, Kind: r.Spend.Kind, Value: lnwire.Sat(r.Spend.Output.Value), Rate: r.rate, Attempts: len(r.versions),
			Deadline: r.Deadline, Budget: r.budget(), Immediate: s.alone(r), Requested: r.wish.Rate, Lifts: r.Parent != nil, Held: r.held,
		}
		p.Maturity, _ = r.maturity()
		if r.coin != nil {
			p.Form = r.coin.Key.Account
		}
		if r.flight != nil {
			p.Txid, p.Fee = r.flight.txid, r.flight.fee
		}
		list = append(list, p)
	}
	return list
}
