// Package signer is the service Signer: signatures with the node's keys.
//
// It owns the translation of requests and answers. It must never know a key; a
// signer.Signer does.
//
//	err := server.Provide(&signrpc.Signer_ServiceDesc, signer.New(node.Signer()))
package signer

import (
	"bytes"
	"context"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet/keys"
	"github.com/fulgur-ln/fulgur/wallet/signer"
)

// Service is the service. Use New.
type Service struct {
	signrpc.UnimplementedSignerServer
	signer *signer.Signer
}

// New makes the service.
func New(s *signer.Signer) *Service { return &Service{signer: s} }

// SignOutputRaw makes signatures for inputs.
func (s *Service) SignOutputRaw(_ context.Context, req *signrpc.SignReq) (*signrpc.SignResp, error) {
	tx, inputs, err := signRequest(req)
	if err != nil {
		return nil, err
	}
	for i, d := range req.SignDescs {
		if err := describe(fmt.Sprintf("sign_descs[%d]", i), d, &inputs[i]); err != nil {
			return nil, err
		}
	}
	sigs, err := s.signer.SignOutputs(tx, inputs)
	if err != nil {
		return nil, err
	}
	return &signrpc.SignResp{RawSigs: sigs}, nil
}

// ComputeInputScript completes inputs that spend coins of the wallet.
func (s *Service) ComputeInputScript(_ context.Context, req *signrpc.SignReq) (*signrpc.InputScriptResp, error) {
	tx, inputs, err := signRequest(req)
	if err != nil {
		return nil, err
	}
	list, err := s.signer.ComputeInputs(tx, inputs)
	if err != nil {
		return nil, err
	}
	out := &signrpc.InputScriptResp{}
	for _, in := range list {
		out.InputScripts = append(out.InputScripts, &signrpc.InputScript{Witness: in.Witness, SigScript: in.SigScript})
	}
	return out, nil
}

// signRequest reads the transaction and which inputs are meant.
func signRequest(req *signrpc.SignReq) (*signer.Tx, []signer.Input, error) {
	switch {
	case len(req.RawTxBytes) == 0:
		return nil, nil, translate.Mistake("a transaction to sign MUST be passed in")
	case len(req.SignDescs) == 0:
		return nil, nil, translate.Mistake("at least one SignDescs MUST be passed in")
	}
	tx := &signer.Tx{Tx: &wire.MsgTx{}}
	if err := tx.Tx.Deserialize(bytes.NewReader(req.RawTxBytes)); err != nil {
		return nil, nil, translate.Mistake("unable to decode tx: %w", err)
	}
	for i, o := range req.PrevOutputs {
		if o == nil {
			return nil, nil, translate.Invalid(fmt.Sprintf("prev_outputs[%d]", i), "must be set")
		}
		tx.Spends = append(tx.Spends, wire.NewTxOut(o.Value, o.PkScript))
	}
	inputs := make([]signer.Input, len(req.SignDescs))
	for i, d := range req.SignDescs {
		if d.GetOutput() == nil {
			return nil, nil, translate.Invalid(fmt.Sprintf("sign_descs[%d].output", i), "must be set")
		}
		inputs[i] = signer.Input{
			Index: int(d.InputIndex), Output: wire.NewTxOut(d.Output.Value, d.Output.PkScript), SigHash: txscript.SigHashType(d.Sighash),
		}
	}
	return tx, inputs, nil
}

// describe reads how an input is signed.
func describe(field string, d *signrpc.SignDescriptor, in *signer.Input) (err error) {
	if in.Key, err = name(field+".key_desc", d.KeyDesc); err != nil {
		return err
	}
	if len(d.SingleTweak) > 0 {
		t, err := translate.Array[lnwire.Secret](field+".single_tweak", d.SingleTweak)
		if err != nil {
			return err
		}
		in.Tweak = (*[32]byte)(&t)
	}
	if len(d.DoubleTweak) > 0 {
		t, err := translate.Array[lnwire.Secret](field+".double_tweak", d.DoubleTweak)
		if err != nil {
			return err
		}
		in.Revocation = &t
	}
	in.Root, in.Script = d.TapTweak, d.WitnessScript
	switch d.SignMethod {
	case signrpc.SignMethod_SIGN_METHOD_WITNESS_V0:
		in.Method = signer.WitnessV0
	case signrpc.SignMethod_SIGN_METHOD_TAPROOT_KEY_SPEND_BIP0086:
		in.Method = signer.TaprootBIP86
	case signrpc.SignMethod_SIGN_METHOD_TAPROOT_KEY_SPEND:
		in.Method = signer.TaprootKey
	case signrpc.SignMethod_SIGN_METHOD_TAPROOT_SCRIPT_SPEND:
		in.Method = signer.TaprootScript
	default:
		return translate.Invalid(field+".sign_method", "unknown RPC sign method <%d>", d.SignMethod)
	}
	return nil
}

