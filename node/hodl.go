package node

import (
	"github.com/fulgur-ln/fulgur/htlc"
)

// Hodl makes the node keep to itself what it should pass on, for benches that test what
// others make of such a node. The zero value keeps nothing, which is what everybody wants
// who has money in it.
type Hodl struct {
	ExitSettle     bool // HTLCs for us: the invoices do not hear of them
	AddIncoming    bool // HTLCs from peers: nobody hears of them
	SettleIncoming bool // preimages from the next node
	FailIncoming   bool // failures from the next node
	AddOutgoing    bool // HTLCs to the next node
	SettleOutgoing bool // preimages to the previous node
	FailOutgoing   bool // failures to the previous node
	Commit         bool // our signatures of changed commitments
}

// incoming: what the next node answered is kept.
func (h *Hodl) incoming(r *htlc.Resolution) bool { return kept(r, h.SettleIncoming, h.FailIncoming) }

// outgoing: what the previous node should be answered is kept.
func (h *Hodl) outgoing(r *htlc.Resolution) bool { return kept(r, h.SettleOutgoing, h.FailOutgoing) }

func kept(r *htlc.Resolution, settles, fails bool) bool {
	if r.Kind == htlc.Fulfilled {
		return settles
	}
	return fails
}
