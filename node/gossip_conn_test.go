package node

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/routing"
)

// listener is a connection that only notes what is sent.
type listener struct {
	Conn
	id  lnwire.PubKey
	got []lnwire.Message
}

func (c *listener) PubKey() lnwire.PubKey { return c.id }
func (c *listener) Features() lnwire.Features {
	return lnwire.NewFeatures(lnwire.GossipQueriesOptional)
}
func (c *listener) Init() *lnwire.Init {
	return &lnwire.Init{Networks: []chainhash.Hash{*chaincfg.RegressionNetParams.GenesisHash}}
}
func (c *listener) Send(_ peer.Priority, msgs ...lnwire.Message) bool {
	c.got = append(c.got, msgs...)
	return true
}

// TestGossipKeepsToItsConnection: what was to be said on a connection that has ended is not
// said on the next: a map that is asked for twice at once is answered twice, and the second
// answer would make us hang up on a peer that did nothing wrong.
func TestGossipKeepsToItsConnection(t *testing.T) {
	genesis := *chaincfg.RegressionNetParams.GenesisHash
	db, err := channeldb.OpenGraph(filepath.Join(t.TempDir(), "graph.db"), genesis)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	m, err := gossip.New(gossip.Config{Chain: genesis, Self: lnwire.PubKey{2}})
	require.NoError(t, err)
	n := &Node{cfg: Config{GraphDB: db}, log: slog.New(slog.DiscardHandler), channels: newChannels()}
	var turns []func()
	n.cfg.Go = func(f func()) { turns = append(turns, f) }
	g := &gossiper{n: n, machine: m, graph: routing.NewGraph(), gate: newGate(gateBytes), conns: map[lnwire.PubKey]Conn{}}
	n.gossip = g
	g.alarm = n.newAlarm(func() {})
	t.Cleanup(g.alarm.stop)
	id := lnwire.PubKey{3}
	first, second := &listener{id: id}, &listener{id: id}
	open := func(c Conn) gossip.Event {
		return met{gossip.Opened{Peer: id, Features: c.Features(), Networks: c.Init().Networks}, c}
	}
	g.turn([]gossip.Event{gossip.Block{Block: lnwire.BlockRef{Height: 9}}, gossip.AtTip{}, open(first), gossip.Closed{Peer: id}, open(second)})
	require.Empty(t, first.got)
	queries := 0
	for _, m := range second.got {
		if _, ok := m.(*lnwire.QueryChannelRange); ok {
			queries++
		}
	}
	require.Equal(t, 1, queries, "%v", second.got)
}
