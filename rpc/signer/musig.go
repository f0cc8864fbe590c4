package signer

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr/musig2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/wallet/signer"

	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// MuSig2CombineKeys aggregates public keys.
func (s *Service) MuSig2CombineKeys(_ context.Context, req *signrpc.MuSig2CombineKeysRequest) (*signrpc.MuSig2CombineKeysResponse, error) {
	all, t, err := signers(req.Version, req.AllSignerPubkeys, req.Tweaks, req.TaprootTweak)
	if err != nil {
		return nil, err
	}
	c, err := signer.CombineKeys(all, t)
	if err != nil {
		return nil, fmt.Errorf("error combining keys: %w", err)
	}
	return &signrpc.MuSig2CombineKeysResponse{CombinedKey: c.Key[:], TaprootInternalKey: internal(&c), Version: req.Version}, nil
}

func internal(c *signer.Combined) []byte {
	if c.Internal == nil {
		return nil
	}
	return c.Internal[:]
}

// signers reads who signs, and how the key is changed.
func signers(v signrpc.MuSig2Version, pubs [][]byte, tweaks []*signrpc.TweakDesc, taproot *signrpc.TaprootTweakDesc) (all []*btcec.PublicKey, t *signer.Tweaks, err error) {
	switch v {
	case signrpc.MuSig2Version_MUSIG2_VERSION_V100RC2:
	case signrpc.MuSig2Version_MUSIG2_VERSION_V040:
		return nil, nil, translate.Mistake("error parsing version: version 0.4.0 of MuSig2 is not supported, use MUSIG2_VERSION_V100RC2")
	default:
		return nil, nil, translate.Mistake("error parsing version: unknown MuSig2 version <%d>", v)
	}
	for i, b := range pubs {
		if len(b) != btcec.PubKeyBytesLenCompressed {
			return nil, nil, translate.Mistake("error parsing all signer public keys: invalid public key at index %d: %d bytes, want 33", i, len(b))
		}
		key, err := btcec.ParsePubKey(b)
		if err != nil {
			return nil, nil, translate.Mistake("error parsing all signer public keys: invalid public key at index %d: %w", i, err)
		}
		all = append(all, key)
	}
	t = &signer.Tweaks{}
	for i, d := range tweaks {
		if len(d.GetTweak()) != 32 {
			return nil, nil, translate.Mistake("error unmarshaling tweak options: tweak %d has %d bytes, want 32", i, len(d.GetTweak()))
		}
		t.List = append(t.List, musig2.KeyTweakDesc{Tweak: [32]byte(d.Tweak), IsXOnly: d.IsXOnly})
	}
	if taproot != nil {
		t.Taproot = true
		if !taproot.KeySpendOnly {
			if len(taproot.ScriptRoot) == 0 {
				return nil, nil, translate.Mistake("error unmarshaling tweak options: script root cannot be empty for non-keyspend")
			}
			t.Root = taproot.ScriptRoot
		}
	}
	return all, t, nil
}

