package onion

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// The lengths of a packet of an onion message: that of a payment's, or a large one.
const (
	MessageLen      = lnwire.OnionLen
	LargeMessageLen = 32768 + overhead
)

// The record types of onionmsg_tlv (BOLT 4, BOLT 12).
const (
	MsgReplyPath      uint64 = 2
	msgData           uint64 = 4
	MsgContents       uint64 = 64 // from here on: for the end of the path alone
	MsgInvoiceRequest uint64 = 64
	MsgInvoice        uint64 = 66
	MsgInvoiceError   uint64 = 68
)

// Message is what an onion message brings to its end.
type Message struct {
	// PathID is what we put into the path on which it came; nil when it has none, or
	// when somebody else made the path.
	PathID []byte
	// ReplyPath is where an answer goes; nil: none is wanted.
	ReplyPath *BlindedPath
	// Data is encrypted_recipient_data as it came, which PathID was in; nil: there was none.
	Data []byte
	// Contents are the other records, ascending: at most one of a type from
	// MsgContents on. Even ones are of BOLT 12, odd ones may be anything.
	Contents []lnwire.TLV
}

// Relay is an onion message for the next node: exactly one of Node and SCID is set.
type Relay struct {
	Node    lnwire.PubKey
	SCID    lnwire.ShortChannelID
	Message lnwire.OnionMessage
}

// MessageError says why an onion message is dropped. It is for the log: nobody is told.
type MessageError string

func (e MessageError) Error() string { return "onion message: " + string(e) }

// OpenMessage peels an onion message: it is either for us, or for a next node. What goes
// on to ourselves, by a dummy hop or the first step of an own path, comes out as a Relay
// to us. It costs two ECDH. The error is a MessageError, or the key's own.
//
// B4.msg.2: there is no associated data. B4.msg.3: what cannot be decrypted, is no TLV
// stream or has an unknown even record is dropped.
func OpenMessage(key ECDH, m *lnwire.OnionMessage) (*Message, *Relay, error) {
	if len(m.Packet) <= overhead {
		return nil, nil, MessageError("the packet is too short")
	}
	if _, err := m.PathKey.Parse(); err != nil {
		return nil, nil, MessageError("path_key is no point")
	}
	b, err := Unblind(key, m.PathKey)
	if err != nil {
		return nil, nil, err
	}
	l, code, err := open(key, b.tweak, m.Packet, nil)
	switch {
	case err != nil:
		return nil, nil, err
	case code != 0:
		return nil, nil, MessageError("the packet is not for us, or damaged")
	}
	next := make([]byte, len(m.Packet))
	payload, final := l.peel(next, m.Packet)
	p, err := readMessage(payload)
	if err != nil {
		return nil, nil, err
	}
	var data RecipientData
	if p.data != nil {
		if data, err = b.OpenData(p.data); err != nil {
			return nil, nil, MessageError(err.Error())
		}
	}
	if data.Features != nil && len(data.Features.UnknownRequired(lnwire.InBlindedPath)) > 0 { // B4.msg.4
		return nil, nil, MessageError("allowed_features hold a feature that we do not know")
	}
	if final {
		return p.end(data)
	}
	relay, err := p.relay(data)
	if err != nil {
		return nil, nil, err
	}
	relay.Message = lnwire.OnionMessage{PathKey: data.Next(b), Packet: next} // B4.msg.5
	return nil, relay, nil
}

// messagePayload is onionmsg_tlv.
type messagePayload struct {
	data  []byte // encrypted_recipient_data; empty, but not nil, when the record is
	reply *BlindedPath
	rest  []lnwire.TLV
}

func isMessageType(typ uint64) bool {
	switch typ {
	case MsgReplyPath, msgData, MsgInvoiceRequest, MsgInvoice, MsgInvoiceError:
		return true
	}
	return false
}

func readMessage(payload []byte) (p messagePayload, err error) {
	if payload == nil {
		return p, MessageError("no payload")
	}
	records, err := lnwire.ReadTLVs(payload, isMessageType)
	if err != nil {
		return p, MessageError(err.Error())
	}
	for _, r := range records {
		switch r.Type {
		case msgData:
			p.data = append([]byte{}, r.Value...)
		case MsgReplyPath:
			path, rest, err := ReadPath(r.Value)
			if err != nil || len(rest) > 0 {
				return p, MessageError("reply_path is not well formed")
			}
			p.reply = &path
		default:
			p.rest = append(p.rest, lnwire.TLV{Type: r.Type, Value: bytes.Clone(r.Value)})
		}
	}
	return p, nil
}

