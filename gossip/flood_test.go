package gossip

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestFloods: B7.room.1: whatever is sent, what is held stays within its limits
// (V-44, V-46, V-53), and who behaves is still heard.
func TestFloods(t *testing.T) {
	b := woken(t)
	l := b.m.cfg.Limits
	check := func() {
		c := b.m.Counts()
		require.LessOrEqual(t, c.RoomBytes, l.WaitingRoom)
		require.LessOrEqual(t, c.InboxBytes, 4*l.Inbox)
		require.LessOrEqual(t, c.InFlight, l.InFlight)
		require.LessOrEqual(t, c.Dead, 2*l.Dead)
	}
	b.open(1)
	b.open(2)
	b.channelBetween(scid(1), 10, 11)
	early := update(scid(2), 0, 10, 0)
	b.got(1, early) // an honest one that waits
	for i := range 20_000 {
		b.got(2, update(scid(3+i), 0, 10, 0))
		b.got(2, nodeAnn(5000+i, 0))
		b.got(2, announcement(lnwire.NewShortChannelID(1005, uint32(i), 0), 10, 11))
	}
	check()
	require.Greater(t, b.m.Counts().RoomBytes, l.WaitingRoom/10)
	require.LessOrEqual(t, len(b.m.held), l.WaitingRoom/arrivalCost)
	b.got(1, b.announcement(scid(2), 10, 11))
	c, _ := b.m.Channel(scid(2))
	require.NotNil(t, c.Policies[0], "the flood pushed out only its own")

	// Proofs that are never answered: the inbox fills, and no further.
	b.stopped = true
	for i := range 10_000 {
		b.got(2, announcement(scid(50_000+i), 10, 11))
	}
	check()
	require.Equal(t, l.InFlight, b.m.Counts().InFlight)
	before := b.verified
	b.got(1, update(scid(1), 0, 10, 0))
	require.Equal(t, before, b.verified)
	b.stopped = false
	b.step(b.asked[0]) // one place is free: the next in turn is the other peer
	b.step(b.asked[1])
	c, _ = b.m.Channel(scid(1))
	require.Equal(t, uint32(testNow.Unix()), c.Policies[0].Updated)
	b.step(Closed{key(2)})
	b.goOn()
	check()
	b.step(Closed{key(1)})
	cnt := b.m.Counts()
	require.Zero(t, cnt.RoomBytes)
	require.Zero(t, cnt.InboxBytes)
	require.Zero(t, cnt.InFlight)
	require.Empty(t, b.m.held)
	require.Empty(t, b.m.room.by)
}

// TestFifoSet: the oldest are forgotten, whatever is added and removed.
func TestFifoSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 8).Draw(t, "size")
		s := newFifoSet[int](size)
		var model []int // places in order of filling; -1: removed
		for _, op := range rapid.SliceOfN(rapid.IntRange(-10, 10), 0, 100).Draw(t, "ops") {
			if op < 0 {
				s.remove(-op)
				if i := slices.Index(model, -op); i >= 0 {
					model[i] = -1
				}
			} else {
				s.add(op)
				if !slices.Contains(model, op) {
					model = append(model, op)
				}
				if len(model) > size {
					model = model[1:]
				}
			}
			for k := range 11 {
				if s.contains(k) != slices.Contains(model, k) {
					t.Fatalf("%d: %v, model %v", k, s.contains(k), model)
				}
			}
		}
	})
}

// TestRoom: the accounts of the waiting room are right after anything.
func TestRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRoom(16_000)
		held := map[byte]bool{}
		for i, op := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 60).Draw(t, "ops") {
			k := waitKey{height: lnwire.Height(rapid.IntRange(0, 3).Draw(t, "key"))}
			var out []arrival
			switch op {
			case 0:
				out = r.take(k)
			case 1:
				out = r.leave(key(rapid.IntRange(0, 12).Draw(t, "peer")))
			default:
				a := arrival{from: key(rapid.IntRange(0, 12).Draw(t, "peer")), raw: make([]byte, rapid.IntRange(0, 2000).Draw(t, "size")), digest: [32]byte{byte(i)}}
				held[byte(i)] = true
				out = r.enter(k, a)
			}
			for _, a := range out {
				if !held[a.digest[0]] {
					t.Fatal("a message came out twice")
				}
				delete(held, a.digest[0])
			}
			bytes, n := 0, 0
			for _, l := range r.by {
				for _, g := range l {
					bytes, n = bytes+g.size(), n+1
				}
			}
			if bytes != r.bytes || n != len(held) || bytes > r.limit {
				t.Fatalf("%d bytes of %d counted, %d messages of %d", bytes, r.bytes, n, len(held))
			}
		}
		for p := range 13 {
			r.leave(key(p))
		}
		if r.bytes != 0 || len(r.by) != 0 || len(r.from) != 0 {
			t.Fatal("something is left")
		}
	})
}

