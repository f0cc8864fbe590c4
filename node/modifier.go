package node

import (
	"errors"

	"github.com/fulgur-ln/fulgur/invoice"
)

// ErrModifierExists says that somebody else is asked about payments to us already.
var ErrModifierExists = errors.New("interceptor client already connected")

// Modification is somebody who is asked about every HTLC that would be accepted for an
// invoice. What waits for one who goes away is decided without an answer.
type Modification struct{ questions[invoice.Modify] }

// Modify takes the place of the modifier, and has it until Close. It fails with
// ErrModifierExists.
func (n *Node) Modify() (*Modification, error) {
	v := n.invoices
	m := &Modification{questionsOf[invoice.Modify](n)}
	if !v.modifier.CompareAndSwap(nil, m) {
		return nil, ErrModifierExists
	}
	v.step(nil, invoice.Modifying{Present: true})
	return m, nil
}

// Close gives the place up.
func (m *Modification) Close() {
	m.n.invoices.step(nil, invoice.Modifying{})
	m.n.invoices.modifier.Store(nil)
}

// Rule answers. An answer about an HTLC that does not wait is of no consequence.
func (m *Modification) Rule(key CircuitKey, r invoice.Ruling) {
	if ref, ok := m.n.incoming(key); ok {
		m.n.invoices.step(nil, invoice.Modified{Ref: ref, Ruling: r})
	}
}
