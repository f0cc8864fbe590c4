package rig

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands in front of an address and passes connections on, until it is told to
// cut them.
type Proxy struct {
	Addr string // where it listens
	to   string
	mu   sync.Mutex
	open map[net.Conn]bool
	left int64 // bytes that still pass, both ways together; negative: no limit
	gone int64 // bytes that have passed since the last CutAfter
}

// NewProxy is a proxy in front of an address, until the test ends.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{Addr: l.Addr().String(), to: to, open: map[net.Conn]bool{}, left: -1}
	var running sync.WaitGroup
	running.Go(func() { p.accept(l, &running) })
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		running.Wait()
	})
	return p
}

func (p *Proxy) accept(l net.Listener, running *sync.WaitGroup) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", p.to)
		if err != nil {
			from.Close()
			continue
		}
		p.mu.Lock()
		p.open[from], p.open[to] = true, true
		p.mu.Unlock()
		running.Go(func() { p.carry(from, to) })
		running.Go(func() { p.carry(to, from) })
	}
}

// carry passes one direction on until either end hangs up or the limit is reached.
func (p *Proxy) carry(from, to net.Conn) {
	defer p.close(from, to)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		pass, over := p.take(int64(n))
		if _, werr := to.Write(buf[:pass]); werr != nil || err != nil {
			return
		}
		if over {
			p.Cut()
			return
		}
	}
}

// take says how many of n bytes may pass, and whether the limit is reached by them.
func (p *Proxy) take(n int64) (pass int64, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pass = n
	if p.left >= 0 {
		pass = min(n, p.left)
		p.left -= pass
		over = p.left == 0
	}
	p.gone += pass
	return pass, over
}

func (p *Proxy) close(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(p.open, c)
	}
}

// Used: connections go through it.
func (p *Proxy) Used() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) > 0
}

// Cut cuts every connection now, and lets new ones pass without a limit.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = -1
	for c := range p.open {
		c.Close()
		delete(p.open, c)
	}
}

// Reset is Cut by TCP's RST: what is on its way is lost, too.
func (p *Proxy) Reset() {
	p.mu.Lock()
	for c := range p.open {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	p.mu.Unlock()
	p.Cut()
}

// CutAfter cuts every connection when so many more bytes have passed, both ways
// together. What is encrypted has no borders that a stranger sees, but of a sequence of
// messages that is known beforehand each can be hit.
func (p *Proxy) CutAfter(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.gone = bytes, 0
}

// Reached: the limit of the last CutAfter was reached, and the connections were cut.
func (p *Proxy) Reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left < 0
}

// Passed is how many bytes have passed since the last CutAfter; a limit that was not
// reached is taken back.
func (p *Proxy) Passed() (bytes int64, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cut = p.left < 0
	p.left = -1
	return p.gone, cut
}