// relay is the next node of a message that does not end here.
//
// B4.msg.6: a node on the way has its recipient data and nothing else. B4.msg.7: those
// have no path_id, and name a next node, by its id or by a channel.
func (p messagePayload) relay(data RecipientData) (*Relay, error) {
	switch {
	case p.data == nil:
		return nil, MessageError("no encrypted_recipient_data")
	case p.reply != nil || len(p.rest) > 0:
		return nil, MessageError("records that do not belong to a node on the way")
	case data.PathID != nil:
		return nil, MessageError("a path_id, but there is a next node")
	case data.NextNode != nil:
		return &Relay{Node: *data.NextNode}, nil
	case data.ShortChannelID != nil:
		return &Relay{SCID: *data.ShortChannelID}, nil
	}
	return nil, MessageError("no next node")
}

// end is a message for us.
//
// B4.msg.8: with more than one field of contents it is dropped.
func (p messagePayload) end(data RecipientData) (*Message, *Relay, error) {
	contents := 0
	for _, r := range p.rest {
		if r.Type >= MsgContents {
			contents++
		}
	}
	if contents > 1 {
		return nil, nil, MessageError("more than one payload field")
	}
	return &Message{PathID: data.PathID, ReplyPath: p.reply, Data: p.data, Contents: p.rest}, nil, nil
}

// MessagePath makes the path of a message over nodes that are known, the last of which
// is its end, unless tail follows: then it goes on along tail, whose first node must not
// be among nodes. The session key must be fresh. Without a tail pathID, which may be
// nil, is given to the end: with it a path of this kind serves as a reply path, too.
//
// B4.msg.9: each node is told the next one, by its id, and nothing about payments.
// B4.msg.10: the node before the tail is told the tail's path key.
func MessagePath(sessionKey *btcec.PrivateKey, nodes []lnwire.PubKey, pathID []byte, tail *BlindedPath) (BlindedPath, error) {
	if len(nodes) == 0 {
		return BlindedPath{}, errors.New("message path: no nodes")
	}
	if tail != nil && tail.FirstNode.IsZero() {
		return BlindedPath{}, errors.New("message path: the first node behind is not known")
	}
	data := make([]RecipientData, len(nodes))
	for i := range nodes[:len(nodes)-1] {
		data[i].NextNode = &nodes[i+1]
	}
	if last := &data[len(nodes)-1]; tail != nil {
		last.NextNode, last.PathKeyOverride = &tail.FirstNode, &tail.PathKey
	} else {
		last.PathID = pathID
	}
	streams, err := pad(data)
	if err != nil {
		return BlindedPath{}, err
	}
	hops := make([]PathNode, len(nodes))
	for i := range hops {
		hops[i] = PathNode{Node: nodes[i], Data: streams[i]}
	}
	path, err := Blind(sessionKey, hops)
	if err == nil && tail != nil {
		path.Hops = append(path.Hops, tail.Hops...)
	}
	return path, err
}

// BuildMessage makes the message that goes to the first node of the path. The session
// key must be fresh, and another than the path's. The contents may be in any order.
//
// B4.msg.11: version 0, 1366 or 32834 bytes, without associated data. B4.msg.12: nodes
// on the way get their data and nothing else; all else is for the end.
func BuildMessage(sessionKey *btcec.PrivateKey, path BlindedPath, reply *BlindedPath, contents []lnwire.TLV) (*lnwire.OnionMessage, error) {
	hops := make([]Hop, len(path.Hops))
	room := 0
	for i, h := range path.Hops {
		records := []lnwire.TLV{{Type: msgData, Value: h.Data}}
		if i == len(path.Hops)-1 {
			var err error
			if records, err = lastRecords(h.Data, reply, contents); err != nil {
				return nil, err
			}
		}
		b, err := lnwire.AppendTLVs(nil, records)
		if err != nil {
			return nil, fmt.Errorf("onion message: %w", err)
		}
		hops[i] = Hop{PubKey: h.NodeID, Payload: b}
		room += HopLen(len(b))
	}
	size := MessageLen
	if room > size-overhead {
		size = LargeMessageLen
	}
	packet := make([]byte, size)
	if _, err := build(packet, sessionKey, hops, nil); err != nil {
		return nil, fmt.Errorf("onion message: %w", err)
	}
	return &lnwire.OnionMessage{PathKey: path.PathKey, Packet: packet}, nil
}

// lastRecords are those of the end, in order.
func lastRecords(data []byte, reply *BlindedPath, contents []lnwire.TLV) ([]lnwire.TLV, error) {
	records := []lnwire.TLV{{Type: msgData, Value: data}}
	if reply != nil {
		b, err := AppendPath(nil, *reply)
		if err != nil {
			return nil, err
		}
		records = append(records, lnwire.TLV{Type: MsgReplyPath, Value: b})
	}
	for _, c := range contents {
		if c.Type == msgData || c.Type == MsgReplyPath {
			return nil, fmt.Errorf("onion message: record %d is not a part of the contents", c.Type)
		}
		records = append(records, c)
	}
	slices.SortStableFunc(records, func(x, y lnwire.TLV) int { return cmp.Compare(x.Type, y.Type) })
	return records, nil
}
