package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

const watchMore = "Runs until it is interrupted. With --json every event is one line."

var watchCommands = []spec{{
	name: "subscribeinvoices", group: groupWatch, usage: "invoices as they are made and paid", more: watchMore,
	flags:   []cli.Flag{flagUint("add_index", "first those made after this index"), flagUint("settle_index", "first those settled after this index")},
	example: "subscribeinvoices --json", do: subscribeInvoices,
}, {
	name: "subscribechannelevents", group: groupWatch, usage: "channels as they open, close, come and go", more: watchMore, example: "subscribechannelevents", do: subscribeChannels,
}, {
	name: "subscribepeerevents", group: groupWatch, usage: "peers as they come and go", more: watchMore, example: "subscribepeerevents", do: subscribePeers,
}, {
	name: "subscribetransactions", group: groupWatch, usage: "the wallet's transactions as they appear and confirm", more: watchMore, example: "subscribetransactions", do: subscribeTransactions,
}, {
	name: "subscribehtlcevents", group: groupWatch, usage: "what happens to every payment that passes", more: watchMore, example: "subscribehtlcevents --json", do: subscribeHtlcs,
}, {
	name: "subscribegraph", group: groupWatch, usage: "changes of the graph", more: watchMore, example: "subscribegraph", do: subscribeGraph,
}, {
	name: "subscribeblocks", group: groupWatch, usage: "blocks as the node sees them", more: watchMore, example: "subscribeblocks", do: subscribeBlocks,
}}

// watch prints a stream until it ends; an interrupt is how a user ends it.
func watch[M any, P interface {
	*M
	proto.Message
}](ctx context.Context, c *call, stream grpc.ServerStreamingClient[M], err error, human func(P) string) error {
	if err != nil {
		return err
	}
	c.quiet()
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case c.json:
			err = show.Line(c.app.Out, P(m))
		default:
			_, err = fmt.Fprintln(c.app.Out, show.Clean(human(P(m))))
		}
		if err != nil {
			return err
		}
	}
}

func subscribeInvoices(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribeInvoices(ctx, &lnrpc.InvoiceSubscription{AddIndex: c.cmd.Uint64("add_index"), SettleIndex: c.cmd.Uint64("settle_index")})
	return watch(ctx, c, stream, err, func(inv *lnrpc.Invoice) string {
		return fmt.Sprintf("%x  %s  %s, paid %s  %s", inv.RHash, strings.ToLower(inv.State.String()), invoiceAmount(inv), show.Msat(inv.AmtPaidMsat), inv.Memo)
	})
}

func subscribeChannels(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribeChannelEvents(ctx, &lnrpc.ChannelEventSubscription{})
	return watch(ctx, c, stream, err, func(e *lnrpc.ChannelEventUpdate) string {
		return strings.ToLower(strings.ReplaceAll(e.Type.String(), "_", " ")) + "  " + eventPoint(e)
	})
}

// eventPoint is the channel that an event is about.
func eventPoint(e *lnrpc.ChannelEventUpdate) string {
	switch u := e.Channel.(type) {
	case *lnrpc.ChannelEventUpdate_OpenChannel:
		return u.OpenChannel.GetChannelPoint()
	case *lnrpc.ChannelEventUpdate_ClosedChannel:
		return u.ClosedChannel.GetChannelPoint()
	case *lnrpc.ChannelEventUpdate_ActiveChannel:
		return pointText(u.ActiveChannel)
	case *lnrpc.ChannelEventUpdate_InactiveChannel:
		return pointText(u.InactiveChannel)
	case *lnrpc.ChannelEventUpdate_PendingOpenChannel:
		return fmt.Sprintf("%s:%d", hashText(u.PendingOpenChannel.GetTxid()), u.PendingOpenChannel.GetOutputIndex())
	case *lnrpc.ChannelEventUpdate_FullyResolvedChannel:
		return pointText(u.FullyResolvedChannel)
	case *lnrpc.ChannelEventUpdate_ChannelFundingTimeout:
		return pointText(u.ChannelFundingTimeout)
	case *lnrpc.ChannelEventUpdate_UpdatedChannel:
		return u.UpdatedChannel.GetChannel().GetChannelPoint()
	}
	return ""
}

func subscribePeers(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribePeerEvents(ctx, &lnrpc.PeerEventSubscription{})
	return watch(ctx, c, stream, err, func(e *lnrpc.PeerEvent) string {
		if e.Type == lnrpc.PeerEvent_PEER_ONLINE {
			return e.PubKey + "  connected"
		}
		return e.PubKey + "  gone"
	})
}

func subscribeTransactions(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribeTransactions(ctx, &lnrpc.GetTransactionsRequest{})
	return watch(ctx, c, stream, err, func(tx *lnrpc.Transaction) string {
		return fmt.Sprintf("%s  %s  %d confirmations  %s", tx.TxHash, show.Sat(tx.Amount), tx.NumConfirmations, tx.Label)
	})
}

func subscribeHtlcs(ctx context.Context, c *call) error {
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	stream, err := router.SubscribeHtlcEvents(ctx, &routerrpc.SubscribeHtlcEventsRequest{})
	return watch(ctx, c, stream, err, func(e *routerrpc.HtlcEvent) string {
		text := fmt.Sprintf("%s  %s/%d > %s/%d", strings.ToLower(e.EventType.String()), show.ShortChannelID(e.IncomingChannelId), e.IncomingHtlcId,
			show.ShortChannelID(e.OutgoingChannelId), e.OutgoingHtlcId)
		switch u := e.Event.(type) {
		case *routerrpc.HtlcEvent_ForwardEvent:
			text += "  begun, " + show.Msat(u.ForwardEvent.GetInfo().GetOutgoingAmtMsat())
		case *routerrpc.HtlcEvent_ForwardFailEvent:
			text += "  failed further on"
		case *routerrpc.HtlcEvent_SettleEvent:
			text += "  settled"
		case *routerrpc.HtlcEvent_LinkFailEvent:
			text += "  refused: " + u.LinkFailEvent.GetFailureString()
		case *routerrpc.HtlcEvent_FinalHtlcEvent:
			text += fmt.Sprintf("  final, settled: %v", u.FinalHtlcEvent.GetSettled())
		case *routerrpc.HtlcEvent_SubscribedEvent:
			return "watching"
		}
		return text
	})
}

func subscribeGraph(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribeChannelGraph(ctx, &lnrpc.GraphTopologySubscription{})
	return watch(ctx, c, stream, err, func(u *lnrpc.GraphTopologyUpdate) string {
		var parts []string
		for _, n := range u.NodeUpdates {
			parts = append(parts, fmt.Sprintf("node %s %s", show.Short(n.IdentityKey), n.Alias))
		}
		for _, e := range u.ChannelUpdates {
			parts = append(parts, fmt.Sprintf("channel %s from %s: %s", show.ShortChannelID(e.ChanId), show.Short(e.AdvertisingNode), terms(e.RoutingPolicy)))
		}
		for _, cl := range u.ClosedChans {
			parts = append(parts, fmt.Sprintf("channel %s closed at block %d", show.ShortChannelID(cl.ChanId), cl.ClosedHeight))
		}
		return strings.Join(parts, "; ")
	})
}

func subscribeBlocks(ctx context.Context, c *call) error {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return err
	}
	stream, err := chainrpc.NewChainNotifierClient(conn).RegisterBlockEpochNtfn(ctx, &chainrpc.BlockEpoch{})
	return watch(ctx, c, stream, err, func(b *chainrpc.BlockEpoch) string {
		return fmt.Sprintf("%d  %s", b.Height, hashText(b.Hash))
	})
}