// MuSig2CreateSession begins a signature.
func (s *Service) MuSig2CreateSession(_ context.Context, req *signrpc.MuSig2SessionRequest) (*signrpc.MuSig2SessionResponse, error) {
	all, t, err := signers(req.Version, req.AllSignerPubkeys, req.Tweaks, req.TaprootTweak)
	if err != nil {
		return nil, err
	}
	if req.KeyLoc == nil {
		return nil, translate.Mistake("missing key_loc")
	}
	ask := &signer.SessionRequest{All: all, Tweaks: *t}
	if ask.Key, err = place("key_loc", req.KeyLoc); err != nil {
		return nil, err
	}
	if ask.Others, err = nonces(req.OtherSignerPublicNonces); err != nil {
		return nil, translate.Mistake("error parsing other nonces: %w", err)
	}
	switch n := len(req.PregeneratedLocalNonce); n {
	case 0:
	case musig2.SecNonceSize:
		ask.Drawn = (*[musig2.SecNonceSize]byte)(req.PregeneratedLocalNonce)
	default:
		return nil, translate.Mistake("local nonces must be %d bytes, instead was %d", musig2.SecNonceSize, n)
	}
	x, err := s.signer.CreateSession(ask)
	if errors.Is(err, signer.ErrManySessions) {
		return nil, status.Error(codes.ResourceExhausted, err.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("error registering session: %w", err)
	}
	return &signrpc.MuSig2SessionResponse{
		SessionId: x.ID[:], CombinedKey: x.Key[:], TaprootInternalKey: internal(&x.Combined), LocalPublicNonces: x.Nonce[:],
		HaveAllNonces: x.Whole, Version: req.Version,
	}, nil
}

func nonces(raw [][]byte) (list []signer.Nonce, err error) {
	for i, b := range raw {
		if len(b) != musig2.PubNonceSize {
			return nil, translate.Mistake("invalid public nonce at index %d: invalid length, got %d but expected %d", i, len(b), musig2.PubNonceSize)
		}
		list = append(list, signer.Nonce(b))
	}
	return list, nil
}

func sessionID(b []byte) (id signer.SessionID, err error) {
	if len(b) != len(id) {
		return id, translate.Mistake("error parsing session ID: invalid session ID size, got %d but expected %d", len(b), len(id))
	}
	return signer.SessionID(b), nil
}

// MuSig2RegisterNonces adds nonces of others.
func (s *Service) MuSig2RegisterNonces(_ context.Context, req *signrpc.MuSig2RegisterNoncesRequest) (*signrpc.MuSig2RegisterNoncesResponse, error) {
	id, err := sessionID(req.SessionId)
	if err != nil {
		return nil, err
	}
	list, err := nonces(req.OtherSignerPublicNonces)
	if err == nil && len(list) == 0 {
		err = errors.New("at least one other signer public nonce is required")
	}
	if err != nil {
		return nil, translate.Mistake("error parsing other nonces: %w", err)
	}
	whole, err := s.signer.RegisterNonces(id, list)
	if err != nil {
		return nil, fmt.Errorf("error registering nonces: %w", err)
	}
	return &signrpc.MuSig2RegisterNoncesResponse{HaveAllNonces: whole}, nil
}

// MuSig2RegisterCombinedNonce takes the sum of all nonces.
func (s *Service) MuSig2RegisterCombinedNonce(_ context.Context, req *signrpc.MuSig2RegisterCombinedNonceRequest) (*signrpc.MuSig2RegisterCombinedNonceResponse, error) {
	id, err := sessionID(req.SessionId)
	if err != nil {
		return nil, err
	}
	if n := len(req.CombinedPublicNonce); n != musig2.PubNonceSize {
		return nil, translate.Mistake("invalid combined nonce length, got %d wanted %d", n, musig2.PubNonceSize)
	}
	if err := s.signer.RegisterCombinedNonce(id, signer.Nonce(req.CombinedPublicNonce)); err != nil {
		return nil, fmt.Errorf("error registering combined nonce: %w", err)
	}
	return &signrpc.MuSig2RegisterCombinedNonceResponse{}, nil
}

// MuSig2GetCombinedNonce tells the sum of all nonces.
func (s *Service) MuSig2GetCombinedNonce(_ context.Context, req *signrpc.MuSig2GetCombinedNonceRequest) (*signrpc.MuSig2GetCombinedNonceResponse, error) {
	id, err := sessionID(req.SessionId)
	if err != nil {
		return nil, err
	}
	sum, err := s.signer.CombinedNonce(id)
	if err != nil {
		return nil, fmt.Errorf("error getting combined nonce: %w", err)
	}
	return &signrpc.MuSig2GetCombinedNonceResponse{CombinedPublicNonce: sum[:]}, nil
}

// MuSig2Sign makes our part.
func (s *Service) MuSig2Sign(_ context.Context, req *signrpc.MuSig2SignRequest) (*signrpc.MuSig2SignResponse, error) {
	id, err := sessionID(req.SessionId)
	if err != nil {
		return nil, err
	}
	if n := len(req.MessageDigest); n != 32 {
		return nil, translate.Mistake("invalid message digest size, got %d but expected 32", n)
	}
	part, err := s.signer.MuSign(id, [32]byte(req.MessageDigest), req.Cleanup)
	if err != nil {
		return nil, fmt.Errorf("error signing: %w", err)
	}
	return &signrpc.MuSig2SignResponse{LocalPartialSignature: part[:]}, nil
}

// MuSig2CombineSig adds parts of others.
func (s *Service) MuSig2CombineSig(_ context.Context, req *signrpc.MuSig2CombineSigRequest) (*signrpc.MuSig2CombineSigResponse, error) {
	id, err := sessionID(req.SessionId)
	if err != nil {
		return nil, err
	}
	var parts [][32]byte
	for i, b := range req.OtherPartialSignatures {
		if len(b) != 32 {
			return nil, translate.Mistake("error parsing partial signatures: invalid partial signature at index %d: %d bytes, want 32", i, len(b))
		}
		parts = append(parts, [32]byte(b))
	}
	if len(parts) == 0 {
		return nil, translate.Mistake("error parsing partial signatures: at least one partial signature is required")
	}
	sig, err := s.signer.CombineSig(id, parts)
	if err != nil {
		return nil, fmt.Errorf("error combining signatures: %w", err)
	}
	return &signrpc.MuSig2CombineSigResponse{HaveAllSignatures: sig != nil, FinalSignature: sig}, nil
}

// MuSig2Cleanup ends a session.
func (s *Service) MuSig2Cleanup(_ context.Context, req *signrpc.MuSig2CleanupRequest) (*signrpc.MuSig2CleanupResponse, error) {
	id, err := sessionID(req.SessionId)
	if err != nil {
		return nil, err
	}
	if err := s.signer.EndSession(id); err != nil {
		return nil, fmt.Errorf("error cleaning up session: %w", err)
	}
	return &signrpc.MuSig2CleanupResponse{}, nil
}
