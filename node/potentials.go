package node

import (
	"slices"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

const (
	// bigGraph is from how many channels on a search is worth preparing for.
	bigGraph = 2000
	// potentialsAge is how long potentials are used though the graph has changed.
	potentialsAge = time.Minute
	// levelsKept bounds how many levels of amounts are prepared for.
	levelsKept = 16
)

// surveys keeps the potentials by which payments of ours find their paths fast. They
// are made when an amount was asked for, beside the payment that asked, one at a time;
// until they are there it searches without.
type surveys struct {
	mu     sync.Mutex
	levels []survey // lately used first
	busy   bool
}

type survey struct {
	level      lnwire.MilliSat
	made       time.Time
	potentials *routing.Potentials
}

// potentials are those for an amount, if there are any, and new ones are made if there
// are none or they are old.
func (ps *payments) potentials(now time.Time, env *routing.Env, amount lnwire.MilliSat) *routing.Potentials {
	if env.Graph.Channels() < bigGraph || len(env.Locals) == 0 {
		return nil
	}
	s, level := &ps.surveys, routing.PotentialLevel(amount)
	s.mu.Lock()
	defer s.mu.Unlock()
	var have *routing.Potentials
	fresh := false
	if i := slices.IndexFunc(s.levels, func(v survey) bool { return v.level == level }); i >= 0 {
		v := s.levels[i]
		copy(s.levels[1:], s.levels[:i])
		s.levels[0] = v
		have = v.potentials
		fresh = now.Sub(v.made) < potentialsAge || have.Of(env.Graph) && now.Sub(v.made) < 10*potentialsAge
	}
	if !fresh && !s.busy {
		s.busy = true
		graph, locals, scores, params := env.Graph, slices.Clone(env.Locals), env.Scores, env.Params
		ps.n.spawn(func() {
			s.keep(survey{level, now, routing.NewPotentials(graph, locals, scores, params, level)})
		})
	}
	return have
}

func (s *surveys) keep(v survey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	s.levels = slices.DeleteFunc(s.levels, func(o survey) bool { return o.level == v.level })
	s.levels = slices.Insert(s.levels, 0, v)
	s.levels = s.levels[:min(len(s.levels), levelsKept)]
}
