package lnwire

// Shutdown starts the cooperative close (BOLT 2).
type Shutdown struct {
	ChannelID ChannelID
	Script    []byte // scriptpubkey
	Extra     ExtraTLVs
}

// FeeRange is TLV 1 of closing_signed: the fees that the sender would accept.
type FeeRange struct{ Min, Max Sat }

// ClosingSigned proposes a closing fee and signs the transaction with it.
type ClosingSigned struct {
	ChannelID ChannelID
	Fee       Sat
	Sig       Sig
	Range     *FeeRange // TLV 1
	Extra     ExtraTLVs
}

// Stfu asks for quiescence (BOLT 2).
type Stfu struct {
	ChannelID ChannelID
	Initiator bool
	Extra     ExtraTLVs
}

func (m *Shutdown) appendPayload(b []byte) ([]byte, error) {
	b, err := appendBlob(append(b, m.ChannelID[:]...), m.Script, "scriptpubkey")
	if err != nil {
		return nil, err
	}
	return appendExtension(b, nil, m.Extra)
}

func (m *Shutdown) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Script = r.blob("scriptpubkey")
	r.extension(&m.Extra, noRecords)
}

func (m *ClosingSigned) appendPayload(b []byte) ([]byte, error) {
	b = append(b, m.ChannelID[:]...)
	b = appendU64(b, uint64(m.Fee))
	b = append(b, m.Sig[:]...)
	var known []TLV
	if m.Range != nil {
		v := appendU64(appendU64(nil, uint64(m.Range.Min)), uint64(m.Range.Max))
		known = []TLV{{Type: 1, Value: v}}
	}
	return appendExtension(b, known, m.Extra)
}

// B2.wire.6: a fee range is two amounts, exactly 16 bytes.
func (m *ClosingSigned) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Fee = r.sat("fee_satoshis")
	m.Sig = r.sig("signature")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		if typ != 1 {
			return false
		}
		m.Range = &FeeRange{Min: v.sat("min_fee_satoshis"), Max: v.sat("max_fee_satoshis")}
		return true
	})
}

// B2.wire.10: initiator is 1 for who asks and 0 for who answers.
func (m *Stfu) appendPayload(b []byte) ([]byte, error) {
	b = appendBool(append(b, m.ChannelID[:]...), m.Initiator)
	return appendExtension(b, nil, m.Extra)
}

func (m *Stfu) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Initiator = r.u8("initiator") != 0
	r.extension(&m.Extra, noRecords)
}
