package onion

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Attribution data travels back with the end of an HTLC: every node on the way adds
// how long it held the HTLC and authenticates everything that came from behind it, so
// that the payer learns the hold times, and between which two nodes a failure was
// spoilt (BOLT 4, attribution_data).
//
// The blob has 20 hold times, then a triangle of truncated HMACs: row x is of the
// node x hops behind the one that handles the blob, with one HMAC for each distance y
// to the end of the route that is still possible there, the farthest first.
const (
	attributionHops = 20
	holdLen         = 4
	shortMacLen     = 4
	holdsLen        = attributionHops * holdLen
	// holdUnit is what hold times are counted in.
	holdUnit = 100 * time.Millisecond
)

// macAt is where the HMAC of row x for distance y stands.
func macAt(x, y int) int {
	before := x*attributionHops - x*(x-1)/2 // rows get shorter by one each
	return holdsLen + (before+attributionHops-1-x-y)*shortMacLen
}

// Attribute gives what goes upstream with the end of an HTLC: for a failure, packet
// is the return packet before our own layer was put on; for a fulfilment it is empty.
// Downstream is what came from behind, nil when nothing did or when the HTLC ended
// here. Hold is how long we had the HTLC.
//
// B4.attr.1: what came is shifted by one hop, or is all zeros. B4.attr.2: our hold time,
// in units of 100 ms, and our HMACs come first. B4.attr.3: all of it is encrypted for the
// payer alone.
func Attribute(secret lnwire.Secret, downstream *lnwire.Attribution, packet []byte, hold time.Duration) *lnwire.Attribution {
	a := new(lnwire.Attribution)
	if downstream != nil {
		shiftBack(a, downstream)
	}
	units := min(max(hold/holdUnit, 0), math.MaxUint32)
	binary.BigEndian.PutUint32(a[:], uint32(units))
	um := deriveKey(keyUm, secret)
	h := hmac.New(sha256.New, um[:])
	h.Write(packet)
	for y := range attributionHops { // each covers one hold time more than the one before
		h.Write(a[y*holdLen : (y+1)*holdLen])
		copy(a[macAt(0, y):], sealBehind(clone(h), a, y))
	}
	xorStream(deriveKey(keyAmmagExt, secret), 0, a[:])
	return a
}

// EncryptFailureAttributed is EncryptFailure with the attribution data that goes with
// it.
func EncryptFailureAttributed(secret lnwire.Secret, f Failure, hold time.Duration) ([]byte, *lnwire.Attribution) {
	packet := EncryptFailure(secret, f)
	bare := WrapFailure(secret, append([]byte{}, packet...)) // takes the layer off
	return packet, Attribute(secret, nil, bare, hold)
}

// shiftBack makes room for a node in front: each row moves one down and loses its
// farthest distance, which no longer fits into a route.
func shiftBack(to, from *lnwire.Attribution) {
	copy(to[holdLen:holdsLen], from[:])
	for x := range attributionHops - 1 {
		y := attributionHops - 2 - x // the farthest that stays
		copy(to[macAt(x+1, y):][:(y+1)*shortMacLen], from[macAt(x, y):])
	}
}

// shiftForth undoes shiftBack: what was in front is gone, and what was cut off is zero.
func shiftForth(a *lnwire.Attribution) {
	var out lnwire.Attribution
	copy(out[:holdsLen-holdLen], a[holdLen:holdsLen])
	for x := range attributionHops - 1 {
		y := attributionHops - 2 - x
		copy(out[macAt(x, y):][:(y+1)*shortMacLen], a[macAt(x+1, y):])
	}
	*a = out
}

// attributionMac is the HMAC of the node in front for a distance to the end of the
// route: over the packet, the hold times up to there, and one HMAC of each node behind.
func attributionMac(key, packet []byte, a *lnwire.Attribution, y int) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(packet)
	h.Write(a[:(y+1)*holdLen])
	return sealBehind(h, a, y)
}

// sealBehind ends an HMAC with those of the nodes behind.
func sealBehind(h hash.Hash, a *lnwire.Attribution, y int) []byte {
	var behind [attributionHops * shortMacLen]byte
	for x := 1; x <= y; x++ {
		copy(behind[(x-1)*shortMacLen:x*shortMacLen], a[macAt(x, y-x):])
	}
	h.Write(behind[:y*shortMacLen])
	return h.Sum(nil)[:shortMacLen]
}

// clone is the HMAC as far as it is.
func clone(h hash.Hash) hash.Hash {
	c, _ := h.(hash.Cloner).Clone() // fails for hashes that cannot; SHA-256 can
	return c
}

// ReadAttribution takes apart what came back to the payer. Secrets are those that
// Build gave, one for each hop; packet is the return packet of a failure as it came,
// empty for a fulfilment. It gives the hold times of the hops from the front up to the
// first that did not authenticate what it passed on: when those are fewer than the
// hops, then that hop or the one before it spoilt something, or does not take part.
//
// With a packet the work does not depend on the route's length (B4.ret.5); after a
// fulfilment nobody tries again.
func ReadAttribution(secrets []lnwire.Secret, packet []byte, a *lnwire.Attribution) (holds []time.Duration) {
	if len(secrets) > attributionHops {
		return nil
	}
	data, layers := *a, append([]byte{}, packet...)
	var dummy lnwire.Secret
	valid, rounds := true, attributionHops
	if len(packet) == 0 {
		rounds = len(secrets)
	}
	for i := range rounds {
		secret, y := dummy, 0
		if i < len(secrets) {
			secret, y = secrets[i], len(secrets)-1-i
		}
		if len(layers) > 0 {
			WrapFailure(secret, layers)
		}
		xorStream(deriveKey(keyAmmagExt, secret), 0, data[:])
		um := deriveKey(keyUm, secret)
		at := macAt(0, y)
		same := subtle.ConstantTimeCompare(data[at:at+shortMacLen], attributionMac(um[:], layers, &data, y)) == 1
		valid = valid && same && i < len(secrets)
		if valid { // B4.attr.4
			holds = append(holds, time.Duration(binary.BigEndian.Uint32(data[:]))*holdUnit)
		}
		shiftForth(&data)
	}
	return holds
}
