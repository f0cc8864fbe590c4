package btcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Backend is a chainntnfs.Backend over a btcd node. Use New.
type Backend struct {
	cfg    Config
	roots  *x509.CertPool
	status chainntnfs.Status

	mu   sync.Mutex
	conn *conn // nil while btcd is away
	why  error // then

	mempool mempool
	txids   txids
	blocks  chan struct{} // the chain has changed
	lagging lag

	stop context.CancelFunc
	done chan struct{}
}

var _ chainntnfs.Backend = (*Backend)(nil)

var errStopped = errors.New("the node is not connected to it")

// New checks the configuration.
func New(cfg Config) (*Backend, error) {
	roots, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	b := &Backend{cfg: cfg, roots: roots, why: errStopped, blocks: make(chan struct{}, 1)}
	b.mempool.init(cfg.Params)
	return b, nil
}

// Start makes a first try to connect and goes on by itself. It fails for wrong
// credentials, a certificate that does not fit, and another network.
func (b *Backend) Start(ctx context.Context) error {
	if b.done != nil {
		return errors.New("btcd: started before")
	}
	c, err := b.connect(ctx)
	if permanent(err) {
		return err
	}
	run, cancel := context.WithCancel(context.Background())
	b.stop, b.done = cancel, make(chan struct{})
	if c == nil {
		b.down(err)
	}
	go b.run(run, c)
	return nil
}

// permanent says that waiting does not mend an error.
func permanent(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.Is(err, errAuth) || errors.Is(err, chainntnfs.ErrWrongNetwork) || errors.As(err, &cert)
}

// Stop ends the connection, every call on it and every goroutine.
func (b *Backend) Stop() {
	if b.done == nil {
		return
	}
	b.stop()
	<-b.done
}

// State is what is known of btcd now, and a channel that is closed when it
// changes.
func (b *Backend) State() (chainntnfs.State, <-chan struct{}) { return b.status.Get() }

// run keeps a connection up.
func (b *Backend) run(ctx context.Context, c *conn) {
	defer close(b.done)
	wait := b.cfg.MinBackoff
	for {
		if c != nil {
			wait = b.cfg.MinBackoff
			b.serve(ctx, c)
			c.close()
			b.down(c.err)
			c = nil
		}
		jitter := time.Duration(rand.Int64N(int64(wait)/2 + 1))
		select {
		case <-ctx.Done():
			b.down(errStopped)
			return
		case <-time.After(wait - jitter):
		}
		wait = min(2*wait, b.cfg.MaxBackoff)
		var err error
		if c, err = b.connect(ctx); err != nil {
			b.down(err)
		}
	}
}

// connect dials, checks the network, and asks for notifications; then calls may
// use the connection.
func (b *Backend) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.CallTimeout)
	defer cancel()
	c, err := dial(ctx, &b.cfg, b.roots, b.notify)
	if err != nil {
		return nil, err
	}
	if err := b.open(ctx, c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (b *Backend) open(ctx context.Context, c *conn) error {
	var text string
	if err := c.call(ctx, &text, "getblockhash", 0); err != nil {
		return fmt.Errorf("ask for the genesis block: %w", err)
	}
	if want := b.cfg.Params.GenesisHash.String(); text != want {
		return fmt.Errorf("%w: its genesis block is %s, that of %s is %s",
			chainntnfs.ErrWrongNetwork, text, b.cfg.Params.Name, want)
	}
	if err := c.call(ctx, nil, "notifyblocks"); err != nil {
		return fmt.Errorf("ask for block notifications: %w", err)
	}
	tip, when, err := tipOf(ctx, c)
	if err != nil {
		return err
	}
	b.mempool.reload()
	b.mu.Lock()
	b.conn, b.why = c, nil
	b.mu.Unlock()
	b.status.Update(func(s *chainntnfs.State) {
		*s = chainntnfs.State{Up: true, Tip: tip, TipTime: when, Stale: b.old(tip.Height, when)}
	})
	return nil
}

// down makes every call fail at once from now on.
func (b *Backend) down(why error) {
	b.mu.Lock()
	b.conn, b.why = nil, why
	b.mu.Unlock()
	b.lagging = lag{}
	b.status.Update(func(s *chainntnfs.State) { s.Up, s.Why, s.Stale = false, why, "" })
}

// notify is called by the connection's reader.
func (b *Backend) notify(method string, params []json.RawMessage) {
	switch method {
	case "blockconnected", "blockdisconnected":
		select {
		case b.blocks <- struct{}{}:
		default: // told already
		}
	case "relevanttxaccepted":
		b.mempool.accepted(params)
	}
}

// serve does what a connection needs until it ends.
func (b *Backend) serve(ctx context.Context, c *conn) {
	health := time.NewTicker(b.cfg.HealthEvery)
	defer health.Stop()
	b.judge(ctx, c)
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-c.done:
			return
		case <-b.blocks:
			err = b.refresh(ctx, c)
		case <-b.mempool.changed:
			err = b.mempool.load(ctx, b.bounded(c))
		case <-health.C:
			if err = b.refresh(ctx, c); err == nil {
				b.judge(ctx, c)
			}
		}
		if err != nil && !refused(err) {
			c.end(err)
			return
		}
	}
}

