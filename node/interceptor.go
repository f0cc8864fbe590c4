package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// ErrInterceptorExists says that somebody else decides about forwards already.
var ErrInterceptorExists = errors.New("interceptor already exists")

// CircuitKey names an incoming HTLC as operators do.
type CircuitKey struct {
	SCID lnwire.ShortChannelID
	ID   uint64
}

// interceptor is the place that one Interception at a time may take.
type interceptor struct {
	mu  sync.Mutex
	now *Interception
}

// Interception is somebody who decides what becomes of HTLCs that others want carried on.
// What is offered to one who goes away is offered to the next one, if it is still held.
type Interception struct{ questions[forward.Intercepted] }

// questions are on their way to somebody who answers them.
type questions[Q any] struct {
	n *Node

	mu    sync.Mutex
	queue []Q // no more than there are HTLCs
	more  chan struct{}
}

func questionsOf[Q any](n *Node) questions[Q] {
	return questions[Q]{n: n, more: make(chan struct{}, 1)}
}

func (a *questions[Q]) put(list ...Q) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, list...)
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// Next waits for the next question.
func (a *questions[Q]) Next(ctx context.Context) (q Q, err error) {
	for {
		if q, ok := a.take(); ok {
			return q, nil
		}
		select {
		case <-a.more:
		case <-ctx.Done():
			return q, ctx.Err()
		case <-a.n.ctx.Done():
			return q, errStopping
		}
	}
}

func (a *questions[Q]) take() (q Q, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return q, false
	}
	var none Q
	q, a.queue[0] = a.queue[0], none
	a.queue = a.queue[1:]
	return q, true
}

// Intercept takes the place of the interceptor, and has it until Close. It fails with
// ErrInterceptorExists.
func (n *Node) Intercept() (*Interception, error) {
	i := &Interception{questionsOf[forward.Intercepted](n)}
	n.interceptor.mu.Lock()
	if n.interceptor.now != nil {
		n.interceptor.mu.Unlock()
		return nil, ErrInterceptorExists
	}
	n.interceptor.now = i
	n.interceptor.mu.Unlock()
	n.toSwitch(nil, forward.Intercepting{Present: true})
	return i, nil
}

// Close gives the place up: what is held goes on by itself, unless the node was told to
// require an interceptor.
func (i *Interception) Close() {
	i.n.toSwitch(nil, forward.Intercepting{})
	i.n.interceptor.mu.Lock()
	defer i.n.interceptor.mu.Unlock()
	i.n.interceptor.now = nil
}

// offer passes on what the switch holds. It is durable by now.
func (v *interceptor) offer(n *Node, list []forward.Intercepted) {
	v.mu.Lock()
	i := v.now
	v.mu.Unlock()
	if i == nil || len(list) == 0 {
		return
	}
	for _, o := range list {
		if o.InSCID == 0 { // of a channel that has no link any more
			o.InSCID = n.scidOf(o.In.HTLC.Ref.ChanNum)
		}
		i.put(o)
	}
}

// Decide carries out a verdict. It fails with forward.ErrNotHeld and its like when that
// cannot be done.
func (i *Interception) Decide(key CircuitKey, v forward.Verdict) error {
	ref, ok := i.n.incoming(key)
	if !ok {
		return fmt.Errorf("%w: %v", forward.ErrNotHeld, key)
	}
	if err := i.n.switchStep(nil, forward.Ruled{Ref: ref, Verdict: v}).Refused; err != nil {
		return fmt.Errorf("%w: %v", err, key)
	}
	return nil
}

// incoming finds the channel of an incoming HTLC.
func (n *Node) incoming(key CircuitKey) (htlc.Ref, bool) {
	for _, e := range n.channels.all() {
		l := e.link.Load()
		if e.called() == key.SCID || l != nil && l.SCID == key.SCID && key.SCID != 0 {
			return htlc.Ref{ChanNum: e.num, Dir: htlc.Incoming, ID: key.ID}, true
		}
	}
	return htlc.Ref{}, false
}

// String is the key as lnd writes it.
func (k CircuitKey) String() string {
	return fmt.Sprintf("(Chan ID=%v, HTLC ID=%d)", k.SCID, k.ID)
}
