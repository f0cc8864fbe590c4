package invoice

import "github.com/fulgur-ln/fulgur/lnwire"

// HopHint is one channel of a RouteHint: the node at which it starts, and what
// that node asks for carrying a payment through it.
type HopHint struct {
	Node      lnwire.PubKey
	SCID      lnwire.ShortChannelID
	FeeBase   uint32 // fee_base_msat
	FeePPM    uint32 // fee_proportional_millionths
	CLTVDelta uint16 // cltv_expiry_delta
}

// RouteHint is a way to the payee through channels that need not be public, in
// forward order: it starts at a public node and its last channel ends at the payee.
type RouteHint []HopHint
