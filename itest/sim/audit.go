package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// held says what of a node is still under way; "" when nothing is.
func (w *World) held() (what string) {
	for _, h := range w.homes {
		l := h.up()
		if l == nil {
			return h.name + " is down"
		}
		for _, rows := range l.channels() {
			for _, x := range rows.HTLCs {
				if !x.State.Gone() && rows.Core.Phase <= channel.Open {
					what = fmt.Sprintf("%s: %v is %v", h.name, x.Ref, x.State)
				}
			}
		}
	}
	return what
}

// complain adds to a failure what is still under way.
func (w *World) complain() {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", w.failed)
	for _, h := range w.homes {
		l := h.up()
		if l == nil {
			fmt.Fprintf(&b, "\n%s is not up: %+v", h.name, h.life != nil)
			continue
		}
		for _, link := range l.node.Links() {
			if !link.Up {
				fmt.Fprintf(&b, "\n%s: channel %d is not up: %s", h.name, link.ChanNum, link.Why)
			}
		}
		if l.node.Tip() != w.chain.tip() {
			fmt.Fprintf(&b, "\n%s is at block %d of %d", h.name, l.node.Tip().Height, w.chain.height())
		}
	}
	if s := w.held(); s != "" {
		fmt.Fprintf(&b, "\n%s", s)
	}
	for _, d := range w.deals {
		if !d.over() {
			fmt.Fprintf(&b, "\ndeal %d is not over: busy %v, tries %d, %v", d.n, d.busy, d.tries, d.state())
		}
	}
	w.failed = fmt.Errorf("%s", b.String())
}

// audit holds all books against each other.
func (w *World) audit() {
	if w.failed != nil {
		return
	}
	a := &auditor{w: w, excused: map[lnwire.Hash]bool{}, want: make([]lnwire.MilliSat, len(w.homes)), forwards: make([]map[lnwire.Hash]int, len(w.homes))}
	for _, c := range w.plan.Shape.Chans {
		a.want[c[0]] += capacity.MilliSat() / 2
		a.want[c[1]] += capacity.MilliSat() / 2
	}
	a.forwarded()
	w.counts.Paid, w.counts.Failed, w.counts.Never = 0, 0, 0
	paid := map[lnwire.Hash]bool{}
	for _, d := range w.deals {
		a.deal(d, paid)
	}
	for i, left := range a.forwards {
		for hash, n := range left {
			if n < 0 || n > 0 && !a.excused[hash] {
				w.fail("I9: %s has %d forwards of %v too many", w.homes[i].name, n, hash)
			}
		}
	}
	a.moves()
	a.channels()
	if !w.plan.loose() && !w.mapped() {
		w.fail("I7: somebody has forgotten a channel of others")
	}
	for _, h := range w.homes {
		outcomes, answers, err := h.life.db.Outbox()
		if err != nil || len(outcomes)+len(answers) > 0 {
			w.fail("I3: %s has an outbox of %v, %v (%v)", h.name, outcomes, answers, err)
		}
	}
}

type auditor struct {
	w        *World
	want     []lnwire.MilliSat     // in channels
	forwards []map[lnwire.Hash]int // that no payment has asked for yet
	excused  map[lnwire.Hash]bool  // of payments whose forwards may have failed further up
}

func (a *auditor) forwarded() {
	for i, h := range a.w.homes {
		a.forwards[i] = map[lnwire.Hash]int{}
		list, err := h.life.node.Forwards(channeldb.ForwardQuery{Limit: 1 << 20})
		if err != nil {
			a.w.fail("%s: %v", h.name, err)
		}
		seen := map[string]bool{}
		for _, f := range list {
			if in := f.In.String(); seen[in] {
				a.w.fail("I4: %s: two forwards of %v", h.name, f.In)
			} else {
				seen[in] = true
			}
			a.forwards[i][f.Hash]++
			a.want[i] += f.Fee()
		}
	}
}

