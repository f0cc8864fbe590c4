package invoice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// Decode reads a BOLT 11 text, with or without lightning: in front, and checks its
// signature. Whether it has expired is left to the caller. Every error says which
// field is wrong.
func Decode(text string) (*Request, error) {
	text = strings.TrimSpace(text)
	const scheme = "lightning:"
	if len(text) > len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		text = text[len(scheme):]
	}
	r, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("decode invoice: %w", err)
	}
	return r, nil
}

func decode(text string) (*Request, error) {
	hrp, groups, err := readBech32(text)
	if err != nil {
		return nil, err
	}
	r := &Request{Expiry: DefaultExpiry, FinalDelta: DefaultFinalDelta} // B11.read.2
	if r.Network, r.Amount, err = readHRP(hrp); err != nil {
		return nil, err
	}
	if len(groups) < timestampGroups+signatureGroups {
		return nil, fmt.Errorf("data: too short for timestamp and signature")
	}
	signed, sig := groups[:len(groups)-signatureGroups], groups[len(groups)-signatureGroups:]
	seconds, _ := number(signed[:timestampGroups])
	r.Timestamp = time.Unix(int64(seconds), 0).UTC()
	seen := seenFields{}
	if err := r.readFields(signed[timestampGroups:], &seen); err != nil {
		return nil, err
	}
	if err := r.complete(&seen); err != nil {
		return nil, err
	}
	return r, r.readSignature(digest(hrp, signed), sig)
}

// seenFields are the types of which the first one counts and was there.
type seenFields [32]bool

// readFields reads one field after the other. There can be no more of them than
// the text is long.
func (r *Request) readFields(groups []byte, seen *seenFields) error {
	for len(groups) > 0 {
		if len(groups) < 3 {
			return fmt.Errorf("data: %d groups behind the last field", len(groups))
		}
		typ, n := groups[0], int(groups[1])<<5|int(groups[2])
		if n > len(groups)-3 {
			return fmt.Errorf("field %c: longer than the invoice", charset[typ])
		}
		data := groups[3 : 3+n]
		groups = groups[3+n:]
		if seen[typ] || !r.fits(typ, data) {
			r.Unknown = append(r.Unknown, Field{typ, append([]byte(nil), data...)}) // B11.read.3
			continue
		}
		repeats := typ == fieldHint || typ == fieldFallback || typ == fieldBlinded
		seen[typ] = !repeats
		if err := r.readField(typ, data); err != nil {
			return fmt.Errorf("field %c: %w", charset[typ], err)
		}
	}
	return nil
}

// fits is false for a field that has to be skipped: one of an unknown type, or
// whose length cannot be right.
func (r *Request) fits(typ byte, data []byte) bool {
	switch typ {
	case fieldHash, fieldSecret, fieldDescriptionHash:
		return len(data) == 52 // B11.read.4
	case fieldPayee:
		return len(data) == 53
	case fieldFallback:
		_, ok := readFallback(data)
		return ok
	case fieldHint, fieldBlinded, fieldFeatures, fieldExpiry, fieldDescription, fieldFinalDelta, fieldMetadata:
		return true
	}
	return false
}

func (r *Request) readField(typ byte, data []byte) error {
	switch typ {
	case fieldExpiry, fieldFinalDelta, fieldFeatures:
		if len(data) > 0 && data[0] == 0 {
			return errors.New("begins with a zero: not minimal") // B11.read.5
		}
		return r.readNumber(typ, data)
	case fieldFallback:
		f, _ := readFallback(data)
		r.Fallbacks = append(r.Fallbacks, f)
		return nil
	}
	b, ok := toBytes(data)
	if !ok {
		return errors.New("the padding is not zero")
	}
	switch typ {
	case fieldHash:
		r.Hash = lnwire.Hash(b)
	case fieldSecret:
		r.Secret = lnwire.Secret(b)
	case fieldDescriptionHash:
		r.DescriptionHash = (*[32]byte)(b)
	case fieldDescription:
		if !utf8.Valid(b) {
			return errors.New("not valid UTF-8")
		}
		text := string(b)
		r.Description = &text
	case fieldMetadata:
		r.Metadata = append([]byte{}, b...) // B11.read.6
	case fieldPayee:
		r.Payee, r.PayeeGiven = lnwire.PubKey(b), true
	case fieldHint:
		return r.readHint(b)
	case fieldBlinded:
		p, err := readBlinded(b)
		r.Blinded = append(r.Blinded, p)
		return err
	}
	return nil
}

