package router

import (
	"math"
	"strings"
	"time"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

const (
	// defaultParts is how many parts a payment may have if the caller does not say and
	// the recipient takes parts.
	defaultParts = 16
	// defaultFinalDelta is what the last HTLC must have left in a payment without
	// invoice, if the caller does not say.
	defaultFinalDelta = 80
)

// begin reads what is to be paid, and how.
func (s *Service) begin(req *routerrpc.SendPaymentRequest) (b routing.Begin, err error) {
	if err := unsupported(req); err != nil {
		return b, err
	}
	if b.Limits, err = limits(req); err != nil {
		return b, err
	}
	amount, err := translate.Amount("amt", req.Amt, req.AmtMsat)
	if err != nil {
		return b, err
	}
	if req.PaymentRequest != "" {
		b.Terms, err = s.fromInvoice(req, amount)
	} else {
		b.Terms, err = direct(req, amount)
	}
	if err != nil {
		return b, err
	}
	if err := translate.CLTVLimit(b.Limits.CLTV, uint32(b.Terms.FinalDelta)); err != nil {
		return b, err
	}
	if b.Terms.Payee == s.node.ID() && !req.AllowSelfPayment {
		return b, translate.Mistake("self-payments not allowed")
	}
	if len(b.Terms.Blinded) > 0 {
		switch {
		case len(req.RouteHints) > 0:
			return b, translate.Invalid("route_hints", "cannot be used with the invoice's blinded paths")
		case b.Limits.LastHop != nil:
			return b, translate.Invalid("last_hop_pubkey", "the recipient's blinded paths hide who comes before it")
		}
	}
	hints, err := translate.ReadHints("route_hints", req.RouteHints)
	if err != nil {
		return b, err
	}
	b.Terms.Hints = append(b.Terms.Hints, translate.HintHops(hints)...)
	if b.Terms.Custom, err = translate.Records("dest_custom_records", req.DestCustomRecords); err != nil {
		return b, err
	}
	return b, checkKeysend(&b.Terms)
}

// checkKeysend holds a spontaneous payment's preimage against its hash: the recipient
// would send everything back otherwise.
func checkKeysend(t *routing.Terms) error {
	for _, r := range t.Custom {
		if r.Type != invoice.KeysendType {
			continue
		}
		if len(r.Value) != 32 {
			return translate.Invalid("dest_custom_records", "the preimage of a keysend (%d) has %d bytes, want 32", r.Type, len(r.Value))
		}
		if lnwire.Preimage(r.Value).Hash() != t.Hash {
			return translate.Invalid("dest_custom_records", "the preimage of a keysend (%d) is not that of payment_hash", r.Type)
		}
	}
	return nil
}

// unsupported names what cannot be asked for.
func unsupported(req *routerrpc.SendPaymentRequest) error {
	if req.Amp {
		return translate.Invalid("amp", "atomic multi-path payments are not supported")
	}
	return nil
}

func limits(req *routerrpc.SendPaymentRequest) (l routing.Limits, err error) {
	if l.Fee, err = translate.Limit("fee_limit", req.FeeLimitSat, req.FeeLimitMsat); err != nil {
		return l, err
	}
	switch {
	case req.TimeoutSeconds < 0:
		return l, translate.Invalid("timeout_seconds", "must not be negative")
	case req.CltvLimit < 0:
		return l, translate.Invalid("cltv_limit", "must not be negative")
	}
	if !(req.TimePref >= -1 && req.TimePref <= 1) {
		return l, translate.Invalid("time_pref", "time preference out of range: must be between -1 and 1")
	}
	l.TimePref, l.MaxPart, l.Parts = req.TimePref, lnwire.MilliSat(req.MaxShardSizeMsat), req.MaxParts
	if l.Parts == 0 {
		l.Parts = defaultParts
	}
	l.Timeout, l.CLTV = time.Duration(req.TimeoutSeconds)*time.Second, uint32(req.CltvLimit)
	l.Outgoing = translate.SCIDs(req.OutgoingChanIds)
	if l.Custom, err = translate.WireRecords("first_hop_custom_records", req.FirstHopCustomRecords); err != nil {
		return l, err
	}
	if len(req.LastHopPubkey) > 0 {
		last, err := translate.PubKey("last_hop_pubkey", req.LastHopPubkey)
		if err != nil {
			return l, err
		}
		l.LastHop = &last
	}
	return l, nil
}

// fromInvoice takes the terms from an invoice.
func (s *Service) fromInvoice(req *routerrpc.SendPaymentRequest, amount lnwire.MilliSat) (t routing.Terms, err error) {
	for _, f := range []struct {
		set  bool
		name string
	}{
		{len(req.Dest) > 0, "dest"}, {len(req.PaymentHash) > 0, "payment_hash"},
		{req.FinalCltvDelta != 0, "final_cltv_delta"}, {len(req.PaymentAddr) > 0, "payment_addr"},
		{len(req.DestFeatures) > 0, "dest_features"},
	} {
		if f.set {
			return t, translate.Invalid(f.name, "%s and payment_request cannot appear together", f.name)
		}
	}
	r, err := invoice.Decode(req.PaymentRequest)
	if err != nil {
		return t, translate.Invalid("payment_request", "%v", err)
	}
	if network, ok := invoice.NetworkOf(s.node.Net()); !ok || r.Network != network {
		return t, translate.Invalid("payment_request", "invoice not for current active network '%s'", s.node.Net().Name)
	}
	if until := r.ExpiresAt(); s.now().After(until) {
		return t, translate.Mistake("invoice expired. Valid until %v", until.UTC())
	}
	switch {
	case r.Amount != 0 && amount != 0:
		return t, translate.Mistake("amount must not be specified when paying a non-zero amount invoice")
	case r.Amount == 0 && amount == 0:
		return t, translate.Mistake("amount must be specified when paying a zero amount invoice")
	case r.Amount != 0:
		amount = r.Amount
	}
	if r.FinalDelta > math.MaxUint16 {
		return t, translate.Invalid("payment_request", "min_final_cltv_expiry_delta of %d is out of range", r.FinalDelta)
	}
	text := strings.TrimSpace(req.PaymentRequest)
	if len(text) > 10 && strings.EqualFold(text[:10], "lightning:") {
		text = text[10:]
	}
	t = routing.Terms{Hash: r.Hash, Amount: amount, Metadata: r.Metadata, Features: r.Features, Request: text}
	if len(r.Blinded) > 0 { // who is paid, for how many blocks, and the secret are in the paths
		t.Blinded = translate.PathsToPay(r.Blinded)
		return t, nil
	}
	secret := r.Secret
	t.Payee, t.FinalDelta, t.Secret, t.Hints = r.Payee, uint16(r.FinalDelta), &secret, translate.HintHops(r.Hints)
	return t, nil
}

// direct takes the terms from the request itself.
func direct(req *routerrpc.SendPaymentRequest, amount lnwire.MilliSat) (t routing.Terms, err error) {
	if t.Payee, err = translate.PubKey("dest", req.Dest); err != nil {
		return t, err
	}
	if t.Hash, err = translate.Hash("payment_hash", req.PaymentHash); err != nil {
		return t, err
	}
	switch {
	case amount == 0:
		return t, translate.Mistake("amount must be specified")
	case req.FinalCltvDelta < 0 || req.FinalCltvDelta > math.MaxUint16:
		return t, translate.Invalid("final_cltv_delta", "%d is out of range", req.FinalCltvDelta)
	}
	t.Amount, t.FinalDelta = amount, uint16(req.FinalCltvDelta)
	if t.FinalDelta == 0 {
		t.FinalDelta = defaultFinalDelta
	}
	if len(req.PaymentAddr) > 0 {
		secret, err := translate.Array[lnwire.Secret]("payment_addr", req.PaymentAddr)
		if err != nil {
			return t, err
		}
		t.Secret = &secret
	}
	if len(req.DestFeatures) > 0 {
		t.Features, err = translate.Bits("dest_features", req.DestFeatures)
	}
	return t, err
}
