package rig

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// tieToParent lets the kernel kill the child when we die in whatever way, and keeps
// a terminal's Ctrl-C for us.
func tieToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// Leftovers are the processes, other than this one, in whose environment stands
// NAME=value, as "pid command line".
func Leftovers(name, value string) (found []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !strings.Contains("\x00"+string(env), "\x00"+name+"="+value+"\x00") {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if pid := filepath.Base(dir); pid != strconv.Itoa(os.Getpid()) && len(line) > 0 { // a zombie has no command line
			found = append(found, pid+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
