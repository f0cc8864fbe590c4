package node

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// AbandonChannel forgets a channel with all that is in it. With externOnly it must be
// one that was funded from elsewhere and whose funding is not confirmed. It fails with
// ErrNoChannel.
func (n *Node) AbandonChannel(ctx context.Context, funding wire.OutPoint, externOnly bool) error {
	e := n.channels.funding(funding)
	if e == nil {
		return fmt.Errorf("%w: %v", ErrNoChannel, funding)
	}
	info, err := n.look(ctx, e)
	if err != nil {
		return err
	}
	if externOnly && (!info.Extern || info.Core.Confirmed != nil || info.Core.Phase > channel.AwaitReady) {
		return mistake.State("channel %v is not externally funded or not pending", funding)
	}
	e.runner.Inbox.Put(turn.Item{Event: channel.Abandoned{}})
	_, err = n.look(ctx, e) // durable when it is answered
	return err
}
