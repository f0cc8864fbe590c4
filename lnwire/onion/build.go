package onion

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Hop is one node of a route: the key for which its layer is encrypted (its node
// id, or its blinded id) and its payload without the length in front.
type Hop struct {
	PubKey  lnwire.PubKey
	Payload []byte
}

// Build makes the packet that carries each hop its payload, the first hop first
// (BOLT 4, Packet Construction). The session key must be fresh for every packet;
// assoc is the payment hash. The secrets, one for each hop, are what
// DecodeFailure needs: keep them, as nothing else of the construction is needed
// again.
//
// An error is a mistake of the caller: no hops, a key that is no point, a payload
// shorter than 2 bytes, or more payload than PayloadsLen holds.
func Build(sessionKey *btcec.PrivateKey, hops []Hop, assoc []byte) (Packet, []lnwire.Secret, error) {
	var packet Packet
	secrets, err := build(packet[:], sessionKey, hops, assoc)
	if err != nil {
		return Packet{}, nil, fmt.Errorf("build onion: %w", err)
	}
	return packet, secrets, nil
}

// build fills a zeroed packet of any size.
func build(packet []byte, sessionKey *btcec.PrivateKey, hops []Hop, assoc []byte) ([]lnwire.Secret, error) {
	if err := checkRoom(len(packet)-overhead, hops); err != nil {
		return nil, err
	}
	if sessionKey == nil || sessionKey.Key.IsZero() {
		return nil, errors.New("session key is zero")
	}
	packet[0] = version // B4.build.1
	copy(ephemeralOf(packet), sessionKey.PubKey().SerializeCompressed())
	secrets, err := deriveSecrets(sessionKey, ephemeralOf(packet), hops)
	if err != nil {
		return nil, err
	}

	// What no hop's payload covers must look random, also to the last hop
	// (B4.build.2).
	payloads := payloadsOf(packet)
	xorStream(deriveKey(keyPad, [32]byte(sessionKey.Serialize())), 0, payloads)
	filler := makeFiller(len(payloads), hops, secrets)
	var next [macLen]byte // zero: the last hop is the last (B4.build.3)
	for i := len(hops) - 1; i >= 0; i-- {
		pushPayload(payloads, hops[i].Payload, next)
		xorStream(deriveKey(keyRho, secrets[i]), 0, payloads)
		if i == len(hops)-1 {
			copy(payloads[len(payloads)-len(filler):], filler)
		}
		mu := deriveKey(keyMu, secrets[i])
		next = [macLen]byte(mac(mu[:], payloads, assoc)) // B4.build.4
	}
	copy(macOf(packet), next[:])
	return secrets, nil
}

// checkRoom refuses a route whose payloads do not fit.
func checkRoom(room int, hops []Hop) error {
	if len(hops) == 0 {
		return errors.New("route has no hops")
	}
	used := 0
	for i, h := range hops {
		if len(h.Payload) < minPayload {
			return fmt.Errorf("payload of hop %d has %d bytes, want at least %d", i, len(h.Payload), minPayload)
		}
		if used += HopLen(len(h.Payload)); used > room {
			return fmt.Errorf("payloads up to hop %d of %d take %d bytes, the onion holds %d", i, len(hops), used, room)
		}
	}
	return nil
}

// deriveSecrets walks the ephemeral key along the route, from the session key and
// its public half on, and gives the secret that it shares with each hop.
func deriveSecrets(sessionKey *btcec.PrivateKey, public []byte, hops []Hop) ([]lnwire.Secret, error) {
	secrets := make([]lnwire.Secret, len(hops))
	ephemeral := btcec.PrivateKey{Key: sessionKey.Key}
	for i, h := range hops {
		node, err := h.PubKey.Parse()
		if err != nil {
			return nil, fmt.Errorf("key of hop %d: %w", i, err)
		}
		if i > 0 {
			ephemeral.Key.Mul(blindingFactor(public, secrets[i-1]))
			public = ephemeral.PubKey().SerializeCompressed()
		}
		secrets[i] = sharedSecret(node, &ephemeral.Key)
	}
	return secrets, nil
}

// makeFiller computes what the hops before the last will append while they peel,
// so that the HMACs can cover it: each shifts its own room out in front and fills
// up at the end with its stream (BOLT 4, Filler Generation).
func makeFiller(room int, hops []Hop, secrets []lnwire.Secret) []byte {
	var filler []byte
	for i, h := range hops[:len(hops)-1] {
		start := room - len(filler)
		filler = append(filler, make([]byte, HopLen(len(h.Payload)))...)
		xorStream(deriveKey(keyRho, secrets[i]), start, filler)
	}
	return filler
}

// pushPayload shifts payloads to the right and puts one more in front, with its
// length and the HMAC for the node after it.
func pushPayload(payloads, payload []byte, next [macLen]byte) {
	copy(payloads[HopLen(len(payload)):], payloads)
	front := lnwire.AppendBigSize(payloads[:0], uint64(len(payload)))
	front = append(front, payload...)
	_ = append(front, next[:]...)
}