// name reads which key is meant.
func name(field string, d *signrpc.KeyDescriptor) (n signer.Name, err error) {
	if d == nil {
		return n, translate.Invalid(field, "must be set")
	}
	if len(d.RawKeyBytes) > 0 {
		pub, err := translate.PubKey(field+".raw_key_bytes", d.RawKeyBytes)
		if err != nil {
			return n, err
		}
		n.Pub = &pub
	}
	if d.KeyLoc != nil {
		loc, err := place(field+".key_loc", d.KeyLoc)
		if err != nil {
			return n, err
		}
		n.Loc = &loc
	}
	if n.Pub == nil && n.Loc == nil {
		return n, translate.Invalid(field, "wants raw_key_bytes or key_loc")
	}
	return n, nil
}

func place(field string, l *signrpc.KeyLocator) (keys.KeyLoc, error) {
	if l == nil || l.KeyFamily < 0 || l.KeyIndex < 0 {
		return keys.KeyLoc{}, translate.Invalid(field, "must be set, family and index not negative")
	}
	return keys.KeyLoc{Family: uint32(l.KeyFamily), Index: uint32(l.KeyIndex)}, nil
}

// SignMessage signs a message.
func (s *Service) SignMessage(_ context.Context, req *signrpc.SignMessageReq) (*signrpc.SignMessageResp, error) {
	switch {
	case req.Msg == nil:
		return nil, translate.Mistake("a message to sign MUST be passed in")
	case req.KeyLoc == nil:
		return nil, translate.Mistake("a key locator MUST be passed in")
	}
	loc, err := place("key_loc", req.KeyLoc)
	if err != nil {
		return nil, err
	}
	sig, err := s.signer.SignMessage(loc, &signer.Message{
		Text: req.Msg, Double: req.DoubleHash, Compact: req.CompactSig, Schnorr: req.SchnorrSig, Root: req.SchnorrSigTapTweak, Tag: req.Tag,
	})
	if err != nil {
		return nil, err
	}
	return &signrpc.SignMessageResp{Signature: sig}, nil
}

// VerifyMessage checks a signature.
func (s *Service) VerifyMessage(_ context.Context, req *signrpc.VerifyMessageReq) (*signrpc.VerifyMessageResp, error) {
	switch {
	case req.Msg == nil:
		return nil, translate.Mistake("a message to verify MUST be passed in")
	case req.Signature == nil:
		return nil, translate.Mistake("a signature to verify MUST be passed in")
	case req.Pubkey == nil:
		return nil, translate.Mistake("a pubkey to verify MUST be passed in")
	}
	valid, err := signer.VerifyMessage(&signer.Message{Text: req.Msg, Schnorr: req.IsSchnorrSig, Tag: req.Tag}, req.Signature, req.Pubkey)
	if err != nil {
		return nil, err
	}
	return &signrpc.VerifyMessageResp{Valid: valid}, nil
}

// DeriveSharedKey agrees on a key with the owner of another.
func (s *Service) DeriveSharedKey(_ context.Context, req *signrpc.SharedKeyRequest) (*signrpc.SharedKeyResponse, error) {
	n := signer.Name{Loc: &keys.KeyLoc{Family: keys.FamilyNode}}
	var err error
	switch {
	case len(req.EphemeralPubkey) == 0:
		return nil, translate.Mistake("must provide ephemeral pubkey")
	case req.KeyDesc != nil && req.KeyLoc != nil:
		return nil, translate.Mistake("use either key_desc or key_loc")
	case req.KeyDesc != nil && req.KeyDesc.KeyLoc == nil:
		return nil, translate.Mistake("when setting key_desc the field key_desc.key_loc must also be set")
	case req.KeyDesc != nil && len(req.KeyDesc.RawKeyBytes) > 0 && req.KeyDesc.KeyLoc.KeyIndex != 0:
		return nil, translate.Mistake("use either raw_key_bytes or key_index")
	case req.KeyDesc != nil:
		n, err = name("key_desc", req.KeyDesc)
	case req.KeyLoc != nil:
		*n.Loc, err = place("key_loc", req.KeyLoc)
	}
	if err != nil {
		return nil, err
	}
	if len(req.EphemeralPubkey) != btcec.PubKeyBytesLenCompressed {
		return nil, translate.Mistake("error in ephemeral pubkey: pubkey must be serialized in compressed format if specified")
	}
	other, err := btcec.ParsePubKey(req.EphemeralPubkey)
	if err != nil {
		return nil, translate.Mistake("error in ephemeral pubkey: %w", err)
	}
	key, err := s.signer.Key(n)
	if err != nil {
		return nil, fmt.Errorf("unable to derive shared key: %w", err)
	}
	shared, err := key.ECDH(other)
	if err != nil {
		return nil, fmt.Errorf("unable to derive shared key: %w", err)
	}
	return &signrpc.SharedKeyResponse{SharedKey: shared[:]}, nil
}
