package commitment

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var (
	scriptP2WPKH = append([]byte{txscript.OP_0, txscript.OP_DATA_20}, bytes.Repeat([]byte{1}, 20)...)
	scriptP2WSH  = append([]byte{txscript.OP_0, txscript.OP_DATA_32}, bytes.Repeat([]byte{2}, 32)...)
	scriptP2TR   = append([]byte{txscript.OP_1, txscript.OP_DATA_32}, bytes.Repeat([]byte{3}, 32)...)
)

func testClosing(us, them *party) *Closing {
	return &Closing{
		Funding: wire.OutPoint{Hash: chainhash.HashH([]byte("closing")), Index: 1}, Capacity: 100_000,
		OurKey: us.base.Funding, TheirKey: them.base.Funding, OurScript: scriptP2WPKH, TheirScript: scriptP2TR,
		Ours: 60_000_999, Theirs: 39_999_001, WeFund: true, OurDust: 354, TheirDust: 546,
	}
}

func (p *Closing) fundingOut() *wire.TxOut {
	_, pk := FundingScript(p.OurKey, p.TheirKey)
	return &wire.TxOut{Value: int64(p.Capacity), PkScript: pk}
}

// TestClosing: every variant of the closing transaction passes the script engine, and
// pays what BOLT 3 says.
//
// B3.close.1 B3.close.2 B3.close.3 B3.close.4 B3.close.5 B3.order.4
func TestClosing(t *testing.T) {
	us, them := seededParty(1), seededParty(2)
	scripts := [][]byte{scriptP2WPKH, scriptP2WSH, scriptP2TR}
	rapid.Check(t, func(t *rapid.T) {
		p := testClosing(us, them)
		p.OurScript = rapid.SampledFrom(scripts).Draw(t, "our script")
		p.TheirScript = rapid.SampledFrom(scripts).Draw(t, "their script")
		p.WeFund = rapid.Bool().Draw(t, "we fund")
		p.OurDust = lnwire.Sat(rapid.Uint64Range(354, 700).Draw(t, "our dust"))
		p.TheirDust = lnwire.Sat(rapid.Uint64Range(354, 700).Draw(t, "their dust"))
		fee := lnwire.Sat(rapid.Uint64Range(0, 2000).Draw(t, "fee"))
		small := lnwire.MilliSat(rapid.Uint64Range(0, 800_000).Draw(t, "small"))
		if rapid.Bool().Draw(t, "even") {
			small = p.Capacity.MilliSat() / 2
		}
		p.Ours, p.Theirs = p.Capacity.MilliSat()-small, small
		if rapid.Bool().Draw(t, "we have little") {
			p.Ours, p.Theirs = p.Theirs, p.Ours
		}
		ours, theirs := p.Ours.Sat(), p.Theirs.Sat()
		payer := &theirs
		if p.WeFund {
			payer = &ours
		}
		first, err := BuildClosing(p, fee)
		if fee > *payer {
			require.ErrorContains(t, err, "exceeds the funder's balance")
			return
		}
		*payer -= fee
		require.NoError(t, err)
		require.Equal(t, ours >= p.OurDust, first.Ours >= 0)
		require.Equal(t, theirs >= p.OurDust, first.Theirs >= 0)

		variants, err := ClosingVariants(p, fee)
		require.NoError(t, err)
		require.Equal(t, first, variants[0])
		seen := map[[32]byte]bool{}
		for _, v := range variants {
			require.False(t, seen[v.Digest])
			seen[v.Digest] = true
			p.checkVariant(t, v, us, them, ours, theirs)
		}
	})
}

