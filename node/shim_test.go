package node

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
)

// signedElsewhere is a transaction of r's wallet that pays outs, as a PSBT without the
// signatures and as it is with them.
func (r *resident) signedElsewhere(outs ...*wire.TxOut) (*psbt.Packet, *wire.MsgTx) {
	r.t.Helper()
	var f *wallet.Funded
	var err error
	r.purse.mu.Lock()
	f, _, err = r.purse.wallet.Fund(r.ring, wallet.FundRequest{Outputs: outs, FeeRate: 1000, MinConfs: 1, Now: r.now()}, wallet.LeaseRow{ID: [32]byte{1}})
	r.purse.mu.Unlock()
	require.NoError(r.t, err)
	bare := f.Tx.Copy()
	for _, in := range bare.TxIn {
		in.Witness, in.SignatureScript = nil, nil
	}
	p, err := psbt.NewFromUnsignedTx(bare)
	require.NoError(r.t, err)
	for i, c := range f.Coins {
		p.Inputs[i].WitnessUtxo = wire.NewTxOut(int64(c.Value), c.PkScript)
	}
	return p, f.Tx
}

// next is the next update of an opening.
func (r *resident) next(updates <-chan OpenUpdate) OpenUpdate {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	select {
	case u, ok := <-updates:
		require.True(r.t, ok)
		return u
	case <-ctx.Done():
		require.FailNow(r.t, "no update")
		return OpenUpdate{}
	}
}

// asked opens a channel whose funding comes from elsewhere, as far as the question for it.
func (r *resident) asked(to *resident, id byte, noPublish bool) (lnwire.ChannelID, <-chan OpenUpdate, *wire.TxOut) {
	r.t.Helper()
	temp := lnwire.ChannelID{id}
	updates, err := r.OpenChannel(r.t.Context(), OpenRequest{
		Peer: to.ID(), Capacity: 100_000, TempID: temp, Shim: &Shim{NoPublish: noPublish}, Private: true,
	})
	require.NoError(r.t, err)
	u := r.next(updates)
	require.NoError(r.t, u.Err)
	require.NotNil(r.t, u.Fund)
	return temp, updates, wire.NewTxOut(int64(u.Fund.Amount), u.Fund.Script)
}

// TestFundingFromElsewhere: carol's wallet funds alice's channels with bob. Nothing is
// published before all channels of a transaction are signed, and none that pays to a
// channel which came to nothing.
func TestFundingFromElsewhere(t *testing.T) {
	chain := chainOf(t)
	alice, bob, carol := residentOf(t, chain, "alice"), residentOf(t, chain, "bob"), residentOf(t, chain, "carol")
	for range 3 {
		carol.fund(1_000_000)
	}
	alice.fund(50_000)
	alice.connect(bob)
	alice.until("synced", alice.SyncedToChain)
	bob.until("synced", bob.SyncedToChain)

	first, firstUpdates, firstOut := alice.asked(bob, 1, true)
	last, lastUpdates, lastOut := alice.asked(bob, 2, false)
	_, err := alice.OpenChannel(t.Context(), OpenRequest{Peer: bob.ID(), Capacity: 100_000, TempID: first, Shim: &Shim{}})
	require.ErrorContains(t, err, "is in use")
	p, tx := carol.signedElsewhere(firstOut, lastOut)
	require.ErrorContains(t, alice.VerifyFunding(lnwire.ChannelID{9}, p, false), "no funding intent found for pendingChannelID(09")
	require.ErrorContains(t, alice.FinalizeFunding(last, nil, tx), "PSBT was not verified first")
	require.ErrorContains(t, alice.VerifyFunding(last, p, true), "cannot set skip_finalize")
	require.NoError(t, alice.VerifyFunding(last, p, false))
	unsigned := p.UnsignedTx.Copy()
	require.ErrorContains(t, alice.FinalizeFunding(last, nil, unsigned), "inputs not signed")
	require.NoError(t, alice.FinalizeFunding(last, nil, tx))
	require.ErrorContains(t, alice.FinalizeFunding(last, nil, tx), "the funding is final")
	mempool, err := chain.Mempool(t.Context())
	require.NoError(t, err)
	require.Empty(t, mempool)
	select {
	case u := <-lastUpdates:
		require.Fail(t, "the first channel is not signed yet", "%+v", u)
	default:
	}
	require.NoError(t, alice.VerifyFunding(first, p, true))
	u := alice.next(firstUpdates)
	require.True(t, u.Pending, "%v", u.Err)
	require.Equal(t, tx.TxHash(), u.Funding.Hash)
	require.True(t, alice.next(lastUpdates).Pending)
	alice.unconfirmed(tx.TxHash())
	require.NoError(t, alice.AbandonChannel(t.Context(), u.Funding, true), "it is funded from elsewhere")
	require.ErrorIs(t, alice.AbandonChannel(t.Context(), u.Funding, false), ErrNoChannel)
	alice.mine(6)
	require.True(t, alice.next(lastUpdates).Open)

	// One that is cancelled must not be paid by the others.
	gone, goneUpdates, goneOut := alice.asked(bob, 3, true)
	other, otherUpdates, otherOut := alice.asked(bob, 4, false)
	p, tx = carol.signedElsewhere(goneOut, otherOut)
	require.NoError(t, alice.VerifyFunding(other, p, false))
	require.NoError(t, alice.FinalizeFunding(other, nil, tx))
	require.NoError(t, alice.CancelFunding(gone))
	require.ErrorContains(t, alice.next(goneUpdates).Err, "user canceled funding")
	require.ErrorContains(t, alice.next(otherUpdates).Err, "that money would be lost")
	require.ErrorContains(t, alice.CancelFunding(gone), "no funding intent found")
	id, _, out := alice.asked(bob, 5, false)
	p, _ = carol.signedElsewhere(out, goneOut)
	require.ErrorContains(t, alice.VerifyFunding(id, p, false), "that money would be lost")
	mempool, err = chain.Mempool(t.Context())
	require.NoError(t, err)
	require.NotContains(t, mempool, tx.TxHash())

	// What is signed for one transaction must not be paid by another.
	paying := func(coin byte, outs ...*wire.TxOut) *psbt.Packet {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: [32]byte{coin}}, nil, nil))
		tx.TxOut = outs
		p, err := psbt.NewFromUnsignedTx(tx)
		require.NoError(t, err)
		p.Inputs[0].WitnessUtxo = wire.NewTxOut(1_000_000, append([]byte{txscript.OP_0, 20}, make([]byte, 20)...))
		return p
	}
	kept, keptUpdates, keptOut := alice.asked(bob, 6, true)
	p = paying(1, keptOut, out)
	require.NoError(t, alice.VerifyFunding(kept, p, true))
	require.True(t, alice.next(keptUpdates).Pending)
	require.NoError(t, alice.VerifyFunding(id, p, false), "the same transaction")
	require.ErrorContains(t, alice.VerifyFunding(id, paying(2, keptOut, out), false), "that money would be lost")
	require.NoError(t, alice.VerifyFunding(id, paying(2, out), false))
}

