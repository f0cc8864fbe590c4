// Package routing pays: it keeps the graph of channels, finds paths through it,
// learns from what became of them, and drives each payment to its end.
//
// It owns the Graph (compact, in memory, with snapshots that stay as they are
// while gossip goes on), the Finder (the cheapest and likeliest route by fees,
// time locks and experience), the Scores (what is known of who forwards how much),
// and the Payer, the machine of one payment: try, learn, try again, finish.
//
// It must never know how a channel works, where rows are stored, what an RPC looks
// like, or what time it is: snapshots, balances, heights and the clock come with
// each event.
//
//	payer, err := routing.New(routing.Begin{Terms: terms, Limits: limits, Seed: seed, Former: row})
//	fx := payer.Step(now, routing.Start{}, env)
//	// fx.Delta: queue it; fx.Launch: to the switch; fx.Learn: into the Scores
//	fx = payer.Step(now, routing.Resolved{AttemptID: id, Resolution: r}, env)
//	// fx.Ended: Succeeded with the preimage, or Failed with reason and words
//
// A payment is never made twice: an attempt is begun only when no other may still
// succeed, or when all of them together bring no more than was asked for.
package routing
