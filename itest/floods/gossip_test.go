package floods

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Where ids and times stand in encoded messages.
const (
	updateSCID       = 2 + 64 + 32
	updateTime       = updateSCID + 8
	announcementSCID = 2 + 4*64 + 2 + 32
)

// patched gives copies of a message in which change has changed something.
func patched(m []byte, change func([]byte)) func() []byte {
	return func() []byte {
		b := bytes.Clone(m)
		change(b)
		return b
	}
}

// perMessage makes a generator for each connection.
func perMessage(few int, next func() func() []byte) speech {
	return func(v *voice, nth int) error { return repeat(few, next())(v, nth) }
}

// unknownUpdates are of channels that nobody has announced, half of them in blocks that
// there are not yet.
func unknownUpdates(s *scene) flooding {
	u := plain(s.g.update(0, 0, uint32(time.Now().Unix())))
	tip := uint64(s.height())
	return crowdOf(20, hearing(perMessage(100, func() func() []byte {
		return patched(u, func(b []byte) {
			block := 1 + rand.Uint64N(2*tip)
			binary.BigEndian.PutUint64(b[updateSCID:], block<<40|rand.Uint64N(1<<40))
		})
	})))
}

// forgedUpdates are of channels that there are, newer than any, and signed by nobody.
func forgedUpdates(s *scene) flooding {
	scids := s.scids()
	for _, e := range s.g.channels {
		scids = append(scids, uint64(e.scid))
	}
	u := plain(s.g.update(0, 0, 1))
	return crowdOf(20, hearing(perMessage(100, func() func() []byte {
		at := uint32(time.Now().Unix())
		return patched(u, func(b []byte) {
			at++
			binary.BigEndian.PutUint64(b[updateSCID:], scids[rand.IntN(len(scids))])
			binary.BigEndian.PutUint32(b[updateTime:], at)
		})
	})))
}

// oddTimes are signed well, at times that cannot be.
func oddTimes(s *scene) flooding {
	var list [][]byte
	for i := range min(100, len(s.g.channels)) {
		for _, at := range []uint32{0, 1, 1<<32 - 1} {
			list = append(list, plain(s.g.update(i, 0, at)), plain(s.g.update(i, 1, at)))
		}
	}
	for i := range min(50, len(s.g.nodes)) {
		list = append(list, s.g.node(i, 0), s.g.node(i, 1<<32-1))
	}
	return crowdOf(20, hearing(inTurn(50, list)))
}

// unknownNodes are announcements of nodes without channels, and of channels without a
// funding, well signed and not.
func unknownNodes(s *scene) flooding {
	g := newGraph("nowhere", 300)
	now := uint32(time.Now().Unix())
	var true_ [][]byte
	for i := range g.channels {
		true_ = append(true_, g.announcement(i), plain(g.update(i, 0, now)))
	}
	for i := range g.nodes {
		true_ = append(true_, g.node(i, now))
	}
	tip := uint64(s.height())
	forged := func() func() []byte {
		return patched(true_[0], func(b []byte) {
			binary.BigEndian.PutUint64(b[announcementSCID:], (1+rand.Uint64N(tip))<<40|rand.Uint64N(1<<40))
		})
	}
	return crowdOf(20, hearing(func(v *voice, nth int) error {
		if nth%2 == 0 {
			return perMessage(50, forged)(v, nth)
		}
		return inTurn(50, true_)(v, nth)
	}))
}

// filters ask for all that there is, each time.
func filters(*scene) flooding {
	f := plain(&lnwire.GossipTimestampFilter{ChainHash: chainHash, TimestampRange: 1<<32 - 1})
	return crowdOf(100, hardOfHearing(inTurn(20, [][]byte{f})))
}

// queries ask for ranges, and for each channel by its id.
func queries(s *scene) flooding {
	option := uint64(3)
	ids := &lnwire.QueryShortChannelIDs{ChainHash: chainHash}
	for _, e := range s.g.channels {
		ids.SCIDs = append(ids.SCIDs, e.scid)
	}
	list := [][]byte{
		plain(&lnwire.QueryChannelRange{ChainHash: chainHash, NumBlocks: 1<<32 - 1, Option: &option}),
		plain(ids),
	}
	return crowdOf(50, hardOfHearing(inTurn(4, list)))
}

// replies are answers to range queries that never end: to the node's own when it asks,
// and to none.
func replies(*scene) flooding {
	const ids = 8000
	reply := func(first lnwire.Height) []byte {
		r := &lnwire.ReplyChannelRange{ChainHash: chainHash, FirstBlock: first, NumBlocks: 1}
		for i := range ids {
			r.SCIDs = append(r.SCIDs, lnwire.NewShortChannelID(first, uint32(i), 0))
		}
		return plain(r)
	}
	onwards := make([][]byte, 100)
	for i := range onwards {
		onwards[i] = reply(lnwire.Height(i + 1))
	}
	bomb := [][]byte{zeros()}
	return crowdOf(50, func(v *voice, nth int) error {
		switch nth % 4 {
		case 0:
			return hearing(inTurn(2, bomb))(v, nth)
		case 1:
			return hearing(inTurn(2, onwards))(v, nth)
		}
		for { // wait to be asked
			m, err := v.read()
			if err != nil {
				return err
			}
			if _, ok := m.(*lnwire.QueryChannelRange); ok {
				return hearing(inTurn(2, onwards))(v, 0)
			}
		}
	})
}

// zeros is a reply_channel_range whose ids are compressed a thousand times.
func zeros() []byte {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	for range 50 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	b := plain(&lnwire.ReplyChannelRange{ChainHash: chainHash, NumBlocks: 1 << 20})
	b = b[:2+32+4+4+1]
	b = binary.BigEndian.AppendUint16(b, uint16(1+z.Len()))
	return append(append(b, 1), z.Bytes()...)
}

// flooding is a flood that is ready to begin. It ends with its context.
type flooding func(ctx context.Context, to *target)

func crowdOf(n int, speak speech) flooding {
	return func(ctx context.Context, to *target) { to.crowd(ctx, n, speak) }
}
