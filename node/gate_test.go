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

// TestGateIsFair: who waits goes on in the order of arrival, nobody overtakes, and not
// for every little room.
func TestGateIsFair(t *testing.T) {
	g := newGate(1000)
	require.True(t, g.enter(600))
	require.True(t, g.enter(400))
	order := make(chan int, 3)
	var wg sync.WaitGroup
	for i, w := range []int{500, 400, 100} {
		wg.Go(func() {
			if g.enter(w) {
				order <- i
			}
		})
		waitUntil(t, "it waits", func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.queue) == i+1
		})
	}
	g.leave(400) // the last would fit, but comes last
	require.Empty(t, order)
	g.leave(200)
	require.Equal(t, 0, <-order)
	require.Empty(t, order, "400 are held of the first, 500 of the second")
	g.leave(400)
	require.ElementsMatch(t, []int{1, 2}, []int{<-order, <-order})
	require.Equal(t, 1000, g.held)
	wg.Wait()
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
