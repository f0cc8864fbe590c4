package turn

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
)

// Machine is what a Runner runs: a channel.
type Machine interface {
	Step(channel.Event) channel.Effects
}

// Conn is a connection to the channel's peer. A message goes out on the connection
// that was there when the machine spoke, or not at all: what another one needs,
// channel_reestablish derives anew.
type Conn interface{}

// Item is an event for a channel, with what only the shell can know of it.
type Item struct {
	Event channel.Event
	// Conn is the connection, of a channel.Connected, and of a channel.Disconnected that
	// is about that one only.
	Conn Conn
	// Opened waits for the peeled onion, of a received update_add_htlc. The pool has
	// been at it since the message was read.
	Opened func() *htlc.Opened
	// Look, in an item without an Event, reads the machine. What it returns is called
	// when everything that it saw is durable.
	Look func(Machine) (seen func())
}

// Shell is what a Runner needs of the world around it.
type Shell interface {
	// Commit queues d for writing and calls release when it, and all that was queued
	// before it, is durable. It does not block. The order of calls is the order of
	// writes and of releases.
	Commit(d *channel.Delta, release func())
	// Took says which HTLCs the machine was asked for in this turn: what Deliver tells
	// next counts with them, or has refused them.
	Took(adds []htlc.Origin)
	// Deliver hands on what stays inside the process. It comes after Commit, so that
	// every consequence is queued behind its cause.
	Deliver(num uint64, fx *channel.Effects)
	// Ended says that the turn has committed and delivered all that it will: what was
	// queued in it, consequences too, may now be written together.
	Ended()
	// Release lets go of what leaves the process, on conn.
	Release(num uint64, conn Conn, fx *channel.Effects)
	// Broken tells that the machine panicked, and returns one loaded from what is
	// durable. It may wait for the writer.
	Broken(num uint64, what string) (Machine, error)
}

// Runner takes the turns of one channel.
type Runner struct {
	Num   uint64
	Inbox *Inbox[Item]
	// Mute: the machine is never asked to sign for what has changed. For tests of what
	// peers make of that; set before the first item.
	Mute bool

	machine Machine
	shell   Shell
	conn    Conn
	// strikes counts panics since the last turn that went well. A machine that
	// panics again from its durable state only follows the chain from then on.
	strikes     int
	quarantined bool
	// adds are the HTLCs that the machine was asked for since the last write.
	adds []htlc.Origin
}

// NewRunner makes the runner of channel num; spawn starts its turns.
func NewRunner(num uint64, m Machine, shell Shell, spawn func(func())) *Runner {
	r := &Runner{Num: num, machine: m, shell: shell}
	r.Inbox = NewInbox(spawn, r.turn)
	return r
}

// turn steps the machine over everything that has arrived and lets it sign once
// for all of it. What that leads to inside the process may come back at once (the
// answer to an HTLC that was just locked in): it is stepped too before the machine
// signs, so that one commitment holds both.
func (r *Runner) turn(items []Item) {
	var fx channel.Effects
	seen := r.steps(items, &fx, nil)
	if len(fx.LockedIn) > 0 || len(fx.Outcomes) > 0 {
		r.finish(&fx)
		fx = channel.Effects{}
		seen = r.steps(r.Inbox.More(), &fx, seen)
	}
	if !r.Mute {
		r.step(channel.Flush{}, &fx)
	}
	r.finish(&fx)
	for _, f := range seen {
		r.shell.Commit(&channel.Delta{}, f)
	}
	r.shell.Ended()
}

// steps steps the machine over items. A change of connection comes between what was
// said before it, which must not go out after it, and the rest.
func (r *Runner) steps(items []Item, fx *channel.Effects, seen []func()) []func() {
	for _, it := range items {
		if it.Event == nil {
			if f := r.look(it.Look, fx); f != nil {
				seen = append(seen, f)
			}
			continue
		}
		switch it.Event.(type) {
		case channel.Disconnected:
			if it.Conn != nil && it.Conn != r.conn {
				continue // the end of one that this channel does not use any more
			}
			it.Conn = nil
			r.connect(it, fx)
		case channel.Connected:
			r.connect(it, fx)
		}
		if rcv, ok := it.Event.(channel.Received); ok && it.Opened != nil {
			rcv.Opened = it.Opened()
			it.Event = rcv
		}
		r.step(it.Event, fx)
	}
	return seen
}

