package node

import (
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet"
)

// ChannelEvent is a step in a channel's life, for subscribers.
type ChannelEvent struct {
	channel.Notice
	Link *channel.LinkState // as last known; nil before the funding is agreed
	// Committed: there is a new commitment of ours, and nothing else to tell. These are
	// many: who wants to look at the channel then does so once for those that wait.
	Committed bool
}

// committed tells subscribers of a new commitment, which is durable.
func (n *Node) committed(e *entry, core *channel.Core) {
	if core == nil || core.LocalN == e.committed {
		return
	}
	if e.committed = core.LocalN; n.Channels.Watched() {
		n.Channels.Publish(ChannelEvent{Notice: channel.Notice{ChanNum: e.num}, Link: e.link.Load(), Committed: true})
	}
}

// tell passes a notice on to whom it concerns.
func (n *Node) tell(t channel.Notice) {
	ev := ChannelEvent{Notice: t}
	if e := n.channels.num(t.ChanNum); e != nil {
		ev.Link = e.link.Load()
	}
	n.logNotice(t)
	n.openNotice(t)
	n.closeNotice(t)
	n.Channels.Publish(ev)
}

// walletNotice logs what the wallet and the sweeper tell.
func (n *Node) walletNotice(t wallet.Notice) {
	switch t := t.(type) {
	case wallet.Swept:
		n.logs.sweeps.Info("swept", "output", t.OutPoint, "txid", t.Txid, "height", t.At.Height)
	case wallet.SweepLost:
		n.logs.sweeps.Info("output taken by another transaction", "output", t.OutPoint, "txid", t.By)
	case wallet.SweepHeld:
		n.logs.sweeps.Info("sweep waits", "output", t.OutPoint, "why", t.Why)
	case wallet.TxGone:
		n.publisher.forget(t.Tx.Txid)
		n.logs.wallet.Warn("transaction will not be mined", "txid", t.Tx.Txid, "by", t.By)
	}
}

// entry makes the place of a channel, with an alarm by which its machine can have
// itself woken.
func (n *Node) entry(num uint64, peer lnwire.PubKey) *entry {
	e := &entry{num: num, peer: peer}
	e.alarm = n.newAlarm(func() { e.runner.Inbox.Put(turn.Item{Event: n.tick()}) })
	return e
}

func (n *Node) tick() channel.Tick { return channel.Tick{Now: n.now(), Mono: n.mono()} }
