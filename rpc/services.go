package rpc

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/proto/verrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// A service is one gRPC service and its REST form.
type service struct {
	desc *grpc.ServiceDesc
	rest func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error
	// clientStreams lists the REST paths of methods to which the caller sends more than one message.
	clientStreams []string
}

// services is everything that fulgur speaks. A new service is added here, and its methods in permissions.go.
var services = []service{
	{desc: &lnrpc.State_ServiceDesc, rest: lnrpc.RegisterStateHandler},
	{desc: &lnrpc.WalletUnlocker_ServiceDesc, rest: lnrpc.RegisterWalletUnlockerHandler},
	{desc: &lnrpc.Lightning_ServiceDesc, rest: lnrpc.RegisterLightningHandler, clientStreams: []string{"/v1/channels/acceptor", "/v1/middleware"}},
	{desc: &routerrpc.Router_ServiceDesc, rest: routerrpc.RegisterRouterHandler, clientStreams: []string{"/v2/router/htlcinterceptor"}},
	{desc: &invoicesrpc.Invoices_ServiceDesc, rest: invoicesrpc.RegisterInvoicesHandler, clientStreams: []string{"/v2/invoices/htlcmodifier"}},
	{desc: &walletrpc.WalletKit_ServiceDesc, rest: walletrpc.RegisterWalletKitHandler},
	{desc: &chainrpc.ChainNotifier_ServiceDesc, rest: chainrpc.RegisterChainNotifierHandler},
	{desc: &chainrpc.ChainKit_ServiceDesc, rest: chainrpc.RegisterChainKitHandler},
	{desc: &signrpc.Signer_ServiceDesc, rest: signrpc.RegisterSignerHandler},
	{desc: &peersrpc.Peers_ServiceDesc, rest: peersrpc.RegisterPeersHandler},
	{desc: &verrpc.Versioner_ServiceDesc, rest: verrpc.RegisterVersionerHandler},
	{desc: &fulgurrpc.Closing_ServiceDesc, rest: fulgurrpc.RegisterClosingHandler},
	{desc: &fulgurrpc.Budgets_ServiceDesc, rest: fulgurrpc.RegisterBudgetsHandler},
}
