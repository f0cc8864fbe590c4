package local

import (
	"os/exec"
	"syscall"
)

// tie lets the kernel kill the child when we die in whatever way, and keeps a
// terminal's Ctrl-C, which goes to the whole group, for us to handle.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
