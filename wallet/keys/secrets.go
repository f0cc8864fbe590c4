package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// secretTag separates the root of per-commitment secrets from every other use of
// the key that it comes from, where there is no SharedRoot. It can never change.
const secretTag = "fulgur per-commitment secrets"

// secretRoot is the 256-bit root of a channel's secrets: a pseudo-random function
// of the private key at loc, a key of its own for every channel. It never leaves this
// package.
//
// B3.secret.1
func (r *Ring) secretRoot(loc KeyLoc) (lnwire.Secret, error) {
	if root, ok := r.roots.Load(loc); ok {
		return root.(lnwire.Secret), nil
	}
	how := r.ownRoot
	if loc.Family&SharedRoot != 0 {
		how = r.sharedRoot
	}
	root, err := how(loc)
	if err == nil {
		r.roots.Store(loc, root)
	}
	return root, err
}

// sharedRoot is lnd's: what the key at loc and the funding key of the same index agree
// upon (Diffie-Hellman), hashed.
func (r *Ring) sharedRoot(loc KeyLoc) (lnwire.Secret, error) {
	k, err := r.derive(KeyLoc{Family: loc.Family &^ SharedRoot, Index: loc.Index})
	if err != nil {
		return lnwire.Secret{}, err
	}
	funding, err := r.derive(KeyLoc{Family: FamilyMultiSig, Index: loc.Index})
	if err != nil {
		return lnwire.Secret{}, err
	}
	return curve.ECDH(&k, btcec.PrivKeyFromScalar(&funding).PubKey()), nil
}

func (r *Ring) ownRoot(loc KeyLoc) (lnwire.Secret, error) {
	k, err := r.derive(loc)
	if err != nil {
		return lnwire.Secret{}, err
	}
	key := k.Bytes()
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(secretTag))
	return lnwire.Secret(mac.Sum(nil)), nil
}

// Secret is our n-th per-commitment secret, n counted from 0, of the channel whose
// root is at root: that of index 2^48-1-n. Revealing it revokes commitment n. It
// panics when root names no key, for a zero instead would be a secret that everyone
// knows; and when n is 2^48-1 or more, for the secret of index 0 is the root itself.
//
// B3.secret.2 B3.secret.3 B3.secret.4 B3.secret.5
func (r *Ring) Secret(root KeyLoc, n uint64) lnwire.Secret {
	if n > commitment.MaxNumber {
		panic(fmt.Sprintf("per-commitment secret %d: the last is %d", n, commitment.MaxNumber))
	}
	seed, err := r.secretRoot(root)
	if err != nil {
		panic("per-commitment secret: " + err.Error())
	}
	return commitment.SecretFromRoot(seed, n)
}

// Point is the per_commitment_point of commitment n: the public key of its secret.
func (r *Ring) Point(root KeyLoc, n uint64) lnwire.PubKey {
	secret := r.Secret(root, n)
	_, pub := btcec.PrivKeyFromBytes(secret[:])
	return lnwire.NewPubKey(pub)
}
