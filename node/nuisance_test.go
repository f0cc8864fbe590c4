package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// crossing is a host at which somebody arrives between any two looks.
type crossing struct {
	Host
	arriving, there []lnwire.PubKey
}

func (h *crossing) Arriving() []lnwire.PubKey {
	defer h.arrive()
	return h.arriving
}

func (h *crossing) Conns() (list []Conn) {
	defer h.arrive()
	for _, id := range h.there {
		list = append(list, guest{id: id})
	}
	return list
}

func (h *crossing) arrive() {
	h.there, h.arriving = append(h.there, h.arriving...), nil
}

type guest struct {
	Conn
	id lnwire.PubKey
}

func (g guest) PubKey() lnwire.PubKey { return g.id }
func (g guest) Inbound() bool         { return true }

// V-44: nobody who is just arriving is overlooked.
func TestGuestsAreCountedAsTheyArrive(t *testing.T) {
	for late := range 2 {
		h := &crossing{}
		n := &Node{host: h, channels: newChannels()}
		for i := range maxGuests - late {
			id := lnwire.PubKey{2, byte(i)}
			if i == 0 {
				h.arriving = append(h.arriving, id)
			} else {
				h.there = append(h.there, id)
			}
		}
		err := n.admit(lnwire.PubKey{3}, nil, true)
		if late == 0 {
			require.EqualError(t, err, "too many peers without a channel")
		} else {
			require.NoError(t, err)
		}
	}
}
