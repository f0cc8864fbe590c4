package commitment

import (
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// signed is a scene with its commitment and both sides' signatures.
type signed struct {
	*scene
	c            *Commitment
	ours, theirs []lnwire.Sig
	tx           *wire.MsgTx
}

func drawSigned(t *rapid.T, maxHTLCs int) *signed {
	s := &signed{scene: drawScene(t, maxHTLCs)}
	s.c = s.build(t)
	s.ours = s.owner.signAll(s.c.OwnJobs(s.owner.locs))
	s.theirs = s.other.signAll(s.c.SignJobs(s.other.locs))
	s.tx = s.c.Finish(s.ours[0], s.theirs[0])
	return s
}

// accepted checks that spend works as it says, and not with another's key.
func (s *signed) accepted(t tb, spend *Spend, by, notBy *party) {
	t.Helper()
	tx := spendTx(spend, by)
	require.NoError(t, spendsOnly(tx, &spend.Output))
	require.LessOrEqual(t, tx.TxIn[0].Witness.SerializeSize(), spend.WitnessWeight)
	require.Error(t, spendsOnly(spendTx(spend, notBy), &spend.Output), "with another's key")
}

// early checks that the input is refused with a smaller sequence, and with one that
// switches relative locks off.
func (s *signed) early(t tb, spend *Spend, by *party) {
	t.Helper()
	for _, sequence := range []uint32{spend.Sequence - 1, wire.MaxTxInSequenceNum} {
		require.Error(t, spendsOnly(spendTxWith(spend, by, sequence, spend.LockTime), &spend.Output))
	}
}

// TestOwnerSpends: the owner gets all that is its own, by the script engine, and
// nothing before its delay.
//
// B3.tx.4 B3.out.1 B3.out.4 B3.out.5 B3.htlctx.1 B3.htlctx.2 B3.htlctx.3 B3.htlctx.4
// B3.htlctx.5 B3.htlctx.7 B3.htlctx.8 B3.anchor.5
func TestOwnerSpends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigned(t, 4)
		require.NoError(t, spendsOnly(s.tx, fundingOut(s.params)))
		require.LessOrEqual(t, weight(s.tx), s.c.Weight())
		checks, ok := s.c.Checks(s.theirs[0], s.theirs[1:])
		require.True(t, ok)
		for _, check := range checks {
			require.True(t, verify(check))
		}

		if main, ok := s.c.OwnerMain(s.owner.locs); ok {
			require.EqualValues(t, s.params.ToSelfDelay, main.Sequence)
			s.accepted(t, &main, s.owner, s.other)
			s.early(t, &main, s.owner)
		}
		for i := range s.c.HTLCs {
			s.checkSecond(t, i)
		}
		if anchor, ok := s.c.OwnerAnchor(s.owner.locs); ok {
			s.accepted(t, &anchor, s.owner, s.other)
		}
	})
}

// checkSecond takes HTLC i through its HTLC transaction to the owner.
func (s *signed) checkSecond(t tb, i int) {
	t.Helper()
	h := &s.c.HTLCs[i]
	tx, err := s.c.FinishHTLC(i, s.ours[1+i], s.theirs[1+i], s.preimages[h.Ref])
	require.NoError(t, err)
	prev := s.c.Tx.TxOut[h.Output]
	require.NoError(t, spendsOnly(tx, prev))
	if h.Offered {
		require.EqualValues(t, h.Expiry, tx.LockTime)
		early := tx.Copy()
		early.LockTime--
		require.Error(t, spendsOnly(early, prev), "the other's signature covers the locktime")
	} else {
		require.Zero(t, tx.LockTime)
		_, err := s.c.FinishHTLC(i, s.ours[1+i], s.theirs[1+i], nil)
		require.ErrorContains(t, err, "missing")
		_, err = s.c.FinishHTLC(i, s.ours[1+i], s.theirs[1+i], &lnwire.Preimage{99})
		require.ErrorContains(t, err, "does not open")
	}
	added := tx.Copy()
	added.AddTxOut(&wire.TxOut{Value: 1, PkScript: prev.PkScript})
	require.Error(t, spendsOnly(added, prev), "the owner's signature covers all outputs")
	found, ok := PreimageIn(tx.TxIn[0].Witness, h.Hash)
	require.Equal(t, !h.Offered, ok)
	if ok {
		require.Equal(t, *s.preimages[h.Ref], found)
	}
	spend := s.c.OwnerSecond(i, wire.OutPoint{Hash: tx.TxHash()}, s.owner.locs)
	require.Equal(t, *tx.TxOut[0], spend.Output)
	s.accepted(t, &spend, s.owner, s.other)
	s.early(t, &spend, s.owner)
}

