package macaroons

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPasswordChanges walks through a change of the password and ends the process after each step: whatever password
// the wallet's seed is under by then opens the store, once and for good.
func TestPasswordChanges(t *testing.T) {
	for _, c := range []struct {
		name      string
		old, next string
		commit    bool   // the process lived until Commit
		opens     string // the seed is under this one
		newRoot   bool
	}{
		{"all steps", "old", "new", true, "new", false},
		{"all steps, another root key", "old", "new", true, "new", true},
		{"cut before the seed was sealed anew", "old", "new", false, "old", true},
		{"cut after it", "old", "new", false, "new", false},
		{"cut after it, another root key", "old", "new", false, "new", true},
		{"of an open store", "", "new", true, "new", true},
		{"of an open store, cut", "", "new", false, "new", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.db")
			s := unlocked(t, path, c.old)
			zero, err := s.KeyOrNew(DefaultKey)
			require.NoError(t, err)
			seven, err := s.KeyOrNew(7)
			require.NoError(t, err)
			s.Lock()
			require.ErrorIs(t, s.Prepare([]byte("guess"), []byte(c.next), c.newRoot), ErrPassword)
			require.NoError(t, s.Prepare([]byte(c.old), []byte(c.next), c.newRoot))
			if c.commit {
				require.NoError(t, s.Commit())
			}
			require.NoError(t, s.Close())

			for range 2 { // the second time nothing is left to settle
				s = openStore(t, path)
				require.ErrorIs(t, s.Unlock([]byte("guess")), ErrPassword)
				require.NoError(t, s.Unlock([]byte(c.opens)))
				have, err := s.Key(DefaultKey)
				require.NoError(t, err)
				if c.newRoot && c.opens == c.next {
					require.NotEqual(t, zero, have)
				} else {
					require.Equal(t, zero, have)
				}
				have, err = s.Key(7)
				require.NoError(t, err)
				require.Equal(t, seven, have)
				_, next, err := s.locks()
				require.NoError(t, err)
				require.Nil(t, next)
				require.NoError(t, s.Close())
			}
			other := map[string]string{c.old: c.next, c.next: c.old}[c.opens]
			require.ErrorIs(t, openStore(t, path).Unlock([]byte(other)), ErrPassword)
		})
	}
}

// TestPasswordOfANewStore: a seed that is older than the store of the macaroons can change its password, too.
func TestPasswordOfANewStore(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "m.db"))
	require.NoError(t, s.Prepare([]byte("old"), []byte("new"), true))
	require.NoError(t, s.Commit())
	require.EqualError(t, s.Commit(), "write macaroon store: no password was prepared")
	require.NoError(t, s.Unlock([]byte("new")))
	require.EqualError(t, s.Commit(), "macaroon store is unlocked")
	require.EqualError(t, s.Reset(), "macaroon store is unlocked")
	s.Lock()
	require.NoError(t, s.Reset())
	require.NoError(t, s.Unlock([]byte("another")), "nothing is left")
	ids, err := s.IDs()
	require.NoError(t, err)
	require.Empty(t, ids)
}
