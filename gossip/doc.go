// Package gossip keeps the public map of channels and nodes (BOLT 7): it judges
// what peers tell, synchronises with them, passes on what is new, makes our own
// announcements and prunes what is past.
//
// It owns the Machine, which has all of it in one state, and the coding of its
// rows. It knows our channels only by what is announced of them, and must never
// know how a path is found, how a channel works, where rows are stored, or what
// time it is: the clock comes with every step.
//
//	m, err := gossip.New(gossip.Config{Chain: genesis, Self: id})
//	for row := range rows {
//		fx := m.Restore(row) // fx.Changes feed the graph that paths are found in
//	}
//	fx := m.Step(now, gossip.Block{Block: tip})
//	fx = m.Step(now, gossip.AtTip{}) // from now on peers are asked
//	fx = m.Step(now, gossip.Opened{Peer: id, Features: features})
//	fx = m.Step(now, gossip.Received{Peer: id, Msg: announcement})
//	// fx.Verify: check the signatures in a pool, then Step(now, gossip.Verified{...})
//	// fx.LookUp: ask the chain for the funding, then Step(now, gossip.Found{...})
//	// fx.Rows: write; fx.Changes: to the graph and the subscribers
//
// Nothing is charged to a channel or a node before its own signature was checked:
// until then whoever sent a message pays for it (V-47). All that waits is bounded
// by bytes (V-44, V-46, V-53).
package gossip
