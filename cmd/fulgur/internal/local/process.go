package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// process is a child that ends with us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // why it ended, valid after done
}

// spawn runs the child from a goroutine that holds on to its thread: the kernel
// ties the death signal to the thread that forked, not to the process.
func spawn(bin string, args []string, dir string, out *os.File) (*process, error) {
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	tie(p.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			if p.err = p.cmd.Wait(); p.err == nil {
				p.err = errors.New("exit status 0")
			}
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", bin, err)
	}
	return p, nil
}

// end asks the child to end, and kills it when that takes too long.
func (p *process) end(patience time.Duration) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	err := p.cmd.Process.Signal(os.Interrupt)
	if err == nil {
		select {
		case <-p.done:
			return nil
		case <-time.After(patience):
			err = errors.New("it did not end when asked, and was killed")
		}
	}
	killGroup(p.cmd)
	<-p.done
	return err
}
