package noise

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
)

// The exact lengths of the three acts.
const (
	ActOneLen   = 50
	ActTwoLen   = 50
	ActThreeLen = 66
)

// version is the only handshake version there is.
const version = 0

const keyLen = btcec.PubKeyBytesLenCompressed

// What can be wrong with an act; the error says which act.
var (
	// ErrActLength: an act is not exactly as long as it must be.
	ErrActLength = errors.New("wrong length")
	// ErrVersion: the peer speaks a handshake version that we do not know.
	ErrVersion = errors.New("unknown handshake version")
	// ErrActKey: the key in the act is no compressed point.
	ErrActKey = errors.New("invalid public key")
	// ErrActTag: the authenticator does not match; in act one it means that the
	// peer takes us for somebody else.
	ErrActTag = errors.New("authentication tag does not match")
	// ErrOrder: the caller took the steps out of order, or went on after an error.
	ErrOrder = errors.New("handshake step out of order")
)

// Session is what a finished handshake gives. There is no other way to get one,
// so that nothing can be sent before the peer is authenticated [B8.hs.1].
type Session struct {
	Remote *btcec.PublicKey // the peer's static key, authenticated
	Sealer *Sealer          // our direction
	Opener *Opener          // the peer's direction
}

// step counts the acts that are behind us; broken is never left.
type step uint8

const (
	start step = iota
	afterOne
	finished
	broken
)

// take moves from one step to broken and says whether that was the right step;
// who succeeds sets the next step, so that an error leaves broken behind.
func (s *step) take(want step) error {
	if *s != want {
		return ErrOrder
	}
	*s = broken
	return nil
}

// Initiator is the side that dialled and knows the other's static key.
type Initiator struct {
	symmetric
	step      step
	static    ECDH
	remote    *btcec.PublicKey
	ephemeral Key
}

// NewInitiator begins a handshake with the node whose static key is remote. The
// ephemeral key must be fresh and used for nothing else.
func NewInitiator(static ECDH, remote *btcec.PublicKey, ephemeral *btcec.PrivateKey) *Initiator {
	return &Initiator{
		symmetric: newSymmetric(remote), static: static, remote: remote, ephemeral: NewKey(ephemeral),
	}
}

// ActOne is the 50 bytes to send first.
func (i *Initiator) ActOne() ([]byte, error) {
	if err := i.step.take(start); err != nil {
		return nil, fmt.Errorf("write act one: %w", err)
	}
	act, err := i.writeEphemeral(i.ephemeral, i.remote)
	if err != nil {
		return nil, fmt.Errorf("write act one: %w", err)
	}
	i.step = afterOne
	return act, nil
}

// ActTwo takes the 50 bytes of the answer and gives the 66 bytes to send last,
// with the session that begins behind them.
func (i *Initiator) ActTwo(act []byte) (actThree []byte, session *Session, err error) {
	if err := i.step.take(afterOne); err != nil {
		return nil, nil, fmt.Errorf("read act two: %w", err)
	}
	re, err := i.readEphemeral(act, i.ephemeral)
	if err != nil {
		return nil, nil, fmt.Errorf("read act two: %w", err)
	}
	actThree = append(make([]byte, 0, ActThreeLen), version)
	actThree = i.seal(actThree, 1, i.static.PubKey().SerializeCompressed())
	secret, err := i.static.ECDH(re)
	if err != nil {
		return nil, nil, fmt.Errorf("write act three: use static key: %w", err)
	}
	i.mixKey(secret)
	actThree = i.seal(actThree, 0, nil)

	send, recv := i.split()
	i.step = finished
	return actThree, newSession(i.remote, i.ck, send, recv), nil
}

// Responder is the side that was dialled.
type Responder struct {
	symmetric
	step      step
	static    ECDH
	ephemeral Key
}

// NewResponder begins a handshake with whoever dialled. The ephemeral key must
// be fresh and used for nothing else.
func NewResponder(static ECDH, ephemeral *btcec.PrivateKey) *Responder {
	return &Responder{
		symmetric: newSymmetric(static.PubKey()), static: static, ephemeral: NewKey(ephemeral),
	}
}

