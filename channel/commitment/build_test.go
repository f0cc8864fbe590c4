package commitment

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestBuildConserves: no satoshi appears or vanishes, every HTLC is either an output
// or trimmed, the number can be read back, and the order is that of BOLT 3.
//
// B3.order.1 B3.order.2 B3.order.3 B3.out.7 B3.tx.2 B3.tx.3 B3.trim.1 B3.trim.2
func TestBuildConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, 8)
		c := s.build(t)

		sum := c.Fee
		for i, o := range c.Tx.TxOut {
			sum += lnwire.Sat(o.Value)
			if i > 0 {
				before := c.Tx.TxOut[i-1]
				require.True(t, before.Value < o.Value || before.Value == o.Value && bytes.Compare(before.PkScript, o.PkScript) <= 0)
			}
		}
		require.Equal(t, s.params.Capacity, sum)
		require.GreaterOrEqual(t, c.Fee, CommitFee(s.params.Format, s.spec.FeeRate, len(c.HTLCs)))
		require.LessOrEqual(t, c.Fee.MilliSat(), s.worstFee(c), "only what is trimmed or rounded goes to the miner")

		n, ok := s.params.NumberOf(c.Tx)
		require.True(t, ok)
		require.Equal(t, s.number, n)

		seen := map[htlc.Ref]bool{}
		for i, h := range c.HTLCs {
			seen[h.Ref] = true
			require.False(t, s.params.trims(s.spec.FeeRate, &h.HTLC))
			require.EqualValues(t, h.Amount.Sat(), c.Tx.TxOut[h.Output].Value)
			require.Equal(t, payToScript(h.Script), c.Tx.TxOut[h.Output].PkScript)
			at, ok := c.At(uint32(h.Output))
			require.True(t, ok)
			require.Equal(t, i, at)
			at, ok = c.Find(h.Ref)
			require.True(t, ok)
			require.Equal(t, i, at)
			if i > 0 && c.HTLCs[i-1].Amount.Sat() == h.Amount.Sat() && bytes.Equal(c.HTLCs[i-1].Script, h.Script) {
				require.LessOrEqual(t, c.HTLCs[i-1].Expiry, h.Expiry)
			}
		}
		for i, h := range c.Trimmed {
			seen[h.Ref] = true
			require.True(t, s.params.trims(s.spec.FeeRate, &c.Trimmed[i]))
			_, ok := c.Find(h.Ref)
			require.False(t, ok)
		}
		require.Len(t, seen, len(s.spec.HTLCs))
		for _, i := range []int{c.ToOwner, c.ToOther} {
			if i >= 0 {
				require.GreaterOrEqual(t, c.Tx.TxOut[i].Value, int64(s.params.DustLimit))
			}
		}
	})
}

// worstFee is the base fee with all that may be trimmed or rounded off, in msat.
func (s *scene) worstFee(c *Commitment) lnwire.MilliSat {
	fee := CommitFee(s.params.Format, s.spec.FeeRate, len(c.HTLCs)).MilliSat() + 2000
	for _, h := range c.Trimmed {
		fee += h.Amount
	}
	fee += lnwire.MilliSat(len(c.HTLCs)) * 1000
	if c.ToOwner < 0 {
		fee += s.params.DustLimit.MilliSat()
	}
	if c.ToOther < 0 {
		fee += s.params.DustLimit.MilliSat()
	}
	if s.params.Format == Anchors {
		fee += AnchorValue.MilliSat() // the anchor that has no side to serve
	}
	return fee
}

// TestBuildIsDeterministic: a commitment made again, from its HTLCs in any order, is
// the same and binds each output to the same HTLC (V-11): how revoked ones are
// punished from compact rows.
func TestBuildIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, 8)
		c := s.build(t)
		spec := s.spec
		spec.HTLCs = rapid.Permutation(s.spec.HTLCs).Draw(t, "order")
		again := mustBuild(t, s.params, s.number, s.owner.point(s.number), spec)
		require.Equal(t, c.Txid, again.Txid)
		require.Equal(t, c.HTLCs, again.HTLCs)
	})
}

