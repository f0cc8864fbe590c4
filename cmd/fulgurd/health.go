package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fulgur-ln/fulgur/channeldb"
)

// healthOptions say what is looked at, how often, and what comes of a failure.
type healthOptions struct {
	Chain    checkOptions `group:"healthcheck.chainbackend" namespace:"chainbackend"`
	Disk     diskOptions  `group:"healthcheck.diskspace" namespace:"diskspace"`
	Database checkOptions `group:"healthcheck.database" namespace:"database"`
	Clock    checkOptions `group:"healthcheck.clock" namespace:"clock"`
	TLS      idleOptions  `group:"healthcheck.tls" namespace:"tls"`
	Tor      idleOptions  `group:"healthcheck.torconnection" namespace:"torconnection"`
}

// checkOptions are those of one check.
type checkOptions struct {
	Interval time.Duration `long:"interval" description:"wait between two looks"`
	Attempts int           `long:"attempts" description:"failed looks in a row after which the daemon shuts down; 0: never, it only warns"`
	Timeout  time.Duration `long:"timeout" description:"how long a look may take"`
	Backoff  time.Duration `long:"backoff" description:"wait after a failed look, when failed looks count"`
}

type diskOptions struct {
	checkOptions
	Required float64 `long:"diskrequired" description:"part of the disk, 0 to 1, that must be free"`
}

// idleOptions are of lnd's checks of what mends itself here.
type idleOptions struct {
	Interval time.Duration `long:"interval" description:"without effect: the certificate is renewed, and Tor is asked again, while the node runs"`
	Attempts int           `long:"attempts" description:"without effect: the certificate is renewed, and Tor is asked again, while the node runs"`
	Timeout  time.Duration `long:"timeout" description:"without effect: the certificate is renewed, and Tor is asked again, while the node runs"`
	Backoff  time.Duration `long:"backoff" description:"without effect: the certificate is renewed, and Tor is asked again, while the node runs"`
}

// defaultHealth only warns: a node that is up can do something about nearly everything,
// and waits for the rest. Its peers, whose HTLCs have deadlines, wait for nobody.
var defaultHealth = healthOptions{
	Chain:    checkOptions{Interval: time.Minute, Timeout: 30 * time.Second, Backoff: 2 * time.Minute},
	Disk:     diskOptions{checkOptions{Interval: 12 * time.Hour, Timeout: 5 * time.Second, Backoff: time.Minute}, 0.1},
	Database: checkOptions{Interval: time.Minute, Timeout: 30 * time.Second, Backoff: time.Minute},
	Clock:    checkOptions{Interval: time.Minute, Timeout: 5 * time.Second, Backoff: time.Minute},
}

// validate holds lnd's bounds. Of a check that can do no more than warn, what is too
// short is made as long as it must be: lnd does not look at it either.
func (o *healthOptions) validate() error {
	for _, c := range []struct {
		name string
		*checkOptions
	}{{"chainbackend", &o.Chain}, {"diskspace", &o.Disk.checkOptions}, {"database", &o.Database}, {"clock", &o.Clock}} {
		for _, b := range []struct {
			name  string
			value *time.Duration
			min   time.Duration
		}{{"interval", &c.Interval, time.Minute}, {"timeout", &c.Timeout, time.Second}, {"backoff", &c.Backoff, time.Second}} {
			switch {
			case *b.value >= b.min:
			case c.Attempts == 0:
				*b.value = b.min
			default:
				return fmt.Errorf("--healthcheck.%s.%s=%v: at least %v", c.name, b.name, *b.value, b.min)
			}
		}
		if c.Attempts < 0 {
			return fmt.Errorf("--healthcheck.%s.attempts=%d: want 0 or more", c.name, c.Attempts)
		}
	}
	if r := o.Disk.Required; r < 0 || r >= 1 {
		return fmt.Errorf("--healthcheck.diskspace.diskrequired=%v: want 0 or more, and less than 1", r)
	}
	return nil
}

// check looks at one thing again and again.
type check struct {
	name string
	checkOptions
	look func(context.Context) error
	log  *slog.Logger
	bad  atomic.Bool
}

// health are all checks.
type health struct{ checks []*check }

