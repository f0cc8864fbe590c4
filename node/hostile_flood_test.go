package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Generous bounds of what a flood may leave behind: it is leaks of one piece for each
// message that they are to find.
const (
	spareGoroutines = 100
	spareHeap       = 64 << 20
)

// flooded runs a flood while alice and bob go on paying each other, and looks what is
// left of it when the rogue has gone.
func flooded(t *testing.T, alice, bob *resident, flood func(t *testing.T), after ...func()) {
	t.Helper()
	before, goroutines := heap(), runtime.NumGoroutine()
	done := make(chan struct{})
	go func() {
		defer close(done)
		flood(t)
	}()
	for alive := true; alive; {
		select {
		case <-done:
			alive = false
		default:
		}
		alice.pays(bob)
		bob.pays(alice)
	}
	for _, f := range after {
		f()
	}
	waitUntil(t, "the goroutines of the flood are gone", func() bool { return runtime.NumGoroutine() < goroutines+spareGoroutines })
	require.Less(t, heap(), before+spareHeap)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pour sends a message again and again until the node hangs up or n were sent.
func (g *rogue) pour(n int, m func(i int) lnwire.Message) {
	for i := range n {
		plain, err := lnwire.Marshal(m(i))
		require.NoError(g.t, err)
		sealed, err := g.s.Sealer.Append(nil, plain)
		require.NoError(g.t, err)
		g.nc.SetWriteDeadline(time.Now().Add(patience))
		if _, err := g.nc.Write(sealed); err != nil {
			return
		}
	}
}

// TestHostileFloods: whatever one peer, or many with fresh keys, pour out, the node goes
// on, in bounded memory (V-40, V-44, V-46, V-50, V-52, V-62).
func TestHostileFloods(t *testing.T) {
	alice, bob := couple(t)
	hash := *bob.Net().GenesisHash
	flood := func(name string, n int, m func(i int) lnwire.Message) {
		t.Run(name, func(t *testing.T) {
			flooded(t, alice, bob, func(t *testing.T) {
				g := rogueOf(t, bob, "mallory")
				g.pour(n, m)
				g.nc.Close()
				g.closed()
				g.forgotten()
			})
		})
	}
	flood("pings", 5000, func(int) lnwire.Message { return &lnwire.Ping{NumPongBytes: 60_000, Padding: make([]byte, 5000)} })
	flood("errors", 20_000, func(i int) lnwire.Message {
		return &lnwire.Error{ChannelID: idOf(fmt.Sprint(i)), Data: bytes.Repeat([]byte("\x1b[2J\r\n"), 100)}
	})
	flood("warnings about all channels", 20_000, func(int) lnwire.Message { return &lnwire.Warning{Data: make([]byte, 60)} })
	flood("messages of unknown channels", 20_000, func(i int) lnwire.Message {
		return &lnwire.CommitmentSigned{ChannelID: idOf(fmt.Sprint(i)), HTLCSigs: make([]lnwire.Sig, 10)}
	})
	flood("large messages of unknown types", 500, func(int) lnwire.Message {
		return &lnwire.Unknown{MsgType: 0x7fff, Payload: make([]byte, 65_000)}
	})
	flood("large announcements", 500, func(i int) lnwire.Message {
		return &lnwire.ChannelAnnouncement{
			ChainHash: hash, SCID: lnwire.ShortChannelID(i), Extra: bytes.Repeat([]byte{byte(i)}, 60_000),
			NodeID1: bob.ID(), NodeID2: alice.ID(), BitcoinKey1: bob.ID(), BitcoinKey2: alice.ID(),
		}
	})
	flood("announcements of another chain", 5000, func(i int) lnwire.Message {
		return &lnwire.ChannelAnnouncement{ChainHash: chainhash.Hash{1}, SCID: lnwire.ShortChannelID(i)}
	})
	flood("updates of unknown channels", 50_000, func(i int) lnwire.Message {
		return &lnwire.ChannelUpdate{
			ChainHash: hash, SCID: lnwire.NewShortChannelID(lnwire.Height(i%200), uint32(i), 0), Timestamp: uint32(time.Now().Unix()),
			MessageFlags: lnwire.UpdateMustBeOne, HTLCMaximum: 1,
		}
	})
	flood("large nodes", 500, func(i int) lnwire.Message {
		id := bob.ID()
		binary.BigEndian.PutUint32(id[20:], uint32(i))
		return &lnwire.NodeAnnouncement{NodeID: id, Timestamp: uint32(time.Now().Unix()), Extra: bytes.Repeat([]byte{1}, 60_000)}
	})
	flood("timestamp filters", 5000, func(int) lnwire.Message {
		return &lnwire.GossipTimestampFilter{ChainHash: hash, TimestampRange: 1<<32 - 1}
	})
	flood("range queries", 5000, func(int) lnwire.Message {
		return &lnwire.QueryChannelRange{ChainHash: hash, NumBlocks: 1<<32 - 1}
	})
	flood("answers that nobody asked for", 500, func(i int) lnwire.Message {
		return &lnwire.ReplyChannelRange{ChainHash: hash, NumBlocks: 1<<32 - 1, SCIDs: make([]lnwire.ShortChannelID, 1)}
	})
	t.Run("openings from one key", func(t *testing.T) {
		flooded(t, alice, bob, func(t *testing.T) {
			g := rogueOf(t, bob, "mallory")
			open := g.opening("")
			g.pour(1000, func(i int) lnwire.Message {
				m := *open
				m.TemporaryChannelID = idOf(fmt.Sprint(i))
				return &m
			})
			require.LessOrEqual(t, len(bob.channels.of(g.id())), bob.cfg.Policy.MaxPending)
			g.nc.Close()
			g.closed()
			g.forgotten()
		})
	})
	t.Run("openings that are wrong", func(t *testing.T) {
		flooded(t, alice, bob, func(t *testing.T) {
			g := rogueOf(t, bob, "mallory")
			open := g.opening("")
			open.DustLimit = 0
			g.pour(1000, func(i int) lnwire.Message {
				m := *open
				m.TemporaryChannelID = idOf(fmt.Sprint(i))
				return &m
			})
			g.nc.Close()
			g.closed()
			g.forgotten()
		})
	})
	t.Run("openings from fresh keys", func(t *testing.T) {
		var crowd []*rogue
		most := 0 // at a time: those who never answer a ping are shown the door
		flooded(t, alice, bob, func(t *testing.T) {
			for i := range 1000 {
				if g := freshOf(t, bob, fmt.Sprint("fresh ", i)); g != nil { // admitted
					g.send(g.opening("fresh"))
					crowd = append(crowd, g)
				}
				most = max(most, len(bob.host.Conns()))
			}
		}, func() {
			require.LessOrEqual(t, most, maxGuests+maxStrangers+1, "those who are opening are no guests")
			require.LessOrEqual(t, len(bob.channels.all()), maxStrangers+1)
			was := bob.host.Conn(alice.ID())
			require.NoError(t, alice.DisconnectPeer(bob.ID())) // who has a channel is let in among all those
			waitUntil(t, "active again", func() bool {
				c := bob.host.Conn(alice.ID())
				return c != nil && c != was && alice.active(0) && bob.active(0)
			})
			alice.pays(bob)
			for _, g := range crowd {
				g.nc.Close()
			}
			for _, g := range crowd {
				g.forgotten()
			}
		})
		require.Len(t, bob.channels.all(), 1)
	})
}

// freshOf is a rogue, or nil when the node does not want another one.
func freshOf(t *testing.T, to *resident, name string) *rogue {
	t.Helper()
	g := strangerOf(t, to, name)
	g.send(&lnwire.Init{Features: to.Features(), Networks: []chainhash.Hash{*to.Net().GenesisHash}})
	if g.next("init") == nil {
		return nil
	}
	return g
}

// active asks the machine of a channel, in the order in which it was opened.
func (r *resident) active(i int) bool {
	r.t.Helper()
	info, err := r.look(r.t.Context(), r.channels.all()[i])
	require.NoError(r.t, err)
	return info.Active
}

// TestHostileFloodInChannel: a flood of updates in a channel costs what one costs, and
// holds up nobody else (V-52).
func TestHostileFloodInChannel(t *testing.T) {
	alice, bob := couple(t)
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.fundsIt(1_000_000, 400_000_000)
	id := d.ch.Info().Core.ChannelID
	t.Run("fees", func(t *testing.T) {
		flooded(t, alice, bob, func(t *testing.T) {
			d.pour(20_000, func(i int) lnwire.Message {
				return &lnwire.UpdateFee{ChannelID: id, FeeratePerKW: lnwire.SatPerKW(2500 + i%2)}
			})
			d.alive()
		})
		require.Equal(t, channel.Open, d.node().Core.Phase)
	})
	t.Run("adds without end", func(t *testing.T) {
		flooded(t, alice, bob, func(t *testing.T) {
			d.pour(20_000, func(i int) lnwire.Message {
				return &lnwire.UpdateAddHTLC{ChannelID: id, ID: uint64(i), Amount: 1000, Expiry: 1000}
			})
			d.closed()
		})
		d.reconnect()
		d.pump("again", func() bool { return d.ch.Info().Active })
	})
	t.Run("signatures for nothing", func(t *testing.T) {
		flooded(t, alice, bob, func(t *testing.T) {
			d.pour(5000, func(i int) lnwire.Message { return &lnwire.CommitmentSigned{ChannelID: id} })
			d.closed()
		})
		d.reconnect()
		d.pump("again", func() bool { return d.ch.Info().Active })
	})
	t.Run("warnings", func(t *testing.T) {
		flooded(t, alice, bob, func(t *testing.T) {
			d.pour(20_000, func(i int) lnwire.Message {
				return &lnwire.Warning{ChannelID: id, Data: []byte("\x1b]0;title\a\u202e")}
			})
		})
	})
	require.Equal(t, channel.Open, d.node().Core.Phase)
}
