package routing

import (
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// MaxCLTV is the most blocks that an HTLC of ours may be locked, unless the caller
// says otherwise: nodes refuse more.
const MaxCLTV = 2016

// maxHints bounds the channels of route hints that a search looks at.
const maxHints = 128

// Pair is one node's sending to another.
type Pair struct{ From, To lnwire.PubKey }

// Direction is one direction of a channel: what From sends over it.
type Direction struct {
	SCID lnwire.ShortChannelID
	From lnwire.PubKey
}

// Update is a policy that replaces the graph's for one search (V-72).
type Update struct {
	Direction
	Policy Policy
}

// Query asks for a route.
type Query struct {
	Source, Target lnwire.PubKey
	Amount         lnwire.MilliSat // what the target gets
	Height         lnwire.Height   // of the chain
	FinalDelta     uint16
	// FinalLen is the length of the target's payload; 0 stands for that of a plain
	// one.
	FinalLen int
	// Features are the target's by its invoice; nil: its announcement counts.
	Features lnwire.Features
	FeeLimit lnwire.MilliSat
	CLTV     uint32 // limit of the first HTLC's lock in blocks; 0 stands for MaxCLTV
	// Ours: the source is this node, which sends over Locals and nothing else.
	Ours   bool
	Locals []Local
	Hints  [][]HintHop
	// Outgoing are the first channels that may be used; empty: all.
	Outgoing []lnwire.ShortChannelID
	LastHop  *lnwire.PubKey // the node before the target; nil: any

	// Blinded are ways to a recipient that does not say who it is; Target is then zero.
	Blinded []BlindedPath

	IgnoreNodes []lnwire.PubKey
	IgnorePairs []Pair
	IgnoreEdges []Direction
	Updates     []Update
	// Busy is what attempts under way hold, and Failed what did not go through along
	// with what was under way then.
	Busy   []Load
	Failed []Observation
	// Caps bound what our own channels take, by experience.
	Caps []Cap

	// TimePref is Limits.TimePref.
	TimePref float64
	// Potentials make the search faster where the source is ours. They serve amounts from
	// their level on. nil: none.
	Potentials *Potentials
	// Unlikely: a way below Params.MinProbability is better than none.
	Unlikely bool

	Scores *Scores // nil: no experience
	Params *Params // nil: DefaultParams
	Now    time.Time
}

// Cap is the most that a channel of ours takes, as it showed.
type Cap struct {
	SCID lnwire.ShortChannelID
	Most lnwire.MilliSat
}

// NoRoute says why there is no route. Its text for clients is lnd's.
type NoRoute struct {
	Reason FailureReason // ReasonNoRoute or ReasonInsufficientBalance
	Why    string        // in words
	// Unlikely: some way was left out since it failed lately; Query.Unlikely takes it.
	Unlikely bool
	// Largest is the most that one channel of ours could send, when that was too
	// little.
	Largest lnwire.MilliSat
}

// Error is what clients compare, with the reason behind it.
func (e *NoRoute) Error() string { return e.Brief() + ": " + e.Why }

// Brief is what clients compare, and no more.
func (e *NoRoute) Brief() string {
	if e.Reason == ReasonInsufficientBalance {
		return "insufficient local balance"
	}
	return "unable to find a path to destination"
}

func noRoute(format string, args ...any) error {
	return &NoRoute{Reason: ReasonNoRoute, Why: fmt.Sprintf(format, args...)}
}

// purse sums up what our channels can send.
type purse struct {
	channels     int
	down         int // of those
	sum, largest lnwire.MilliSat
}

func (p *purse) add(l *Local) {
	p.channels++
	if l.Down {
		p.down++
	}
	p.sum, p.largest = saturatingAdd(p.sum, l.Sendable), max(p.largest, l.Sendable)
}

// checkBalance says whether our channels can carry the amount at all: those that the
// caller allows, and those of them that this search may still use.
func checkBalance(amount lnwire.MilliSat, allowed, usable purse) error {
	switch {
	case allowed.sum < amount:
		return &NoRoute{Reason: ReasonInsufficientBalance, Why: fmt.Sprintf("our channels (%d, of them down: %d) can send %s, %s are asked for",
			allowed.channels, allowed.down, allowed.sum, amount)}
	case usable.channels == 0:
		return noRoute("no channel of ours is left to try")
	case usable.largest < amount:
		return &NoRoute{Reason: ReasonNoRoute, Largest: usable.largest,
			Why: fmt.Sprintf("no single channel of ours that is left can send %s; the best one can send %s", amount, usable.largest)}
	}
	return nil
}
