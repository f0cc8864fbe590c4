package scale

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Signing takes longer than all else. The ids that the chain gives are the same in
// every run, and so the messages can be kept for a day.
var kept = flag.String("scale.keep", "", "file in which the signed messages are kept for the next run")

// signed makes the messages of a plan, or takes those that were kept.
func signed(t testing.TB, p *plan, ids []lnwire.ShortChannelID) *graph {
	t.Helper()
	if *kept == "" {
		return sign(t, p, ids, time.Now())
	}
	if g := load(t, *kept, ids, p.nodes); g != nil {
		return g
	}
	g := sign(t, p, ids, time.Now())
	save(t, *kept, g)
	return g
}

// save writes the messages, each behind its length.
func save(t testing.TB, path string, g *graph) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	w := bufio.NewWriter(f)
	put := func(raw []byte) {
		_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...))
		require.NoError(t, err)
	}
	for _, raw := range g.nodes {
		put(raw)
	}
	for _, id := range g.ids {
		c := g.channels[id]
		put(c.announcement)
		put(c.updates[0])
		put(c.updates[1])
	}
	require.NoError(t, errors.Join(w.Flush(), f.Close()))
}

// load reads them; nil when there are none, or they are old or of other channels.
func load(t testing.TB, path string, ids []lnwire.ShortChannelID, nodes int) *graph {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	r := bufio.NewReader(f)
	next := func() (raw []byte, m lnwire.Message) {
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return nil, nil
		}
		raw = make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(r, raw); err != nil || len(raw) == 0 {
			return nil, nil
		}
		m, err := lnwire.Unmarshal(raw)
		require.NoError(t, err)
		return raw, m
	}
	g := &graph{ids: ids, channels: map[lnwire.ShortChannelID]*told{}}
	number := map[lnwire.PubKey]int{}
	oldest := uint32(time.Now().Add(-36 * time.Hour).Unix())
	for i := range nodes {
		raw, m := next()
		a, ok := m.(*lnwire.NodeAnnouncement)
		if !ok || a.Timestamp < oldest {
			return nil
		}
		number[a.NodeID] = i
		g.nodes, g.bytes = append(g.nodes, raw), g.bytes+len(raw)
	}
	for _, id := range ids {
		raw, m := next()
		a, ok := m.(*lnwire.ChannelAnnouncement)
		if !ok || a.SCID != id {
			return nil
		}
		c := &told{announcement: raw, ends: [2]int{number[a.NodeID1], number[a.NodeID2]}}
		for side := range 2 {
			raw, m := next()
			if u, ok := m.(*lnwire.ChannelUpdate); ok {
				c.updates[side], c.times[side], c.sums[side] = raw, u.Timestamp, u.Checksum()
				g.updates++
			}
			g.bytes += len(raw)
		}
		g.channels[id], g.bytes = c, g.bytes+len(raw)
	}
	return g
}
