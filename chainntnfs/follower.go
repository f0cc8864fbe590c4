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
	cursor  lnwire.BlockRef // a block that the client takes for true; zero: none
	watches []Watch
	lowest  lnwire.Height // whatever From says, the first block to look at; 0: From counts
	ready   bool          // the cursor is on the main chain
}

// start is the first block to look at for a watch.
func (r *request) start(w Watch) lnwire.Height {
	start := max(w.From, 1) // nothing is to be told of the genesis block
	if r.lowest > 0 {
		start = min(start, r.lowest)
	}
	return start
}

// first is the first block to go over: from the client's own on, so that it is
// noticed when that one leaves the chain meanwhile.
func (r *request) first() lnwire.Height {
	first := ^lnwire.Height(0)
	for _, w := range r.watches {
		first = min(first, r.start(w))
	}
	if r.cursor != (lnwire.BlockRef{}) {
		first = min(first, r.cursor.Height+1)
	}
	return first
}

// NewFollower makes one without clients. known are blocks that the caller holds
// for true, as for NewWalker.
func NewFollower(src Source, known ...lnwire.BlockRef) *Follower {
	return &Follower{src: src, known: slices.Clone(known), tips: make(map[Client]lnwire.BlockRef)}
}

// Join adds a client, anew if it is there already, with all that it watches.
// cursor is the last Tip that it was told in an earlier life, or zero. When that
// block has left the chain, what the blocks down to the fork held of these
// watches is taken back first, and the new ones are looked at whatever From says.
// The client is told Tip when it is up to date.
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

// Outpoints lists the outputs that a client watches.
func (f *Follower) Outpoints(c Client) (list []wire.OutPoint) {
	add := func(watches []Watch) {
		for _, w := range watches {
			if w.Outpoint != (wire.OutPoint{}) {
				list = append(list, w.Outpoint)
			}
		}
	}
	for _, q := range f.queue {
		if q.client == c {
			add(q.watches)
		}
	}
	for _, l := range f.lanes() {
		add(l.watches(c))
	}
	return list
}

// Leave removes a client: it is told nothing more.
func (f *Follower) Leave(c Client) {
	f.forget(c)
	f.clients = slices.DeleteFunc(f.clients, func(o Client) bool { return o == c })
}

// forget drops everything that a client watches, waits for and was told.
func (f *Follower) forget(c Client) {
	f.queue = slices.DeleteFunc(f.queue, func(r request) bool { return r.client == c })
	for _, l := range f.lanes() {
		l.leave(c)
	}
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
	atTip, err := f.run(ctx, f.live, &notices)
	if err != nil {
		return notices, false, err
	}
	behind := f.admit(ctx, &notices)
	if behind != nil && !errors.Is(behind, ErrBehind) {
		return notices, false, behind
	}
	for _, l := range slices.Clone(f.behind) {
		if _, err := f.run(ctx, l, &notices); err != nil {
			return notices, false, err
		}
		f.join(l)
	}
	if atTip {
		notices = append(notices, f.tellTip()...)
	}
	return notices, !atTip || len(f.behind) > 0 || len(f.queue) > 0 && behind == nil, behind
}

// run goes on with a lane. Who was on it when the backend had
// forgotten blocks of it starts anew.
func (f *Follower) run(ctx context.Context, l *lane, notices *[]Notice) (atTip bool, err error) {
	atTip, gone, err := l.run(ctx, notices)
	if gone != nil {
		for _, c := range l.clients() {
			*notices = append(*notices, f.lose(c, Lost{Cursor: gone.At, Fork: gone.Now}))
		}
	}
	return atTip, err
}

// lose lets a client start anew after the fork, with everything it watches: it
// drops all its beliefs above, whichever lane they came from.
func (f *Follower) lose(c Client, lost Lost) Notice {
	r := request{client: c}
	if lost.Fork != (lnwire.BlockRef{}) {
		r.cursor, r.lowest = lost.Fork, lost.Fork.Height+1
	}
	for _, q := range f.queue {
		if q.client == c {
			r.watches = append(r.watches, q.watches...)
		}
	}
	for _, l := range f.lanes() {
		r.watches = append(r.watches, l.watches(c)...)
	}
	f.forget(c)
	f.queue = append(f.queue, r)
	return Notice{c, lost}
}

