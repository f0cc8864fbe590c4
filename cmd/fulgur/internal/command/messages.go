package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var messageCommands = []spec{{
	name: "sendcustom", group: groupPeers, usage: "send a message of an application's type to a peer",
	more:    "Types of applications begin at 32768; peers ignore odd ones that they do not know, and hang up on even ones.",
	flags:   []cli.Flag{flagText("peer", "the node, which is connected"), flagUint("type", "of the message"), flagText("data", "of the message, in hex")},
	example: "sendcustom --peer=02ab... --type=32769 --data=c0ffee", do: sendCustom,
}, {
	name: "subscribecustom", group: groupPeers, usage: "messages of applications' types as peers send them", more: watchMore, example: "subscribecustom", do: subscribeCustom,
}, {
	name: "sendonionmessage", group: groupPeers, usage: "hand an onion message to a peer",
	flags:   []cli.Flag{flagText("peer", "the node, which is connected"), flagText("path_key", "what it opens the message with, in hex"), flagText("onion", "the message, in hex")},
	example: "sendonionmessage --peer=02ab... --path_key=03cd... --onion=0002...", do: sendOnion,
}, {
	name: "subscribeonionmessages", group: groupPeers, usage: "onion messages that end with this node", more: watchMore, example: "subscribeonionmessages", do: subscribeOnions,
}}

func sendCustom(ctx context.Context, c *call) error {
	peer, err := c.bytes("peer", 33)
	if err != nil {
		return err
	}
	data, err := parseHex("data", c.take("data"), 0)
	if err != nil {
		return err
	}
	kind := c.cmd.Uint64("type")
	if kind > 0xffff {
		return Usage("type: %d is above 65535", kind)
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.SendCustomMessage(ctx, &lnrpc.SendCustomMessageRequest{Peer: peer, Type: uint32(kind), Data: data})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

func subscribeCustom(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribeCustomMessages(ctx, &lnrpc.SubscribeCustomMessagesRequest{})
	return watch(ctx, c, stream, err, func(m *lnrpc.CustomMessage) string {
		return fmt.Sprintf("%x  type %d  %x", m.Peer, m.Type, m.Data)
	})
}

func sendOnion(ctx context.Context, c *call) error {
	peer, err := c.bytes("peer", 33)
	if err != nil {
		return err
	}
	key, err := c.bytes("path_key", 33)
	if err != nil {
		return err
	}
	onion, err := c.bytes("onion", 0)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.SendOnionMessage(ctx, &lnrpc.SendOnionMessageRequest{Peer: peer, PathKey: key, Onion: onion})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

func subscribeOnions(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	stream, err := ln.SubscribeOnionMessages(ctx, &lnrpc.SubscribeOnionMessagesRequest{})
	return watch(ctx, c, stream, err, func(m *lnrpc.OnionMessageUpdate) string {
		text := fmt.Sprintf("%x", m.Peer)
		for _, kind := range slices.Sorted(maps.Keys(m.CustomRecords)) {
			text += fmt.Sprintf("  %d=%x", kind, m.CustomRecords[kind])
		}
		if m.ReplyPath != nil {
			text += "  wants an answer"
		}
		return text
	})
}
