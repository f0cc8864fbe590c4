package rpc

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/metrics"
)

// Calls counts what is asked of the server. Methods that do not exist are not counted, so
// that no stranger decides how long the list is.
type Calls struct {
	open  atomic.Int64
	ended sync.Map // ending -> *atomic.Uint64
	took  sync.Map // method -> *metrics.Histogram, of those with one request and one answer
}

type ending struct {
	method string
	code   codes.Code
}

// begin counts a call; the result is called with its end.
func (c *Calls) begin(method string, single bool) (end func(error)) {
	c.open.Add(1)
	began := time.Now()
	return func(err error) {
		c.open.Add(-1)
		n, ok := c.ended.Load(ending{method, status.Code(err)})
		if !ok {
			n, _ = c.ended.LoadOrStore(ending{method, status.Code(err)}, new(atomic.Uint64))
		}
		n.(*atomic.Uint64).Add(1)
		if !single {
			return
		}
		h, ok := c.took.Load(method)
		if !ok {
			h, _ = c.took.LoadOrStore(method, metrics.NewHistogram(metrics.Quick))
		}
		h.(*metrics.Histogram).Observe(time.Since(began))
	}
}

// Open is how many calls are under way, streams included.
func (c *Calls) Open() int64 { return c.open.Load() }

// Ended are calls of a method that ended with a code.
type Ended struct {
	Method string // "/lnrpc.Lightning/GetInfo"
	Code   codes.Code
	Count  uint64
}

// Ended are all calls that came to their end, sorted.
func (c *Calls) Ended() (list []Ended) {
	c.ended.Range(func(key, n any) bool {
		e := key.(ending)
		list = append(list, Ended{e.method, e.code, n.(*atomic.Uint64).Load()})
		return true
	})
	slices.SortFunc(list, func(a, b Ended) int { return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Code, b.Code)) })
	return list
}

// Took is how long the calls of a method took; nil when there was none, or for streams.
func (c *Calls) Took(method string) *metrics.Histogram {
	if h, ok := c.took.Load(method); ok {
		return h.(*metrics.Histogram)
	}
	return nil
}

// Calls are the server's counters.
func (s *Server) Calls() *Calls { return &s.calls }
