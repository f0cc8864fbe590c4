package lnwire

import "github.com/btcsuite/btcd/chainhash/v2"

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
