package noise

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// MaxMessage is the longest message that a frame can carry.
	MaxMessage = 65535
	// HeaderLen is the length of the sealed length in front of every message.
	HeaderLen = 2 + TagLen
	// MaxFrame is the longest frame.
	MaxFrame = HeaderLen + MaxMessage + TagLen
)

// rotateAt is the nonce at which a key is replaced: every message takes two, so
// that a key lives for 500 messages.
const rotateAt = 1000

var (
	// ErrTooLong: a message does not fit in a frame.
	ErrTooLong = errors.New("message longer than 65535 bytes")
	// ErrFrame: a frame is not what the peer sealed: it was changed, cut or repeated.
	// The direction is dead afterwards.
	ErrFrame = errors.New("frame does not authenticate")
	// ErrFrameOrder: the caller asked for a body without its length, for a length
	// twice, or passed a buffer of another length than it was told.
	ErrFrameOrder = errors.New("frame read out of order")
)

// newSession gives each direction its key; both chaining keys start alike.
func newSession(remote *btcec.PublicKey, ck, send, recv [32]byte) *Session {
	return &Session{
		Remote: remote,
		Sealer: &Sealer{newDirection(ck, send)},
		Opener: &Opener{direction: newDirection(ck, recv), want: wantHeader},
	}
}

// direction is one of the two keys of a session, with its own chaining key and
// nonce: the directions rotate independently of each other [B8.rot.1].
type direction struct {
	aead    cipher.AEAD
	ck, key [32]byte
	n       uint64
	nonce   [chacha20poly1305.NonceSize]byte // n as the cipher wants it
}

func newDirection(ck, key [32]byte) direction {
	return direction{aead: newAEAD(key), ck: ck, key: key}
}

// advance follows every use of the key, so that no nonce serves twice [B8.msg.2].
// At 1000 uses the key and the chaining key are replaced and forgotten, and the
// nonce starts again at 0 [B8.rot.2].
func (d *direction) advance() {
	d.n++
	if d.n == rotateAt {
		d.ck, d.key = hkdf2(d.ck, d.key[:])
		d.aead = newAEAD(d.key)
		d.n = 0
	}
	d.nonce = nonceOf(d.n)
}

// Sealer encrypts what we send.
type Sealer struct{ direction }

// Append seals msg and appends its frame, len(msg) + 34 bytes, to dst. It
// allocates only when dst is too short. A message above MaxMessage gives
// ErrTooLong and uses up nothing [B8.msg.1].
func (s *Sealer) Append(dst, msg []byte) ([]byte, error) {
	if len(msg) > MaxMessage {
		return dst, fmt.Errorf("seal message of %d bytes: %w", len(msg), ErrTooLong)
	}
	at := len(dst)
	dst = slices.Grow(dst, HeaderLen+len(msg)+TagLen)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(msg)))
	dst = s.aead.Seal(dst[:at], s.nonce[:], dst[at:], nil)
	s.advance()
	dst = s.aead.Seal(dst, s.nonce[:], msg, nil)
	s.advance()
	return dst, nil
}

// What an Opener waits for when it is not a body's length.
const (
	wantHeader = -1
	wantNought = -2 // dead
)

// Opener decrypts what the peer sends, in two pieces for each frame: Length on
// its first 18 bytes, then Open on the rest.
type Opener struct {
	direction
	want int // the length of the body that is due, or one of the above
}

// Length opens the first 18 bytes of a frame, which it overwrites, and gives the
// length of the message that follows. TagLen more bytes than that are to be read
// and passed to Open. An altered length is found out here, before a byte is read
// on its behalf [B8.msg.4].
func (o *Opener) Length(header []byte) (int, error) {
	if o.want != wantHeader || len(header) != HeaderLen {
		return 0, fmt.Errorf("open frame header: %w", o.misused())
	}
	plain, err := o.open(header)
	if err != nil {
		return 0, fmt.Errorf("open frame header: %w", err)
	}
	o.want = int(binary.BigEndian.Uint16(plain))
	return o.want, nil
}

// Open opens the rest of the frame in place: the message is the front of body.
func (o *Opener) Open(body []byte) ([]byte, error) {
	if o.want < 0 || len(body) != o.want+TagLen {
		return nil, fmt.Errorf("open frame body: %w", o.misused())
	}
	plain, err := o.open(body)
	if err != nil {
		return nil, fmt.Errorf("open frame body: %w", err)
	}
	o.want = wantHeader
	return plain, nil
}

// open takes one ciphertext; a failure kills the direction, as its nonce can
// never match again [B8.msg.3].
func (o *Opener) open(sealed []byte) ([]byte, error) {
	plain, err := o.aead.Open(sealed[:0], o.nonce[:], sealed, nil)
	if err != nil {
		o.want = wantNought
		return nil, ErrFrame
	}
	o.advance()
	return plain, nil
}

// misused says why a call was refused: a dead direction stays dead.
func (o *Opener) misused() error {
	if o.want == wantNought {
		return ErrFrame
	}
	return ErrFrameOrder
}
