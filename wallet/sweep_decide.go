package wallet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// maxBatch bounds the requests of one transaction, far below the largest that is
// relayed.
const maxBatch = 100

// batchKey tells requests apart that do not go together. Zero is the common batch
// of everything that nobody contests.
type batchKey struct {
	alone    wire.OutPoint
	paired   bool
	lockTime uint32 // of paired ones, whose other signature covers it
	deadline lnwire.Height
}

// alone reports that a request gets a transaction of its own.
func (s *Sweeper) alone(r *request) bool {
	return r.Group != 0 || r.Parent != nil || s.urgent(r) || r.wish.Alone || r.apart
}

func (s *Sweeper) urgent(r *request) bool {
	return r.Deadline != 0 && r.Deadline <= s.w.height()+urgentBlocks
}

func (s *Sweeper) batchOf(r *request) batchKey {
	if s.alone(r) {
		return batchKey{alone: r.Spend.OutPoint}
	}
	key := batchKey{deadline: r.Deadline}
	if r.Spend.Pair != nil {
		key.paired, key.lockTime = true, r.Spend.LockTime
	}
	return key
}

// Decide publishes what is ready and not yet in a transaction, in batches, and
// replaces transactions that should pay more by now.
func (s *Sweeper) Decide(fees Fees, now time.Time) Effects {
	for _, op := range s.outpoints() {
		r := s.requests[op]
		if s.unshare(r); r.flight == nil && !r.done() {
			s.adopt(r)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.flights), compareHashes) {
		f := s.flights[id]
		if s.w.txs[id] == nil {
			s.drop(f) // it was abandoned, or something that it spends is gone (V-09)
			continue
		}
		if s.part(f, fees, now) {
			continue
		}
		if rate := s.raised(f, fees); rate > f.rate {
			s.replace(f, rate, now)
		}
	}
	batches := map[batchKey][]*request{}
	var order []batchKey
	for _, op := range s.outpoints() {
		r := s.requests[op]
		if r.flight == nil && r.coin != nil && !r.done() && !s.stillFree(op) {
			s.forget(op) // it went with its transaction, or there is nothing to raise any more
			continue
		}
		if !s.ready(r) || r.flight != nil {
			continue
		}
		key := s.batchOf(r)
		if batches[key] == nil {
			order = append(order, key)
		}
		batches[key] = append(batches[key], r)
	}
	for _, key := range order {
		for batch := range slices.Chunk(batches[key], maxBatch) {
			s.launch(batch, fees, now)
		}
	}
	return s.w.flush()
}

// Urgent are the transactions in flight for something that has a deadline. Whoever wants
// it to pass may have thrown them out of mempools since the last block, and leaves no
// trace: they are worth being offered again in between (V-24).
func (s *Sweeper) Urgent() (txs []*wire.MsgTx) {
	for _, id := range slices.SortedFunc(maps.Keys(s.flights), compareHashes) {
		if t := s.w.txs[id]; t != nil && deadlineOf(s.requestsOf(s.flights[id])) != 0 {
			txs = append(txs, t.Tx)
		}
	}
	return txs
}

// Accepted says that the network has taken a transaction of ours.
func (s *Sweeper) Accepted(txid chainhash.Hash) {
	if f := s.flights[txid]; f != nil {
		for _, r := range s.requestsOf(f) {
			r.held = ""
		}
	}
}

func (s *Sweeper) requestsOf(f *flight) []*request {
	batch := make([]*request, len(f.inputs))
	for i, op := range f.inputs {
		batch[i] = s.requests[op]
	}
	return batch
}

// launch publishes a batch that is in no transaction. Those that cannot pay their
// part at the rate do not burden the others: without a deadline they wait for better
// times, with one they go alone for what they have.
func (s *Sweeper) launch(batch []*request, fees Fees, now time.Time) {
	weight := txWeight(len(batch), 0, 1, changeSize)
	for _, r := range batch {
		weight += r.weight()
	}
	rate := s.rateNow(batch, weight, fees)
	var together []*request
	for _, r := range batch {
		switch {
		case r.economic(rate):
			together = append(together, r)
		case r.Deadline == 0 && r.economic(s.rateOfPatience([]*request{r}, fees)):
			// What it was offered before, in company that is gone, is more than it can pay
			// alone; without a deadline nothing holds us to that.
			s.launchAlone(r, s.rateOfPatience([]*request{r}, fees), now)
		case r.Deadline == 0:
			s.hold(r, "it costs more than its budget at the present fee rate")
		default:
			s.launchAlone(r, rate, now)
		}
	}
	if len(together) == 1 {
		s.launchAlone(together[0], rate, now)
		return
	}
	if len(together) == 0 || s.try(together, rate, now) == nil {
		return
	}
	// Together they cannot be, perhaps alone: nobody waits for another's sake.
	for _, r := range together {
		s.launchAlone(r, rate, now)
	}
}

func (s *Sweeper) launchAlone(r *request, rate lnwire.SatPerKW, now time.Time) {
	if err := s.try([]*request{r}, rate, now); err != nil {
		s.hold(r, err.Error())
	}
}