// TestTrimBoundary: an HTLC gets an output from exactly the dust limit plus its fee
// on, and the one predicate agrees with what Build does (V-21).
//
// B3.trim.3 B3.trim.4 B3.fee.4
func TestTrimBoundary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, 0)
		s.spec.FeeRate = lnwire.SatPerKW(rapid.Uint32Range(0, 100_000).Draw(t, "any rate"))
		offered := rapid.Bool().Draw(t, "offered")
		edge := s.params.DustLimit
		if s.params.Format == StaticRemoteKey {
			weight := lnwire.Sat(703)
			if offered {
				weight = 663
			}
			edge += lnwire.Sat(s.spec.FeeRate) * weight / 1000
		}
		for _, v := range []struct {
			amount  lnwire.MilliSat
			trimmed bool
		}{
			{(edge - 1).MilliSat(), true},
			{edge.MilliSat() - 1, true}, // milli-satoshis do not count
			{edge.MilliSat(), false},
			{edge.MilliSat() + 999, false},
			{(edge + 1).MilliSat(), false},
		} {
			require.Equal(t, v.trimmed, Trimmed(s.params.Format, s.spec.FeeRate, s.params.DustLimit, v.amount, offered))
			spec := s.spec
			spec.HTLCs = []HTLC{{Offered: offered, Amount: v.amount}}
			exposed := s.params.DustExposure(spec.FeeRate, spec.HTLCs)
			p := *s.params
			p.Capacity = 100_000_000
			spec.ToOwner, spec.ToOther = (p.Capacity / 2).MilliSat(), (p.Capacity/2).MilliSat()-v.amount
			c := mustBuild(t, &p, s.number, s.owner.point(s.number), spec)
			require.Equal(t, v.trimmed, len(c.HTLCs) == 0)
			require.Equal(t, v.trimmed, len(c.Trimmed) == 1)
			require.Equal(t, len(c.HTLCs), p.Untrimmed(spec))
			if v.trimmed {
				require.Equal(t, v.amount, exposed)
			} else {
				require.Zero(t, exposed)
				require.GreaterOrEqual(t, c.HTLCs[0].Second.TxOut[0].Value, int64(p.DustLimit))
			}
		}
	})
}

// TestMainBoundary: the main outputs exist from exactly the dust limit on, after the
// funder paid.
//
// B3.trim.1 B3.trim.2 B3.anchor.1 B3.anchor.2 B3.anchor.3 B3.fee.5
func TestMainBoundary(t *testing.T) {
	local, _, p := vectorSides(t, Anchors, 1000)
	cost := p.Cost(Spec{FeeRate: 1000})
	require.EqualValues(t, 1124+660, cost)
	full := p.Capacity.MilliSat()
	for _, v := range []struct {
		name             string
		ownerFunds       bool
		owner            lnwire.Sat
		toOwner, toOther bool
	}{
		{"owner funds, at the limit", true, cost + 1000, true, true},
		{"owner funds, below", true, cost + 999, false, true},
		{"owner funds, other below", true, p.Capacity - 999, true, false},
		{"other funds, at the limit", false, p.Capacity - cost - 1000, true, true},
		{"other funds, below", false, p.Capacity - cost - 999, true, false},
		{"other funds, owner below", false, 999, false, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			p := *p
			p.OwnerIsFunder = v.ownerFunds
			s := Spec{FeeRate: 1000, ToOwner: v.owner.MilliSat(), ToOther: full - v.owner.MilliSat()}
			c := mustBuild(t, &p, 0, local.point(0), s)
			require.Equal(t, v.toOwner, c.ToOwner >= 0)
			require.Equal(t, v.toOther, c.ToOther >= 0)
			require.Equal(t, v.toOwner, c.AnchorOwner >= 0)
			require.Equal(t, v.toOther, c.AnchorOther >= 0)
			for _, i := range []int{c.AnchorOwner, c.AnchorOther} {
				if i >= 0 {
					require.EqualValues(t, 330, c.Tx.TxOut[i].Value)
				}
			}
			// An HTLC with an output brings both anchors.
			s.HTLCs = []HTLC{{Offered: true, Amount: 5_000_000}}
			if s.ToOwner > s.ToOther {
				s.ToOwner -= 5_000_000
			} else {
				s.ToOther -= 5_000_000
			}
			c = mustBuild(t, &p, 0, local.point(0), s)
			require.True(t, c.AnchorOwner >= 0 && c.AnchorOther >= 0)
		})
	}
}

