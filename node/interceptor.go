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
type Interception struct {
	n *Node

	mu    sync.Mutex
	queue []forward.Intercepted // no more than there are HTLCs
	more  chan struct{}
}

// Intercept takes the place of the interceptor, and has it until Close. It fails with
// ErrInterceptorExists.
func (n *Node) Intercept() (*Interception, error) {
	i := &Interception{n: n, more: make(chan struct{}, 1)}
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
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, o := range list {
		if o.InSCID == 0 { // of a channel that has no link any more
			o.InSCID = n.scidOf(o.In.HTLC.Ref.ChanNum)
		}
		i.queue = append(i.queue, o)
	}
	select {
	case i.more <- struct{}{}:
	default:
	}
}

// Next waits for an HTLC to decide about.
func (i *Interception) Next(ctx context.Context) (forward.Intercepted, error) {
	for {
		i.mu.Lock()
		if len(i.queue) > 0 {
			o := i.queue[0]
			i.queue[0] = forward.Intercepted{}
			i.queue = i.queue[1:]
			i.mu.Unlock()
			return o, nil
		}
		i.mu.Unlock()
		select {
		case <-i.more:
		case <-ctx.Done():
			return forward.Intercepted{}, ctx.Err()
		case <-i.n.ctx.Done():
			return forward.Intercepted{}, errStopping
		}
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
