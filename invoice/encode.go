package invoice

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Signer signs a digest with the node key so that the key can be recovered: a byte
// 27 + 4 + recovery id, then r and s, 32 bytes each.
type Signer func(digest [32]byte) [65]byte

const (
	timestampGroups = 7
	signatureGroups = 104
	hopHintLen      = 51
)

// Encode writes the text, in lower case. An error says which field cannot be
// written.
func (r *Request) Encode(sign Signer) (string, error) {
	if err := r.check(); err != nil {
		return "", fmt.Errorf("encode invoice: %w", err)
	}
	amount, err := writeAmount(r.Amount)
	if err != nil {
		return "", fmt.Errorf("encode invoice: %w", err)
	}
	hrp := "ln" + string(r.Network) + amount
	w := writer{}
	for shift := 30; shift >= 0; shift -= 5 { // B11.data.1
		w.groups = append(w.groups, byte(r.Timestamp.Unix()>>shift&31))
	}
	w.request(r)
	if w.err != nil {
		return "", fmt.Errorf("encode invoice: %w", w.err)
	}
	compact := sign(digest(hrp, w.groups)) // B11.data.2
	sig := append(compact[1:65:65], (compact[0]-27)&3)
	text := writeBech32(hrp, append(w.groups, toGroups(sig)...))
	if len(text) > MaxLen {
		return "", fmt.Errorf("encode invoice: %d characters, want at most %d", len(text), MaxLen)
	}
	return text, nil
}

// digest is what is signed.
func digest(hrp string, groups []byte) [32]byte {
	return sha256.Sum256(append([]byte(hrp), regroup(groups, 5, 8, true)...))
}

// writer collects the fields.
type writer struct {
	groups []byte
	err    error
}

// field writes type, length and data.
func (w *writer) field(typ byte, name string, groups []byte) {
	if len(groups) > maxFieldGroups {
		if w.err == nil {
			w.err = fmt.Errorf("%s: %d bytes, want at most %d", name, len(groups)*5/8, maxFieldGroups*5/8)
		}
		return
	}
	w.groups = append(w.groups, typ, byte(len(groups)>>5), byte(len(groups)&31))
	w.groups = append(w.groups, groups...)
}

// request writes the fields in the order in which most nodes do.
func (w *writer) request(r *Request) {
	if len(r.Blinded) == 0 {
		w.field(fieldSecret, "payment secret", toGroups(r.Secret[:])) // B11.field.2
	}
	w.field(fieldHash, "payment hash", toGroups(r.Hash[:])) // B11.field.1
	if r.Description != nil {
		w.field(fieldDescription, "description", toGroups([]byte(*r.Description)))
	} else {
		w.field(fieldDescriptionHash, "description hash", toGroups(r.DescriptionHash[:]))
	}
	if r.Metadata != nil {
		w.field(fieldMetadata, "payment metadata", toGroups(r.Metadata))
	}
	if !r.Payee.IsZero() {
		w.field(fieldPayee, "payee", toGroups(r.Payee[:]))
	}
	if seconds := uint64(r.Expiry / time.Second); r.Expiry != DefaultExpiry {
		w.field(fieldExpiry, "expiry", minimal(seconds)) // B11.field.5
	}
	if r.FinalDelta != 0 {
		w.field(fieldFinalDelta, "final delta", minimal(uint64(r.FinalDelta))) // B11.field.6
	}
	for _, f := range r.Fallbacks {
		groups, err := f.groups()
		if err != nil && w.err == nil {
			w.err = err
		}
		w.field(fieldFallback, "fallback address", groups)
	}
	for _, h := range r.Hints {
		w.field(fieldHint, "route hint", toGroups(h.bytes()))
	}
	for i := range r.Blinded {
		b, err := blindedBytes(&r.Blinded[i])
		if err != nil && w.err == nil {
			w.err = err
		}
		w.field(fieldBlinded, "blinded path", toGroups(b))
	}
	if groups := featureGroups(r.Features); len(groups) > 0 { // B11.field.9
		w.field(fieldFeatures, "features", groups)
	}
	for _, f := range r.Unknown {
		w.field(f.Type, "unknown field", f.Groups)
	}
}

// bytes writes the hops one behind the other (B11.field.8).
func (h RouteHint) bytes() []byte {
	b := make([]byte, 0, hopHintLen*len(h))
	for _, hop := range h {
		b = append(b, hop.Node[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(hop.SCID))
		b = binary.BigEndian.AppendUint32(b, hop.FeeBase)
		b = binary.BigEndian.AppendUint32(b, hop.FeePPM)
		b = binary.BigEndian.AppendUint16(b, hop.CLTVDelta)
	}
	return b
}

// featureGroups writes a vector in groups of 5 bits: bit 0 is the lowest of the
// last group; no zeros in front.
func featureGroups(f lnwire.Features) []byte {
	bits := f.Bits()
	if len(bits) == 0 {
		return nil
	}
	groups := make([]byte, int(bits[len(bits)-1])/5+1)
	for _, bit := range bits {
		groups[len(groups)-1-int(bit)/5] |= 1 << (bit % 5)
	}
	return groups
}

// features reads what featureGroups wrote. A field has at most 5115 bits.
func features(groups []byte) lnwire.Features {
	var bits []lnwire.Bit
	for i := range groups {
		g := groups[len(groups)-1-i]
		for k := range 5 {
			if n := 5*i + k; g>>k&1 != 0 && n <= math.MaxUint16 {
				bits = append(bits, lnwire.Bit(n))
			}
		}
	}
	return lnwire.NewFeatures(bits...)
}
