// Package middleware lets other programs look at calls of the interface, and agree to them or not: by what comes in,
// and by what goes out, which they may replace.
//
// A middleware registers over a stream (Lightning.RegisterRPCMiddleware). One that looks only is shown everything. Any
// other is shown the calls whose macaroon has a caveat of its name ("lnd-custom NAME CONDITION"), and as long as it is
// there, and only then, such macaroons are good. A call waits for every middleware that it concerns, in the order in
// which they have registered; one that does not answer in time is taken for a refusal, and so is one that goes away.
// Some may be mandatory: without them nothing but a registration is answered.
//
// It owns the registry, the conversation with each middleware, and what happens to a stream of messages on its way. It
// must never know what a call means.
//
//	registry := middleware.New(middleware.Config{Enable: true, Timeout: 2 * time.Second})
//	bakery.AcceptCustom(registry.Handles)
//	err := registry.Serve(stream)                      // a middleware, until it goes
//	watched, err := registry.Watch(stream, call)       // a call that it may concern
package middleware
