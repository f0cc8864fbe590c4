package gossip

import "github.com/fulgur-ln/fulgur/lnwire"

// waitKey is what an early message waits for: a channel, a node or a height. With
// the verdict wrong, why says what is.
type waitKey struct {
	scid   lnwire.ShortChannelID
	node   lnwire.PubKey
	height lnwire.Height
	why    string
}

// room holds messages that came too early, within a number of bytes. A sender may
// fill a part of it, and pushes out his own oldest messages first; when the room
// is full, the sender who holds most gives way.
//
// B7.room.1: what waits is bounded by bytes, whoever sends it (V-46, V-53).
type room struct {
	limit, share int
	bytes        int
	by           map[waitKey][]*guest
	from         map[lnwire.PubKey]*guests
}

type guest struct {
	arrival
	key  waitKey
	gone bool
}

// guests are those of one sender, oldest first; some may be gone.
type guests struct {
	list  []*guest
	bytes int
}

func newRoom(limit int) room {
	return room{limit: limit, share: limit / 8, by: map[waitKey][]*guest{}, from: map[lnwire.PubKey]*guests{}}
}

// enter lets a message wait, and gives those that have to go for it; the message
// itself may be among them.
func (r *room) enter(key waitKey, a arrival) (out []arrival) {
	size := a.size()
	if size > r.share {
		return []arrival{a}
	}
	g := r.from[a.from]
	if g == nil {
		g = &guests{}
		r.from[a.from] = g
	}
	for g.bytes+size > r.share {
		out = append(out, r.oldest(a.from))
	}
	for r.bytes+size > r.limit {
		out = append(out, r.oldest(r.fullest()))
	}
	if r.from[a.from] == nil {
		r.from[a.from] = g
	}
	w := &guest{arrival: a, key: key}
	g.list = append(g.list, w)
	g.bytes += size
	r.bytes += size
	r.by[key] = append(r.by[key], w)
	return out
}

// fullest is the sender who holds most; of equals the one with the least id.
func (r *room) fullest() (id lnwire.PubKey) {
	most := -1
	for k, g := range r.from {
		if g.bytes > most || g.bytes == most && string(k[:]) < string(id[:]) {
			id, most = k, g.bytes
		}
	}
	return id
}

// oldest takes out a sender's oldest message.
func (r *room) oldest(from lnwire.PubKey) arrival {
	g := r.from[from]
	for g.list[0].gone {
		g.list = g.list[1:]
	}
	w := g.list[0]
	same := r.by[w.key]
	for i := range same {
		if same[i] == w {
			same = append(same[:i:i], same[i+1:]...)
			break
		}
	}
	if len(same) == 0 {
		delete(r.by, w.key)
	} else {
		r.by[w.key] = same
	}
	r.out(w)
	return w.arrival
}

// out ends a guest's stay in all but r.by.
func (r *room) out(w *guest) {
	w.gone = true
	r.bytes -= w.size()
	g := r.from[w.from]
	g.bytes -= w.size()
	for len(g.list) > 0 && g.list[0].gone {
		g.list = g.list[1:]
	}
	if len(g.list) == 0 {
		delete(r.from, w.from)
	}
}

// take gives all that waited for a key, in the order of their coming.
func (r *room) take(key waitKey) (list []arrival) {
	all := r.by[key]
	delete(r.by, key)
	for _, w := range all {
		r.out(w)
		list = append(list, w.arrival)
	}
	return list
}

// leave takes out all of a sender.
func (r *room) leave(from lnwire.PubKey) (list []arrival) {
	for r.from[from] != nil {
		list = append(list, r.oldest(from))
	}
	return list
}
