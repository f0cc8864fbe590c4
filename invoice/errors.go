package invoice

import "errors"

// What a Reply can refuse. Clients compare the texts, which are lnd's.
var (
	ErrDuplicate        = errors.New("invoice with payment hash already exists")
	ErrNotFound         = errors.New("unable to locate invoice")
	ErrStillOpen        = errors.New("invoice still open")
	ErrAlreadySettled   = errors.New("invoice already settled")
	ErrAlreadyCanceled  = errors.New("invoice already canceled")
	ErrNotCanceled      = errors.New("invoice not canceled")
	ErrPreimageMismatch = errors.New("preimage does not match")
	ErrZeroPreimage     = errors.New("cannot use hash of all-zeroes preimage")
)