// deal compares what both sides of a deal believe (I3, I5, I9).
func (a *auditor) deal(d *deal, paid map[lnwire.Hash]bool) {
	w, inv := a.w, d.of().invoice
	if inv == nil {
		w.counts.Never++
		return
	}
	now, err := w.homes[d.To].life.node.Invoice(inv.Hash)
	if err != nil {
		w.fail("I5: %s has lost invoice %v: %v", w.homes[d.To].name, inv.Hash, err)
		return
	}
	if d.of() == d && now.State == invoice.Settled {
		a.want[d.To] += now.Paid
	}
	p, err := w.homes[d.From].life.node.Payment(inv.Hash)
	if err != nil {
		w.counts.Never++
		if d.of() == d && now.State == invoice.Settled && !w.paidByOther(d) && !w.lostByOther(d) {
			w.fail("I5: invoice %v is settled, and nobody has paid it", inv.Hash)
		}
		return
	}
	if w.mayBeLost(d) { // a part of it, when the payment has succeeded
		a.excused[inv.Hash] = true
	}
	switch p.Payment.Status {
	case routing.InFlight:
		w.fail("I7: payment %v is not over", inv.Hash)
	case routing.Failed:
		w.counts.Failed++
		if now.State == invoice.Settled && !w.paidByOther(d) && !w.mayBeLost(d) {
			w.fail("I3: payment %v has failed (%s), and its invoice is settled", inv.Hash, p.Payment.Text)
		}
	case routing.Succeeded:
		if paid[inv.Hash] && w.earlier(d) {
			return // the same payer's own second try
		}
		w.counts.Paid++
		sly := w.plan.Hostile == d.To && w.counts.Strikes > 0 // it takes the money behind its own node's back
		if paid[inv.Hash] && !sly && !w.inParts(d.of()) && !w.paidByCheater(d) {
			w.fail("I4: invoice %v was paid twice", inv.Hash)
		}
		paid[inv.Hash] = true
		if !sly && (now.State != invoice.Settled || now.Paid != d.Amount && now.Paid < inv.Amount) {
			w.fail("I5: payment %v has succeeded, and its invoice is %v with %v", inv.Hash, now.State, now.Paid)
		}
		a.want[d.From] -= p.Payment.Paid
		if d.From != w.plan.Hostile || w.counts.Cheats == 0 { // see paidByCheater
			a.hops(d, p)
		}
	}
}

// inParts: one of those who pay the invoice of a deal may do it in parts. The parts of
// several payers may be one set.
func (w *World) inParts(of *deal) bool {
	return slices.ContainsFunc(w.deals, func(d *deal) bool { return d.of() == of && d.Parts > 1 })
}

// mayBeLost: a channel that ends takes HTLCs along that are too small for an output; and
// a cheater gets what it deserves, whether it pays, is paid or stands in between.
func (w *World) mayBeLost(d *deal) bool {
	return w.plan.ends() && (d.Amount < dust || w.plan.Hostile >= 0)
}

// earlier: another deal before this one has the same payer and invoice.
func (w *World) earlier(d *deal) bool {
	for _, o := range w.deals[:d.n] {
		if o.of() == d.of() && o.From == d.From {
			return true
		}
	}
	return false
}

// paidByOther: a deal for the same invoice has another payer, who paid.
func (w *World) paidByOther(d *deal) bool {
	for _, o := range w.deals {
		if o.of() == d.of() && o.From != d.From && o.state() == routing.Succeeded {
			return true
		}
	}
	return false
}

// lostByOther: a deal for the same invoice has another payer, whose payment may have been lost
// on its way back, so that it failed for its payer alone.
func (w *World) lostByOther(d *deal) bool {
	return slices.ContainsFunc(w.deals, func(o *deal) bool {
		return o.of() == d.of() && o.From != d.From && o.state() == routing.Failed && w.mayBeLost(o)
	})
}

// paidByCheater: the hostile node has paid the invoice of a deal, too. When a commitment of its own
// is published behind its node's back, that node knows of it only the preimages that appear, and
// they count for all that it has carried on, or begun itself, with the same hash.
func (w *World) paidByCheater(d *deal) bool {
	return w.counts.Cheats > 0 && slices.ContainsFunc(w.deals, func(o *deal) bool {
		return o.of() == d.of() && o.From == w.plan.Hostile && o.state() == routing.Succeeded
	})
}

// hops takes the forwards that a payment needed from those that were recorded (I9).
func (a *auditor) hops(d *deal, p *routing.Progress) {
	for i := range p.Attempts {
		if p.Attempts[i].Status != routing.Succeeded {
			continue
		}
		hops := p.Attempts[i].Route.Hops
		for _, hop := range hops[:len(hops)-1] {
			a.forwards[a.w.homeOf(hop.Node).i][p.Payment.Terms.Hash]--
		}
	}
}

func (w *World) homeOf(id lnwire.PubKey) *home {
	for _, h := range w.homes {
		if h.id == id {
			return h
		}
	}
	return nil
}

// channels compares the two sides of every channel, and what each node has in them (I1,
// I6).
func (a *auditor) channels() {
	w := a.w
	type side struct {
		ours, theirs lnwire.MilliSat
		capacity     lnwire.Sat
	}
	sides := map[wire.OutPoint][]side{}
	for i, h := range w.homes {
		have := lnwire.MilliSat(0)
		listed := map[wire.OutPoint]bool{}
		for _, l := range h.life.node.Links() {
			listed[l.Funding] = true
			if w.unborn(l.Funding) {
				continue
			}
			if w.added(l.Funding) {
				a.opened(i, l.Funder)
			}
			if l.Ended {
				if !w.plan.ends() && !w.added(l.Funding) {
					w.fail("I6: %s: channel %d has ended: %s", h.name, l.ChanNum, l.Why)
				}
				continue
			}
			if !l.Up {
				w.fail("I7: %s: channel %d is not up: %s", h.name, l.ChanNum, l.Why)
			}
			have += l.Ours
			sides[l.Funding] = append(sides[l.Funding], side{l.Ours, l.Theirs, l.Capacity})
		}
		a.gone(i, listed)
		a.balance(i, have)
	}
	for f, s := range sides {
		if len(s) != 2 || s[0].ours != s[1].theirs || s[0].theirs != s[1].ours || s[0].ours+s[0].theirs != s[0].capacity.MilliSat() {
			w.fail("I1: the sides of channel %v disagree: %+v", f, s)
		}
	}
	if len(sides) < len(w.plan.Shape.Chans) && !w.plan.ends() {
		w.fail("I6: %d channels are left of %d", len(sides), len(w.plan.Shape.Chans))
	}
}

