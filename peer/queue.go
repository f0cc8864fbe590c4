package peer

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Priority says which messages go first when both wait.
type Priority uint8

const (
	// Channel is for channel and control messages, in the order of Send. They never
	// wait for gossip that is not being written yet.
	Channel Priority = iota
	// Gossip is for what can be had again, later or from others.
	Gossip
)

var (
	errBusy     = errors.New("over the gossip budget")
	errQueueOff = errors.New("queue closed")
)

// A waiting message stands in its lane as two bytes of length, one that is 1 on
// the last message of its group, and the plaintext.
const markLen = 3

// gossipShare is how much gossip is taken into one write at most, if its first
// group is not longer: a channel message that comes meanwhile waits no longer
// than that takes to write.
const gossipShare = 16 << 10

// keepBuffer is the largest buffer that is kept for reuse.
const keepBuffer = 256 << 10

// queue is what waits to be written, in two lanes. Any goroutine pushes, the
// writing one takes.
type queue struct {
	backlog       int // limit of the channel lane, what is being written included
	gossipBacklog int

	wake chan struct{} // holds one token while there may be something to take

	mu      sync.Mutex
	channel []byte
	gossip  []byte
	head    int           // gossip that is taken already
	writing int           // bytes of the channel lane that were taken last
	room    chan struct{} // closed when the gossip lane has room; nil when nobody waits
	closed  bool
}

func newQueue(l Limits) *queue {
	return &queue{backlog: l.Backlog, gossipBacklog: l.GossipBacklog, wake: make(chan struct{}, 1)}
}

// push appends a group of messages, whole or not at all. Gossip is refused with
// errBusy while more than its budget waits; channel messages over theirs are
// ErrBacklog, and nothing is to be sent any more.
func (q *queue) push(p Priority, group []lnwire.Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errQueueOff
	}
	lane := &q.channel
	if p == Gossip {
		if lane = &q.gossip; q.gossipWaits() > q.gossipBacklog {
			return errBusy
		}
	}
	grown, err := appendGroup(*lane, group)
	if err != nil {
		return err
	}
	if p == Channel && len(grown)+q.writing > q.backlog {
		return ErrBacklog
	}
	*lane = grown
	q.signal()
	return nil
}

func (q *queue) gossipWaits() int { return len(q.gossip) - q.head }

// signal wakes the writing goroutine.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// appendGroup encodes the messages behind lane.
func appendGroup(lane []byte, group []lnwire.Message) ([]byte, error) {
	for i, m := range group {
		at := len(lane)
		out, err := lnwire.Append(append(lane, make([]byte, markLen)...), m)
		if err != nil {
			return nil, err
		}
		lane = out
		binary.BigEndian.PutUint16(lane[at:], uint16(len(lane)-at-markLen))
		if i == len(group)-1 {
			lane[at+2] = 1
		}
	}
	return lane, nil
}

// nextWaiting splits the first message off a lane.
func nextWaiting(lane []byte) (msg []byte, last bool, rest []byte) {
	end := markLen + int(binary.BigEndian.Uint16(lane))
	return lane[markLen:end], lane[2] == 1, lane[end:]
}

// take gives what is to be written now: every channel message, then a share of
// the gossip. Spare is the batch before, for reuse. More is false when nothing
// will ever come again.
func (q *queue) take(spare []byte) (batch []byte, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cap(spare) > keepBuffer {
		spare = nil
	}
	batch, q.channel = q.channel, spare[:0]
	q.writing = len(batch)
	return q.takeGossip(batch), !q.closed
}

func (q *queue) takeGossip(batch []byte) []byte {
	taken := 0
	for rest := q.gossip[q.head:]; len(rest) > 0 && (taken == 0 || taken < gossipShare); {
		n := groupLen(rest)
		taken, rest = taken+n, rest[n:]
	}
	batch = append(batch, q.gossip[q.head:q.head+taken]...)
	q.head += taken
	if q.gossipWaits() == 0 {
		q.head = 0
		if q.gossip = q.gossip[:0]; cap(q.gossip) > keepBuffer {
			q.gossip = nil
		}
	} else if q.head > q.gossipBacklog {
		q.gossip = append(q.gossip[:0], q.gossip[q.head:]...)
		q.head = 0
	}
	if q.room != nil && q.hasRoom() {
		close(q.room)
		q.room = nil
	}
	return batch
}

// groupLen is the length of the first group of a lane.
func groupLen(lane []byte) int {
	rest := lane
	for last := false; !last; {
		_, last, rest = nextWaiting(rest)
	}
	return len(lane) - len(rest)
}

// hasRoom comes at half the budget, so that a sender is not woken for every group.
func (q *queue) hasRoom() bool { return q.closed || q.gossipWaits() <= q.gossipBacklog/2 }

// drained is closed when gossip is taken again, or the queue is closed.
func (q *queue) drained() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.hasRoom() {
		return closedChan
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// waiting is how many bytes wait in each lane.
func (q *queue) waiting() (channel, gossip int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.channel) + q.writing, q.gossipWaits()
}

// close refuses what comes, drops the gossip and leaves the channel lane to be
// taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.gossip, q.head = true, nil, 0
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	q.signal()
}