// TestOtherSpends: the other gets its own from the owner's commitment.
//
// B3.out.2 B3.out.3 B3.out.4 B3.out.5 B3.out.6 B3.anchor.4 B3.anchor.5
func TestOtherSpends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigned(t, 4)
		if main, ok := s.c.OtherMain(s.other.locs); ok {
			s.accepted(t, &main, s.other, s.owner)
			if s.params.Format == Anchors {
				s.early(t, &main, s.other)
			}
			lost, ok := OtherMainOf(s.params, s.tx, s.other.locs)
			require.True(t, ok, "found without the point")
			require.Equal(t, main, lost)
		} else {
			require.Negative(t, s.c.ToOther)
		}
		for i := range s.c.HTLCs {
			s.checkOtherHTLC(t, i)
		}
		if anchor, ok := s.c.OtherAnchor(s.other.locs); ok {
			s.accepted(t, &anchor, s.other, s.owner)
		}
		for _, anchor := range s.c.AnyAnchors() {
			require.False(t, anchor.NeedsSig())
			require.EqualValues(t, 16, anchor.Sequence)
			tx := spendTx(&anchor, nil)
			require.NoError(t, spendsOnly(tx, &anchor.Output))
			require.Equal(t, anchor.WitnessWeight, tx.TxIn[0].Witness.SerializeSize())
			s.early(t, &anchor, nil)
		}
	})
}

func (s *signed) checkOtherHTLC(t tb, i int) {
	t.Helper()
	h := &s.c.HTLCs[i]
	spend, ok := s.c.OtherHTLC(i, s.other.locs, s.preimages[h.Ref])
	require.True(t, ok)
	s.accepted(t, &spend, s.other, s.owner)
	if s.params.Format == Anchors {
		s.early(t, &spend, s.other)
	}
	_, ok = s.c.OtherHTLC(i, s.other.locs, nil)
	require.Equal(t, !h.Offered, ok, "a timeout needs no preimage")
	_, ok = s.c.OtherHTLC(i, s.other.locs, &lnwire.Preimage{99})
	require.Equal(t, !h.Offered, ok)
	if h.Offered {
		require.Equal(t, SpendOtherPreimage, spend.Kind)
		require.Zero(t, spend.LockTime)
		found, ok := PreimageIn(spend.Witness(lnwire.Sig{}), h.Hash)
		require.True(t, ok)
		require.Equal(t, *s.preimages[h.Ref], found)
		return
	}
	require.Equal(t, SpendOtherTimeout, spend.Kind)
	require.EqualValues(t, h.Expiry, spend.LockTime)
	require.Error(t, spendsOnly(spendTxWith(&spend, s.other, spend.Sequence, spend.LockTime-1), &spend.Output))
}

// TestEveryOutputHasASpender: no output of a commitment is forgotten, neither of a
// valid nor of a revoked one.
func TestEveryOutputHasASpender(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigned(t, 4)
		claimed := func(spends ...Spend) map[wire.OutPoint]bool {
			all := map[wire.OutPoint]bool{}
			for _, spend := range spends {
				require.Equal(t, *s.tx.TxOut[spend.OutPoint.Index], spend.Output)
				require.Equal(t, s.c.Txid, spend.OutPoint.Hash)
				all[spend.OutPoint] = true
			}
			return all
		}
		var mains []Spend
		for _, get := range []func(KeyLocs) (Spend, bool){s.c.OtherMain, s.c.OwnerAnchor, s.c.OtherAnchor} {
			if spend, ok := get(testLocs); ok {
				mains = append(mains, spend)
			}
		}
		valid := mains
		if spend, ok := s.c.OwnerMain(testLocs); ok {
			valid = append(valid[:len(valid):len(valid)], spend)
		}
		for i := range s.c.HTLCs {
			spend, ok := s.c.OtherHTLC(i, testLocs, s.preimages[s.c.HTLCs[i].Ref])
			require.True(t, ok)
			valid = append(valid, spend)
		}
		require.Len(t, claimed(valid...), len(s.tx.TxOut))
		require.Len(t, claimed(append(mains, s.c.Punish(testLocs, s.secret())...)...), len(s.tx.TxOut))
	})
}

// TestPunish: every output of a revoked commitment is the other's at once, in one
// transaction or each alone, with the secret that the owner gave away and with no
// other.
//
// B3.out.8 B3.key.2 B3.key.5
func TestPunish(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigned(t, 4)
		spends := s.c.Punish(s.other.locs, s.secret())
		for i := range spends {
			require.Zero(t, spends[i].Sequence)
			require.Zero(t, spends[i].LockTime)
			s.accepted(t, &spends[i], s.other, s.owner)
		}
		spendTogether(t, spends, s.other)
		require.Nil(t, s.c.Punish(s.other.locs, SecretFromRoot(s.other.root, s.number)))
		require.Nil(t, s.c.Punish(s.other.locs, lnwire.Secret{}))
	})
}

