package node

import (
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// flights is what our attempts hold, so that no two of them count on the same
// liquidity. It is under the lock of payments.
type flights struct {
	busy routing.Busy // of channels that are not ours, until the attempt has ended
	// asked holds our own channels, from the launch until the channel's own figures
	// count with the HTLC or it was refused.
	asked map[uint64]asking
}

type asking struct {
	scid   lnwire.ShortChannelID
	amount lnwire.MilliSat
}

func (f *flights) launched(l *routing.Launch) {
	f.busy.Add(&l.Attempt.Route)
	f.asked[l.AttemptID] = asking{l.FirstHop, l.Amount}
}

// ended gives back what an attempt held.
func (f *flights) ended(a *routing.Attempt) {
	if a.Status != routing.InFlight {
		f.busy.Remove(&a.Route)
	}
}

// free is what a channel can send besides what is on its way to it.
func (f *flights) free(scid lnwire.ShortChannelID, sendable lnwire.MilliSat) lnwire.MilliSat {
	for _, a := range f.asked {
		if a.scid == scid {
			sendable -= min(sendable, a.amount)
		}
	}
	return sendable
}

// Took is turn.Shell's.
func (s shell) Took(adds []htlc.Origin) { s.e.took = append(s.e.took[:0], adds...) }

// tell sets what is known of a channel; its figures count with what the turn took.
func (ps *payments) tell(e *entry, l *channel.LinkState) (was *channel.LinkState) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if was = e.link.Load(); l != nil {
		e.link.Store(l)
	}
	for _, o := range e.took {
		if o.Kind == htlc.FromAttempt {
			delete(ps.flights.asked, o.AttemptID)
		}
	}
	e.took = e.took[:0]
	return was
}

// world is the memory that one step of a payment needs.
type world struct {
	finder routing.Finder
	busy   []routing.Load
	locals []routing.Local
	env    routing.Env // as it was given last
	// potentials asks for those of the env.
	potentials func(lnwire.MilliSat) *routing.Potentials
}

// env is the world as a payment sees it now. It holds until w is used again.
func (ps *payments) env(w *world) routing.Env {
	n := ps.n
	ps.mu.Lock()
	scores, params := ps.scores.Snapshot(), ps.params
	w.busy = ps.flights.busy.AppendTo(w.busy[:0])
	w.locals = n.locals(w.locals[:0], &ps.flights)
	ps.mu.Unlock()
	w.env = routing.Env{
		Self: n.id, Graph: n.gossip.snapshot(), Locals: w.locals, Busy: w.busy, Height: n.height(), Scores: scores, Params: params,
		Finder: &w.finder, Attempts: n.nextAttempt, Potentials: w.potentials,
	}
	return w.env
}

// locals appends our channels as first hops.
func (n *Node) locals(out []routing.Local, f *flights) []routing.Local {
	for _, e := range n.channels.all() {
		l := e.link.Load()
		if l == nil || l.Ended {
			continue
		}
		local := routing.Local{SCID: l.Name(), Peer: l.Peer, Capacity: l.Capacity, Min: l.Minimum}
		if local.SCID == 0 {
			continue
		}
		local.Down = !l.Up
		if l.Up {
			local.Sendable = f.free(local.SCID, l.Spendable)
		}
		if p, ok := n.gossip.theirPolicy(l.ChanNum); ok {
			local.Inbound = p.Inbound
			local.Back = back(l, &p)
		}
		out = append(out, local)
	}
	return out
}

// back is a channel of ours as the last hop of a payment to ourselves.
func back(l *channel.LinkState, p *gossip.Policy) routing.Back {
	if !l.Up {
		return routing.Back{}
	}
	asked := graphPolicy(*p)
	asked.Max = min(asked.Max, l.Receivable)
	return routing.Back{SCID: l.Hint(), Policy: asked}
}
