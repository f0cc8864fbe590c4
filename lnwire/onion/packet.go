package onion

import (
	"crypto/sha256"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Packet is the onion_packet of a payment, as update_add_htlc carries it:
// version (1 byte), ephemeral public key (33), payloads (1300), HMAC (32).
type Packet = [lnwire.OnionLen]byte

const (
	version = 0

	pubKeyLen = 33
	macLen    = 32
	headerLen = 1 + pubKeyLen
	// overhead is all of a packet but its payloads. The code below works on
	// packets of any size; 1300 and 32768 bytes of payloads are the customary ones.
	overhead = headerLen + macLen

	// minPayload is the shortest payload that can hold a record; 0 and 1 are
	// reserved lengths.
	minPayload = 2
)

// PayloadsLen is the room for all payloads of a payment's route, each with its
// length in front and 32 bytes of HMAC behind it.
const PayloadsLen = lnwire.OnionLen - overhead

// HopLen is the room that a payload of n bytes takes in a packet.
func HopLen(n int) int { return len(lnwire.AppendBigSize(nil, uint64(n))) + n + macLen }

// The sections of a packet of any size.
func ephemeralOf(packet []byte) []byte { return packet[1:headerLen] }
func payloadsOf(packet []byte) []byte  { return packet[headerLen : len(packet)-macLen] }
func macOf(packet []byte) []byte       { return packet[len(packet)-macLen:] }

// BadOnion says that a packet could not be peeled, in the terms of
// update_fail_malformed_htlc: without a shared secret there is no other answer.
type BadOnion struct {
	Code   Code     // has the BADONION flag
	SHA256 [32]byte // sha256_of_onion
	// Err is set when our own key could not be used (a signer is away): then
	// nothing is known to be wrong with the onion.
	Err error
}

// NewBadOnion is the refusal of a packet with one of the BADONION codes.
func NewBadOnion(code Code, packet *Packet) *BadOnion {
	return &BadOnion{Code: code, SHA256: sha256.Sum256(packet[:])}
}

// Failure is the refusal as the node before us has to report it to the origin
// (B4.code.1).
func (b *BadOnion) Failure() Failure {
	return Failure{Code: b.Code, OnionSHA256: b.SHA256}
}
