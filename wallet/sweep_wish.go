package wallet

import "github.com/btcsuite/btcd/wire/v2"

// wishBlocks is how long a wish is kept for a request that is not made: a reorg may take
// it back, and the output comes again.
const wishBlocks = 2016

// wishFor notes the wish. What is offered from now on is not less.
func (s *Sweeper) wishFor(r *request, b Bump) {
	if b.Rate != 0 {
		r.wish.Rate = b.Rate
	}
	if b.Deadline != 0 {
		r.wish.Deadline = b.Deadline
	}
	if b.Budget != 0 {
		r.wish.Budget = b.Budget
	}
	r.wish.Alone = r.wish.Alone || b.Alone
	r.wish.OutPoint, r.wish.At, r.wish.Lifts = r.Spend.OutPoint, s.w.height(), r.Parent != nil
	s.w.putWish(r.wish)
	r.grant()
	if r.flight == nil && b.Rate > r.rate {
		r.rate, r.rateAt = b.Rate, s.w.height()
	}
}

// recall grants a request what was wished for its output before, as before a restart.
func (s *Sweeper) recall(r *request) {
	wish := s.w.wishes[r.Spend.OutPoint]
	if wish == nil || wish.Lifts && r.Parent == nil { // what it lifted is mined
		return
	}
	r.wish = *wish
	r.grant()
	if _, published := s.w.spends[wish.OutPoint]; !published && wish.Rate > r.rate {
		r.rate, r.rateAt = wish.Rate, s.w.height()
	}
}

// recallCoins makes the requests again that only the user made: of coins that raise the
// transaction that holds them.
func (s *Sweeper) recallCoins() {
	for op := range s.w.wishes {
		c := s.w.coins[op]
		if c == nil || s.w.confirmations(c.At) > 0 {
			continue
		}
		if t := s.w.txs[c.SpentBy]; c.spent() && (t == nil || !t.Sweep) {
			continue
		}
		r := s.requestOf(c)
		s.recall(r)
		s.requests[op] = r
	}
}

// forget ends a request for good.
func (s *Sweeper) forget(op wire.OutPoint) {
	delete(s.requests, op)
	s.w.dropWish(op)
}

// dropOldWishes ends those whose outputs nobody has asked for in a long time.
func (s *Sweeper) dropOldWishes() {
	for op, wish := range s.w.wishes {
		if s.requests[op] == nil && s.w.height() > wish.At+wishBlocks {
			s.w.dropWish(op)
		}
	}
}

func (w *Wallet) putWish(row WishRow) {
	w.wishes[row.OutPoint] = &row
	w.dirty.wishes[row.OutPoint] = true
}

func (w *Wallet) dropWish(op wire.OutPoint) {
	if w.wishes[op] != nil {
		delete(w.wishes, op)
		w.dirty.wishes[op] = true
	}
}
