package channel

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/channeltest"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// A stage is a channel with every HTLC of the table in it, brought to the point from
// which a run begins, and every commitment that could be mined then. Runs share it and
// do not change it.
type stage struct {
	format commitment.Format
	t      testing.TB
	w      *world
	tip    lnwire.BlockRef
	rows   [3]Rows // ours, by moment
	rival  Rows    // the peer's: it only lends its keys
	mined  [7]deed // by column
	refs   map[string]htlc.Ref
}

// deed is a commitment, signed by both, with what its owner needs to go on.
type deed struct {
	tx    *wire.MsgTx
	com   *commitment.Commitment
	their []lnwire.Sig // the other side's signatures of its HTLC transactions
}

// The delays are short so that a run is.
const (
	truthDelay  = 12 // to_self_delay of both
	truthOut    = 20 // expiries of outgoing and incoming HTLCs, behind the tip
	truthIn     = 24
	truthBefore = 45 // how far an outgoing HTLC's expiry upstream lies behind its own
)

// amountOf is the amount of a contract: half is above our dust limit and below the peer's.
func (c *contract) amountOf(f commitment.Format) lnwire.MilliSat {
	switch {
	case c.size != half:
		return lnwire.Sat(c.size).MilliSat()
	case f == commitment.StaticRemoteKey: // the fee of the HTLC transaction counts
		return 2_300_000
	}
	return 700_000
}

// offer adds a contract to the channel from the side that offers it.
func (s *stage) offer(c *contract) {
	n, expiry := s.w.a, s.tip.Height+truthOut
	if c.dir == htlc.Incoming {
		n, expiry = s.w.b, s.tip.Height+truthIn
	}
	id := n.ch.nextOut()
	s.refs[c.name] = htlc.Ref{ChanNum: 1, Dir: c.dir, ID: id}
	onion := [lnwire.OnionLen]byte{0, byte(c.pre)}
	fx := n.step(AddHTLC{
		Amount: c.amountOf(s.format), Expiry: expiry, Hash: preimage(c.pre).Hash(), Onion: &onion,
		Origin: htlc.Origin{
			Kind: htlc.FromForward, Ref: htlc.Ref{ChanNum: 77, ID: id}, AmountIn: c.amountOf(s.format) + 1000, ExpiryIn: expiry + truthBefore,
		},
	})
	require.Empty(s.w.t, fx.Refused, c.name)
}

// offerAll adds the contracts of one moment.
func (s *stage) offerAll(when when, dirs ...htlc.Direction) {
	for _, d := range dirs {
		for i := range contracts {
			if c := &contracts[i]; c.added == when && c.dir == d {
				s.offer(c)
			}
		}
	}
}

// id is the number of a contract among those of its direction.
func (s *stage) id(name string) uint64 { return s.refs[name].ID }

// take keeps a commitment of n for a column.
func (s *stage) take(col column, n *node) {
	tx, ok := n.ch.signedCommitment()
	require.True(s.w.t, ok)
	com, err := n.ch.localCommitment()
	require.NoError(s.w.t, err)
	require.Equal(s.w.t, tx.TxHash(), com.Txid)
	s.mined[col] = deed{tx: tx, com: com, their: n.theirSigsOf(s.t, com)}
}

