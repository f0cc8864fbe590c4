package routing

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Params are what a search weighs with. The defaults are those that the field uses.
type Params struct {
	// AttemptBase and AttemptPPM are what a failed attempt is worth: time, and money
	// locked on the way. It is divided by the probability of a path.
	AttemptBase lnwire.MilliSat
	AttemptPPM  uint32
	// RiskPPB is what locking money costs, in billionths of it per block.
	RiskPPB uint32
	// MinProbability is the least probability of a path that is worth trying.
	MinProbability float64
	// Apriori is the probability that a channel of which nothing is known carries an
	// amount far below its capacity.
	Apriori float64
	// Fraction is how much of a capacity is thought to be there to be sent.
	Fraction float64
	// Known is the probability that it carries what it carried before.
	Known float64
	// MinPart is the least that a payment is halved to.
	MinPart lnwire.MilliSat
	// HalfLife is the time after which half of a failure is forgiven.
	HalfLife time.Duration
	// Weight is how much Apriori counts against what a node did with others, from 0 to 1: that
	// alone, which spares a look at them.
	Weight float64
	// Bimodal, if set, judges in the place of Apriori, Fraction, Known, HalfLife and Weight.
	Bimodal *Bimodal
}

// DefaultParams are the parameters of a node that was not told otherwise.
var DefaultParams = Params{AttemptBase: 100_000, AttemptPPM: 1000, RiskPPB: 15, MinProbability: 0.01,
	Apriori: 0.6, Fraction: 0.9999, Known: 0.95, MinPart: 10_000_000, HalfLife: time.Hour, Weight: 1}

const shards = 64

// Memory is how much Scores keep.
type Memory struct {
	// Pairs is how many pairs are remembered; those of which nothing was heard for longest
	// are forgotten.
	Pairs int
	// Relax is for how long after a failure one of a larger amount says nothing new.
	Relax time.Duration
}

// DefaultMemory is that of a node that was not told otherwise.
var DefaultMemory = Memory{Pairs: 16384, Relax: time.Minute}

// toNode lists the histories of those who send to one node, by From.
type toNode []PairHistory

// Scores is what was learned of who forwards how much to whom. It is changed by one
// caller at a time; payments take a Snapshot, which must not be changed.
type Scores struct {
	Memory Memory
	shard  [shards]map[lnwire.PubKey]toNode
	shared [shards]bool
	n      int
}

// NewScores makes an empty memory.
func NewScores() *Scores { return &Scores{Memory: DefaultMemory} }

// Snapshot gives a copy that does not change.
func (s *Scores) Snapshot() *Scores {
	for i := range s.shared {
		s.shared[i] = true
	}
	return &Scores{Memory: s.Memory, shard: s.shard, shared: s.shared, n: s.n}
}

func shardOf(to lnwire.PubKey) int { return int(to[32]) % shards }

func (s *Scores) to(id lnwire.PubKey) toNode {
	if s == nil {
		return nil
	}
	return s.shard[shardOf(id)][id]
}

// edit gives the shard of a node, to be changed.
func (s *Scores) edit(to lnwire.PubKey) map[lnwire.PubKey]toNode {
	i := shardOf(to)
	if s.shared[i] || s.shard[i] == nil {
		own := make(map[lnwire.PubKey]toNode, len(s.shard[i])+1)
		for k, v := range s.shard[i] {
			own[k] = v
		}
		s.shard[i], s.shared[i] = own, false
	}
	return s.shard[i]
}

// Pairs counts the pairs.
func (s *Scores) Pairs() int { return s.n }

// Learn takes in what a payment observed at now. It is true when others were forgotten
// for it.
func (s *Scores) Learn(now time.Time, seen []Observation) (forgot bool) {
	for _, o := range seen {
		h, _ := s.History(o.From, o.To)
		h.From, h.To = o.From, o.To
		if o.Success {
			h.success(now, o.Amount)
		} else {
			h.failure(now, o.Amount, s.Memory.Relax)
		}
		s.put(h)
	}
	return s.Shrink()
}

// Shrink forgets what is too much; it is true when something was.
func (s *Scores) Shrink() bool {
	if s.n <= s.Memory.Pairs {
		return false
	}
	s.forget()
	return true
}

