package chain

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// retry is how long the driver waits after an error of a backend that says it is
// up. A backend that is down tells when it is back.
const retry = time.Second

// Driver runs a chainntnfs.Follower: it takes wishes from any goroutine and tells
// events from one.
type Driver struct {
	backend  chainntnfs.Backend
	log      *slog.Logger
	follower *chainntnfs.Follower
	kick     chan struct{} // holds one token

	mu     sync.Mutex
	wishes []func(*chainntnfs.Follower)
}

// NewDriver makes a driver. known are blocks that are held for true from an earlier
// run, ascending: the genesis block at least.
func NewDriver(b chainntnfs.Backend, log *slog.Logger, known ...lnwire.BlockRef) *Driver {
	return &Driver{backend: b, log: log, follower: chainntnfs.NewFollower(b, known...), kick: make(chan struct{}, 1)}
}

// Join leads a client from its cursor to the tip and keeps it there.
func (d *Driver) Join(c chainntnfs.Client, cursor lnwire.BlockRef, watches ...chainntnfs.Watch) {
	d.wish(func(f *chainntnfs.Follower) { f.Join(c, cursor, watches...) })
	d.watchMempool(watches)
}

// Attend adds a client that only wants to know of blocks, as Join does; it has no cursor.
func (d *Driver) Attend(c chainntnfs.Client, watches ...chainntnfs.Watch) {
	d.wish(func(f *chainntnfs.Follower) { f.Join(c, lnwire.BlockRef{}, watches...) })
}

// Quit removes a client of Attend. What others watch in the mempool stays watched.
func (d *Driver) Quit(c chainntnfs.Client) {
	d.wish(func(f *chainntnfs.Follower) { f.Leave(c) })
}

// Watch adds watches of a client that has joined.
func (d *Driver) Watch(c chainntnfs.Client, watches ...chainntnfs.Watch) {
	d.wish(func(f *chainntnfs.Follower) { f.Watch(c, watches...) })
	d.watchMempool(watches)
}

// watchMempool looks out for spends before any block holds them, too.
func (d *Driver) watchMempool(watches []chainntnfs.Watch) {
	var filter chainntnfs.MempoolFilter
	for _, w := range watches {
		if w.Outpoint != (wire.OutPoint{}) {
			filter.Outpoints = append(filter.Outpoints, w.Outpoint)
		}
	}
	if len(filter.Outpoints) > 0 {
		d.backend.WatchMempool(filter)
	}
}

// Leave removes a client. Nothing that it watched is looked out for in the mempool any
// more.
func (d *Driver) Leave(c chainntnfs.Client) {
	d.wish(func(f *chainntnfs.Follower) {
		d.backend.UnwatchMempool(chainntnfs.MempoolFilter{Outpoints: f.Outpoints(c)})
		f.Leave(c)
	})
}

func (d *Driver) wish(f func(*chainntnfs.Follower)) {
	d.mu.Lock()
	d.wishes = append(d.wishes, f)
	d.mu.Unlock()
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// Run leads the clients until ctx ends. tell gets the notices in order, unmined
// every unconfirmed transaction that the backend tells; both should only pass them on.
func (d *Driver) Run(ctx context.Context, tell func([]chainntnfs.Notice), unmined func(*wire.MsgTx)) {
	for ctx.Err() == nil {
		state, changed := d.backend.State()
		d.mu.Lock()
		wishes := d.wishes
		d.wishes = nil
		d.mu.Unlock()
		for _, f := range wishes {
			f(d.follower)
		}
		more, again := false, (<-chan time.Time)(nil)
		if state.Up {
			more, again = d.advance(ctx, tell)
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-d.kick:
		case <-again:
		case tx := <-d.backend.Unmined():
			unmined(tx)
			tell(d.follower.Unmined(tx))
		}
	}
}

func (d *Driver) advance(ctx context.Context, tell func([]chainntnfs.Notice)) (more bool, again <-chan time.Time) {
	notices, more, err := d.follower.Advance(ctx)
	tell(notices)
	if err != nil && ctx.Err() == nil {
		d.log.Warn("cannot follow the chain", "err", err)
		return false, time.After(retry)
	}
	return more, nil
}

// Walk hands every block that joins or leaves the chain to step, from where w
// stands, until ctx ends. step must be done with the block when it returns; atTip
// is called whenever nothing is left for now, away when the backend cannot be asked.
func Walk(ctx context.Context, b chainntnfs.Backend, w *chainntnfs.Walker, log *slog.Logger,
	step func(chainntnfs.Step), atTip func(lnwire.BlockRef), away func()) {
	for ctx.Err() == nil {
		state, changed := b.State()
		var again <-chan time.Time
		if !state.Up {
			away()
		}
		for state.Up && ctx.Err() == nil {
			s, ok, err := w.Next(ctx)
			if err != nil {
				if ctx.Err() == nil {
					log.Warn("cannot walk the chain", "err", err)
				}
				away()
				again = time.After(retry)
				break
			}
			if !ok {
				atTip(w.At())
				break
			}
			step(s)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-again:
		}
	}
}
