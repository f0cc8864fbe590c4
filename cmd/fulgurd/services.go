package main

import (
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/cmd/internal/build"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/proto/verrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc"
	"github.com/fulgur-ln/fulgur/rpc/budgets"
	"github.com/fulgur-ln/fulgur/rpc/chain"
	"github.com/fulgur-ln/fulgur/rpc/closing"
	"github.com/fulgur-ln/fulgur/rpc/invoices"
	"github.com/fulgur-ln/fulgur/rpc/lightning"
	"github.com/fulgur-ln/fulgur/rpc/peers"
	"github.com/fulgur-ln/fulgur/rpc/router"
	"github.com/fulgur-ln/fulgur/rpc/signer"
	"github.com/fulgur-ln/fulgur/rpc/unlocker"
	"github.com/fulgur-ln/fulgur/rpc/version"
	"github.com/fulgur-ln/fulgur/rpc/walletkit"
)

// provideUnlocker gives the server what can be used before there is a wallet.
func (d *daemon) provideUnlocker() error {
	return d.server.Provide(&lnrpc.WalletUnlocker_ServiceDesc, unlocker.New(d.vault))
}

// service is one that speaks for the node.
type service struct {
	desc *grpc.ServiceDesc
	impl any
}

// provideServices gives the server everything that speaks for the node.
func (d *daemon) provideServices() error {
	cfg := lightning.Config{
		Version: build.Text(), Commit: build.Commit, Stop: func() { d.stop(errStopped) }, Permissions: rpc.Permissions(),
		Middleware: func(stream lnrpc.Lightning_RegisterRPCMiddlewareServer) error { return d.middleware.Serve(stream) },
		Levels:     d.setLevels, Debug: d.debugInfo, ChannelUpdates: d.cfg.ChannelUpdates,
	}
	if !d.cfg.NoMacaroons {
		cfg.Tokens = d.vault.bakery
	}
	list := []service{
		{&lnrpc.Lightning_ServiceDesc, lightning.New(d.node, cfg)},
		{&routerrpc.Router_ServiceDesc, router.New(router.Of(d.node))},
		{&invoicesrpc.Invoices_ServiceDesc, invoices.New(invoices.Of(d.node))},
		{&walletrpc.WalletKit_ServiceDesc, walletkit.New(d.node)},
		{&chainrpc.ChainNotifier_ServiceDesc, chain.New(d.node)},
		{&chainrpc.ChainKit_ServiceDesc, chain.NewKit(d.node)},
		{&signrpc.Signer_ServiceDesc, signer.New(d.node.Signer())},
		{&peersrpc.Peers_ServiceDesc, peers.New(d.node)},
		{&fulgurrpc.Closing_ServiceDesc, closing.New(d.node)},
		{&fulgurrpc.Budgets_ServiceDesc, budgets.New(d.node)},
	}
	versioner, err := version.New(build.Text(), build.Commit, buildTags(list)...)
	if err != nil {
		return err
	}
	for _, s := range append(list, service{&verrpc.Versioner_ServiceDesc, versioner}) {
		if err := d.server.Provide(s.desc, s.impl); err != nil {
			return err
		}
	}
	return nil
}

// buildTags are the names by which clients look for sub-services: their packages.
func buildTags(list []service) (tags []string) {
	for _, s := range list {
		if name, _, _ := strings.Cut(s.desc.ServiceName, "."); name != "lnrpc" {
			tags = append(tags, name)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}
