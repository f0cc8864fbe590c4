package lnwire

import (
	"cmp"
	"slices"
)

// FirstCustomRecord is the first type of the records that are left to applications: in the
// payload of the last hop (BOLT 4), and in update_add_htlc.
const FirstCustomRecord uint64 = 65536

// maxCustomRecords is how many bytes of applications' records an HTLC may bring: they are
// kept with it for as long as it lives (V-44).
const maxCustomRecords = 4096

// Custom are the records of applications in the message, without the accountability signal.
// Of a message with more than 4096 bytes of them none is given.
func (m *UpdateAddHTLC) Custom() (out ExtraTLVs) {
	size := 0
	for _, rec := range m.Extra {
		if rec.Type < FirstCustomRecord || rec.Type == trialAccountableType {
			continue
		}
		if size += 16 + len(rec.Value); size > maxCustomRecords {
			return nil
		}
		out = append(out, TLV{Type: rec.Type, Value: append([]byte{}, rec.Value...)})
	}
	return out
}

// With adds records; of two with the same type the added one stays.
func (t ExtraTLVs) With(more ExtraTLVs) ExtraTLVs {
	if len(more) == 0 {
		return t
	}
	out := slices.Clone(more)
	for _, rec := range t {
		if !slices.ContainsFunc(more, func(m TLV) bool { return m.Type == rec.Type }) {
			out = append(out, rec)
		}
	}
	slices.SortFunc(out, func(a, b TLV) int { return cmp.Compare(a.Type, b.Type) })
	return out
}