// TestConverge: two machines that learn different things, over a connection that is
// lost now and then, end with the same map, in memory and in the store.
func TestConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := woken(t, func(c *Config) { c.Self = key(2000) }), woken(t, func(c *Config) { c.Self = key(2001) })
		b.txos = a.txos
		boxes := []*box{a, b}
		ids := []int{2000, 2001}
		connected := false
		connect := func(on bool) {
			for i, x := range boxes {
				if connected {
					x.step(Closed{key(ids[1-i])})
					x.sent = map[lnwire.PubKey][]lnwire.Message{}
				}
			}
			for i, x := range boxes {
				if on {
					x.open(ids[1-i])
				}
			}
			connected = on
		}
		// carry moves up to n messages.
		carry := func(n int) (moved bool) {
			for i, x := range boxes {
				to := key(ids[1-i])
				k := min(n, len(x.sent[to]))
				batch := x.sent[to][:k]
				x.sent[to] = x.sent[to][k:]
				for _, msg := range batch {
					boxes[1-i].step(Received{key(ids[i]), msg})
				}
				moved = moved || k > 0
			}
			return moved
		}
		for _, x := range boxes {
			x.open(1) // the world
		}
		connect(true)
		for i := range rapid.IntRange(1, 40).Draw(rt, "events") {
			x := boxes[rapid.IntRange(0, 1).Draw(rt, "box")]
			ch := rapid.IntRange(0, 6).Draw(rt, "channel")
			n1, n2 := 10+ch%3, 13+ch%2
			switch rapid.IntRange(0, 6).Draw(rt, "op") {
			case 0, 1:
				x.got(1, a.announcement(scid(ch), n1, n2))
			case 2, 3:
				side := rapid.IntRange(0, 1).Draw(rt, "side")
				x.got(1, update(scid(ch), side, []int{n1, n2}[side], time.Duration(i)*time.Second))
			case 4:
				x.got(1, nodeAnn(n1, time.Duration(i)*time.Second))
			case 5:
				carry(rapid.IntRange(0, 10).Draw(rt, "carried"))
				x.later(time.Minute)
			case 6:
				connect(rapid.Bool().Draw(rt, "connect"))
			}
		}
		connect(true)
		for range 6 {
			for _, x := range boxes {
				x.now = x.now.Add(10 * time.Minute) // the rates allow all of it
				x.now = slices.MaxFunc([]time.Time{a.now, b.now}, time.Time.Compare)
				x.m.nextSync = x.now
				x.step(Tick{})
				x.m.line = slices.DeleteFunc(x.m.line, func(p *peer) bool { return p.id == key(1) })
				delete(x.m.peers, key(1))
				if x.m.sync != nil && x.m.sync.peer.id == key(1) {
					x.m.sync = nil
				}
			}
			for carry(1000) {
				for _, x := range boxes {
					x.step(Tick{})
				}
			}
			connect(true)
		}
		told := func(x *box) (list []Channel) {
			for _, c := range x.m.Channels(0, 100) {
				if c.Policies[0] != nil || c.Policies[1] != nil {
					list = append(list, c)
				}
			}
			return list
		}
		require.Equal(rt, told(a), told(b))
		for _, c := range told(a) {
			for _, id := range []lnwire.PubKey{c.Node1, c.Node2} {
				x, _, _ := a.m.Node(id)
				y, _, _ := b.m.Node(id)
				require.Equal(rt, x, y)
			}
		}
		for _, x := range boxes {
			require.Empty(rt, x.dropped)
			require.Equal(rt, x.m.Channels(0, 100), x.restart().m.Channels(0, 100))
			require.Zero(rt, x.m.Counts().LogBytes)
		}
	})
}

// FuzzStep: no message of a peer stops the machine.
func FuzzStep(f *testing.F) {
	b := woken(f)
	for _, msg := range []lnwire.Message{
		b.announcement(scid(1), 10, 11), update(scid(1), 0, 10, 0), nodeAnn(10, 0), filterAll, reply(scid(1)),
		&lnwire.QueryChannelRange{ChainHash: testChain, NumBlocks: 5}, &lnwire.QueryShortChannelIDs{ChainHash: testChain, SCIDs: []lnwire.ShortChannelID{scid(1)}},
		&lnwire.ReplyShortChannelIDsEnd{ChainHash: testChain},
	} {
		raw, err := lnwire.Marshal(msg)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := lnwire.Unmarshal(raw)
		if err != nil {
			return
		}
		b := woken(t)
		b.open(1)
		b.channelBetween(scid(1), 10, 11)
		b.got(1, msg)
		b.later(time.Minute)
		b.got(1, msg)
	})
}
