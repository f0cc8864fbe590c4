package peer

import (
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Why a connection ended or was not made.
var (
	// ErrClosed: we closed it and gave no other reason.
	ErrClosed = errors.New("closed by us")
	// ErrReplaced: another connection with the same peer took its place.
	ErrReplaced = errors.New("replaced by another connection with this peer")
	// ErrSilent: the peer sent nothing at all after a ping.
	ErrSilent = errors.New("no answer to ping")
	// ErrBacklog: the peer does not read, and more channel messages wait for it than
	// the budget allows.
	ErrBacklog = errors.New("too many bytes wait for the peer")
	// ErrAlreadyConnected: there is no need to connect.
	ErrAlreadyConnected = errors.New("already connected to peer")
	// ErrSelf: the peer is this node.
	ErrSelf = errors.New("cannot connect to self")
	// ErrHostClosed: the host is shut down.
	ErrHostClosed = errors.New("peer host closed")
	// ErrHalfOpen: too many connections of the kind have not come to their init.
	ErrHalfOpen = errors.New("too many half-open connections")
)

// Violation is a breach of the protocol by the peer. It is told to the peer in a
// warning, and the connection is closed.
type Violation struct{ Text string }

// violation words a breach; what the peer wrote itself cannot make it long.
func violation(format string, args ...any) *Violation {
	text := fmt.Sprintf(format, args...)
	return &Violation{text[:min(len(text), maxText)]}
}

func (v *Violation) Error() string { return "protocol violation: " + v.Text }

// warning is what the peer is told; a zero channel id means that it is about no
// channel in particular.
func (v *Violation) warning() *lnwire.Warning {
	return &lnwire.Warning{Data: []byte(v.Text)}
}

// maxText is how much of a peer's text is shown.
const maxText = 512

// Text is the text of an error or a warning made safe to show: printable ASCII,
// and not long. Other messages have none.
//
// B1.peer.2: what is not printable ASCII is never printed as it came (V-65).
func Text(m lnwire.Message) string {
	var text string
	switch m := m.(type) {
	case *lnwire.Error:
		text = m.Text()
	case *lnwire.Warning:
		text = m.Text()
	}
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return text
}
