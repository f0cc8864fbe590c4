package chainntnfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Follower tells many clients what happens to what they watch. All who are up to
// date share one lane, the live one, at the tip. Who asks for blocks of the past
// is led over them on a lane behind it, which joins the live one when both stand
// on the same block: meanwhile the others are served. It is for one goroutine
// and does its work in Advance.
type Follower struct {
	src     Source
	known   []lnwire.BlockRef
	live    *lane // nil before the first Advance
	behind  []*lane
	queue   []request
	clients []Client // sorted
	tips    map[Client]lnwire.BlockRef
}

// request is a client's wish to be led over blocks of the past.
type request struct {
	client  Client
	cursor  lnwire.BlockRef // zero: none, or on the main chain
	watches []Watch
	lowest  lnwire.Height // whatever From says, the first block to look at; 0: From counts
}

// NewFollower makes one without clients. known are blocks that the caller holds
// for true, as for NewWalker.
func NewFollower(src Source, known ...lnwire.BlockRef) *Follower {
	return &Follower{src: src, known: slices.Clone(known), tips: make(map[Client]lnwire.BlockRef)}
}

// Join adds a client, anew if it is there already. cursor is the last Tip that it was told in an earlier life,
// or zero; when that block has left the chain, what the blocks since the fork
// say of these watches is taken back first, and the new ones are looked at
// whatever From says. The client is told Tip when it is up to date.
func (f *Follower) Join(c Client, cursor lnwire.BlockRef, watches ...Watch) {
	f.Leave(c)
	f.clients = with(f.clients, c)
	f.queue = append(f.queue, request{client: c, cursor: cursor, watches: slices.Clone(watches)})
}

// Watch adds watches of a client that has joined. While blocks from their From
// on are being looked at, the client is told no Tip.
func (f *Follower) Watch(c Client, watches ...Watch) {
	if _, ok := slices.BinarySearch(f.clients, c); ok {
		f.queue = append(f.queue, request{client: c, watches: slices.Clone(watches)})
	}
}

// Unwatch removes watches of a client.
func (f *Follower) Unwatch(c Client, watches ...Watch) {
	gone := func(w Watch) bool {
		return slices.ContainsFunc(watches, func(o Watch) bool { return slices.Equal(o.things(), w.things()) })
	}
	for i := range f.queue {
		if f.queue[i].client == c {
			f.queue[i].watches = slices.DeleteFunc(f.queue[i].watches, gone)
		}
	}
	for _, l := range f.lanes() {
		l.ahead = slices.DeleteFunc(l.ahead, func(a ahead) bool { return a.client == c && gone(a.watch) })
		for _, w := range watches {
			l.tracker.Unwatch(c, w)
		}
	}
}

// Leave removes a client: it is told nothing more.
func (f *Follower) Leave(c Client) {
	f.queue = slices.DeleteFunc(f.queue, func(r request) bool { return r.client == c })
	for _, l := range f.lanes() {
		l.leave(c)
	}
	f.clients = slices.DeleteFunc(f.clients, func(o Client) bool { return o == c })
	delete(f.tips, c)
}

// Unmined tells whom an unconfirmed transaction concerns.
func (f *Follower) Unmined(tx *wire.MsgTx) []Notice {
	var clients []Client
	for _, l := range f.lanes() {
		for _, c := range l.tracker.concerned(tx) {
			clients = with(clients, c)
		}
	}
	notices := make([]Notice, len(clients))
	for i, c := range clients {
		notices[i] = Notice{c, Unmined{Tx: tx}}
	}
	return notices
}

// Locator lists blocks to hand to the next NewFollower after a restart.
func (f *Follower) Locator() []lnwire.BlockRef {
	if f.live == nil {
		return slices.Clone(f.known)
	}
	return f.live.walker.Locator()
}

// Advance goes some blocks on and gives what is to be told, in order. more says
// that there is work left that needs no change of the backend. The notices hold
// also when there is an error. An error is the backend's: the next call goes on
// where this one stopped.
func (f *Follower) Advance(ctx context.Context) (notices []Notice, more bool, err error) {
	if f.live == nil {
		tip, err := f.src.Tip(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("follow the chain: %w", err)
		}
		f.live = f.newLane(tip)
	}
	atTip, err := f.live.run(ctx, &notices)
	if err != nil {
		return notices, false, err
	}
	behind := f.admit(ctx, &notices)
	if behind != nil && !errors.Is(behind, ErrBehind) {
		return notices, false, behind
	}
	for _, l := range slices.Clone(f.behind) {
		if _, err := l.run(ctx, &notices); err != nil {
			return notices, false, err
		}
		f.join(l)
	}
	if atTip {
		notices = append(notices, f.tellTip()...)
	}
	return notices, !atTip || len(f.behind) > 0, behind
}

