// Package commitment is BOLT 3: keys, scripts, and the commitment, HTLC and
// closing transactions, with their weights, fees and trimming.
//
// Everything is derived from a small value: Params say what is fixed for one
// side's commitments of one funding, Spec says what one commitment holds, and
// Build makes the transactions from both. What to sign and what to verify come
// out as data (SignJob, Check), in batches, so that a signer may live elsewhere
// and a pool may share the work.
//
// It must never know which messages are in flight, in which state a channel is,
// or what time it is.
//
//	c, err := commitment.Build(&params, n, point, spec)
//	sigs, ok := crypto.Sign(c.SignJobs(keys)) // for commitment_signed
package commitment
