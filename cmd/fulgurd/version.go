package main

import "github.com/fulgur-ln/fulgur/lnwire/curve"

// The version begins with the level of lnrpc that the node answers to, because
// clients switch features by it; fulgur's own version follows.
const (
	lnrpcLevel = "0.21.0-beta"
	ownVersion = "0.1.0"
)

// commit is the source's commit, 40 hex digits, set by the build; or empty.
var commit = ""

func versionText() string {
	text := lnrpcLevel + " fulgur=" + ownVersion
	if commit != "" {
		text += " commit=" + commit
	}
	return text + " curve=" + curve.Library
}
