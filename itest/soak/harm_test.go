package soak

import (
	"slices"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// tally counts what was done.
type tally struct {
	kills, stops, resets, aways, reorgs int
	deaf                                int // nodes that had to be started again, for they did not find the chain
	ended                               int // nodes that had to be started again, for they had ended by themselves
	idle                                int // starts after which a channel could not be used within rig.Patience
	longAway                            bool
	before, after                       usage
}

// harm does one thing to the town. Half of all are kills.
func (s *town) harm() {
	time.Sleep(time.Duration(s.rng.Int64N(int64(400 * time.Millisecond)))) // any moment will do
	s.supervise()
	victim := s.nodes[s.rng.IntN(len(s.nodes)-1)]
	switch what := s.rng.IntN(20); {
	case what < 11:
		s.kill(victim)
	case what < 14:
		s.pause(victim)
	case what < 18:
		s.ways[s.rng.IntN(len(s.ways))].proxy.Reset()
		s.count.resets++
	case what < 19:
		s.chainAway(time.Duration(1+s.rng.IntN(3)) * time.Second)
	default:
		s.reorg()
	}
}

// kill ends a process as a power cut would, and measures how long its channels cannot be
// used once it is back.
func (s *town) kill(n *rig.Node) {
	n.Kill()
	if s.rng.IntN(3) == 0 {
		time.Sleep(time.Duration(s.rng.IntN(1000)) * time.Millisecond)
	}
	begun := time.Now()
	s.launch(n)
	for n.Up() && !active(n) && time.Since(begun) < rig.Patience {
		time.Sleep(20 * time.Millisecond)
	}
	if time.Since(begun) >= rig.Patience {
		s.count.idle++
		s.wrong("%s's channels are not active after %v", n.Name, rig.Patience)
	}
	s.active = append(s.active, time.Since(begun))
	s.count.kills++
	if s.count.kills%20 == 0 {
		s.t.Logf("%d of %d kills, %d payments made, active again after %v (median)",
			s.count.kills, *kills, s.made.Load(), s.median().Round(time.Millisecond))
	}
}

// active: all channels of the node can be used.
func active(n *rig.Node) bool {
	list, err := n.LN.ListChannels(rig.Soon(n.T), &lnrpc.ListChannelsRequest{})
	return err == nil && !slices.ContainsFunc(list.Channels, func(c *lnrpc.Channel) bool { return !c.Active })
}

// launch starts a node's process, and again when that does not come to work.
func (s *town) launch(n *rig.Node) {
	for range 4 {
		n.Launch()
		err := n.Reach(lnrpc.WalletState_SERVER_ACTIVE)
		if err == nil {
			n.ConnectAPI()
			return
		}
		s.wrong("%s does not start (it runs: %v): %v", n.Name, n.Up(), err)
		s.count.ended++
		if n.Up() {
			n.Kill()
		}
	}
	s.t.Fatalf("%s cannot be started\n%s", n.Name, rig.Tail(n.Log(), 3000))
}

// supervise starts whoever has ended by itself, as an operator's supervisor would.
func (s *town) supervise() {
	for _, n := range s.nodes {
		if n.Up() {
			continue
		}
		s.wrong("%s has ended by itself: %v", n.Name, n.Proc.Err)
		s.count.ended++
		n.HangUp()
		s.launch(n)
	}
}

func (s *town) median() time.Duration {
	list := slices.Sorted(slices.Values(s.active))
	return list[len(list)/2]
}

// pause stops a process and lets it go on: its peers see a dead connection, it sees a
// jump of all clocks.
func (s *town) pause(n *rig.Node) {
	require.NoError(s.t, n.Proc.Cmd.Process.Signal(syscall.SIGSTOP))
	time.Sleep(time.Duration(100+s.rng.IntN(2500)) * time.Millisecond)
	require.NoError(s.t, n.Proc.Cmd.Process.Signal(syscall.SIGCONT))
	s.count.stops++
}

// chainAway kills the nodes' btcd, mines elsewhere, and brings it back. What is said to
// be synced must be able to spend at once.
func (s *town) chainAway(long time.Duration) {
	s.w.Chain.Kill()
	time.Sleep(long / 2)
	_, err := s.other.Generate(s.t.Context(), 1)
	require.NoError(s.t, err)
	time.Sleep(long / 2)
	require.NoError(s.t, s.w.Chain.Restart(rig.Soon(s.t)))
	s.join()
	s.synced()
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	_, err = n.LN.SendCoins(rig.Soon(s.t), &lnrpc.SendCoinsRequest{Addr: n.Address(), Amount: 20_000, SatPerVbyte: 2, SpendUnconfirmed: true})
	if err != nil {
		s.wrong("%s says that it is synced, and cannot spend: %v", n.Name, err)
	}
	s.count.aways++
}

// reorg replaces the last blocks by more others.
func (s *town) reorg() {
	depth := 1 + s.rng.Int32N(3)
	height, _, err := s.other.Tip(s.t.Context())
	require.NoError(s.t, err)
	hash, err := s.other.BlockHash(s.t.Context(), height-depth+1)
	require.NoError(s.t, err)
	require.NoError(s.t, s.other.InvalidateBlock(s.t.Context(), hash))
	_, err = s.other.Generate(s.t.Context(), int(depth)+1)
	require.NoError(s.t, err)
	s.join()
	s.synced()
	s.count.reorgs++
}

// synced waits until everybody follows the chain. Who does not, by itself or because it
// has ended, is started again, and that is wrong.
func (s *town) synced() {
	end := time.Now().Add(deaf)
	for _, n := range s.nodes {
		for n.Up() && !s.follows(n) && time.Now().Before(end) {
			time.Sleep(50 * time.Millisecond)
		}
		if n.Up() && s.follows(n) {
			continue
		}
		if n.Up() {
			s.wrong("%s does not follow the chain after %v", n.Name, deaf)
			s.count.deaf++
			n.Kill()
			s.launch(n)
		}
		s.supervise()
		rig.Eventually(s.t, n.Name+" follows the chain after its start", func() bool { return s.follows(n) })
	}
}

// follows: the node stands on the block that the chain ends with.
func (s *town) follows(n *rig.Node) bool {
	height, hash, err := s.w.Chain.Tip(s.t.Context())
	require.NoError(s.t, err)
	i, err := n.LN.GetInfo(rig.Soon(s.t), &lnrpc.GetInfoRequest{})
	return err == nil && i.SyncedToChain && i.BlockHeight == uint32(height) && i.BlockHash == hash.String()
}

// deaf is how long the nodes may take to find their chain again.
const deaf = rig.Patience / 2

// join connects the two btcds and waits until they stand on one block.
func (s *town) join() {
	rig.Eventually(s.t, "both btcds agree", func() bool {
		_ = s.w.Chain.Call(s.t.Context(), nil, "addnode", s.other.P2PAddr(), "onetry") // an error says that it is connected already
		_, hash1, err1 := s.w.Chain.Tip(s.t.Context())
		_, hash2, err2 := s.other.Tip(s.t.Context())
		return err1 == nil && err2 == nil && hash1 == hash2
	})
}
