package chainntnfs

import (
	"context"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// batch is how many blocks one Advance steps over on each lane, so that its
// caller can take in new watches between.
const batch = 32

// lane is a walker with the watches that it carries over the chain.
type lane struct {
	walker  *Walker
	tracker *Tracker
	ahead   []ahead // ascending by start
}

// ahead is a watch that a lane takes up when it comes to its first block.
type ahead struct {
	client Client
	watch  Watch
	start  lnwire.Height
}

// run goes a batch of blocks on and reports whether it came to the tip.
func (l *lane) run(ctx context.Context, notices *[]Notice) (atTip bool, err error) {
	for range batch {
		l.takeUp(l.walker.At().Height + 1)
		step, ok, err := l.walker.Next(ctx)
		if err != nil {
			return false, err
		}
		if !ok {
			return true, nil
		}
		*notices = append(*notices, l.tracker.Step(step)...)
	}
	return false, nil
}

// takeUp starts the watches whose first block is not above next.
func (l *lane) takeUp(next lnwire.Height) {
	for len(l.ahead) > 0 && l.ahead[0].start <= next {
		l.tracker.Watch(l.ahead[0].client, l.ahead[0].watch)
		l.ahead = l.ahead[1:]
	}
}

// clients lists who is on the lane, in no order, some twice.
func (l *lane) clients() []Client {
	list := l.tracker.Clients()
	for _, a := range l.ahead {
		list = append(list, a.client)
	}
	return list
}

// idle says that everybody has left.
func (l *lane) idle() bool { return len(l.clients()) == 0 }

// leave takes a client off.
func (l *lane) leave(c Client) {
	l.ahead = slices.DeleteFunc(l.ahead, func(a ahead) bool { return a.client == c })
	l.tracker.Leave(c)
}
