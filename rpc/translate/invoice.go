package translate

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// Invoice is an invoice as lnrpc shows it. The preimage of a hold invoice is shown
// once it is settled.
func Invoice(i *invoice.Invoice) *lnrpc.Invoice {
	out := &lnrpc.Invoice{
		Memo: i.Memo, RHash: i.Hash[:], Value: int64(i.Amount.Sat()), ValueMsat: int64(i.Amount),
		Settled: i.State == invoice.Settled, CreationDate: Unix(i.CreatedAt), SettleDate: Unix(i.SettledAt),
		PaymentRequest: i.Request, Expiry: int64(i.Expiry / time.Second), FallbackAddr: i.Fallback,
		CltvExpiry: uint64(i.FinalDelta), RouteHints: Hints(i.Hints), Private: i.Private,
		AddIndex: i.AddIndex, SettleIndex: i.SettleIndex, State: invoiceState(i.State),
		Features: Features(i.Features), IsKeysend: i.Keysend, IsBlinded: i.Blinded,
	}
	if !i.Keysend {
		out.PaymentAddr = i.Secret[:]
	}
	if i.DescriptionHash != nil {
		out.DescriptionHash = i.DescriptionHash[:]
	}
	if i.Preimage != nil && (!i.Hold || i.State == invoice.Settled) {
		out.RPreimage = i.Preimage[:]
	}
	if i.State == invoice.Settled || i.State == invoice.Accepted {
		out.AmtPaid, out.AmtPaidSat, out.AmtPaidMsat = int64(i.Paid), int64(i.Paid.Sat()), int64(i.Paid)
	}
	for _, p := range i.Parts {
		out.Htlcs = append(out.Htlcs, invoiceHTLC(&p))
	}
	return out
}

func invoiceHTLC(p *invoice.Part) *lnrpc.InvoiceHTLC {
	return &lnrpc.InvoiceHTLC{
		ChanId: uint64(p.SCID), HtlcIndex: p.Ref.ID, AmtMsat: uint64(p.Paid()), AcceptHeight: int32(p.Height),
		AcceptTime: Unix(p.AcceptedAt), ResolveTime: Unix(p.ResolvedAt), ExpiryHeight: int32(p.Expiry),
		State: partState(p.State), CustomRecords: Custom(p.Custom), MppTotalAmtMsat: uint64(p.Total),
	}
}

func invoiceState(s invoice.State) lnrpc.Invoice_InvoiceState {
	switch s {
	case invoice.Settled:
		return lnrpc.Invoice_SETTLED
	case invoice.Canceled:
		return lnrpc.Invoice_CANCELED
	case invoice.Accepted:
		return lnrpc.Invoice_ACCEPTED
	case invoice.Open:
	}
	return lnrpc.Invoice_OPEN
}

func partState(s invoice.PartState) lnrpc.InvoiceHTLCState {
	switch s {
	case invoice.Claimed:
		return lnrpc.InvoiceHTLCState_SETTLED
	case invoice.Returned:
		return lnrpc.InvoiceHTLCState_CANCELED
	case invoice.Held:
	}
	return lnrpc.InvoiceHTLCState_ACCEPTED
}

// Hints are route hints as messages.
func Hints(list []invoice.RouteHint) []*lnrpc.RouteHint {
	var out []*lnrpc.RouteHint
	for _, hint := range list {
		h := &lnrpc.RouteHint{}
		for _, hop := range hint {
			h.HopHints = append(h.HopHints, &lnrpc.HopHint{
				NodeId: hop.Node.String(), ChanId: uint64(hop.SCID), FeeBaseMsat: hop.FeeBase,
				FeeProportionalMillionths: hop.FeePPM, CltvExpiryDelta: uint32(hop.CLTVDelta),
			})
		}
		out = append(out, h)
	}
	return out
}

// maxHintHops bounds a hint: no route is longer.
const maxHintHops = 20

