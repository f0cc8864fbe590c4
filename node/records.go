package node

import "github.com/fulgur-ln/fulgur/channeldb"

// What callers of the node ask the store for, and what they get: they need not know
// the store.
type (
	// PageQuery asks for a page of invoices or payments.
	PageQuery = channeldb.PageQuery
	// ForwardQuery asks for a page of the history of forwards.
	ForwardQuery = channeldb.ForwardQuery
	// ForwardCursor is a place in that history.
	ForwardCursor = channeldb.ForwardCursor
	// Forward is an entry of it.
	Forward = channeldb.Forward
	// Payment is a payment with its index and its attempts.
	Payment = channeldb.Payment
	// StoreStats count what the store has written.
	StoreStats = channeldb.Stats
)
