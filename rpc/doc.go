// Package rpc is the interface of the node to wallets, tools and its own command line: gRPC, and the same methods as
// REST with JSON and WebSockets, compatible with lnd's.
//
// This package owns the two servers, who may call what (permissions.go), from which phase of the start on (phase.go),
// and the service State. Services are translations, one sub-package each; they are provided when the node that they
// speak for exists, which is long after the servers have begun to listen.
//
// It must never know a business rule, nor how anything is stored.
//
//	server, err := rpc.New(rpc.Config{RPCListen: addrs, Certificate: keeper, Macaroons: bakery})
//	err = server.Provide(&lnrpc.WalletUnlocker_ServiceDesc, unlocker)
//	err = server.Start()
//	err = server.SetState(lnrpc.WalletState_LOCKED)
//	...                                                     // the wallet is opened, the node is made
//	err = server.Provide(&lnrpc.Lightning_ServiceDesc, lightning)
//	err = server.SetState(lnrpc.WalletState_RPC_ACTIVE)
//	...
//	server.Stop(ctx)
//
// A call passes: TLS; its phase; its macaroon, signature and caveats before rights, and all of it before the request is
// read; the request's size; the service. REST calls become gRPC calls over a connection inside the process and pass the
// same gates.
package rpc
