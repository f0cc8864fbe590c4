package channel

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Anchor is our anchor of a commitment that no block holds yet: a child that spends it
// pays for both.
type Anchor struct {
	commitment.Spend
	Weight int64      // of the commitment, with its witness
	Fee    lnwire.Sat // that the commitment pays
	// Deadline is the last height at which the commitment should be mined, so that time
	// is left to enforce its HTLCs; 0: nothing in it is urgent.
	Deadline lnwire.Height
	AtRisk   lnwire.Sat // what its urgent HTLCs hold
}

// Lifted is a commitment that needs no lifting any more. Whoever lifts may have taken in
// its block before it was asked to.
type Lifted struct {
	Txid chainhash.Hash
	At   lnwire.Height
}

// facts are what makes an Anchor differ from the one given out before.
type facts struct {
	op       wire.OutPoint
	fee      lnwire.Sat
	deadline lnwire.Height
	atRisk   lnwire.Sat
}

// lifting is which anchor was given out. It is derived again after a restart.
type lifting struct {
	rival *commitment.Commitment // of the peer, seen unconfirmed instead of ours; nil: none
	given *facts                 // nil: none
}

// unmined is an unconfirmed transaction that touches what is watched. It may never be
// mined, and everybody can make one: it tells which commitment needs lifting, and a
// preimage in it is as good as any.
func (c *Channel) unmined(tx *wire.MsgTx) {
	if !c.durable() || tx == nil || c.terms == nil {
		return
	}
	if c.core.Spend == nil && c.core.Phase >= AwaitReady && spends(tx, c.core.Funding) {
		c.lift.rival = nil
		if n, ok := c.owner(true).NumberOf(tx); ok && c.spendKind(tx) == SpentByThem {
			c.lift.rival = c.theirCommitment(n)
		}
		c.raise()
	}
	if c.core.Phase == Closing {
		c.revealed(tx)
	}
}

// revealed looks for preimages in a transaction: they are due upstream before it is
// mined, for it may be taken back so that we fail the HTLC upstream in between (V-24).
// Every item is hashed once, however many there are.
func (c *Channel) revealed(tx *wire.MsgTx) {
	wanted := map[lnwire.Hash]bool{}
	for _, e := range c.out {
		if !e.Told {
			wanted[e.Hash] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	for _, in := range tx.TxIn {
		for _, item := range in.Witness {
			if len(item) != len(lnwire.Preimage{}) {
				continue
			}
			if p := lnwire.Preimage(item); wanted[p.Hash()] {
				c.preimageSeen(p, in.PreviousOutPoint)
			}
		}
	}
}

// raise gives out the anchor that should be spent as things stand, and takes back
// another.
func (c *Channel) raise() {
	a, ok := c.anchor()
	if old := c.lift.given; old != nil && (!ok || old.op != a.OutPoint) {
		c.fx.Unlift = append(c.fx.Unlift, old.op)
		c.lift.given = nil
	}
	if !ok {
		return
	}
	now := facts{op: a.OutPoint, fee: a.Fee, deadline: a.Deadline, atRisk: a.AtRisk}
	if c.lift.given == nil || *c.lift.given != now {
		c.lift.given = &now
		c.fx.Anchors = append(c.fx.Anchors, a)
	}
}

// anchor is ours of the commitment that waits to be mined: of the peer's, when that was
// seen, or of our own, once it was published. False: there is none to spend.
func (c *Channel) anchor() (a Anchor, ok bool) {
	if c.terms.Format != commitment.Anchors || c.core.Spend != nil || c.core.DataLost {
		return a, false
	}
	com := c.lift.rival
	switch {
	case c.core.Phase == MutualClose:
		return a, false
	case com != nil:
		a.Spend, ok = com.OtherAnchor(c.terms.Keys)
	case c.core.Phase == Failed && !c.want.publish:
		var err error
		if com, err = c.localCommitment(); err != nil {
			return a, false
		}
		a.Spend, ok = com.OwnerAnchor(c.terms.Keys)
	}
	if !ok {
		return a, false
	}
	a.Weight, a.Fee = com.Weight(), com.Fee
	a.Deadline, a.AtRisk = c.urgent(com)
	return a, true
}

// urgent is what the HTLCs of a commitment hold that somebody else may take in the end,
// and by when it should be mined for their sake: when half of the time is left in which
// each can be enforced.
func (c *Channel) urgent(com *commitment.Commitment) (deadline lnwire.Height, value lnwire.Sat) {
	for i := range com.HTLCs {
		h := &com.HTLCs[i]
		e, ok := c.byRef(h.Ref)
		if !ok {
			continue
		}
		at := lnwire.Height(0)
		switch {
		case h.Ref.Dir == htlc.Incoming && e.Removal != nil && e.Removal.Kind == htlc.Fulfilled:
			at = h.Expiry - min(h.Expiry, FulfilMargin/2)
		case h.Ref.Dir == htlc.Outgoing && e.Origin.Kind == htlc.FromForward && !e.Told:
			from, up := h.Expiry+OfferedGrace, e.Origin.ExpiryIn
			at = up - (up-min(up, from))/2
		}
		if at == 0 {
			continue
		}
		value += lnwire.Sat(com.Tx.TxOut[h.Output].Value)
		if deadline == 0 || at < deadline {
			deadline = at
		}
	}
	return deadline, value
}

// sink gives up what will not be mined now that another transaction spent the funding: what
// was published for that, the anchors of commitments, and the coins that their children
// took. It is done again after a restart, for nobody remembers which there were.
func (c *Channel) sink() {
	given := c.lift.given
	c.lift = lifting{}
	if s := c.core.Spend; s != nil {
		c.fx.Outdone = append(c.fx.Outdone, Mined{Tx: s.Tx, Place: s.Place})
		c.fx.Outdone = append(c.fx.Outdone, s.Resolving...)
	}
	if c.terms == nil || c.terms.Format != commitment.Anchors || c.core.Spend == nil {
		return
	}
	mined := c.core.Spend.Tx.TxHash()
	switch {
	case given == nil:
	case given.op.Hash == mined:
		c.fx.Lifted = append(c.fx.Lifted, Lifted{mined, c.core.Spend.Place.At.Height})
	default: // it may be of a commitment that was revoked since
		c.fx.Unlift = append(c.fx.Unlift, given.op)
	}
	add := func(com *commitment.Commitment, i int) {
		if i >= 0 && com.Txid != mined {
			c.fx.Unlift = append(c.fx.Unlift, wire.OutPoint{Hash: com.Txid, Index: uint32(i)})
		}
	}
	if com, err := c.localCommitment(); c.local != nil && err == nil {
		add(com, com.AnchorOwner)
	}
	seen := chainhash.Hash{}
	for _, n := range []uint64{c.core.RemoteN, c.core.RemoteRevoked} {
		if com := c.theirCommitment(n); com != nil && com.Txid != seen {
			seen = com.Txid
			add(com, com.AnchorOther)
		}
	}
}
