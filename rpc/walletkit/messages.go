package walletkit

import (
	"bytes"
	"context"
	"encoding/base64"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"

	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// messagePrefix goes before every message that is signed with an address.
const messagePrefix = "Bitcoin Signed Message:\n"

func messageDigest(msg []byte) (digest [32]byte) {
	var b bytes.Buffer
	_ = wire.WriteVarString(&b, 0, messagePrefix) // memory does not fail
	_ = wire.WriteVarString(&b, 0, string(msg))
	return chainhash.DoubleHashH(b.Bytes())
}

// addressOf reads an address of the network.
func (s *Service) addressOf(text string) (address.Address, error) {
	a, err := address.DecodeAddress(text, s.node.Net())
	if err != nil {
		return nil, translate.Mistake("unable to decode address: %w", err)
	}
	if !a.IsForNet(s.node.Net()) {
		return nil, translate.Mistake("encoded address is for the wrong network %s", text)
	}
	return a, nil
}

// SignMessageWithAddr signs with the key of an address.
func (s *Service) SignMessageWithAddr(_ context.Context, req *walletrpc.SignMessageWithAddrRequest) (*walletrpc.SignMessageWithAddrResponse, error) {
	a, err := s.addressOf(req.Addr)
	if err != nil {
		return nil, err
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		return nil, translate.Mistake("%w", err)
	}
	at, ok := s.node.OwnerOf(script)
	if !ok {
		return nil, translate.Mistake("address could not be found in the wallet database: address not found")
	}
	key, err := s.node.AddressKey(at)
	if err != nil {
		return nil, mistake.State("no private key could be fetched from wallet database: %w", err)
	}
	sig := key.SignCompact(messageDigest(req.Msg))
	return &walletrpc.SignMessageWithAddrResponse{Signature: base64.StdEncoding.EncodeToString(sig[:])}, nil
}

// VerifyMessageWithAddr compares the key of a signature with an address.
func (s *Service) VerifyMessageWithAddr(_ context.Context, req *walletrpc.VerifyMessageWithAddrRequest) (*walletrpc.VerifyMessageWithAddrResponse, error) {
	sig, err := base64.StdEncoding.DecodeString(req.Signature)
	if err != nil {
		return nil, translate.Mistake("malformed base64 encoding of the signature: %w", err)
	}
	digest := messageDigest(req.Msg)
	key, compressed, err := ecdsa.RecoverCompact(sig, digest[:])
	if err != nil {
		return nil, translate.Mistake("unable to recover public key from compact signature: %w", err)
	}
	raw := key.SerializeUncompressed()
	if compressed {
		raw = key.SerializeCompressed()
	}
	want, err := s.addressOf(req.Addr)
	if err != nil {
		return nil, err
	}
	var got []byte
	hash := address.Hash160(raw)
	switch want.(type) {
	case *address.AddressPubKeyHash, *address.AddressWitnessPubKeyHash:
		got = hash
	case *address.AddressScriptHash:
		got = address.Hash160(append([]byte{txscript.OP_0, txscript.OP_DATA_20}, hash...))
	case *address.AddressTaproot:
		got = schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(key))
	default:
		return nil, translate.Mistake("unsupported address type")
	}
	return &walletrpc.VerifyMessageWithAddrResponse{Valid: bytes.Equal(want.ScriptAddress(), got), Pubkey: raw}, nil
}
