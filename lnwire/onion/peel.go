package onion

import (
	"bytes"
	"crypto/subtle"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// Peeled is what a node finds when it takes its layer off a packet.
type Peeled struct {
	// Payload is for DecodePayload. It is nil, which DecodePayload refuses, when
	// the packet was authentic but did not hold a payload.
	Payload []byte
	Next    Packet        // for the next node; zero when Final
	Final   bool          // there is no next node
	Secret  lnwire.Secret // shared with the origin: keep it with the HTLC, to fail it later
}

// Peel takes off the layer that is encrypted for the key (BOLT 4, Onion
// Decryption); assoc is the payment hash. It costs one ECDH, and a second point
// multiplication when there is a next node.
//
// Peel does not know which packets came before: a node remembers the ReplayTag
// of each and refuses one that it has seen.
func Peel(key ECDH, packet *Packet, assoc []byte) (Peeled, *BadOnion) {
	p, code, err := peelPacket(key, nil, packet, assoc)
	if code != 0 {
		bad := NewBadOnion(code, packet)
		bad.Err = err
		return Peeled{}, bad
	}
	return p, nil
}

// peelPacket peels a packet of the size of a payment's packet.
func peelPacket(key ECDH, tweak *btcec.ModNScalar, packet *Packet, assoc []byte) (p Peeled, code Code, err error) {
	l, code, err := open(key, tweak, packet[:], assoc)
	if code != 0 {
		return p, code, err
	}
	p.Secret = l.secret
	p.Payload, p.Final = l.peel(p.Next[:], packet[:])
	return p, 0, nil
}

// layer is what opens one layer of a packet.
type layer struct {
	ephemeral *btcec.PublicKey // as it travelled
	secret    lnwire.Secret
}

// open computes the secret shared with the origin and checks with it that the
// packet, of any size, is authentic. The code is 0 when it is. A tweak multiplies
// the node's key, in a blinded path.
func open(key ECDH, tweak *btcec.ModNScalar, packet, assoc []byte) (l layer, code Code, err error) {
	if packet[0] != version {
		return l, InvalidOnionVersion, nil // B4.peel.1
	}
	l.ephemeral, err = lnwire.PubKey(ephemeralOf(packet)).Parse()
	if err != nil {
		return l, InvalidOnionKey, nil // B4.peel.2
	}
	point := l.ephemeral
	if tweak != nil {
		// Tweaking the point is the same as tweaking the key, which we do not have.
		point = curve.Multiply(point, tweak) // B4.blind.1
	}
	l.secret, err = key.ECDH(point)
	if err != nil {
		return l, InvalidOnionKey, err
	}
	mu := deriveKey(keyMu, l.secret)
	want := mac(mu[:], payloadsOf(packet), assoc)
	if subtle.ConstantTimeCompare(want, macOf(packet)) != 1 {
		return l, InvalidOnionHMAC, nil // B4.peel.3, B4.peel.4
	}
	return l, 0, nil
}

// peel decrypts an authentic packet and writes the next one, which is as long.
// The payload is nil when its frame does not fit.
func (l layer) peel(next, packet []byte) (payload []byte, final bool) {
	room := len(packet) - overhead
	plain := make([]byte, 2*room)
	copy(plain, payloadsOf(packet))
	xorStream(deriveKey(keyRho, l.secret), 0, plain)

	payload, nextMAC, used := splitFrame(plain[:room])
	if payload == nil || isZero(nextMAC) {
		return bytes.Clone(payload), true // B4.peel.9
	}
	blinded := curve.Multiply(l.ephemeral, blindingFactor(ephemeralOf(packet), l.secret))
	next[0] = version
	copy(ephemeralOf(next), blinded.SerializeCompressed())
	copy(payloadsOf(next), plain[used:used+room])
	copy(macOf(next), nextMAC)
	return bytes.Clone(payload), false // B4.peel.10
}

// splitFrame reads a payload with its length in front and an HMAC behind it, and
// tells how much room they take. All are nil when they are not there: the length
// is no minimal bigsize (B4.peel.5), below 2 (B4.peel.6), or more than there is
// (B4.peel.7), or the HMAC reaches beyond the room (B4.peel.8).
func splitFrame(room []byte) (payload, nextMAC []byte, used int) {
	n, rest, err := lnwire.ReadBigSize(room)
	if err != nil || n < minPayload || n > uint64(len(rest)) {
		return nil, nil, 0
	}
	payload, rest = rest[:n], rest[n:]
	if len(rest) < macLen {
		return nil, nil, 0
	}
	return payload, rest[:macLen], len(room) - len(rest) + macLen
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// Tag names a packet that has been seen.
type Tag [16]byte

// ReplayTag is the tag under which a node remembers a packet by its secret, to
// refuse it when it comes again with another HTLC (B4.peel.11). Two packets with
// the same ephemeral key have the same tag, whatever else differs; the tag tells
// nothing of the secret.
func ReplayTag(secret lnwire.Secret) (t Tag) {
	key := deriveKey(keyReplay, secret)
	copy(t[:], key[:])
	return t
}
