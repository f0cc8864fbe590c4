package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestGuestsTakeTurns: while one guest is being read the others wait, and who is no
// guest does not (V-44); a handshake takes its turn, too (V-49).
func TestGuestsTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, func(c *Config) { c.Guest = func(id lnwire.PubKey) bool { return id == idOf(2) } })
		guest, partner := meetWire(t, n, 2, 1), meetWire(t, n, 3, 1)
		synctest.Wait() // their pongs have had their turns
		heard := func() (list []string) {
			synctest.Wait()
			for _, m := range h.rec.messages() {
				list = append(list, string(m.(*lnwire.Unknown).Payload))
			}
			return list
		}
		leave, ok := h.lane.enter(t.Context())
		require.True(t, ok)
		guest.send(custom("guest"))
		partner.send(custom("partner"))
		require.Equal(t, []string{"partner"}, heard())
		met := make(chan *wire)
		go func() { met <- meetWire(t, n, 4, 1) }()
		synctest.Wait()
		require.Len(t, h.Conns(), 2)
		leave()
		require.Equal(t, []string{"partner", "guest"}, heard())
		<-met
		require.Len(t, h.Conns(), 3)

		// Half a frame is no turn.
		half := must(guest.s.Sealer.Append(nil, must(lnwire.Marshal(custom("late")))))
		_, err := guest.nc.Write(half[:len(half)-1])
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, h.lane.turn, 1)
		_, err = guest.nc.Write(half[len(half)-1:])
		require.NoError(t, err)
		require.Equal(t, []string{"partner", "guest", "late"}, heard())
	})
}

// TestLaneRests: after as long as it was used.
func TestLaneRests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLane()
		use := func(d time.Duration) {
			leave, ok := l.enter(t.Context())
			require.True(t, ok)
			time.Sleep(d)
			leave()
		}
		start := time.Now()
		for range 4 {
			use(laneSlice / 4)
		}
		require.Equal(t, laneSlice, time.Since(start))
		use(5 * laneSlice)
		require.Equal(t, 7*laneSlice, time.Since(start), "it rested once")
		use(0)
		require.Equal(t, 12*laneSlice, time.Since(start), "and for longer")
	})
}

// TestClosingHostLeavesNobodyInTheLane: who waits for a turn ends with the host.
func TestClosingHostLeavesNobodyInTheLane(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, func(c *Config) { c.Guest = func(lnwire.PubKey) bool { return true } })
		guest := meetWire(t, n, 2, 1)
		synctest.Wait() // its pong has had its turn
		_, ok := h.lane.enter(t.Context())
		require.True(t, ok)
		guest.send(custom("in vain"))
		synctest.Wait()
		h.Close()
		require.Empty(t, h.rec.messages())
		require.Error(t, h.inLane(func() { t.Error("called") }))
	})
}
