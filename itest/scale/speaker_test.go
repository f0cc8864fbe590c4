package scale

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

// speaker is a peer that has a graph and answers queries about it.
type speaker struct {
	g    *graph
	host *peer.Host
	id   lnwire.PubKey
	addr string

	mu   sync.Mutex
	said said
}

// said is what a speaker was asked and told.
type said struct {
	ranges, queries, flagged int // messages; flagged are queries with query_flags
	asked                    int // ids in queries
	messages, bytes          int
	last                     time.Time // when the last answer was complete
}

func newSpeaker(t testing.TB, g *graph) *speaker {
	t.Helper()
	own := key("speaker", 0)
	s := &speaker{g: g, id: lnwire.NewPubKey(own.PubKey())}
	var err error
	s.host, err = peer.NewHost(peer.Config{
		Key: noise.NewKey(own), Sink: s, Networks: []chainhash.Hash{*chaincfg.RegressionNetParams.GenesisHash},
		Features: lnwire.NewFeatures(
			lnwire.DataLossProtectRequired, lnwire.GossipQueriesOptional, lnwire.VarOnionRequired, lnwire.GossipQueriesExOptional,
			lnwire.StaticRemoteKeyRequired, lnwire.PaymentSecretRequired, lnwire.BasicMPPOptional, lnwire.ChannelTypeRequired,
		),
	})
	require.NoError(t, err)
	t.Cleanup(s.host.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = l.Addr().String()
	go func() { _ = s.host.Serve(l) }() // until the host closes it
	return s
}

// take gives what was said since the last call.
func (s *speaker) take() said {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.said
	s.said = said{}
	return was
}

func (s *speaker) count(f func(*said)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.said)
}

// Opened, Paused and Closed make the speaker a peer.Sink.
func (s *speaker) Opened(*peer.Conn)        {}
func (s *speaker) Paused(*peer.Conn)        {}
func (s *speaker) Closed(*peer.Conn, error) {}

// Message answers queries; nobody asks again before the answer is complete.
func (s *speaker) Message(c *peer.Conn, m lnwire.Message) {
	switch m := m.(type) {
	case *lnwire.QueryChannelRange:
		go s.answerRange(c, m)
	case *lnwire.QueryShortChannelIDs:
		go s.answerIDs(c, m)
	}
}

// send waits for room in the connection.
func (s *speaker) send(c *peer.Conn, m lnwire.Message) bool {
	for !c.Send(peer.Gossip, m) {
		select {
		case <-c.Drained():
		case <-c.Done():
			return false
		}
	}
	return true
}

func (s *speaker) answerRange(c *peer.Conn, q *lnwire.QueryChannelRange) {
	const most = 2500
	from, _ := slices.BinarySearch(s.g.ids, lnwire.NewShortChannelID(q.FirstBlock, 0, 0))
	end := uint64(q.FirstBlock) + uint64(q.NumBlocks)
	to := from
	for to < len(s.g.ids) && uint64(s.g.ids[to].Block()) < end {
		to++
	}
	option := uint64(0)
	if q.Option != nil {
		option = *q.Option
	}
	s.count(func(n *said) { n.ranges++ })
	for first := q.FirstBlock; ; {
		r := &lnwire.ReplyChannelRange{ChainHash: q.ChainHash, FirstBlock: first}
		for len(r.SCIDs) < most && from < to {
			s.enter(r, s.g.ids[from], option)
			from++
		}
		r.Complete = from == to
		last := end
		if !r.Complete { // the next reply may begin within the same block
			first = s.g.ids[from-1].Block()
			last = uint64(first) + 1
		}
		r.NumBlocks = uint32(last - uint64(r.FirstBlock))
		if !s.send(c, r) || r.Complete {
			return
		}
	}
}

// enter puts an id into a reply, with what is asked for beside it.
func (s *speaker) enter(r *lnwire.ReplyChannelRange, id lnwire.ShortChannelID, option uint64) {
	r.SCIDs = append(r.SCIDs, id)
	t := s.g.channels[id]
	if option&1 != 0 {
		r.Timestamps = append(r.Timestamps, lnwire.ChannelTimestamps{Node1: t.times[0], Node2: t.times[1]})
	}
	if option&2 != 0 {
		r.Checksums = append(r.Checksums, lnwire.ChannelChecksums{Node1: t.sums[0], Node2: t.sums[1]})
	}
}

func (s *speaker) answerIDs(c *peer.Conn, q *lnwire.QueryShortChannelIDs) {
	nodes := map[int]bool{}
	n := said{queries: 1, asked: len(q.SCIDs)}
	if q.Flags != nil {
		n.flagged = 1
	}
	say := func(raw []byte) {
		if raw != nil && s.send(c, &lnwire.Unknown{MsgType: lnwire.MsgType(uint16(raw[0])<<8 | uint16(raw[1])), Payload: raw[2:]}) {
			n.messages, n.bytes = n.messages+1, n.bytes+len(raw)
		}
	}
	for i, id := range q.SCIDs {
		t, flags := s.g.channels[id], uint64(1<<5-1)
		if t == nil {
			continue
		}
		if q.Flags != nil {
			flags = q.Flags[i]
		}
		if flags&1 != 0 {
			say(t.announcement)
		}
		for side := range 2 {
			if flags&(2<<side) != 0 {
				say(t.updates[side])
			}
			if flags&(8<<side) != 0 {
				nodes[t.ends[side]] = true
			}
		}
	}
	for node := range nodes {
		say(s.g.nodes[node])
	}
	s.send(c, &lnwire.ReplyShortChannelIDsEnd{ChainHash: q.ChainHash, Full: true})
	n.last = time.Now()
	s.count(func(all *said) {
		all.queries, all.flagged, all.asked = all.queries+n.queries, all.flagged+n.flagged, all.asked+n.asked
		all.messages, all.bytes, all.last = all.messages+n.messages, all.bytes+n.bytes, n.last
	})
}
