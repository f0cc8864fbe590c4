package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// TestHostileEndsOfOpenings: whatever becomes of the peer, whoever waits for a channel
// hears of its end, and the node forgets it.
func TestHostileEndsOfOpenings(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	ended := func(t *testing.T, updates <-chan OpenUpdate) {
		t.Helper()
		for {
			select {
			case u, ok := <-updates:
				require.True(t, ok, "no end was told")
				if u.Err != nil {
					_, ok = <-updates
					require.False(t, ok)
					return
				}
			case <-time.After(patience):
				require.FailNow(t, "nothing is told")
			}
		}
	}
	t.Run("the peer leaves at any moment", func(t *testing.T) {
		for i := range 30 {
			g := rogueOf(t, bob, "mallory")
			go func() {
				time.Sleep(time.Duration(i) * 50 * time.Microsecond) // some moment
				g.nc.Close()
			}()
			updates, err := bob.OpenChannel(t.Context(), OpenRequest{Peer: g.id(), Capacity: 100_000})
			if err == nil {
				ended(t, updates)
			}
			g.forgotten()
		}
	})
	t.Run("the peer says nothing for too long", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		updates, err := bob.OpenChannel(t.Context(), OpenRequest{Peer: g.id(), Capacity: 100_000})
		require.NoError(t, err)
		expect[*lnwire.OpenChannel](g)
		tooLong := func() {
			for _, e := range bob.channels.of(g.id()) {
				e.runner.Inbox.Put(turn.Item{Event: channel.Tick{Now: time.Now(), Mono: bob.mono() + time.Hour}})
			}
			require.Contains(t, string(expect[*lnwire.Error](g).Data), "too long")
			waitUntil(t, "forgotten", func() bool { return len(bob.channels.of(g.id())) == 0 })
			g.alive()
		}
		tooLong()
		ended(t, updates)

		g.send(g.opening("slow"))
		expect[*lnwire.AcceptChannel](g)
		tooLong()
	})
	t.Run("the machine breaks", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		updates, err := bob.OpenChannel(t.Context(), OpenRequest{Peer: g.id(), Capacity: 100_000})
		require.NoError(t, err)
		bob.channels.of(g.id())[0].runner.Inbox.Put(poison)
		ended(t, updates)
		g.forgotten()
	})
	t.Run("the channel is closed before it opens", func(t *testing.T) {
		d := dealerOf(t, bob, "mallory")
		updates, err := bob.OpenChannel(t.Context(), OpenRequest{Peer: d.id(), Capacity: 100_000, Private: true})
		require.NoError(t, err)
		d.pump("the funding", func() bool { return d.ch.Phase() == channel.AwaitReady })
		u := <-updates
		require.True(t, u.Pending)
		d.funding = u.Funding
		id := d.ch.Info().Core.ChannelID
		for range 100 { // which must not crowd out what counts
			d.send(&lnwire.Warning{ChannelID: id, Data: []byte("blah")})
		}
		d.alive()
		closing, err := bob.CloseChannel(t.Context(), CloseRequest{Funding: d.funding, Force: true})
		require.NoError(t, err)
		c := <-closing
		require.NoError(t, c.Err)
		again, err := bob.CloseChannel(t.Context(), CloseRequest{Funding: d.funding})
		require.NoError(t, err)
		require.Error(t, (<-again).Err, "refused")
		_, open := <-again
		require.False(t, open)
		bob.unconfirmed(c.Tx.TxHash())
		bob.mine(6)
		ended(t, updates)
		require.True(t, (<-closing).Closed, "the refusal was not for the first wish")
	})
	require.Empty(t, bob.opens.waits)
}

// commitments is how many the node has had in a channel.
func commitments(r *resident, e *entry) uint64 {
	info, err := r.look(r.t.Context(), e)
	require.NoError(r.t, err)
	return info.Core.LocalN
}

// poison breaks the machine that gets it.
var poison = turn.Item{Event: channel.Received{}}

// TestBrokenMachines: a panic of one channel's machine costs the connection and nothing
// else: what was promised is kept, what was not is refused, nothing is paid twice.
func TestBrokenMachines(t *testing.T) {
	y := newYard(t)
	for i := range 2 {
		y.trade(0, 2, seeded(uint64(10+i)))
		y.trade(2, 0, seeded(uint64(20+i)))
	}
	random := seeded(1)
	for range 10 {
		i := random.IntN(len(y.nodes))
		r := y.nodes[i]
		all := r.channels.all()
		e := all[random.IntN(len(all))]
		e.runner.Inbox.Put(poison)
		n := commitments(r, e)
		waitUntil(t, "on its feet again", func() bool { return commitments(r, e) > n+2 })
		time.Sleep(time.Duration(random.Int64N(int64(30 * time.Millisecond)))) // some moment
	}
	y.rest()
	y.quiet()
	y.audit()
}
