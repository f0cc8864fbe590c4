package lnwire

import "fmt"

// MsgType is the two-byte type in front of every message (BOLT 1). Even types
// must be understood, odd ones may be ignored.
type MsgType uint16

// The message types of BOLT 1, 2, 4 and 7.
const (
	MsgWarning                 MsgType = 1
	MsgStfu                    MsgType = 2
	MsgPeerStorage             MsgType = 7
	MsgPeerStorageRetrieval    MsgType = 9
	MsgInit                    MsgType = 16
	MsgError                   MsgType = 17
	MsgPing                    MsgType = 18
	MsgPong                    MsgType = 19
	MsgOpenChannel             MsgType = 32
	MsgAcceptChannel           MsgType = 33
	MsgFundingCreated          MsgType = 34
	MsgFundingSigned           MsgType = 35
	MsgChannelReady            MsgType = 36
	MsgShutdown                MsgType = 38
	MsgClosingSigned           MsgType = 39
	MsgClosingComplete         MsgType = 40
	MsgClosingSig              MsgType = 41
	MsgUpdateAddHTLC           MsgType = 128
	MsgUpdateFulfillHTLC       MsgType = 130
	MsgUpdateFailHTLC          MsgType = 131
	MsgCommitmentSigned        MsgType = 132
	MsgRevokeAndAck            MsgType = 133
	MsgUpdateFee               MsgType = 134
	MsgUpdateFailMalformedHTLC MsgType = 135
	MsgChannelReestablish      MsgType = 136
	MsgChannelAnnouncement     MsgType = 256
	MsgNodeAnnouncement        MsgType = 257
	MsgChannelUpdate           MsgType = 258
	MsgAnnouncementSignatures  MsgType = 259
	MsgQueryShortChannelIDs    MsgType = 261
	MsgReplyShortChannelIDsEnd MsgType = 262
	MsgQueryChannelRange       MsgType = 263
	MsgReplyChannelRange       MsgType = 264
	MsgGossipTimestampFilter   MsgType = 265
	MsgOnionMessage            MsgType = 513
)

// MaxMessage is the largest message, type included, that BOLT 8 can carry.
const MaxMessage = 65535

// Message is one peer message. The set is closed: every implementation is in
// this package, Unknown stands for the types that are not.
type Message interface {
	// Type is the message's number on the wire.
	Type() MsgType
	// appendPayload writes the payload (without the type) behind b: the fields in
	// the order and of the width that the spec gives them, then the extension.
	// B1.msg.6, B2.wire.1, B7.wire.21: the layout of each BOLT's messages.
	appendPayload(b []byte) ([]byte, error)
	// readPayload sets the message from a whole payload. The message keeps no
	// reference to the reader's bytes.
	readPayload(r *reader)
}

// ChannelMessage is a message that belongs to one channel: the connection hands
// it to the inbox of that channel.
type ChannelMessage interface {
	Message
	// Channel is the channel (or temporary channel) id that the message names.
	Channel() ChannelID
}

// DecodeError tells which message could not be decoded, and which field of it
// stopped the reader. BOLT 1 closes the connection over it.
type DecodeError struct {
	Type  MsgType
	Field string // the spec's name; empty when no single field is at fault
	Err   error
}

func (e *DecodeError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("decode %s: %v", e.Type, e.Err)
	}
	return fmt.Sprintf("decode %s: %s: %v", e.Type, e.Field, e.Err)
}

// Unwrap is the reason.
func (e *DecodeError) Unwrap() error { return e.Err }

// Marshal gives a message as BOLT 8 carries it: two bytes of type, the payload,
// the extension. The error says which field cannot be written, or that the whole
// is longer than MaxMessage.
func Marshal(m Message) ([]byte, error) { return Append(make([]byte, 0, 256), m) }

// Append is Marshal behind b.
//
// B1.msg.1: type, payload and extension follow each other, big-endian.
// B1.msg.2: nothing longer than 65535 bytes is made.
func Append(b []byte, m Message) ([]byte, error) {
	start := len(b)
	out, err := m.appendPayload(appendU16(b, uint16(m.Type())))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Type(), err)
	}
	if n := len(out) - start; n > MaxMessage {
		return nil, fmt.Errorf("encode %s: %d bytes, at most %d fit a message", m.Type(), n, MaxMessage)
	}
	return out, nil
}

// Unmarshal reads a whole message. A type that we do not know gives an *Unknown,
// and its Type().IsOdd() decides what becomes of it. The error is a *DecodeError, unless
// there is not even a type. Nothing of b is kept.
func Unmarshal(b []byte) (Message, error) {
	if len(b) < 2 || len(b) > MaxMessage {
		return nil, fmt.Errorf("decode message: %d bytes, want 2 to %d", len(b), MaxMessage)
	}
	t := MsgType(uint16(b[0])<<8 | uint16(b[1]))
	m := newMessage(t)
	r := reader{b: b[2:]}
	m.readPayload(&r)
	if r.err != nil {
		return nil, &DecodeError{Type: t, Field: r.field, Err: r.err}
	}
	return m, nil
}