// refused says that btcd answered, if only to say no.
func refused(err error) bool {
	var no *rpcError
	return errors.As(err, &no)
}

// caller makes a call with a time limit.
type caller func(ctx context.Context, result any, method string, params ...any) error

func (b *Backend) bounded(c *conn) caller {
	return func(ctx context.Context, result any, method string, params ...any) error {
		ctx, cancel := context.WithTimeout(ctx, b.cfg.CallTimeout)
		defer cancel()
		return c.call(ctx, result, method, params...)
	}
}

// call is one call by a user of the backend.
func (b *Backend) call(ctx context.Context, result any, method string, params ...any) error {
	b.mu.Lock()
	c, why := b.conn, b.why
	b.mu.Unlock()
	if c == nil {
		return fmt.Errorf("btcd at %s: %w: %w", b.cfg.Host, chainntnfs.ErrUnavailable, why)
	}
	err := b.bounded(c)(ctx, result, method, params...)
	switch {
	case err == nil || refused(err):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("btcd %s: %w", method, ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("btcd at %s: %w: no answer to %s within %v",
			b.cfg.Host, chainntnfs.ErrUnavailable, method, b.cfg.CallTimeout)
	}
	select {
	case <-c.done:
		return fmt.Errorf("btcd at %s: %w: %w", b.cfg.Host, chainntnfs.ErrUnavailable, err)
	default: // an answer that makes no sense
		return fmt.Errorf("btcd at %s: %w", b.cfg.Host, err)
	}
}

// refresh tells where the chain stands now.
func (b *Backend) refresh(ctx context.Context, c *conn) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.CallTimeout)
	defer cancel()
	tip, when, err := tipOf(ctx, c)
	if err != nil {
		return err
	}
	b.status.Update(func(s *chainntnfs.State) {
		if s.Tip != tip {
			s.Stale = b.old(tip.Height, when)
		}
		s.Tip, s.TipTime = tip, when
	})
	return nil
}

// tipOf is the best block and the time in its header.
func tipOf(ctx context.Context, c *conn) (lnwire.BlockRef, time.Time, error) {
	tip, err := bestBlock(ctx, c.call)
	if err != nil {
		return tip, time.Time{}, fmt.Errorf("ask for the best block: %w", err)
	}
	header, err := blockHeader(ctx, c.call, tip.Hash)
	if err != nil {
		return tip, time.Time{}, fmt.Errorf("ask for the best block's header: %w", err)
	}
	return tip, header.Timestamp, nil
}

// WatchMempool adds to what Unmined reports.
func (b *Backend) WatchMempool(f chainntnfs.MempoolFilter) { b.mempool.watch(f) }

// UnwatchMempool takes it away again.
func (b *Backend) UnwatchMempool(f chainntnfs.MempoolFilter) { b.mempool.unwatch(f) }

// Unmined delivers unconfirmed transactions that touch what is watched. Not told
// are those that pay a watched script and were in btcd's mempool before it was
// watched, when that mempool is large; and those that come while the channel's
// buffer is full.
func (b *Backend) Unmined() <-chan *wire.MsgTx { return b.mempool.out }

// FeeEstimate asks the fee source that stands in for btcd.
func (b *Backend) FeeEstimate(ctx context.Context, blocks uint32) (lnwire.SatPerKW, error) {
	return b.cfg.Fees.FeeEstimate(ctx, blocks)
}

// RelayFee asks the fee source that stands in for btcd.
func (b *Backend) RelayFee(ctx context.Context) (lnwire.SatPerKW, error) {
	return b.cfg.Fees.RelayFee(ctx)
}

func parseHash(text string) (chainhash.Hash, error) {
	h, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return chainhash.Hash{}, fmt.Errorf("hash %q: %w", text, err)
	}
	return *h, nil
}
