// Package onchain is BOLT 5: what a channel's end in the chain is worth to us, and
// what has to be done for it. It owns the derivation of claims, of what is to be
// watched and of the verdicts on HTLCs from one value, Close: the transaction that
// spent the funding output, the transactions that spent its outputs since, and the
// preimages that are known. Nothing here remembers: reorgs, restarts and preimages
// in any order give what the value says (V-12).
//
//	r := onchain.Resolve(&onchain.Close{Whose: onchain.Theirs, Commitment: com, ...})
//	r.Claims   // outputs that we can bring home
//	r.Watch    // outputs of whose spending we must know
//	r.Verdicts // how outgoing HTLCs ended
//	r.Done     // all is irrevocable: the channel may be forgotten
//
// It must never know how a fee is paid or raised, and which wallet does that, nor
// which messages a channel exchanged.
package onchain
