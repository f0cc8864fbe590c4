// Package mistake marks errors that are the caller's: what was asked for makes no sense,
// or cannot be done as things stand. An error without the mark means that something is
// wrong in here, or behind it.
//
// It owns the kinds of mistakes. It must never know how anybody is told of them; package
// rpc gives each kind its code.
//
//	return mistake.Argument("account name %v is reserved by the wallet", name)
package mistake
