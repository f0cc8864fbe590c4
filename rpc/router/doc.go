// Package router is the service Router: paying, following payments, and what becomes
// of HTLCs.
//
// It owns the translation and the order of updates in its streams. It must never
// know how a route is found or a payment is kept; a Node does that.
//
//	err := server.Provide(&routerrpc.Router_ServiceDesc, router.New(router.Of(node)))
package router
