package channel

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Attribution data (BOLT 4) is made by whoever answers an HTLC, and only carried here:
// it stands in the row of the answer until the peer has acknowledged it, so that what is
// said again is what was said.

// attributes reports that the peer takes attribution data.
func (c *Channel) attributes() bool { return c.conn.features.HasEither(lnwire.AttributionDataOptional) }

// toldOf is what goes to the peer with an answer.
//
// B2.remove.5: attribution data goes with every answer that has some, to peers that take it.
func (c *Channel) toldOf(r *htlc.Resolution) *lnwire.Attribution {
	if !c.attributes() {
		return nil
	}
	return r.Attribution
}

// came is what came with an answer of the peer. It is taken of any peer: some send it
// who do not offer the feature.
func (c *Channel) came(a *lnwire.Attribution) *lnwire.Attribution {
	if !c.cfg.Attribution {
		return nil
	}
	return a
}

// spoken forgets the attribution data of an answer that will not be said again.
func (e *entry) spoken() {
	if r := e.Removal; r != nil && r.Attribution != nil {
		rest := *r
		rest.Attribution = nil
		e.Removal = &rest
	}
}