// TestSpecExample: the fees that BOLT 3 works out by hand.
//
// B3.fee.1 B3.fee.2 B3.fee.3 B3.fee.4
func TestSpecExample(t *testing.T) {
	p := &Params{Format: StaticRemoteKey, DustLimit: 546}
	s := Spec{FeeRate: 5000, HTLCs: []HTLC{
		{Offered: true, Amount: 5_000_000}, {Offered: true, Amount: 1_000_000},
		{Amount: 7_000_000}, {Amount: 800_000},
	}}
	require.EqualValues(t, 3315, HTLCFee(StaticRemoteKey, 5000, true))
	require.EqualValues(t, 3515, HTLCFee(StaticRemoteKey, 5000, false))
	require.Zero(t, HTLCFee(Anchors, 5000, true))
	require.Zero(t, HTLCFee(Anchors, 5000, false))
	require.Equal(t, 2, p.Untrimmed(s))
	require.EqualValues(t, 5340, p.Cost(s))
	require.EqualValues(t, 1_800_000, p.DustExposure(5000, s.HTLCs))
	require.EqualValues(t, (1124+172*2)*5+660, (&Params{Format: Anchors, DustLimit: 1001}).Cost(s))
}

// TestAffordable: to the milli-satoshi, on either side.
func TestAffordable(t *testing.T) {
	for _, ownerFunds := range []bool{true, false} {
		p := &Params{Format: Anchors, DustLimit: 354, OwnerIsFunder: ownerFunds}
		edge := (1124 + 172 + 660 + lnwire.Sat(10_000)).MilliSat()
		s := Spec{FeeRate: 1000, HTLCs: []HTLC{{Amount: 354_000}}, ToOwner: edge}
		if !ownerFunds {
			s.ToOwner, s.ToOther = 0, edge
		}
		require.True(t, p.Affordable(s, 10_000))
		require.False(t, p.Affordable(s, 10_001))
		s.ToOwner, s.ToOther = s.ToOwner-min(1, s.ToOwner), s.ToOther-min(1, s.ToOther)
		require.False(t, p.Affordable(s, 10_000))
	}
}

