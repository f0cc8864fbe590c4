package scale

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestSync: a node that has nothing learns a whole graph from one peer, keeps it over a
// restart, and tells it to who asks. With -scale it is the main network's, and the
// figures are the ones of docs/benchmarks.md.
func TestSync(t *testing.T) {
	p := small()
	if *full {
		if p = mainnet(t); p == nil {
			t.Fatalf("there is no %s", graphFile)
		}
	}
	w := rig.NewWorld(t)
	start := time.Now()
	ids := fund(t, w, p)
	t.Logf("%d channels of %d nodes are funded: %.1f s", len(p.channels), p.nodes, time.Since(start).Seconds())
	start = time.Now()
	g := signed(t, p, ids)
	t.Logf("%d updates and all else signed, %s: %.1f s", g.updates, mib(int64(g.bytes)), time.Since(start).Seconds())
	slices.Sort(g.ids)
	s := newSpeaker(t, g)

	for _, c := range []struct {
		name    string
		options []string
		flags   bool
	}{
		{"proved", nil, true},
		{"assumed", []string{"--routing.assumechanvalid", "--protocol.no-gossip-queries-ex"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := w.NewNode(c.name, append([]string{"--noseedbackup", "--debuglevel=info"}, c.options...)...)
			n.Start()
			learn(t, n, s)
			require.Equal(t, c.flags, s.take().flagged > 0)
			again(t, n, s)
		})
	}
	if os.Getenv("LND_BIN") != "" {
		t.Run("lnd", func(t *testing.T) { compare(t, w, s) })
	}
}

// learn connects a node to the speaker and waits until it knows everything.
func learn(t *testing.T, n *rig.Node, s *speaker) {
	before, start := usageOf(n.Proc.Cmd.Process.Pid), time.Now()
	t.Logf("idle: %v", before)
	connect(t, n.LN, s)
	require.True(t, await(t, n.LN, s, time.Second, 30*time.Minute))
	took, after := time.Since(start), usageOf(n.Proc.Cmd.Process.Pid)
	after.cpu -= before.cpu
	t.Logf("synchronised in %.1f s: %v", took.Seconds(), after)
	rest(t, n)
	describe(t, n.LN, s.g)
	t.Logf("after DescribeGraph: %v", usageOf(n.Proc.Cmd.Process.Pid))
	s.count(func(c *said) {
		t.Logf("the speaker was asked in %d queries for %d ids and sent %d messages, %s", c.queries, c.asked, c.messages, mib(int64(c.bytes)))
	})
}

// again starts the node once more: everything is there, and nothing is asked for twice.
func again(t *testing.T, n *rig.Node, s *speaker) {
	n.Stop()
	t.Logf("its file: %s", mib(sizeOf(n.Dir, "graph.db")))
	start := time.Now()
	n.Start()
	require.EqualValues(t, len(s.g.ids), info(t, n.LN).NumChannels)
	t.Logf("started again in %.2f s: %v", time.Since(start).Seconds(), usageOf(n.Proc.Cmd.Process.Pid))
	rest(t, n)
	for line := range strings.Lines(n.Log()) {
		if strings.Contains(line, "graph is loaded") {
			t.Log(strings.TrimSpace(line))
		}
	}
	connect(t, n.LN, s)
	rig.Eventually(t, "the speaker is asked what it has", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.said.ranges > 0
	})
	describe(t, n.LN, s.g)
	require.Zero(t, s.take().asked)
}

// rest tells what a node takes when it has nothing to do. Only the figures need it.
func rest(t *testing.T, n *rig.Node) {
	if *full {
		time.Sleep(5 * time.Second)
		t.Logf("at rest: %v", usageOf(n.Proc.Cmd.Process.Pid))
	}
}

func connect(t *testing.T, ln lnrpc.LightningClient, s *speaker) {
	t.Helper()
	_, err := ln.ConnectPeer(rig.Soon(t), &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: s.id.String(), Host: s.addr}})
	require.NoError(t, err)
}

func info(t *testing.T, ln lnrpc.LightningClient) *lnrpc.NetworkInfo {
	t.Helper()
	i, err := ln.GetNetworkInfo(rig.Soon(t), &lnrpc.NetworkInfoRequest{})
	require.NoError(t, err)
	return i
}

