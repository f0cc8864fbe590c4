package wallet

import (
	"bytes"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

func packetOf(t failer, ins []*wire.OutPoint, outs ...*wire.TxOut) *psbt.Packet {
	p, err := psbt.New(ins, outs, 2, 0, make([]uint32, len(ins)))
	require.NoError(t, err)
	return p
}

// wired is the packet as it comes back from whoever it was sent to.
func wired(t failer, p *psbt.Packet) *psbt.Packet {
	var b bytes.Buffer
	require.NoError(t, p.Serialize(&b))
	again, err := psbt.NewFromRawBytes(&b, false)
	require.NoError(t, err)
	return again
}

func funding(p *psbt.Packet, number uint32) PsbtFunding {
	return PsbtFunding{
		Packet: p, Fund: FundRequest{FeeRate: 500, MinConfs: 1, Number: number, Now: testNow},
		Lease: LeaseRow{ID: InternalLease, Expiry: testNow.Add(10 * time.Minute).UnixNano()},
	}
}

// Coins of every kind are funded, signed by the paths in the packet, and finished; or
// finished at once.
func TestPsbtOfEveryKind(t *testing.T) {
	for _, signFirst := range []bool{true, false} {
		b := newBench(t)
		for _, kind := range keys.Accounts {
			b.deposit(kind, 20_000)
		}
		p := packetOf(t, nil, payTo(55_000)...)
		done, fx, err := b.w.FundPsbt(funding(p, 0))
		require.NoError(t, err)
		b.apply(fx)
		require.Len(t, done.Leases, 3)
		require.Len(t, p.Inputs, 3)
		require.Empty(t, b.w.Unspent(0, 1000, testNow), "all are leased")
		require.Len(t, b.w.Unspent(0, 1000, testNow.Add(time.Hour)), 3)
		p = wired(t, p)
		if signFirst {
			signed, err := SignPsbt(testRing, p)
			require.NoError(t, err)
			require.Equal(t, []uint32{0, 1, 2}, signed)
			signed, err = SignPsbt(cold, wired(t, p))
			require.NoError(t, err)
			require.Empty(t, signed, "paths alone are not enough")
			p = wired(t, p)
			for _, in := range p.Inputs {
				require.NotEmpty(t, append(in.TaprootKeySpendSig, flat(in.PartialSigs)...))
			}
		}
		tx, err := b.w.FinalizePsbt(testRing, p)
		require.NoError(t, err)
		require.True(t, p.IsComplete())
		_, err = b.w.FinalizePsbt(testRing, p)
		require.EqualError(t, err, "PSBT is already fully signed")
		fx, err = b.w.Publish(Publication{Tx: tx, Now: testNow})
		require.NoError(t, err)
		b.apply(fx)
		require.Empty(t, b.w.Leases(), "what is spent is not leased")
	}
}

func flat(sigs []*psbt.PartialSig) (all []byte) {
	for _, s := range sigs {
		all = append(all, s.Signature...)
	}
	return all
}

// A watched account's coins are spent by the signature of whoever has its seed.
func TestPsbtOfAWatchedAccount(t *testing.T) {
	for _, kind := range []keys.AccountKind{keys.P2WKH, keys.P2TR, keys.NestedP2WKH, keys.Nested49} {
		b := newBench(t)
		a := b.watch("cold", kind, 0)
		at, fx, err := b.w.NextAddress(a.AccountID, keys.External)
		require.NoError(t, err)
		b.apply(fx)
		b.mine(b.pay(at.PkScript, 90_000))
		p := packetOf(t, nil, payTo(50_000)...)
		done, fx, err := b.w.FundPsbt(funding(p, a.Number))
		require.NoError(t, err)
		b.apply(fx)
		change := p.UnsignedTx.TxOut[done.Change]
		loc, ours := b.w.Owner(change.PkScript)
		require.True(t, ours)
		require.Equal(t, a.Number, loc.Number)
		require.EqualValues(t, 0x01020304, p.Inputs[0].Bip32Derivation[0].MasterKeyFingerprint)
		p = wired(t, p)
		signed, err := SignPsbt(testRing, p)
		require.NoError(t, err)
		require.Empty(t, signed)
		_, err = b.w.FinalizePsbt(testRing, wired(t, p))
		require.ErrorContains(t, err, "error finalizing PSBT")
		if kind == keys.Nested49 {
			kind = keys.NestedP2WKH // of the owner's: the first of it are the same
		}
		signed, err = SignPsbt(cold, p)
		require.NoError(t, err)
		require.Equal(t, []uint32{0}, signed, kind)
		tx, err := b.w.FinalizePsbt(testRing, wired(t, p))
		require.NoError(t, err)
		requireValid(t, tx, map[wire.OutPoint]*wire.TxOut{tx.TxIn[0].PreviousOutPoint: wire.NewTxOut(90_000, at.PkScript)})
	}
}

func TestFundPsbtRefuses(t *testing.T) {
	b := newBench(t)
	op := b.deposit(keys.P2WKH, 20_000)
	stranger := b.foreign()
	for text, req := range map[string]PsbtFunding{
		"must contain at least one input or output": funding(packetOf(t, nil), 0),
		"input 0 not found in list of non-locked":   funding(packetOf(t, []*wire.OutPoint{&stranger}, payTo(1000)...), 0),
		"insufficient funds available":              funding(packetOf(t, []*wire.OutPoint{&op}, payTo(20_000)...), 0),
		"dust limit":                                funding(packetOf(t, nil, payTo(100)...), 0),
	} {
		_, fx, err := b.w.FundPsbt(req)
		require.ErrorContains(t, err, text)
		require.True(t, fx.Delta.Empty())
	}
	// Inputs and no outputs: all of it is change.
	p := packetOf(t, []*wire.OutPoint{&op})
	done, fx, err := b.w.FundPsbt(funding(p, 0))
	require.NoError(t, err)
	b.apply(fx)
	require.Zero(t, done.Change)
	require.Len(t, p.UnsignedTx.TxOut, 1)
	_, _, err = b.w.FundPsbt(funding(packetOf(t, []*wire.OutPoint{&op}, payTo(1000)...), 0))
	require.ErrorContains(t, err, "input 0 not found in list of non-locked UTXO", "it is leased")

	// A claim of another amount would be paid as a fee.
	for _, spoil := range []func(*psbt.PInput){
		func(in *psbt.PInput) { in.WitnessUtxo = wire.NewTxOut(30_000, in.WitnessUtxo.PkScript) },
		func(in *psbt.PInput) {
			in.NonWitnessUtxo = nil
			in.WitnessUtxo = wire.NewTxOut(30_000, in.WitnessUtxo.PkScript)
		},
	} {
		bad := wired(t, p)
		spoil(&bad.Inputs[0])
		_, err = b.w.FinalizePsbt(testRing, bad)
		require.Error(t, err)
	}
	bad := wired(t, p)
	bad.Inputs[0].SighashType = 0x77
	_, err = b.w.FinalizePsbt(testRing, bad)
	require.ErrorContains(t, err, "no signature of type 0x77")
}

// Who pays to the address that is next for change gets change beside it, wherever it
// stands: nothing goes to the miners.
func TestFundPsbtToTheNextChangeAddress(t *testing.T) {
	for i := range 6 {
		b := newBench(t)
		for range i { // another place for the change
			b.address(keys.P2WKH)
		}
		b.deposit(keys.P2WKH, 200_000)
		next, err := b.w.peek(AccountID{Kind: keys.P2TR}, keys.Internal)
		require.NoError(t, err)
		p := packetOf(t, nil, wire.NewTxOut(1_000, next.PkScript))
		_, fx, err := b.w.FundPsbt(funding(p, 0))
		require.NoError(t, err)
		b.apply(fx)
		require.Greater(t, valueOf(p.UnsignedTx.TxOut), lnwire.Sat(199_000))
	}
}

// What a packet says of our coins is compared with them before it is signed by paths, too.
func TestCheckPsbt(t *testing.T) {
	b := newBench(t)
	b.deposit(keys.P2WKH, 50_000)
	p := packetOf(t, nil, payTo(20_000)...)
	_, fx, err := b.w.FundPsbt(funding(p, 0))
	require.NoError(t, err)
	b.apply(fx)
	p = wired(t, p)
	require.NoError(t, b.w.CheckPsbt(p))
	p.Inputs[0].NonWitnessUtxo = nil
	require.NoError(t, b.w.CheckPsbt(p))
	p.Inputs[0].WitnessUtxo = wire.NewTxOut(30_000, p.Inputs[0].WitnessUtxo.PkScript)
	require.ErrorContains(t, b.w.CheckPsbt(p), "input 0: what it says of the output is not what the wallet knows")
	stranger := b.foreign()
	require.NoError(t, b.w.CheckPsbt(packetOf(t, []*wire.OutPoint{&stranger}, payTo(1000)...)))
}

// Inputs of others stay, coins are added until the outputs are paid, and the fee is what
// was asked, whatever is drawn.
func TestSelectPsbt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t)
		b.fast = true
		for i := range rapid.IntRange(1, 6).Draw(t, "coins") {
			b.deposit(keys.Accounts[i%3], lnwire.Sat(rapid.Int64Range(2_000, 200_000).Draw(t, "value")))
		}
		var ins []*wire.OutPoint
		for range rapid.IntRange(0, 2).Draw(t, "others") {
			op := b.foreign()
			ins = append(ins, &op)
		}
		p := packetOf(t, ins, payTo(lnwire.Sat(rapid.Int64Range(1_000, 300_000).Draw(t, "pay")))...)
		in := int64(0)
		for i := range p.Inputs {
			p.Inputs[i].WitnessUtxo = wire.NewTxOut(rapid.Int64Range(1_000, 200_000).Draw(t, "other"), elsewhere(byte(i)))
			in += p.Inputs[i].WitnessUtxo.Value
		}
		out := p.UnsignedTx.TxOut[0].Value
		how := PsbtSelect{Change: rapid.Int32Range(-1, 0).Draw(t, "change"), FeeRatio: 1}
		done, fx, err := b.w.SelectPsbt(funding(p, 0), how)
		if err != nil {
			require.True(t, fx.Delta.Empty())
			return
		}
		b.fast = false
		b.apply(fx)
		require.Len(t, p.UnsignedTx.TxIn, len(ins)+len(done.Leases))
		weight, sum := int64(0), int64(0)
		for i := range p.Inputs {
			w, err := strangeWeight(&p.Inputs[i])
			require.NoError(t, err)
			weight, sum = weight+w, sum+p.Inputs[i].WitnessUtxo.Value
		}
		for i := range ins {
			require.Equal(t, *ins[i], p.UnsignedTx.TxIn[i].PreviousOutPoint)
		}
		outs := p.UnsignedTx.TxOut
		fee := lnwire.Sat(sum) - valueOf(outs)
		least := feeFor(500, txWeight(len(p.Inputs), weight, len(outs), outputsSize(outs)))
		require.GreaterOrEqual(t, fee+2, least) // a byte for a taproot sighash is not counted for our own
		switch done.Change {
		case -1:
			change := feeFor(500, scale*changeSize) + 330 // the least that taproot change must be worth
			require.LessOrEqual(t, fee, least+change, "what is less than dust is left to the miners")
		case 0:
			require.GreaterOrEqual(t, outs[0].Value, out)
			require.LessOrEqual(t, fee, least+4)
		default:
			require.LessOrEqual(t, fee, least+4)
		}
	})
}

