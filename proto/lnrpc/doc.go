// Package lnrpc is generated from the services Lightning, State and WalletUnlocker and the messages that all services
// share: coins, peers, channels, invoices, payments, routes, the graph. It must never know how a node works.
//
//	info, err := lnrpc.NewLightningClient(conn).GetInfo(ctx, &lnrpc.GetInfoRequest{})
package lnrpc
