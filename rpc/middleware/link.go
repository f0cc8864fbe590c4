package middleware

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// maxPending bounds how many messages may wait for one middleware.
const maxPending = 1000

// A link is the conversation with one middleware.
type link struct {
	name, caveat string
	readOnly     bool
	timeout      time.Duration
	out          chan *lnrpc.RPCMiddlewareRequest
	gone         chan struct{} // closed when it has gone

	mu      sync.Mutex
	last    uint64 // number of the last message
	waiting map[uint64]chan *lnrpc.InterceptFeedback
}

func newLink(name, caveat string, readOnly bool, timeout time.Duration) *link {
	return &link{
		name: name, caveat: caveat, readOnly: readOnly, timeout: timeout, out: make(chan *lnrpc.RPCMiddlewareRequest),
		gone: make(chan struct{}), waiting: map[uint64]chan *lnrpc.InterceptFeedback{},
	}
}

// converse shows what calls bring and passes the answers on, until the stream ends.
func (l *link) converse(stream grpc.ServerStream, answers <-chan *lnrpc.RPCMiddlewareResponse, ended <-chan error) error {
	for {
		select {
		case m := <-l.out:
			if err := stream.SendMsg(m); err != nil {
				return err
			}
		case m := <-answers:
			feedback := m.GetFeedback()
			if feedback == nil {
				return fmt.Errorf("unknown middleware message: %v", m)
			}
			l.answer(m.RefMsgId, feedback)
		case err := <-ended:
			return err
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// answer passes an answer to who waits for it. One that comes too late is for nobody.
func (l *link) answer(id uint64, feedback *lnrpc.InterceptFeedback) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait, ok := l.waiting[id]; ok {
		delete(l.waiting, id)
		wait <- feedback
	}
}

// ask shows a message and waits for the answer. Any error is a refusal.
func (l *link) ask(ctx context.Context, m *lnrpc.RPCMiddlewareRequest) (*lnrpc.InterceptFeedback, error) {
	wait := make(chan *lnrpc.InterceptFeedback, 1)
	l.mu.Lock()
	if len(l.waiting) >= maxPending {
		l.mu.Unlock()
		return nil, fmt.Errorf("more than %d messages wait for middleware '%s'", maxPending, l.name)
	}
	l.last++
	id := l.last
	m.MsgId = id
	l.waiting[id] = wait
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, id)
		l.mu.Unlock()
	}()
	timer := time.NewTimer(l.timeout)
	defer timer.Stop()
	out := l.out
	for {
		select {
		case out <- m:
			out = nil
		case feedback := <-wait:
			return feedback, nil
		case <-timer.C:
			return nil, errTimeout
		case <-l.gone:
			return nil, errGone
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