// await waits until a node has every channel and the last of what it was told is in. To
// count the map costs an implementation something, so it is asked now and then.
func await(t *testing.T, ln lnrpc.LightningClient, s *speaker, every, patience time.Duration) bool {
	t.Helper()
	if !*full {
		every = 20 * time.Millisecond
	}
	var channels uint32
	for end := time.Now().Add(patience); ; time.Sleep(every) {
		i, err := ln.GetNetworkInfo(rig.Soon(t), &lnrpc.NetworkInfoRequest{})
		if err == nil { // it may be too busy to answer
			channels = i.NumChannels
		}
		if int(channels) == len(s.g.ids) && whole(t, ln, s.g) {
			return true
		}
		if time.Now().After(end) {
			t.Logf("%d of %d channels after %v", channels, len(s.g.ids), patience)
			return false
		}
	}
}

// whole tells whether updates and nodes are complete, too. It asks for some channels
// and nodes at the end of what is sent; the rest was sent before.
func whole(t *testing.T, ln lnrpc.LightningClient, g *graph) bool {
	t.Helper()
	for _, id := range g.ids[max(0, len(g.ids)-30):] {
		e, err := ln.GetChanInfo(rig.Soon(t), &lnrpc.ChanInfoRequest{ChanId: uint64(id)})
		require.NoError(t, err)
		c := g.channels[id]
		if (e.Node1Policy != nil) != (c.times[0] != 0) || (e.Node2Policy != nil) != (c.times[1] != 0) {
			return false
		}
		for _, pub := range []string{e.Node1Pub, e.Node2Pub} {
			n, err := ln.GetNodeInfo(rig.Soon(t), &lnrpc.NodeInfoRequest{PubKey: pub})
			require.NoError(t, err)
			if n.Node.LastUpdate == 0 {
				return false
			}
		}
	}
	return true
}

// describe asks for the whole graph, and for every message of the speaker in it.
func describe(t *testing.T, ln lnrpc.LightningClient, g *graph) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	start := time.Now()
	all, err := ln.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{}, grpc.MaxCallRecvMsgSize(256<<20))
	require.NoError(t, err)
	t.Logf("DescribeGraph: %.2f s", time.Since(start).Seconds())
	require.Len(t, all.Edges, len(g.ids))
	updates := 0
	for _, e := range all.Edges {
		for _, p := range []*lnrpc.RoutingPolicy{e.Node1Policy, e.Node2Policy} {
			if p != nil {
				updates++
			}
		}
	}
	require.Equal(t, g.updates, updates)
	told := 0
	for _, n := range all.Nodes {
		if n.LastUpdate != 0 {
			told++
			number, err := strconv.Atoi(strings.TrimPrefix(n.Alias, "node "))
			require.NoError(t, err)
			require.Len(t, n.Addresses, len(addresses(number)), n.Alias)
		}
	}
	require.Equal(t, len(g.nodes), told)
}

// learnFromLnd: what lnd has learned it tells a node of ours, which asks it with the
// options of extended queries.
func learnFromLnd(t *testing.T, w *rig.World, l *lnd, s *speaker) {
	n := w.NewNode("pupil"+strconv.Itoa(len(w.Nodes)), "--noseedbackup")
	n.Start()
	_, err := l.ln.ConnectPeer(rig.Soon(t), &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: n.ID, Host: n.P2P}})
	require.NoError(t, err)
	require.True(t, await(t, n.LN, s, time.Second, time.Minute))
	describe(t, n.LN, s.g)
	n.Stop()
}

// compare lets lnd learn the same from the same speaker, for ten minutes at most.
func compare(t *testing.T, w *rig.World, s *speaker) {
	for _, options := range [][]string{nil, {"--routing.assumechanvalid"}} {
		l := startLnd(t, w, options...)
		before, start := usageOf(l.pid()), time.Now()
		connect(t, l.ln, s)
		ok := await(t, l.ln, s, 5*time.Second, 10*time.Minute)
		took, after := time.Since(start), usageOf(l.pid())
		after.cpu -= before.cpu
		t.Logf("lnd %v, complete %v: %.1f s: %v", options, ok, took.Seconds(), after)
		t.Logf("its files: %s", mib(sizeOf(filepath.Join(l.dir, "data"), "channel.db")))
		if ok && !*full {
			learnFromLnd(t, w, l, s)
		}
		l.stop()
		start = time.Now()
		l.start()
		t.Logf("started again in %.2f s with %d channels: %v", time.Since(start).Seconds(), info(t, l.ln).NumChannels, usageOf(l.pid()))
		l.stop()
		s.take()
	}
}
