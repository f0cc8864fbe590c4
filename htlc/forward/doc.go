// Package forward is the switch: it decides what becomes of every incoming HTLC
// that is locked in (carried onwards, received, or failed) and brings back what
// became of every outgoing one.
//
// It owns the links as the switch sees them (policy, peer, what can be sent), the
// HTLCs on their way, and the tags that keep an onion from being used twice. An
// HTLC on its way is keyed by its Origin, which also stands in the outgoing HTLC's
// row: there is no circuit map to keep in step with the channels.
//
// It must never know what a signature, a script, a commitment or a store is.
// Channels that were closed are as good as open ones to it: an outcome is an
// outcome, wherever it came from.
//
//	fx := sw.Step(now, forward.LockedIn{HTLC: locked})
//	// fx.Add: into the inbox of a channel to the next node
//	// fx.Receive: we are the last hop; fx.Resolve: refused, with the reason
package forward
