//go:build !linux

package btcdtest

import "os/exec"

// tieToParent has no death signal to use here: the child stays in our process
// group, so that a terminal's Ctrl-C reaches it as well.
func tieToParent(*exec.Cmd) {}
