package node

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer/noise"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// rogue is a peer played by hand: it shakes hands, and then says whatever a test
// wants it to say.
type rogue struct {
	t    testing.TB
	ring *keys.Ring
	to   *resident
	nc   net.Conn
	s    *noise.Session
	got  *mailbox // what the node said
}

// mailbox takes whatever comes, so that a node never waits for a test that does not
// read.
type mailbox struct {
	more chan struct{} // holds a token when there may be more

	mu   sync.Mutex
	list []lnwire.Message
	over bool
}

func (b *mailbox) put(m lnwire.Message) {
	b.mu.Lock()
	if m == nil {
		b.over = true
	} else {
		b.list = append(b.list, m)
	}
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take gives the first; nil and over when the connection has ended.
func (b *mailbox) take() (m lnwire.Message, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == 0 {
		return nil, b.over
	}
	m, b.list = b.list[0], b.list[1:]
	return m, false
}

// next waits for what the node says next; nil when the connection has ended.
func (g *rogue) next(what string) lnwire.Message {
	g.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		if m, over := g.got.take(); m != nil || over {
			return m
		}
		select {
		case <-g.got.more:
		case <-timer.C:
			require.FailNow(g.t, "waited in vain", "for %s", what)
		}
	}
}

// ringOf gives a test's peer its keys.
func ringOf(t testing.TB, name string) *keys.Ring {
	t.Helper()
	seed := sha256.Sum256([]byte("rogue " + name))
	ring, err := keys.NewRing(seed[:16], keys.CoinTest)
	require.NoError(t, err)
	return ring
}

// rogueOf connects a rogue to a node and exchanges init.
func rogueOf(t testing.TB, to *resident, name string) *rogue {
	t.Helper()
	g := strangerOf(t, to, name)
	g.send(&lnwire.Init{Features: to.Features(), Networks: []chainhash.Hash{*chaincfg.RegressionNetParams.GenesisHash}})
	expect[*lnwire.Init](g)
	g.welcome()
	return g
}

// welcome waits until the node has the connection in its table.
func (g *rogue) welcome() {
	g.t.Helper()
	waitUntil(g.t, "the node takes the connection", func() bool {
		c := g.to.host.Conn(g.id())
		return c != nil && c.Addr() == g.nc.LocalAddr().String()
	})
}

// strangerOf connects a rogue to a node and says nothing yet.
func strangerOf(t testing.TB, to *resident, name string) *rogue {
	t.Helper()
	g := &rogue{t: t, ring: ringOf(t, name), to: to}
	g.dial()
	t.Cleanup(func() { g.nc.Close() })
	return g
}

// again connects once more, with init.
func (g *rogue) again() {
	g.t.Helper()
	g.nc.Close()
	g.dial()
	g.send(&lnwire.Init{Features: g.to.Features(), Networks: []chainhash.Hash{*chaincfg.RegressionNetParams.GenesisHash}})
	expect[*lnwire.Init](g)
	g.welcome()
}

func (g *rogue) id() lnwire.PubKey { return g.ring.Node().ID() }

func (g *rogue) dial() {
	t := g.t
	t.Helper()
	nc, err := net.Dial("tcp", g.to.addr)
	require.NoError(t, err)
	g.nc, g.s = nc, shakeHands(t, nc, g.ring.Node(), g.to.ID())
	g.got = &mailbox{more: make(chan struct{}, 1)}
	go listen(nc, g.s.Opener, g.got)
}

// shakeHands is the initiator's side of BOLT 8.
func shakeHands(t testing.TB, nc net.Conn, key noise.ECDH, remote lnwire.PubKey) *noise.Session {
	t.Helper()
	pub, err := remote.Parse()
	require.NoError(t, err)
	ephemeral, err := btcec.NewPrivateKey()
	require.NoError(t, err)
	shake := noise.NewInitiator(key, pub, ephemeral)
	one, err := shake.ActOne()
	require.NoError(t, err)
	_, err = nc.Write(one)
	require.NoError(t, err)
	two := make([]byte, noise.ActTwoLen)
	_, err = io.ReadFull(nc, two)
	require.NoError(t, err)
	three, s, err := shake.ActTwo(two)
	require.NoError(t, err)
	_, err = nc.Write(three)
	require.NoError(t, err)
	return s
}

// listen reads messages until the connection ends. Gossip is left aside.
func listen(nc net.Conn, o *noise.Opener, got *mailbox) {
	defer got.put(nil)
	defer nc.Close()
	header := make([]byte, noise.HeaderLen)
	for {
		if _, err := io.ReadFull(nc, header); err != nil {
			return
		}
		n, err := o.Length(header)
		if err != nil {
			return
		}
		body := make([]byte, n+noise.TagLen)
		if _, err := io.ReadFull(nc, body); err != nil {
			return
		}
		plain, err := o.Open(body)
		if err != nil {
			return
		}
		m, err := lnwire.Unmarshal(plain)
		if err != nil {
			return
		}
		switch m.Type() {
		case lnwire.MsgChannelAnnouncement, lnwire.MsgNodeAnnouncement, lnwire.MsgChannelUpdate,
			lnwire.MsgGossipTimestampFilter, lnwire.MsgQueryChannelRange, lnwire.MsgQueryShortChannelIDs, lnwire.MsgPing:
		default:
			got.put(m)
		}
	}
}

// send writes messages. The node may have hung up: who cares looks at closed.
func (g *rogue) send(msgs ...lnwire.Message) {
	g.t.Helper()
	for _, m := range msgs {
		plain, err := lnwire.Marshal(m)
		require.NoError(g.t, err)
		g.sendPlain(plain)
	}
}

// sendPlain seals and writes the plaintext of one frame.
func (g *rogue) sendPlain(plain []byte) {
	sealed, err := g.s.Sealer.Append(nil, plain)
	require.NoError(g.t, err)
	g.write(sealed)
}

// write puts bytes on the wire as they are.
func (g *rogue) write(b []byte) { g.nc.Write(b) }

// expect waits for the next message of a type; what comes before is dropped.
func expect[M lnwire.Message](g *rogue) (m M) {
	g.t.Helper()
	for {
		any := g.next(fmt.Sprintf("%T", m))
		if any == nil {
			require.FailNow(g.t, "the node hung up", "waiting for %T", m)
		}
		if m, ok := any.(M); ok {
			return m
		}
		g.log(any)
	}
}

// log tells what the node complains of.
func (g *rogue) log(m lnwire.Message) {
	switch m := m.(type) {
	case *lnwire.Error:
		g.t.Logf("the node says: %s", m.Text())
	case *lnwire.Warning:
		g.t.Logf("the node warns: %s", m.Text())
	}
}

// closed waits until the node hangs up and gives what it said before.
func (g *rogue) closed() (said []lnwire.Message) {
	g.t.Helper()
	for {
		m := g.next("the end of the connection")
		if m == nil {
			return said
		}
		said = append(said, m)
	}
}

// alive asks the node for an answer on this connection, and gives what it said before:
// all that the rogue sent is taken in, though perhaps not acted on yet.
func (g *rogue) alive() (said []lnwire.Message) {
	g.t.Helper()
	g.send(&lnwire.Ping{NumPongBytes: 7})
	for {
		m := expect[lnwire.Message](g)
		if p, ok := m.(*lnwire.Pong); ok && len(p.Padding) == 7 {
			return said
		}
		said = append(said, m)
	}
}
