package node

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

// told is a log that hands over each line.
type told chan string

func (c told) Write(p []byte) (int, error) { c <- string(p); return len(p), nil }

// backendState is of a backend its state.
type backendState struct{ chainntnfs.Status }

func (b *backendState) State() (chainntnfs.State, <-chan struct{}) { return b.Get() }

// TestTellsOfTheBackend: that the backend cannot be reached stands in the log at once, with
// the reason, and that it is back, too.
func TestTellsOfTheBackend(t *testing.T) {
	b, lines := &backendState{}, make(told)
	go tellBackend(t.Context(), b, slog.New(slog.NewTextHandler(lines, nil)))
	b.Update(func(s *chainntnfs.State) { s.Why = errors.New("connection refused") })
	require.Regexp(t, "WARN.*away.*connection refused", <-lines)
	b.Update(func(s *chainntnfs.State) { s.Up, s.Why = true, nil })
	require.Regexp(t, "INFO.*is back", <-lines)
	b.Update(func(s *chainntnfs.State) { s.Up, s.Why = false, errors.New("EOF") })
	require.Regexp(t, "WARN.*away.*EOF", <-lines)
}
