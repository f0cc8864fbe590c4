// Package lnwire is the vocabulary of the house and the bytes of the Lightning
// wire: units, identifiers and feature bits, and every peer message of BOLT 1,
// 2, 4 and 7 with its TLV stream.
//
// It owns the mapping between bytes and messages, in both directions and without
// loss: what a peer signed is re-encoded to the same bytes, unknown odd records
// included. (Only what BOLT 1 lets us ignore behind its control messages is
// dropped.) Decoding is total and bounded: any input gives a message or an error,
// and no allocation is made for a length that the input does not contain (V-43).
//
// It must never know that a channel has a state, nor do any IO but on bytes.
//
// Files follow the BOLTs. The vocabulary is in types.go, signature.go, alias.go,
// address.go and, for BOLT 9, features.go with features_table.go. bigsize.go and
// tlv.go have the numbers and streams of BOLT 1, for other packages, too; codec.go
// is the reader that our messages share. The messages stand in bolt1.go,
// bolt2_open.go, bolt2_update.go, bolt2_close.go, bolt2_simpleclose.go, bolt4.go,
// bolt7.go and bolt7_query.go: each is its struct, its append method and its read
// method, in the order of the spec. message.go, msgtype.go and channelid.go are what
// all messages have in common.
// For example:
//
//	m := &lnwire.UpdateFulfillHTLC{ChannelID: id, ID: 7, Preimage: p}
//	b, err := lnwire.Marshal(m)      // type and payload, as BOLT 8 carries them
//	back, err := lnwire.Unmarshal(b) // *lnwire.UpdateFulfillHTLC again
package lnwire
