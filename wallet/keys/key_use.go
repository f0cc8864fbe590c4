package keys

import (
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcec/v2/schnorr/musig2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// Changed is the key as a job wants it: tweaked, or blended with a revoked
// per-commitment secret (BOLT 3).
func (k *Key) Changed(tweak *[32]byte, revocation *lnwire.Secret) (*Key, error) {
	priv, ok := changedKey(k.priv, &SignJob{Tweak: tweak, Revocation: revocation})
	if !ok {
		return nil, mistake.Argument("key %x: cannot be changed by both a tweak and a secret, nor to nothing", k.pub.SerializeCompressed())
	}
	return &Key{priv: priv, pub: priv.PubKey()}, nil
}

// Taproot is the key as it is in a taproot output (BIP 341) with the root of its
// scripts; an empty root is that of no scripts (BIP 86).
func (k *Key) Taproot(root []byte) *Key {
	priv := txscript.TweakTaprootPrivKey(*k.priv, root)
	return &Key{priv: priv, pub: priv.PubKey()}
}

// SignSchnorr signs a digest by BIP 340.
func (k *Key) SignSchnorr(digest [32]byte) (sig [64]byte, err error) {
	s, err := schnorr.Sign(k.priv, digest[:])
	if err != nil {
		return sig, err
	}
	copy(sig[:], s.Serialize())
	return sig, nil
}

// MuSig begins the key's part in a MuSig2 signature.
func (k *Key) MuSig(opts ...musig2.ContextOption) (*musig2.Context, error) {
	priv := btcec.PrivKeyFromScalar(&k.priv.Key)
	return musig2.NewContext(priv, true, opts...)
}
