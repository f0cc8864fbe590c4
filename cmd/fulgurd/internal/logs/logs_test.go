package logs

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLevels(t *testing.T) {
	l := NewLevels()
	for text, want := range map[string]string{
		"loud": "debug level [loud]", "": "debug level []", "info,debug": "subsystem/level pair [debug]", "ABCD=info": "subsystem [ABCD]",
		"PEER=loud": "debug level [loud]", "debug,PEER": "pair [PEER]", "PEER=debug=info": "debug level",
	} {
		require.ErrorContains(t, l.Set(text), want, text)
	}
	require.NotContains(t, l.String(), "DEBUG", "a wrong word changes nothing")
	require.NoError(t, l.Set("info,PEER=debug,HSWC=trace,BTCN=off"))
	require.Contains(t, l.String(), "PEER=DEBUG")
	require.Contains(t, l.String(), "HSWC=TRACE")
	require.Contains(t, l.String(), "SRVR=INFO")
	require.NoError(t, l.Set("PEER=warn"))
	require.Contains(t, l.String(), "HSWC=TRACE", "what is not named stays")
	for name := range Subsystems {
		require.NotContains(t, foreign, " "+name+" ")
	}
}

// TestSubsystems: each logger obeys the level of the subsystem that was named last, also
// when that changes.
func TestSubsystems(t *testing.T) {
	var out bytes.Buffer
	levels := NewLevels()
	log := slog.New(NewHandler(levels, Sink{W: &out, NoTime: true}))
	peer := log.With(Key, "SRVR").With("first", 1).With(Key, "PEER", "addr", "a:1")
	peer.Debug("unheard")
	require.NoError(t, levels.Set("PEER=trace"))
	peer.Debug("heard", "n", 2)
	peer.Log(t.Context(), LevelTrace, "traced")
	log.Debug("unheard")
	log.Info("main")
	log.With(Key, "NONE").Info("unknown")
	require.Equal(t, `level=DEBUG msg=heard sys=PEER first=1 addr=a:1 n=2
level=TRACE msg=traced sys=PEER first=1 addr=a:1
level=INFO msg=main sys=LTND
level=INFO msg=unknown sys=NONE
`, out.String())
	require.NoError(t, levels.Set("off"))
	log.Error("unheard")
	require.NotContains(t, out.String(), "ERROR")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestABrokenSinkIsAlone(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(NewHandler(NewLevels(), Sink{W: broken{}}, Sink{W: &out, CallSite: "short"}))
	log.Info("still heard")
	require.Contains(t, out.String(), "still heard")
	require.Contains(t, out.String(), " source=logs_test.go:")
}

// TestFiles: full files get rising numbers, are compressed, and the oldest go.
func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "x.log")
	l, err := Open(path, 25, 2)
	require.NoError(t, err)
	for i := range 9 {
		_, err := fmt.Fprintf(l, "line %d....\n", i) // two fit
		require.NoError(t, err)
		l.zips.Wait()
	}
	lines, err := l.Tail(1000)
	require.NoError(t, err)
	require.Equal(t, []string{"line 8...."}, lines)
	require.NoError(t, l.Close())
	require.Equal(t, []int{3, 4}, l.numbers())
	require.Equal(t, "line 6....\nline 7....\n", unzip(t, path+".4.gz"))
	require.NoFileExists(t, path+".4")
	for _, p := range []string{path, path + ".3.gz"} {
		st, err := os.Stat(p)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	}
	l, err = Open(path, 25, 2)
	require.NoError(t, err)
	_, err = io.WriteString(l, strings.Repeat("x", 30)+"\n")
	require.NoError(t, err, "a line that is longer than a file")
	lines, err = l.Tail(10)
	require.NoError(t, err)
	require.Empty(t, lines)
	require.NoError(t, l.Close())
	require.Equal(t, []int{4, 5}, l.numbers(), "numbers go on after a restart")
}

func unzip(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func TestWithoutRotation(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "x.log"), 10, 0)
	require.NoError(t, err)
	for range 5 {
		_, err := io.WriteString(l, "0123456789\n")
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	require.Empty(t, l.numbers())
}
