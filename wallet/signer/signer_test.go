package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcec/v2/schnorr/musig2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// signerOf is a signer with a wallet of a seed of its own.
func signerOf(t *testing.T, seed byte) (*Signer, *wallet.Wallet) {
	t.Helper()
	ring, err := keys.NewRing(bytes.Repeat([]byte{seed}, 16), keys.CoinTest)
	require.NoError(t, err)
	w, err := wallet.Load(wallet.NewConfig(&chaincfg.RegressionNetParams, ring, 5), wallet.Rows{})
	require.NoError(t, err)
	return New(ring, w, func() time.Time { return time.Unix(1_700_000_000, 0) }), w
}

// spend is a transaction with two inputs, the second of which spends out.
func spend(out *wire.TxOut) *Tx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 7}})
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 8}})
	tx.AddTxOut(wire.NewTxOut(900, []byte{txscript.OP_1}))
	return &Tx{Tx: tx, Spends: []*wire.TxOut{wire.NewTxOut(1, []byte{txscript.OP_TRUE}), out}}
}

// requireSpends runs Bitcoin's script engine over the second input.
func requireSpends(t *testing.T, tx *Tx, in InputScript) {
	t.Helper()
	tx.Tx.TxIn[1].Witness, tx.Tx.TxIn[1].SignatureScript = in.Witness, in.SigScript
	prev := txscript.NewMultiPrevOutFetcher(nil)
	for i, o := range tx.Spends {
		prev.AddPrevOut(tx.Tx.TxIn[i].PreviousOutPoint, o)
	}
	out := tx.Spends[1]
	vm, err := txscript.NewEngine(out.PkScript, tx.Tx, 1, txscript.StandardVerifyFlags, nil, txscript.NewTxSigHashes(tx.Tx, prev), out.Value, prev)
	require.NoError(t, err)
	require.NoError(t, vm.Execute())
}

func TestComputeInputs(t *testing.T) {
	s, w := signerOf(t, 1)
	for kind, hashes := range map[keys.AccountKind][]txscript.SigHashType{
		keys.P2WKH:       {0, txscript.SigHashAll, txscript.SigHashNone},
		keys.NestedP2WKH: {txscript.SigHashAll},
		keys.P2TR:        {0, txscript.SigHashAll},
	} {
		a, _, err := w.NextAddress(wallet.AccountID{Kind: kind}, keys.External)
		require.NoError(t, err)
		for _, h := range hashes {
			tx := spend(wire.NewTxOut(1000, a.PkScript))
			list, err := s.ComputeInputs(tx, []Input{{Index: 1, Output: tx.Spends[1], SigHash: h}})
			require.NoError(t, err)
			requireSpends(t, tx, list[0])
		}
	}
	tx := spend(wire.NewTxOut(1000, []byte{txscript.OP_TRUE}))
	_, err := s.ComputeInputs(tx, []Input{{Index: 1, Output: tx.Spends[1]}})
	require.ErrorContains(t, err, "does not pay to this wallet")
	for _, index := range []int{-1, 2} {
		_, err = s.ComputeInputs(tx, []Input{{Index: index, Output: tx.Spends[1]}})
		require.ErrorContains(t, err, "the transaction has 2")
	}
}

