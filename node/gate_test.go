package node

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestGate: no more than its bytes are within, whatever comes; one that is larger than
// all of it comes alone; and nobody is left standing when it closes.
func TestGate(t *testing.T) {
	g := newGate(1000)
	var mu sync.Mutex
	within, most := 0, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				w := 100 + i%5*100
				if !g.enter(w) {
					t.Error("closed")
				}
				mu.Lock()
				within += w
				most = max(most, within)
				mu.Unlock()
				mu.Lock()
				within -= w
				mu.Unlock()
				g.leave(w)
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most, 1000)
	require.Zero(t, g.held)
	require.True(t, g.enter(5000))
	waits := make(chan bool)
	go func() { waits <- g.enter(1) }()
	g.close()
	require.False(t, <-waits)
	require.False(t, g.enter(1))
}

// TestWeight: every message of the map weighs something, and the longer the more;
// others are not for the map.
func TestWeight(t *testing.T) {
	ids := make([]lnwire.ShortChannelID, 1000)
	for _, m := range []lnwire.Message{
		&lnwire.ChannelAnnouncement{}, &lnwire.ChannelUpdate{}, &lnwire.NodeAnnouncement{}, &lnwire.QueryChannelRange{},
		&lnwire.ReplyShortChannelIDsEnd{}, &lnwire.GossipTimestampFilter{}, &lnwire.QueryShortChannelIDs{}, &lnwire.ReplyChannelRange{},
	} {
		require.Positive(t, weight(m))
	}
	require.Zero(t, weight(&lnwire.Unknown{MsgType: 60001}))
	require.Greater(t, weight(&lnwire.ChannelUpdate{Extra: make([]byte, 60_000)}), 60_000)
	require.Greater(t, weight(&lnwire.NodeAnnouncement{RawAddrs: make([]byte, 60_000)}), 60_000)
	require.Greater(t, weight(&lnwire.ChannelAnnouncement{Features: make(lnwire.Features, 60_000)}), 60_000)
	require.Greater(t, weight(&lnwire.ReplyChannelRange{SCIDs: ids, Timestamps: make([]lnwire.ChannelTimestamps, 1000)}), 16_000)
	require.Greater(t, weight(&lnwire.QueryShortChannelIDs{SCIDs: ids}), 8000)
}
