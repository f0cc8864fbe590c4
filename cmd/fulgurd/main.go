// Command fulgurd is the Lightning node: it keeps channels, pays, receives and
// forwards, and serves gRPC and REST in lnd's manner.
//
// It owns flags, configuration file, log and the wiring of all parts, in the order in
// which they start and stop. It must never know a rule of the protocol.
//
//	fulgurd --bitcoin.regtest --btcd.rpcuser=me --btcd.rpcpass=secret --noseedbackup
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:]); {
	case err == nil, errors.Is(err, errShown):
	default:
		fmt.Fprintln(os.Stderr, "fulgurd:", err)
		stop()
		os.Exit(1)
	}
}
