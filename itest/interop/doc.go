// Package interop puts real nodes of other implementations next to ours and plays the
// same scenarios with each of them, in both roles. What a scenario may ask of a node is
// the interface Peer; our own node is one too.
//
// LND_BIN names an lnd to play with. The scenarios know no implementation: what one of
// them does otherwise is told by its abilities.
package interop
