package onion

import "github.com/fulgur-ln/fulgur/lnwire"

// Forward is what a payload asks of a node on the way.
type Forward struct {
	Amount lnwire.MilliSat       // amt_to_forward: of the outgoing HTLC
	Expiry lnwire.Height         // outgoing_cltv_value: of the outgoing HTLC
	SCID   lnwire.ShortChannelID // the channel to the next node, or another to the same node
	// Inside a blinded path the next node may be named itself, with SCID zero, and it
	// is given a path key.
	Node    lnwire.PubKey
	PathKey *lnwire.PubKey
}

// Payload is the payload that asks it (B4.pay.5).
func (f Forward) Payload() Payload {
	return Payload{AmtToForward: &f.Amount, OutgoingCLTV: &f.Expiry, ShortChannelID: &f.SCID}
}

// CheckForward gives what the payload asks of a node that is not the last.
// Whether the HTLC pays for it and the channel can carry it is not looked at
// here. It is for nodes outside of blinded paths; CheckBlindedForward is for the others.
func (p Payload) CheckForward() (Forward, *Failure) {
	switch {
	case p.CurrentPathKey != nil:
		return Forward{}, &Failure{Code: InvalidOnionBlinding} // B4.pay.6
	case p.EncryptedRecipientData != nil:
		return Forward{}, invalidPayload(tlvCurrentPathKey, 0) // B4.pay.7
	case p.AmtToForward == nil:
		return Forward{}, invalidPayload(tlvAmtToForward, 0) // B4.pay.8
	case p.OutgoingCLTV == nil:
		return Forward{}, invalidPayload(tlvOutgoingCLTV, 0) // B4.pay.9
	case p.ShortChannelID == nil:
		return Forward{}, invalidPayload(tlvShortChannelID, 0) // B4.pay.10
	}
	return Forward{Amount: *p.AmtToForward, Expiry: *p.OutgoingCLTV, SCID: *p.ShortChannelID}, nil
}

// Final is what a payload tells the recipient.
type Final struct {
	Amount   lnwire.MilliSat // amt_to_forward: what this HTLC should bring
	Expiry   lnwire.Height   // outgoing_cltv_value: the least that this HTLC should have
	Secret   *lnwire.Secret  // payment_secret, nil when there was none
	Total    lnwire.MilliSat // total_msat of all parts; Amount when there was none
	Metadata []byte          // payment_metadata, nil when there was none
	Custom   []lnwire.TLV    // among them keysend's preimage
	Blinded  bool            // it came by a blinded path, whose path_id is the Secret
}

// Payload is the payload that tells it (B4.pay.11). Without a Secret the total is
// not told.
func (f Final) Payload() Payload {
	p := Payload{AmtToForward: &f.Amount, OutgoingCLTV: &f.Expiry, PaymentMetadata: f.Metadata, Custom: f.Custom}
	if f.Secret != nil {
		p.PaymentData = &PaymentData{Secret: *f.Secret, Total: f.Total}
	}
	return p
}

// CheckFinal gives what the payload tells the last node, after comparing it with
// the HTLC that brought it: a node before us may have kept too much or waited too
// long. What the invoice demands is not looked at here.
func (p Payload) CheckFinal(amount lnwire.MilliSat, expiry lnwire.Height) (Final, *Failure) {
	switch {
	case p.EncryptedRecipientData != nil:
		return Final{}, invalidPayload(tlvRecipientData, 0) // B4.pay.7
	case p.CurrentPathKey != nil:
		return Final{}, invalidPayload(tlvCurrentPathKey, 0) // B4.pay.7
	case p.AmtToForward == nil:
		return Final{}, invalidPayload(tlvAmtToForward, 0) // B4.pay.8
	case p.OutgoingCLTV == nil:
		return Final{}, invalidPayload(tlvOutgoingCLTV, 0) // B4.pay.9
	case expiry < *p.OutgoingCLTV:
		return Final{}, &Failure{Code: FinalIncorrectCLTVExpiry, CLTVExpiry: expiry} // B4.pay.12
	case amount < *p.AmtToForward:
		return Final{}, &Failure{Code: FinalIncorrectHTLCAmount, HTLCMsat: amount} // B4.pay.13
	}
	f := Final{
		Amount:   *p.AmtToForward,
		Expiry:   *p.OutgoingCLTV,
		Total:    *p.AmtToForward, // B4.pay.14
		Metadata: p.PaymentMetadata,
		Custom:   p.Custom,
	}
	if p.PaymentData != nil {
		f.Secret, f.Total = &p.PaymentData.Secret, p.PaymentData.Total
	}
	return f, nil
}
