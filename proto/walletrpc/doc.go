// Package walletrpc is generated from the service WalletKit: coins, addresses, fees and sweeps of the on-chain wallet. It
// must never know how coins are selected.
//
//	sweeps, err := walletrpc.NewWalletKitClient(conn).PendingSweeps(ctx, &walletrpc.PendingSweepsRequest{})
package walletrpc
