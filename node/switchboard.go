package node

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
)

// switchboard drives the switch. Whoever has an event for it steps it: there is no
// queue of its own between two channels, whose inboxes take what comes out.
type switchboard struct {
	mu    sync.Mutex
	sw    *forward.Switch
	alarm *alarm // for HTLCs that wait for the chain or for the next node
}

// toSwitch steps the switch and passes on what it wants. What is written by that is
// written with p.
func (n *Node) toSwitch(p *pen, ev forward.Event) {
	for _, r := range n.switchStep(p, ev).Results {
		n.payments.result(p, r)
	}
}

// switchStep is toSwitch but for the results of our own payments.
func (n *Node) switchStep(p *pen, ev forward.Event) forward.Effects {
	b := &n.board
	b.mu.Lock()
	defer b.mu.Unlock()
	fx := b.sw.Step(n.now(), ev)
	n.meters.switched(&fx)
	notices := fx.Tell
	if !n.HTLCs.Watched() {
		notices = nil
	}
	if len(fx.Delta.Tags) > 0 || fx.Delta.ForgetTags > 0 || len(notices) > 0 || len(fx.Offer) > 0 {
		// A tag has to be durable no sooner than what follows from it, which is queued
		// behind it: lost together, the HTLC is decided anew.
		follows := len(fx.Add)+len(fx.Resolve) > 0 || len(fx.Receive) > 0 && len(notices)+len(fx.Offer) == 0
		n.writeWith(p, channeldb.Batch{Switch: []forward.Delta{fx.Delta}, Lazy: follows}, func() {
			for _, t := range notices {
				n.HTLCs.Publish(t)
			}
			n.interceptor.offer(n, fx.Offer)
		})
	}
	if !fx.Wake.IsZero() {
		b.alarm.set(fx.Wake)
	}
	hodl := &n.cfg.Hodl
	for _, a := range fx.Add {
		if !hodl.AddOutgoing {
			n.add(p, a)
		}
	}
	for _, r := range fx.Resolve {
		if !hodl.outgoing(&r.Resolution) {
			n.resolve(p, r)
		}
	}
	for _, l := range fx.Receive {
		if !hodl.ExitSettle {
			n.invoices.arrived(p, l)
		}
	}
	return fx
}

// add puts an HTLC into a channel's inbox. A channel that is gone refuses it, which
// the switch, busy with this very step, must hear of later.
func (n *Node) add(p *pen, a forward.Add) {
	ev := channel.AddHTLC{
		Amount: a.Amount, Expiry: a.Expiry, Hash: a.Hash, Onion: &a.Onion, PathKey: a.PathKey, Accountable: a.Accountable,
		Custom: a.Custom, Origin: a.Origin,
	}
	if a.Origin.Kind == htlc.FromAttempt {
		ev.Attempt = &channel.AttemptRow{ID: a.Origin.AttemptID, Row: a.Row}
	}
	if !n.lay(p, a.ChanNum, ev) {
		n.spawn(func() {
			n.toSwitch(nil, forward.Refused{Refusal: htlc.Refusal{
				ChanNum: a.ChanNum, Origin: a.Origin, Reason: htlc.UnknownChannel, Text: "the channel is closed",
			}})
		})
	}
}

// resolve answers an incoming HTLC, together with the record of a forward that earned a
// fee.
func (n *Node) resolve(p *pen, r forward.Resolve) {
	ev := channel.Resolve{Ref: r.Ref, Resolution: r.Resolution}
	if r.Record != nil {
		ev.With = channeldb.Riders(channeldb.Batch{Forwards: []forward.Record{*r.Record}})
	}
	if r.Late != nil {
		n.spawn(func() { n.answerLate(ev, *r.Late) })
		return
	}
	n.answerTo(p, ev)
}

// maxLate bounds the random time by which the failure of a blinded path is put off.
const maxLate = 300 * time.Millisecond

// answerLate is answerTo after a random time, so that it does not tell where a blinded
// path failed (BOLT 2). When the node stops before, the HTLC is decided anew at the next
// start.
func (n *Node) answerLate(ev channel.Resolve, f htlc.Fault) {
	select {
	case <-time.After(lateBy()):
		ev.Resolution = f.Delayed(n.now())
		n.answerTo(nil, ev)
	case <-n.ctx.Done():
	}
}

func lateBy() time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(maxLate))
}

// answerTo puts the answer to an incoming HTLC into its channel's inbox. When the channel
// is gone nobody can use the answer: it gives up its place in the outbox.
func (n *Node) answerTo(p *pen, ev channel.Resolve) {
	if n.lay(p, ev.Ref.ChanNum, ev) {
		return
	}
	n.logs.channels.Warn("an HTLC is answered whose channel is gone", "htlc", ev.Ref, "fulfilled", ev.Resolution.Kind == htlc.Fulfilled)
	n.outboxDone(ev.Ref)
}

// outboxDone deletes what waits in the outbox for an incoming HTLC.
func (n *Node) outboxDone(ref htlc.Ref) {
	d := &channel.Delta{ChanNum: ref.ChanNum, OutboxDone: []htlc.Ref{ref}}
	n.write(channeldb.Batch{Channels: []*channel.Delta{d}}, nil)
}