// TestPunishSeconds: an owner that moves many HTLCs of a revoked commitment in one
// transaction loses all of them, whatever else it mixed in (V-04).
//
// B3.out.8 B3.htlctx.6 B3.htlctx.7
func TestPunishSeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigned(t, 4)
		if s.params.Format == StaticRemoteKey { // each HTLC transaction stands alone
			for i, h := range s.c.HTLCs {
				tx, err := s.c.FinishHTLC(i, s.ours[1+i], s.theirs[1+i], s.preimages[h.Ref])
				require.NoError(t, err)
				_, ok := s.c.OwnerHTLC(i, s.owner.locs, s.theirs[1+i], s.preimages[h.Ref])
				require.False(t, ok, "its HTLC transactions are complete")
				s.checkPunishSeconds(t, tx, 1)
			}
			return
		}
		tx, moved := s.batch(t)
		s.checkPunishSeconds(t, tx, moved)
	})
}

func (s *signed) checkPunishSeconds(t tb, tx *wire.MsgTx, want int) {
	t.Helper()
	spends := s.c.PunishSeconds(tx, s.other.locs, s.secret())
	require.Len(t, spends, want)
	for i := range spends {
		s.accepted(t, &spends[i], s.other, s.owner)
	}
	require.Nil(t, s.c.PunishSeconds(tx, s.other.locs, lnwire.Secret{1}))
}

// batch moves all HTLCs of one locktime in one transaction of the owner, with an
// input and an output of its wallet somewhere between, and checks it by the engine.
func (s *signed) batch(t *rapid.T) (tx *wire.MsgTx, moved int) {
	tx = wire.NewMsgTx(2)
	prevs := txscript.NewMultiPrevOutFetcher(nil)
	feeAt := rapid.IntRange(0, 2).Draw(t, "place of the fee input")
	addFee := func() {
		in := wire.OutPoint{Hash: s.params.Funding.Hash, Index: 99}
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: in})
		prevs.AddPrevOut(in, &wire.TxOut{Value: 100_000, PkScript: payToScript([]byte{txscript.OP_TRUE})})
		tx.AddTxOut(&wire.TxOut{Value: 90_000, PkScript: payToScript([]byte{txscript.OP_TRUE, txscript.OP_NOP})})
	}
	var spends []Spend
	at := map[int]int{} // spend -> input
	for i, h := range s.c.HTLCs {
		_, ok := s.c.OwnerHTLC(i, s.owner.locs, s.theirs[1+i], nil)
		require.Equal(t, h.Offered, ok)
		spend, ok := s.c.OwnerHTLC(i, s.owner.locs, s.theirs[1+i], s.preimages[h.Ref])
		require.True(t, ok)
		if !h.Offered {
			require.Zero(t, spend.LockTime)
		}
		if tx.LockTime != spend.LockTime && len(spends) > 0 {
			continue // the other's signature covers the locktime
		}
		if len(spends) == feeAt {
			addFee()
		}
		tx.LockTime = spend.LockTime
		at[len(spends)] = len(tx.TxIn)
		tx.AddTxIn(spend.Input())
		tx.AddTxOut(spend.Pair)
		prevs.AddPrevOut(spend.OutPoint, &spend.Output)
		spends = append(spends, spend)
	}
	if len(spends) <= feeAt {
		addFee()
	}
	hashes := txscript.NewTxSigHashes(tx, prevs)
	for k := range spends {
		in := tx.TxIn[at[k]]
		in.Witness = spends[k].Witness(s.owner.sign(spends[k].Job(tx, at[k], hashes)))
		require.LessOrEqual(t, in.Witness.SerializeSize(), spends[k].WitnessWeight)
	}
	for k := range spends {
		require.NoError(t, engine(tx, at[k], &spends[k].Output, prevs))
	}
	return tx, len(spends)
}

// spendTogether spends all in one transaction.
func spendTogether(t tb, spends []Spend, by *party) {
	t.Helper()
	tx := wire.NewMsgTx(2)
	prevs := txscript.NewMultiPrevOutFetcher(nil)
	weightBound := int64(4*(10+9+34) + 2)
	for i := range spends {
		tx.AddTxIn(spends[i].Input())
		prevs.AddPrevOut(spends[i].OutPoint, &spends[i].Output)
		weightBound += int64(spends[i].InputWeight())
	}
	tx.AddTxOut(&wire.TxOut{Value: 330, PkScript: payToScript(nil)})
	hashes := txscript.NewTxSigHashes(tx, prevs)
	for i := range spends {
		tx.TxIn[i].Witness = spends[i].Witness(by.sign(spends[i].Job(tx, i, hashes)))
	}
	for i := range spends {
		require.NoError(t, engine(tx, i, &spends[i].Output, prevs))
	}
	require.LessOrEqual(t, weight(tx), weightBound)
}

