package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/urfave/cli/v3"
)

// With --keep the story is played by a process of our own in the background, so that
// the shell comes back while the nodes have somebody to end with: they end when that
// process ends, in whatever way. We show what it writes until it says, through a pipe
// of its own, that it stays; and until then it ends when we do, because its standard
// input does.

// stayFD is where the process in the background says that it stays.
const stayFD = 3

// detach starts the process in the background and waits until it stays or has ended.
func detach(ctx context.Context, out io.Writer, c *cli.Command) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	hear, stay, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hear.Close()
	cmd := exec.Command(self, "demo", "--keep", "--in-background", "--btcd="+c.String("btcd"), "--fulgurd="+c.String("fulgurd"))
	cmd.ExtraFiles = []*os.File{stay}
	ownSession(cmd)
	tether, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	defer tether.Close()
	text, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the demo in the background: %w", err)
	}
	stay.Close()
	context.AfterFunc(ctx, func() { tether.Close() })
	_, copied := io.Copy(out, text)
	if _, err := hear.Read(make([]byte, 1)); err == nil {
		return copied // it stays
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return errors.New("the demo failed")
	}
	return copied
}

// handOver tells who started us that we stay, and lets go of what connects us with
// them.
func handOver() error {
	stay := os.NewFile(stayFD, "stay")
	if _, err := stay.Write([]byte{1}); err != nil {
		return fmt.Errorf("tell that the demo stays: %w", err)
	}
	stay.Close()
	return silence()
}

// tethered ends the context when standard input ends before release is called: who
// started us is gone.
func tethered(ctx context.Context) (tied context.Context, release func()) {
	ctx, cancel := context.WithCancel(ctx)
	released := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		select {
		case <-released:
		default:
			cancel()
		}
	}()
	return ctx, func() { close(released) }
}
