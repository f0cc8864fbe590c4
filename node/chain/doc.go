// Package chain keeps the node's machines level with the chain: one goroutine leads
// every channel over the blocks that it has not seen, from its own cursor, and
// another hands whole blocks to the wallet and the graph.
//
// It owns the waiting: for the backend to change, to come back, to answer. It must
// never know what a block means to whom.
//
//	d := chain.NewDriver(backend, log)
//	d.Join(client, cursor, watches...)
//	go d.Run(ctx, func(notices []chainntnfs.Notice) { ... })
//	go chain.Walk(ctx, backend, walker, log, func(step chainntnfs.Step) { ... })
package chain