// Merge takes in what somebody else learned: of each kind what is newer than what is known,
// or with force all of it.
func (s *Scores) Merge(rows []PairHistory, force bool) {
	for _, r := range rows {
		h, _ := s.History(r.From, r.To)
		h.From, h.To = r.From, r.To
		success := !r.SuccessAt.IsZero() && (force || !h.SuccessAt.After(r.SuccessAt))
		fail := !r.FailAt.IsZero() && (force || !h.FailAt.After(r.FailAt))
		if success && force {
			h.Success = 0
		}
		if success && !r.SuccessAt.After(r.FailAt) {
			h.success(r.SuccessAt, r.Success)
		}
		if fail {
			h.FailAt = time.Time{}
			h.failure(r.FailAt, r.Fail, 0)
		}
		if success && r.SuccessAt.After(r.FailAt) {
			h.success(r.SuccessAt, r.Success)
		}
		s.put(h)
	}
	s.Shrink()
}

// success raises what went through, and takes back a failure that it disproves.
func (h *PairHistory) success(now time.Time, amount lnwire.MilliSat) {
	h.SuccessAt = now
	h.Success = max(h.Success, amount)
	if !h.FailAt.IsZero() && h.Success >= h.Fail {
		h.Fail = saturatingAdd(h.Success, 1)
	}
}

// failure lowers what did not go through, and takes back a success that it disproves.
// A larger amount that fails soon after a smaller one says nothing new.
func (h *PairHistory) failure(now time.Time, amount lnwire.MilliSat, relax time.Duration) {
	if !h.FailAt.IsZero() && amount > h.Fail && now.Sub(h.FailAt) < relax {
		return
	}
	h.FailAt, h.Fail = now, amount
	switch {
	case amount == 0:
		h.Success, h.SuccessAt = 0, time.Time{}
	case h.Success >= amount:
		h.Success = amount - 1
	}
}

// History gives what is known of a pair.
func (s *Scores) History(from, to lnwire.PubKey) (PairHistory, bool) {
	list := s.to(to)
	i, ok := list.find(from)
	if !ok {
		return PairHistory{}, false
	}
	return list[i], true
}

func (l toNode) find(from lnwire.PubKey) (int, bool) {
	return slices.BinarySearchFunc(l, from, func(h PairHistory, k lnwire.PubKey) int {
		return bytes.Compare(h.From[:], k[:])
	})
}

func (s *Scores) put(h PairHistory) {
	shard := s.edit(h.To)
	list := slices.Clone(shard[h.To])
	i, ok := list.find(h.From)
	if ok {
		list[i] = h
	} else {
		list = slices.Insert(list, i, h)
		s.n++
	}
	shard[h.To] = list
}

// Import puts rows in, over what is known of their pairs.
func (s *Scores) Import(rows []PairHistory) {
	for _, h := range rows {
		s.put(h)
	}
	s.Shrink()
}

// Export gives all rows, by To and From.
func (s *Scores) Export() []PairHistory {
	var rows []PairHistory
	for _, shard := range s.shard {
		for _, list := range shard {
			rows = append(rows, list...)
		}
	}
	slices.SortFunc(rows, func(a, b PairHistory) int {
		return cmp.Or(bytes.Compare(a.To[:], b.To[:]), bytes.Compare(a.From[:], b.From[:]))
	})
	return rows
}

// Reset forgets everything.
func (s *Scores) Reset() { *s = Scores{Memory: s.Memory} }

// forget drops the quarter of the pairs that nothing was heard of for longest.
func (s *Scores) forget() {
	rows := s.Export()
	slices.SortStableFunc(rows, func(a, b PairHistory) int { return b.heard().Compare(a.heard()) })
	s.Reset()
	for _, h := range rows[:s.Memory.Pairs*3/4] {
		s.put(h)
	}
}

func (h PairHistory) heard() time.Time {
	if h.SuccessAt.After(h.FailAt) {
		return h.SuccessAt
	}
	return h.FailAt
}