func TestSignOutputs(t *testing.T) {
	s, _ := signerOf(t, 1)
	loc := keys.KeyLoc{Family: 3, Index: 20}
	key, err := s.ring.Key(loc)
	require.NoError(t, err)
	id := key.ID()
	tweak := [32]byte{1}
	tweaked, err := key.Changed(&tweak, nil)
	require.NoError(t, err)

	// Segwit version 0, by place and by public key, tweaked.
	pub := tweaked.ID()
	script, err := txscript.NewScriptBuilder().AddData(pub[:]).AddOp(txscript.OP_CHECKSIG).Script()
	require.NoError(t, err)
	program := sha256.Sum256(script)
	for _, name := range []Name{{Loc: &loc}, {Pub: &id}, {Loc: &keys.KeyLoc{Family: 3}, Pub: &id}, {Loc: &loc, Pub: &id}} {
		tx := spend(wire.NewTxOut(1000, append([]byte{0, 32}, program[:]...)))
		in := Input{Index: 1, Output: tx.Spends[1], SigHash: txscript.SigHashAll, Key: name, Tweak: &tweak, Script: script}
		tx.Spends, tx = nil, spend(tx.Spends[1]) // what the others spend need not be known
		bare := &Tx{Tx: tx.Tx}
		sigs, err := s.SignOutputs(bare, []Input{in})
		require.NoError(t, err)
		requireSpends(t, tx, InputScript{Witness: wire.TxWitness{append(sigs[0], byte(txscript.SigHashAll)), script}})
	}

	// Taproot: the three ways.
	internal := key.PubKey()
	leafScript, err := txscript.NewScriptBuilder().AddData(schnorr.SerializePubKey(internal)).AddOp(txscript.OP_CHECKSIG).Script()
	require.NoError(t, err)
	tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(leafScript))
	root := tree.RootNode.TapHash()
	bip86 := txscript.ComputeTaprootKeyNoScript(internal)
	withRoot := txscript.ComputeTaprootOutputKey(internal, root[:])
	control := tree.LeafMerkleProofs[0].ToControlBlock(internal)
	block, err := control.ToBytes()
	require.NoError(t, err)
	for _, c := range []struct {
		out  *btcec.PublicKey
		in   Input
		tail [][]byte
	}{
		{bip86, Input{Method: TaprootBIP86}, nil},
		{withRoot, Input{Method: TaprootKey, Root: root[:]}, nil},
		{withRoot, Input{Method: TaprootScript, Script: leafScript}, [][]byte{leafScript, block}},
	} {
		tx := spend(wire.NewTxOut(1000, append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(c.out)...)))
		c.in.Index, c.in.Output, c.in.Key = 1, tx.Spends[1], Name{Loc: &loc}
		sigs, err := s.SignOutputs(tx, []Input{c.in})
		require.NoError(t, err)
		requireSpends(t, tx, InputScript{Witness: append(wire.TxWitness{sigs[0]}, c.tail...)})
	}
}

func TestSignOutputsRefuses(t *testing.T) {
	s, _ := signerOf(t, 1)
	loc, other := keys.KeyLoc{Family: 3, Index: 20}, lnwire.PubKey{2, 31: 1}
	taproot := append([]byte{txscript.OP_1, 32}, make([]byte, 32)...)
	v0 := append([]byte{0, 32}, make([]byte, 32)...)
	tweak, secret := [32]byte{1}, lnwire.Secret{1}
	for why, change := range map[string]func(*Tx, *Input){
		"doesn't match number":                     func(tx *Tx, _ *Input) { tx.Spends = tx.Spends[:1] },
		"missing its previous outpoint":            func(tx *Tx, in *Input) { in.Output.PkScript, tx.Spends = taproot, nil },
		"not compatible":                           func(_ *Tx, in *Input) { in.Method = TaprootBIP86 },
		"witness script MUST be specified for seg": func(_ *Tx, in *Input) { in.Script = nil },
		"tap tweak must be empty": func(_ *Tx, in *Input) {
			in.Output.PkScript, in.Method, in.Root = taproot, TaprootBIP86, make([]byte, 32)
		},
		"tap tweak must be specified":          func(_ *Tx, in *Input) { in.Output.PkScript, in.Method = taproot, TaprootKey },
		"taproot script spend method":          func(_ *Tx, in *Input) { in.Output.PkScript, in.Method, in.Script = taproot, TaprootScript, nil },
		"no key is named":                      func(_ *Tx, in *Input) { in.Key = Name{} },
		"another public half":                  func(_ *Tx, in *Input) { in.Key.Pub = &other },
		"the output that it spends is missing": func(_ *Tx, in *Input) { in.Output = nil },
		"cannot be changed by both":            func(_ *Tx, in *Input) { in.Tweak, in.Revocation = &tweak, &secret },
	} {
		tx := spend(wire.NewTxOut(1000, v0))
		in := Input{Index: 1, Output: tx.Spends[1], Key: Name{Loc: &loc}, Script: []byte{1}, SigHash: txscript.SigHashAll}
		change(tx, &in)
		_, err := s.SignOutputs(tx, []Input{in})
		require.ErrorContains(t, err, why)
	}
	_, err := s.scan(other, 3, 4)
	require.ErrorIs(t, err, errUnknownKey)
}