// The key of a node's family signs a leaf of a tree, and a script of version 0.
func TestSignPsbtByNodeKeys(t *testing.T) {
	key, err := testRing.PubKey(keys.KeyLoc{Family: 99, Index: 5})
	require.NoError(t, err)
	pub, err := key.Parse()
	require.NoError(t, err)
	path := []uint32{1017 | 1<<31, 1 | 1<<31, 99 | 1<<31, 0, 5}

	script, err := txscript.NewScriptBuilder().AddData(key[1:]).AddOp(txscript.OP_CHECKSIG).Script()
	require.NoError(t, err)
	leaf := txscript.NewBaseTapLeaf(script)
	tree := txscript.AssembleTaprootScriptTree(leaf)
	root := tree.RootNode.TapHash()
	output, err := txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(pub, root[:]))
	require.NoError(t, err)
	block := tree.LeafMerkleProofs[0].ToControlBlock(pub)
	control, err := block.ToBytes()
	require.NoError(t, err)
	leafHash := leaf.TapHash()
	multi, err := txscript.NewScriptBuilder().AddOp(txscript.OP_1).AddData(key[:]).AddOp(txscript.OP_1).AddOp(txscript.OP_CHECKMULTISIG).Script()
	require.NoError(t, err)
	program := append([]byte{txscript.OP_0, 32}, chainhash.HashB(multi)...)

	ops := []*wire.OutPoint{{Index: 1}, {Index: 2}, {Index: 3}}
	p := packetOf(t, ops, payTo(1_000)...)
	d := []*psbt.Bip32Derivation{{PubKey: key[:], Bip32Path: path}}
	p.Inputs[0] = psbt.PInput{
		WitnessUtxo: wire.NewTxOut(5_000, output), Bip32Derivation: d,
		TaprootBip32Derivation: []*psbt.TaprootBip32Derivation{{XOnlyPubKey: key[1:], Bip32Path: path, LeafHashes: [][]byte{leafHash[:]}}},
		TaprootLeafScript:      []*psbt.TaprootTapLeafScript{{ControlBlock: control, Script: script, LeafVersion: txscript.BaseLeafVersion}},
	}
	p.Inputs[1] = psbt.PInput{
		WitnessUtxo: wire.NewTxOut(6_000, output), Bip32Derivation: d, TaprootMerkleRoot: root[:],
		TaprootBip32Derivation: []*psbt.TaprootBip32Derivation{{XOnlyPubKey: key[1:], Bip32Path: path}},
		SighashType:            txscript.SigHashSingle | txscript.SigHashAnyOneCanPay,
	}
	p.Inputs[2] = psbt.PInput{WitnessUtxo: wire.NewTxOut(7_000, program), WitnessScript: multi, Bip32Derivation: d}
	p.UnsignedTx.TxOut = append(p.UnsignedTx.TxOut, wire.NewTxOut(2_000, elsewhere(3)))
	p.Outputs = append(p.Outputs, psbt.POutput{})
	signed, err := SignPsbt(testRing, p)
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 1, 2}, signed)
	require.Len(t, p.Inputs[1].TaprootKeySpendSig, schnorr.SignatureSize+1)
	b := newBench(t)
	_, err = b.w.FinalizePsbt(testRing, wired(t, p))
	require.NoError(t, err, "the scripts were run")

	p.Inputs[0].FinalScriptWitness = nil
	spoiled := wired(t, p)
	spoiled.Inputs[0].TaprootScriptSpendSig[0].Signature[5] ^= 1
	_, err = b.w.FinalizePsbt(testRing, spoiled)
	require.ErrorContains(t, err, "input 0 does not hold")
}

func FuzzPsbt(f *testing.F) {
	b := newBench(f)
	b.deposit(keys.P2WKH, 20_000)
	b.deposit(keys.P2TR, 20_000)
	p := packetOf(f, nil, payTo(30_000)...)
	_, _, err := b.w.FundPsbt(funding(p, 0))
	require.NoError(f, err)
	var seed bytes.Buffer
	require.NoError(f, p.Serialize(&seed))
	f.Add(seed.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		read := func() *psbt.Packet {
			p, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
			if err != nil {
				return nil
			}
			return p
		}
		if p := read(); p != nil {
			_, _ = SignPsbt(testRing, p)
			_, _ = b.w.FinalizePsbt(testRing, p)
			_, _, _ = b.w.FundPsbt(funding(read(), 0))
			_, _, _ = b.w.SelectPsbt(funding(read(), 0), PsbtSelect{Change: -1, FeeRatio: 1})
		}
	})
}
