package lnwire

// ClosingTerms are the fields that closing_complete and closing_sig share (BOLT 2,
// option_simple_close): the closing transaction, and one signature for each shape of
// it that the sender would have. The closer pays the fee, the closee signs.
type ClosingTerms struct {
	ChannelID    ChannelID
	CloserScript []byte // closer_scriptpubkey
	CloseeScript []byte // closee_scriptpubkey
	Fee          Sat
	LockTime     uint32
	CloserOnly   *Sig // TLV 1: closer_output_only
	CloseeOnly   *Sig // TLV 2: closee_output_only
	BothOutputs  *Sig // TLV 3: closer_and_closee_outputs
	Extra        ExtraTLVs
}

// ClosingComplete offers a closing transaction of which the sender pays the fee.
type ClosingComplete struct{ ClosingTerms }

// ClosingSig signs the transaction of a ClosingComplete: its terms again, with
// exactly one signature.
type ClosingSig struct{ ClosingTerms }

func (m *ClosingTerms) appendPayload(b []byte) ([]byte, error) {
	b, err := appendBlob(append(b, m.ChannelID[:]...), m.CloserScript, "closer_scriptpubkey")
	if err != nil {
		return nil, err
	}
	if b, err = appendBlob(b, m.CloseeScript, "closee_scriptpubkey"); err != nil {
		return nil, err
	}
	b = appendU32(appendU64(b, uint64(m.Fee)), m.LockTime)
	var known []TLV
	for i, sig := range []*Sig{m.CloserOnly, m.CloseeOnly, m.BothOutputs} {
		if sig != nil {
			known = append(known, TLV{Type: uint64(i + 1), Value: sig[:]})
		}
	}
	return appendExtension(b, known, m.Extra)
}

// B2.wire.14: each of the three records is a signature of 64 bytes.
func (m *ClosingTerms) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.CloserScript = r.blob("closer_scriptpubkey")
	m.CloseeScript = r.blob("closee_scriptpubkey")
	m.Fee = r.sat("fee_satoshis")
	m.LockTime = r.u32("locktime")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		switch typ {
		case 1:
			m.CloserOnly = v.sigRecord("closer_output_only")
		case 2:
			m.CloseeOnly = v.sigRecord("closee_output_only")
		case 3:
			m.BothOutputs = v.sigRecord("closer_and_closee_outputs")
		default:
			return false
		}
		return true
	})
}

func (r *reader) sigRecord(field string) *Sig {
	sig := r.sig(field)
	return &sig
}
