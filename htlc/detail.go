package htlc

// Detail is why an HTLC was refused here, finer than the code that its sender is told: for
// our operator alone, whoever probes must not learn it.
type Detail uint8

// The details. NoDetail: the code says it, or nothing more is known.
const (
	NoDetail Detail = iota
	// Of outgoing HTLCs.
	LinkNotEligible     // the channel is not connected, or closes
	ExceedsMax          // above what the channel's policy allows
	InsufficientBalance // the channel has not enough to send
	AddFailed           // another limit of the channel: slots, amount in flight, dust
	ForwardsDisabled    // this node does not forward
	// Of HTLCs for an invoice of ours.
	InvoiceCanceled
	InvoiceUnderpaid
	InvoiceExpirySoon
	InvoiceNotOpen
	SetTimeout // the other parts did not come in time
	WrongAddress
	SetTotalMismatch
	SetTotalTooLow
	SetOverpaid
	UnknownInvoice
	InvalidKeysend
	ModifierRefused // whoever modifies what invoices are paid did
)

// Detail of a channel's refusal.
func (r RefusalReason) Detail() Detail {
	switch r {
	case LinkDown:
		return LinkNotEligible
	case NoBalance:
		return InsufficientBalance
	case TooMany, TooMuchDust, BadExpiry:
		return AddFailed
	case BelowMinimum, UnknownChannel: // their codes say it
	}
	return NoDetail
}
