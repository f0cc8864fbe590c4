// Package chainrpc is generated from the services ChainNotifier and ChainKit: the blocks as the node sees them. It must never know
// which chain backend is behind it.
//
//	blocks, err := chainrpc.NewChainNotifierClient(conn).RegisterBlockEpochNtfn(ctx, &chainrpc.BlockEpoch{})
package chainrpc
