package node

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// pool is where the curve's arithmetic is done: one worker a processor, so that a
// commitment of many HTLCs is signed and verified on all of them, and onions are
// peeled while their channels are busy with something else.
type pool struct {
	jobs chan func()
	done sync.WaitGroup
}

func newPool() *pool {
	p := &pool{jobs: make(chan func(), 1024)}
	for range runtime.GOMAXPROCS(0) {
		p.done.Add(1)
		go func() {
			defer p.done.Done()
			for job := range p.jobs {
				job()
			}
		}()
	}
	return p
}

// stop ends the workers once what was asked for is done. Nobody may ask any more.
func (p *pool) stop() {
	close(p.jobs)
	p.done.Wait()
}

// later starts f and returns a function that waits for its result. The caller that
// waits takes the work over if no worker has begun it.
func later[T any](p *pool, f func() T) func() T {
	var once sync.Once
	var v T
	get := func() T {
		once.Do(func() { v = f() })
		return v
	}
	select {
	case p.jobs <- func() { get() }:
	default: // all busy: whoever needs it does it
	}
	return get
}

// each splits n pieces of work into a run for each processor, calls f for every
// run, on the workers and the caller, and returns when all are done. A worker that
// comes late finds nothing left; nobody waits for it.
func (p *pool) each(n int, f func(from, to int)) {
	const share = 2 // below that, handing over costs more than it gives
	runs := max(1, min(runtime.GOMAXPROCS(0), n/share))
	var next, finished atomic.Int64
	all := make(chan struct{})
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= runs {
				return
			}
			f(i*n/runs, (i+1)*n/runs)
			if int(finished.Add(1)) == runs {
				close(all)
			}
		}
	}
	for range runs - 1 {
		select {
		case p.jobs <- work:
		default: // all busy: the caller does it
		}
	}
	work()
	<-all
}

// signer is where our private keys are.
type signer interface {
	channel.Crypto
}

// crypto spreads the batches of the channel machines over the pool.
type crypto struct {
	signer
	pool *pool
}

// Sign is channel.Crypto's.
func (c crypto) Sign(jobs []commitment.SignJob) ([]lnwire.Sig, bool) {
	sigs := make([]lnwire.Sig, len(jobs))
	var away atomic.Bool
	c.pool.each(len(jobs), func(from, to int) {
		some, ok := c.signer.Sign(jobs[from:to])
		if !ok {
			away.Store(true)
			return
		}
		copy(sigs[from:], some)
	})
	return sigs, !away.Load()
}

// Verify is channel.Crypto's.
func (c crypto) Verify(checks []commitment.Check) bool {
	var bad atomic.Bool
	c.pool.each(len(checks), func(from, to int) {
		if !bad.Load() && !c.signer.Verify(checks[from:to]) {
			bad.Store(true)
		}
	})
	return !bad.Load()
}