// TestBuildRefuses: what no commitment can hold is an error that says why.
func TestBuildRefuses(t *testing.T) {
	local, _, params := vectorSides(t, Anchors, 546)
	full := params.Capacity.MilliSat()
	good := Spec{FeeRate: 1000, ToOwner: full}
	for _, v := range []struct {
		name   string
		change func(p *Params, n *uint64, point *lnwire.PubKey, s *Spec)
		want   string
	}{
		{"format", func(p *Params, _ *uint64, _ *lnwire.PubKey, _ *Spec) { p.Format = 3 }, "unknown format 3"},
		{"number", func(_ *Params, n *uint64, _ *lnwire.PubKey, _ *Spec) { *n = MaxNumber + 1 }, "last secret"},
		{"too much", func(_ *Params, _ *uint64, _ *lnwire.PubKey, s *Spec) { s.ToOther = 1 }, "exceed the capacity"},
		{"overflow", func(_ *Params, _ *uint64, _ *lnwire.PubKey, s *Spec) { s.ToOther = -s.ToOwner }, "exceed the capacity"},
		{"htlc overflow", func(_ *Params, _ *uint64, _ *lnwire.PubKey, s *Spec) {
			s.HTLCs = []HTLC{{Amount: 1 << 63}, {Amount: 1 << 63}}
		}, "exceed the capacity"},
		{"too little", func(_ *Params, _ *uint64, _ *lnwire.PubKey, s *Spec) { s.ToOwner-- }, "1 msat short"},
		{"no money", func(p *Params, _ *uint64, _ *lnwire.PubKey, _ *Spec) { p.Capacity = 1 << 60 }, "more than all money"},
		{"no output", func(_ *Params, _ *uint64, _ *lnwire.PubKey, s *Spec) { s.FeeRate = 1 << 31 }, "no output"},
		{"anchors unpaid", func(p *Params, _ *uint64, _ *lnwire.PubKey, s *Spec) {
			s.ToOwner, s.ToOther, s.HTLCs = 0, full-900_000, []HTLC{{Amount: 900_000}}
		}, "cannot pay for the anchors"},
		{"point", func(_ *Params, _ *uint64, point *lnwire.PubKey, _ *Spec) { *point = lnwire.PubKey{2} }, "per-commitment point"},
		{"delayed", func(p *Params, _ *uint64, _ *lnwire.PubKey, _ *Spec) { p.Owner.Delayed = lnwire.PubKey{} }, "owner's delayed"},
		{"owner htlc", func(p *Params, _ *uint64, _ *lnwire.PubKey, _ *Spec) { p.Owner.HTLC[0] = 4 }, "owner's htlc"},
		{"other htlc", func(p *Params, _ *uint64, _ *lnwire.PubKey, _ *Spec) { p.Other.HTLC[0] = 4 }, "other's htlc"},
		{"revocation", func(p *Params, _ *uint64, _ *lnwire.PubKey, _ *Spec) { p.Other.Revocation[0] = 4 }, "revocation"},
	} {
		t.Run(v.name, func(t *testing.T) {
			p, n, point, s := *params, uint64(0), local.point(0), good
			v.change(&p, &n, &point, &s)
			_, err := Build(&p, n, point, s)
			require.ErrorContains(t, err, v.want)
		})
	}
}

// TestNumberOfRefuses: what is no commitment of this channel has no number.
func TestNumberOfRefuses(t *testing.T) {
	local, _, p := vectorSides(t, StaticRemoteKey, 546)
	c := mustBuild(t, p, 1<<48-2, local.point(1<<48-2), Spec{FeeRate: 253, ToOwner: p.Capacity.MilliSat()})
	n, ok := p.NumberOf(c.Tx)
	require.True(t, ok)
	require.EqualValues(t, 1<<48-2, n)
	for _, change := range []func(tx *wire.MsgTx){
		func(tx *wire.MsgTx) { tx.TxIn = nil },
		func(tx *wire.MsgTx) { tx.TxIn = append(tx.TxIn, tx.TxIn[0]) },
		func(tx *wire.MsgTx) { tx.TxIn[0].PreviousOutPoint.Index++ },
		func(tx *wire.MsgTx) { tx.TxIn[0].Sequence = 0xffffffff },
		func(tx *wire.MsgTx) { tx.LockTime = 0 },
	} {
		tx := c.Tx.Copy()
		change(tx)
		_, ok := p.NumberOf(tx)
		require.False(t, ok)
	}
}

// TestAnchorsLeaveNothingToRedirect: V-18: with anchors, where the peer's signature lets outputs
// be added, an HTLC transaction pays no fee at any rate: there is nothing to siphon off.
func TestAnchorsLeaveNothingToRedirect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t, 8)
		s.params.Format = Anchors
		s.spec.FeeRate = lnwire.SatPerKW(rapid.Uint32Range(253, 5000).Draw(t, "any rate"))
		c, err := Build(s.params, s.number, s.owner.point(s.number), s.spec)
		if err != nil {
			t.Skip("it cannot be paid for")
		}
		for _, h := range c.HTLCs {
			require.Len(t, h.Second.TxOut, 1)
			require.Equal(t, c.Tx.TxOut[h.Output].Value, h.Second.TxOut[0].Value)
		}
	})
}
