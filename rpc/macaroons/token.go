package macaroons

import (
	"context"
	"net/netip"
	"slices"

	"github.com/fulgur-ln/fulgur/budget"
)

// A Token is a macaroon whose signature and caveats have been checked.
type Token struct {
	// Key is the number of the root key that signed it.
	Key uint64
	// Name is the same for all macaroons that were narrowed from one, and for no other.
	Name string
	// Client is the address of the caller; invalid if unknown.
	Client netip.Addr
	// Budgets are the limits of what may be spent with it; each must suffice. None: no limit.
	Budgets []budget.Limit
	// Custom are the caveats that middlewares look after.
	Custom []CustomCaveat
	// Raw is the macaroon as it came.
	Raw []byte
	ops []Op
}

// A CustomCaveat is a condition that a middleware must agree to.
type CustomCaveat struct{ Name, Condition string }

// Allows reports whether the token may call the method, which needs all of the given rights: nil, or
// ErrPermissionDenied. A right on the method itself (entity "uri") is enough. A method that needs nothing is allowed to
// nobody: it has been forgotten.
func (t Token) Allows(method string, needs []Op) error {
	if slices.Contains(t.ops, Op{Entity: "uri", Action: method}) {
		return nil
	}
	if len(needs) == 0 || !t.Holds(needs) {
		return ErrPermissionDenied
	}
	return nil
}

// Self is the right to ask about the very token that comes with the call. Every token carries it.
var Self = Op{"self", "read"}

// Holds reports whether the token carries all of the rights.
func (t Token) Holds(rights []Op) bool {
	for _, right := range rights {
		if right != Self && !slices.Contains(t.ops, right) {
			return false
		}
	}
	return true
}

type contextKey struct{}

// NewContext returns a context that knows the token of the caller.
func NewContext(ctx context.Context, t Token) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

// FromContext returns the token of the caller; false when calls need none.
func FromContext(ctx context.Context) (Token, bool) {
	t, ok := ctx.Value(contextKey{}).(Token)
	return t, ok
}

type clientKey struct{}

// WithClient returns a context that knows the address of a caller who needs no token.
func WithClient(ctx context.Context, client netip.Addr) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// ClientFrom returns the address of a caller who needs no token; invalid if unknown.
func ClientFrom(ctx context.Context) netip.Addr {
	client, _ := ctx.Value(clientKey{}).(netip.Addr)
	return client
}

// BudgetsFrom returns the limits of what the caller may spend; none: no limit.
func BudgetsFrom(ctx context.Context) []budget.Limit {
	t, _ := FromContext(ctx)
	return t.Budgets
}