// Probability is how likely a node forwards an amount to another over a channel of
// that capacity (0: unknown).
func (s *Scores) Probability(now time.Time, p *Params, from, to lnwire.PubKey, amount lnwire.MilliSat, capacity lnwire.Sat) float64 {
	var others []*PairHistory
	if p.looksAround() {
		others = s.senders()[from]
	}
	known, c := (*PairHistory)(nil), satToMsat(capacity)
	if h, ok := s.History(from, to); ok {
		known = &h
	}
	return p.likely(now, known, others, amount, amount, c)
}

// senders lists what is known by who sends. Nothing of it may be changed.
func (s *Scores) senders() map[lnwire.PubKey][]*PairHistory {
	of := map[lnwire.PubKey][]*PairHistory{}
	if s == nil {
		return of
	}
	for i := range s.shard {
		for _, list := range s.shard[i] {
			for j := range list {
				of[list[j].From] = append(of[list[j].From], &list[j])
			}
		}
	}
	return of
}

// looksAround: what a node did with others counts.
func (p *Params) looksAround() bool {
	if p.Bimodal != nil {
		return p.Bimodal.NodeWeight > 0
	}
	return p.Weight < 1
}

// likely is how likely a channel carries what is on it, and on all channels of the two nodes.
// h is what is known of these, nil: nothing; others is what is known of the sending one, where
// that is looked at.
func (p *Params) likely(now time.Time, h *PairHistory, others []*PairHistory, pair, channel, capacity lnwire.MilliSat) float64 {
	if p.Bimodal != nil {
		return p.Bimodal.likely(now, h, others, pair, capacity)
	}
	base := p.apriori(channel, capacity)
	if p.Weight < 1 {
		base = p.among(now, base, others, pair)
	}
	if h == nil {
		return base
	}
	return p.experienced(now, h, pair, base)
}

// most is what likely is at most for an amount, or for more; proven says that something went
// through between the two nodes.
func (p *Params) most(amount, capacity lnwire.MilliSat, proven bool) float64 {
	switch {
	case p.Bimodal != nil && (proven || p.Bimodal.NodeWeight > 0):
		return 1
	case p.Bimodal != nil:
		return p.Bimodal.direct(time.Time{}, nil, amount, capacity)
	case proven || p.Weight < 1:
		return max(p.apriori(amount, capacity), p.Known)
	}
	return p.apriori(amount, capacity)
}

// among mixes a probability without experience with what the node did with others.
func (p *Params) among(now time.Time, base float64, others []*PairHistory, amount lnwire.MilliSat) float64 {
	own := 1/(1-p.Weight) - 1
	sum, weights := base*own, own
	for _, o := range others {
		switch {
		case !o.SuccessAt.IsZero() && amount <= o.Success:
			sum, weights = sum+p.Known, weights+1
		case !o.FailAt.IsZero() && amount >= o.Fail:
			weights += p.held(now, o.FailAt)
		}
	}
	if weights == 0 {
		return base
	}
	return sum / weights
}

// held is how much of a failure is not forgiven yet.
func (p *Params) held(now, at time.Time) float64 {
	age := now.Sub(at)
	if age <= 0 || p.HalfLife <= 0 {
		return 1
	}
	return math.Exp2(-float64(age) / float64(p.HalfLife))
}

// apriori is the probability without experience: that of a channel with room enough,
// and less as the amount comes near the capacity.
func (p *Params) apriori(amount, capacity lnwire.MilliSat) float64 {
	const smear, weight = 0.025, 0.5
	if capacity == 0 || float64(amount) < float64(capacity)*(p.Fraction-10*smear) {
		return p.Apriori
	}
	x := (float64(amount)/float64(capacity) - p.Fraction) / smear
	return p.Apriori * (1 - weight/(1+math.Exp(-x)))
}

// experienced corrects a probability by what is known of the pair.
func (p *Params) experienced(now time.Time, h *PairHistory, amount lnwire.MilliSat, base float64) float64 {
	if !h.SuccessAt.IsZero() && amount <= h.Success {
		return p.Known
	}
	if h.FailAt.IsZero() || amount < h.Fail {
		return base
	}
	return base * (1 - p.held(now, h.FailAt))
}
