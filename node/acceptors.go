package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Verdict is what an acceptor says of a channel that a peer wants to open. What is zero
// is left to the node.
type Verdict struct {
	Accept   bool
	Text     string // for the peer, why not
	Close    []byte // upfront_shutdown_script
	ToDelay  uint16 // to_self_delay of the peer
	Reserve  lnwire.Sat
	InFlight lnwire.MilliSat
	MaxHTLCs uint16
	MinHTLC  lnwire.MilliSat
	MinDepth uint32
	// ZeroConf: if the peer's channel_type says so, the channel is used before its funding
	// confirms. A channel of another type is not changed by it.
	ZeroConf bool
}

// Acceptor decides on a channel; it may take until ctx is done.
type Acceptor func(ctx context.Context, ask *channel.AskAccept) Verdict

// acceptors are all asked, one after the other, as long as they say yes.
type acceptors struct {
	mu   sync.Mutex
	list []*Acceptor
}

// defaultAcceptorPatience is how long an acceptor may think, unless Config says else.
const defaultAcceptorPatience = 15 * time.Second

// rejected is what a peer is told when no acceptor said why.
const rejected = "channel rejected"

// AddAcceptor lets a decide on every channel that a peer wants to open, until remove.
// All acceptors have to accept it.
func (n *Node) AddAcceptor(a Acceptor) (remove func()) {
	p := &a
	n.acceptors.mu.Lock()
	n.acceptors.list = append(n.acceptors.list, p)
	n.acceptors.mu.Unlock()
	return func() {
		n.acceptors.mu.Lock()
		defer n.acceptors.mu.Unlock()
		n.acceptors.list = slices.DeleteFunc(n.acceptors.list, func(o *Acceptor) bool { return o == p })
	}
}

// verdict asks the acceptors. asked is false when there is none.
func (n *Node) verdict(q *channel.AskAccept) (v Verdict, asked bool) {
	n.acceptors.mu.Lock()
	list := slices.Clone(n.acceptors.list)
	n.acceptors.mu.Unlock()
	patience := n.cfg.AcceptorPatience
	if patience == 0 {
		patience = defaultAcceptorPatience
	}
	v.Accept = true
	for _, a := range list {
		ctx, cancel := context.WithTimeout(n.ctx, patience)
		next := (*a)(ctx, q)
		cancel()
		if next.Accept && ctx.Err() == context.DeadlineExceeded {
			next = Verdict{}
		}
		if !next.Accept {
			if next.Text == "" {
				next.Text = rejected
			}
			return next, true
		}
		if err := v.merge(&next); err != nil {
			n.log.Error("the channel acceptors contradict each other", "pending_id", q.Open.TemporaryChannelID, "err", err)
			return Verdict{Text: rejected}, true
		}
	}
	return v, len(list) > 0
}

// merge adds what another acceptor has said.
func (v *Verdict) merge(o *Verdict) error {
	v.ZeroConf = v.ZeroConf || o.ZeroConf
	if len(v.Close) > 0 && len(o.Close) > 0 && !bytes.Equal(v.Close, o.Close) {
		return errors.New("multiple values set for: upfront shutdown")
	}
	if len(o.Close) > 0 {
		v.Close = o.Close
	}
	err := errors.Join(
		agree("csv delay", &v.ToDelay, o.ToDelay),
		agree("htlc limit", &v.MaxHTLCs, o.MaxHTLCs),
		agree("min depth", &v.MinDepth, o.MinDepth),
		agree("reserve", &v.Reserve, o.Reserve),
		agree("min htlc in", &v.MinHTLC, o.MinHTLC),
		agree("in flight total", &v.InFlight, o.InFlight),
	)
	if err == nil && v.ZeroConf && v.MinDepth != 0 {
		return errors.New("zero-conf set with non-zero min-depth")
	}
	return err
}

// agree sets *have to more, unless one of the two says nothing.
func agree[T comparable](name string, have *T, more T) error {
	var zero T
	if more == zero {
		return nil
	}
	if *have != zero && *have != more {
		return fmt.Errorf("multiple values set for: %s, %v and %v", name, *have, more)
	}
	*have = more
	return nil
}

// decided is the answer to open_channel when the node itself has nothing against it.
func (n *Node) decided(q *channel.AskAccept, ours channel.Accepted) channel.Answer {
	v, asked := n.verdict(q)
	switch {
	case !asked:
		return ours
	case !v.Accept:
		return channel.Declined{Text: v.Text}
	case q.Kind.ZeroConf && !v.ZeroConf:
		return channel.Declined{Text: "channel acceptor blocked zero-conf channel negotiation"}
	case len(v.Close) > 0 && !q.Features.HasEither(lnwire.UpfrontShutdownOptional):
		return channel.Declined{Text: "the peer does not support upfront shutdown scripts"}
	}
	ours.ZeroConf = v.ZeroConf
	override(&ours.MinDepth, v.MinDepth)
	override(&ours.Ours.ToSelfDelay, v.ToDelay)
	override(&ours.Ours.Reserve, v.Reserve)
	override(&ours.Ours.MaxInFlight, v.InFlight)
	override(&ours.Ours.MaxAccepted, v.MaxHTLCs)
	override(&ours.Ours.HTLCMinimum, v.MinHTLC)
	if len(v.Close) > 0 {
		ours.Ours.Upfront = v.Close
	}
	return ours
}
