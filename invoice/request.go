package invoice

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

const (
	// DefaultExpiry holds when an invoice has no x field.
	DefaultExpiry = time.Hour
	// DefaultFinalDelta holds when an invoice has no c field.
	DefaultFinalDelta = 18

	// maxExpirySeconds keeps an expiry within what a Duration holds: longer ones
	// count as this one, some 270 years.
	maxExpirySeconds = 1 << 33
	maxFieldGroups   = 1023
)

// The types of the fields.
const (
	fieldHash            = 1  // p
	fieldHint            = 3  // r
	fieldFeatures        = 5  // 9
	fieldExpiry          = 6  // x
	fieldFallback        = 9  // f
	fieldDescription     = 13 // d
	fieldSecret          = 16 // s
	fieldPayee           = 19 // n
	fieldBlinded         = 20 // 5, which bLIP 39 calls b
	fieldDescriptionHash = 23 // h
	fieldFinalDelta      = 24 // c
	fieldMetadata        = 27 // m
)

// Field is a field of an invoice that has no meaning to us: of a type that we do
// not know, or of a length or version that is to be skipped. Kept as it came.
type Field struct {
	Type   byte   // 0 to 31
	Groups []byte // of 5 bits each
}

// Request is what a BOLT 11 text says.
type Request struct {
	Network   Network
	Amount    lnwire.MilliSat // 0: the payer chooses
	Timestamp time.Time       // whole seconds
	Hash      lnwire.Hash     // payment_hash
	Secret    lnwire.Secret   // payment_secret; of an invoice with blinded paths it is zero
	// Exactly one of the two descriptions is set. The text may hold anything that
	// is UTF-8: sanitise it before it is shown (V-65).
	Description     *string
	DescriptionHash *[32]byte
	// Payee is the node to be paid; Decode always fills it in. When encoding, the
	// zero key leaves the n field out and the payer recovers it from the signature.
	Payee      lnwire.PubKey
	PayeeGiven bool          // the text had an n field
	Expiry     time.Duration // whole seconds, from Timestamp; DefaultExpiry is not written
	FinalDelta uint32        // min_final_cltv_expiry_delta; 0 leaves the c field out, which is read as DefaultFinalDelta
	Fallbacks  []Fallback    // preferred ones first
	Hints      []RouteHint   // preferred ones first
	// Blinded are paths to a payee who does not say who it is (bLIP 39), preferred ones
	// first. With them there are neither Hints nor a Secret, FinalDelta means nothing, and
	// Payee signs this invoice and may be nobody.
	Blinded  []onion.PaymentPath
	Features lnwire.Features
	Metadata []byte // payment_metadata, nil: none
	// Unknown are fields to be ignored, in order. Encode writes them behind the others.
	Unknown []Field
	// Signature and RecoveryID are as they came; Encode makes its own.
	Signature  lnwire.Sig
	RecoveryID byte
}

// ExpiresAt is when it should no longer be paid.
func (r *Request) ExpiresAt() time.Time { return r.Timestamp.Add(r.Expiry) }

// OffersMPP reports that it may be paid in several parts.
func (r *Request) OffersMPP() bool { return r.Features.HasEither(lnwire.BasicMPPOptional) }

// check says what keeps a request of ours from being written.
func (r *Request) check() error {
	switch {
	case r.Network.Params() == nil:
		return fmt.Errorf("network %q: not known", string(r.Network))
	case r.Timestamp.Unix() < 0 || r.Timestamp.Unix() >= 1<<35:
		return errors.New("timestamp: does not fit 35 bits")
	case r.Description == nil && r.DescriptionHash == nil:
		return errors.New("description: neither text nor hash is given") // B11.field.3
	case r.Description != nil && r.DescriptionHash != nil:
		return errors.New("description: text and hash are both given")
	case r.Description != nil && !utf8.ValidString(*r.Description):
		return errors.New("description: not valid UTF-8") // B11.field.4
	case r.Expiry < 0 || r.Expiry > maxExpirySeconds*time.Second:
		return fmt.Errorf("expiry: %s is out of range", r.Expiry)
	}
	if len(r.Blinded) > 0 && (len(r.Hints) > 0 || r.Secret != (lnwire.Secret{})) { // B11.blind.3
		return errors.New("blinded paths: stand beside route hints or a payment secret")
	}
	for _, h := range r.Hints {
		if len(h) == 0 {
			return errors.New("route hint: has no hop")
		}
	}
	for _, f := range r.Unknown {
		if f.Type > 31 {
			return fmt.Errorf("field %d: want a type below 32", f.Type)
		}
	}
	if err := r.Features.CheckOurs(lnwire.InInvoice); err != nil {
		return fmt.Errorf("features: %w", err) // B11.feat.1
	}
	return nil
}
