package lnwire

// Accountability is the signal in update_add_htlc by which whoever offers an HTLC says
// that the receiver will have to answer for the time that it takes to resolve. It goes
// by two numbers, and a node knows one of them at most. They do not mean quite the same:
// who knows the first refuses it without an onion that allows it. So each is carried on
// under its own number.
type Accountability uint8

// The two signals.
const (
	// AccountableDraft is TLV 1, without a value: BOLTs #1280, a draft.
	AccountableDraft Accountability = 1 << iota
	// AccountableTrial is TLV 106823, one byte, which is 7 then and 0 without the signal: lnd and LDK.
	AccountableTrial
)

// The records of the two.
const (
	draftAccountableType uint64 = 1
	trialAccountableType uint64 = 106823
	trialAccountable     byte   = 7
)

// Accountable reads the signal. A trial record of any other form is no signal, and no
// fault: others pass it over.
func (m *UpdateAddHTLC) Accountable() (a Accountability) {
	for _, rec := range m.Extra {
		switch rec.Type {
		case draftAccountableType:
			a |= AccountableDraft
		case trialAccountableType:
			if len(rec.Value) > 0 && rec.Value[0] == trialAccountable {
				a |= AccountableTrial
			}
		}
	}
	return a
}

// Records are those that say the signal in update_add_htlc. The one with a value is there
// without a signal, too, so that an HTLC of ours looks like any other.
func (a Accountability) Records() ExtraTLVs {
	var out ExtraTLVs
	if a&AccountableDraft != 0 {
		out = append(out, TLV{Type: draftAccountableType, Value: []byte{}})
	}
	var value byte
	if a&AccountableTrial != 0 {
		value = trialAccountable
	}
	return append(out, TLV{Type: trialAccountableType, Value: []byte{value}})
}

// Signal is the record with a value that says the signal; none without it.
func (a Accountability) Signal() ExtraTLVs {
	if a&AccountableTrial == 0 {
		return nil
	}
	return ExtraTLVs{{Type: trialAccountableType, Value: []byte{trialAccountable}}}
}
