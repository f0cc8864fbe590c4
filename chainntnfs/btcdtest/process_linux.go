package btcdtest

import (
	"os/exec"
	"syscall"
)

// tieToParent lets the kernel kill the child when we die in whatever way, and
// keeps a terminal's Ctrl-C, which goes to the whole group, for us to handle.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
