package lnwire

// OnionMessage carries an onion that belongs to no HTLC (BOLT 4). Nobody answers for
// it: whoever cannot use it drops it.
type OnionMessage struct {
	PathKey PubKey // that it is a point is asked when it is used
	Packet  []byte // onion_message_packet: 66 bytes more than its payloads
	Extra   ExtraTLVs
}

// B4.msg.1: path_key, a length, the packet.
func (m *OnionMessage) appendPayload(b []byte) ([]byte, error) {
	b, err := appendBlob(append(b, m.PathKey[:]...), m.Packet, "onion_message_packet")
	if err != nil {
		return nil, err
	}
	return appendExtension(b, nil, m.Extra)
}

func (m *OnionMessage) readPayload(r *reader) {
	m.PathKey = r.pubKey("path_key")
	m.Packet = r.blob("onion_message_packet")
	r.extension(&m.Extra, noRecords)
}
