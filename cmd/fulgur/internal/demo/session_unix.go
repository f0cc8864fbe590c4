//go:build unix

package demo

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownSession keeps the terminal's signals away.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// hideStay keeps the pipe from our own children: its end must be ours alone.
func hideStay() { syscall.CloseOnExec(stayFD) }

// silence lets go of standard output and error. Their numbers stay taken, so that no
// connection gets one of them.
func silence() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("let go of the terminal: %w", err)
	}
	defer null.Close()
	for _, fd := range []int{1, 2} {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return fmt.Errorf("let go of the terminal: %w", err)
		}
	}
	return nil
}
