// Package local runs a whole small network on this machine: a btcd on regtest and
// fulgurd processes, each with its own directory, certificate, macaroons and free
// loopback ports.
//
// It owns processes, ports and directories, and that nothing is left running: the
// children end with us, whatever way we end. It must never know what the nodes are
// made to do.
//
//	net, err := local.Start(ctx, local.Config{Dir: dir})
//	defer net.Stop()
//	alice, err := net.AddNode(ctx, local.NodeConfig{Name: "alice"})
//	info, err := alice.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{})
package local