// connect ends what was said on the connection before.
func (r *Runner) connect(it Item, fx *channel.Effects) {
	r.finish(fx)
	*fx = channel.Effects{}
	r.conn = it.Conn
}

// finish queues the write and hands on the effects.
func (r *Runner) finish(fx *channel.Effects) {
	done := *fx
	conn := r.conn
	if len(r.adds) > 0 {
		r.shell.Took(r.adds)
		r.adds = r.adds[:0]
	}
	if !done.Disconnect && !done.Delta.Empty() {
		r.strikes = 0
	}
	if leaves(&done) || !done.Delta.Empty() {
		r.shell.Commit(&done.Delta, func() { r.shell.Release(r.Num, conn, &done) })
	}
	r.shell.Deliver(r.Num, &done)
}

func leaves(fx *channel.Effects) bool {
	return len(fx.Send) > 0 || len(fx.Publish) > 0 || len(fx.Outdone) > 0 || fx.Unfund != nil || fx.Announce != nil ||
		len(fx.Tell) > 0 || len(fx.Delta.Finished) > 0 || fx.Disconnect
}

// step steps the machine. A panic there is a broken invariant of one channel, not
// of the node: the effects of this turn are dropped, as if the process had died
// before the write, and the machine goes on once from its durable state.
func (r *Runner) step(ev channel.Event, fx *channel.Effects) {
	if add, ok := ev.(channel.AddHTLC); ok {
		if r.quarantined {
			fx.Refused = append(fx.Refused, r.refusal(add.Origin))
			return
		}
		r.adds = append(r.adds, add.Origin)
	}
	if r.quarantined && !stillHeard(ev) {
		return
	}
	if what, ok := r.try(ev, fx); !ok {
		r.broken(what, fx)
	}
}

// look reads the machine. A panic there is one of the machine's; whoever asked is not
// answered.
func (r *Runner) look(read func(Machine) func(), fx *channel.Effects) (seen func()) {
	defer func() {
		if p := recover(); p != nil {
			seen = nil
			r.broken(fmt.Sprintf("look: %v\n%s", p, debug.Stack()), fx)
		}
	}()
	return read(r.machine)
}

func (r *Runner) try(ev channel.Event, fx *channel.Effects) (what string, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			what = fmt.Sprintf("%T: %v\n%s", ev, p, debug.Stack())
			ok = false
		}
	}()
	fx.Append(r.machine.Step(ev))
	return "", true
}

func (r *Runner) broken(what string, fx *channel.Effects) {
	*fx = channel.Effects{Disconnect: true, Refused: r.lost(fx.Refused)}
	r.strikes++
	m, err := r.shell.Broken(r.Num, what)
	if err != nil || r.strikes > 1 {
		r.quarantined = true
	}
	if err != nil {
		return
	}
	r.machine = m
	var again channel.Effects
	if _, ok := r.try(channel.Resumed{}, &again); !ok {
		r.quarantined = true
		return
	}
	fx.Append(again)
}

// lost are the HTLCs that the machine was asked for and that no signature covers: they
// go with its memory, and whoever asked has to hear of it. told are those that the
// dropped turn had refused.
func (r *Runner) lost(told []htlc.Refusal) []htlc.Refusal {
	list := slices.Clone(told)
	var last channel.Effects
	if _, ok := r.try(channel.Disconnected{}, &last); ok {
		list = append(list, last.Refused...)
	}
	for _, o := range r.adds {
		if !slices.ContainsFunc(list, func(f htlc.Refusal) bool { return f.Origin == o }) {
			list = append(list, r.refusal(o))
		}
	}
	return list
}

func (r *Runner) refusal(o htlc.Origin) htlc.Refusal {
	return htlc.Refusal{ChanNum: r.Num, Origin: o, Reason: htlc.LinkDown, Text: "the channel has broken an invariant"}
}

// stillHeard reports the events that a quarantined channel follows: the chain's, the
// operator's wish to end it, and answers to HTLCs, for which it may have to go to the
// chain. Nothing that the peer says reaches it any more, and no new HTLC.
func stillHeard(ev channel.Event) bool {
	switch ev.(type) {
	case channel.Block, channel.Confirmed, channel.Unconfirmed, channel.Spent, channel.Tick,
		channel.Unmined, channel.ChainLost, channel.Loaded, channel.Answered, channel.Resumed, channel.Resolve, channel.CloseAsked,
		channel.FundingFreed, channel.FundingDropped, channel.Abandoned:
		return true
	}
	return false
}
