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
	ahead   []ahead   // ascending by start
	claims  []request // whose cursors must be on the lane's chain when it ends
}

// ahead is a watch that a lane takes up when it comes to its first block.
type ahead struct {
	client Client
	watch  Watch
	start  lnwire.Height
}

// run goes a batch of blocks on and reports whether it came to the tip. It stops
// after a step over forgotten blocks, which it returns instead of telling it.
func (l *lane) run(ctx context.Context, notices *[]Notice) (atTip bool, gone *Step, err error) {
	for range batch {
		l.takeUp(l.walker.At().Height + 1)
		step, ok, err := l.walker.Next(ctx)
		if err != nil {
			return false, nil, err
		}
		if !ok {
			return true, nil, nil
		}
		if step.Forgotten() {
			return false, &step, nil
		}
		*notices = append(*notices, l.tracker.Step(step)...)
	}
	return false, nil, nil
}

// takeUp starts the watches whose first block is not above next.
func (l *lane) takeUp(next lnwire.Height) {
	for len(l.ahead) > 0 && l.ahead[0].start <= next {
		l.tracker.Watch(l.ahead[0].client, l.ahead[0].watch)
		l.ahead = l.ahead[1:]
	}
}

// disproved lists the requests whose cursors left the chain while the lane was
// on its way to them: it never stood there, and took nothing back. A lane starts
// below every cursor, so that what it does not remember it has come over.
func (l *lane) disproved() (list []request) {
	for _, r := range l.claims {
		if on, known := l.walker.recall(r.cursor); known && !on {
			list = append(list, r)
		}
	}
	return list
}

// clients lists who is on the lane, in order.
func (l *lane) clients() []Client {
	list := l.tracker.Clients()
	for _, r := range l.claims {
		list = append(list, r.client)
	}
	for _, a := range l.ahead {
		list = append(list, a.client)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// watches lists what a client watches on the lane, or will.
func (l *lane) watches(c Client) []Watch {
	list := l.tracker.watches(c)
	for _, a := range l.ahead {
		if a.client == c {
			list = append(list, a.watch)
		}
	}
	return list
}

// idle says that everybody has left.
func (l *lane) idle() bool { return len(l.clients()) == 0 }

// leave takes a client off.
func (l *lane) leave(c Client) {
	l.ahead = slices.DeleteFunc(l.ahead, func(a ahead) bool { return a.client == c })
	l.claims = slices.DeleteFunc(l.claims, func(r request) bool { return r.client == c })
	l.tracker.Leave(c)
}
