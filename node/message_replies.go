package node

import (
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// maxReplies bounds the answers that are waited for at the same time.
const maxReplies = 1000

// replies are the answers that somebody waits for, by the path_id of the path that was
// sent along for it. Each is used once.
type replies struct{ by map[lnwire.Secret]awaited }

type awaited struct {
	to    chan onion.Message
	until time.Time
}

func newReplies() replies { return replies{map[lnwire.Secret]awaited{}} }

// put waits for an answer; false when too many wait already.
func (r *replies) put(id lnwire.Secret, until, now time.Time) (<-chan onion.Message, bool) {
	for k, a := range r.by { // order does not show
		if now.After(a.until) {
			delete(r.by, k)
		}
	}
	if len(r.by) >= maxReplies {
		return nil, false
	}
	to := make(chan onion.Message, 1)
	r.by[id] = awaited{to, until}
	return to, true
}

// take gives who waits for the answer with that path_id; nil when nobody does.
func (r *replies) take(pathID []byte, now time.Time) chan<- onion.Message {
	id := lnwire.Secret{}
	if len(pathID) != len(id) {
		return nil
	}
	copy(id[:], pathID)
	a, ok := r.by[id]
	delete(r.by, id)
	if !ok || now.After(a.until) {
		return nil
	}
	return a.to
}

func (r *replies) drop(id lnwire.Secret) { delete(r.by, id) }
