// Package soak lets real daemons pay each other without a pause while they are killed
// and stopped, their connections are reset, and their chain goes away, comes back and
// changes its mind. Then the books of all of them must agree to the millisatoshi.
//
// A short run is part of the tests; `make soak KILLS=1000` is the long one. With LND_BIN
// the same is done to lnd, for comparison: what it loses is counted, not asserted.
//
// It must never know anything of the nodes but what their API tells.
package soak
