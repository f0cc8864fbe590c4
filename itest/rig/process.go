package rig

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Patience is how long a test waits for what must come. It is a bound against
// hanging, no claim about speed.
const Patience = 90 * time.Second

// Eventually looks again and again until it is so.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain: %s", Patience, what)
		}
	}
}

// Process is a child that ends with us.
type Process struct {
	Cmd  *exec.Cmd
	Done chan struct{}
	Err  error // why it ended, nil for exit status 0; valid after Done
}

// Spawn runs the child from a goroutine that holds on to its thread: the kernel
// ties the death signal to the thread that forked, not to the process.
func Spawn(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, Done: make(chan struct{})}
	tieToParent(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.Err = cmd.Wait()
		}
		close(p.Done)
	}()
	return p, <-started
}

// Running: it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.Done:
		return false
	default:
		return true
	}
}

// Ended waits for the end and gives the exit status; -1 stands for a signal.
func (p *Process) Ended(t testing.TB) int {
	t.Helper()
	select {
	case <-p.Done:
		return p.Cmd.ProcessState.ExitCode()
	case <-time.After(Patience):
		p.Kill()
		t.Fatalf("%s did not end within %v", p.Cmd.Path, Patience)
		return 0
	}
}

// Kill ends the child as a power cut would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // it may be gone already
	<-p.Done
}

// runMark is in the environment of every process that a run of the tests starts, so
// that those left over can be found.
const runMark = "FULGUR_ITEST_RUN"

// binaries builds fulgurd and fulgur once for a run of the tests, or takes those of
// FULGUR_BIN_DIR.
var binaries = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("FULGUR_BIN_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.MkdirTemp("", "fulgur-itest-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	const module = "github.com/fulgur-ln/fulgur/"
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), module+"cmd/fulgurd", module+"cmd/fulgur")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
})

var buildDir string

// Binary is the path of fulgurd or fulgur.
func Binary(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatalf("build binaries: %v", err)
	}
	return filepath.Join(dir, name)
}

// Output is what a child prints, readable while it runs.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Tail is the end of a text, in whole lines.
func Tail(text string, keep int) string {
	if len(text) <= keep {
		return text
	}
	text = text[len(text)-keep:]
	if _, after, ok := strings.Cut(text, "\n"); ok {
		return after
	}
	return text
}

// Away: the node did not answer, as opposed to: it refused.
func Away(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.Canceled
}
