package node

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// Potentials are made beside the payment that asks, kept for its amount, and made again
// when they are old; a small graph needs none.
func TestPotentialsAreMadeWhenTheyAreAskedFor(t *testing.T) {
	g := routing.NewGraph()
	id := func(i int) (k lnwire.PubKey) {
		k[0] = 2
		binary.BigEndian.PutUint32(k[1:], uint32(i))
		return k
	}
	policy := &routing.Policy{Max: 1 << 40}
	for i := range bigGraph {
		require.NoError(t, g.AddChannel(routing.Channel{SCID: lnwire.ShortChannelID(i + 1), Node1: id(0), Node2: id(i + 1),
			Capacity: 1_000_000, Policies: [2]*routing.Policy{policy, policy}}))
	}
	now := time.Unix(1_800_000_000, 0)
	ps := &payments{n: &Node{}}
	env := &routing.Env{Graph: g.Snapshot(), Locals: []routing.Local{{SCID: 1, Peer: id(0)}}}
	var made *routing.Potentials
	waitUntil(t, "potentials", func() bool { made = ps.potentials(now, env, 1000); return made != nil })
	require.Same(t, made, ps.potentials(now, env, 1001))
	require.True(t, made.Of(env.Graph))
	now = now.Add(2 * potentialsAge)
	require.Same(t, made, ps.potentials(now, env, 1000), "nothing has changed")
	require.NoError(t, g.SetPolicy(7, 0, *policy))
	env.Graph = g.Snapshot()
	waitUntil(t, "new ones", func() bool { return ps.potentials(now, env, 1000) != made })
	for i := range 3 * levelsKept {
		waitUntil(t, "another level", func() bool { return ps.potentials(now, env, 1000<<i) != nil })
	}
	require.Len(t, ps.surveys.levels, levelsKept)

	require.NoError(t, g.RemoveChannel(9))
	env.Graph = g.Snapshot()
	require.Nil(t, ps.potentials(now, env, 1000), "not worth it")
}