// admit finds out where each request starts. What starts in the past gets one
// common lane. A request whose block the backend does not know yet waits, which
// is told as ErrBehind; any other error leaves what remains in the queue.
func (f *Follower) admit(ctx context.Context, notices *[]Notice) (waiting error) {
	var wait []request
	var past []ahead
	defer func() { f.queue = append(wait, f.queue...) }()
	for len(f.queue) > 0 {
		r := &f.queue[0]
		more, err := f.unwind(ctx, r)
		*notices = append(*notices, more...)
		switch {
		case errors.Is(err, ErrBehind):
			wait, waiting = append(wait, *r), err
		case err != nil:
			return err
		default:
			past = append(past, f.place(r)...)
		}
		f.queue = f.queue[1:]
	}
	if len(past) == 0 {
		return waiting
	}
	slices.SortStableFunc(past, func(a, b ahead) int { return cmp.Compare(a.start, b.start) })
	at := lnwire.BlockRef{Height: past[0].start - 1}
	hash, err := f.src.BlockHash(ctx, at.Height)
	if err != nil {
		for _, a := range past { // once more with the next call
			f.queue = append(f.queue, request{client: a.client, watches: []Watch{a.watch}, lowest: a.start})
		}
		return fmt.Errorf("follow the chain from block %d: %w", past[0].start, err)
	}
	at.Hash = hash
	l := f.newLane(at)
	l.ahead = past
	f.behind = append(f.behind, l)
	return waiting
}

// unwind takes a client back from a block that has left the chain.
func (f *Follower) unwind(ctx context.Context, r *request) (notices []Notice, err error) {
	if r.cursor == (lnwire.BlockRef{}) {
		return nil, nil
	}
	on, err := onMain(ctx, f.src, r.cursor)
	if err != nil {
		return nil, fmt.Errorf("follow the chain: %w", err)
	}
	if on {
		r.cursor = lnwire.BlockRef{}
		return nil, nil
	}
	l := f.newLane(r.cursor)
	l.tracker.Join(r.client)
	for _, w := range r.watches {
		l.tracker.Watch(r.client, w)
	}
	for {
		step, ok, err := l.walker.Next(ctx)
		switch {
		case errors.Is(err, ErrNoForkPoint):
			notices = append(notices, Notice{r.client, Lost{Cursor: r.cursor}})
			r.cursor = lnwire.BlockRef{}
			return notices, nil
		case err != nil:
			return nil, err
		case !ok:
			r.lowest = l.walker.At().Height + 1
		case step.Connect:
			r.lowest = step.At.Height
		default:
			notices = append(notices, l.tracker.Step(step)...)
			continue
		}
		r.cursor = lnwire.BlockRef{}
		return notices, nil
	}
}

// place gives the live lane what looks only at blocks to come, and returns the
// rest.
func (f *Follower) place(r *request) []ahead {
	var past []ahead
	f.live.tracker.Join(r.client)
	for _, w := range r.watches {
		start := max(w.From, 1) // nobody spends or watches the genesis block
		if r.lowest > 0 {
			start = min(start, r.lowest)
		}
		if start > f.live.walker.At().Height {
			f.live.tracker.Watch(r.client, w)
		} else {
			past = append(past, ahead{r.client, w, start})
		}
	}
	return past
}

// join merges a lane into the live one when both stand on the same block.
func (f *Follower) join(l *lane) {
	at := l.walker.At() == f.live.walker.At()
	if at {
		l.takeUp(^lnwire.Height(0))
		f.live.tracker.Adopt(l.tracker)
	}
	if at || l.idle() {
		f.behind = slices.DeleteFunc(f.behind, func(o *lane) bool { return o == l })
	}
}

// tellTip tells everybody who is up to date where the chain stands.
func (f *Follower) tellTip() []Notice {
	late := make(map[Client]bool)
	for _, r := range f.queue {
		late[r.client] = true
	}
	for _, l := range f.behind {
		for _, c := range l.clients() {
			late[c] = true
		}
	}
	tip := f.live.walker.At()
	var notices []Notice
	for _, c := range f.clients {
		if !late[c] && f.tips[c] != tip {
			f.tips[c] = tip
			notices = append(notices, Notice{c, Tip{At: tip}})
		}
	}
	return notices
}

func (f *Follower) newLane(at lnwire.BlockRef) *lane {
	below := slices.DeleteFunc(slices.Clone(f.known), func(r lnwire.BlockRef) bool { return r.Height >= at.Height })
	return &lane{walker: NewWalker(f.src, at, below...), tracker: NewTracker()}
}

func (f *Follower) lanes() []*lane {
	if f.live == nil {
		return nil
	}
	return append([]*lane{f.live}, f.behind...)
}
