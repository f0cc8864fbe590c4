package translate

import (
	"fmt"
	"math"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// Capacity is that of a channel, as far as it is known now; 0: it is not.
type Capacity func(lnwire.ShortChannelID) lnwire.Sat

// NoPreimage is the text of a preimage that is not known.
var NoPreimage = hexOf(make([]byte, 32))

// Payment is a payment with its attempts. index is its number, 0 if unknown.
func Payment(p *routing.Payment, attempts []routing.Attempt, index uint64, capacity Capacity) *lnrpc.Payment {
	out := &lnrpc.Payment{
		PaymentHash: p.Terms.Hash.String(), Value: int64(p.Terms.Amount.Sat()), ValueSat: int64(p.Terms.Amount.Sat()),
		ValueMsat: int64(p.Terms.Amount), CreationDate: Unix(p.CreatedAt), CreationTimeNs: UnixNano(p.CreatedAt),
		PaymentRequest: p.Terms.Request, Status: paymentStatus(p, attempts), PaymentIndex: index,
		PaymentPreimage: hexOf(p.Preimage[:]), FirstHopCustomRecords: Custom(p.Limits.Custom),
	}
	out.Fee, out.FeeSat, out.FeeMsat = int64(p.Fee.Sat()), int64(p.Fee.Sat()), int64(p.Fee)
	if p.Status == routing.Failed {
		out.FailureReason = failureReason(p.Reason)
	}
	for i := range attempts {
		out.Htlcs = append(out.Htlcs, Attempt(&attempts[i], &p.Terms, capacity))
	}
	return out
}

// paymentStatus: as in lnd a payment is in flight as long as a part of it is, though
// the preimage be known.
func paymentStatus(p *routing.Payment, attempts []routing.Attempt) lnrpc.Payment_PaymentStatus {
	if UnderWay(attempts) {
		return lnrpc.Payment_IN_FLIGHT
	}
	switch p.Status {
	case routing.Succeeded:
		return lnrpc.Payment_SUCCEEDED
	case routing.Failed:
		return lnrpc.Payment_FAILED
	case routing.InFlight:
	}
	return lnrpc.Payment_IN_FLIGHT
}

// UnderWay reports that one of the attempts has not ended.
func UnderWay(attempts []routing.Attempt) bool {
	return slices.ContainsFunc(attempts, func(a routing.Attempt) bool { return a.Status == routing.InFlight })
}

// failureReason: the numbers are the same on both sides.
func failureReason(r routing.FailureReason) lnrpc.PaymentFailureReason {
	return lnrpc.PaymentFailureReason(r)
}

// Attempt is one HTLC of a payment.
func Attempt(a *routing.Attempt, t *routing.Terms, capacity Capacity) *lnrpc.HTLCAttempt {
	out := &lnrpc.HTLCAttempt{
		AttemptId: a.ID, Route: Route(&a.Route, t, capacity), AttemptTimeNs: UnixNano(a.StartedAt), ResolveTimeNs: UnixNano(a.EndedAt),
	}
	switch a.Status {
	case routing.InFlight:
		out.Status = lnrpc.HTLCAttempt_IN_FLIGHT
	case routing.Succeeded:
		out.Status, out.Preimage = lnrpc.HTLCAttempt_SUCCEEDED, a.Preimage[:]
	case routing.Failed:
		out.Status = lnrpc.HTLCAttempt_FAILED
		if a.Failure != nil {
			out.Failure = failure(a.Failure)
		}
	}
	return out
}

// failure is why an attempt failed. Sources are counted from our own node.
func failure(f *routing.AttemptFailure) *lnrpc.Failure {
	out := &lnrpc.Failure{
		Code: FailureCode(f.Code), HtlcMsat: uint64(f.Amount), CltvExpiry: uint32(f.Expiry), Flags: uint32(f.Flags),
		Height: uint32(f.Height), ChannelUpdate: channelUpdate(f.Update),
	}
	if f.OnionSHA256 != (lnwire.Hash{}) {
		out.OnionSha_256 = f.OnionSHA256[:]
	}
	switch {
	case f.Local && f.Code == onion.Unreadable:
		out.Code = lnrpc.Failure_INTERNAL_FAILURE
	case f.Local:
	case f.Hop == routing.UnknownHop:
		out.Code = lnrpc.Failure_UNREADABLE_FAILURE
	default:
		out.FailureSourceIndex = uint32(f.Hop + 1)
	}
	return out
}

// channelUpdate is a channel_update in full.
func channelUpdate(u *lnwire.ChannelUpdate) *lnrpc.ChannelUpdate {
	if u == nil {
		return nil
	}
	return &lnrpc.ChannelUpdate{
		Signature: u.Sig[:], ChainHash: u.ChainHash[:], ChanId: uint64(u.SCID), Timestamp: u.Timestamp,
		MessageFlags: uint32(u.MessageFlags), ChannelFlags: uint32(u.ChannelFlags), TimeLockDelta: uint32(u.CLTVExpiryDelta),
		HtlcMinimumMsat: uint64(u.HTLCMinimum), BaseFee: u.FeeBase, FeeRate: u.FeePPM, HtlcMaximumMsat: uint64(u.HTLCMaximum),
		ExtraOpaqueData: u.Extra,
	}
}

var failureCodes = map[onion.Code]lnrpc.Failure_FailureCode{
	onion.IncorrectOrUnknownPaymentDetails: lnrpc.Failure_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS,
	onion.IncorrectPaymentAmount:           lnrpc.Failure_INCORRECT_PAYMENT_AMOUNT,
	onion.FinalIncorrectCLTVExpiry:         lnrpc.Failure_FINAL_INCORRECT_CLTV_EXPIRY,
	onion.FinalIncorrectHTLCAmount:         lnrpc.Failure_FINAL_INCORRECT_HTLC_AMOUNT,
	onion.FinalExpiryTooSoon:               lnrpc.Failure_FINAL_EXPIRY_TOO_SOON,
	onion.InvalidRealm:                     lnrpc.Failure_INVALID_REALM,
	onion.ExpiryTooSoon:                    lnrpc.Failure_EXPIRY_TOO_SOON,
	onion.InvalidOnionVersion:              lnrpc.Failure_INVALID_ONION_VERSION,
	onion.InvalidOnionHMAC:                 lnrpc.Failure_INVALID_ONION_HMAC,
	onion.InvalidOnionKey:                  lnrpc.Failure_INVALID_ONION_KEY,
	onion.AmountBelowMinimum:               lnrpc.Failure_AMOUNT_BELOW_MINIMUM,
	onion.FeeInsufficient:                  lnrpc.Failure_FEE_INSUFFICIENT,
	onion.IncorrectCLTVExpiry:              lnrpc.Failure_INCORRECT_CLTV_EXPIRY,
	onion.ChannelDisabled:                  lnrpc.Failure_CHANNEL_DISABLED,
	onion.TemporaryChannelFailure:          lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE,
	onion.RequiredNodeFeatureMissing:       lnrpc.Failure_REQUIRED_NODE_FEATURE_MISSING,
	onion.RequiredChannelFeatureMissing:    lnrpc.Failure_REQUIRED_CHANNEL_FEATURE_MISSING,
	onion.UnknownNextPeer:                  lnrpc.Failure_UNKNOWN_NEXT_PEER,
	onion.TemporaryNodeFailure:             lnrpc.Failure_TEMPORARY_NODE_FAILURE,
	onion.PermanentNodeFailure:             lnrpc.Failure_PERMANENT_NODE_FAILURE,
	onion.PermanentChannelFailure:          lnrpc.Failure_PERMANENT_CHANNEL_FAILURE,
	onion.ExpiryTooFar:                     lnrpc.Failure_EXPIRY_TOO_FAR,
	onion.MPPTimeout:                       lnrpc.Failure_MPP_TIMEOUT,
	onion.InvalidOnionPayload:              lnrpc.Failure_INVALID_ONION_PAYLOAD,
	onion.InvalidOnionBlinding:             lnrpc.Failure_INVALID_ONION_BLINDING,
	onion.Unreadable:                       lnrpc.Failure_UNREADABLE_FAILURE,
}

// FailureCode is a code of BOLT 4 by lnrpc's number.
func FailureCode(c onion.Code) lnrpc.Failure_FailureCode {
	if code, ok := failureCodes[c]; ok {
		return code
	}
	return lnrpc.Failure_UNKNOWN_FAILURE
}

// Route is a route; t, which may be nil, is what its last hop is told besides.
func Route(r *routing.Route, t *routing.Terms, capacity Capacity) *lnrpc.Route {
	out := &lnrpc.Route{
		TotalTimeLock: uint32(r.Expiry), TotalFees: int64(r.Fee().Sat()), TotalFeesMsat: int64(r.Fee()),
		TotalAmt: int64(r.Amount.Sat()), TotalAmtMsat: int64(r.Amount), FirstHopAmountMsat: int64(r.Amount),
	}
	for i, h := range r.Hops {
		if r.Tail != nil && i == len(r.Hops)-2 {
			out.Hops = append(out.Hops, tailHops(r, t)...)
			break
		}
		hop := &lnrpc.Hop{
			ChanId: uint64(h.SCID), AmtToForward: int64(h.Forward.Sat()), AmtToForwardMsat: int64(h.Forward),
			Fee: int64(h.Fee.Sat()), FeeMsat: int64(h.Fee), Expiry: uint32(h.Expiry), PubKey: h.Node.String(), TlvPayload: true,
			ChanCapacity: int64(capacity(h.SCID)),
		}
		if last := i == len(r.Hops)-1; last && t != nil {
			if t.Secret != nil {
				hop.MppRecord = &lnrpc.MPPRecord{PaymentAddr: t.Secret[:], TotalAmtMsat: int64(t.Amount)}
			}
			hop.CustomRecords, hop.Metadata = Custom(t.Custom), t.Metadata
		}
		out.Hops = append(out.Hops, hop)
	}
	return out
}

// ReadRoute reads a route that a caller wants to be used as it is. What it says for
// its last hop is returned as far as it is there: the payment secret, the whole
// amount, metadata, and custom records.
func ReadRoute(field string, r *lnrpc.Route) (route routing.Route, t routing.Terms, err error) {
	if r == nil || len(r.Hops) == 0 {
		return route, t, Invalid(field, "unable to send, no routes provided")
	}
	if len(r.Hops) > routing.MaxHops {
		return route, t, Invalid(field, "has %d hops, at most %d are possible", len(r.Hops), routing.MaxHops)
	}
	route.Expiry = lnwire.Height(r.TotalTimeLock)
	if route.Amount, err = Amount(field+".total_amt", 0, or(r.TotalAmtMsat, r.TotalAmt)); err != nil {
		return route, t, err
	}
	for i, h := range r.Hops {
		name := fmt.Sprintf("%s.hops[%d]", field, i)
		if len(h.GetBlindingPoint()) > 0 {
			return readBlindRoute(field, r, i, route)
		}
		hop, err := readHop(name, h)
		if err != nil {
			return route, t, err
		}
		if i < len(r.Hops)-1 && (len(h.CustomRecords) > 0 || h.MppRecord != nil) {
			return route, t, Invalid(name, "only the last hop may have custom_records and mpp_record")
		}
		route.Hops = append(route.Hops, hop)
	}
	last := r.Hops[len(r.Hops)-1]
	t.Amount = route.Hops[len(route.Hops)-1].Forward
	t.Payee = route.Hops[len(route.Hops)-1].Node
	t.Metadata = last.Metadata
	if t.Custom, err = Records(field+".custom_records", last.CustomRecords); err != nil {
		return route, t, err
	}
	if m := last.MppRecord; m != nil {
		secret, err := Array[lnwire.Secret](field+".mpp_record.payment_addr", m.PaymentAddr)
		if err != nil {
			return route, t, err
		}
		t.Secret = &secret
		if t.Amount, err = Amount(field+".mpp_record.total_amt_msat", 0, m.TotalAmtMsat); err != nil {
			return route, t, err
		}
	}
	return route, t, nil
}

// readBlindRoute reads the rest of a route whose hop first is an introduction node.
func readBlindRoute(field string, r *lnrpc.Route, first int, route routing.Route) (routing.Route, routing.Terms, error) {
	amount, expiry := route.Amount, route.Expiry
	if first > 0 {
		amount, expiry = route.Hops[first-1].Forward, route.Hops[first-1].Expiry
	}
	rest, tail, err := readTail(field, r.Hops[first:], first, amount, expiry)
	if err != nil {
		return route, routing.Terms{}, err
	}
	last := r.Hops[len(r.Hops)-1]
	route.Hops, route.Tail = append(route.Hops, rest...), tail
	t := routing.Terms{Amount: route.Received(), Blinded: []routing.BlindedPath{{Intro: rest[0].Node, Tail: *tail}}}
	if t.Custom, err = Records(field+".custom_records", last.CustomRecords); err != nil {
		return route, t, err
	}
	if last.TotalAmtMsat > 0 {
		t.Amount, err = Amount(field+".total_amt_msat", 0, int64(min(last.TotalAmtMsat, math.MaxInt64)))
	}
	return route, t, err
}

// or is the amount in millisatoshis, from satoshis if only those are given.
func or(msat, sat int64) int64 {
	if msat == 0 && sat > 0 && sat <= int64(lnwire.MaxSat) {
		return sat * 1000
	}
	return msat
}

func readHop(name string, h *lnrpc.Hop) (hop routing.Hop, err error) {
	switch {
	case h == nil:
		return hop, Invalid(name, "must be set")
	case h.AmpRecord != nil:
		return hop, Invalid(name+".amp_record", "atomic multi-path payments are not supported")
	case len(h.EncryptedData) > 0 || h.TotalAmtMsat > 0:
		return hop, Invalid(name+".encrypted_data", "no hop before it has a blinding_point")
	case h.PubKey == "":
		return hop, Invalid(name+".pub_key", "must be set")
	case h.Expiry > math.MaxInt32:
		return hop, Invalid(name+".expiry", "%d is no height", h.Expiry)
	}
	hop.SCID, hop.Expiry = lnwire.ShortChannelID(h.ChanId), lnwire.Height(h.Expiry)
	if hop.Node, err = PubKeyHex(name+".pub_key", h.PubKey); err != nil {
		return hop, err
	}
	if hop.Forward, err = Amount(name+".amt_to_forward", 0, or(h.AmtToForwardMsat, h.AmtToForward)); err != nil {
		return hop, err
	}
	hop.Fee, err = Amount(name+".fee", 0, or(h.FeeMsat, h.Fee))
	return hop, err
}