// openHealth begins to look.
func (d *daemon) openHealth(ctx context.Context) error {
	o, log := &d.cfg.Health, d.sub("HLCK")
	clock, store := &clockLook{last: time.Now()}, &storeLook{db: d.db}
	d.health.checks = []*check{
		{name: "chainbackend", checkOptions: o.Chain, look: d.lookChain, log: log},
		{name: "diskspace", checkOptions: o.Disk.checkOptions, look: d.lookDisk, log: log},
		{name: "database", checkOptions: o.Database, look: store.look, log: log},
		{name: "clock", checkOptions: o.Clock, look: func(context.Context) error { return clock.look(d.tipTime()) }, log: log},
	}
	for _, c := range d.health.checks {
		go c.run(ctx, func(err error) { d.stop(err) })
	}
	return nil
}

// healthState is how the last look of a check went.
type healthState struct {
	name string
	good bool
}

func (h *health) states() (list []healthState) {
	for _, c := range h.checks {
		list = append(list, healthState{c.name, !c.bad.Load()})
	}
	return list
}

// reminder is after how many failed looks a warning is repeated.
const reminder = 60

// run looks until ctx ends, or until as many looks have failed in a row as the check
// allows: then shutdown is called, once, with the reason.
func (c *check) run(ctx context.Context, shutdown func(error)) {
	for failed := 0; ; {
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		c.bad.Store(err != nil)
		wait := c.Interval
		if err == nil {
			if failed > 0 {
				c.log.Info("a health check is good again", "check", c.name, "failed looks", failed)
			}
			failed = 0
		} else {
			if failed++; failed%reminder == 1 || c.Attempts > 0 {
				c.log.Warn("a health check fails", "check", c.name, "looks", failed, "err", err)
			}
			if c.Attempts > 0 {
				wait = c.Backoff
			}
		}
		if c.Attempts > 0 && failed >= c.Attempts {
			shutdown(fmt.Errorf("the health check %s failed %d times in a row, and --healthcheck.%s.attempts=%d says to shut down then: %w",
				c.name, failed, c.name, c.Attempts, err))
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// once looks, for as long as a look may take.
func (c *check) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return c.look(ctx)
}

// lookChain fails while the chain backend does not answer. Before there is a node nobody
// needs it.
func (d *daemon) lookChain(context.Context) error {
	n := d.counted.Load()
	if n == nil {
		return nil
	}
	if s := n.Chain(); !s.Up {
		return fmt.Errorf("the chain backend does not answer: %w", s.Why)
	}
	return nil
}

// tipTime is when the last block was made, by its header; zero when that is not known.
func (d *daemon) tipTime() time.Time {
	if n := d.counted.Load(); n != nil {
		return n.Chain().TipTime
	}
	return time.Time{}
}

// lookDisk fails while less of the disk is free than asked for.
func (d *daemon) lookDisk(context.Context) error {
	free, size, err := channeldb.DiskRoom(d.cfg.moneyDir())
	if err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	if required := d.cfg.Health.Disk.Required; float64(free) < required*float64(size) {
		return fmt.Errorf("%d MiB of %d are free on the disk: make room, or lower --healthcheck.diskspace.diskrequired=%v", free>>20, size>>20, required)
	}
	return nil
}

// storeLook looks whether the database's writer gets on.
type storeLook struct {
	db      interface{ Barrier() error }
	pending chan error // of a look that has not come back
}

func (s *storeLook) look(ctx context.Context) error {
	if s.pending == nil {
		c := make(chan error, 1)
		s.pending = c
		go func() { c <- s.db.Barrier() }()
	}
	select {
	case err := <-s.pending:
		s.pending = nil
		return err
	case <-ctx.Done():
		return errors.New("the database does not come to an end of what it writes: look at the disk")
	}
}

const (
	// clockJump is by how much the clock may be set between two looks, and clockBehind by
	// how much a block may be ahead of it: miners may be two hours ahead of the time.
	clockJump   = time.Minute
	clockBehind = 2 * time.Hour
)

// clockLook looks whether the clock can be right. Deadlines do not depend on it, they
// count blocks; invoices and gossip do.
type clockLook struct{ last time.Time }

func (c *clockLook) look(tip time.Time) error {
	now, last := time.Now(), c.last
	c.last = now
	if set := now.Round(0).Sub(last.Round(0)) - now.Sub(last); set.Abs() > clockJump {
		return fmt.Errorf("the clock was set by %v", set.Round(time.Second))
	}
	if ahead := tip.Sub(now); !tip.IsZero() && ahead > clockBehind {
		return fmt.Errorf("the clock is behind: the last block is from %v later", ahead.Round(time.Second))
	}
	return nil
}
