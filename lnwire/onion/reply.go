package onion

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/lnwire"
)

const (
	// replyLen is what the message and its padding have together in a return
	// packet: one size for all, and old nodes read no other (B4.ret.1, B4.ret.2).
	replyLen = 256
	// minReply is what DecodeFailure needs: an HMAC and the message's length. Less
	// padding than there should be is no reason not to read what the HMAC covers.
	minReply = macLen + 2
	// replyRounds is how often DecodeFailure decrypts, wherever the failure came
	// from: the longest route that a packet holds.
	replyRounds = 27
)

// EncryptFailure makes the return packet (the reason of update_fail_htlc) by
// which the node that peeled a packet fails its HTLC towards the origin. A
// channel_update that would make the packet longer than others is left out.
func EncryptFailure(secret lnwire.Secret, f Failure) []byte {
	msg := f.Encode()
	if len(msg) > replyLen {
		f.Update = nil
		msg = f.Encode()
	}
	return sealReply(secret, msg, replyLen)
}

// sealReply pads a message of at most 65535 bytes to the given size, frames,
// authenticates and encrypts it.
func sealReply(secret lnwire.Secret, msg []byte, size int) []byte {
	pad := max(0, size-len(msg))
	packet := make([]byte, macLen, macLen+2+len(msg)+2+pad)
	packet = binary.BigEndian.AppendUint16(packet, uint16(len(msg)))
	packet = append(packet, msg...)
	packet = binary.BigEndian.AppendUint16(packet, uint16(pad))
	packet = append(packet, make([]byte, pad)...)
	um := deriveKey(keyUm, secret)
	copy(packet, mac(um[:], packet[macLen:])) // B4.ret.3
	return WrapFailure(secret, packet)
}

// WrapFailure adds the layer of a node that passes a return packet back, whatever
// its length (B4.ret.4). It works in place and returns its argument.
func WrapFailure(secret lnwire.Secret, packet []byte) []byte {
	xorStream(deriveKey(keyAmmag, secret), 0, packet)
	return packet
}

// DecodeFailure finds the hop that made a return packet, and its failure. Secrets
// are those that Build gave; hop counts from 0 and is always one of them (V-61).
//
// Without ok no hop authenticated the packet: some node on the way spoilt it and
// there is no telling which. With ok the packet is the hop's own; when it holds no
// failure that can be read, the code is Unreadable.
//
// The work depends on the length of the packet alone, not on the hop: a node that
// measures how soon we try again does not learn how far away it is (B4.ret.5).
func DecodeFailure(secrets []lnwire.Secret, packet []byte) (hop int, f Failure, ok bool) {
	if len(packet) < minReply {
		return 0, Failure{}, false
	}
	var dummy lnwire.Secret
	layers := bytes.Clone(packet)
	found := make([]byte, len(packet)-macLen)
	open := 1 // until a hop is found
	for i := range max(replyRounds, len(secrets)) {
		secret, known := dummy, 0
		if i < len(secrets) {
			secret, known = secrets[i], 1
		}
		WrapFailure(secret, layers) // the stream takes off what it put on
		um := deriveKey(keyUm, secret)
		match := open & known & subtle.ConstantTimeCompare(layers[:macLen], mac(um[:], layers[macLen:]))
		subtle.ConstantTimeCopy(match, found, layers[macLen:])
		hop = subtle.ConstantTimeSelect(match, i, hop)
		open &^= match
	}
	if open == 1 {
		return 0, Failure{}, false
	}
	return hop, readReply(found), true
}

// readReply reads an authentic return packet behind its HMAC. How it is padded
// does not matter.
func readReply(b []byte) Failure {
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return Failure{Code: Unreadable}
	}
	return ReadFailure(b[2 : 2+n])
}