// TestBatchOpen: one transaction for all, or none.
func TestBatchOpen(t *testing.T) {
	chain := chainOf(t)
	alice, bob, carol := residentOf(t, chain, "alice"), residentOf(t, chain, "bob"), residentOf(t, chain, "carol")
	alice.fund(1_000_000)
	alice.connect(bob)
	alice.connect(carol)
	for _, r := range []*resident{alice, bob, carol} {
		r.until("synced", r.SyncedToChain)
	}
	batch := BatchRequest{MinConfs: 1, Label: "two", Channels: []OpenRequest{
		{Peer: bob.ID(), Capacity: 100_000}, {Peer: carol.ID(), Capacity: 200_000},
	}}

	// Carol does not want it: bob's channel, signed or not, goes too.
	remove := carol.AddAcceptor(func(context.Context, *channel.AskAccept) Verdict { return Verdict{Text: "no, thanks"} })
	_, err := alice.OpenBatch(t.Context(), batch)
	require.ErrorContains(t, err, "no, thanks")
	remove()
	alice.until("nothing is left", func() bool {
		b, _ := alice.Balance(1)
		return len(alice.channels.all()) == 0 && b.Confirmed == 1_000_000 && b.Locked == 0
	})

	points, err := alice.OpenBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, points, 2)
	require.Equal(t, points[0].Hash, points[1].Hash)
	require.NotEqual(t, points[0].Index, points[1].Index)
	alice.unconfirmed(points[0].Hash)
	row, ok := alice.Tx(points[0].Hash)
	require.True(t, ok)
	require.Equal(t, "two", row.Label)
	alice.mine(6)
	for _, p := range points {
		alice.until("active", func() bool {
			i, err := alice.Channel(t.Context(), p)
			return err == nil && i.Active
		})
	}
	_, err = alice.OpenBatch(t.Context(), BatchRequest{})
	require.EqualError(t, err, "specify at least one channel")
}