// ActOne takes the first 50 bytes and gives the 50 bytes of the answer. Upon an
// error there is nothing to answer: the connection ends in silence [B8.hs.6].
func (r *Responder) ActOne(act []byte) (actTwo []byte, err error) {
	if err := r.step.take(start); err != nil {
		return nil, fmt.Errorf("read act one: %w", err)
	}
	re, err := r.readEphemeral(act, r.static)
	if err != nil {
		return nil, fmt.Errorf("read act one: %w", err)
	}
	actTwo, err = r.writeEphemeral(r.ephemeral, re)
	if err != nil {
		return nil, fmt.Errorf("write act two: %w", err)
	}
	r.step = afterOne
	return actTwo, nil
}

// ActThree takes the last 66 bytes and gives the session.
func (r *Responder) ActThree(act []byte) (*Session, error) {
	if err := r.step.take(afterOne); err != nil {
		return nil, fmt.Errorf("read act three: %w", err)
	}
	rs, err := r.readStatic(act)
	if err != nil {
		return nil, fmt.Errorf("read act three: %w", err)
	}
	recv, send := r.split()
	r.step = finished
	return newSession(rs, r.ck, send, recv), nil
}

// writeEphemeral writes act one or act two: our ephemeral key, then the tag that
// only the owner of the other key can check.
func (s *symmetric) writeEphemeral(ephemeral Key, other *btcec.PublicKey) ([]byte, error) {
	act := append(make([]byte, 0, ActOneLen), version)
	act = append(act, ephemeral.PubKey().SerializeCompressed()...)
	s.mixHash(act[1:])
	secret, err := ephemeral.ECDH(other)
	if err != nil {
		return nil, err
	}
	s.mixKey(secret)
	return s.seal(act, 0, nil), nil
}

// readEphemeral reads act one with our static key, or act two with our ephemeral
// one, and gives the peer's ephemeral key. A tag that does not match ends the
// handshake: act one [B8.hs.6], act two [B8.hs.7].
func (s *symmetric) readEphemeral(act []byte, own ECDH) (*btcec.PublicKey, error) {
	if err := checkAct(act, ActOneLen); err != nil {
		return nil, err
	}
	key, tag := act[1:1+keyLen], act[1+keyLen:]
	re, err := btcec.ParsePubKey(key)
	if err != nil {
		return nil, fmt.Errorf("ephemeral key: %w", ErrActKey)
	}
	s.mixHash(key)
	secret, err := own.ECDH(re)
	if err != nil {
		return nil, fmt.Errorf("use own key: %w", err)
	}
	s.mixKey(secret)
	if _, err := s.open(0, tag); err != nil {
		return nil, err
	}
	return re, nil
}

// readStatic reads act three: the initiator's static key under one tag
// [B8.hs.8], then the proof that it owns the key under another [B8.hs.9].
func (r *Responder) readStatic(act []byte) (*btcec.PublicKey, error) {
	if err := checkAct(act, ActThreeLen); err != nil {
		return nil, err
	}
	sealed, tag := act[1:1+keyLen+TagLen], act[1+keyLen+TagLen:]
	key, err := r.open(1, sealed)
	if err != nil {
		return nil, fmt.Errorf("static key: %w", err)
	}
	rs, err := btcec.ParsePubKey(key)
	if err != nil {
		return nil, fmt.Errorf("static key: %w", ErrActKey)
	}
	secret, err := r.ephemeral.ECDH(rs)
	if err != nil {
		return nil, err
	}
	r.mixKey(secret)
	if _, err := r.open(0, tag); err != nil {
		return nil, err
	}
	return rs, nil
}

// checkAct refuses another length than the exact one [B8.hs.3] and a version
// that we do not know, in act one [B8.hs.4] as in acts two and three [B8.hs.5].
func checkAct(act []byte, want int) error {
	if len(act) != want {
		return fmt.Errorf("%w: %d bytes, want %d", ErrActLength, len(act), want)
	}
	if act[0] != version {
		return fmt.Errorf("%w %d", ErrVersion, act[0])
	}
	return nil
}
