// Package invoices is the service Invoices: invoices whose settlement a program
// decides, and the watch over a single one.
//
// It owns the translation. It must never know when an invoice may be settled; a Node
// does.
//
//	err := server.Provide(&invoicesrpc.Invoices_ServiceDesc, invoices.New(invoices.Of(node)))
package invoices

import (
	"context"
	"errors"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Node is what the service needs of the node; node.Node is one.
type Node interface {
	AddInvoice(context.Context, invoice.Terms) (invoice.Invoice, error)
	SettleInvoice(context.Context, lnwire.Preimage) (invoice.Invoice, error)
	CancelInvoice(context.Context, lnwire.Hash) (invoice.Invoice, error)
	Invoice(lnwire.Hash) (invoice.Invoice, error)
	InvoiceBySecret(lnwire.Secret) (invoice.Invoice, error)
	InvoiceEvents() *node.Subscription[invoice.Notice]
	Modify() (Modification, error)
}

// Modification is the place of whoever is asked about payments to us. node.Modification is
// one.
type Modification interface {
	// Next waits for a question.
	Next(context.Context) (invoice.Modify, error)
	Rule(node.CircuitKey, invoice.Ruling)
	Close()
}

// Of is a node as the service needs it.
func Of(n *node.Node) Node { return wrapped{n} }

type wrapped struct{ *node.Node }

func (w wrapped) Modify() (Modification, error) {
	m, err := w.Node.Modify()
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Service is the service. Use New.
type Service struct {
	invoicesrpc.UnimplementedInvoicesServer
	node Node
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n} }

// AddHoldInvoice makes an invoice for a hash.
func (s *Service) AddHoldInvoice(ctx context.Context, req *invoicesrpc.AddHoldInvoiceRequest) (*invoicesrpc.AddHoldInvoiceResp, error) {
	terms, err := translate.InvoiceTerms(req)
	if err != nil {
		return nil, err
	}
	if terms.Hash, err = translate.Hash("hash", req.Hash); err != nil {
		return nil, err
	}
	if terms.Hash == (lnwire.Hash{}) {
		return nil, translate.Invalid("hash", "must not be zero")
	}
	inv, err := s.node.AddInvoice(ctx, terms)
	if err != nil {
		return nil, err
	}
	return &invoicesrpc.AddHoldInvoiceResp{PaymentRequest: inv.Request, AddIndex: inv.AddIndex, PaymentAddr: inv.Secret[:]}, nil
}

// SettleInvoice claims what is held.
func (s *Service) SettleInvoice(ctx context.Context, req *invoicesrpc.SettleInvoiceMsg) (*invoicesrpc.SettleInvoiceResp, error) {
	p, err := translate.Array[lnwire.Preimage]("preimage", req.Preimage)
	if err != nil {
		return nil, err
	}
	if _, err := s.node.SettleInvoice(ctx, p); err != nil && !errors.Is(err, invoice.ErrAlreadySettled) {
		return nil, err
	}
	return &invoicesrpc.SettleInvoiceResp{}, nil
}

// CancelInvoice gives back what is held.
func (s *Service) CancelInvoice(ctx context.Context, req *invoicesrpc.CancelInvoiceMsg) (*invoicesrpc.CancelInvoiceResp, error) {
	hash, err := translate.Hash("payment_hash", req.PaymentHash)
	if err != nil {
		return nil, err
	}
	if _, err := s.node.CancelInvoice(ctx, hash); err != nil && !errors.Is(err, invoice.ErrAlreadyCanceled) {
		return nil, err
	}
	return &invoicesrpc.CancelInvoiceResp{}, nil
}

// SubscribeSingleInvoice delivers an invoice as it is and whenever it changes, until it
// is settled or canceled.
func (s *Service) SubscribeSingleInvoice(req *invoicesrpc.SubscribeSingleInvoiceRequest, out invoicesrpc.Invoices_SubscribeSingleInvoiceServer) error {
	hash, err := translate.Hash("r_hash", req.RHash)
	if err != nil {
		return err
	}
	events := s.node.InvoiceEvents() // before the look, so that nothing falls between
	inv, err := s.node.Invoice(hash)
	known := err == nil
	switch {
	case known:
		err = out.Send(translate.Invoice(&inv))
	case errors.Is(err, invoice.ErrNotFound):
		err = nil // it may be added later
	}
	if err != nil || known && inv.State.Final() {
		events.Cancel()
		return translate.InvoiceError(err)
	}
	state := inv.State
	err = translate.Follow(out.Context(), events, func(e invoice.Notice) error {
		if e.Invoice.Hash != hash || known && e.Invoice.State == state {
			return nil
		}
		known, state = true, e.Invoice.State
		if err := out.Send(translate.Invoice(&e.Invoice)); err != nil {
			return err
		}
		if state.Final() {
			return errDone
		}
		return nil
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

var errDone = errors.New("the invoice has come to its end")

// LookupInvoiceV2 finds an invoice by its hash or its payment address.
func (s *Service) LookupInvoiceV2(_ context.Context, req *invoicesrpc.LookupInvoiceMsg) (*lnrpc.Invoice, error) {
	var inv invoice.Invoice
	switch ref := req.InvoiceRef.(type) {
	case *invoicesrpc.LookupInvoiceMsg_PaymentHash:
		hash, err := translate.Hash("payment_hash", ref.PaymentHash)
		if err != nil {
			return nil, err
		}
		if inv, err = s.node.Invoice(hash); err != nil {
			return nil, translate.InvoiceError(err)
		}
	case *invoicesrpc.LookupInvoiceMsg_PaymentAddr:
		secret, err := translate.Array[lnwire.Secret]("payment_addr", ref.PaymentAddr)
		if err != nil {
			return nil, err
		}
		if inv, err = s.node.InvoiceBySecret(secret); err != nil {
			return nil, translate.InvoiceError(err)
		}
	case *invoicesrpc.LookupInvoiceMsg_SetId:
		return nil, translate.Invalid("set_id", "atomic multi-path payments are not supported")
	default:
		return nil, translate.Invalid("invoice_ref", "must be set")
	}
	return translate.Invoice(&inv), nil
}
