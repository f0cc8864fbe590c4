package routing

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// model is the graph as two plain maps.
type model struct {
	channels map[lnwire.ShortChannelID]Channel
	info     map[lnwire.PubKey]NodeInfo
}

func (m *model) degree(id lnwire.PubKey) (n int) {
	for _, c := range m.channels {
		if c.Node1 == id || c.Node2 == id {
			n++
		}
	}
	return n
}

func (m *model) clone() model {
	out := model{map[lnwire.ShortChannelID]Channel{}, map[lnwire.PubKey]NodeInfo{}}
	for k, v := range m.channels {
		out.channels[k] = v
	}
	for k, v := range m.info {
		out.info[k] = v
	}
	return out
}

func sameAs(t *rapid.T, m model, s *Snapshot) {
	bySCID := func(a, b Channel) int { return cmp.Compare(a.SCID, b.SCID) }
	var want []Channel
	nodes := map[lnwire.PubKey][]Channel{}
	for _, c := range m.channels {
		want = append(want, c)
		nodes[c.Node1], nodes[c.Node2] = append(nodes[c.Node1], c), append(nodes[c.Node2], c)
		got, ok := s.Channel(c.SCID)
		require.True(t, ok)
		require.Equal(t, c, got)
	}
	slices.SortFunc(want, bySCID)
	require.Equal(t, want, slices.SortedFunc(s.AllChannels(), bySCID))
	require.Equal(t, len(want), s.Channels())
	require.Equal(t, len(nodes), s.Nodes())
	for n := range s.AllNodes() {
		of := nodes[n.ID]
		require.NotEmpty(t, of)
		slices.SortFunc(of, bySCID)
		require.Equal(t, of, slices.SortedFunc(s.ChannelsOf(n.ID), bySCID))
		info, ok := m.info[n.ID]
		if !ok {
			info = NodeInfo{ID: n.ID}
		}
		require.Equal(t, info, n)
		delete(nodes, n.ID)
	}
	require.Empty(t, nodes)
}

// The graph is what was put into it, and a snapshot stays what it was.
func TestGraphAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewGraph()
		m := model{map[lnwire.ShortChannelID]Channel{}, map[lnwire.PubKey]NodeInfo{}}
		type kept struct {
			m model
			s *Snapshot
		}
		var old []kept
		policy := rapid.Custom(func(t *rapid.T) *Policy {
			return &Policy{Base: rapid.Uint32Range(0, 9).Draw(t, "base"), Max: lnwire.MilliSat(rapid.IntRange(0, 99).Draw(t, "max")),
				Disabled: rapid.Bool().Draw(t, "disabled"), Updated: rapid.Uint32Range(1, 9).Draw(t, "updated")}
		})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			scid := lnwire.ShortChannelID(rapid.IntRange(1, 12).Draw(t, "scid"))
			known, ok := m.channels[scid]
			side := rapid.IntRange(0, 1).Draw(t, "side")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				c := Channel{SCID: scid, Node1: fake(rapid.IntRange(0, 6).Draw(t, "a")), Node2: fake(rapid.IntRange(0, 6).Draw(t, "b")),
					Capacity: lnwire.Sat(rapid.IntRange(0, 50).Draw(t, "capacity"))}
				c.Barred = rapid.Bool().Draw(t, "barred")
				c.Policies[side] = policy.Draw(t, "policy")
				err := g.AddChannel(c)
				if c.Node1 == c.Node2 || ok && (known.Node1 != c.Node1 || known.Node2 != c.Node2) {
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				c.Policies[1-side] = known.Policies[1-side]
				m.channels[scid] = c
			case 2:
				p := policy.Draw(t, "policy")
				require.Equal(t, ok, g.SetPolicy(scid, side, *p) == nil)
				if ok {
					known.Policies[side] = p
					m.channels[scid] = known
				}
			case 3:
				require.Equal(t, ok, g.RemoveChannel(scid) == nil)
				delete(m.channels, scid)
				for id := range m.info {
					if m.degree(id) == 0 {
						delete(m.info, id)
					}
				}
			case 4:
				info := NodeInfo{ID: fake(rapid.IntRange(0, 6).Draw(t, "node")), Updated: rapid.Uint32Range(1, 99).Draw(t, "updated")}
				require.Equal(t, m.degree(info.ID) > 0, g.SetNode(info) == nil)
				if m.degree(info.ID) > 0 {
					m.info[info.ID] = info
				}
			case 5:
				old = append(old, kept{m.clone(), g.Snapshot()})
			}
		}
		old = append(old, kept{m, g.Snapshot()})
		for _, k := range old {
			sameAs(t, k.m, k.s)
		}
		require.Same(t, g.Snapshot(), g.Snapshot(), "nothing changed")
	})
}

// Many channels that come and go do not wear the indexes out.
func TestGraphChurn(t *testing.T) {
	g := NewGraph()
	for i := range 20_000 {
		link(t, g, i, fake(i), fake(i+1), 10, flat(1, 1, 1), nil)
		if i >= 50 {
			require.NoError(t, g.RemoveChannel(lnwire.ShortChannelID(i-50)))
		}
	}
	s := g.Snapshot()
	require.Equal(t, 50, s.Channels())
	require.Equal(t, 51, s.Nodes())
	require.LessOrEqual(t, s.t.bySCID.slots.n, 1024)
	require.LessOrEqual(t, s.t.channels.n, 60)
	ends := 0
	for c := range s.AllChannels() {
		require.Negative(t, bytes.Compare(c.Node1[:], c.Node2[:]))
		require.True(t, s.Has(c.Node1))
		ends++
	}
	require.Equal(t, 50, ends)
}
