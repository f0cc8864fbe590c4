package commitment

import (
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var scriptBurn = []byte{txscript.OP_RETURN, txscript.OP_DATA_6, 1, 2, 3, 4, 5, 6}

// TestSimpleClosing: every shape, whoever pays, passes the script engine, is the same
// for both sides, and pays what BOLT 3 says.
//
// B3.simple.1 B3.simple.2 B3.simple.3
func TestSimpleClosing(t *testing.T) {
	us, them := seededParty(1), seededParty(2)
	rapid.Check(t, func(t *rapid.T) {
		p := testClosing(us, them)
		scripts := rapid.SampledFrom([][]byte{scriptP2WPKH, scriptP2WSH, scriptP2TR, scriptBurn})
		p.OurScript, p.TheirScript = scripts.Draw(t, "ours"), scripts.Draw(t, "theirs")
		p.WeFund = rapid.Bool().Draw(t, "we close")
		p.Ours = lnwire.MilliSat(rapid.Uint64Range(0, 100_000_000).Draw(t, "balance"))
		p.Theirs = p.Capacity.MilliSat() - p.Ours
		o := SimpleOffer{
			Fee:      lnwire.Sat(rapid.Uint64Range(0, 50_000).Draw(t, "fee")),
			LockTime: rapid.Uint32Range(0, 800_000).Draw(t, "locktime"),
			Shape:    rapid.SampledFrom([]ClosingShape{CloserOnly, CloseeOnly, BothOutputs}).Draw(t, "shape"),
		}
		ours, theirs := p.Ours.Sat(), p.Theirs.Sat()
		payer := &theirs
		if p.WeFund {
			payer = &ours
		}
		tx, err := BuildSimpleClosing(p, o)
		if o.Fee > *payer {
			require.ErrorContains(t, err, "exceeds")
			return
		}
		*payer -= o.Fee
		require.NoError(t, err)
		requireSimple(t, p, o, tx, ours, theirs)

		q := &Closing{
			Funding: p.Funding, Capacity: p.Capacity, OurKey: p.TheirKey, TheirKey: p.OurKey,
			OurScript: p.TheirScript, TheirScript: p.OurScript, Ours: p.Theirs, Theirs: p.Ours, WeFund: !p.WeFund,
		}
		other, err := BuildSimpleClosing(q, o)
		require.NoError(t, err)
		require.Equal(t, tx.Digest, other.Digest)

		theirSig := them.sign(tx.Job(them.locs))
		check, ok := tx.Check(theirSig)
		require.True(t, ok && verify(check))
		done := tx.Finish(us.sign(tx.Job(us.locs)), theirSig)
		require.NoError(t, spendsOnly(done, p.fundingOut()))
		require.LessOrEqual(t, weight(done), p.Weight())
	})
}

func requireSimple(t tb, p *Closing, o SimpleOffer, c *ClosingTx, ours, theirs lnwire.Sat) {
	t.Helper()
	require.EqualValues(t, 2, c.Tx.Version)
	require.Equal(t, o.LockTime, c.Tx.LockTime)
	require.Equal(t, uint32(0xfffffffd), c.Tx.TxIn[0].Sequence)
	_, isCommit := (&Params{Funding: p.Funding}).NumberOf(c.Tx)
	require.False(t, isCommit, "it cannot be taken for a commitment")
	with := map[bool]bool{p.WeFund: o.Shape != CloseeOnly, !p.WeFund: o.Shape != CloserOnly} // by whether it is ours
	outputs := 0
	for _, out := range []struct {
		ours   bool
		at     int
		value  lnwire.Sat
		script []byte
	}{{true, c.Ours, ours, p.OurScript}, {false, c.Theirs, theirs, p.TheirScript}} {
		require.Equal(t, with[out.ours], out.at >= 0)
		if out.at < 0 {
			continue
		}
		outputs++
		if out.script[0] == txscript.OP_RETURN {
			out.value = 0
		}
		require.Equal(t, &wire.TxOut{Value: int64(out.value), PkScript: out.script}, c.Tx.TxOut[out.at])
	}
	require.Len(t, c.Tx.TxOut, outputs)
	if outputs == 2 {
		require.LessOrEqual(t, compareTxOuts(c.Tx.TxOut[0], c.Tx.TxOut[1]), 0)
	}
}

func TestSimpleClosingRefuses(t *testing.T) {
	p := testClosing(seededParty(1), seededParty(2))
	_, err := BuildSimpleClosing(p, SimpleOffer{Fee: 500})
	require.ErrorContains(t, err, "no such shape")
	require.Equal(t, "closer_output_only closee_output_only closer_and_closee_outputs invalid",
		CloserOnly.String()+" "+CloseeOnly.String()+" "+BothOutputs.String()+" "+ClosingShape(0).String())
}
