package itest

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
)

// patience is how long a test waits for what must come. It is a bound against
// hanging, no claim about speed.
const patience = 90 * time.Second

// eventually looks again and again until it is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// process is a child that ends with us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // why it ended, nil for exit status 0; valid after done
}

// spawn runs the child from a goroutine that holds on to its thread: the kernel
// ties the death signal to the thread that forked, not to the process.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	tieToParent(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	return p, <-started
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended waits for the end and gives the exit status; -1 stands for a signal.
func (p *process) ended(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.kill()
		t.Fatalf("%s did not end within %v", p.cmd.Path, patience)
		return 0
	}
}

// kill ends the child as a power cut would, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.done
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
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/fulgurd", "./cmd/fulgur")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
})

var buildDir string

func binary(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatalf("build binaries: %v", err)
	}
	return filepath.Join(dir, name)
}

// output is what a child prints, readable while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the end of a text, in whole lines.
func tail(text string, keep int) string {
	if len(text) <= keep {
		return text
	}
	text = text[len(text)-keep:]
	if _, after, ok := strings.Cut(text, "\n"); ok {
		return after
	}
	return text
}