// admit finds out where each request starts. What starts in the past gets one
// common lane. A request whose block the backend does not know yet waits, which
// is told as ErrBehind.
func (f *Follower) admit(ctx context.Context, notices *[]Notice) (waiting error) {
	for i := range f.queue {
		f.queue[i].ready = false
	}
	for i := 0; i < len(f.queue); {
		r := &f.queue[i]
		if r.ready {
			i++
			continue
		}
		told, lost, err := f.unwind(ctx, r)
		*notices = append(*notices, told...)
		switch {
		case errors.Is(err, ErrBehind):
			waiting = err
			i++
		case err != nil:
			return err
		case lost != nil:
			*notices = append(*notices, f.lose(r.client, *lost))
			i = 0 // the queue is another now
		default:
			r.ready = true
		}
	}
	var wait, past []request
	for _, r := range f.queue {
		switch {
		case !r.ready:
			wait = append(wait, r)
		case f.current(&r):
			f.placeLive(&r)
		default:
			past = append(past, r)
		}
	}
	f.queue = slices.Concat(wait, past)
	if len(past) == 0 {
		return waiting
	}
	l, err := f.lead(ctx, past)
	if errors.Is(err, ErrNoBlock) {
		return waiting // the chain has just become shorter: once more
	}
	if err != nil {
		return err
	}
	f.behind, f.queue = append(f.behind, l), wait
	return waiting
}

// unwind takes a client back from a block that has left the chain, or says that
// the way back is lost.
func (f *Follower) unwind(ctx context.Context, r *request) (told []Notice, lost *Lost, err error) {
	if r.cursor == (lnwire.BlockRef{}) {
		return nil, nil, nil
	}
	on, err := onMain(ctx, f.src, r.cursor)
	if err != nil {
		return nil, nil, fmt.Errorf("follow the chain: %w", err)
	}
	if on {
		return nil, nil, nil
	}
	l := f.newLane(r.cursor)
	for _, w := range r.watches {
		l.tracker.Watch(r.client, w)
	}
	for {
		fork := l.walker.At()
		step, ok, err := l.walker.Next(ctx)
		switch {
		case errors.Is(err, ErrNoForkPoint):
			return told, &Lost{Cursor: r.cursor}, nil
		case err != nil:
			return nil, nil, err
		case ok && step.Forgotten():
			return told, &Lost{Cursor: r.cursor, Fork: step.Now}, nil
		case ok && !step.Connect:
			told = append(told, l.tracker.Step(step)...)
		default:
			r.cursor, r.lowest = fork, fork.Height+1
			return told, nil, nil
		}
	}
}

// current says that a request looks only at blocks to come, on the chain that the
// live lane follows.
func (f *Follower) current(r *request) bool {
	at := f.live.walker.At().Height
	for _, w := range r.watches {
		if r.start(w) <= at {
			return false
		}
	}
	on, _ := f.live.walker.recall(r.cursor)
	return on || r.cursor == (lnwire.BlockRef{})
}

func (f *Follower) placeLive(r *request) {
	f.live.tracker.Join(r.client)
	for _, w := range r.watches {
		f.live.tracker.Watch(r.client, w)
	}
}

// lead makes a lane for requests that start in the past.
func (f *Follower) lead(ctx context.Context, past []request) (*lane, error) {
	first := f.live.walker.At().Height + 1
	for i := range past {
		first = min(first, past[i].first())
	}
	hash, err := f.src.BlockHash(ctx, first-1)
	if err != nil {
		return nil, fmt.Errorf("follow the chain from block %d: %w", first, err)
	}
	l := f.newLane(lnwire.BlockRef{Height: first - 1, Hash: hash})
	for _, r := range past {
		l.tracker.Join(r.client)
		for _, w := range r.watches {
			l.ahead = append(l.ahead, ahead{r.client, w, r.start(w)})
		}
		if r.cursor != (lnwire.BlockRef{}) {
			l.claims = append(l.claims, r)
		}
	}
	slices.SortStableFunc(l.ahead, func(a, b ahead) int { return cmp.Compare(a.start, b.start) })
	return l, nil
}

// join merges a lane into the live one when both stand on the same block.
func (f *Follower) join(l *lane) {
	at := l.walker.At() == f.live.walker.At()
	if at {
		l.takeUp(^lnwire.Height(0))
		f.live.tracker.Adopt(l.tracker)
		f.queue = append(f.queue, l.disproved()...)
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