// TestCoinKeys: the public key of an address names its key, whatever its kind.
func TestCoinKeys(t *testing.T) {
	s, w := signerOf(t, 1)
	for _, kind := range keys.Accounts {
		a, _, err := w.NextAddress(wallet.AccountID{Kind: kind}, keys.External)
		require.NoError(t, err)
		want, err := s.ring.CoinKey(a.Key)
		require.NoError(t, err)
		pub := want.ID()
		got, err := s.Key(Name{Pub: &pub, Loc: &keys.KeyLoc{}})
		require.NoError(t, err)
		require.Equal(t, want.ID(), got.ID())
	}
}

func TestMessages(t *testing.T) {
	s, _ := signerOf(t, 1)
	loc := keys.KeyLoc{Family: keys.FamilyNode}
	id := s.ring.Node().ID()
	key, err := id.Parse()
	require.NoError(t, err)
	text := []byte("text")
	sign := func(m Message) []byte {
		m.Text = text
		sig, err := s.SignMessage(loc, &m)
		require.NoError(t, err)
		return sig
	}
	for _, m := range []Message{{}, {Schnorr: true}, {Schnorr: true, Tag: []byte("tag")}} {
		m.Text = text
		sig := sign(m)
		if m.Schnorr {
			require.Len(t, sig, 64)
		} else { // as clients of lnd read it
			der, err := ecdsa.ParseDERSignature(sig)
			require.NoError(t, err)
			r, v := der.R(), der.S()
			rb, vb := r.Bytes(), v.Bytes()
			valid, err := VerifyMessage(&m, append(rb[:], vb[:]...), id[:])
			require.NoError(t, err)
			require.True(t, valid, "the fixed form is taken, too")
		}
		valid, err := VerifyMessage(&m, sig, id[:])
		require.NoError(t, err)
		require.True(t, valid)
		sig[40] ^= 1
		valid, err = VerifyMessage(&m, sig, id[:])
		require.NoError(t, err)
		require.False(t, valid)
	}
	got, _, err := ecdsa.RecoverCompact(sign(Message{Compact: true, Double: true}), chainhash.DoubleHashB(text))
	require.NoError(t, err)
	require.True(t, got.IsEqual(key))
	root := bytes.Repeat([]byte{3}, 32)
	out := txscript.ComputeTaprootOutputKey(key, root)
	valid, err := VerifyMessage(&Message{Text: text, Schnorr: true}, sign(Message{Schnorr: true, Root: root}), schnorr.SerializePubKey(out))
	require.NoError(t, err)
	require.True(t, valid)

	for why, m := range map[string]Message{
		"compact format":            {Schnorr: true, Compact: true},
		"tag can only be used":      {Tag: []byte("x")},
		"tap tweak":                 {Root: root},
		"tag cannot have BIP0340":   {Schnorr: true, Tag: []byte("BIP0340/challenge")},
		"tag cannot be TapSighash":  {Schnorr: true, Tag: []byte("TapSighash")},
		"double hash and tag can't": {Schnorr: true, Double: true, Tag: []byte("x")},
	} {
		_, err := s.SignMessage(loc, &m)
		require.ErrorContains(t, err, why)
	}
	_, err = VerifyMessage(&Message{Tag: []byte("x")}, nil, nil)
	require.ErrorContains(t, err, "tag can only be used")
	for _, m := range []Message{{}, {Schnorr: true}} {
		_, err = VerifyMessage(&m, make([]byte, 63), id[:])
		require.Error(t, err)
		_, err = VerifyMessage(&m, make([]byte, 64), id[:5])
		require.Error(t, err)
	}
}