// TestBatchAfterCrash: what was not complete is dropped, what was is published.
func TestBatchAfterCrash(t *testing.T) {
	n, _, _ := storeOnly(t)
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(wire.NewTxOut(1, nil))
	rows := func(batch uint32, phase channel.Phase) *channel.Rows {
		return &channel.Rows{
			Core:     &channel.Core{Phase: phase},
			Fundings: []channel.FundingTx{{OutPoint: wire.OutPoint{Hash: tx.TxHash()}, Tx: tx, Ours: true, Batch: batch}},
		}
	}
	for _, c := range []struct {
		name string
		rows []*channel.Rows
		free bool
	}{
		{"all are signed", []*channel.Rows{rows(2, channel.AwaitReady), rows(2, channel.Failed)}, true},
		{"one was let go", []*channel.Rows{rows(0, channel.AwaitReady), rows(2, channel.AwaitReady)}, true},
		{"one is not signed", []*channel.Rows{rows(2, channel.AwaitReady), rows(2, channel.Funding)}, false},
		{"one has no rows", []*channel.Rows{rows(2, channel.AwaitReady)}, false},
	} {
		n.restored = restored{}
		for i, r := range c.rows {
			n.restored.rememberBatch(uint64(i+1), r)
		}
		k := n.restored.batches[tx.TxHash()]
		require.Equal(t, c.free, k.complete(), c.name)
	}
	n.restored = restored{}
	n.restored.rememberBatch(1, rows(0, channel.AwaitReady))
	require.Empty(t, n.restored.batches[tx.TxHash()].nums, "nobody waits")
}

// TestVerifyPacket: what is refused of a PSBT.
func TestVerifyPacket(t *testing.T) {
	program := func(b byte) []byte { return append([]byte{0, 20}, append(make([]byte, 19), b)...) }
	out := wire.NewTxOut(1000, append([]byte{0, 32}, make([]byte, 32)...))
	nested := program(7)
	for _, c := range []struct {
		why   string
		spoil func(p *psbt.Packet)
	}{
		{"", func(*psbt.Packet) {}},
		{"funding output not found", func(p *psbt.Packet) { p.UnsignedTx.TxOut[0].PkScript = program(3) }},
		{"pays 999 sat to the funding script", func(p *psbt.Packet) { p.UnsignedTx.TxOut[0].Value = 999 }},
		{"more than once", func(p *psbt.Packet) { p.UnsignedTx.AddTxOut(out) }},
		{"has no inputs", func(p *psbt.Packet) { p.UnsignedTx.TxIn, p.Inputs = nil, nil }},
		{"not as many inputs", func(p *psbt.Packet) { p.Inputs = nil }},
		{"no UTXO information", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo = nil }},
		{"non-SegWit spend", func(p *psbt.Packet) {
			p.Inputs[0].WitnessUtxo.PkScript, _ = txscript.NewScriptBuilder().AddOp(txscript.OP_DUP).Script()
		}},
		{"missing redeem script", func(p *psbt.Packet) {
			p.Inputs[0].WitnessUtxo.PkScript = p2sh(nested)
		}},
		{"missing redeem script", func(p *psbt.Packet) {
			p.Inputs[0].WitnessUtxo.PkScript, p.Inputs[0].RedeemScript = p2sh(nested), program(8)
		}},
		{"", func(p *psbt.Packet) {
			p.Inputs[0].WitnessUtxo.PkScript, p.Inputs[0].RedeemScript = p2sh(nested), nested
		}},
		{"another transaction", func(p *psbt.Packet) { p.Inputs[0].NonWitnessUtxo = wire.NewMsgTx(2) }},
		{"another transaction", func(p *psbt.Packet) {
			tx := wire.NewMsgTx(2)
			p.UnsignedTx.TxIn[0].PreviousOutPoint = wire.OutPoint{Hash: tx.TxHash(), Index: 4}
			p.Inputs[0].NonWitnessUtxo = tx
		}},
		{"input amount sum must be larger", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo.Value = 1000 }},
		{"no sound amount, or comes twice", func(p *psbt.Packet) {
			p.UnsignedTx.AddTxIn(p.UnsignedTx.TxIn[0])
			p.Inputs = append(p.Inputs, p.Inputs[0])
		}},
		{"out of range", func(p *psbt.Packet) { p.UnsignedTx.AddTxOut(wire.NewTxOut(-1, nil)) }},
		{"no sound amount", func(p *psbt.Packet) { p.Inputs[0].WitnessUtxo.Value = 1 << 62 }},
	} {
		p, err := psbt.New([]*wire.OutPoint{{Index: 1}}, []*wire.TxOut{wire.NewTxOut(out.Value, out.PkScript)}, 2, 0, []uint32{0})
		require.NoError(t, err)
		p.Inputs[0].WitnessUtxo = wire.NewTxOut(2000, program(1))
		c.spoil(p)
		v, err := verifyPacket(p, out)
		if c.why == "" {
			require.NoError(t, err)
			require.Len(t, v.spends, 1)
			continue
		}
		require.ErrorContains(t, err, c.why)
	}
}

func p2sh(program []byte) []byte {
	h := address.Hash160(program)
	return append(append([]byte{txscript.OP_HASH160, 20}, h...), txscript.OP_EQUAL)
}
