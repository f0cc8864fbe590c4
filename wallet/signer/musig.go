package signer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcec/v2/schnorr/musig2"

	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Limits of MuSig2.
const (
	maxSessions  = 1000
	sessionLife  = 24 * time.Hour
	maxSigners   = 1000
	maxTweaks    = 100
	maxDrawn     = 100_000 // nonces of callers that are remembered
	pubNonceSize = musig2.PubNonceSize
	digestSize   = sha256.Size
)

// ErrManySessions says that no session can begin now.
var ErrManySessions = mistake.TooMuch("too many MuSig2 sessions are open: end some")

// SessionID names a session.
type SessionID [32]byte

// Nonce is the public half of a signer's nonces.
type Nonce = [pubNonceSize]byte

// Tweaks change the combined key: one by one, or as taproot does.
type Tweaks struct {
	List    []musig2.KeyTweakDesc
	Taproot bool
	Root    []byte // of the scripts, 32 bytes; empty: there are none
}

func (t *Tweaks) check() error {
	switch {
	case t.Taproot && len(t.List) > 0:
		return mistake.Argument("tweaks and a taproot tweak cannot be set at the same time")
	case t.Taproot && len(t.Root) != 0 && len(t.Root) != 32:
		return mistake.Argument("the script root has %d bytes, want 32", len(t.Root))
	case len(t.List) > maxTweaks:
		return mistake.Argument("%d tweaks, at most %d", len(t.List), maxTweaks)
	}
	return nil
}

// Combined is a combined key.
type Combined struct {
	Key      [32]byte  // with all tweaks, its x coordinate
	Internal *[32]byte // before a taproot tweak
}

// checkSigners: there are not too many, nor too few.
func checkSigners(list []*btcec.PublicKey) error {
	if len(list) < 2 || len(list) > maxSigners {
		return mistake.Argument("need between 2 and %d signing public keys, got %d", maxSigners, len(list))
	}
	return nil
}

// CombineKeys aggregates public keys, which are sorted for it.
func CombineKeys(all []*btcec.PublicKey, t *Tweaks) (c Combined, err error) {
	if err := errors.Join(checkSigners(all), t.check()); err != nil {
		return c, err
	}
	var opts []musig2.KeyAggOption
	switch {
	case t.Taproot && len(t.Root) == 0:
		opts = append(opts, musig2.WithBIP86KeyTweak())
	case t.Taproot:
		opts = append(opts, musig2.WithTaprootKeyTweak(t.Root))
	case len(t.List) > 0:
		opts = append(opts, musig2.WithKeyTweaks(t.List...))
	}
	k, _, _, err := musig2.AggregateKeys(slices.Clone(all), true, opts...) // it sorts them
	if err != nil {
		return c, mistake.Argument("%w", err)
	}
	copy(c.Key[:], schnorr.SerializePubKey(k.FinalKey))
	if t.Taproot {
		c.Internal = (*[32]byte)(schnorr.SerializePubKey(k.PreTweakedKey))
	}
	return c, nil
}

// session is our part in one signature. It is guarded by Signer.mu.
type session struct {
	ctx    *musig2.Context
	run    *musig2.Session
	until  time.Time
	want   int  // signers
	whole  bool // all nonces are known
	signed bool
}

// Session is what a caller is told of one.
type Session struct {
	ID    SessionID
	Nonce Nonce // ours, for the others
	Whole bool  // nothing is missing to sign
	Combined
}

// SessionRequest begins a session.
type SessionRequest struct {
	Key    keys.KeyLoc
	All    []*btcec.PublicKey
	Others []Nonce // that are known already
	Tweaks Tweaks
	// Drawn are secret nonces that the caller has drawn, and never uses again; nil: we
	// draw them.
	Drawn *[musig2.SecNonceSize]byte
}

