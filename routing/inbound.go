package routing

import "github.com/fulgur-ln/fulgur/lnwire"

// Inbound is what a node asks for what comes to it over a channel (bLIP 18).
type Inbound = lnwire.InboundFee
