package peer

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
)

var mainnet = chainhash.Hash{0x6f, 0xe2}

// B1.peer.7 B1.peer.8 B1.peer.9 B1.peer.10 B1.peer.11: whom we talk to after its
// init.
func TestInitIsJudged(t *testing.T) {
	for _, c := range []struct {
		name   string
		init   lnwire.Init
		refuse string // part of the warning; empty when the peer is taken
	}{
		{"usual", lnwire.Init{Features: usual, Networks: []chainhash.Hash{regtest}}, ""},
		{"no features at all", lnwire.Init{}, ""},
		{"unknown odd bits", lnwire.Init{Features: usual.With(2023, 301)}, ""},
		{"unknown even bit", lnwire.Init{Features: usual.With(2024)}, "2024"},
		{"unknown even bit in globalfeatures", lnwire.Init{GlobalFeatures: lnwire.NewFeatures(2024), Features: usual}, "2024"},
		{"required what we do not offer", lnwire.Init{Features: usual.With(lnwire.DualFundRequired)}, "28"},
		{"optional what we do not offer", lnwire.Init{Features: usual.With(lnwire.DualFundOptional)}, ""},
		{"required what everybody has", lnwire.Init{Features: lnwire.NewFeatures(lnwire.ChannelTypeRequired)}, ""},
		{"dependency missing", lnwire.Init{Features: lnwire.NewFeatures(lnwire.ZeroConfOptional)}, "scid-alias"},
		{"dependency in globalfeatures", lnwire.Init{GlobalFeatures: lnwire.NewFeatures(lnwire.ScidAliasOptional), Features: lnwire.NewFeatures(lnwire.ZeroConfOptional)}, ""},
		{"foreign chain", lnwire.Init{Features: usual, Networks: []chainhash.Hash{mainnet}}, "chain"},
		{"our chain among others", lnwire.Init{Features: usual, Networks: []chainhash.Hash{mainnet, regtest}}, ""},
		{"many unknown bits", lnwire.Init{Features: bytes.Repeat([]byte{0xff}, 8000)}, "unknown features"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newMemNet()
				h := newHost(t, 1, n, nil)
				w := dialWire(t, n, 2, 1)
				require.IsType(t, &lnwire.Init{}, w.receive())
				w.send(&c.init)
				if c.refuse == "" {
					conn := h.rec.awaitWhat(t, "opened").conn
					require.True(t, conn.Features().Equal(c.init.AllFeatures()))
					return
				}
				last := w.receiveEnd()
				require.Len(t, last, 1)
				warning, ok := last[0].(*lnwire.Warning)
				require.True(t, ok)
				require.True(t, warning.ChannelID.IsZero())
				require.Contains(t, warning.Text(), c.refuse)
				require.LessOrEqual(t, len(warning.Data), maxText)
				require.Empty(t, h.rec.all(), "the node never hears of it")
				require.Nil(t, h.Conn(idOf(2)))
			})
		})
	}
}

// B1.peer.14: the invalid extensions of BOLT 1, appendix C, and an init that is
// too short. B1.peer.20: so is anything else in init's place. B1.peer.19: none of
// them is answered, since no init has come.
func TestBadFirstMessages(t *testing.T) {
	for name, first := range map[string]string{
		"truncated extension":  "00100000000001",
		"unknown even record":  "001000000000ca012a",
		"duplicate record":     "001000000000c90101c90102",
		"too short":            "0010000000",
		"half a chain hash":    "0010000000000102aabb",
		"a ping":               "001200010000",
		"an odd unknown":       "9c41",
		"an error":             "0011" + strings.Repeat("00", 32) + "0000",
		"not even a type":      "00",
		"nothing":              "",
		"open_channel, cut":    "0020",
		"unknown even message": "9c40",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newMemNet()
				h := newHost(t, 1, n, nil)
				w := dialWire(t, n, 2, 1)
				require.IsType(t, &lnwire.Init{}, w.receive())
				raw, err := hex.DecodeString(first)
				require.NoError(t, err)
				require.NoError(t, w.sendRaw(raw))
				require.Empty(t, w.receiveEnd())
				require.Empty(t, h.rec.all())
			})
		})
	}
}

// The valid extensions of BOLT 1, appendix C.
func TestGoodExtensions(t *testing.T) {
	for _, first := range []string{"001000000000", "001000000000c9012acb0104"} {
		bubble(t, func(t *testing.T) {
			n := newMemNet()
			h := newHost(t, 1, n, nil)
			w := dialWire(t, n, 2, 1)
			require.IsType(t, &lnwire.Init{}, w.receive())
			raw, err := hex.DecodeString(first)
			require.NoError(t, err)
			require.NoError(t, w.sendRaw(raw))
			h.rec.awaitWhat(t, "opened")
		})
	}
}

