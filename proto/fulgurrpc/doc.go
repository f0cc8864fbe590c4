// Package fulgurrpc is generated from the services that only fulgur has: Closing explains closes under way and plans
// those that could be. It must never know how a channel is closed.
//
//	state, err := fulgurrpc.NewClosingClient(conn).Rescue(ctx, &fulgurrpc.RescueRequest{})
package fulgurrpc
