package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var graphCommands = []spec{{
	name: "describegraph", group: groupGraph, usage: "all channels and nodes that we know of", example: "describegraph --json > graph.json", do: describeGraph,
	flags: []cli.Flag{flagBool("include_unannounced", "also our private channels"), flagBool("include_auth_proof", "with signatures")},
}, {
	name: "getchaninfo", group: groupGraph, usage: "a channel of the graph", args: "CHANNEL", max: 1,
	flags:   []cli.Flag{flagText("chan_id", "its id, as a number or such as 110x1x0"), flagText("chan_point", "`TXID:INDEX`"), flagBool("include_auth_proof", "with signatures")},
	example: "getchaninfo 110x1x0", do: getChanInfo,
}, {
	name: "getnodeinfo", group: groupGraph, usage: "a node of the graph", args: "PUBKEY", max: 1,
	flags:   []cli.Flag{flagText("pub_key", "the node"), flagBool("include_channels", "with its channels")},
	example: "getnodeinfo --include_channels 02ab...", do: getNodeInfo,
}, {
	name: "getnetworkinfo", group: groupGraph, usage: "the graph in figures", example: "getnetworkinfo", do: getNetworkInfo,
}, {
	name: "getnodemetrics", group: groupGraph, usage: "how much of the network's traffic each node is in the middle of", example: "getnodemetrics", do: getNodeMetrics,
}}

func describeGraph(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	graph, err := ln.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{IncludeUnannounced: c.cmd.Bool("include_unannounced"), IncludeAuthProof: c.cmd.Bool("include_auth_proof")})
	if err != nil {
		return err
	}
	return c.print(graph, func(w io.Writer) {
		printEdges(w, graph.Edges)
		fmt.Fprintln(w)
		t := show.NewTable("node", "alias", "addresses")
		for _, n := range graph.Nodes {
			t.Row(n.PubKey, n.Alias, addresses(n))
		}
		t.Print(w)
	})
}

func addresses(n *lnrpc.LightningNode) string {
	var list []string
	for _, a := range n.Addresses {
		list = append(list, a.Addr)
	}
	return strings.Join(list, " ")
}

func printEdges(w io.Writer, edges []*lnrpc.ChannelEdge) {
	t := show.NewTable("channel", "capacity>", "between", "fees", "and", "fees")
	for _, e := range edges {
		t.Row(show.ShortChannelID(e.ChannelId), show.Sat(e.Capacity), show.Short(e.Node1Pub), terms(e.Node1Policy), show.Short(e.Node2Pub), terms(e.Node2Policy))
	}
	t.Print(w)
}

// terms sums a policy up.
func terms(p *lnrpc.RoutingPolicy) string {
	if p == nil {
		return "unknown"
	}
	text := fmt.Sprintf("%s + %s ppm", show.Msat(p.FeeBaseMsat), show.Number(p.FeeRateMilliMsat))
	if p.Disabled {
		text += ", disabled"
	}
	return text
}

func getChanInfo(ctx context.Context, c *call) error {
	req := &lnrpc.ChanInfoRequest{ChanPoint: c.cmd.String("chan_point"), IncludeAuthProof: c.cmd.Bool("include_auth_proof")}
	if req.ChanPoint == "" {
		text, err := c.need("chan_id")
		switch {
		case err != nil:
			return err
		case strings.Contains(text, ":"):
			req.ChanPoint = text
		default:
			if req.ChanId, err = show.ParseShortChannelID(text); err != nil {
				return Usage("getchaninfo: %v", err)
			}
		}
	}
	if req.ChanPoint != "" {
		if _, _, err := splitPoint("chan_point", req.ChanPoint); err != nil {
			return err
		}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	edge, err := ln.GetChanInfo(ctx, req)
	if err != nil {
		return err
	}
	return c.print(edge, func(w io.Writer) {
		var p show.Pairs
		p.Add("channel", fmt.Sprintf("%s (%d)", show.ShortChannelID(edge.ChannelId), edge.ChannelId))
		p.Add("point", edge.ChanPoint)
		p.Add("capacity", show.Sat(edge.Capacity))
		p.Print(w)
		t := show.NewTable("from", "fees", "delta>", "smallest>", "largest>", "updated")
		for _, side := range []struct {
			node   string
			policy *lnrpc.RoutingPolicy
		}{{edge.Node1Pub, edge.Node1Policy}, {edge.Node2Pub, edge.Node2Policy}} {
			if side.policy == nil {
				t.Row(side.node, terms(nil))
				continue
			}
			q := side.policy
			t.Row(side.node, terms(q), show.Number(q.TimeLockDelta), show.Msat(q.MinHtlc), show.Msat(q.MaxHtlcMsat), show.Time(int64(q.LastUpdate)))
		}
		t.Print(w)
	})
}

func getNodeInfo(ctx context.Context, c *call) error {
	key, err := c.need("pub_key")
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	info, err := ln.GetNodeInfo(ctx, &lnrpc.NodeInfoRequest{PubKey: key, IncludeChannels: c.cmd.Bool("include_channels")})
	if err != nil {
		return err
	}
	return c.print(info, func(w io.Writer) {
		var p show.Pairs
		p.Add("node", info.Node.GetPubKey())
		p.Add("alias", info.Node.GetAlias())
		p.Add("addresses", addresses(info.GetNode()))
		p.Add("announced", show.Time(int64(info.Node.GetLastUpdate())))
		p.Add("channels", show.Number(info.NumChannels))
		p.Add("capacity", show.Sat(info.TotalCapacity))
		p.Print(w)
		if len(info.Channels) > 0 {
			printEdges(w, info.Channels)
		}
	})
}

func getNetworkInfo(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	n, err := ln.GetNetworkInfo(ctx, &lnrpc.NetworkInfoRequest{})
	if err != nil {
		return err
	}
	return c.print(n, func(w io.Writer) {
		var p show.Pairs
		p.Add("nodes", show.Number(n.NumNodes))
		p.Add("channels", show.Number(n.NumChannels))
		p.Add("channels per node", fmt.Sprintf("%.1f on average, %d at most", n.AvgOutDegree, n.MaxOutDegree))
		p.Add("capacity", show.Sat(n.TotalNetworkCapacity))
		p.Add("channel size", fmt.Sprintf("%s on average, %s in the middle", show.Sat(int64(n.AvgChannelSize)), show.Sat(n.MedianChannelSizeSat)))
		p.Add("forgotten channels", show.Number(n.NumZombieChans))
		p.Print(w)
	})
}

func getNodeMetrics(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.GetNodeMetrics(ctx, &lnrpc.NodeMetricsRequest{Types: []lnrpc.NodeMetricType{lnrpc.NodeMetricType_BETWEENNESS_CENTRALITY}})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		all := answer.BetweennessCentrality
		ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
			return cmp.Or(cmp.Compare(all[b].Value, all[a].Value), cmp.Compare(a, b))
		})
		t := show.NewTable("node", "centrality>", "of the highest>")
		for _, id := range ids {
			t.Row(id, fmt.Sprintf("%.2f", all[id].Value), fmt.Sprintf("%.4f", all[id].NormalizedValue))
		}
		t.Print(w)
	})
}
