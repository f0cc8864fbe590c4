package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/local"
	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// settleTime is how long the nodes may take to see a block before a figure that is
// not right counts as wrong.
const settleTime = 20 * time.Second

// figures are what a node says that it has.
type figures struct {
	wallet   int64 // sat, confirmed
	pending  int64 // sat, unconfirmed
	channels int64 // msat
	under    int64 // msat under way
}

func ask(ctx context.Context, n *local.Node) (f figures, err error) {
	w, err := n.Lightning.WalletBalance(ctx, &lnrpc.WalletBalanceRequest{})
	if err != nil {
		return f, fmt.Errorf("wallet of %s: %w", n.Name, err)
	}
	c, err := n.Lightning.ChannelBalance(ctx, &lnrpc.ChannelBalanceRequest{})
	if err != nil {
		return f, fmt.Errorf("channels of %s: %w", n.Name, err)
	}
	return figures{
		wallet: w.ConfirmedBalance, pending: w.UnconfirmedBalance, channels: int64(c.LocalBalance.GetMsat()),
		under: int64(c.UnsettledLocalBalance.GetMsat() + c.UnsettledRemoteBalance.GetMsat()),
	}, nil
}

// right says whether the figures are what the book says.
func (s *story) right(who string, f figures) bool {
	return f == figures{wallet: s.book.wallet[who], channels: s.book.inChannels(who)}
}

// check shows what everybody has, and fails unless all of it is what the book says.
func (s *story) check(ctx context.Context, title string) error {
	s.t.wait("comparing the books")
	got := map[string]figures{}
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err := local.Until(wait, func() (bool, error) {
		all := true
		for _, n := range s.net.Nodes {
			f, err := ask(ctx, n)
			if err != nil {
				return false, err
			}
			got[n.Name] = f
			all = all && s.right(n.Name, f)
		}
		return all, nil
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return s.table(title, got)
}

func (s *story) table(title string, got map[string]figures) error {
	s.t.chapter("%s:", title)
	t := show.NewTable("", "on the chain>", "in channels>", "set aside>", "together>", "")
	wrong := 0
	for _, who := range s.book.people {
		f, verdict := got[who], "as it must be"
		if !s.right(who, f) {
			wrong++
			verdict = fmt.Sprintf("WRONG: %s on the chain and %s in channels is right (unconfirmed %s, under way %s)",
				show.Sat(s.book.wallet[who]), show.Msat(s.book.inChannels(who)), show.Sat(f.pending), show.Msat(f.under))
		}
		together := f.wallet*1000 + f.channels + s.book.aside(who)*1000
		t.Row(who, show.Sat(f.wallet), show.Msat(f.channels), show.Sat(s.book.aside(who)), show.Msat(together), verdict)
	}
	t.Print(indented{s.t.w})
	if wrong > 0 {
		return fmt.Errorf("%s: the balances of %d nodes are not right", title, wrong)
	}
	return nil
}
