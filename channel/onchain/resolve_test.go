package onchain_test

import (
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel/channeltest"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

var (
	us, them = channeltest.NewRing("us"), channeltest.NewRing("them")
	known    = lnwire.Preimage{7}
)

const (
	delay  = 10
	mined  = lnwire.Height(1000)
	expiry = lnwire.Height(1050)
)

func ref(dir htlc.Direction, id uint64) htlc.Ref { return htlc.Ref{ChanNum: 1, Dir: dir, ID: id} }

// closeOf is a close with one HTLC of each direction, both of the same hash.
func closeOf(t require.TestingT, whose onchain.Whose, format commitment.Format) *onchain.Close {
	owner, other := us, them
	if whose != onchain.Ours {
		owner, other = them, us
	}
	p := &commitment.Params{
		Format: format, Funding: wire.OutPoint{Hash: chainhash.Hash{9}}, Capacity: 1_000_000, OwnerIsFunder: true,
		Owner: owner.Basepoints(owner.Locs(1)), Other: other.Basepoints(other.Locs(1)), DustLimit: 354, ToSelfDelay: delay,
	}
	com, err := commitment.Build(p, 5, owner.Point(owner.Locs(1).Root, 5), commitment.Spec{
		FeeRate: 1000, ToOwner: 500_000_000, ToOther: 300_000_000,
		HTLCs: []commitment.HTLC{
			{Ref: ref(htlc.Outgoing, 0), Offered: whose == onchain.Ours, Amount: 100_000_000, Expiry: expiry, Hash: known.Hash()},
			{Ref: ref(htlc.Incoming, 0), Offered: whose != onchain.Ours, Amount: 100_000_000, Expiry: expiry, Hash: known.Hash()},
		},
	})
	require.NoError(t, err)
	c := &onchain.Close{
		Whose: whose, Commitment: com, Params: p, Tx: com.Tx, At: mined, Tip: mined, Keys: us.Locs(1),
		HTLCs: []onchain.HTLC{
			{Ref: ref(htlc.Outgoing, 0), Expiry: expiry, Hash: known.Hash(), Upstream: expiry + 40},
			{Ref: ref(htlc.Incoming, 0), Expiry: expiry, Hash: known.Hash()},
			{Ref: ref(htlc.Outgoing, 1), Expiry: expiry, Hash: lnwire.Hash{1}}, // it has no output
		},
	}
	if whose == onchain.Ours {
		sigs, _ := channeltest.Model{Ring: them}.Sign(com.SignJobs(them.Locs(1)))
		c.TheirSigs = sigs[1:]
	}
	if whose == onchain.Revoked {
		c.Secret = owner.Secret(owner.Locs(1).Root, 5)
	}
	return c
}

// spendOf spends outputs with a witness.
func spendOf(at lnwire.Height, witness wire.TxWitness, ops ...wire.OutPoint) onchain.Spend {
	tx := wire.NewMsgTx(2)
	for _, op := range ops {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Witness: witness})
	}
	tx.AddTxOut(&wire.TxOut{Value: 1, PkScript: []byte{0, 20, 21: byte(at)}})
	return onchain.Spend{Tx: tx, At: at}
}

func output(c *onchain.Close, r htlc.Ref) wire.OutPoint {
	i, _ := c.Commitment.Find(r)
	return wire.OutPoint{Hash: c.Commitment.Txid, Index: uint32(c.Commitment.HTLCs[i].Output)}
}

func claimOf(r onchain.Result, ref htlc.Ref) *onchain.Claim {
	for i := range r.Claims {
		if r.Claims[i].Ref == ref && r.Claims[i].Kind != commitment.SpendOtherMain {
			return &r.Claims[i]
		}
	}
	return nil
}

// TestClaims: what is claimed, from when, until when, by the expiries of HTLCs alone (V-38): B5.own.2, B5.own.3, B5.own.6,
// B5.their.2, B5.their.3, B5.gen.1.
func TestClaims(t *testing.T) {
	for _, whose := range []onchain.Whose{onchain.Ours, onchain.Theirs} {
		c := closeOf(t, whose, commitment.Anchors)
		r := onchain.Resolve(c)
		require.Len(t, r.Claims, 3)
		anchor := r.Claims[2] // goes when it pays, with whatever goes
		require.EqualValues(t, commitment.AnchorValue, anchor.Value)
		require.Zero(t, anchor.Deadline)
		main := claimOf(r, htlc.Ref{})
		if whose == onchain.Ours {
			require.Equal(t, mined+delay, main.MatureAt)
		}
		out := claimOf(r, ref(htlc.Outgoing, 0))
		require.Equal(t, expiry+1, out.MatureAt)
		require.Equal(t, expiry+40, out.Deadline)
		require.Nil(t, claimOf(r, ref(htlc.Incoming, 0)))
		c.HTLCs[1].Preimage = &known
		in := claimOf(onchain.Resolve(c), ref(htlc.Incoming, 0))
		require.Equal(t, mined+1, in.MatureAt)
		require.Equal(t, expiry, in.Deadline)
	}
	c := closeOf(t, onchain.Ours, commitment.StaticRemoteKey)
	require.Empty(t, onchain.Resolve(c).Publish)
	c.Tip = expiry - 1
	require.Empty(t, onchain.Resolve(c).Publish)
	c.Tip = expiry
	require.Len(t, onchain.Resolve(c).Publish, 1)
	c.HTLCs[1].Preimage = &known
	require.Len(t, onchain.Resolve(c).Publish, 2)
}