func (r *Request) readNumber(typ byte, data []byte) error {
	if typ == fieldFeatures {
		r.Features = features(data)
		if unknown := r.Features.UnknownRequired(lnwire.InInvoice); len(unknown) > 0 { // B11.feat.2, B11.feat.3
			return fmt.Errorf("requires feature %s (%d), which this node does not know", unknown[0].Name(), unknown[0])
		}
		return r.Features.CheckDependencies() // B11.feat.4
	}
	n, ok := number(data)
	if typ == fieldExpiry {
		if !ok || n > maxExpirySeconds {
			n = maxExpirySeconds
		}
		r.Expiry = time.Duration(n) * time.Second
		return nil
	}
	if !ok || n > 1<<31 {
		return errors.New("more blocks than there will ever be")
	}
	r.FinalDelta = max(uint32(n), 1) // 0 would leave the field out
	return nil
}

func (r *Request) readHint(b []byte) error {
	if len(b) == 0 || len(b)%hopHintLen != 0 {
		return fmt.Errorf("%d bytes, want a multiple of %d", len(b), hopHintLen)
	}
	hint := make(RouteHint, 0, len(b)/hopHintLen)
	for ; len(b) > 0; b = b[hopHintLen:] {
		hop := HopHint{
			Node:      lnwire.PubKey(b[:33]),
			SCID:      lnwire.ShortChannelID(binary.BigEndian.Uint64(b[33:])),
			FeeBase:   binary.BigEndian.Uint32(b[41:]),
			FeePPM:    binary.BigEndian.Uint32(b[45:]),
			CLTVDelta: binary.BigEndian.Uint16(b[49:]),
		}
		if _, err := hop.Node.Parse(); err != nil {
			return fmt.Errorf("hop %d: %w", len(hint)+1, err)
		}
		hint = append(hint, hop)
	}
	r.Hints = append(r.Hints, hint)
	return nil
}

// complete says what is missing.
func (r *Request) complete(seen *seenFields) error {
	switch {
	case !seen[fieldHash]:
		return errors.New("field p: no payment hash of 32 bytes")
	case len(r.Blinded) > 0 && len(r.Hints) > 0:
		return errors.New("fields 5 and r: both blinded paths and route hints") // B11.blind.3
	case !seen[fieldSecret] && len(r.Blinded) == 0: // B11.blind.4
		return errors.New("field s: no payment secret of 32 bytes") // B11.read.7
	case !seen[fieldDescription] && !seen[fieldDescriptionHash]:
		return errors.New("fields d and h: neither a description nor its hash") // B11.read.8
	case seen[fieldDescription] && seen[fieldDescriptionHash]:
		return errors.New("fields d and h: both a description and a hash")
	}
	return nil
}

// readSignature checks the signature against the n field, or recovers the payee.
func (r *Request) readSignature(digest [32]byte, groups []byte) error {
	b, _ := toBytes(groups) // 104 groups are 65 bytes exactly
	copy(r.Signature[:], b)
	r.RecoveryID = b[64]
	if r.RecoveryID > 3 {
		return fmt.Errorf("signature: recovery id %d, want at most 3", r.RecoveryID)
	}
	if r.PayeeGiven {
		switch {
		case !isKey(r.Payee):
			return errors.New("field n: not a public key")
		case !r.Signature.IsLowS():
			return errors.New("signature: its s is high, which an n field forbids") // B11.sig.2
		case !lnwire.VerifySig(digest, r.Payee, r.Signature):
			return errors.New("signature: not by the node of field n") // B11.sig.1
		}
		return nil
	}
	key, err := curve.Recover(r.Signature, r.RecoveryID, digest) // B11.sig.3
	if err != nil {
		return fmt.Errorf("signature: no key can be recovered: %w", err)
	}
	r.Payee = lnwire.NewPubKey(key)
	return nil
}

func isKey(k lnwire.PubKey) bool {
	_, err := k.Parse()
	return err == nil
}
