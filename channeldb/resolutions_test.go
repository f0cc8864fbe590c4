package channeldb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
)

// An HTLC's end is written in the batch that takes its row away, and found when the
// channel is long gone.
func TestResolutions(t *testing.T) {
	db := open(t)
	ref := htlc.Ref{ChanNum: 4, ID: 9}
	want := Resolution{SCID: 77, ID: 9, Settled: true, OnChain: true}
	write1(t, db, Batch{Channels: []*channel.Delta{{ChanNum: 4, HTLCs: []htlc.HTLC{{Ref: ref}}}}})
	write1(t, db, Batch{Channels: []*channel.Delta{{
		ChanNum: 4, GoneHTLCs: []htlc.Ref{ref}, Riders: Riders(Batch{Resolutions: []Resolution{want}}),
	}}})
	write1(t, db, Batch{Channels: []*channel.Delta{{ChanNum: 4, Forget: true}}})
	db = reopen(t, db)
	got, ok, err := db.Resolution(77, 9)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, want, got)
	for _, other := range []Resolution{{SCID: 77, ID: 8}, {SCID: 78, ID: 9}} {
		_, ok, err = db.Resolution(other.SCID, other.ID)
		require.NoError(t, err)
		require.False(t, ok)
	}
}
