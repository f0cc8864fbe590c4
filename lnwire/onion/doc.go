// Package onion is BOLT 4: the onion that carries a payment's instructions to
// each node of its route, and the replies that carry failures back; routes whose
// nodes their maker hides, and the messages that travel along them.
//
// It owns the packet (Build, Peel), the payload that each hop finds inside
// (Payload and its checks), the failures with their codes, encodings and words
// (Failure), and the return packets (EncryptFailure, WrapFailure, DecodeFailure);
// blinded paths (BlindedPath, with Blind and BlindPayment to make them, RecipientData
// and Unblind for their nodes) and onion messages (BuildMessage, OpenMessage).
// Every function is a function of its arguments: keys and session keys are
// handed in, the one ECDH of a packet is asked of an interface, and what a peer
// sends can neither panic nor allocate more than its own size a few times over.
//
// It must never know who sends or forwards, what a channel charges, or which
// onions have been seen before: it computes the tag by which others remember.
//
// The payer builds an onion and keeps the secrets, by which it reads a failure
// later without computing a point again:
//
//	packet, secrets, err := onion.Build(sessionKey, hops, hash[:])
//	...
//	hop, failure, ok := onion.DecodeFailure(secrets, fail.Reason)
//
// A node on the way peels its layer, then acts on the payload or answers:
//
//	peeled, bad := onion.Peel(nodeKey, &add.Onion, add.Hash[:])
//	// bad != nil: update_fail_malformed_htlc
//	payload, failure := onion.DecodePayload(peeled.Payload)
//	// failure != nil: update_fail_htlc with onion.EncryptFailure(peeled.Secret, *failure)
package onion
