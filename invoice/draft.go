package invoice

import (
	"errors"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/mistake"
)

// Limits and defaults of invoices that we write: lnd's, where it has some that make
// sense.
const (
	MaxMemo         = 1024             // bytes
	MaxAmount       = 100_000 * 1e8    // lnwire.Sat
	MaxExpiry       = 8760 * time.Hour // a year
	MaxFinalDelta   = 1872             // blocks: a day below what HTLCs may have (V-37)
	MinFinalDelta   = 24               // blocks
	MaxHints        = 20
	OurExpiry       = 24 * time.Hour // when the caller gives none
	OurFinalDelta   = 80             // when the caller gives none
	descriptionHash = 32
)

// Terms are what the caller of AddInvoice decides about an invoice, and what the
// shell adds: randomness and the ways through private channels.
type Terms struct {
	// Preimage, or of a hold invoice Hash alone.
	Preimage *lnwire.Preimage
	Hash     lnwire.Hash
	Secret   lnwire.Secret // 32 random bytes
	Amount   lnwire.MilliSat
	Memo     string
	// DescriptionHash, if not empty, goes into the text instead of Memo.
	DescriptionHash []byte
	Expiry          time.Duration // 0: OurExpiry
	FinalDelta      uint64        // in blocks; 0: OurFinalDelta
	Fallback        string        // an on-chain address, or empty
	Hints           []RouteHint   // preferred ones first
	Private         bool
	Metadata        []byte // payment_metadata to be sent along by the payer; nil: none
	// Blinded are paths to us instead of our id and hints. Their path_id is Secret, and
	// their sums hold the final delta.
	Blinded []onion.PaymentPath
	// Attribution: answers to the payer carry attribution data. Not at the end of a
	// blinded path.
	Attribution bool
}

// ourFeatures are those of every invoice that we write.
var ourFeatures = lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired, lnwire.BasicMPPOptional)

// Draft makes a new invoice with its text, for Add. An error is a mistake and says which
// field is wrong, in lnd's words where it has some.
func Draft(n Network, t Terms, now time.Time, sign Signer) (Invoice, error) {
	inv, err := draft(n, t, now, sign)
	if err != nil {
		return Invoice{}, mistake.Argument("%w", err)
	}
	return inv, nil
}

func draft(n Network, t Terms, now time.Time, sign Signer) (Invoice, error) {
	if err := t.check(); err != nil {
		return Invoice{}, err
	}
	inv := Invoice{
		Hash: t.Hash, Preimage: t.Preimage, Secret: t.Secret, Hold: t.Preimage == nil,
		Amount: t.Amount, FinalDelta: uint32(t.FinalDelta), Metadata: t.Metadata, Features: ourFeatures,
		Memo: t.Memo, Fallback: t.Fallback, Hints: t.Hints, Private: t.Private, Blinded: len(t.Blinded) > 0,
		CreatedAt: now.Round(0), Expiry: t.Expiry.Truncate(time.Second),
	}
	if t.Preimage != nil {
		inv.Hash = t.Preimage.Hash() // B11.field.10
	}
	if inv.Hash == (lnwire.Preimage{}).Hash() {
		return Invoice{}, ErrZeroPreimage
	}
	if len(t.DescriptionHash) == descriptionHash {
		inv.DescriptionHash = (*[32]byte)(t.DescriptionHash)
	}
	if inv.FinalDelta == 0 {
		inv.FinalDelta = OurFinalDelta
	}
	if inv.Expiry == 0 {
		inv.Expiry = OurExpiry
	}
	if t.Metadata != nil {
		inv.Features = inv.Features.With(lnwire.PaymentMetadataRequired)
	}
	if inv.Blinded { // B11.blind.5
		inv.Features = inv.Features.With(lnwire.RouteBlindingOptional, lnwire.Bolt11BlindedPathsRequired)
	}
	if t.Attribution && !inv.Blinded {
		inv.Features = inv.Features.With(lnwire.AttributionDataOptional)
	}
	var err error
	inv.Request, err = inv.encode(n, t.Blinded, sign)
	return inv, err
}

// check compares with the limits.
func (t *Terms) check() error {
	switch {
	case len(t.Memo) > MaxMemo:
		return fmt.Errorf("memo too large: %d bytes (maxsize=%d)", len(t.Memo), MaxMemo)
	case len(t.DescriptionHash) != 0 && len(t.DescriptionHash) != descriptionHash:
		return fmt.Errorf("description hash is %d bytes, must be %d", len(t.DescriptionHash), descriptionHash)
	case t.Amount.Sat() > MaxAmount:
		return fmt.Errorf("invoice amount %v is too large, max is %v", t.Amount.Sat(), lnwire.Sat(MaxAmount))
	case t.Expiry < 0:
		return fmt.Errorf("expiry of %v is negative", t.Expiry)
	case t.Expiry > MaxExpiry:
		return fmt.Errorf("expiry of %v seconds greater than max expiry of %v seconds", t.Expiry.Seconds(), MaxExpiry.Seconds())
	case t.FinalDelta > MaxFinalDelta:
		return fmt.Errorf("CLTV delta of %d is too large, max accepted is: %d", t.FinalDelta, MaxFinalDelta)
	case t.FinalDelta != 0 && t.FinalDelta < MinFinalDelta:
		return fmt.Errorf("CLTV delta of %d must be greater than minimum of %d", t.FinalDelta, MinFinalDelta)
	case len(t.Blinded) > 0 && (len(t.Hints) > 0 || t.Private):
		return errors.New("can't set both hop hints and add blinded payment paths")
	case len(t.Blinded) > 0 && t.Metadata != nil:
		return errors.New("payment metadata cannot be sent along over blinded paths")
	case len(t.Hints) > MaxHints:
		return fmt.Errorf("number of routing hints must not exceed maximum of %d", MaxHints)
	}
	for _, h := range t.Hints {
		if len(h) == 0 {
			return errors.New("number of hop hint within a route must be positive")
		}
	}
	return nil
}

// encode writes the invoice's text.
func (i *Invoice) encode(n Network, paths []onion.PaymentPath, sign Signer) (string, error) {
	r := Request{
		Network: n, Amount: i.Amount, Timestamp: i.CreatedAt, Hash: i.Hash, Secret: i.Secret,
		DescriptionHash: i.DescriptionHash, Expiry: i.Expiry, FinalDelta: i.FinalDelta,
		Hints: i.Hints, Features: i.Features, Metadata: i.Metadata,
	}
	if i.DescriptionHash == nil {
		r.Description = &i.Memo
	}
	if i.Blinded { // the secret is in the paths, and so is the delta
		r.Blinded, r.Secret, r.FinalDelta = paths, lnwire.Secret{}, 0
	}
	if i.Fallback != "" {
		f, err := NewFallback(i.Fallback, n)
		if err != nil {
			return "", err
		}
		r.Fallbacks = []Fallback{f}
	}
	return r.Encode(sign)
}
