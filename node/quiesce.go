package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// Quiesce brings a channel to rest: neither side sends updates until the connection ends,
// which it does within a minute. It returns when both sides are silent, and tells whether
// the quiescence is ours to use.
func (n *Node) Quiesce(ctx context.Context, funding wire.OutPoint) (lead bool, err error) {
	e := n.channels.funding(funding)
	if e == nil {
		return false, fmt.Errorf("%w: %v", ErrNoChannel, funding)
	}
	events := n.Channels.Subscribe()
	defer events.Cancel()
	e.runner.Inbox.Put(turn.Item{Event: channel.QuiesceAsked{}})
	for {
		select {
		case ev, ok := <-events.C:
			if !ok {
				return false, errStopping
			}
			if ev.ChanNum != e.num {
				continue
			}
			switch ev.Kind {
			case channel.NoticeQuiescent:
				i, err := n.Channel(ctx, funding)
				return i.Leads, err
			case channel.NoticeQuiesceRefused:
				return false, errors.New(ev.Text)
			case channel.NoticeInactive:
				if i, err := n.Channel(ctx, funding); err != nil || !i.Connected {
					return false, errors.New("the connection ended before the channel was quiescent")
				}
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
