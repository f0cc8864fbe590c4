// Package channel is BOLT 2: one pure machine for the whole life of a channel,
// from open_channel until its last output is buried in the chain.
//
// It owns what is agreed with the peer, where every HTLC stands, which
// signatures and revocations were exchanged, and what must be written, said,
// published and watched because of it. An Event goes in, Effects come out:
//
//	c := channel.New(cfg, crypto, num, peer)
//	fx := c.Step(channel.OpenAsked{...})        // open_channel in fx.Send
//	fx = c.Step(channel.Received{Msg: accept})  // AskFund in fx.Ask
//	...
//	fx = c.Step(channel.AddHTLC{...})           // update_add_htlc
//	fx.Append(c.Step(channel.Flush{}))          // one commitment_signed for all of it
//	store(fx.Delta); then(fx.Send)              // nothing leaves before it is durable
//
// Step is a function of the state, the event and its Crypto alone. What is
// stored is a list of typed rows (Delta); Load makes the same machine from them
// (the reload law: Load(rows after Delta) equals the machine in memory, except
// for what a disconnect makes both sides forget). Resumed re-derives every
// effect, the wire messages come back by channel_reestablish.
//
// A lying peer is a transition (warn, fail, close), never an error value.
//
// It must never know goroutines, clocks, sockets, a database, another channel,
// or a route.
package channel
