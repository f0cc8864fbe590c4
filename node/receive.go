package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// AddInvoice makes an invoice. A zero Hash with no Preimage asks for a random one. With
// Private, hops over private channels are added to the hints.
func (n *Node) AddInvoice(ctx context.Context, t invoice.Terms) (invoice.Invoice, error) {
	rand.Read(t.Secret[:])
	t.FinalDelta = n.finalDelta(t.FinalDelta)
	if t.Private {
		t.Hints = append(t.Hints, n.privateHints(t.Amount, t.Hints)...)
	}
	return n.addInvoice(ctx, t, n.key.SignCompact)
}

// finalDelta is what the last hop must leave us: what the caller says, or what our
// channels ask for, as the operator knows it from lnd.
func (n *Node) finalDelta(asked uint64) uint64 {
	return cmp.Or(asked, uint64(n.cfg.Policy.Forward.CLTVDelta), invoice.OurFinalDelta)
}

func (n *Node) addInvoice(ctx context.Context, t invoice.Terms, sign invoice.Signer) (invoice.Invoice, error) {
	if n.lowDisk() {
		return invoice.Invoice{}, errLowDisk
	}
	network, ok := invoice.NetworkOf(n.net)
	if !ok {
		return invoice.Invoice{}, mistake.State("network %s has no invoices", n.net.Name)
	}
	if t.Preimage == nil && t.Hash == (lnwire.Hash{}) {
		t.Preimage = new(lnwire.Preimage)
		rand.Read(t.Preimage[:])
	}
	t.Attribution = n.chanConfig.Attribution
	inv, err := invoice.Draft(network, t, n.now(), sign)
	if err != nil {
		return invoice.Invoice{}, err
	}
	return n.invoices.reply(ctx, func(id uint64) invoice.Event { return invoice.Add{ID: id, Invoice: inv} })
}

// privateHints are ways to us over channels that are not announced: those whose peer
// has told what it asks for, the ones that can bring the most first. A channel that one of
// the caller's own hints is about is not told twice: its fees are the caller's to say.
func (n *Node) privateHints(amount lnwire.MilliSat, given []invoice.RouteHint) []invoice.RouteHint {
	limit := invoice.MaxHints - len(given)
	var usable []channel.LinkState
	for _, l := range n.Links() {
		if l.Private && !l.Ended && l.Up && l.Hint() != 0 && l.Receivable >= amount && !hinted(given, &l) {
			usable = append(usable, l)
		}
	}
	slices.SortStableFunc(usable, func(a, b channel.LinkState) int { return cmp.Compare(b.Receivable, a.Receivable) })
	var hints []invoice.RouteHint
	for _, l := range usable {
		p, ok := n.PeerPolicy(l.ChanNum)
		if !ok || len(hints) >= limit {
			continue
		}
		hints = append(hints, invoice.RouteHint{{
			Node: l.Peer, SCID: l.Hint(), FeeBase: p.FeeBase, FeePPM: p.FeePPM, CLTVDelta: p.CLTVDelta,
		}})
	}
	return hints
}

// hinted: a hint of one hop is about this channel, by whichever of its names.
func hinted(given []invoice.RouteHint, l *channel.LinkState) bool {
	return slices.ContainsFunc(given, func(h invoice.RouteHint) bool {
		return len(h) == 1 && h[0].SCID != 0 && slices.Contains([]lnwire.ShortChannelID{l.SCID, l.Alias, l.PeerAlias}, h[0].SCID)
	})
}

// SettleInvoice claims what is held for a hold invoice.
func (n *Node) SettleInvoice(ctx context.Context, p lnwire.Preimage) (invoice.Invoice, error) {
	return n.invoices.reply(ctx, func(id uint64) invoice.Event { return invoice.Settle{ID: id, Preimage: p} })
}

// CancelInvoice gives an invoice up and returns what is held for it.
func (n *Node) CancelInvoice(ctx context.Context, h lnwire.Hash) (invoice.Invoice, error) {
	return n.invoices.reply(ctx, func(id uint64) invoice.Event { return invoice.Cancel{ID: id, Hash: h} })
}

// DeleteInvoice forgets an invoice that was canceled. It fails with invoice.ErrNotFound
// and invoice.ErrNotCanceled.
func (n *Node) DeleteInvoice(ctx context.Context, h lnwire.Hash) error {
	_, err := n.invoices.reply(ctx, func(id uint64) invoice.Event { return invoice.Delete{ID: id, Hash: h} })
	return err
}

// reply asks the registry and turns its answer into a result.
func (v *invoices) reply(ctx context.Context, event func(id uint64) invoice.Event) (invoice.Invoice, error) {
	r, err := v.ask(ctx, event)
	if err != nil {
		return invoice.Invoice{}, err
	}
	if r.Invoice == nil {
		return invoice.Invoice{}, r.Err
	}
	return *r.Invoice, r.Err
}

// Invoice is an invoice as it stands, durable; invoice.ErrNotFound when there is none.
func (n *Node) Invoice(h lnwire.Hash) (invoice.Invoice, error) {
	inv, err := n.db.Invoice(h)
	if err != nil {
		return invoice.Invoice{}, err
	}
	if inv == nil {
		return invoice.Invoice{}, invoice.ErrNotFound
	}
	return *inv, nil
}

// InvoiceBySecret reads the invoice with a payment_secret, or gives invoice.ErrNotFound.
func (n *Node) InvoiceBySecret(s lnwire.Secret) (invoice.Invoice, error) {
	inv, err := n.db.InvoiceBySecret(s)
	if err != nil {
		return invoice.Invoice{}, err
	}
	if inv == nil {
		return invoice.Invoice{}, invoice.ErrNotFound
	}
	return *inv, nil
}

// InvoicesAdded and InvoicesSettled are pages of invoices, by their indexes.
func (n *Node) InvoicesAdded(q channeldb.PageQuery) ([]*invoice.Invoice, error) {
	return n.db.InvoicesAdded(q)
}

// InvoicesSettled is a page of settled invoices by their settle index.
func (n *Node) InvoicesSettled(q channeldb.PageQuery) ([]*invoice.Invoice, error) {
	return n.db.InvoicesSettled(q)
}

// InvoiceEvents tells what happens to invoices.
func (n *Node) InvoiceEvents() *Subscription[invoice.Notice] { return n.invoices.Feed.Subscribe() }

// Payments is a page of payments by their index.
func (n *Node) Payments(q channeldb.PageQuery) ([]*channeldb.Payment, error) { return n.db.Payments(q) }

// CountPayments is how many payments there are.
func (n *Node) CountPayments() (uint64, error) { return n.db.CountPayments() }
