package scale

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// unsigned are the messages of a plan with ids and keys of no meaning.
func unsigned(p *plan, now time.Time) (list []lnwire.Message) {
	id := func(n int) (k lnwire.PubKey) {
		k[0] = 2
		binary.BigEndian.PutUint64(k[1:], uint64(n))
		return k
	}
	chain := *chaincfg.RegressionNetParams.GenesisHash
	for i := range p.channels {
		c := &p.channels[i]
		first, second := min(c.ends[0], c.ends[1]), max(c.ends[0], c.ends[1])
		scid := lnwire.NewShortChannelID(lnwire.Height(500_000+i/2), uint32(i%2), 0)
		list = append(list, &lnwire.ChannelAnnouncement{
			ChainHash: chain, SCID: scid, NodeID1: id(first), NodeID2: id(second), BitcoinKey1: id(first), BitcoinKey2: id(second),
		})
		for side, from := range c.policies {
			u := *from
			if c.ends[0] > c.ends[1] {
				side = 1 - side
			}
			u.ChainHash, u.SCID, u.Timestamp, u.MessageFlags, u.ChannelFlags = chain, scid, uint32(now.Unix()), lnwire.UpdateMustBeOne, u.ChannelFlags|uint8(side)
			list = append(list, &u)
		}
	}
	for i := range p.nodes {
		alias, _ := lnwire.NewAlias("a node of the network")
		list = append(list, &lnwire.NodeAnnouncement{
			Timestamp: uint32(now.Unix()), NodeID: id(i), Alias: alias,
			Addresses: []lnwire.Address{{Type: lnwire.AddrIPv4, Host: "203.0.113.1", Port: 9735}},
		})
	}
	return list
}

// BenchmarkStore takes in the whole of mainnet without looking at signatures or the
// chain: judging, storing in the file, and from there once more.
func BenchmarkStore(b *testing.B) {
	p := mainnet(b)
	if p == nil {
		b.Skipf("there is no %s", graphFile)
	}
	now := time.Now()
	messages := unsigned(p, now)
	var ingest, load, ingestCPU, loadCPU time.Duration
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "graph.db")
		before, start := usageOf(os.Getpid()).cpu, time.Now()
		db, err := channeldb.OpenGraph(path, *chaincfg.RegressionNetParams.GenesisHash)
		require.NoError(b, err)
		feed(b, db, messages, now)
		require.NoError(b, db.Close())
		ingest, ingestCPU = time.Since(start), usageOf(os.Getpid()).cpu-before

		before, start = usageOf(os.Getpid()).cpu, time.Now()
		db, err = channeldb.OpenGraph(path, *chaincfg.RegressionNetParams.GenesisHash)
		require.NoError(b, err)
		m := machine(b)
		for _, kind := range gossip.Kinds {
			require.NoError(b, db.ForEach(kind, func(key, value []byte) error {
				m.Restore(gossip.Row{Key: gossip.Key{Kind: kind, Key: string(key)}, Value: value})
				return nil
			}))
		}
		load, loadCPU = time.Since(start), usageOf(os.Getpid()).cpu-before
		channels, nodes := m.Size()
		require.Equal(b, len(p.channels), channels)
		require.Equal(b, p.nodes, nodes)
		b.ReportMetric(float64(sizeOf(filepath.Dir(path), ".db"))/(1<<20), "MiB-file")
		require.NoError(b, db.Close())
	}
	b.ReportMetric(float64(len(messages)), "messages")
	b.ReportMetric(ingest.Seconds(), "s-ingest")
	b.ReportMetric(ingestCPU.Seconds(), "s-ingest-CPU")
	b.ReportMetric(load.Seconds(), "s-load")
	b.ReportMetric(loadCPU.Seconds(), "s-load-CPU")
}

func machine(t testing.TB) *gossip.Machine {
	m, err := gossip.New(gossip.Config{Chain: *chaincfg.RegressionNetParams.GenesisHash, Self: lnwire.NewPubKey(key("self", 0).PubKey())})
	require.NoError(t, err)
	return m
}

// feed has a machine take messages whose every check succeeds, and stores what follows.
func feed(t testing.TB, db *channeldb.GraphDB, messages []lnwire.Message, now time.Time) {
	m, peer := machine(t), lnwire.NewPubKey(key("peer", 0).PubKey())
	queue := []gossip.Event{gossip.Block{Block: lnwire.BlockRef{Height: 900_000}}, gossip.AtTip{}, gossip.Opened{Peer: peer}}
	step := func(ev gossip.Event) {
		for queue = append(queue, ev); len(queue) > 0; queue = queue[1:] {
			fx := m.Step(now, queue[0])
			require.NoError(t, gossip.Apply(db, fx.Rows))
			for _, v := range fx.Verify {
				queue = append(queue, gossip.Verified{ID: v.ID, OK: true})
			}
			for _, l := range fx.LookUp {
				op := wire.OutPoint{}
				binary.BigEndian.PutUint64(op.Hash[:], uint64(l.SCID))
				queue = append(queue, gossip.Found{ID: l.ID, Funding: gossip.FundingGood, OutPoint: op, Capacity: 1 << 40})
			}
		}
		queue = queue[:0]
	}
	for _, msg := range messages {
		step(gossip.Received{Peer: peer, Msg: msg})
	}
	channels, _ := m.Size()
	require.Equal(t, m.Counts().Accepted, uint64(len(messages)), "%d channels", channels)
}
