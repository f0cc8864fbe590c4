package htlc

import (
	"crypto/sha256"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// Open peels the onion of an incoming HTLC and reads what it says to us, who are self.
// pathKey is the one of update_add_htlc, nil when it has none. It costs one ECDH, two in
// a blinded path, and as many again for each dummy hop of a path of ours.
func Open(key onion.ECDH, self lnwire.PubKey, packet *onion.Packet, hash lnwire.Hash, pathKey *lnwire.PubKey) Opened {
	var o Opened
	if !o.peel(key, packet, hash, pathKey) {
		return o
	}
	o.Introduces = pathKey == nil && !o.Final && o.Payload.CurrentPathKey != nil
	if o.Payload.EncryptedRecipientData == nil {
		return o
	}
	at := pathKey
	for {
		b, bad := o.unblind(key, at)
		if bad != nil {
			o.Introduces = pathKey == nil && !o.Final
			o.Payload, o.Invalid = nil, bad
			return o
		}
		if o.Final || b.Data.NextNode == nil || *b.Data.NextNode != self {
			o.Introduces = pathKey == nil && !o.Final
			return o
		}
		// A dummy hop of a path of ours: the next layer is for us as well. Each layer is
		// a part of a packet of bounded size, so there is an end.
		if !o.isDummy() {
			o.Introduces = pathKey == nil
			o.Payload, o.Invalid = nil, &onion.Failure{Code: onion.InvalidOnionPayload}
			return o
		}
		first, dummies, next := o.Secret, append(b.Dummies, b.Data), o.Next
		at = &b.Next
		fits := o.peel(key, &next, hash, at)
		o.Secret = first // by which the payer finds us out
		if !fits {
			o.Introduces = pathKey == nil
			return o
		}
		o.Blinded = &onion.Blinded{Dummies: dummies}
	}
}

// peel takes one layer off; false when that or its payload is at fault.
func (o *Opened) peel(key onion.ECDH, packet *onion.Packet, hash lnwire.Hash, pathKey *lnwire.PubKey) bool {
	var p onion.Peeled
	var bad *onion.BadOnion
	if pathKey == nil {
		p, bad = onion.Peel(key, packet, hash[:])
	} else {
		p, bad = peelInside(key, packet, hash, *pathKey)
	}
	if bad != nil {
		*o = Opened{Bad: bad}
		return false
	}
	payload, invalid := onion.DecodePayload(p.Payload)
	*o = Opened{Secret: p.Secret, Final: p.Final, Next: p.Next, Invalid: invalid}
	if invalid == nil {
		o.Payload = &payload
	}
	return invalid == nil
}

func peelInside(key onion.ECDH, packet *onion.Packet, hash lnwire.Hash, pathKey lnwire.PubKey) (onion.Peeled, *onion.BadOnion) {
	b, err := onion.Unblind(key, pathKey)
	if err != nil {
		bad := onion.NewBadOnion(onion.InvalidOnionBlinding, packet)
		bad.Err = err
		return onion.Peeled{}, bad
	}
	return onion.PeelBlinded(key, b, packet, hash[:])
}

// unblind opens the recipient data with the path key of the HTLC or, without one, that
// of the payload.
//
// B4.blind.9: the path key stands in one of the two places, and never in both.
func (o *Opened) unblind(key onion.ECDH, pathKey *lnwire.PubKey) (*onion.Blinded, *onion.Failure) {
	fault := &onion.Failure{Code: onion.InvalidOnionPayload}
	inner := o.Payload.CurrentPathKey
	switch {
	case pathKey == nil && inner == nil, pathKey != nil && inner != nil:
		return nil, fault
	case pathKey == nil:
		pathKey = inner
	}
	b, err := onion.Unblind(key, *pathKey)
	if err != nil {
		return nil, fault
	}
	data, err := b.OpenData(o.Payload.EncryptedRecipientData)
	if err != nil {
		return nil, fault // B4.blind.3
	}
	if o.Blinded == nil {
		o.Blinded = &onion.Blinded{}
	}
	o.Blinded.Data, o.Blinded.Next = data, data.Next(b)
	return o.Blinded, nil
}

// isDummy: the layer says nothing but that it is one of ours.
func (o *Opened) isDummy() bool {
	d := o.Blinded.Data
	return d.ShortChannelID == nil && d.Relay != nil && o.Payload.OnlyData()
}

// Place is where in a route the HTLC found us.
func (l Locked) Place() onion.Place {
	switch {
	case l.HTLC.PathKey != nil:
		return onion.Inside
	case l.Opened.Introduces:
		return onion.Introduction
	}
	return onion.Outside
}

// Onwards is what the onion asks of us as a node on the way. Fail says how to refuse
// it, and why is for our log.
func (l Locked) Onwards() (f onion.Forward, fail *onion.Failure, why string) {
	p := l.Opened.Payload
	switch {
	case p == nil || l.Opened.Final:
		return f, &onion.Failure{Code: onion.TemporaryNodeFailure}, "it ends here"
	case l.Opened.Blinded != nil:
		f, why = p.CheckBlindedForward(*l.Opened.Blinded, l.HTLC.Amount, l.HTLC.Expiry)
		if why != "" {
			return f, &onion.Failure{Code: onion.InvalidOnionBlinding}, why
		}
		return f, nil, ""
	case l.HTLC.PathKey != nil: // B4.pay.7
		return f, &onion.Failure{Code: onion.InvalidOnionBlinding}, "a path key, but no recipient data"
	}
	if f, fail = p.CheckForward(); fail != nil {
		why = "the payload does not say where to"
	}
	return f, fail, why
}

// Ours is what the onion tells us as the last node.
func (l Locked) Ours() (f onion.Final, fail *onion.Failure, why string) {
	p := l.Opened.Payload
	switch {
	case p == nil || !l.Opened.Final:
		return f, &onion.Failure{Code: onion.TemporaryNodeFailure}, "we are not its last hop"
	case l.Opened.Blinded != nil:
		return p.CheckBlindedFinal(*l.Opened.Blinded, l.HTLC.Amount, l.HTLC.Expiry)
	case l.HTLC.PathKey != nil: // B4.pay.7
		return f, &onion.Failure{Code: onion.InvalidOnionBlinding}, "a path key, but no recipient data"
	}
	if f, fail = p.CheckFinal(l.HTLC.Amount, l.HTLC.Expiry); fail != nil {
		why = "the HTLC is not what its onion says"
	}
	return f, fail, why
}

// Fault is how an incoming HTLC is answered: what may be said depends on its place.
type Fault struct {
	Secret   lnwire.Secret // shared with the sender
	Place    onion.Place
	SHA256   [32]byte // of the onion, inside a blinded path or in front of it
	LockedAt time.Time
	// Attribute: attribution data goes with the answer.
	Attribute bool
}

// Fault is how to answer this HTLC.
//
// B4.attr.5: inside a blinded path nobody attributes, and what comes out of one all the
// same ends at its introduction node; whoever else can, does.
func (l Locked) Fault() Fault {
	f := Fault{Secret: l.Opened.Secret, Place: l.Place(), LockedAt: l.HTLC.LockedAt}
	if f.Place != onion.Outside && l.Onion != nil {
		f.SHA256 = sha256.Sum256(l.Onion[:])
	}
	f.Attribute = l.Attribute && f.Place != onion.Inside
	return f
}

// held is for how long we have had the HTLC at now; 0 when nobody knows.
func (f Fault) held(now time.Time) time.Duration {
	if f.LockedAt.IsZero() {
		return 0
	}
	return now.Sub(f.LockedAt)
}

// attribute is what goes with an answer of which behind came from downstream: a return
// packet as it came, or none of a fulfilment. What came out of a blinded path would tell
// the payer of its inside.
func (f Fault) attribute(behind *lnwire.Attribution, packet []byte, now time.Time) *lnwire.Attribution {
	if !f.Attribute {
		return nil
	}
	if f.Place != onion.Outside {
		behind = nil
	}
	return onion.Attribute(f.Secret, behind, packet, f.held(now))
}

// Fulfil gives the preimage at now. Behind is the attribution data that came with it,
// nil when the HTLC ended here, or when nothing came.
func (f Fault) Fulfil(preimage lnwire.Preimage, behind *lnwire.Attribution, now time.Time) Resolution {
	return Resolution{Kind: Fulfilled, Preimage: preimage, Attribution: f.attribute(behind, nil, now)}
}

// With fails the HTLC at now for a reason of our own.
//
// B4.blind.2: inside a blinded path every fault is told as invalid_onion_blinding, by
// update_fail_malformed_htlc. B4.blind.10: the introduction node tells the origin the
// same, by update_fail_htlc, of its own faults and of those behind it.
func (f Fault) With(fail onion.Failure, now time.Time) Resolution {
	switch f.Place {
	case onion.Inside:
		return Resolution{Kind: Malformed, OnionSHA256: f.SHA256, Code: uint16(onion.InvalidOnionBlinding)}
	case onion.Introduction:
		fail = onion.Failure{Code: onion.InvalidOnionBlinding, OnionSHA256: f.SHA256}
	case onion.Outside:
	}
	if !f.Attribute {
		return Resolution{Kind: Failed, Reason: onion.EncryptFailure(f.Secret, fail)}
	}
	reason, a := onion.EncryptFailureAttributed(f.Secret, fail, f.held(now))
	return Resolution{Kind: Failed, Reason: reason, Attribution: a}
}

// Delayed is the answer of an introduction node, given no sooner than now: the time for
// which it was put off counts as time that the HTLC was held.
func (f Fault) Delayed(now time.Time) Resolution {
	return f.With(onion.Failure{Code: onion.InvalidOnionBlinding}, now)
}

// Passed is the failure of the outgoing HTLC, passed back at now. Kind is not Fulfilled.
func (f Fault) Passed(r Resolution, now time.Time) Resolution {
	switch {
	case f.Place != onion.Outside:
		return f.With(onion.Failure{Code: onion.InvalidOnionBlinding}, now)
	case r.Kind == Failed:
		reason := append([]byte(nil), r.Reason...)
		a := f.attribute(r.Attribution, reason, now)
		return Resolution{Kind: Failed, Reason: onion.WrapFailure(f.Secret, reason), Attribution: a}
	case r.Kind == Malformed:
		// The next node could not read our onion; we tell the origin for it (B4.mal.1).
		return f.With(onion.Failure{Code: onion.Code(r.Code), OnionSHA256: r.OnionSHA256}, now)
	}
	return f.With(onion.Failure{Code: onion.PermanentChannelFailure}, now)
}
