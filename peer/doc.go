// Package peer is one connection's life: dialled or accepted, authenticated by
// BOLT 8, introduced by init, kept alive by pings, read, written and closed.
//
// It owns the sockets, the table of who is connected, the queues of what is to be
// sent with their byte budgets (V-44), the pings, the answers to them, the limits
// on half-open connections, and the patience with which persistent peers are
// dialled again. A peer enters the table, and the Sink hears of it, only when its
// init has been read and found acceptable (V-49).
//
// It must never know what any message after init means: channels, gossip, errors
// and warnings go to the Sink as they come.
//
//	h, err := peer.NewHost(peer.Config{Key: key, Features: f, Sink: node, ...})
//	go h.Serve(listener)
//	c, err := h.Connect(ctx, id, "203.0.113.7:9735")
//	c.Send(peer.Channel, sig, revoke)  // these two go out next to each other
//	if !c.Send(peer.Gossip, update) {  // over budget: wait for Drained, try again
//	}
//	h.Keep(id, "203.0.113.7:9735")     // dial again whenever it is away
//	h.Close()
//
// Each connection has two goroutines. The reading one calls the Sink and is the
// only one that does: while Message does not return nothing more is read, and so
// the peer is slowed down by TCP. The writing one takes whatever waits, at once,
// into one write; no timer stands between Send and the socket.
//
// Files: host.go, connect.go, listen.go, keep.go (who is connected), handshake.go
// and init.go (how one begins), lane.go (guests), read.go, write.go, queue.go, pulse.go (how it
// lives), conn.go (what the node holds of it).
package peer
