//go:build !linux

package local

import "os/exec"

// tie has no death signal to use here: the child stays in our process group, so
// that a terminal's Ctrl-C reaches it as well.
func tie(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
