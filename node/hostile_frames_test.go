package node

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// couple is two honest nodes with a channel between them, beside which the rogues
// play.
func couple(t *testing.T) (alice, bob *resident) {
	t.Helper()
	chain := chainOf(t)
	alice, bob = residentOf(t, chain, "alice"), residentOf(t, chain, "bob")
	alice.fund(10_000_000)
	alice.connect(bob)
	alice.open(bob, 1_000_000, 300_000_000)
	return alice, bob
}

// pays proves that the honest channel works.
func (r *resident) pays(to *resident) {
	r.t.Helper()
	p := r.pay(to, 1_000_000)
	require.Equal(r.t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
}

// TestDealer: the rogue's machine can deal honestly; the other tests alter what it says.
func TestDealer(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(1_000_000)
	d.reconnect()
	d.pump("again", func() bool { return d.ch.Info().Active })
	bob.until("active again", func() bool { return d.node().Active })
}

// TestHostileFrames: what is no proper frame, or no proper message, ends the
// connection and nothing else.
func TestHostileFrames(t *testing.T) {
	alice, bob := couple(t)
	warned := func(t *testing.T, g *rogue, text string) {
		t.Helper()
		for _, m := range g.closed() {
			if w, ok := m.(*lnwire.Warning); ok && strings.Contains(w.Text(), text) {
				return
			}
		}
		require.Fail(t, "no such warning", text)
	}

	t.Run("garbage before the handshake", func(t *testing.T) {
		for _, b := range [][]byte{{}, {0}, bytes.Repeat([]byte{0xff}, 50), bytes.Repeat([]byte{0}, 1000)} {
			nc, err := net.Dial("tcp", bob.addr)
			require.NoError(t, err)
			nc.Write(b)
			nc.Close()
		}
	})
	t.Run("a wrong authenticator", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		sealed, err := g.s.Sealer.Append(nil, []byte{0, 18, 0, 1, 0, 0})
		require.NoError(t, err)
		sealed[len(sealed)-1] ^= 1
		g.write(sealed)
		g.closed()
	})
	t.Run("a wrong length field", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		g.write(bytes.Repeat([]byte{0xff}, 18))
		g.closed()
	})
	t.Run("a frame that is cut off", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		sealed, err := g.s.Sealer.Append(nil, make([]byte, 1000))
		require.NoError(t, err)
		g.write(sealed[:500])
		g.nc.Close()
		g.closed()
	})
	for name, plain := range map[string][]byte{
		"an empty frame": {}, "half a type": {0},
		"a ping that ends early":     {0, 18, 0},
		"a ping that says too much":  {0, 18, 0, 1, 0xff, 0xff, 0},
		"an unknown even type":       {0x7f, 0xfe, 1, 2, 3},
		"a second init":              {0, 16, 0, 0, 0, 0},
		"an add that ends early":     append([]byte{0, 128}, make([]byte, 100)...),
		"a commitment without end":   append(append([]byte{0, 132}, make([]byte, 96)...), 0xff, 0xff),
		"an error longer than it is": append(append([]byte{0, 17}, make([]byte, 32)...), 0xff, 0xff, 1),
	} {
		t.Run(name, func(t *testing.T) {
			g := rogueOf(t, bob, "mallory")
			g.sendPlain(plain)
			warned(t, g, "")
		})
	}
	t.Run("an unknown odd type", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		g.sendPlain([]byte{0x7f, 0xff, 1, 2, 3})
		g.sendPlain(append([]byte{0x7f, 0xfd}, make([]byte, 65533)...))
		g.alive()
	})
	t.Run("no init", func(t *testing.T) {
		g := strangerOf(t, bob, "mallory")
		g.send(&lnwire.Ping{NumPongBytes: 1})
		g.closed()
	})
	alice.pays(bob)
	bob.pays(alice)
}
