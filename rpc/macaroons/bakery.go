package macaroons

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"gopkg.in/macaroon.v2"
)

// location stands unsigned in every macaroon. Tools that show it expect lnd's.
const location = "lnd"

// maxLen bounds a macaroon, with room for far more rights and caveats than any tool adds.
const maxLen = 16 << 10

// DefaultKey is the root key that signs the macaroon files of a node.
const DefaultKey = 0

// ErrPermissionDenied says that a macaroon is good but does not carry the needed right.
var ErrPermissionDenied = errors.New("permission denied")

// RootKeys is where a Bakery finds its keys. Store is one.
type RootKeys interface {
	// Key returns an existing root key; ErrNoKey if there is none.
	Key(id uint64) ([]byte, error)
	// KeyOrNew returns a root key and makes it first if there is none.
	KeyOrNew(id uint64) ([]byte, error)
	// IDs lists the numbers of the root keys in ascending order.
	IDs() ([]uint64, error)
	// Delete removes a root key and tells whether it was there; ErrDeletionForbidden for the default key.
	Delete(id uint64) (bool, error)
}

// A Bakery makes and checks macaroons. It may be used by several goroutines.
type Bakery struct {
	keys   RootKeys
	now    func() time.Time
	custom func(name string) bool
}

// AcceptCustom accepts custom caveats of a name as long as handled says that somebody looks after them; without it none
// is. It is called before the first Verify.
func (b *Bakery) AcceptCustom(handled func(name string) bool) { b.custom = handled }

// NewBakery returns a bakery over the given root keys.
func NewBakery(keys RootKeys) *Bakery { return &Bakery{keys: keys, now: time.Now} }

// Bake makes a macaroon without caveats that carries the given rights, in binary form. The root key is made if it does
// not exist.
func (b *Bakery) Bake(key uint64, ops []Op) ([]byte, error) {
	if len(ops) == 0 {
		return nil, errNoRights
	}
	rootKey, err := b.keys.KeyOrNew(key)
	if err != nil {
		return nil, fmt.Errorf("bake macaroon: %w", err)
	}
	return BakeFrom(rootKey, key, ops)
}

var errNoRights = errors.New("bake macaroon: no rights given")

// BakeFrom is Bake for those who know the root key.
func BakeFrom(rootKey []byte, key uint64, ops []Op) ([]byte, error) {
	if len(ops) == 0 {
		return nil, errNoRights
	}
	var nonce [nonceLen]byte
	rand.Read(nonce[:])
	id, err := encodeID(nonce, key, ops)
	if err != nil {
		return nil, fmt.Errorf("bake macaroon: encode identifier: %w", err)
	}
	m, err := macaroon.New(rootKey, id, location, macaroon.V2)
	if err != nil {
		return nil, fmt.Errorf("bake macaroon: %w", err)
	}
	return m.MarshalBinary()
}

// Keys lists the numbers of the root keys in ascending order.
func (b *Bakery) Keys() ([]uint64, error) { return b.keys.IDs() }

// Revoke deletes a root key, which voids every macaroon that it signed from the next call on, and tells whether it was
// there. The default key cannot be deleted: ErrDeletionForbidden.
func (b *Bakery) Revoke(key uint64) (bool, error) { return b.keys.Delete(key) }

// Verify checks the signature and every caveat of a macaroon in binary form, for a caller at the given address. The
// errors' texts are lnd's. The signature is compared in constant time, before any caveat is looked at.
func (b *Bakery) Verify(raw []byte, client netip.Addr) (Token, error) {
	if len(raw) > maxLen {
		return Token{}, fmt.Errorf("macaroon of %d bytes is too long: at most %d", len(raw), maxLen)
	}
	var m macaroon.Macaroon
	if err := m.UnmarshalBinary(raw); err != nil {
		return Token{}, err
	}
	if m.Version() != macaroon.V2 {
		return Token{}, fmt.Errorf("unknown macaroon version: %v", m.Version())
	}
	keyText, ops, err := decodeID(m.Id())
	if err != nil {
		return Token{}, err
	}
	key, rootKey, err := b.rootKey(keyText)
	if err != nil {
		return Token{}, fmt.Errorf("cannot retrieve macaroon: cannot get macaroon: %w", err)
	}
	conditions, err := m.VerifySignature(rootKey, nil)
	if err != nil {
		return Token{}, fmt.Errorf("verification failed: %w", err)
	}
	token := Token{Key: key, Name: string(m.Id()), Client: client, Raw: raw, ops: ops}
	for _, condition := range conditions {
		if err := checkCaveat(condition, client, b.now(), b.custom); err != nil {
			return Token{}, err
		}
		if c, ok := customOf(condition); ok {
			token.Custom = append(token.Custom, c)
		}
	}
	if token.Budgets, err = budgets(m.Id(), conditions); err != nil {
		return Token{}, err
	}
	return token, nil
}

// rootKey finds the key that an identifier names.
func (b *Bakery) rootKey(text string) (uint64, []byte, error) {
	id, ok := parseKey(text)
	if !ok {
		return 0, nil, fmt.Errorf("root key with id %.40q doesn't exist", text)
	}
	rootKey, err := b.keys.Key(id)
	if errors.Is(err, ErrNoKey) {
		return 0, nil, fmt.Errorf("root key with id %d doesn't exist", id)
	}
	return id, rootKey, err
}
