package peer

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// counter is a Sink that counts messages and passes each to do.
type counter struct {
	opened chan *Conn
	do     func(*Conn, lnwire.Message)
}

func (s *counter) Opened(c *Conn)                    { s.opened <- c }
func (s *counter) Message(c *Conn, m lnwire.Message) { s.do(c, m) }
func (s *counter) Paused(*Conn)                      {}
func (s *counter) Closed(*Conn, error)               {}

// benchPair connects two hosts over loopback.
func benchPair(b *testing.B, onA, onB func(*Conn, lnwire.Message)) (fromA, fromB *Conn) {
	b.Helper()
	sinks := [2]*counter{{make(chan *Conn, 1), onA}, {make(chan *Conn, 1), onB}}
	var hosts [2]*testHost
	for i, s := range sinks {
		hosts[i] = newHost(b, byte(1+i), nil, func(c *Config) { c.Sink = s })
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	hosts[1].spawn(func() { hosts[1].Serve(l) })
	c, err := hosts[0].Connect(b.Context(), hosts[1].id, l.Addr().String())
	require.NoError(b, err)
	return c, <-sinks[1].opened
}

// BenchmarkStream sends update_add_htlc after update_add_htlc, as fast as the
// other end takes them.
func BenchmarkStream(b *testing.B) {
	const window = 64
	credit := make(chan struct{}, window)
	for range window {
		credit <- struct{}{}
	}
	c, _ := benchPair(b, func(*Conn, lnwire.Message) {}, func(*Conn, lnwire.Message) { credit <- struct{}{} })
	m := &lnwire.UpdateAddHTLC{Amount: 1000}
	b.SetBytes(1452)
	b.ReportAllocs()
	for b.Loop() {
		<-credit
		c.Send(Channel, m)
	}
}

// BenchmarkRoundTrip is the way of a commitment_signed there and a revoke_and_ack
// back.
func BenchmarkRoundTrip(b *testing.B) {
	back := make(chan struct{}, 1)
	revoke := &lnwire.RevokeAndAck{NextPoint: idOf(1)}
	c, _ := benchPair(b,
		func(*Conn, lnwire.Message) { back <- struct{}{} },
		func(c *Conn, _ lnwire.Message) { c.Send(Channel, revoke) })
	sig := &lnwire.CommitmentSigned{}
	b.ReportAllocs()
	for b.Loop() {
		c.Send(Channel, sig)
		<-back
	}
}