// ReadHints reads route hints.
func ReadHints(field string, list []*lnrpc.RouteHint) ([]invoice.RouteHint, error) {
	if len(list) > invoice.MaxHints {
		return nil, Invalid(field, "number of routing hints must not exceed maximum of %d", invoice.MaxHints)
	}
	var out []invoice.RouteHint
	for i, hint := range list {
		var h invoice.RouteHint
		if len(hint.GetHopHints()) > maxHintHops {
			return nil, Invalid(field, "[%d]: more than %d hops", i, maxHintHops)
		}
		for j, hop := range hint.GetHopHints() {
			name := fmt.Sprintf("%s[%d].hop_hints[%d]", field, i, j)
			if hop == nil {
				return nil, Invalid(name, "must be set")
			}
			id, err := PubKeyHex(name+".node_id", hop.NodeId)
			if err != nil {
				return nil, err
			}
			if hop.CltvExpiryDelta > math.MaxUint16 {
				return nil, Invalid(name+".cltv_expiry_delta", "%d is above 65535", hop.CltvExpiryDelta)
			}
			h = append(h, invoice.HopHint{
				Node: id, SCID: lnwire.ShortChannelID(hop.ChanId), FeeBase: hop.FeeBaseMsat,
				FeePPM: hop.FeeProportionalMillionths, CLTVDelta: uint16(hop.CltvExpiryDelta),
			})
		}
		if len(h) > 0 {
			out = append(out, h)
		}
	}
	return out, nil
}

// NewInvoice is what callers of AddInvoice and AddHoldInvoice say alike.
type NewInvoice interface {
	GetMemo() string
	GetValue() int64
	GetValueMsat() int64
	GetDescriptionHash() []byte
	GetExpiry() int64
	GetFallbackAddr() string
	GetCltvExpiry() uint64
	GetRouteHints() []*lnrpc.RouteHint
	GetPrivate() bool
}

// InvoiceTerms reads what an invoice shall say; preimage and hash are left to the
// caller.
func InvoiceTerms(in NewInvoice) (t invoice.Terms, err error) {
	if t.Amount, err = Amount("value", in.GetValue(), in.GetValueMsat()); err != nil {
		return t, err
	}
	if n := len(in.GetDescriptionHash()); n != 0 && n != 32 {
		return t, Invalid("description_hash", "want 32 bytes, got %d", n)
	}
	expiry := in.GetExpiry()
	if expiry < 0 || expiry > int64(math.MaxInt64/time.Second) {
		return t, Invalid("expiry", "%d seconds are out of range", expiry)
	}
	if t.Hints, err = ReadHints("route_hints", in.GetRouteHints()); err != nil {
		return t, err
	}
	t.Memo, t.DescriptionHash, t.Expiry = in.GetMemo(), in.GetDescriptionHash(), time.Duration(expiry)*time.Second
	t.Fallback, t.FinalDelta, t.Private = in.GetFallbackAddr(), in.GetCltvExpiry(), in.GetPrivate()
	return t, nil
}

// PayReq is what an invoice of BOLT 11 says.
func PayReq(r *invoice.Request) *lnrpc.PayReq {
	out := &lnrpc.PayReq{
		Destination: r.Payee.String(), PaymentHash: r.Hash.String(), NumSatoshis: int64(r.Amount.Sat()), NumMsat: int64(r.Amount),
		Timestamp: r.Timestamp.Unix(), Expiry: int64(r.Expiry / time.Second), CltvExpiry: int64(r.FinalDelta),
		RouteHints: Hints(r.Hints), Features: Features(r.Features), BlindedPaths: BlindedPaths(r.Blinded),
	}
	if len(r.Blinded) == 0 {
		out.PaymentAddr = r.Secret[:]
	}
	if r.Description != nil {
		out.Description = *r.Description
	}
	if r.DescriptionHash != nil {
		out.DescriptionHash = hexOf(r.DescriptionHash[:])
	}
	if len(r.Fallbacks) > 0 {
		out.FallbackAddr = r.Fallbacks[0].Address(r.Network)
	}
	return out
}

// InvoiceError gives the error of a look-up its code.
func InvoiceError(err error) error {
	if errors.Is(err, invoice.ErrNotFound) {
		return status.Error(codes.NotFound, err.Error())
	}
	return err
}

// HintHops are route hints as paths are found with them.
func HintHops(list []invoice.RouteHint) [][]routing.HintHop {
	var out [][]routing.HintHop
	for _, hint := range list {
		var hops []routing.HintHop
		for _, h := range hint {
			hops = append(hops, routing.HintHop{Node: h.Node, SCID: h.SCID, Base: h.FeeBase, PPM: h.FeePPM, Delta: h.CLTVDelta})
		}
		out = append(out, hops)
	}
	return out
}
