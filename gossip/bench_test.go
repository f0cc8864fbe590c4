package gossip

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// mainnet are the announcements and updates of the real graph, with invented keys
// and without signatures; nil when the file is not there.
func mainnet(t testing.TB) (msgs []lnwire.Message, capacity map[lnwire.ShortChannelID]lnwire.Sat) {
	f, err := os.Open("../../shared/testdata/mainnet-graph.csv.gz")
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	capacity = map[lnwire.ShortChannelID]lnwire.Sat{}
	lines.Scan() // names
	for i := 0; lines.Scan(); i++ {
		v := strings.Split(lines.Text(), ",")
		num := func(j int) (n uint64) { _, _ = fmt.Sscan(v[j], &n); return n }
		id := lnwire.NewShortChannelID(lnwire.Height(500_000+(i*7919)%300_000), uint32(i), 0)
		n1, n2, at := int(num(0)), int(num(1)), [2]int{3, 8}
		if n1 > n2 {
			n1, n2, at = n2, n1, [2]int{8, 3}
		}
		capacity[id] = lnwire.Sat(num(2))
		a := &lnwire.ChannelAnnouncement{ChainHash: testChain, SCID: id, NodeID1: key(n1), NodeID2: key(n2), BitcoinKey1: key(n1), BitcoinKey2: key(n2)}
		msgs = append(msgs, a)
		for side, j := range at {
			if v[j] == "" {
				continue
			}
			msgs = append(msgs, &lnwire.ChannelUpdate{
				ChainHash: testChain, SCID: id, Timestamp: uint32(testNow.Unix()), MessageFlags: 1, ChannelFlags: uint8(side), FeeBase: uint32(num(j)),
				FeePPM: uint32(num(j + 1)), CLTVExpiryDelta: uint16(num(j + 2)), HTLCMinimum: lnwire.MilliSat(num(j + 3)), HTLCMaximum: lnwire.MilliSat(num(j + 4)),
			})
		}
	}
	return msgs, capacity
}

// ingest feeds messages to a machine whose checks all succeed.
func ingest(t testing.TB, msgs []lnwire.Message, capacity map[lnwire.ShortChannelID]lnwire.Sat, keep func(Row)) *Machine {
	m, err := New(Config{Chain: testChain, Self: key(1 << 30)})
	require.NoError(t, err)
	var step func(ev Event)
	step = func(ev Event) {
		fx := m.Step(testNow, ev)
		for _, r := range fx.Rows {
			keep(r)
		}
		for _, v := range fx.Verify {
			step(Verified{v.ID, true})
		}
		for _, l := range fx.LookUp {
			op := wire.OutPoint{}
			binary.BigEndian.PutUint64(op.Hash[:], uint64(l.SCID))
			step(Found{l.ID, FundingGood, op, capacity[l.SCID]})
		}
	}
	step(Block{Block: lnwire.BlockRef{Height: 900_000}})
	step(AtTip{})
	step(Opened{Peer: key(1), Features: lnwire.NewFeatures(lnwire.GossipQueriesOptional)})
	for _, msg := range msgs {
		step(Received{key(1), msg})
	}
	return m
}

// BenchmarkIngest takes the whole of mainnet; BenchmarkRestore loads it again.
func BenchmarkIngest(b *testing.B) {
	msgs, capacity := mainnet(b)
	if msgs == nil {
		b.Skip("there is no ../../shared/testdata/mainnet-graph.csv.gz")
	}
	b.ResetTimer()
	for b.Loop() {
		m := ingest(b, msgs, capacity, func(Row) {})
		require.Len(b, m.order, len(capacity))
		require.Zero(b, m.Counts().Dropped)
	}
	b.ReportMetric(float64(len(msgs)), "messages")
}

func BenchmarkRestore(b *testing.B) {
	msgs, capacity := mainnet(b)
	if msgs == nil {
		b.Skip("there is no ../../shared/testdata/mainnet-graph.csv.gz")
	}
	var rows []Row
	ingest(b, msgs, capacity, func(r Row) { rows = append(rows, r) })
	n := len(capacity)
	msgs, capacity = nil, nil
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	var m *Machine
	b.ResetTimer()
	for b.Loop() {
		m, _ = New(Config{Chain: testChain, Self: key(1 << 30)})
		for _, r := range rows {
			m.Restore(r)
		}
		require.Len(b, m.order, n)
	}
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-held")
	start := time.Now()
	require.Equal(b, n, m.Info().Channels)
	b.ReportMetric(float64(time.Since(start).Microseconds()), "info-us")
	runtime.KeepAlive(rows)
}
