package node

import (
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// learn takes in what a payment observed, and gives the rows that say so: they go with
// what the payment writes anyway, and may be lost with it. The caller holds the lock.
func (ps *payments) learn(seen []routing.Observation) (b channeldb.Batch) {
	switch {
	case len(seen) == 0:
	case ps.scores.Learn(ps.n.now(), seen):
		b.ForgetScores, b.Scores = true, ps.scores.Export()
	default:
		for _, o := range seen {
			if h, ok := ps.scores.History(o.From, o.To); ok {
				b.Scores = append(b.Scores, h)
			}
		}
	}
	return b
}

// Learned is what payments have taught about who sends how much to whom.
func (n *Node) Learned() []routing.PairHistory {
	n.payments.mu.Lock()
	scores := n.payments.scores.Snapshot()
	n.payments.mu.Unlock()
	return scores.Export()
}

// ForgetLearned forgets all of it.
func (n *Node) ForgetLearned() {
	n.relearn(func(s *routing.Scores) { s.Reset() })
}

// MergeLearned takes in what somebody else learned: what is newer than what is known, or
// all of it.
func (n *Node) MergeLearned(rows []routing.PairHistory, all bool) {
	n.relearn(func(s *routing.Scores) { s.Merge(rows, all) })
}

// relearn changes what is known, and returns when that is durable.
func (n *Node) relearn(change func(*routing.Scores)) {
	ps := n.payments
	done := make(chan struct{})
	ps.mu.Lock()
	change(ps.scores)
	n.write(channeldb.Batch{ForgetScores: true, Scores: ps.scores.Export()}, func() { close(done) })
	ps.mu.Unlock()
	<-done
	ps.surveys.forget()
}

// Learning is how much is remembered, and how a search weighs.
func (n *Node) Learning() (routing.Memory, routing.Params) {
	n.payments.mu.Lock()
	defer n.payments.mu.Unlock()
	return n.payments.scores.Memory, *n.payments.params
}

// SetLearning changes them, until the node is stopped.
func (n *Node) SetLearning(m routing.Memory, p routing.Params) {
	n.payments.mu.Lock()
	n.payments.scores.Memory, n.payments.params = m, &p
	n.payments.scores.Shrink()
	n.payments.mu.Unlock()
	n.payments.surveys.forget()
}

// PairProbability is how likely a node sends an amount to another, and what is known of
// the two.
func (n *Node) PairProbability(from, to lnwire.PubKey, amount lnwire.MilliSat) (float64, routing.PairHistory) {
	n.payments.mu.Lock()
	scores, params := n.payments.scores.Snapshot(), n.payments.params
	n.payments.mu.Unlock()
	h, _ := scores.History(from, to)
	return scores.Probability(n.now(), params, from, to, amount, 0), h
}

// forget drops what was prepared by other weights.
func (s *surveys) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.levels = nil
}

// BuildRoute makes a route over given nodes, from us. Source, Locals and Height of b are
// filled in.
func (n *Node) BuildRoute(b routing.Build) (routing.Route, error) {
	w := n.payments.worlds.Get().(*world)
	defer n.payments.worlds.Put(w)
	env := n.payments.env(w)
	b.Source, b.Locals, b.Height = n.id, env.Locals, env.Height
	return b.Route(env.Graph)
}