// TestEqualHTLCs: V-10, V-11: the preimage that takes one HTLC says nothing of another
// of the same hash that has its own output.
func TestEqualHTLCs(t *testing.T) {
	c := closeOf(t, onchain.Theirs, commitment.Anchors)
	c.Spends = []onchain.Spend{spendOf(mined+1, wire.TxWitness{known[:]}, output(c, ref(htlc.Incoming, 0)))}
	require.Empty(t, onchain.Resolve(c).Verdicts)
	c.Spends = []onchain.Spend{spendOf(mined+1, wire.TxWitness{known[:]}, output(c, ref(htlc.Outgoing, 0)))}
	c.HTLCs[2].Hash = known.Hash() // the commitment does not hold it: it costs us nothing to fail it
	v := onchain.Resolve(c).Verdicts
	require.Len(t, v, 1)
	require.Equal(t, known, *v[0].Preimage)
	require.Equal(t, ref(htlc.Outgoing, 0), v[0].Ref)
	c.Commitment.Trimmed = []commitment.HTLC{{Ref: ref(htlc.Outgoing, 1)}} // its amount is gone
	require.Len(t, onchain.Resolve(c).Verdicts, 2)
	c.Commitment.Trimmed, c.Commitment.HTLCs = nil, nil // nothing is known of what was spent
	require.Len(t, onchain.Resolve(c).Verdicts, 2)
}

// TestDepths: B5.own.7, B5.absent.2, B5.gen.3: a timeout counts six deep, the end is a
// hundred deep, and both go back when the chain does.
func TestDepths(t *testing.T) {
	for _, whose := range []onchain.Whose{onchain.Ours, onchain.Theirs, onchain.Revoked} {
		c := closeOf(t, whose, commitment.Anchors)
		c.Tip = mined + 4
		require.Empty(t, onchain.Resolve(c).Verdicts)
		c.Tip = mined + 5
		require.Equal(t, []onchain.Verdict{{Ref: ref(htlc.Outgoing, 1), Absent: true}}, onchain.Resolve(c).Verdicts)
		for _, o := range onchain.Resolve(c).Outputs {
			c.Spends = append(c.Spends, spendOf(expiry+1, wire.TxWitness{{}, {1}}, o.OutPoint))
		}
		c.Tip = expiry + 5
		require.Len(t, onchain.Resolve(c).Verdicts, 1)
		c.Tip = expiry + 6
		require.Len(t, onchain.Resolve(c).Verdicts, 2)
		c.Tip = expiry + 99
		require.False(t, onchain.Resolve(c).Done)
		c.Tip = expiry + 100
		require.True(t, onchain.Resolve(c).Done)
		c.Spends = c.Spends[1:]
		require.False(t, onchain.Resolve(c).Done)
	}
}

// TestInTimeUpstream: B5.absent.3: what is mined ends an HTLC upstream before it expires there,
// though it is not six deep; what is not mined does not.
func TestInTimeUpstream(t *testing.T) {
	c := closeOf(t, onchain.Theirs, commitment.Anchors)
	up := mined + 4
	c.HTLCs[2].Upstream, c.HTLCs[0].Upstream = up, expiry+4
	require.Empty(t, onchain.Resolve(c).Verdicts)
	c.Tip = up - onchain.UpstreamMargin
	require.Equal(t, []onchain.Verdict{{Ref: ref(htlc.Outgoing, 1), Absent: true}}, onchain.Resolve(c).Verdicts)
	c.Tip = expiry + 20
	require.Len(t, onchain.Resolve(c).Verdicts, 1, "nothing has spent the output of the other: the peer still may")
	c.Spends = []onchain.Spend{spendOf(expiry+20, wire.TxWitness{{}, {1}}, output(c, ref(htlc.Outgoing, 0)))}
	require.Len(t, onchain.Resolve(c).Verdicts, 2)
}

// TestPettyIsAbandoned: B5.absent.4: what nobody brings home at a loss keeps neither the
// channel upstream nor a payment of our own waiting for ever, but the wait goes first.
func TestPettyIsAbandoned(t *testing.T) {
	c := closeOf(t, onchain.Theirs, commitment.Anchors)
	ended := func(tip lnwire.Height) bool {
		c.Tip = tip
		return slices.ContainsFunc(onchain.Resolve(c).Verdicts, func(v onchain.Verdict) bool { return v.Ref == c.HTLCs[0].Ref })
	}
	require.Equal(t, ref(htlc.Outgoing, 0), c.HTLCs[0].Ref)
	require.False(t, ended(expiry+1000), "it is worth waiting for")
	c.HTLCs[0].Petty, c.HTLCs[0].Upstream = true, 0
	require.False(t, ended(expiry+143))
	require.True(t, ended(expiry+144))
	c.HTLCs[0].Upstream = expiry + 40
	require.False(t, ended(expiry+40-onchain.UpstreamMargin-1))
	require.True(t, ended(expiry+40-onchain.UpstreamMargin))
	c.HTLCs[0].Upstream = expiry - 40
	require.False(t, ended(expiry-1), "the peer may still be paid for it")
}

