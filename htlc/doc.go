// Package htlc says what an HTLC is: its name for ever (Ref), why it exists
// (Origin), where it stands in its life (State, with the one table that advances
// it) and how it ends (Resolution, Outcome, Refusal). Open reads what the onion of an
// incoming one asks of us, Fault how one may be failed by its place in a blinded path.
//
// It is the vocabulary shared by the channel machine, the switch, invoices and
// payments. It must never know what a commitment transaction, a peer, a fee or a
// store is.
//
// An HTLC walks through ten states. Each side of the commit dance promotes every
// HTLC that stands in one of the states the step concerns; balances and the
// content of both commitments follow from the state alone:
//
//	h.State = h.State.After(htlc.SendCommit) // SentAdd -> SentAddCommit
//	h.State.In(htlc.RemoteCommit)            // true: the peer could now publish it
package htlc