// try builds and publishes a transaction of requests that are in none.
func (s *Sweeper) try(batch []*request, rate lnwire.SatPerKW, now time.Time) error {
	d := draft{batch: batch, rate: rate, now: now}
	if parentOf(batch).Weight > 0 && deadlineOf(batch) == 0 {
		d.least = rate // half a lift is none
	}
	f, err := s.build(&d)
	if err != nil {
		return err
	}
	return s.takeOff(f, d)
}

// replace publishes the same requests for more.
func (s *Sweeper) replace(f *flight, rate lnwire.SatPerKW, now time.Time) {
	least := f.leastReplacement()
	d := draft{batch: s.requestsOf(f), rate: max(rate, least), least: least, home: f.home, instead: f, now: now}
	next, err := s.build(&d)
	if err != nil {
		return // the budget is at its end: what is published stays
	}
	s.drop(f)
	if err := s.takeOff(next, d); err != nil {
		for _, r := range d.batch {
			s.hold(r, err.Error())
		}
	}
}

// part breaks up a batch that has become urgent: who pins one of its outputs would hold
// back all of them (B5.rev.4, V-25). The richest goes first, for it has to pay more than
// the whole batch did; the others are free then. False: the batch stays.
func (s *Sweeper) part(f *flight, fees Fees, now time.Time) bool {
	batch := s.requestsOf(f)
	if len(batch) < 2 || !slices.ContainsFunc(batch, s.urgent) {
		return false
	}
	first := batch[:1:1]
	for _, r := range batch[1:] {
		if r.budget() > first[0].budget() {
			first = []*request{r}
		}
	}
	rate := s.rateNow(first, txWeight(1, first[0].weight(), 1, changeSize), fees)
	d := draft{batch: first, rate: rate, home: f.home, instead: f, now: now}
	next, err := s.build(&d)
	if err != nil {
		return false
	}
	s.drop(f)
	if err := s.takeOff(next, d); err != nil {
		s.hold(first[0], err.Error())
	}
	return true
}

// scatter tries each request of a refused batch alone, at once and from now on: one of
// them may be what the network minds, as when somebody pins it (V-25).
func (s *Sweeper) scatter(f *flight, rate lnwire.SatPerKW, now time.Time) {
	batch := s.requestsOf(f)
	s.drop(f)
	s.w.remove(f.txid, chainhash.Hash{})
	for _, r := range batch {
		s.launchAlone(r, rate, now)
		r.apart = r.flight != nil // else with others again, when it cannot pay alone
	}
}

// takeOff records and publishes a built transaction.
func (s *Sweeper) takeOff(f *flight, d draft) error {
	err := s.w.publish(Publication{Tx: d.tx, Label: sweepLabel, Now: d.now, Fee: &f.fee, Sweep: true})
	if err != nil {
		return err
	}
	if d.homeAddress != nil {
		s.w.advance(d.homeAddress.Key, false)
	}
	for _, r := range d.batch {
		s.board(r, f)
	}
	s.flights[f.txid] = f
	return nil
}

// sweepLabel is the label of every sweep, as lnd writes it.
const sweepLabel = "0:sweep"

// hold tells why a request waits, once for each reason.
func (s *Sweeper) hold(r *request, why string) {
	if r.held != why {
		r.held = why
		s.w.fx.Tell = append(s.w.fx.Tell, SweepHeld{OutPoint: r.Spend.OutPoint, Why: why})
	}
}

// Rejected says that the network refused a transaction of ours. Requests of a batch
// go alone then, from now on. A fee that was too low is raised by a quarter, as far as
// the budget goes; what can never be mined is built anew with the next block.
func (s *Sweeper) Rejected(txid chainhash.Hash, why chainntnfs.RejectReason, now time.Time) Effects {
	f := s.flights[txid]
	if f == nil {
		return Effects{}
	}
	if batch := s.requestsOf(f); why == chainntnfs.RejectMissingInputs && batch[0].Parent != nil {
		s.hold(batch[0], "the backend does not have the transaction whose fee it raises") // it comes again behind its parent
		if batch[0].Spend.Kind == commitment.SpendOtherAnchor {
			// The parent is not ours to publish, and may never come back: until the next
			// try the coins are free.
			s.drop(f)
			s.w.remove(txid, chainhash.Hash{})
		}
		return s.w.flush()
	}
	switch why {
	case chainntnfs.RejectFeeTooLow:
		if rate := f.rate + f.rate/4; len(f.inputs) > 1 {
			s.scatter(f, rate, now)
		} else {
			s.replace(f, rate, now)
		}
	case chainntnfs.RejectConflict, chainntnfs.RejectMissingInputs, chainntnfs.RejectOther:
		for _, r := range s.requestsOf(f) {
			s.hold(r, fmt.Sprintf("the network refused %v: %v", txid, why))
		}
		if len(f.inputs) > 1 {
			s.scatter(f, f.rate, now)
			break
		}
		s.drop(f)
		s.w.remove(txid, chainhash.Hash{})
	case chainntnfs.RejectNotFinal:
		// The clock of the network: it is published again with the next block.
	}
	return s.w.flush()
}