func (p *Closing) checkVariant(t tb, v *ClosingTx, us, them *party, ours, theirs lnwire.Sat) {
	t.Helper()
	require.EqualValues(t, 2, v.Tx.Version)
	require.Zero(t, v.Tx.LockTime)
	require.Equal(t, uint32(0xffffffff), v.Tx.TxIn[0].Sequence)
	outputs := 0
	for _, o := range []struct {
		at     int
		value  lnwire.Sat
		script []byte
	}{{v.Ours, ours, p.OurScript}, {v.Theirs, theirs, p.TheirScript}} {
		if o.at >= 0 {
			outputs++
			require.Equal(t, &wire.TxOut{Value: int64(o.value), PkScript: o.script}, v.Tx.TxOut[o.at])
			require.GreaterOrEqual(t, o.value, min(p.OurDust, p.TheirDust))
		}
	}
	require.Len(t, v.Tx.TxOut, outputs)
	if outputs == 2 {
		require.LessOrEqual(t, compareTxOuts(v.Tx.TxOut[0], v.Tx.TxOut[1]), 0)
	}
	if v.Ours < 0 {
		require.Less(t, ours, max(p.OurDust, p.TheirDust), "never gives our output away")
	}
	ourSig, theirSig := us.sign(v.Job(us.locs)), them.sign(v.Job(them.locs))
	check, ok := v.Check(theirSig)
	require.True(t, ok)
	require.True(t, verify(check))
	_, ok = v.Check(highS(theirSig)) // V-02
	require.False(t, ok)
	tx := v.Finish(ourSig, theirSig)
	require.NoError(t, spendsOnly(tx, p.fundingOut()))
	require.LessOrEqual(t, weight(tx), p.Weight())
	if outputs == 2 {
		require.Equal(t, p.Weight(), weight(v.Finish(longest, longest)))
	}
}

// TestClosingBothSidesAgree: with equal dust limits both sides make the same
// transaction.
func TestClosingBothSidesAgree(t *testing.T) {
	us, them := seededParty(1), seededParty(2)
	p := testClosing(us, them)
	p.TheirDust = p.OurDust
	q := &Closing{
		Funding: p.Funding, Capacity: p.Capacity, OurKey: p.TheirKey, TheirKey: p.OurKey,
		OurScript: p.TheirScript, TheirScript: p.OurScript, Ours: p.Theirs, Theirs: p.Ours,
		WeFund: !p.WeFund, OurDust: p.TheirDust, TheirDust: p.OurDust,
	}
	a, err := BuildClosing(p, 500)
	require.NoError(t, err)
	b, err := BuildClosing(q, 500)
	require.NoError(t, err)
	require.Equal(t, a.Digest, b.Digest)
	require.Equal(t, a.Ours, b.Theirs)
}

// TestClosingRefuses: what cannot be closed with is an error that says why.
func TestClosingRefuses(t *testing.T) {
	for _, v := range []struct {
		name   string
		change func(p *Closing, fee *lnwire.Sat)
		want   string
	}{
		{"fee", func(_ *Closing, fee *lnwire.Sat) { *fee = 60_001 }, "fee of 60001 sat exceeds the funder's balance of 60000 sat"},
		{"their fee", func(p *Closing, fee *lnwire.Sat) { p.WeFund, *fee = false, 40_000 }, "exceeds the funder's"},
		{"balances", func(p *Closing, _ *lnwire.Sat) { p.Theirs++ }, "exceed the capacity"},
		{"overflow", func(p *Closing, _ *lnwire.Sat) { p.Theirs = 1<<64 - 1 }, "exceed the capacity"},
		{"all fee", func(p *Closing, fee *lnwire.Sat) {
			p.Ours, p.Theirs, *fee = p.Capacity.MilliSat(), 0, p.Capacity
		}, "no output is left"},
	} {
		t.Run(v.name, func(t *testing.T) {
			p, fee := testClosing(seededParty(1), seededParty(2)), lnwire.Sat(500)
			v.change(p, &fee)
			_, err := BuildClosing(p, fee)
			require.ErrorContains(t, err, v.want)
			_, err = ClosingVariants(p, fee)
			require.ErrorContains(t, err, v.want)
		})
	}
}

// TestDustThreshold: the thresholds of BOLT 3.
//
// B3.dust.1
func TestDustThreshold(t *testing.T) {
	p2pkh := append(append([]byte{txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20}, make([]byte, 20)...),
		txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	p2sh := append(append([]byte{txscript.OP_HASH160, txscript.OP_DATA_20}, make([]byte, 20)...), txscript.OP_EQUAL)
	for _, v := range []struct {
		name   string
		script []byte
		want   lnwire.Sat
	}{
		{"p2pkh", p2pkh, 546},
		{"p2sh", p2sh, 540},
		{"p2wpkh", scriptP2WPKH, 294},
		{"p2wsh", scriptP2WSH, 330},
		{"p2a", []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}, 240},
		{"taproot", scriptP2TR, 354},
		{"future", append([]byte{txscript.OP_16, txscript.OP_DATA_40}, make([]byte, 40)...), 354},
		{"op_return", []byte{txscript.OP_RETURN, txscript.OP_DATA_1, 0}, 0},
		{"empty", nil, 354},
	} {
		require.Equal(t, v.want, DustThreshold(v.script), v.name)
	}
}
