//go:build !linux

package itest

import "os/exec"

// tieToParent has no death signal to use here.
func tieToParent(*exec.Cmd) {}

// leftovers cannot be found here.
func leftovers(string, string) []string { return nil }