// TestCombineVectors: those of BIP 327 whose keys are sorted as they stand
// (key_agg_vectors.json).
func TestCombineVectors(t *testing.T) {
	pubs := []string{
		"02F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
		"03DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659",
	}
	for want, indices := range map[string][]int{
		"b436e3bad62b8cd409969a224731c193d051162d8c5ae8b109306127da3aa935": {0, 0, 0},
		"69bc22bfa5d106306e48a20679de1d7389386124d07571d0d872686028c26a3e": {0, 1, 0, 1},
	} {
		var all []*btcec.PublicKey
		for _, i := range indices {
			b, err := hex.DecodeString(pubs[i])
			require.NoError(t, err)
			key, err := btcec.ParsePubKey(b)
			require.NoError(t, err)
			all = append(all, key)
		}
		c, err := CombineKeys(all, &Tweaks{})
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(c.Key[:]))
		require.Nil(t, c.Internal)
	}
}

// party is three signers who sign together.
func party(t *testing.T) (list []*Signer, all []*btcec.PublicKey) {
	for i := range byte(3) {
		s, _ := signerOf(t, i+1)
		list = append(list, s)
		all = append(all, s.ring.Node().PubKey())
	}
	return list, all
}

var nodeLoc = keys.KeyLoc{Family: keys.FamilyNode}

func TestMuSig(t *testing.T) {
	digest := sha256.Sum256([]byte("together"))
	root := bytes.Repeat([]byte{5}, 32)
	for _, tweaks := range []Tweaks{
		{}, {Taproot: true}, {Taproot: true, Root: root}, {List: []musig2.KeyTweakDesc{{Tweak: [32]byte{1}}, {Tweak: [32]byte{2}, IsXOnly: true}}},
	} {
		list, all := party(t)
		var open []*Session
		for i, s := range list {
			req := &SessionRequest{Key: nodeLoc, All: all, Tweaks: tweaks}
			for _, o := range open[:min(i, 1)] {
				req.Others = append(req.Others, o.Nonce)
			}
			x, err := s.CreateSession(req)
			require.NoError(t, err)
			require.False(t, x.Whole)
			open = append(open, x)
		}
		_, err := list[0].MuSign(open[0].ID, digest, false)
		require.ErrorContains(t, err, "only have 1 of 3 required nonces")
		_, err = list[0].CombinedNonce(open[0].ID)
		require.Error(t, err)
		whole, err := list[0].RegisterNonces(open[0].ID, []Nonce{open[1].Nonce, open[2].Nonce})
		require.NoError(t, err)
		require.True(t, whole)
		_, err = list[0].RegisterNonces(open[0].ID, []Nonce{open[1].Nonce})
		require.ErrorContains(t, err, "already have all nonces")
		whole, err = list[1].RegisterNonces(open[1].ID, []Nonce{open[2].Nonce})
		require.NoError(t, err)
		require.True(t, whole)
		_, err = list[2].RegisterNonces(open[2].ID, []Nonce{open[1].Nonce, open[1].Nonce, open[1].Nonce})
		require.ErrorContains(t, err, "only 1 other nonces remaining")
		_, err = list[2].RegisterNonces(open[2].ID, []Nonce{open[1].Nonce})
		require.NoError(t, err)
		sum, err := list[0].CombinedNonce(open[0].ID)
		require.NoError(t, err)
		require.NotZero(t, sum)

		var parts [][32]byte
		for i, s := range list {
			_, err := s.CombineSig(open[i].ID, parts)
			require.ErrorContains(t, err, "has not signed yet")
			part, err := s.MuSign(open[i].ID, digest, i == 2)
			require.NoError(t, err)
			parts = append(parts, part)
		}
		_, err = list[0].MuSign(open[0].ID, digest, false)
		require.ErrorIs(t, err, musig2.ErrSigningContextReuse, "a nonce never signs twice")
		sig, err := list[0].CombineSig(open[0].ID, parts[1:2])
		require.NoError(t, err)
		require.Nil(t, sig)
		sig, err = list[0].CombineSig(open[0].ID, parts[2:])
		require.NoError(t, err)
		key, err := schnorr.ParsePubKey(open[0].Key[:])
		require.NoError(t, err)
		parsed, err := schnorr.ParseSignature(sig)
		require.NoError(t, err)
		require.True(t, parsed.Verify(digest[:], key))
		require.Equal(t, tweaks.Taproot, open[0].Internal != nil)
		require.ErrorContains(t, list[0].EndSession(open[0].ID), "not found", "it ended with the signature")
		require.ErrorContains(t, list[2].EndSession(open[2].ID), "not found", "it ended with its part")
		_, err = list[1].CombineSig(open[1].ID, [][32]byte{parts[0], parts[0]})
		require.ErrorIs(t, err, musig2.ErrFinalSigInvalid)
		require.Error(t, list[1].EndSession(open[1].ID), "a wrong part ends it")
	}
}