// CreateSession begins a session.
func (s *Signer) CreateSession(req *SessionRequest) (*Session, error) {
	if err := errors.Join(checkSigners(req.All), req.Tweaks.check(), checkNonces(req.Others)); err != nil {
		return nil, err
	}
	if n := len(req.Others); n > len(req.All)-1 {
		return nil, mistake.Argument("too many other signer public nonces, got %d but expected a maximum of %d", n, len(req.All)-1)
	}
	combined, err := CombineKeys(req.All, &req.Tweaks)
	if err != nil {
		return nil, err
	}
	key, err := s.ring.Key(req.Key)
	if err != nil {
		return nil, err
	}
	ctx, err := key.MuSig(append(req.Tweaks.options(), musig2.WithKnownSigners(slices.Clone(req.All)))...)
	if err != nil {
		return nil, mistake.Argument("%w", err)
	}
	var opts []musig2.SessionOption
	if req.Drawn != nil {
		n, err := s.drawnNonces(req.Drawn, key)
		if err != nil {
			return nil, err
		}
		opts = append(opts, musig2.WithPreGeneratedNonce(n))
	}
	run, err := ctx.NewSession(opts...)
	if err != nil {
		return nil, mistake.Argument("%w", err)
	}
	x := &session{ctx: ctx, run: run, until: s.now().Add(sessionLife), want: len(req.All)}
	if err := x.register(req.Others); err != nil {
		return nil, err
	}
	out := &Session{Nonce: run.PublicNonce(), Whole: x.whole, Combined: combined}
	out.ID = sha256.Sum256(append(combined.Key[:], out.Nonce[:]...))
	return out, s.keep(out.ID, x)
}

// options tell the context of the tweaks.
func (t *Tweaks) options() []musig2.ContextOption {
	switch {
	case t.Taproot && len(t.Root) == 0:
		return []musig2.ContextOption{musig2.WithBip86TweakCtx()}
	case t.Taproot:
		return []musig2.ContextOption{musig2.WithTaprootTweakCtx(t.Root)}
	case len(t.List) > 0:
		return []musig2.ContextOption{musig2.WithTweakedContext(t.List...)}
	}
	return nil
}

// keep enters a session, unless there are too many.
func (s *Signer) keep(id SessionID, x *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for id, old := range s.sessions {
		if !now.Before(old.until) {
			delete(s.sessions, id)
		}
	}
	if len(s.sessions) >= maxSessions {
		return ErrManySessions
	}
	s.sessions[id] = x
	return nil
}

