package node

import (
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
)

// PeerEvents tells which peers come and go.
func (n *Node) PeerEvents() *Subscription[PeerEvent] { return n.Peers.Subscribe() }

// ChannelEvents tells the steps of channels' lives.
func (n *Node) ChannelEvents() *Subscription[ChannelEvent] { return n.Channels.Subscribe() }

// HTLCEvents tells what becomes of forwards.
func (n *Node) HTLCEvents() *Subscription[forward.Notice] { return n.HTLCs.Subscribe() }

// TransactionEvents tells the wallet's transactions when they change.
func (n *Node) TransactionEvents() *Subscription[wallet.TxRow] { return n.Transactions.Subscribe() }

// BlockEvents tells the blocks that the node has taken in.
func (n *Node) BlockEvents() *Subscription[lnwire.BlockRef] { return n.Blocks.Subscribe() }
