package signer

import (
	"bytes"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/wallet/keys"
	"github.com/fulgur-ln/fulgur/wallet/signer"
)

type noCoins struct{}

func (noCoins) Owner([]byte) (loc keys.CoinLoc, ok bool) { return loc, false }

func serviceOf(t *testing.T, seed byte) (*Service, *keys.Ring) {
	t.Helper()
	ring, err := keys.NewRing(bytes.Repeat([]byte{seed}, 16), keys.CoinTest)
	require.NoError(t, err)
	return New(signer.New(ring, noCoins{}, time.Now)), ring
}

var nodeKey = &signrpc.KeyLocator{KeyFamily: 6}

func TestSignMessage(t *testing.T) {
	s, ring := serviceOf(t, 1)
	id := ring.Node().ID()
	sig, err := s.SignMessage(t.Context(), &signrpc.SignMessageReq{Msg: []byte("m"), KeyLoc: nodeKey, SchnorrSig: true, Tag: []byte("t")})
	require.NoError(t, err)
	got, err := s.VerifyMessage(t.Context(), &signrpc.VerifyMessageReq{Msg: []byte("m"), Signature: sig.Signature, Pubkey: id[1:], IsSchnorrSig: true, Tag: []byte("t")})
	require.NoError(t, err)
	require.True(t, got.Valid)
	for want, req := range map[string]*signrpc.SignMessageReq{
		"a message to sign MUST be passed in": {KeyLoc: nodeKey},
		"a key locator MUST be passed in":     {Msg: []byte{1}},
		"family and index not negative":       {Msg: []byte{1}, KeyLoc: &signrpc.KeyLocator{KeyFamily: -1}},
		"compact format can not be used":      {Msg: []byte{1}, KeyLoc: nodeKey, SchnorrSig: true, CompactSig: true},
	} {
		_, err := s.SignMessage(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
	for want, req := range map[string]*signrpc.VerifyMessageReq{
		"a message to verify MUST":   {},
		"a signature to verify MUST": {Msg: []byte{1}},
		"a pubkey to verify MUST":    {Msg: []byte{1}, Signature: []byte{1}},
	} {
		_, err := s.VerifyMessage(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
}

// TestSharedKey: both sides come to the same.
func TestSharedKey(t *testing.T) {
	s, ring := serviceOf(t, 1)
	other, otherRing := serviceOf(t, 2)
	ours, theirs := ring.Node().ID(), otherRing.Node().ID()
	a, err := s.DeriveSharedKey(t.Context(), &signrpc.SharedKeyRequest{EphemeralPubkey: theirs[:]})
	require.NoError(t, err)
	b, err := other.DeriveSharedKey(t.Context(), &signrpc.SharedKeyRequest{
		EphemeralPubkey: ours[:], KeyDesc: &signrpc.KeyDescriptor{RawKeyBytes: theirs[:], KeyLoc: &signrpc.KeyLocator{KeyFamily: 6}},
	})
	require.NoError(t, err)
	require.Equal(t, a.SharedKey, b.SharedKey)
	for want, req := range map[string]*signrpc.SharedKeyRequest{
		"must provide ephemeral pubkey":       {},
		"error in ephemeral pubkey":           {EphemeralPubkey: []byte{1}},
		"use either key_desc or key_loc":      {EphemeralPubkey: ours[:], KeyDesc: &signrpc.KeyDescriptor{}, KeyLoc: nodeKey},
		"key_desc.key_loc must also be set":   {EphemeralPubkey: ours[:], KeyDesc: &signrpc.KeyDescriptor{RawKeyBytes: ours[:]}},
		"use either raw_key_bytes or key_ind": {EphemeralPubkey: ours[:], KeyDesc: &signrpc.KeyDescriptor{RawKeyBytes: ours[:], KeyLoc: &signrpc.KeyLocator{KeyIndex: 1}}},
		"none of this wallet":                 {EphemeralPubkey: ours[:], KeyDesc: &signrpc.KeyDescriptor{RawKeyBytes: theirs[:], KeyLoc: nodeKey}},
	} {
		_, err := s.DeriveSharedKey(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
}

func TestSignOutputRaw(t *testing.T) {
	s, ring := serviceOf(t, 1)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 7}})
	tx.AddTxOut(wire.NewTxOut(900, []byte{txscript.OP_1}))
	var raw bytes.Buffer
	require.NoError(t, tx.Serialize(&raw))
	key := txscript.ComputeTaprootKeyNoScript(ring.Node().PubKey())
	script := append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(key)...)
	req := func() *signrpc.SignReq {
		return &signrpc.SignReq{
			RawTxBytes: raw.Bytes(), PrevOutputs: []*signrpc.TxOut{{Value: 1000, PkScript: script}},
			SignDescs: []*signrpc.SignDescriptor{{
				KeyDesc: &signrpc.KeyDescriptor{KeyLoc: nodeKey}, Output: &signrpc.TxOut{Value: 1000, PkScript: script},
				SignMethod: signrpc.SignMethod_SIGN_METHOD_TAPROOT_KEY_SPEND_BIP0086,
			}},
		}
	}
	out, err := s.SignOutputRaw(t.Context(), req())
	require.NoError(t, err)
	prev := txscript.NewCannedPrevOutputFetcher(script, 1000)
	tx.TxIn[0].Witness = wire.TxWitness{out.RawSigs[0]}
	vm, err := txscript.NewEngine(script, tx, 0, txscript.StandardVerifyFlags, nil, txscript.NewTxSigHashes(tx, prev), 1000, prev)
	require.NoError(t, err)
	require.NoError(t, vm.Execute())
	for want, change := range map[string]func(*signrpc.SignReq){
		"a transaction to sign MUST":    func(r *signrpc.SignReq) { r.RawTxBytes = nil },
		"at least one SignDescs":        func(r *signrpc.SignReq) { r.SignDescs = nil },
		"unable to decode tx":           func(r *signrpc.SignReq) { r.RawTxBytes = []byte{1} },
		"sign_descs[0].output":          func(r *signrpc.SignReq) { r.SignDescs[0].Output = nil },
		"prev_outputs[0]":               func(r *signrpc.SignReq) { r.PrevOutputs[0] = nil },
		"sign_descs[0].key_desc":        func(r *signrpc.SignReq) { r.SignDescs[0].KeyDesc = nil },
		"single_tweak: want 32 bytes":   func(r *signrpc.SignReq) { r.SignDescs[0].SingleTweak = []byte{1} },
		"double_tweak: want 32 bytes":   func(r *signrpc.SignReq) { r.SignDescs[0].DoubleTweak = []byte{1} },
		"unknown RPC sign method <9>":   func(r *signrpc.SignReq) { r.SignDescs[0].SignMethod = 9 },
		"raw_key_bytes: want 33 bytes":  func(r *signrpc.SignReq) { r.SignDescs[0].KeyDesc.RawKeyBytes = []byte{1} },
		"wants raw_key_bytes or key_lo": func(r *signrpc.SignReq) { r.SignDescs[0].KeyDesc.KeyLoc = nil },
	} {
		r := req()
		change(r)
		_, err := s.SignOutputRaw(t.Context(), r)
		require.ErrorContains(t, err, want)
	}
	_, err = s.ComputeInputScript(t.Context(), req())
	require.ErrorContains(t, err, "does not pay to this wallet")
}

// TestMuSig2: two services sign together, in the words of the interface.
func TestMuSig2(t *testing.T) {
	a, aRing := serviceOf(t, 1)
	b, bRing := serviceOf(t, 2)
	first, second := aRing.Node().ID(), bRing.Node().ID()
	all := [][]byte{first[:], second[:]}
	const v = signrpc.MuSig2Version_MUSIG2_VERSION_V100RC2
	taproot := &signrpc.TaprootTweakDesc{KeySpendOnly: true}
	combined, err := a.MuSig2CombineKeys(t.Context(), &signrpc.MuSig2CombineKeysRequest{AllSignerPubkeys: all, Version: v, TaprootTweak: taproot})
	require.NoError(t, err)
	x, err := a.MuSig2CreateSession(t.Context(), &signrpc.MuSig2SessionRequest{KeyLoc: nodeKey, AllSignerPubkeys: all, Version: v, TaprootTweak: taproot})
	require.NoError(t, err)
	require.Equal(t, combined.CombinedKey, x.CombinedKey)
	require.Equal(t, combined.TaprootInternalKey, x.TaprootInternalKey)
	y, err := b.MuSig2CreateSession(t.Context(), &signrpc.MuSig2SessionRequest{
		KeyLoc: nodeKey, AllSignerPubkeys: all, Version: v, TaprootTweak: taproot, OtherSignerPublicNonces: [][]byte{x.LocalPublicNonces},
	})
	require.NoError(t, err)
	require.True(t, y.HaveAllNonces)
	sum, err := b.MuSig2GetCombinedNonce(t.Context(), &signrpc.MuSig2GetCombinedNonceRequest{SessionId: y.SessionId})
	require.NoError(t, err)
	_, err = a.MuSig2RegisterCombinedNonce(t.Context(), &signrpc.MuSig2RegisterCombinedNonceRequest{SessionId: x.SessionId, CombinedPublicNonce: sum.CombinedPublicNonce})
	require.NoError(t, err)
	digest := bytes.Repeat([]byte{4}, 32)
	_, err = a.MuSig2Sign(t.Context(), &signrpc.MuSig2SignRequest{SessionId: x.SessionId, MessageDigest: digest})
	require.NoError(t, err)
	part, err := b.MuSig2Sign(t.Context(), &signrpc.MuSig2SignRequest{SessionId: y.SessionId, MessageDigest: digest, Cleanup: true})
	require.NoError(t, err)
	whole, err := a.MuSig2CombineSig(t.Context(), &signrpc.MuSig2CombineSigRequest{SessionId: x.SessionId, OtherPartialSignatures: [][]byte{part.LocalPartialSignature}})
	require.NoError(t, err)
	require.True(t, whole.HaveAllSignatures)
	key, err := schnorr.ParsePubKey(x.CombinedKey)
	require.NoError(t, err)
	sig, err := schnorr.ParseSignature(whole.FinalSignature)
	require.NoError(t, err)
	require.True(t, sig.Verify(digest, key))
	_, err = a.MuSig2Cleanup(t.Context(), &signrpc.MuSig2CleanupRequest{SessionId: x.SessionId})
	require.ErrorContains(t, err, "error cleaning up session: session with ID")
}

func TestMuSig2Mistakes(t *testing.T) {
	s, ring := serviceOf(t, 1)
	id := ring.Node().ID()
	const v = signrpc.MuSig2Version_MUSIG2_VERSION_V100RC2
	for want, req := range map[string]*signrpc.MuSig2SessionRequest{
		"unknown MuSig2 version <0>":      {},
		"0.4.0 of MuSig2 is not":          {Version: signrpc.MuSig2Version_MUSIG2_VERSION_V040},
		"2 bytes, want 33":                {Version: v, AllSignerPubkeys: [][]byte{{1, 2}}},
		"invalid public key at index 0":   {Version: v, AllSignerPubkeys: [][]byte{make([]byte, btcec.PubKeyBytesLenCompressed)}},
		"tweak 0 has 1 bytes":             {Version: v, Tweaks: []*signrpc.TweakDesc{{Tweak: []byte{1}}}},
		"script root cannot be empty":     {Version: v, TaprootTweak: &signrpc.TaprootTweakDesc{}},
		"missing key_loc":                 {Version: v},
		"invalid length, got 1 but":       {Version: v, KeyLoc: nodeKey, OtherSignerPublicNonces: [][]byte{{1}}},
		"local nonces must be 97 bytes":   {Version: v, KeyLoc: nodeKey, PregeneratedLocalNonce: []byte{1}},
		"need between 2 and 1000 signing": {Version: v, KeyLoc: nodeKey, AllSignerPubkeys: [][]byte{id[:]}},
	} {
		_, err := s.MuSig2CreateSession(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
	_, err := s.MuSig2CombineKeys(t.Context(), &signrpc.MuSig2CombineKeysRequest{Version: v})
	require.ErrorContains(t, err, "error combining keys")
	gone := make([]byte, 32)
	_, err = s.MuSig2RegisterNonces(t.Context(), &signrpc.MuSig2RegisterNoncesRequest{SessionId: gone})
	require.ErrorContains(t, err, "at least one other signer public nonce")
	_, err = s.MuSig2Sign(t.Context(), &signrpc.MuSig2SignRequest{SessionId: gone, MessageDigest: gone})
	require.ErrorContains(t, err, "not found")
	_, err = s.MuSig2Sign(t.Context(), &signrpc.MuSig2SignRequest{SessionId: gone})
	require.ErrorContains(t, err, "invalid message digest size")
	_, err = s.MuSig2CombineSig(t.Context(), &signrpc.MuSig2CombineSigRequest{SessionId: gone})
	require.ErrorContains(t, err, "at least one partial signature")
	_, err = s.MuSig2CombineSig(t.Context(), &signrpc.MuSig2CombineSigRequest{SessionId: gone, OtherPartialSignatures: [][]byte{{1}}})
	require.ErrorContains(t, err, "1 bytes, want 32")
	_, err = s.MuSig2RegisterCombinedNonce(t.Context(), &signrpc.MuSig2RegisterCombinedNonceRequest{SessionId: gone})
	require.ErrorContains(t, err, "invalid combined nonce length")
	_, err = s.MuSig2Cleanup(t.Context(), &signrpc.MuSig2CleanupRequest{})
	require.ErrorContains(t, err, "invalid session ID size")
}
