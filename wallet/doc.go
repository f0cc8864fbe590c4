// Package wallet owns the coins: which outputs of the chain are ours, which of
// them are free, how a payment is funded from them, and how outputs that come
// back from elsewhere are swept home.
//
// It is two machines without clock, randomness or IO. Wallet holds accounts,
// coins, leases and transactions; Sweeper turns requests to spend an output,
// with deadline and budget, into batches and raises their fees while they wait.
// Their methods are the events: each returns Effects, what to write (Delta) and
// what to do once it is written. One goroutine drives both; the node merges a
// Delta with a channel's where they must commit together.
//
// It must never know what a channel or an HTLC is: what is spent is described by
// a commitment.Spend, whose witness it asks for without looking inside. Keys it
// knows in public only; a Signer signs.
//
// A block is told to both, in this order:
//
//	fx := w.Connect(block)
//	fx.Append(s.Connect(block, fees, now))
//	store.Write(fx.Delta)      // then
//	publish(fx.Publish)        // in order
//
// and a payment is made by
//
//	sent, fx, err := w.Send(signer, wallet.FundRequest{Outputs: outs, FeeRate: rate, MinConfs: 1, Now: now}, "rent")
//
// What the store holds is in rows.go; Load makes the same wallet from it again.
package wallet
