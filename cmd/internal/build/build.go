// Package build says which build of fulgur this is: the daemon and the command line are made
// from one source and say the same. It must never know what either of them does.
package build

import "github.com/fulgur-ln/fulgur/lnwire/curve"

const (
	// LnrpcLevel is the level of lnrpc that the node answers to.
	LnrpcLevel = "0.21.0-beta"
	// Version is fulgur's own.
	Version = "0.1.0"
)

// Commit is the source's commit, 40 hex digits, set by the build; or empty.
var Commit = ""

// Text names the build. It begins with the level of lnrpc, because clients switch features
// by it; fulgur's own version follows.
func Text() string {
	text := LnrpcLevel + " fulgur=" + Version
	if Commit != "" {
		text += " commit=" + Commit
	}
	return text + " curve=" + curve.Library
}
