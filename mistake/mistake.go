package mistake

import "fmt"

// Kind says what a caller can do about a mistake.
type Kind int

const (
	BadArgument Kind = iota + 1 // ask for something else: it makes no sense, whatever the state
	BadState                    // do something else first, or ask later
	NotFound                    // name something that is there
	Exists                      // name something that is not there yet
	Exhausted                   // ask for less, or less often
)

// Error is a mistake of a caller.
type Error struct {
	Kind Kind
	Err  error
}

// Error is the text alone: clients compare some of them.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the error that was marked.
func (e *Error) Unwrap() error { return e.Err }

// Argument is a BadArgument in words, as fmt.Errorf takes them.
func Argument(format string, args ...any) error {
	return &Error{BadArgument, fmt.Errorf(format, args...)}
}

// State is a BadState in words, as fmt.Errorf takes them.
func State(format string, args ...any) error { return &Error{BadState, fmt.Errorf(format, args...)} }

// Missing is a NotFound in words, as fmt.Errorf takes them.
func Missing(format string, args ...any) error { return &Error{NotFound, fmt.Errorf(format, args...)} }

// Twice is an Exists in words, as fmt.Errorf takes them.
func Twice(format string, args ...any) error { return &Error{Exists, fmt.Errorf(format, args...)} }

// TooMuch is an Exhausted in words, as fmt.Errorf takes them.
func TooMuch(format string, args ...any) error {
	return &Error{Exhausted, fmt.Errorf(format, args...)}
}
