// Package signer signs with the node's keys what others have put together: inputs of
// transactions, messages, shares of MuSig2 signatures.
//
// It owns the search for the key that a request names, the digests, and the sessions of
// MuSig2 with the promise that no nonce signs twice. It must never know who asks, nor
// what a signature is good for.
//
//	s := signer.New(ring, coins, time.Now)
//	key, err := s.Key(signer.Name{Loc: &loc})
//	sigs, err := s.SignOutputs(&signer.Tx{Tx: tx, Spends: outs}, inputs)
package signer
