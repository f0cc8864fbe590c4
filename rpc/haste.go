package rpc

import (
	"io"
	"net/http"
	"time"
)

// Who sends or takes a few bytes now and then holds a connection, a goroutine and what is to be sent. So a body must be
// all there in time, and each piece of an answer taken in time.
const (
	headerTime   = 10 * time.Second
	bodyTime     = 2 * time.Minute
	strangerTime = 10 * time.Second // for what is not even looked at
	answerPiece  = 64 << 10
)

// hasty bounds how long the client may take for the beginning of an answer. paced goes on from there.
func (s *Server) hasty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.answerTime)) // fails if the client is gone
		next.ServeHTTP(w, r)
	})
}

// hurry lets reads of the body fail after a while.
func hurry(w http.ResponseWriter, within time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // a WebSocket's body comes from elsewhere
}

// hurried is a body that is waited for until a deadline, which goes with its end: from then on reads only tell whether the
// client is still there.
type hurried struct {
	io.ReadCloser
	w http.ResponseWriter
}

// Read implements io.Reader.
func (b hurried) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Time{}) // as above
	}
	return n, err
}

// paced is an answer of which each piece must be taken in time.
type paced struct {
	http.ResponseWriter
	within time.Duration
}

// Write implements http.ResponseWriter.
func (p paced) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		piece := b[:min(len(b), answerPiece)]
		p.more()
		var took int
		took, err = p.ResponseWriter.Write(piece)
		n, b = n+took, b[len(piece):]
	}
	return n, err
}

// Flush implements http.Flusher.
func (p paced) Flush() {
	p.more()
	_ = http.NewResponseController(p.ResponseWriter).Flush() // the client may be gone
}

// Unwrap is for http.ResponseController.
func (p paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p paced) more() {
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(p.within)) // a WebSocket has its own
}
