package keys

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// hardened is added to a BIP32 index that is written with a tick.
const hardened = 1 << 31

// ErrUnusableKey says that BIP32 has no key at an index. It happens once in 2^127
// times: take the next index.
var ErrUnusableKey = errors.New("bip32: no usable key at this index")

// xprv is a BIP32 private key with its chain code.
type xprv struct {
	key   btcec.ModNScalar
	chain [32]byte
}

// xpub is a BIP32 public key with its chain code, ready to derive from.
type xpub struct {
	point btcec.JacobianPoint // affine
	ser   lnwire.PubKey
	chain [32]byte
}

// branch is a private key whose public half is at hand: the parent of keys that
// are derived often.
type branch struct {
	xprv
	pub lnwire.PubKey
}

// master is the root of BIP32's tree for a seed of 16 to 64 bytes.
func master(seed []byte) (k xprv, err error) {
	if len(seed) < 16 || len(seed) > 64 {
		return k, fmt.Errorf("bip32: seed of %d bytes, want 16 to 64", len(seed))
	}
	mac := hmac.New(sha512.New, []byte("Bitcoin seed"))
	mac.Write(seed)
	var sum [64]byte
	mac.Sum(sum[:0])
	copy(k.chain[:], sum[32:])
	if overflow := k.key.SetByteSlice(sum[:32]); overflow || k.key.IsZero() {
		return k, errors.New("bip32: unusable seed")
	}
	return k, nil
}

// hard derives the hardened child i as BIP32 says.
func (k *xprv) hard(i uint32) (xprv, error) {
	b := k.key.Bytes()
	return k.hardFrom(b[:], i)
}

// hardTrimmed derives the hardened child i as lnd's wallet does for a key that it
// holds in memory: without the key's leading zero bytes, so that about one path in
// 256 differs from BIP32. Seeds must give the keys that lnd gave them.
func (k *xprv) hardTrimmed(i uint32) (xprv, error) {
	b := k.key.Bytes()
	trimmed := b[:]
	for len(trimmed) > 0 && trimmed[0] == 0 {
		trimmed = trimmed[1:]
	}
	return k.hardFrom(trimmed, i)
}

func (k *xprv) hardFrom(key []byte, i uint32) (xprv, error) {
	var data [37]byte
	copy(data[1:], key)
	binary.BigEndian.PutUint32(data[33:], i|hardened)
	return k.add(k.chain, data)
}

// withPub makes k a parent of normal children.
func (k xprv) withPub() branch {
	return branch{xprv: k, pub: lnwire.NewPubKey(btcec.PrivKeyFromScalar(&k.key).PubKey())}
}

// child derives the normal child i.
func (b *branch) child(i uint32) (xprv, error) {
	return b.add(b.chain, normalData(b.pub, i))
}

// add is the last step of private derivation: HMAC, and the sum of the keys.
func (k *xprv) add(chain [32]byte, data [37]byte) (child xprv, err error) {
	il, next, err := derivation(chain, data)
	if err != nil {
		return child, err
	}
	child.chain = next
	child.key = *il.Add(&k.key)
	if child.key.IsZero() {
		return child, ErrUnusableKey
	}
	return child, nil
}

// public forgets the private half.
func (b *branch) public() xpub {
	x := xpub{ser: b.pub, chain: b.chain}
	btcec.PrivKeyFromScalar(&b.key).PubKey().AsJacobian(&x.point)
	return x
}

// child derives the normal child i without knowing a private key.
func (x *xpub) child(i uint32) (child xpub, err error) {
	il, next, err := derivation(x.chain, normalData(x.ser, i))
	if err != nil {
		return child, err
	}
	var step btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&il, &step)
	btcec.AddNonConst(&step, &x.point, &child.point)
	if (child.point.X.IsZero() && child.point.Y.IsZero()) || child.point.Z.IsZero() {
		return child, ErrUnusableKey
	}
	child.point.ToAffine()
	child.ser = lnwire.NewPubKey(btcec.NewPublicKey(&child.point.X, &child.point.Y))
	child.chain = next
	return child, nil
}

// normalData is what a normal child's HMAC covers.
func normalData(parent lnwire.PubKey, i uint32) (data [37]byte) {
	copy(data[:], parent[:])
	binary.BigEndian.PutUint32(data[33:], i&^hardened)
	return data
}

// derivation is BIP32's I, cut in two: what is added to the key, and the child's
// chain code.
func derivation(chain [32]byte, data [37]byte) (il btcec.ModNScalar, next [32]byte, err error) {
	mac := hmac.New(sha512.New, chain[:])
	mac.Write(data[:])
	var sum [64]byte
	mac.Sum(sum[:0])
	copy(next[:], sum[32:])
	if overflow := il.SetByteSlice(sum[:32]); overflow {
		return il, next, ErrUnusableKey
	}
	return il, next, nil
}
