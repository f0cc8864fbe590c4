package node

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

// nuisances bounds, for each connection, what costs us something and brings nobody
// anything: complaints, messages of channels that we do not have, openings. An honest
// peer with hundreds of channels that we have forgotten stays below it.
type nuisances struct{ left sync.Map } // of *allowance, by Conn

const (
	nuisanceBurst  = 1000
	nuisanceRefill = 100 * time.Millisecond // for each
	// openingCost is what an open_channel counts for: it costs a machine.
	openingCost = 10
)

// allowance is spent by the connection's own goroutine only.
type allowance struct {
	left int
	at   time.Time
}

func (a *allowance) spend(now time.Time, cost int) bool {
	if more := int(now.Sub(a.at) / nuisanceRefill); more > 0 {
		a.left = min(nuisanceBurst, a.left+more)
		a.at = now
	}
	a.left -= cost
	return a.left >= 0
}

// bears counts a nuisance. Of one too many it is false, and ends the connection.
func (n *Node) bears(c Conn, cost int) bool {
	v, _ := n.nuisances.left.LoadOrStore(c, &allowance{left: nuisanceBurst, at: n.now()})
	if v.(*allowance).spend(n.now(), cost) {
		return true
	}
	const why = "too many complaints, openings and messages of unknown channels"
	if c.Err() == nil {
		c.Send(peer.Channel, &lnwire.Warning{Data: []byte(why)})
		c.Close(errors.New(why))
	}
	return false
}

// gone forgets a connection.
func (s *nuisances) gone(c Conn) { s.left.Delete(c) }

// maxGuests bounds the peers that dialled us and that we have no channel with: their
// keys cost them nothing, and each costs us memory (V-44).
const maxGuests = 100

// admit is peer.Config's Admit.
func (n *Node) admit(id lnwire.PubKey, _ net.Addr, inbound bool) error {
	if !inbound || len(n.channels.of(id)) > 0 {
		return nil
	}
	// Who is just arriving is in the one list, then in the other: looked at in this order
	// nobody is overlooked, and the map counts nobody twice.
	crowd := map[lnwire.PubKey]bool{}
	for _, other := range n.host.Arriving() {
		crowd[other] = true
	}
	for _, c := range n.host.Conns() {
		if c.Inbound() {
			crowd[c.PubKey()] = true
		}
	}
	delete(crowd, id)
	guests := 0
	for other := range crowd {
		if len(n.channels.of(other)) == 0 {
			guests++
		}
	}
	if guests >= maxGuests {
		return errors.New("too many peers without a channel")
	}
	return nil
}

// isGuest is peer.Config's Guest: who has no channel with us that somebody has paid for.
// An opening whose funding never comes costs nothing.
func (n *Node) isGuest(id lnwire.PubKey) bool {
	for _, e := range n.channels.of(id) {
		if l := e.link.Load(); l != nil && !l.Ended && paidFor(l) {
			return false
		}
	}
	return true
}

// paidFor: the funding is in the chain, or ours, or the peer is trusted.
func paidFor(l *channel.LinkState) bool { return l.SCID != 0 || l.Funder || l.Kind.ZeroConf }

// complain tells a peer that something about a channel is wrong. With an id of zeros an
// error would be about all channels (B2.error.2): then it is a warning.
func complain(c Conn, id lnwire.ChannelID, text string) {
	if id.IsZero() {
		c.Send(peer.Channel, &lnwire.Warning{Data: []byte(text)})
		return
	}
	c.Send(peer.Channel, &lnwire.Error{ChannelID: id, Data: []byte(text)})
}
