package lightning

import (
	"context"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// AddInvoice makes an invoice.
func (s *Service) AddInvoice(ctx context.Context, req *lnrpc.Invoice) (*lnrpc.AddInvoiceResponse, error) {
	switch {
	case req.IsAmp:
		return nil, translate.Invalid("is_amp", "atomic multi-path payments are not supported")
	case !req.IsBlinded && req.BlindedPathConfig != nil:
		return nil, translate.Invalid("blinded_path_config", "blinded path config provided but is_blinded not set")
	}
	terms, err := translate.InvoiceTerms(req)
	if err != nil {
		return nil, err
	}
	if len(req.RPreimage) > 0 {
		p, err := translate.Array[lnwire.Preimage]("r_preimage", req.RPreimage)
		if err != nil {
			return nil, err
		}
		terms.Preimage = &p
	}
	inv, err := s.addInvoice(ctx, req, terms)
	if err != nil {
		return nil, err
	}
	return &lnrpc.AddInvoiceResponse{
		RHash: inv.Hash[:], PaymentRequest: inv.Request, AddIndex: inv.AddIndex, PaymentAddr: inv.Secret[:],
	}, nil
}

func (s *Service) addInvoice(ctx context.Context, req *lnrpc.Invoice, terms invoice.Terms) (invoice.Invoice, error) {
	if !req.IsBlinded {
		return s.node.AddInvoice(ctx, terms)
	}
	if terms.Private || len(terms.Hints) > 0 {
		return invoice.Invoice{}, translate.Invalid("is_blinded", "can't set both hop hints and add blinded payment paths")
	}
	config, err := translate.BlindedConfig(req.BlindedPathConfig)
	if err != nil {
		return invoice.Invoice{}, err
	}
	return s.node.AddBlindedInvoice(ctx, terms, config)
}

// LookupInvoice finds an invoice by its hash.
func (s *Service) LookupInvoice(_ context.Context, req *lnrpc.PaymentHash) (*lnrpc.Invoice, error) {
	var hash lnwire.Hash
	var err error
	if req.RHashStr != "" {
		hash, err = translate.HashHex("r_hash_str", req.RHashStr)
	} else {
		hash, err = translate.Hash("r_hash", req.RHash)
	}
	if err != nil {
		return nil, err
	}
	inv, err := s.node.Invoice(hash)
	if err != nil {
		return nil, translate.InvoiceError(err)
	}
	return translate.Invoice(&inv), nil
}

// listPage is the size of a page of invoices, payments or forwards if the caller does not
// say.
const listPage = 100

// readPage is how many rows are read at a time when most are passed over.
const readPage = 1000

// ListInvoices is a page of invoices, from old to new.
func (s *Service) ListInvoices(ctx context.Context, req *lnrpc.ListInvoiceRequest) (*lnrpc.ListInvoiceResponse, error) {
	if err := dates(req.CreationDateStart, req.CreationDateEnd); err != nil {
		return nil, err
	}
	q := node.PageQuery{
		After: req.IndexOffset, Reverse: req.Reversed, Marked: req.PendingOnly,
		From: second(req.CreationDateStart), To: second(req.CreationDateEnd),
	}
	index := func(i *invoice.Invoice) uint64 { return i.AddIndex }
	list, err := page(ctx, s.node.InvoicesAdded, q, pageSize(req.NumMaxInvoices), index)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.ListInvoiceResponse{}
	for _, i := range list {
		out.Invoices = append(out.Invoices, translate.Invoice(i))
	}
	if len(list) > 0 {
		out.FirstIndexOffset, out.LastIndexOffset = list[0].AddIndex, list[len(list)-1].AddIndex
	}
	return out, nil
}

// pageSize reads the size of a page.
func pageSize(asked uint64) int {
	const all = 1 << 30
	if asked == 0 {
		return listPage
	}
	return int(min(asked, all))
}

func dates(start, end uint64) error {
	if start != 0 && end != 0 && start >= end {
		return translate.Invalid("creation_date_start", "start date(%v) must be before end date(%v)", start, end)
	}
	return nil
}

// second reads a date; there is none as late as the last ones.
func second(date uint64) int64 { return int64(min(date, math.MaxInt64)) }

// page reads rows in pages that are bounded, up to limit of them. They come in rising
// order, also when they are read from the end.
func page[T any](ctx context.Context, read func(node.PageQuery) ([]*T, error), q node.PageQuery, limit int, index func(*T) uint64) ([]*T, error) {
	var out []*T
	for len(out) < limit {
		if err := ctx.Err(); err != nil {
			return nil, status.FromContextError(err).Err()
		}
		q.Limit = min(readPage, limit-len(out))
		rows, err := read(q)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
		if len(rows) < q.Limit {
			break
		}
		q.After = index(rows[len(rows)-1])
	}
	if q.Reverse {
		slices.Reverse(out)
	}
	return out, nil
}

// SubscribeInvoices delivers invoices as they are added and settled, first those that
// the caller has missed.
func (s *Service) SubscribeInvoices(req *lnrpc.InvoiceSubscription, out lnrpc.Lightning_SubscribeInvoicesServer) error {
	events := s.node.InvoiceEvents() // before the backlog, so that nothing falls between
	added, settled, err := s.backlog(req, out)
	if err != nil {
		events.Cancel()
		return err
	}
	return translate.Follow(out.Context(), events, func(e invoice.Notice) error {
		switch {
		case e.Kind == invoice.WasAdded && e.Invoice.AddIndex > added:
		case e.Kind == invoice.WasSettled && e.Invoice.SettleIndex > settled:
		default:
			return nil
		}
		return out.Send(translate.Invoice(&e.Invoice))
	})
}

// backlog sends what was added and settled after the caller's indexes, and returns the
// last ones.
func (s *Service) backlog(req *lnrpc.InvoiceSubscription, out lnrpc.Lightning_SubscribeInvoicesServer) (added, settled uint64, err error) {
	added, settled = req.AddIndex, req.SettleIndex
	send := func(read func(node.PageQuery) ([]*invoice.Invoice, error), at *uint64, index func(*invoice.Invoice) uint64) error {
		if *at == 0 {
			return nil
		}
		for {
			rows, err := read(node.PageQuery{After: *at, Limit: readPage})
			if err != nil {
				return err
			}
			for _, i := range rows {
				*at = index(i)
				if err := out.Send(translate.Invoice(i)); err != nil {
					return err
				}
			}
			if len(rows) < readPage {
				return nil
			}
		}
	}
	if err = send(s.node.InvoicesAdded, &added, func(i *invoice.Invoice) uint64 { return i.AddIndex }); err != nil {
		return 0, 0, err
	}
	err = send(s.node.InvoicesSettled, &settled, func(i *invoice.Invoice) uint64 { return i.SettleIndex })
	return added, settled, err
}

// DecodePayReq reads an invoice.
func (s *Service) DecodePayReq(_ context.Context, req *lnrpc.PayReqString) (*lnrpc.PayReq, error) {
	r, err := invoice.Decode(req.PayReq)
	if err != nil {
		return nil, translate.Mistake("%w", err)
	}
	if network, ok := invoice.NetworkOf(s.node.Net()); !ok || r.Network != network {
		return nil, status.Error(codes.InvalidArgument, "invoice not for current active network '"+s.node.Net().Name+"'")
	}
	return translate.PayReq(r), nil
}

// DeleteCanceledInvoice forgets an invoice that was canceled.
func (s *Service) DeleteCanceledInvoice(ctx context.Context, req *lnrpc.DelCanceledInvoiceReq) (*lnrpc.DelCanceledInvoiceResp, error) {
	if req.InvoiceHash == "" {
		return nil, translate.Mistake("invoice hash must be provided")
	}
	hash, err := translate.HashHex("invoice_hash", req.InvoiceHash)
	if err != nil {
		return nil, err
	}
	if err := s.node.DeleteInvoice(ctx, hash); err != nil {
		return nil, translate.InvoiceError(err)
	}
	return &lnrpc.DelCanceledInvoiceResp{Status: "canceled invoice deleted successfully: invoice hash " + hash.String()}, nil
}
