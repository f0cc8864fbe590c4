package node

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool is where the curve's arithmetic is done: one worker a processor, so that a
// commitment of many HTLCs is signed and verified on all of them, and onions are
// peeled while their channels are busy with something else.
type pool struct {
	jobs  chan func()
	spare chan func() // what is done when there are no jobs
	done  sync.WaitGroup
}

func newPool() *pool {
	p := &pool{jobs: make(chan func(), 1024), spare: make(chan func(), 1024)}
	for range runtime.GOMAXPROCS(0) {
		p.done.Go(p.work)
	}
	return p
}

// work does jobs, and what is spare while there are none, until there will be no more.
func (p *pool) work() {
	for {
		select {
		case job, ok := <-p.jobs:
			if !ok {
				return
			}
			job()
			continue
		default:
		}
		select {
		case job, ok := <-p.jobs:
			if !ok {
				return
			}
			job()
		case job := <-p.spare:
			job()
		}
	}
}

// atLeisure has f done by a worker that has nothing else to do; when the pool stops
// before, never. It waits while very much is asked for.
func (p *pool) atLeisure(f func()) { p.spare <- f }

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
// run, on the workers and the caller, and returns when all are done. No run is of less
// than share pieces: handing over would cost more than it gives. A worker that comes
// late finds nothing left; nobody waits for it.
func (p *pool) each(n, share int, f func(from, to int)) {
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
