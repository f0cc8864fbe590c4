package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

// Contact is where a node is said to be.
type Contact struct {
	ID      lnwire.PubKey
	Address string // host:port
}

const (
	enoughPeers    = 3 // connections that make looking for more needless
	oneDial        = 15 * time.Second
	minBootstrap   = 5 * time.Second // between two rounds that found nobody ..
	maxBootstrap   = time.Hour       // .. and in the end
	contactsAtOnce = 8
)

// bootstrap looks for peers to learn the map from while there are few: among the
// nodes that the map knows, else by asking the seeds (BOLT 10).
func (n *Node) bootstrap() {
	for wait := minBootstrap; ; wait = min(2*wait, maxBootstrap) {
		if len(n.host.Conns()) >= enoughPeers || n.meetSome() {
			wait = minBootstrap // whoever is lost later is soon replaced
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-n.ctx.Done():
			return
		}
	}
}

// meetSome dials a handful of nodes; true when one of them is there. The seeds are asked
// when the map names nobody who answers: it may be old.
func (n *Node) meetSome() bool {
	if n.meetAny(n.fromMap()) || n.ctx.Err() != nil {
		return true
	}
	contacts, err := n.cfg.Seeds(n.ctx)
	if err != nil && n.ctx.Err() == nil {
		n.logs.gossip.Warn("no nodes learned from the DNS seeds", "err", err)
	}
	rand.Shuffle(len(contacts), func(i, j int) { contacts[i], contacts[j] = contacts[j], contacts[i] })
	return n.meetAny(contacts)
}

func (n *Node) meetAny(contacts []Contact) (met bool) {
	for _, c := range contacts[:min(len(contacts), contactsAtOnce)] {
		if len(n.host.Conns()) >= enoughPeers || n.ctx.Err() != nil {
			break
		}
		met = n.meet(c) || met
	}
	return met
}

func (n *Node) meet(c Contact) bool {
	ctx, cancel := context.WithTimeout(n.ctx, oneDial)
	defer cancel()
	_, err := n.host.Connect(ctx, c.ID, c.Address)
	if err != nil && !errors.Is(err, peer.ErrAlreadyConnected) && n.ctx.Err() == nil {
		n.logs.gossip.Debug("not met", "node", c.ID, "address", c.Address, "err", err)
	}
	return err == nil
}

// fromMap draws nodes whose announcements say where they are.
func (n *Node) fromMap() []Contact {
	var drawn []Contact // a sample of fixed size from a list of unknown length
	seen := 0
	for info := range n.gossip.snapshot().AllNodes() {
		if info.ID == n.id || len(info.Addresses) == 0 || n.host.Conn(info.ID) != nil {
			continue
		}
		seen++
		c := Contact{ID: info.ID, Address: info.Addresses[rand.IntN(len(info.Addresses))].String()}
		switch at := rand.IntN(seen); {
		case len(drawn) < contactsAtOnce:
			drawn = slices.Insert(drawn, rand.IntN(len(drawn)+1), c)
		case at < contactsAtOnce:
			drawn[at] = c
		}
	}
	return drawn
}