// B1.peer.19: as long as the peer's init has not come we send ours and nothing
// more, pings included.
func TestNothingButInitBeforeInit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		newHost(t, 1, n, func(c *Config) { c.Limits.Ping = time.Second })
		w := dialWire(t, n, 2, 1)
		last := w.receiveEnd()
		require.Len(t, last, 1)
		require.IsType(t, &lnwire.Init{}, last[0])
	})
}

// B1.peer.14 B1.peer.15: what ends a connection, with a word why.
func TestOffencesEndTheConnection(t *testing.T) {
	for _, c := range []struct{ name, raw, warning string }{
		{"unknown even type", "9c40aabb", "40000"},
		{"known message too short", "0084" + "00", "commitment_signed"},
		{"update_add_htlc cut", "0080" + strings.Repeat("11", 100), "update_add_htlc"},
		{"invalid extension", "0023" + strings.Repeat("00", 32) + strings.Repeat("11", 64) + "01", "funding_signed"},
		{"second init", "001000000000", "init"},
		{"not even a type", "01", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newMemNet()
				h := newHost(t, 1, n, nil)
				w := meetWire(t, n, 2, 1)
				conn := h.rec.awaitWhat(t, "opened").conn
				w.send(custom("before"))
				raw, err := hex.DecodeString(c.raw)
				require.NoError(t, err)
				require.NoError(t, w.sendRaw(raw))
				last := w.receiveEnd()
				require.Len(t, last, 1)
				require.Contains(t, last[0].(*lnwire.Warning).Text(), c.warning)
				var v *Violation
				require.ErrorAs(t, h.rec.awaitClosed(t, conn), &v)
				require.Equal(t, []lnwire.Message{custom("before")}, h.rec.messages())
			})
		})
	}
}

// B1.peer.16: an unknown odd type does no harm, and goes to who may want it.
// Errors and warnings go up as they came.
func TestWhatIsPassedUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		h.rec.awaitWhat(t, "opened")
		want := []lnwire.Message{
			custom("odd"),
			&lnwire.Error{ChannelID: lnwire.ChannelID{1}, Data: []byte("no")},
			&lnwire.Warning{Data: []byte{0, 27, 255}},
			&lnwire.PeerStorageRetrieval{Blob: []byte{7}},
		}
		for range 100 { // more than is logged
			want = append(want, &lnwire.Error{Data: []byte("again")})
		}
		w.send(want...)
		synctest.Wait()
		require.Equal(t, want, h.rec.messages())
	})
}

// A frame that does not authenticate ends the connection without a word: who sent
// it may not be the peer.
func TestGarbageFrames(t *testing.T) {
	for name, spoil := range map[string]func(frame []byte) []byte{
		"flipped bit in the length":  func(f []byte) []byte { f[0] ^= 1; return f[:noise.HeaderLen] },
		"flipped bit in the message": func(f []byte) []byte { f[20] ^= 1; return f },
		"plain text":                 func([]byte) []byte { return bytes.Repeat([]byte("x"), noise.HeaderLen) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := newMemNet()
				h := newHost(t, 1, n, nil)
				w := meetWire(t, n, 2, 1)
				c := h.rec.awaitWhat(t, "opened").conn
				frame, err := w.s.Sealer.Append(nil, must(lnwire.Marshal(custom("message"))))
				require.NoError(t, err)
				_, err = w.nc.Write(spoil(frame))
				require.NoError(t, err)
				require.Empty(t, w.receiveEnd())
				require.ErrorIs(t, h.rec.awaitClosed(t, c), noise.ErrFrame)
				require.Empty(t, h.rec.messages())
			})
		})
	}
}

func TestTruncatedFrames(t *testing.T) {
	for _, cut := range []int{1, 17, 18, 19, 40} {
		bubble(t, func(t *testing.T) {
			n := newMemNet()
			h := newHost(t, 1, n, nil)
			w := meetWire(t, n, 2, 1)
			c := h.rec.awaitWhat(t, "opened").conn
			frame, err := w.s.Sealer.Append(nil, must(lnwire.Marshal(custom("message"))))
			require.NoError(t, err)
			w.nc.Write(frame[:cut])
			w.nc.Close()
			err = h.rec.awaitClosed(t, c)
			require.True(t, strings.Contains(err.Error(), "EOF"), "%v", err)
			require.Empty(t, h.rec.messages())
		})
	}
}

