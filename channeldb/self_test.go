package channeldb

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// What schema 7 kept of our announcement in a note has its row afterwards; a note that cannot
// be read is no reason to refuse the file.
func TestSelfNoteBecomesRow(t *testing.T) {
	for text, want := range map[string]SelfChanges{
		`{"Version":1,"Color":[1,2,3],"ColorOf":[4,5,6],"Added":[{"Type":1,"Host":"203.0.113.7","Port":9735}],"Hidden":"Ag=="}`: {
			Color: &lnwire.RGB{1, 2, 3}, ColorOf: &lnwire.RGB{4, 5, 6},
			Added: []lnwire.Address{{Type: lnwire.AddrIPv4, Host: "203.0.113.7", Port: 9735}}, Hidden: lnwire.Features{2},
		},
		"{": {},
	} {
		path := filepath.Join(t.TempDir(), "fulgur.db")
		db, err := openAt(path, testOptions(t), steps[:7])
		require.NoError(t, err)
		_, err = db.Write(Batch{Notes: []Note{{string(selfNote), []byte(text)}}})
		require.NoError(t, err)
		require.NoError(t, db.Close())
		for range 2 {
			db, err = Open(path, testOptions(t))
			require.NoError(t, err)
			got, err := db.SelfChanges()
			require.NoError(t, err)
			require.Equal(t, want, got)
			note, err := db.Note(string(selfNote))
			require.NoError(t, err)
			require.Nil(t, note)
			require.NoError(t, db.Close())
		}
	}
}

func TestSelfAndConducts(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "fulgur.db"), testOptions(t))
	require.NoError(t, err)
	defer db.Close()
	none, err := db.SelfChanges()
	require.NoError(t, err)
	require.Equal(t, SelfChanges{}, none)
	s := SelfChanges{Alias: &lnwire.Alias{'b'}, AliasOf: &lnwire.Alias{'a'}, Removed: []lnwire.Address{{Type: lnwire.AddrDNS, Host: "a.example", Port: 1}}}
	for n := range uint32(2) {
		_, err = db.Write(Batch{Self: &s, Conducts: []Conduct{{Peer: lnwire.PubKey{2}, Flaps: n + 1}, {Peer: lnwire.PubKey{3}, Flaps: 7}}})
		require.NoError(t, err)
	}
	got, err := db.SelfChanges()
	require.NoError(t, err)
	require.Equal(t, s, got)
	list, err := db.Conducts()
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.EqualValues(t, 2, list[0].Flaps)
}