// newStage plays the channel's life up to its end. Every step of the commit dance that
// makes a difference for what the commitments hold is taken by hand.
func newStage(t testing.TB, format commitment.Format, real bool) *stage {
	w := newWorld(t)
	for _, n := range w.nodes() { // of its own: stages are played at the same time
		n.ring = channeltest.NewRing(n.name)
		n.crypto = channeltest.Model{Ring: n.ring, Away: &n.away}
		n.side.ToSelfDelay, n.quietLaw = truthDelay, true
	}
	if real {
		w.useReal()
	}
	w.b.side.DustLimit = 1000
	o := usual
	o.format, o.push = format, 400_000_000
	w.open(o)
	s := &stage{t: t, format: format, w: w, tip: w.tip, refs: map[string]htlc.Ref{}}
	a, b := w.a, w.b

	s.offerAll(first, htlc.Outgoing, htlc.Incoming)
	w.settle()
	s.take(colOld, b)
	b.fail(s.id("out/gone"))
	a.fail(s.id("in/gone"))
	s.offerAll(second, htlc.Outgoing)
	w.settle()

	// The peer signs a failure and an HTLC of its own to us.
	b.fail(s.id("out/failed"))
	s.offerAll(theirs, htlc.Incoming)
	b.step(Flush{})
	a.deliver(-1)
	b.deliver(-1)
	b.fulfill(s.id("out/told"), 7)
	a.deliver(-1)
	require.False(t, a.ch.awaiting())
	require.Len(t, a.outcomes, 2) // out/gone and out/told
	a.fail(s.id("in/failed"))
	s.take(colOwn, a)
	s.take(colRemote, b)
	s.rows[beforeUs] = a.rows

	s.offerAll(ours, htlc.Outgoing)
	a.step(Flush{})
	require.True(t, a.ch.awaiting())
	s.take(colPrev, b)
	s.rows[beforeThem] = a.rows
	b.deliver(-1)
	s.take(colNext, b)
	a.deliver(-1)
	require.False(t, a.ch.awaiting())
	require.Len(t, a.outcomes, 3) // and out/failed
	s.rows[afterAll] = a.rows
	s.mined[colLast], s.mined[colJust] = s.mined[colNext], s.mined[colPrev]
	s.rival = b.rows
	s.checkContents()
	return s
}

// checkContents holds the commitments against the table: the cells are about what it says.
func (s *stage) checkContents() {
	for col, d := range s.mined {
		n := 0
		for i := range contracts {
			c := &contracts[i]
			_, has := d.com.Find(s.mirror(column(col), c))
			require.Equal(s.w.t, c.output(column(col)), has, "%s in %v", c.name, column(col))
			if has {
				n++
			}
		}
		require.Len(s.w.t, d.com.HTLCs, n)
	}
}

// mirror is the name of a contract in a commitment of the column's owner.
func (s *stage) mirror(col column, c *contract) htlc.Ref {
	ref := s.refs[c.name]
	if col != colOwn {
		ref.Dir = htlc.Incoming + htlc.Outgoing - ref.Dir
	}
	return ref
}

// outPoint is a contract's output in a column.
func (s *stage) outPoint(col column, c *contract) (wire.OutPoint, int, bool) {
	com := s.mined[col].com
	i, ok := com.Find(s.mirror(col, c))
	if !ok {
		return wire.OutPoint{}, 0, false
	}
	return wire.OutPoint{Hash: com.Txid, Index: uint32(com.HTLCs[i].Output)}, i, true
}

// run begins a run: our node as it was stored, the peer as a key.
func (s *stage) run(t testing.TB, m moment) *ledger {
	w := &world{t: t, tip: s.tip}
	for i, n := range s.w.nodes() {
		c := &node{w: w, name: n.name, ring: n.ring, cfg: n.cfg, crypto: n.crypto, features: n.features, side: n.side, quietLaw: true}
		if i == 0 {
			w.a = c
			c.restore(s.rows[m])
			c.ch = Load(c.cfg, c.crypto, c.rows)
		} else {
			w.b = c
			c.restore(s.rival)
			c.ch = n.ch
		}
	}
	w.a.other, w.b.other = w.b, w.a
	l := newLedger(t, w)
	l.deaf[w.b] = true
	w.a.safe = w.a.rows
	l.step(w.a, Resumed{})
	return l
}

// modelled: the signatures are models.
func (s *stage) modelled() bool {
	_, ok := s.w.a.crypto.(channeltest.Model)
	return ok
}

// feeOf is what the HTLC transaction of a contract pays.
func (s *stage) feeOf(col column, c *contract) lnwire.Sat {
	_, i, _ := s.outPoint(col, c)
	h := &s.mined[col].com.HTLCs[i]
	return lnwire.Sat(s.mined[col].com.Tx.TxOut[h.Output].Value - h.Second.TxOut[0].Value)
}

// skip leads our machine to a height over empty blocks.
func (l *ledger) skip(to lnwire.Height) {
	for l.height() < to {
		l.blocks = append(l.blocks, nil)
		l.refs = append(l.refs, l.ref(l.height()))
	}
	l.lead()
}
