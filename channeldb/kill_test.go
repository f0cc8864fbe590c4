package channeldb

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
)

const killEnv = "FULGUR_TEST_WRITE_UNTIL_KILLED"

// TestMain lets the test program be the victim of its own test.
func TestMain(m *testing.M) {
	if path := os.Getenv(killEnv); path != "" {
		writeUntilKilled(path)
		return
	}
	os.Exit(m.Run())
}

func writeUntilKilled(path string) {
	db, err := Open(path, Options{Genesis: testGenesis, Fatal: func(err error) { panic(err) }})
	if err != nil {
		panic(err)
	}
	slots := make(chan struct{}, 64)
	for n := uint64(1); ; n++ {
		slots <- struct{}{}
		db.Queue(Batch{
			Channels: []*channel.Delta{{ChanNum: n % 7, Core: &channel.Core{LocalN: n}, Revoked: []channel.Revoked{{N: n}}}},
			Forwards: []forward.Record{{AmountIn: lnwire.MilliSat(n)}},
		}, func(Receipt) {
			fmt.Println(n)
			<-slots
		})
	}
}

// TestKilledWhileWriting: what was told is there after a SIGKILL, whole and without
// gaps.
func TestKilledWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	before := uint64(0)
	for _, lines := range []int{1, 200, 1500} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		told := uint64(0)
		for in := bufio.NewScanner(out); in.Scan(); {
			n, err := strconv.ParseUint(in.Text(), 10, 64)
			if err != nil {
				break // the last line may be cut
			}
			require.Equal(t, told+1, n, "in order")
			if told = n; told == uint64(lines) {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait()
		require.GreaterOrEqual(t, told, uint64(lines))

		db, err := Open(path, testOptions(t))
		require.NoError(t, err)
		list, err := db.Forwards(ForwardQuery{Limit: 1 << 30})
		require.NoError(t, err)
		list = list[before:]
		require.GreaterOrEqual(t, len(list), int(told))
		for i, fwd := range list {
			require.Equal(t, lnwire.MilliSat(i+1), fwd.AmountIn)
			rev, ok, err := db.Revoked(uint64(i+1)%7, uint64(i+1))
			require.NoError(t, err)
			require.True(t, ok, "the whole batch")
			require.Equal(t, uint64(i+1), rev.N)
		}
		before += uint64(len(list))
		require.NoError(t, db.Close())
	}
}
