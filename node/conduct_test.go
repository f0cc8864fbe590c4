package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
)

func TestFlapsAreForgiven(t *testing.T) {
	for _, c := range []struct {
		flaps uint32
		quiet time.Duration
		want  uint32
	}{
		{0, 1 << 62, 0}, {1000, 0, 1000}, {1000, forgiveAfter - 1, 1000}, {1000, forgiveAfter, 950}, {1000, 2 * forgiveAfter, 902},
		{1000, 1 << 62, 0}, {1, forgiveAfter, 0}, {5, -time.Hour, 5},
	} {
		require.Equal(t, c.want, cooled(c.flaps, c.quiet), "%v", c)
	}
}

// conductOf is what one node knows of how another behaves.
func conductOf(n *resident, id lnwire.PubKey) PeerInfo {
	for _, p := range n.ListPeers() {
		if p.ID == id {
			return p
		}
	}
	return PeerInfo{}
}

// checkErrors: what a peer complains of is shown, the last ten of it.
func checkErrors(t *testing.T, from, to *resident) {
	c := from.host.Conn(to.ID())
	for i := range maxPeerErrors + 2 {
		require.True(t, c.Send(peer.Channel, &lnwire.Error{ChannelID: lnwire.ChannelID{byte(i), 1}, Data: []byte(fmt.Sprintf("no %d", i))}))
	}
	var list []PeerError
	to.until("told", func() bool {
		list = conductOf(to, from.ID()).Errors
		return len(list) == maxPeerErrors && list[maxPeerErrors-1].Text == fmt.Sprintf("chan_id=0b01%060d, err=no 11", 0)
	})
	require.False(t, list[0].At.IsZero())
}

// flaps is how often a peer came and went, also of one that is away.
func (r *resident) flaps(id lnwire.PubKey) uint32 {
	p := PeerInfo{ID: id}
	r.conduct.read(&p)
	return p.Flaps
}
