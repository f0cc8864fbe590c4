package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/peer"
)

// ErrNotConnected says that a peer is not connected.
var ErrNotConnected = errors.New("is not connected")

// PeerInfo is a connected peer.
type PeerInfo struct {
	ID       lnwire.PubKey
	Addr     string
	Inbound  bool
	Features lnwire.Features
	Stats    peer.Stats
	Channels int
	// Of a peer with which there are channels: how often it came and went, less what was
	// forgiven, when it last did (zero: never), and of what it complained, oldest first.
	Flaps    uint32
	LastFlap time.Time
	Errors   []PeerError
}

// ListPeers are the connected peers, in the order of their keys.
func (n *Node) ListPeers() []PeerInfo {
	var out []PeerInfo
	for _, c := range n.host.Conns() {
		p := PeerInfo{
			ID: c.PubKey(), Addr: c.Addr(), Inbound: c.Inbound(), Features: c.Features(), Stats: c.Stats(),
			Channels: len(n.channels.of(c.PubKey())),
		}
		n.conduct.read(&p)
		out = append(out, p)
	}
	return out
}

// ConnectPeer dials a peer. With keep it is dialled again whenever it is away, also
// after a restart, and a first failure is not the end.
func (n *Node) ConnectPeer(ctx context.Context, id lnwire.PubKey, addr string, keep bool, timeout time.Duration) error {
	if id == n.id {
		return mistake.Argument("cannot make connection to self")
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(addr, "9735")
	}
	if c := n.host.Conn(id); c != nil {
		return mistake.Twice("already connected to peer: %s@%s", id, c.Addr())
	}
	if keep {
		if _, err := n.db.Write(channeldb.Batch{Peers: []channeldb.Peer{{Key: id, Addresses: []string{addr}}}}); err != nil {
			return fmt.Errorf("remember peer: %w", err)
		}
		n.host.Keep(id, addr)
		return nil
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if _, err := n.host.Connect(ctx, id, addr); err != nil {
		return mistake.State("%w", err) // there is nobody, or not who was expected
	}
	return nil
}

// DisconnectPeer hangs up. A peer with which there are channels is dialled again.
func (n *Node) DisconnectPeer(id lnwire.PubKey) error {
	c := n.host.Conn(id)
	if c == nil {
		return fmt.Errorf("peer %s %w", id, ErrNotConnected)
	}
	if len(n.channels.of(id)) == 0 {
		n.host.Forget(id)
		n.write(channeldb.Batch{PeersGone: []lnwire.PubKey{id}}, nil)
	}
	c.Close(errors.New("disconnected by the operator"))
	<-c.Done()
	return nil
}

// rememberPeer keeps the address of a peer with which a channel begins, so that it
// can be dialled again.
func (n *Node) rememberPeer(id lnwire.PubKey) {
	c := n.host.Conn(id)
	if c == nil || c.Inbound() {
		return // its announcement may tell where it listens
	}
	n.write(channeldb.Batch{Peers: []channeldb.Peer{{Key: id, Addresses: []string{c.Addr()}}}}, nil)
	n.host.Keep(id, c.Addr())
}

// seek goes on looking for a peer that left while there are channels with it. One
// that came to us is dialled where its announcement says that it listens: it may not
// be the one that comes back (lnd does not after a disconnect by its operator).
func (n *Node) seek(id lnwire.PubKey) {
	if len(n.channels.of(id)) > 0 && !n.host.Kept(id) {
		n.host.Keep(id, n.gossip.addresses(id)...)
	}
}

// keepPeers dials the peers that were kept before, and those with which there are
// channels, wherever they say that they are.
func (n *Node) keepPeers() error {
	peers, err := n.db.Peers()
	if err != nil {
		return err
	}
	addrs := map[lnwire.PubKey][]string{}
	for _, e := range n.channels.all() {
		addrs[e.peer] = n.gossip.addresses(e.peer)
	}
	for _, p := range peers {
		addrs[p.Key] = append(p.Addresses, addrs[p.Key]...)
	}
	for id, list := range addrs {
		if len(list) > 0 {
			n.host.Keep(id, list...)
		}
	}
	return nil
}
