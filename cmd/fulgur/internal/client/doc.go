// Package client connects to a daemon as lncli does: gRPC over TLS, with the
// certificate and a macaroon from the daemon's directory.
//
// It owns where those files lie, how a macaroon is narrowed before it is sent, and
// what an error means to the person at the keyboard. It must never know which
// commands there are.
//
//	conn, err := client.Dial(ctx, client.Target{Server: "localhost:10009", Dir: dir, Network: "regtest"})
//	info, err := lnrpc.NewLightningClient(conn).GetInfo(ctx, &lnrpc.GetInfoRequest{})
//	err = client.Explain(err, target)
package client