func weight(tx *wire.MsgTx) int64 {
	return int64(3*tx.SerializeSizeStripped() + tx.SerializeSize())
}

// longest is no valid signature but the longest that a valid one can be.
var longest = func() (s lnwire.Sig) {
	s[0], s[32] = 0xff, 0x7f
	for i := 1; i < 32; i++ {
		s[i], s[32+i] = 1, 1
	}
	return s
}()

// TestWeightsAreExact: WitnessWeight is reached by the longest signatures, for every
// kind of spend and both formats.
func TestWeightsAreExact(t *testing.T) {
	require.Len(t, witnessSig(longest, txscript.SigHashAll), maxSigLen)
	all, preimages := vectorHTLCs()
	kinds := map[SpendKind]bool{}
	for _, f := range []Format{StaticRemoteKey, Anchors} {
		local, remote, p := vectorSides(t, f, 546)
		c := mustBuild(t, p, 3, local.point(3), Spec{FeeRate: 253, ToOwner: 6988000000, ToOther: 3000000000, HTLCs: all[:5]})
		var spends []Spend
		add := func(s Spend, ok bool) {
			if ok {
				spends = append(spends, s)
			}
		}
		add(c.OwnerMain(local.locs))
		add(c.OwnerAnchor(local.locs))
		add(c.OtherMain(remote.locs))
		add(c.OtherAnchor(remote.locs))
		for i, h := range c.HTLCs {
			add(c.OwnerHTLC(i, local.locs, longest, preimages[h.Ref.ID]))
			add(c.OwnerSecond(i, wire.OutPoint{}, local.locs), true)
			add(c.OtherHTLC(i, remote.locs, preimages[h.Ref.ID]))
			seconds := c.PunishSeconds(h.Second, remote.locs, SecretFromRoot(local.root, 3))
			require.Len(t, seconds, 1)
			add(seconds[0], true)
		}
		spends = append(spends, c.AnyAnchors()...)
		spends = append(spends, c.Punish(remote.locs, SecretFromRoot(local.root, 3))...)
		for i := range spends {
			kinds[spends[i].Kind] = true
			w := spends[i].Witness(longest)
			require.Equal(t, w.SerializeSize(), spends[i].WitnessWeight)
			require.Equal(t, 4*41+w.SerializeSize(), spends[i].InputWeight())
			tx := spendTx(&spends[i], local)
			tx.TxIn[0].Witness = w
			require.EqualValues(t, 4*(10+tx.TxOut[0].SerializeSize())+2+spends[i].InputWeight(), weight(tx))
		}
		require.Equal(t, weight(c.Finish(longest, longest)), c.Weight())
	}
	require.Len(t, kinds, int(SpendAnyAnchor), "every kind")
}

// TestChecksRefuse: a wrong number of signatures, and signatures that do not relay,
// are refused before any arithmetic (V-02); a wrong one by its check.
func TestChecksRefuse(t *testing.T) {
	all, _ := vectorHTLCs()
	local, remote, p := vectorSides(t, Anchors, 546)
	c := mustBuild(t, p, 0, local.point(0), Spec{FeeRate: 253, ToOwner: 6988000000, ToOther: 3000000000, HTLCs: all[:5]})
	sigs := remote.signAll(c.SignJobs(remote.locs))
	refused := func(sig lnwire.Sig, htlcs []lnwire.Sig) {
		t.Helper()
		checks, ok := c.Checks(sig, htlcs)
		require.False(t, ok)
		require.Nil(t, checks)
	}
	refused(sigs[0], sigs[1:5])
	refused(sigs[0], append(sigs[1:len(sigs):len(sigs)], sigs[1]))
	refused(sigs[0], nil)
	refused(highS(sigs[0]), sigs[1:])
	refused(lnwire.Sig{}, sigs[1:])
	for i := 1; i < len(sigs); i++ {
		bad := append([]lnwire.Sig(nil), sigs[1:]...)
		bad[i-1] = highS(bad[i-1])
		refused(sigs[0], bad)
	}
	checks, ok := c.Checks(sigs[0], append([]lnwire.Sig{sigs[2], sigs[1]}, sigs[3:]...))
	require.True(t, ok)
	for i, check := range checks {
		require.Equal(t, i != 1 && i != 2, verify(check), "swapped signatures do not verify")
	}
}

// highS is the other valid form of a signature, which does not relay.
func highS(s lnwire.Sig) lnwire.Sig {
	sig, err := s.ECDSA()
	if err != nil {
		panic(err)
	}
	v := sig.S()
	v.Negate()
	v.PutBytesUnchecked(s[32:])
	return s
}