// gone counts with the new channels that a node has forgotten since.
func (a *auditor) gone(i int, listed map[wire.OutPoint]bool) {
	list, err := a.w.homes[i].life.node.ClosedChannels(0, 1<<20)
	if err != nil {
		a.w.fail("%s: %v", a.w.homes[i].name, err)
	}
	for _, row := range list {
		if !listed[row.Funding] && a.w.added(row.Funding) && !a.w.unborn(row.Funding) {
			a.opened(i, row.Funder)
		}
	}
}

// opened counts with what was pushed to the other side of a channel that is new.
func (a *auditor) opened(i int, funder bool) {
	if funder {
		a.want[i] -= newPush
	} else {
		a.want[i] += newPush
	}
}

// balance compares what a node has with what it should have. Where channels have ended,
// it may be less by fees and dust.
func (a *auditor) balance(i int, channels lnwire.MilliSat) {
	w, h := a.w, a.w.homes[i]
	have, want := channels+w.treasure(h), a.want[i]+w.start[i]
	if !w.plan.loose() {
		if have != want {
			w.fail("I1: %s has %d msat, and should have %d", h.name, have, want)
		}
		return
	}
	cost := (w.chain.fees + w.left()).MilliSat()
	if have+cost+dust < want && i != w.plan.Hostile {
		w.fail("I1: %s has lost %d msat: fees and dust of all are %d", h.name, want-have, cost)
	}
	if have > want+dust && w.plan.Hostile < 0 {
		w.fail("I1: %s has won %d msat", h.name, have-want)
	}
}

// dust is what HTLCs without an output of their own may move from one to another.
const dust lnwire.MilliSat = 10_000_000

// probe pays over every channel, over all at once: in one direction, and then in the
// other (I7). Together they may be more than who pays the commitment's fee can carry.
func (w *World) probe() {
	for way := range 2 {
		var probes []*deal
		for n, c := range w.plan.Shape.Chans {
			if scid := w.scid(c[way], n); scid != 0 {
				x := w.newProbe(n, c[way], c[1-way])
				probes = append(probes, x)
				w.push(&lane{name: "probe"}, func() { x.probe(scid) })
			}
		}
		if !w.quietly("probe", w.quiet) {
			w.complain()
			return
		}
		for _, x := range probes {
			if p, err := w.homes[x.From].life.node.Payment(x.invoice.Hash); err != nil || p.Payment.Status != routing.Succeeded {
				w.fail("I7: a probe from %s to %s: %+v, %v", w.homes[x.From].name, w.homes[x.To].name, p, err)
				return
			}
		}
	}
}

func (w *World) newProbe(n, from, to int) *deal {
	d := &deal{Deal: Deal{From: from, To: to, Amount: lnwire.MilliSat(1000 + n), Parts: 1}, w: w, n: len(w.deals), tries: 1, busy: true}
	d.preimage = lnwire.Preimage{0: 1, 1: byte(n), 2: byte(from), 31: 1}
	w.deals = append(w.deals, d)
	return d
}

// probe asks for one payment over a channel.
func (d *deal) probe(over lnwire.ShortChannelID) {
	defer func() { d.busy = false }()
	if d.makeInvoice(d.w.homes[d.To].life); d.invoice == nil {
		d.w.fail("I7: no invoice for a probe")
		return
	}
	l := d.w.homes[d.From].life
	watch, err := l.node.Pay(context.Background(), routing.Begin{
		Terms: d.terms(), Limits: routing.Limits{Fee: 1000, Parts: 1, Outgoing: []lnwire.ShortChannelID{over}},
	})
	if err != nil {
		d.w.fail("I7: probe: %v", err)
		return
	}
	d.asked = l
	watch.Close()
}

// poor is what a side may be left with that cannot pay anything: its reserve, and the fee
// of a commitment at the rate of a spike, which it may have to bear until the next update.
const poor = 25_000_000

// scid is the id of a channel that a node can pay over; 0 when it has ended, or nothing is
// left to pay with.
func (w *World) scid(from, n int) lnwire.ShortChannelID {
	for _, l := range w.homes[from].life.node.Links() {
		if l.Funding == w.funds[n] && !l.Ended && l.Ours > poor {
			return l.SCID
		}
	}
	return 0
}
