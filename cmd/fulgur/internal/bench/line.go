package bench

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/local"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// setupTime is how long the channels may take to be usable.
const setupTime = time.Minute

// line is nodes with a channel between each and the next.
type line struct {
	net   *local.Net
	nodes []*local.Node
}

// newLine starts the nodes and opens the channels. The line is returned also with an
// error, to be stopped.
func newLine(ctx context.Context, o options, cfg local.Config) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	net, err := local.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	l := &line{net: net}
	for i := range o.hops + 1 {
		n, err := net.AddNode(ctx, local.NodeConfig{Name: string(rune('a' + i)), Counts: true})
		if err != nil {
			return l, err
		}
		l.nodes = append(l.nodes, n)
	}
	if err := l.fund(ctx); err != nil {
		return l, err
	}
	if err := l.open(ctx, max(minChannel, o.need())); err != nil {
		return l, err
	}
	return l, l.known(ctx, o.hops)
}

// fund gives everybody who opens a channel the coins for it.
func (l *line) fund(ctx context.Context) error {
	var txids []chainhash.Hash
	for _, n := range l.nodes[:len(l.nodes)-1] {
		addr, err := n.Lightning.NewAddress(ctx, &lnrpc.NewAddressRequest{})
		if err != nil {
			return err
		}
		tx, err := l.net.Chain.Miner().PayAddress(ctx, addr.Address, 2*maxChannel)
		if err != nil {
			return err
		}
		txids = append(txids, tx.TxHash())
	}
	if err := l.net.Confirm(ctx, 1, txids...); err != nil {
		return err
	}
	for _, n := range l.nodes[:len(l.nodes)-1] {
		err := local.Until(ctx, func() (bool, error) {
			w, err := n.Lightning.WalletBalance(ctx, &lnrpc.WalletBalanceRequest{})
			return err == nil && w.ConfirmedBalance == 2*maxChannel, err
		})
		if err != nil {
			return fmt.Errorf("wait for the coins of %s: %w", n.Name, err)
		}
	}
	return nil
}

func (l *line) open(ctx context.Context, capacity int64) error {
	var txids []chainhash.Hash
	for i, from := range l.nodes[:len(l.nodes)-1] {
		to := l.nodes[i+1]
		if err := from.Connect(ctx, to); err != nil {
			return err
		}
		peer, err := hex.DecodeString(to.ID)
		if err != nil {
			return err
		}
		point, err := from.Lightning.OpenChannelSync(ctx, &lnrpc.OpenChannelRequest{NodePubkey: peer, LocalFundingAmount: capacity})
		if err != nil {
			return fmt.Errorf("open %s-%s: %w", from.Name, to.Name, err)
		}
		var txid chainhash.Hash
		copy(txid[:], point.GetFundingTxidBytes())
		txids = append(txids, txid)
	}
	return l.net.Confirm(ctx, 6, txids...)
}

// known waits until every channel can be used and the payer knows all of them.
func (l *line) known(ctx context.Context, hops int) error {
	for i, n := range l.nodes {
		want := 2
		if i == 0 || i == len(l.nodes)-1 {
			want = 1
		}
		err := local.Until(ctx, func() (bool, error) {
			list, err := n.Lightning.ListChannels(ctx, &lnrpc.ListChannelsRequest{ActiveOnly: true})
			return err == nil && len(list.Channels) == want, err
		})
		if err != nil {
			return fmt.Errorf("wait for the channels of %s: %w", n.Name, err)
		}
	}
	err := local.Until(ctx, func() (bool, error) {
		graph, err := l.nodes[0].Lightning.DescribeGraph(ctx, &lnrpc.ChannelGraphRequest{})
		if err != nil {
			return false, err
		}
		known := 0
		for _, e := range graph.Edges {
			if e.Node1Policy != nil && e.Node2Policy != nil {
				known++
			}
		}
		return known == hops, nil
	})
	if err != nil {
		return fmt.Errorf("wait until the payer knows the channels: %w", err)
	}
	return nil
}
