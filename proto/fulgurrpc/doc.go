// Package fulgurrpc is generated from the services that only fulgur has: Closing explains closes under way and plans
// those that could be; Budgets tells what may still be spent. It must never know how a channel is closed, nor how a
// payment is charged.
//
//	state, err := fulgurrpc.NewClosingClient(conn).Rescue(ctx, &fulgurrpc.RescueRequest{})
package fulgurrpc
