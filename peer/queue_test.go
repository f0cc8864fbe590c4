package peer

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// decode takes a batch apart.
func decode(t require.TestingT, batch []byte) (payloads []string) {
	for len(batch) > 0 {
		var raw []byte
		raw, _, batch = nextWaiting(batch)
		m, err := lnwire.Unmarshal(raw)
		require.NoError(t, err)
		payloads = append(payloads, string(m.(*lnwire.Unknown).Payload))
	}
	return payloads
}

// However pushes and takes interleave: nothing taken is lost, doubled or reordered
// within its priority, no group is torn apart, and no channel message waits for
// gossip that was not taken before it came.
func TestQueueKeepsGroupsAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(Limits{Backlog: 1 << 20, GossipBacklog: 40_000})
		var pushed [2][][]string // groups accepted, by priority
		var got, spare = []string{}, []byte(nil)
		take := func() int {
			batch, more := q.take(spare)
			require.True(t, more)
			list := decode(t, batch)
			seenGossip := false
			for _, p := range list {
				if p[0] == 'g' {
					seenGossip = true
				} else {
					require.False(t, seenGossip, "channel messages stand in front")
				}
			}
			got, spare = append(got, list...), batch
			return len(list)
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				take()
				continue
			}
			p := Priority(rapid.IntRange(0, 1).Draw(t, "priority"))
			var group []lnwire.Message
			var names []string
			for j := range rapid.IntRange(1, 4).Draw(t, "size") {
				pad := rapid.IntRange(0, 12_000).Draw(t, "pad")
				name := fmt.Sprintf("%c%d.%d%0*d", "cg"[p], i, j, pad, 0)
				group, names = append(group, custom(name)), append(names, name)
			}
			if err := q.push(p, group); err == nil {
				pushed[p] = append(pushed[p], names)
			} else {
				require.Equal(t, errBusy, err)
				require.Equal(t, Gossip, p)
			}
		}
		for take() > 0 {
		}
		for p, groups := range pushed {
			var want []string
			for _, g := range groups {
				want = append(want, g...)
			}
			var of []string
			for _, name := range got {
				if name[0] == "cg"[p] {
					of = append(of, name)
				}
			}
			require.Equal(t, want, of)
			for _, g := range groups { // no stranger between the members of a group
				at := 0
				for got[at] != g[0] {
					at++
				}
				require.Equal(t, g, got[at:at+len(g)])
			}
		}
	})
}

// V-44: neither lane grows beyond its budget and one group.
func TestQueueBudgets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(Limits{Backlog: 20_000, GossipBacklog: 5_000})
		for range rapid.IntRange(1, 80).Draw(t, "pushes") {
			p := Priority(rapid.IntRange(0, 1).Draw(t, "priority"))
			m := custom(fmt.Sprintf("%0*d", rapid.IntRange(1, 3000).Draw(t, "size"), 0))
			err := q.push(p, []lnwire.Message{m})
			channel, gossip := q.waiting()
			require.LessOrEqual(t, channel, 20_000)
			require.LessOrEqual(t, gossip, 5_000+3_100)
			if err == ErrBacklog {
				require.Equal(t, Channel, p)
				require.Greater(t, channel+3_100, 20_000)
			}
			if rapid.IntRange(0, 9).Draw(t, "take") == 0 {
				q.take(nil)
			}
		}
	})
}

// What is being written counts, or a peer that reads nothing would have twice the
// budget.
func TestQueueCountsWhatIsBeingWritten(t *testing.T) {
	q := newQueue(Limits{Backlog: 3_000, GossipBacklog: 1_000})
	m := []lnwire.Message{custom(fmt.Sprintf("%02000d", 0))}
	require.NoError(t, q.push(Channel, m))
	batch, _ := q.take(nil)
	require.NotEmpty(t, batch)
	require.Equal(t, ErrBacklog, q.push(Channel, m))
	q.take(batch)
	require.NoError(t, q.push(Channel, m))
}

func TestQueueDrained(t *testing.T) {
	q := newQueue(Limits{Backlog: 1 << 20, GossipBacklog: 40_000})
	m := []lnwire.Message{custom(fmt.Sprintf("%010000d", 0))}
	isClosed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	require.True(t, isClosed(q.drained()), "an empty queue has room")
	for q.push(Gossip, m) == nil {
	}
	wait := q.drained()
	require.False(t, isClosed(wait))
	for !isClosed(wait) {
		q.take(nil)
	}
	require.NoError(t, q.push(Gossip, m), "who is told that there is room finds room")

	for q.push(Gossip, m) == nil {
	}
	wait = q.drained()
	q.close()
	require.True(t, isClosed(wait))
	require.True(t, isClosed(q.drained()))
	require.Equal(t, errQueueOff, q.push(Channel, m))
	batch, more := q.take(nil)
	require.Empty(t, batch, "gossip is dropped")
	require.False(t, more)
}

func TestPulse(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	p := pulse{every: time.Minute, patience: 30 * time.Second, last: begin}

	ping, next, dead := p.beat(at(59), at(59), true, false)
	require.Nil(t, ping)
	require.Equal(t, at(60), next)
	require.False(t, dead)

	ping, next, _ = p.beat(at(60), at(59), true, false)
	require.NotNil(t, ping)
	require.Equal(t, at(90), next)
	p.pong(at(61), int(ping.NumPongBytes))
	require.Equal(t, time.Second, p.roundTrip())
	p.pong(at(70), int(ping.NumPongBytes)) // twice is once
	require.Equal(t, time.Second, p.roundTrip())

	ping, next, _ = p.beat(at(90), at(61), true, false)
	require.Nil(t, ping, "the next is due a minute after the last")
	require.Equal(t, at(120), next)

	// Asked for, it comes at once, but not twice.
	ping, _, _ = p.beat(at(91), at(61), true, true)
	require.NotNil(t, ping)
	ping, next, _ = p.beat(at(92), at(61), true, true)
	require.Nil(t, ping)
	require.Equal(t, at(121), next)
	// We were not reading: that is no silence of the peer's.
	_, next, dead = p.beat(at(121), at(61), false, false)
	require.False(t, dead)
	require.Equal(t, at(151), next)
	ping, _, _ = p.beat(at(151), at(61), true, false)
	require.NotNil(t, ping)
	_, _, dead = p.beat(at(181), at(151), true, false)
	require.False(t, dead, "something came in the same moment")
	p.beat(at(211), at(151), true, false)
	_, _, dead = p.beat(at(241), at(151), true, false)
	require.True(t, dead)
}

func TestAllowance(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := allowance{burst: 3, refill: time.Second}
	for range 3 {
		require.True(t, a.spend(now, 1))
	}
	require.False(t, a.spend(now, 1))
	require.False(t, a.spend(now.Add(999*time.Millisecond), 1))
	require.True(t, a.spend(now.Add(time.Second), 1))
	require.False(t, a.spend(now.Add(time.Second), 1))
	for range 3 {
		require.True(t, a.spend(now.Add(time.Hour), 1))
	}
	require.False(t, a.spend(now.Add(time.Hour), 1), "no more than the burst is saved up")
}