// The largest message there is passes both ways.
func TestLargestMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		big := custom(strings.Repeat("b", lnwire.MaxMessage-2))
		w.send(big)
		require.True(t, c.Send(Channel, big))
		require.Equal(t, big, w.receive())
		synctest.Wait()
		require.Equal(t, []lnwire.Message{big}, h.rec.messages())
	})
}

// B1.peer.17 B1.peer.18 B1.peer.13: each ping is answered by as many zeros as it
// asks for, unless that is more than fits.
func TestPongs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		require.Nil(t, c.Stats().PingPayload)
		for _, size := range []uint16{0, 1, 16, 65531} {
			w.send(&lnwire.Ping{NumPongBytes: size, Padding: []byte("secret")})
			require.Equal(t, make([]byte, size), append([]byte{}, w.receive().(*lnwire.Pong).Padding...))
			require.Equal(t, "secret", string(c.Stats().PingPayload))
		}
		w.send(ping(65532), ping(65535), ping(3))
		require.Len(t, w.receive().(*lnwire.Pong).Padding, 3, "the two before are not answered")
		require.Empty(t, h.rec.messages(), "pings are nobody else's business")
	})
}

func TestPingFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		go io.Copy(io.Discard, w.nc)
		for range 10 { // a slow stream is fine for ever
			for range 20 {
				w.send(ping(65535))
			}
			time.Sleep(10 * time.Second)
		}
		require.Nil(t, c.Err())
		for w.sendRaw(must(lnwire.Marshal(ping(1)))) == nil {
		}
		require.ErrorContains(t, h.rec.awaitClosed(t, c), "ping flood")
	})
}

// Who asks for pongs and does not read them has few of them kept (V-44).
func TestPongsThatNobodyReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		flood := must(lnwire.Marshal(ping(maxPong)))
		most := 0
		for range 30 { // an honest one may ask for the longest, now and then
			if w.sendRaw(flood) != nil {
				break
			}
			synctest.Wait()
			waits, _ := c.out.waiting()
			most = max(most, waits)
		}
		require.Greater(t, most, maxPong)
		require.Less(t, most, 5*maxPong)
		go io.Copy(io.Discard, w.nc)
		require.ErrorContains(t, h.rec.awaitClosed(t, c), "ping flood")
	})
}

// A ping goes out at intervals and measures the way; a connection on which nothing
// comes back is dead.
func TestPingsAndSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := meetWire(t, n, 2, 1)
		c := h.rec.awaitWhat(t, "opened").conn
		began := time.Now()
		first := w.receive().(*lnwire.Ping)
		require.Equal(t, time.Minute, time.Since(began))
		require.Empty(t, first.Padding)
		time.Sleep(70 * time.Millisecond)
		// B1.peer.12: a pong of another length is no answer, and no offence.
		w.send(&lnwire.Pong{Padding: make([]byte, first.NumPongBytes+1)})
		time.Sleep(time.Millisecond)
		require.Zero(t, c.Stats().PingTime)
		w.send(&lnwire.Pong{Padding: make([]byte, first.NumPongBytes)})
		synctest.Wait()
		require.Equal(t, 71*time.Millisecond, c.Stats().PingTime)

		second := w.receive().(*lnwire.Ping)
		require.Equal(t, 2*time.Minute, time.Since(began))
		require.NotEqual(t, first.NumPongBytes, second.NumPongBytes)
		// No pong, but signs of life.
		time.Sleep(time.Second)
		w.send(custom("busy"))
		w.receive()
		require.Equal(t, 3*time.Minute, time.Since(began))
		// Nothing at all.
		require.Empty(t, w.receiveEnd())
		require.Equal(t, 3*time.Minute+30*time.Second, time.Since(began))
		require.ErrorIs(t, h.rec.awaitClosed(t, c), ErrSilent)
	})
}

// TestFirstPing: how far away a peer is, is known from the start.
func TestFirstPing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		h := newHost(t, 1, n, nil)
		w := dialWire(t, n, 2, 1)
		require.IsType(t, &lnwire.Init{}, w.receive())
		begun := time.Now()
		w.send(goodInit)
		p := w.receive().(*lnwire.Ping)
		require.Equal(t, begun, time.Now())
		time.Sleep(7 * time.Millisecond)
		w.send(&lnwire.Pong{Padding: make([]byte, p.NumPongBytes)})
		c := h.rec.awaitWhat(t, "opened").conn
		synctest.Wait()
		require.Equal(t, 7*time.Millisecond, c.Stats().PingTime)
	})
}
