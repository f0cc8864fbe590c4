package onion

import "github.com/fulgur-ln/fulgur/lnwire"

// Place is where a node stands in the route of an HTLC, as far as blinding goes. It
// decides how the node may fail it.
type Place uint8

// The places.
const (
	// Outside of a blinded path.
	Outside Place = iota
	// Introduction node of a blinded path, and not its end.
	Introduction
	// Inside a blinded path, or at its end: the HTLC came with a path key.
	Inside
)

// Blinded is what a node of a blinded path is told besides its payload.
type Blinded struct {
	Data RecipientData
	Next lnwire.PubKey // path key for the next node
	// Dummies are the data of hops that are ours as well and led to this one.
	Dummies []RecipientData
}

// CheckBlindedForward is CheckForward inside a blinded path: the HTLC and the recipient
// data say what the payload of others does. Whatever is wrong is told as
// invalid_onion_blinding; the text says for our log what it was.
func (p Payload) CheckBlindedForward(b Blinded, amount lnwire.MilliSat, expiry lnwire.Height) (Forward, string) {
	amount, expiry, why := b.through(amount, expiry)
	d := b.Data
	switch {
	case why != "":
		return Forward{}, why
	case !p.OnlyData():
		return Forward{}, "the payload holds more than its recipient data" // B4.bfwd.2
	case d.ShortChannelID == nil && d.NextNode == nil:
		return Forward{}, "neither short_channel_id nor next_node_id" // B4.bfwd.3
	case d.ShortChannelID != nil && d.NextNode != nil:
		return Forward{}, "both short_channel_id and next_node_id" // B4.bfwd.4
	case d.Relay == nil:
		return Forward{}, "no payment_relay" // B4.bfwd.5
	}
	if why := d.bounds(amount, expiry); why != "" {
		return Forward{}, why
	}
	out, until, ok := d.Relay.Onwards(amount, expiry)
	if !ok {
		return Forward{}, "the HTLC is below its relay fee or delta"
	}
	f := Forward{Amount: out, Expiry: until, PathKey: &b.Next}
	if d.NextNode != nil {
		f.Node = *d.NextNode
	} else {
		f.SCID = *d.ShortChannelID
	}
	return f, ""
}

// CheckBlindedFinal is CheckFinal at the end of a blinded path. The path_id stands in
// the place of the secret when it can be one: who does not know it has no path of ours.
func (p Payload) CheckBlindedFinal(b Blinded, amount lnwire.MilliSat, expiry lnwire.Height) (Final, *Failure, string) {
	wrong := func(typ uint64, why string) (Final, *Failure, string) { return Final{}, invalidPayload(typ, 0), why }
	amount, expiry, why := b.through(amount, expiry)
	d := b.Data
	switch {
	case why != "":
		return wrong(tlvRecipientData, why)
	case p.ShortChannelID != nil || p.PaymentData != nil || p.PaymentMetadata != nil || len(p.Custom) > 0 || p.Odd:
		return wrong(0, "the payload holds records that do not belong at the end of a blinded path") // B4.bfinal.1
	case p.AmtToForward == nil:
		return wrong(tlvAmtToForward, "no amt_to_forward") // B4.bfinal.2
	case p.OutgoingCLTV == nil:
		return wrong(tlvOutgoingCLTV, "no outgoing_cltv_value")
	case p.TotalAmount == nil:
		return wrong(tlvTotalAmount, "no total_amount_msat")
	case d.ShortChannelID != nil || d.NextNode != nil:
		return wrong(tlvRecipientData, "the data name a next node, but there is none")
	case expiry < *p.OutgoingCLTV:
		return Final{}, &Failure{Code: FinalIncorrectCLTVExpiry, CLTVExpiry: expiry}, "expires before outgoing_cltv_value" // B4.bfinal.3
	case amount < *p.AmtToForward:
		return Final{}, &Failure{Code: FinalIncorrectHTLCAmount, HTLCMsat: amount}, "less than amt_to_forward"
	}
	if why := d.bounds(amount, expiry); why != "" {
		return wrong(tlvRecipientData, why)
	}
	f := Final{Amount: *p.AmtToForward, Expiry: *p.OutgoingCLTV, Total: *p.TotalAmount, Blinded: true}
	if secret := (lnwire.Secret{}); len(d.PathID) == len(secret) { // B4.bfinal.4
		copy(secret[:], d.PathID)
		f.Secret = &secret
	}
	return f, nil, ""
}

// OnlyData: there is nothing in the payload but what belongs to a node on the way.
func (p Payload) OnlyData() bool {
	return p.AmtToForward == nil && p.OutgoingCLTV == nil && p.ShortChannelID == nil && p.PaymentData == nil &&
		p.PaymentMetadata == nil && p.TotalAmount == nil && len(p.Custom) == 0 && !p.Odd
}

// through takes an HTLC through the dummy hops in front of ours.
func (b Blinded) through(amount lnwire.MilliSat, expiry lnwire.Height) (lnwire.MilliSat, lnwire.Height, string) {
	for _, d := range b.Dummies {
		if d.Relay == nil {
			return 0, 0, "no payment_relay"
		}
		if why := d.bounds(amount, expiry); why != "" {
			return 0, 0, why
		}
		var ok bool
		if amount, expiry, ok = d.Relay.Onwards(amount, expiry); !ok {
			return 0, 0, "the HTLC is below the relay fee or delta of a dummy hop"
		}
	}
	return amount, expiry, ""
}

// bounds says which constraint an HTLC breaks; empty when none.
//
// B4.blind.7: no HTLC that expires later, or brings less, than the path allows is
// carried or accepted. B4.blind.8: allowed features that we do not know forbid it, too;
// none that are absent mean none.
func (d RecipientData) bounds(amount lnwire.MilliSat, expiry lnwire.Height) string {
	if c := d.Constraints; c != nil {
		switch {
		case expiry > c.MaxExpiry:
			return "expires behind max_cltv_expiry of its blinded path"
		case amount < c.HTLCMinimum:
			return "below htlc_minimum_msat of its blinded path"
		}
	}
	if d.Features != nil && len(d.Features.UnknownRequired(lnwire.InBlindedPath)) > 0 {
		return "allowed_features hold a feature that we do not know"
	}
	return ""
}
