// Package keys owns the secrets of a node: the seed, every key that follows from
// it, the per-commitment secrets of BOLT 3, and the signatures made with them.
//
// The seed is an aezeed (24 words, passphrase, birthday) as lnd writes it; its 16
// bytes are the BIP32 seed. From there
//
//	m/49'|84'|86'/0'/0'              the wallet's accounts, coin 0 on every network
//	m/1017'/coin'/family'/0/index    everything else, coin 0 on mainnet, 1 elsewhere
//
// so that the same words give lnd's node id, addresses and basepoints. No key is
// ever stored: a KeyLoc {family, index} names it, and deriving it costs one HMAC,
// because the Ring keeps the parents. A Ring never changes after it was made and
// may be used from many goroutines at once.
//
// It must never know when or why something is signed: jobs come as a place, a
// tweak and a digest, in batches, and the answers are signatures.
//
// Randomness and time are arguments: the package has no source of either.
//
//	seed, err := keys.Words(words).Decode(passphrase)
//	ring, err := keys.NewRing(seed.Entropy[:], keys.CoinMainnet)
//	id := ring.Node().PubKey()
//	sigs, ok := ring.Sign(jobs)
package keys
