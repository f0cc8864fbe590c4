package mistake_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/mistake"
)

// TestMarked: the mark is found behind other words, and changes none.
func TestMarked(t *testing.T) {
	for kind, make := range map[mistake.Kind]func(string, ...any) error{
		mistake.BadArgument: mistake.Argument, mistake.BadState: mistake.State, mistake.NotFound: mistake.Missing,
		mistake.Exists: mistake.Twice, mistake.Exhausted: mistake.TooMuch,
	} {
		err := fmt.Errorf("input 1: %w", make("read %d: %w", 2, io.EOF))
		require.EqualError(t, err, "input 1: read 2: EOF")
		require.ErrorIs(t, err, io.EOF)
		m, ok := errors.AsType[*mistake.Error](err)
		require.True(t, ok)
		require.Equal(t, kind, m.Kind)
	}
}
