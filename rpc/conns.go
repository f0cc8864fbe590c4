package rpc

import (
	"container/list"
	"net"
	"slices"
	"sync"
)

// maxConns bounds the connections of one of the two servers: as many as there may be calls.
const maxConns = maxStreams

// conns are the open connections of a server. When there are too many, the oldest on which no macaroon was shown makes
// room for the next: who only opens connections keeps nobody out. Nor does one caller with connections of his own: beyond
// a quarter of all, his are as those of strangers.
type conns struct {
	max, each int

	mu        sync.Mutex
	count     int
	open      map[string][]*conn // by the address of the client
	strangers *list.List         // of *conn, the oldest first
	callers   map[string]int     // how many are no strangers', by caller
}

// conn is a connection that is counted.
type conn struct {
	net.Conn
	all    *conns
	place  *list.Element // among the strangers; nil: a macaroon was shown
	caller string        // whose macaroon
	gone   bool
}

func newConns(most int) *conns {
	return &conns{max: most, each: max(1, most/4), open: make(map[string][]*conn), strangers: list.New(), callers: make(map[string]int)}
}

// listen counts the connections that a listener accepts.
func (c *conns) listen(l net.Listener) net.Listener { return counted{l, c} }

type counted struct {
	net.Listener
	conns *conns
}

// Accept implements net.Listener. What there is no room for is closed.
func (l counted) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, out := l.conns.add(raw); c != nil {
			if out != nil {
				out.Close()
			}
			return c, nil
		}
		raw.Close()
	}
}

// add takes a connection in; out is the one that makes room for it. Nil: there is no room.
func (c *conns) add(raw net.Conn) (in, out *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count >= c.max {
		oldest := c.strangers.Front()
		if oldest == nil {
			return nil, nil
		}
		out = oldest.Value.(*conn)
		c.remove(out)
	}
	in = &conn{Conn: raw, all: c}
	in.place = c.strangers.PushBack(in)
	from := raw.RemoteAddr().String()
	c.open[from] = append(c.open[from], in)
	c.count++
	return in, out
}

// known notes that a caller has shown his macaroon from an address, host:port.
func (c *conns) known(from, caller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open[from] {
		if conn.place == nil || c.callers[caller] >= c.each {
			continue
		}
		c.strangers.Remove(conn.place)
		conn.place, conn.caller = nil, caller
		c.callers[caller]++
	}
}

// remove forgets a connection. The caller holds the lock.
func (c *conns) remove(gone *conn) {
	if gone.gone {
		return
	}
	gone.gone = true
	if gone.place != nil {
		c.strangers.Remove(gone.place)
	} else if c.callers[gone.caller]--; c.callers[gone.caller] == 0 {
		delete(c.callers, gone.caller)
	}
	c.count--
	from := gone.RemoteAddr().String()
	c.open[from] = slices.DeleteFunc(c.open[from], func(o *conn) bool { return o == gone })
	if len(c.open[from]) == 0 {
		delete(c.open, from)
	}
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.all.mu.Lock()
	c.all.remove(c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}