// drawnNonces takes nonces that the caller has drawn, once.
func (s *Signer) drawnNonces(secret *[musig2.SecNonceSize]byte, key *keys.Key) (*musig2.Nonces, error) {
	n := &musig2.Nonces{SecNonce: *secret}
	for i := range 2 {
		var k btcec.ModNScalar
		if k.SetByteSlice(secret[32*i:32*i+32]) || k.IsZero() {
			return nil, mistake.Argument("the pregenerated nonce is no scalar of the curve")
		}
		copy(n.PubNonce[33*i:], btcec.PrivKeyFromScalar(&k).PubKey().SerializeCompressed())
	}
	pub := key.ID()
	if !bytes.Equal(secret[64:], pub[:]) {
		return nil, mistake.Argument("the pregenerated nonce is for another key")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range 2 {
		if h := sha256.Sum256(secret[32*i : 32*i+32]); s.drawn[h] {
			return nil, mistake.Argument("the pregenerated nonce was used before: signing with it twice would give the key away")
		}
	}
	if len(s.drawn) >= maxDrawn {
		return nil, mistake.TooMuch("too many pregenerated nonces were used: let the node draw them")
	}
	for i := range 2 {
		s.drawn[sha256.Sum256(secret[32*i:32*i+32])] = true
	}
	return n, nil
}

// checkNonces: every one is two points. The library adds them up only with the last.
func checkNonces(list []Nonce) error {
	for i, n := range list {
		for half := range 2 {
			if _, err := btcec.ParsePubKey(n[33*half : 33*half+33]); err != nil {
				return mistake.Argument("invalid public nonce at index %d: %w", i, err)
			}
		}
	}
	return nil
}

func (x *session) register(list []Nonce) (err error) {
	for _, n := range list {
		if x.whole, err = x.run.RegisterPubNonce(n); err != nil {
			return mistake.Argument("error registering other signer public nonce: %w", err)
		}
	}
	return nil
}

// with does something with a session, whose caller holds no lock.
func (s *Signer) with(id SessionID, do func(*session) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[id]
	if x != nil && !s.now().Before(x.until) {
		delete(s.sessions, id)
		x = nil
	}
	if x == nil {
		return mistake.Missing("session with ID %x not found", id[:])
	}
	return do(x)
}

// RegisterNonces adds nonces of others. It tells whether all are known.
func (s *Signer) RegisterNonces(id SessionID, list []Nonce) (whole bool, err error) {
	if err := checkNonces(list); err != nil {
		return false, err
	}
	err = s.with(id, func(x *session) error {
		if x.whole {
			return mistake.State("already have all nonces")
		}
		if left := x.want - x.run.NumRegisteredNonces(); len(list) > left {
			return mistake.Argument("only %d other nonces remaining but trying to register %d more", left, len(list))
		}
		err := x.register(list)
		whole = x.whole
		return err
	})
	return whole, err
}

// RegisterCombinedNonce takes the sum of all nonces in place of the single ones.
func (s *Signer) RegisterCombinedNonce(id SessionID, sum Nonce) error {
	return s.with(id, func(x *session) error {
		if x.whole {
			return mistake.State("already have all nonces")
		}
		if err := x.run.RegisterCombinedNonce(sum); err != nil {
			return mistake.Argument("%w", err)
		}
		x.whole = true
		return nil
	})
}

// CombinedNonce is the sum of all nonces.
func (s *Signer) CombinedNonce(id SessionID) (sum Nonce, err error) {
	err = s.with(id, func(x *session) (err error) {
		if sum, err = x.run.CombinedNonce(); err != nil {
			return mistake.State("%w", err)
		}
		return nil
	})
	return sum, err
}

// MuSign makes our part of the signature, once. With last the session ends.
func (s *Signer) MuSign(id SessionID, digest [digestSize]byte, last bool) (part [32]byte, err error) {
	err = s.with(id, func(x *session) error {
		if !x.whole {
			return mistake.State("only have %d of %d required nonces", x.run.NumRegisteredNonces(), x.want)
		}
		sig, err := x.run.Sign(digest, musig2.WithSortedKeys())
		if err != nil {
			return mistake.State("%w", err)
		}
		x.signed = true
		part = sig.S.Bytes()
		if last {
			delete(s.sessions, id)
		}
		return nil
	})
	return part, err
}

// CombineSig adds parts of others to ours. With the last it gives the signature, which
// was checked, and the session ends; a wrong one ends it, too.
func (s *Signer) CombineSig(id SessionID, parts [][32]byte) (sig []byte, err error) {
	err = s.with(id, func(x *session) error {
		if !x.signed {
			return mistake.State("the session has not signed yet")
		}
		for i := range parts {
			p := musig2.PartialSignature{S: new(btcec.ModNScalar)}
			if p.S.SetBytes(&parts[i]) == 1 {
				return mistake.Argument("invalid partial signature at index %d: %w", i, musig2.ErrPartialSigInvalid)
			}
			whole, err := x.run.CombineSig(&p)
			if err != nil {
				delete(s.sessions, id)
				return mistake.Argument("error combining partial signature: %w", err)
			}
			if whole {
				sig = x.run.FinalSig().Serialize()
				delete(s.sessions, id)
				return nil
			}
		}
		return nil
	})
	return sig, err
}

// EndSession forgets a session.
func (s *Signer) EndSession(id SessionID) error {
	return s.with(id, func(*session) error {
		delete(s.sessions, id)
		return nil
	})
}
