package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var backoff = Limits{}.withDefaults()

// middle is the draw that leaves a wait as it is.
const middle = 0.5

func dueOne(t *testing.T, s *schedule, now time.Time) bool {
	t.Helper()
	dial, _ := s.due(now, 10)
	return len(dial) == 1
}

func TestBackoffGrowsAndStartsOver(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newSchedule(backoff)
	id := idOf(1)
	s.keep(id, []string{"a"}, false, now)
	var waits []time.Duration
	for range 14 {
		require.True(t, dueOne(t, &s, now))
		require.False(t, dueOne(t, &s, now), "it is being dialled")
		s.failed(id, now, middle)
		_, next := s.due(now, 10)
		waits = append(waits, next.Sub(now))
		require.False(t, dueOne(t, &s, next.Add(-1)))
		now = next
	}
	want := []time.Duration{}
	for i := range 12 {
		want = append(want, time.Second<<i)
	}
	require.Equal(t, append(want, time.Hour, time.Hour), waits)

	// A connection that lasts makes up for all of it.
	require.True(t, dueOne(t, &s, now))
	s.opened(id, now)
	s.failed(id, now, middle) // the end of the attempt changes nothing
	now = now.Add(10 * time.Minute)
	s.closed(id, now, middle)
	_, next := s.due(now, 10)
	require.Equal(t, time.Second, next.Sub(now))

	// Short ones do so as far as they last; what comes and goes at once is kept
	// waiting.
	for _, c := range []struct{ lasted, wait time.Duration }{
		{0, 2}, {0, 4}, {0, 8}, {6, 10}, {1, 19}, {100, 1},
	} {
		now = next
		require.True(t, dueOne(t, &s, now))
		s.opened(id, now)
		now = now.Add(c.lasted * time.Second)
		s.closed(id, now, middle)
		_, next = s.due(now, 10)
		require.Equal(t, c.wait*time.Second, next.Sub(now))
	}
}

func TestScheduleKnowsWhoIsConnected(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newSchedule(backoff)
	a, b, c := idOf(1), idOf(2), idOf(3)
	s.keep(a, []string{"a"}, true, now)
	s.keep(b, []string{"b"}, false, now.Add(time.Second))
	dial, next := s.due(now, 10)
	require.Empty(t, dial)
	require.Equal(t, now.Add(time.Second), next)

	// An inbound connection while it is dialled: the attempt's end is no failure.
	now = next
	dial, _ = s.due(now, 10)
	require.Len(t, dial, 1)
	s.opened(b, now)
	s.failed(b, now, middle)
	dial, next = s.due(now.Add(time.Hour), 10)
	require.Empty(t, dial)
	require.Zero(t, next)

	// New addresses are used next time.
	s.closed(a, now, middle)
	s.keep(a, []string{"a2", "a3"}, false, now)
	dial, _ = s.due(now.Add(time.Second), 10)
	require.Equal(t, []string{"a2", "a3"}, dial[0].addrs)

	// What is forgotten, or was never kept, stays away.
	s.forget(a)
	s.failed(a, now, middle)
	s.opened(c, now)
	s.closed(c, now, middle)
	s.forget(c)
	s.closed(b, now, middle)
	s.forget(b)
	dial, next = s.due(now.Add(time.Hour), 10)
	require.Empty(t, dial)
	require.Zero(t, next)
}

func TestScheduleDialsFewAtOnce(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newSchedule(backoff)
	for b := byte(1); b <= 10; b++ {
		s.keep(idOf(b), []string{"x"}, false, now.Add(-time.Duration(b)*time.Second))
	}
	dial, next := s.due(now, 4)
	require.Len(t, dial, 4)
	require.Zero(t, next)
	require.Equal(t, idOf(10), dial[0].id, "who waited longest goes first")
	s.failed(idOf(10), now, middle)
	s.opened(idOf(9), now)
	dial, _ = s.due(now, 4)
	require.Equal(t, []lnwire.PubKey{idOf(6), idOf(5)}, []lnwire.PubKey{dial[0].id, dial[1].id})
}

// Whatever happens, a wait lies within a quarter of its bounds, and no peer is
// dialled twice at once or never again.
func TestScheduleProperties(t *testing.T) {
	const peers = 4
	ids := make([]lnwire.PubKey, 1+peers)
	for b := range byte(peers) {
		ids[1+b] = idOf(1 + b)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		s := newSchedule(backoff)
		up, dialling := map[byte]bool{}, map[byte]bool{}
		for b := byte(1); b <= peers; b++ {
			s.keep(ids[b], []string{"x"}, false, now)
		}
		byID := func(id lnwire.PubKey) byte { return byte(slices.Index(ids, id)) }
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			b := byte(rapid.IntRange(1, peers).Draw(t, "peer"))
			r := rapid.Float64Range(0, 0.999).Draw(t, "r")
			switch rapid.SampledFrom([]string{"dial", "fail", "open", "close"}).Draw(t, "what") {
			case "dial":
				dial, next := s.due(now, peers)
				for _, p := range dial {
					who := byID(p.id)
					require.False(t, dialling[who] || up[who])
					dialling[who] = true
				}
				if !next.IsZero() {
					require.True(t, next.After(now))
					require.LessOrEqual(t, next.Sub(now), backoff.MaxBackoff*5/4)
				}
			case "fail":
				if dialling[b] {
					s.failed(ids[b], now, r)
					dialling[b] = false
				}
			case "open":
				if !up[b] {
					s.opened(ids[b], now)
					up[b], dialling[b] = true, false
				}
			case "close":
				if up[b] {
					s.closed(ids[b], now, r)
					up[b] = false
					require.GreaterOrEqual(t, s.peers[ids[b]].due.Sub(now), backoff.MinBackoff*3/4)
				}
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "pass")) * time.Second)
		}
		dial, _ := s.due(now.Add(2*time.Hour), peers)
		for _, p := range dial {
			dialling[byID(p.id)] = true
		}
		for b := byte(1); b <= peers; b++ {
			require.True(t, dialling[b] || up[b], "peer %d is neither there nor sought", b)
		}
	})
}