// TestMuSigCombinedNonce: somebody else adds the nonces up.
func TestMuSigCombinedNonce(t *testing.T) {
	list, all := party(t)
	var open []*Session
	var nonces []Nonce
	for _, s := range list {
		x, err := s.CreateSession(&SessionRequest{Key: nodeLoc, All: all})
		require.NoError(t, err)
		open, nonces = append(open, x), append(nonces, x.Nonce)
	}
	sum, err := musig2.AggregateNonces(nonces)
	require.NoError(t, err)
	require.Error(t, list[0].RegisterCombinedNonce(open[0].ID, Nonce{}))
	require.NoError(t, list[0].RegisterCombinedNonce(open[0].ID, sum))
	require.ErrorContains(t, list[0].RegisterCombinedNonce(open[0].ID, sum), "already have all nonces")
	_, err = list[0].MuSign(open[0].ID, [32]byte{1}, true)
	require.NoError(t, err)
}

func TestMuSigBounds(t *testing.T) {
	list, all := party(t)
	s := list[0]
	begin := func(change func(*SessionRequest)) error {
		req := &SessionRequest{Key: nodeLoc, All: all}
		change(req)
		_, err := s.CreateSession(req)
		return err
	}
	for why, change := range map[string]func(*SessionRequest){
		"need between 2":            func(r *SessionRequest) { r.All = all[:1] },
		"not found in key set":      func(r *SessionRequest) { r.All = all[1:] },
		"invalid public nonce":      func(r *SessionRequest) { r.Others = []Nonce{{}} },
		"script root has 3 bytes":   func(r *SessionRequest) { r.Tweaks = Tweaks{Taproot: true, Root: []byte{1, 2, 3}} },
		"cannot be set at the same": func(r *SessionRequest) { r.Tweaks = Tweaks{Taproot: true, List: make([]musig2.KeyTweakDesc, 1)} },
		"no scalar of the curve":    func(r *SessionRequest) { r.Drawn = &[97]byte{} },
		"for another key":           func(r *SessionRequest) { r.Drawn = &[97]byte{0: 1, 40: 1} },
	} {
		require.ErrorContains(t, begin(change), why)
	}

	drawn, err := musig2.GenNonces(musig2.WithPublicKey(all[0]))
	require.NoError(t, err)
	use := func(r *SessionRequest) { r.Drawn = &drawn.SecNonce }
	require.NoError(t, begin(use))
	require.ErrorContains(t, begin(use), "was used before")

	now := s.now()
	s.now = func() time.Time { return now }
	s.sessions = map[SessionID]*session{}
	x, err := s.CreateSession(&SessionRequest{Key: nodeLoc, All: all})
	require.NoError(t, err)
	for i := range maxSessions - 1 {
		s.sessions[SessionID{1, byte(i), byte(i >> 8)}] = &session{until: now.Add(time.Hour)}
	}
	require.ErrorIs(t, begin(func(*SessionRequest) {}), ErrManySessions)
	now = now.Add(2 * time.Hour)
	require.NoError(t, begin(func(*SessionRequest) {}), "the others have run out")
	now = now.Add(sessionLife)
	require.ErrorContains(t, s.EndSession(x.ID), "not found", "it has run out")
}
