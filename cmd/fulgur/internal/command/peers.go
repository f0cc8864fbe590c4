package command

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
)

var peerCommands = []spec{{
	name: "connect", group: groupPeers, usage: "connect to a node", args: "PUBKEY@HOST[:PORT]", max: 1,
	flags: []cli.Flag{
		flagText("peer", "the node and its address"),
		flagBool("perm", "keep the connection up, and answer before it stands"), &cli.DurationFlag{Name: "timeout", Usage: "give up after so long (such as 30s)"},
	},
	example: "connect 02ab...@203.0.113.7:9735", do: connect,
}, {
	name: "disconnect", group: groupPeers, usage: "close the connection to a node", args: "PUBKEY", max: 1,
	flags: []cli.Flag{flagText("node_key", "the node")}, example: "disconnect 02ab...", do: disconnect,
}, {
	name: "listpeers", group: groupPeers, usage: "the connected nodes", example: "listpeers", do: listPeers,
	flags: []cli.Flag{flagBool("list_errors", "all errors that peers sent, not only the last")},
}, {
	name: "peers", group: groupPeers, usage: "further commands on what peers are told",
	subs: []spec{{
		name: "updatenodeannouncement", usage: "change what the node tells others of itself",
		flags: []cli.Flag{
			flagTexts("address_add", "announce this `HOST[:PORT]`, too"), flagTexts("address_remove", "announce this `HOST[:PORT]` no more"),
			flagText("alias", "the node's name"), flagText("color", "its colour, as #rrggbb"),
			&cli.Int64SliceFlag{Name: "feature_bit_add", Usage: "announce this feature again"},
			&cli.Int64SliceFlag{Name: "feature_bit_remove", Usage: "announce this feature no more"},
		},
		example: "peers updatenodeannouncement --alias=bob", do: updateNodeAnnouncement,
	}},
}}

func updateNodeAnnouncement(ctx context.Context, c *call) error {
	req := &peersrpc.NodeAnnouncementUpdateRequest{Alias: c.cmd.String("alias"), Color: c.cmd.String("color")}
	for action, flag := range []string{"add", "remove"} {
		action := peersrpc.UpdateAction(action)
		for _, text := range c.cmd.StringSlice("address_" + flag) {
			req.AddressUpdates = append(req.AddressUpdates, &peersrpc.UpdateAddressAction{Action: action, Address: text})
		}
		for _, bit := range c.cmd.Int64Slice("feature_bit_" + flag) {
			if bit < 0 || bit > math.MaxUint16 {
				return Usage("feature_bit_%s: %d is no feature bit", flag, bit)
			}
			req.FeatureUpdates = append(req.FeatureUpdates, &peersrpc.UpdateFeatureAction{Action: action, FeatureBit: lnrpc.FeatureBit(bit)})
		}
	}
	if proto.Size(req) == 0 {
		return Usage("updatenodeannouncement: say what to change")
	}
	conn, err := c.dial(ctx, false)
	if err != nil {
		return err
	}
	answer, err := peersrpc.NewPeersClient(conn).UpdateNodeAnnouncement(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		var p show.Pairs
		for _, op := range answer.Ops {
			p.Add(op.Entity, strings.Join(op.Actions, ", "))
		}
		p.Print(w)
	})
}

// splitPeer reads PUBKEY@HOST.
func splitPeer(text string) (*lnrpc.LightningAddress, error) {
	key, host, ok := strings.Cut(text, "@")
	if !ok || host == "" {
		return nil, Usage("connect: %q: want PUBKEY@HOST:PORT", text)
	}
	if _, err := parseHex("pubkey", key, 33); err != nil {
		return nil, err
	}
	return &lnrpc.LightningAddress{Pubkey: key, Host: host}, nil
}

func connect(ctx context.Context, c *call) error {
	text, err := c.need("peer")
	if err != nil {
		return err
	}
	addr, err := splitPeer(text)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	timeout := uint64(c.cmd.Duration("timeout") / time.Second)
	answer, err := ln.ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{Addr: addr, Perm: c.cmd.Bool("perm"), Timeout: timeout})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "connected to "+text) })
}

func disconnect(ctx context.Context, c *call) error {
	key, err := c.need("node_key")
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.DisconnectPeer(ctx, &lnrpc.DisconnectPeerRequest{PubKey: key})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "disconnected from "+key) })
}

func listPeers(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.ListPeers(ctx, &lnrpc.ListPeersRequest{LatestError: !c.cmd.Bool("list_errors")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		t := show.NewTable("node", "address", "direction", "ping>", "sent>", "received>")
		for _, p := range answer.Peers {
			direction := "outbound"
			if p.Inbound {
				direction = "inbound"
			}
			ping := (time.Duration(p.PingTime) * time.Microsecond).Round(100 * time.Microsecond)
			t.Row(p.PubKey, p.Address, direction, ping.String(), show.Number(p.BytesSent)+" B", show.Number(p.BytesRecv)+" B")
		}
		t.Print(w)
		for _, p := range answer.Peers {
			for _, e := range p.Errors {
				fmt.Fprintf(w, "%s  %s  %s\n", show.Short(p.PubKey), show.Time(int64(e.Timestamp)), show.Clean(e.Error))
			}
		}
	})
}
