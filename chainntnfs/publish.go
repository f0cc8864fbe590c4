package chainntnfs

import "fmt"

// RejectReason says why a transaction was refused, as far as a caller can act
// on it.
type RejectReason int

const (
	// RejectOther is every refusal that no other fee and no other time would
	// mend: a bad signature, a non-standard form.
	RejectOther RejectReason = iota
	// RejectConflict: another transaction in the mempool spends an input and
	// cannot be replaced by this one.
	RejectConflict
	// RejectMissingInputs: an input does not exist, or was spent in a block.
	RejectMissingInputs
	// RejectFeeTooLow: below the relay minimum, the mempool's, or what
	// replacing another transaction costs.
	RejectFeeTooLow
	// RejectNotFinal: a lock time, a relative lock or a coinbase's maturity is
	// not reached.
	RejectNotFinal
)

// String names the reason.
func (r RejectReason) String() string {
	switch r {
	case RejectOther:
		return "refused"
	case RejectConflict:
		return "conflicts with another transaction"
	case RejectMissingInputs:
		return "inputs missing or spent"
	case RejectFeeTooLow:
		return "fee too low"
	case RejectNotFinal:
		return "not final yet"
	}
	return fmt.Sprintf("reason %d", int(r))
}

// RejectError is the refusal of a transaction by a backend that was reached.
type RejectError struct {
	Reason RejectReason
	Text   string // the backend's own words
}

// Error gives the reason and the backend's words.
func (e *RejectError) Error() string {
	return fmt.Sprintf("publish transaction: %v: %s", e.Reason, e.Text)
}
