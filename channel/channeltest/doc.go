// Package channeltest holds stand-ins with which channel machines can be tested
// and simulated: key rings made from a word, and two kinds of channel.Crypto. Real
// signs on the curve. Model signs with a hash: cheap, deterministic, and as hard to
// fool by an honest mistake (wrong key, wrong transaction), though not by a thief.
//
//	ring := channeltest.NewRing("alice")
//	crypto := channeltest.Model{Ring: ring}
//	side := ring.Basepoints(ring.Locs(1))
//
// It must never be used by a node.
package channeltest
