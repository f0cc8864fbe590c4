// Package curve does what costs a node most of its time: verifying signatures, making and
// recovering them, Diffie-Hellman, and the keys that BOLT 3 and 4 derive from others, all on
// secp256k1. It owns which code does that and nothing else: btcec, in Go, or, when built with
// the tag libsecp256k1, the C library of that name, which is two to four times as fast. Both
// give the same bytes for the same question; docs/decisions/11-libsecp256k1.md says why
// there are two.
//
// It must never know what a key is for.
package curve
