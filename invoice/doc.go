// Package invoice asks for payments and takes them in: the text form of BOLT 11
// in both directions, and the registry that decides about every HTLC whose onion
// ends at this node.
//
// It owns the invoices, the sets of parts by which they are paid (BOLT 4, basic
// multi-part payments), their timeouts, and hold invoices. It must never know what
// a channel, a route, a connection or a store is.
//
// The text is written by Request.Encode and read by Decode:
//
//	req, err := invoice.Decode("lnbc2500u1...")
//	// req.Amount, req.Hash, req.Payee ...
//
// The registry is a pure machine. It holds what can still be paid; for any other
// hash it asks the store first, and the HTLC waits:
//
//	fx := reg.Step(now, invoice.Arrived{HTLC: locked, SCID: scid})
//	// queue fx.Delta for writing, then fx.Resolve into the inboxes of the channels
//
// A preimage is given out only for HTLCs that carried the right payment secret,
// for a whole set at once, in the write that makes the invoice settled. An HTLC
// that is told again is answered by its name (htlc.Ref), never by its amount.
package invoice
