package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet"
)

// loadChannels makes a machine of every channel that has rows, and tells the switch
// which HTLCs were on their way. No machine takes a turn before resume.
func (n *Node) loadChannels() error {
	var live []forward.Live
	err := n.db.Channels(func(num uint64, rows channel.Rows) error {
		m := channel.Load(&n.chanConfig, n.newCrypto(), rows)
		if m == nil {
			return fmt.Errorf("channel %d: its rows are not whole", num)
		}
		e := n.entry(num, rows.Terms.Peer)
		e.cursor = rows.Core.Tip
		e.format = rows.Terms.Format
		e.anchors.Store(mayNeedCoins(e.format, rows.Core))
		e.runner = turn.NewRunner(num, m, shell{n, e}, n.spawn)
		e.runner.Mute = n.cfg.Hodl.Commit
		e.alias, e.committed = rows.Terms.Alias, rows.Core.LocalN
		e.name = (&channel.Info{Core: *rows.Core, Terms: *rows.Terms}).Name()
		n.channels.add(e)
		n.channels.name(e, rows.Terms.TempID)
		n.channels.name(e, rows.Core.ChannelID)
		n.channels.fund(e, rows.Core.Funding)
		n.restored.rememberBatch(num, &rows)
		for _, h := range rows.HTLCs {
			if h.Ref.Dir == htlc.Outgoing && !h.State.Gone() && !h.Told {
				live = append(live, forward.Live{Ref: h.Ref, Origin: h.Origin, Amount: h.Amount})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	outcomes, answers, err := n.db.Outbox()
	if err != nil {
		return err
	}
	tags, err := n.db.Tags()
	if err != nil {
		return err
	}
	outcomes = slices.DeleteFunc(outcomes, func(o htlc.Outcome) bool {
		return o.Origin.Kind == htlc.FromForward && n.nobody(o.Origin.Ref)
	})
	answers = slices.DeleteFunc(answers, func(a invoice.Answer) bool { return n.nobody(a.Ref) })
	n.restored.live, n.restored.outcomes, n.restored.answers = live, outcomes, answers
	n.board.sw.Step(n.now(), forward.Restarted{Height: n.tip().Height, Live: live, Outbox: outcomes, Tags: tags})
	n.board.sw.Step(n.now(), forward.Chain{}) // out of sight until the node has caught up
	return n.freeLeases()
}

// nobody: the incoming HTLC's channel is gone, and what waits for it in the outbox goes
// as well.
func (n *Node) nobody(ref htlc.Ref) bool {
	if n.channels.num(ref.ChanNum) != nil {
		return false
	}
	n.outboxDone(ref)
	return true
}

// freeLeases ends the leases of fundings that no channel knows of: the process ended
// between the two.
func (n *Node) freeLeases() error {
	return n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) {
		return w.ReleaseIf(func(l wallet.LeaseRow) bool {
			return l.Owner == wallet.LeasedByChannel && n.channels.num(l.Number) == nil
		}), nil
	})
}

// resume lets every machine derive its effects again and replays what nobody took. It
// waits until each has told what link it is: an HTLC that is decided before would be
// refused for good, as if the channel that it is to take next did not exist.
func (n *Node) resume() error {
	all := n.channels.all()
	told := make(chan struct{}, len(all))
	for _, e := range all {
		e.runner.Inbox.Put(turn.Item{Event: n.tick()})
		e.runner.Inbox.Put(turn.Item{Event: channel.Resumed{}})
		e.runner.Inbox.Put(turn.Item{Look: func(turn.Machine) func() { return func() { told <- struct{}{} } }})
	}
	for range all {
		select {
		case <-told:
		case <-n.ctx.Done():
			return context.Cause(n.ctx)
		case <-n.db.Dead(): // what was resumed cannot be written
			return errStopping
		}
	}
	for _, a := range n.restored.answers {
		n.answerTo(nil, channel.Resolve{Ref: a.Ref, Resolution: a.Resolution})
	}
	n.resumeBatches()
	n.restored = restored{}
	n.purse.mu.Lock()
	n.purse.queue(n.purse.wallet.Resumed(), nil)
	n.purse.mu.Unlock()
	return nil
}

// restored is what the store held of HTLCs on their way, between loading and resume.
type restored struct {
	live     []forward.Live
	outcomes []htlc.Outcome
	answers  []invoice.Answer
	batches  map[chainhash.Hash]*keptBack // fundings of ours, by txid
}
