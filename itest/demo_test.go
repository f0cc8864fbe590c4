package itest

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// demoMark is in the environment of every process that a demo starts.
const demoMark = "FULGUR_ITEST_DEMO"

// demo starts `fulgur demo` with its own directory for temporary files, and gives what
// it prints and the mark of its processes.
func demo(t *testing.T, tmp string, args ...string) (*rig.Process, *rig.Output, string) {
	t.Helper()
	btcd, err := btcdtest.Find(t.Context(), "")
	require.NoError(t, err)
	mark := rand.Text()
	out := new(rig.Output)
	cmd := exec.Command(rig.Binary(t, "fulgur"), append([]string{"demo", "--btcd=" + btcd}, args...)...)
	cmd.Env = append(os.Environ(), demoMark+"="+mark, "TMPDIR="+tmp)
	cmd.Stdout, cmd.Stderr = out, out
	p, err := rig.Spawn(cmd)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p, out, mark
}

// gone waits until none of a demo's processes is left.
func gone(t *testing.T, mark string) {
	t.Helper()
	rig.Eventually(t, "nothing is left running", func() bool { return len(rig.Leftovers(demoMark, mark)) == 0 })
}

// empty: nothing was left on the disk.
func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	p, out, mark := demo(t, tmp)
	code := p.Ended(t)
	require.Zero(t, code, out)
	require.Contains(t, out.String(), "Every figure is right")
	require.Empty(t, rig.Leftovers(demoMark, mark), "what was started ended before the demo did")
	empty(t, tmp)
}

// TestDemoInterrupted ends the demo in the middle, in the ways in which programs end.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name   string
		signal syscall.Signal
		at     string // when this was printed; empty: as soon as something is on the disk
	}{
		{"SIGINT while the chain starts", syscall.SIGINT, ""},
		{"SIGINT", syscall.SIGINT, "Two channels are opened"},
		{"SIGTERM", syscall.SIGTERM, "Three Lightning nodes"},
		{"SIGKILL", syscall.SIGKILL, "Gossip"},
	} {
		t.Run(end.name, func(t *testing.T) {
			tmp := t.TempDir()
			p, out, mark := demo(t, tmp)
			rig.Eventually(t, "the demo gets so far", func() bool {
				begun, err := os.ReadDir(tmp)
				return err == nil && len(begun) > 0 && strings.Contains(out.String(), end.at)
			})
			require.NoError(t, p.Cmd.Process.Signal(end.signal))
			require.NotZero(t, p.Ended(t), out)
			gone(t, mark)
			if end.signal != syscall.SIGKILL { // which nobody can clean up after
				empty(t, tmp)
			}
		})
	}
}

// TestDemoKept lets it run on in the background, plays on with what it prints, and ends
// it as it says.
func TestDemoKept(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	p, out, mark := demo(t, tmp, "--keep")
	t.Cleanup(func() { end(rig.Leftovers(demoMark, mark)) })
	require.Zero(t, p.Ended(t), out) // the shell is free again
	var tried int
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSpace(line); !strings.HasSuffix(line, " getinfo") && !strings.HasPrefix(line, "curl ") {
			continue
		}
		tried++
		answer, err := exec.CommandContext(rig.Soon(t), "sh", "-c", line).CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, answer)
		require.Contains(t, string(answer), "{")
	}
	require.GreaterOrEqual(t, tried, 2)
	_, after, _ := strings.Cut(out.String(), "To stop everything and remove it:")
	var pid int
	_, err := fmt.Sscanf(strings.TrimSpace(after), "kill %d", &pid)
	require.NoError(t, err)
	keeper, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, keeper.Signal(syscall.SIGTERM))
	gone(t, mark)
	empty(t, tmp)
}

// end ends processes by their ids, of lines as leftovers gives them.
func end(left []string) {
	for _, line := range left {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err == nil {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}
