package lnwire

import (
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Init is the first message of a connection in each direction (BOLT 1).
type Init struct {
	GlobalFeatures Features         // legacy field; or-ed with Features by the reader
	Features       Features         // what the sender understands
	Networks       []chainhash.Hash // TLV 1: genesis hashes; empty means not said
	RemoteAddr     []byte           // TLV 3: the receiver's address as seen by the sender, encoded as an Address of BOLT 7
	Extra          ExtraTLVs
}

// Error ends a channel, or with a zero ChannelID all channels with the peer.
type Error struct {
	ChannelID ChannelID
	Data      []byte // for a human; not NUL-terminated, not trusted
}

// Warning tells of a problem that does not end a channel.
type Warning struct {
	ChannelID ChannelID
	Data      []byte
}

// Ping asks for a Pong of NumPongBytes, unless that is 65532 or more.
type Ping struct {
	NumPongBytes uint16
	Padding      []byte
}

// Pong answers a Ping.
type Pong struct{ Padding []byte }

// PeerStorage gives the peer a blob to keep for us (BOLT 1).
type PeerStorage struct{ Blob []byte }

// PeerStorageRetrieval returns the blob that we gave.
type PeerStorageRetrieval struct{ Blob []byte }

// Unknown is a message of a type that we do not know. An odd one may be ignored
// or offered to a subscriber; an even one ends the connection.
type Unknown struct {
	MsgType MsgType
	Payload []byte
}

// AllFeatures are the features that the sender of the init offers: its two fields,
// or-ed.
//
// B1.init.1: globalfeatures and features are one map.
func (m *Init) AllFeatures() Features { return m.GlobalFeatures.Or(m.Features) }

func (m *Init) appendPayload(b []byte) ([]byte, error) {
	b, err := appendBlob(b, m.GlobalFeatures, "globalfeatures")
	if err != nil {
		return nil, err
	}
	b, err = appendBlob(b, m.Features, "features")
	if err != nil {
		return nil, err
	}
	var known []TLV
	if len(m.Networks) > 0 {
		v := make([]byte, 0, len(m.Networks)*chainhash.HashSize)
		for _, h := range m.Networks {
			v = append(v, h[:]...)
		}
		known = append(known, TLV{Type: 1, Value: v})
	}
	if m.RemoteAddr != nil {
		known = append(known, TLV{Type: 3, Value: m.RemoteAddr})
	}
	return appendExtension(b, known, m.Extra)
}

// B1.init.2: networks is a whole number of chain hashes.
func (m *Init) readPayload(r *reader) {
	m.GlobalFeatures = r.features("globalfeatures")
	m.Features = r.features("features")
	r.extension(&m.Extra, func(typ uint64, v *reader) bool {
		switch typ {
		case 1:
			// A chain hash that is not whole leaves bytes or lacks some; none at all say as
			// much as no record.
			m.Networks = nil
			for len(v.b) > 0 && v.err == nil {
				m.Networks = append(m.Networks, v.hash("networks"))
			}
		case 3:
			m.RemoteAddr = append([]byte{}, v.rest()...)
		default:
			return false
		}
		return true
	})
}

// Text is the error's data for a human: as it is when it is printable ASCII,
// quoted otherwise.
//
// B1.err.1: data that is not printable ASCII is never shown as it is (V-65).
func (m *Error) Text() string { return printable(m.Data) }

// Text is the warning's data for a human, as with Error.
func (m *Warning) Text() string { return printable(m.Data) }

func printable(data []byte) string {
	for _, c := range data {
		if c < 32 || c > 126 {
			return strconv.QuoteToASCII(string(data))
		}
	}
	return string(data)
}

func (m *Error) appendPayload(b []byte) ([]byte, error) {
	return appendBlob(append(b, m.ChannelID[:]...), m.Data, "data")
}

// The extensions of error, warning, ping, pong and the two storage messages are
// ignored, as BOLT 1 allows: an error must not be lost over what is behind it.
func (m *Error) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Data = r.blob("data")
}

func (m *Warning) appendPayload(b []byte) ([]byte, error) {
	return appendBlob(append(b, m.ChannelID[:]...), m.Data, "data")
}

func (m *Warning) readPayload(r *reader) {
	m.ChannelID = r.channelID("channel_id")
	m.Data = r.blob("data")
}

func (m *Ping) appendPayload(b []byte) ([]byte, error) {
	return appendBlob(appendU16(b, m.NumPongBytes), m.Padding, "ignored")
}

func (m *Ping) readPayload(r *reader) {
	m.NumPongBytes = r.u16("num_pong_bytes")
	m.Padding = r.blob("ignored")
}

func (m *Pong) appendPayload(b []byte) ([]byte, error) {
	return appendBlob(b, m.Padding, "ignored")
}

func (m *Pong) readPayload(r *reader) { m.Padding = r.blob("ignored") }

// B1.store.1: a blob is at most 65531 bytes, which is what one message holds.
func (m *PeerStorage) appendPayload(b []byte) ([]byte, error) {
	return appendBlob(b, m.Blob, "blob")
}

func (m *PeerStorage) readPayload(r *reader) { m.Blob = r.blob("blob") }

func (m *PeerStorageRetrieval) appendPayload(b []byte) ([]byte, error) {
	return appendBlob(b, m.Blob, "blob")
}

func (m *PeerStorageRetrieval) readPayload(r *reader) { m.Blob = r.blob("blob") }

func (m *Unknown) appendPayload(b []byte) ([]byte, error) { return append(b, m.Payload...), nil }

func (m *Unknown) readPayload(r *reader) { m.Payload = r.rest() }
