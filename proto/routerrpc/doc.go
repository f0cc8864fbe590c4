// Package routerrpc is generated from the service Router: paying, following payments and watching HTLCs. It must never
// know how a route is found.
//
//	stream, err := routerrpc.NewRouterClient(conn).SendPaymentV2(ctx, &routerrpc.SendPaymentRequest{PaymentRequest: invoice})
package routerrpc
