package main

import (
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/verrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/chain"
	"github.com/fulgur-ln/fulgur/rpc/invoices"
	"github.com/fulgur-ln/fulgur/rpc/lightning"
	"github.com/fulgur-ln/fulgur/rpc/router"
	"github.com/fulgur-ln/fulgur/rpc/unlocker"
	"github.com/fulgur-ln/fulgur/rpc/version"
	"github.com/fulgur-ln/fulgur/rpc/walletkit"
)

// provideUnlocker gives the server what can be used before there is a wallet.
func (d *daemon) provideUnlocker() error {
	return d.server.Provide(&lnrpc.WalletUnlocker_ServiceDesc, unlocker.New(d.vault))
}

// provideServices gives the server everything that speaks for the node.
func (d *daemon) provideServices() error {
	versioner, err := version.New(versionText(), commit)
	if err != nil {
		return err
	}
	cfg := lightning.Config{Version: versionText(), Commit: commit, Stop: func() { d.stop(errStopped) }}
	for _, s := range []struct {
		desc *grpc.ServiceDesc
		impl any
	}{
		{&lnrpc.Lightning_ServiceDesc, lightning.New(d.node, cfg)},
		{&routerrpc.Router_ServiceDesc, router.New(router.Of(d.node))},
		{&invoicesrpc.Invoices_ServiceDesc, invoices.New(d.node)},
		{&walletrpc.WalletKit_ServiceDesc, walletkit.New(d.node)},
		{&chainrpc.ChainNotifier_ServiceDesc, chain.New(d.node)},
		{&verrpc.Versioner_ServiceDesc, versioner},
	} {
		if err := d.server.Provide(s.desc, s.impl); err != nil {
			return err
		}
	}
	return nil
}
