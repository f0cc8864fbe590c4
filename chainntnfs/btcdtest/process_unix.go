//go:build unix

package btcdtest

import "syscall"

// Pause freezes btcd without closing its connections; Resume thaws it. It takes
// effect a little after the return.
func (n *Node) Pause() error { return n.proc.signal(syscall.SIGSTOP) }

// Resume lets a paused btcd go on.
func (n *Node) Resume() error { return n.proc.signal(syscall.SIGCONT) }

func (p *process) wake() { _ = p.signal(syscall.SIGCONT) }