// TestBlind: a revoked state that is not loaded yet, and a commitment that is not known:
// to_remote is claimed, every output is watched, and nothing is given up too early
// (B5.lost.1).
func TestBlind(t *testing.T) {
	for _, whose := range []onchain.Whose{onchain.Revoked, onchain.Unknown} {
		c := closeOf(t, whose, commitment.Anchors)
		com := c.Commitment
		c.Commitment = nil
		c.Tip = expiry + 4
		r := onchain.Resolve(c)
		require.Len(t, r.Claims, 1)
		require.Equal(t, commitment.SpendOtherMain, r.Claims[0].Kind)
		require.Len(t, r.Watch, len(com.Tx.TxOut))
		require.Empty(t, r.Verdicts)
		c.Spends = []onchain.Spend{spendOf(mined+1, wire.TxWitness{known[:]}, wire.OutPoint{Hash: com.Txid, Index: 3})}
		require.Len(t, onchain.Resolve(c).Verdicts, 1)
		c.Tip = expiry + 5
		r = onchain.Resolve(c)
		require.False(t, r.Done)
		if whose == onchain.Unknown {
			require.Len(t, r.Verdicts, 2)
			c.HTLCs[2].Expiry = mined + 2000 // nobody else would end it
			c.Spends = append(c.Spends, spendOf(mined+1, nil, r.Claims[0].OutPoint))
			c.Tip = mined + 300
			require.False(t, onchain.Resolve(c).Done)
			c.Tip = mined + 2005
			require.True(t, onchain.Resolve(c).Done)
		}
	}
}

// TestForeignSpend: V-19: a transaction that takes our HTLC's output, but pays somebody
// else, has no second stage for us.
func TestForeignSpend(t *testing.T) {
	c := closeOf(t, onchain.Ours, commitment.Anchors)
	op := output(c, ref(htlc.Outgoing, 0))
	c.Spends = []onchain.Spend{spendOf(mined+1, wire.TxWitness{known[:]}, op)}
	for _, o := range onchain.Resolve(c).Outputs {
		require.NotEqual(t, onchain.SecondStage, o.Role)
	}
	i, _ := c.Commitment.Find(ref(htlc.Outgoing, 0))
	own := spendOf(expiry+1, wire.TxWitness{{}}, op)
	own.Tx.TxOut[0] = c.Commitment.HTLCs[i].Second.TxOut[0]
	c.Spends = []onchain.Spend{own}
	outs := onchain.Resolve(c).Outputs
	last := outs[len(outs)-1]
	for _, o := range outs {
		if o.Role == onchain.SecondStage {
			last = o
		}
	}
	require.Equal(t, onchain.SecondStage, last.Role) // B5.own.5
	require.Equal(t, expiry+1+delay, last.Claim.MatureAt)
}

// TestOrderFree: V-12: the order in which spends and HTLCs are given does not matter, and
// nothing panics on whatever spends there are.
func TestOrderFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whose := rapid.SampledFrom([]onchain.Whose{onchain.Ours, onchain.Theirs, onchain.Revoked, onchain.Unknown}).Draw(t, "whose")
		format := rapid.SampledFrom([]commitment.Format{commitment.StaticRemoteKey, commitment.Anchors}).Draw(t, "format")
		c := closeOf(t, whose, format)
		if whose == onchain.Unknown || whose == onchain.Revoked && rapid.Bool().Draw(t, "blind") {
			c.Commitment = nil
		}
		c.Tip = mined + lnwire.Height(rapid.IntRange(0, 200).Draw(t, "tip"))
		if rapid.Bool().Draw(t, "known") {
			c.HTLCs[1].Preimage = &known
		}
		for i := range c.Tx.TxOut {
			w := rapid.SampledFrom([]wire.TxWitness{nil, {known[:]}, {{}, {1}, {2}}}).Draw(t, "witness")
			if rapid.Bool().Draw(t, "spent") {
				at := mined + lnwire.Height(rapid.IntRange(0, 100).Draw(t, "at"))
				c.Spends = append(c.Spends, spendOf(at, w, wire.OutPoint{Hash: c.Tx.TxHash(), Index: uint32(i)}))
			}
		}
		want := onchain.Resolve(c)
		c.Spends = rapid.Permutation(c.Spends).Draw(t, "order")
		have := onchain.Resolve(c)
		require.ElementsMatch(t, want.Claims, have.Claims)
		require.Equal(t, want.Verdicts, have.Verdicts)
		require.Equal(t, want.Publish, have.Publish)
		require.Equal(t, want.Done, have.Done)
	})
}
