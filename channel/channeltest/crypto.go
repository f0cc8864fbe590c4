package channeltest

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Real is a channel.Crypto on the curve.
type Real struct {
	*Ring
	// Away makes Sign answer that the signer is away.
	Away *bool
}

// Model is a channel.Crypto whose signature is a hash of the public key and of
// what is signed: everybody can make it.
type Model struct {
	*Ring
	Away *bool
}

// private is the key that a job asks for.
func (r *Ring) private(j *commitment.SignJob) *btcec.PrivateKey {
	base := r.Priv(j.Key)
	switch {
	case j.Tweak != nil:
		return commitment.TweakPriv(base, *j.Tweak)
	case j.Revocation != nil:
		return commitment.RevocationPriv(base, *j.Revocation)
	}
	return base
}

// Sign makes one signature for each job.
func (c Real) Sign(jobs []commitment.SignJob) ([]lnwire.Sig, bool) {
	if c.Away != nil && *c.Away {
		return nil, false
	}
	sigs := make([]lnwire.Sig, len(jobs))
	for i := range jobs {
		sigs[i] = lnwire.NewSig(ecdsa.Sign(c.private(&jobs[i]), jobs[i].Digest[:]))
	}
	return sigs, true
}

// Verify reports whether every check holds.
func (c Real) Verify(checks []commitment.Check) bool {
	for i := range checks {
		if !lnwire.VerifySig(checks[i].Digest, checks[i].Key, checks[i].Sig) {
			return false
		}
	}
	return true
}

// Sign makes one signature for each job.
func (c Model) Sign(jobs []commitment.SignJob) ([]lnwire.Sig, bool) {
	if c.Away != nil && *c.Away {
		return nil, false
	}
	sigs := make([]lnwire.Sig, len(jobs))
	var tweak [32]byte
	var tweaked lnwire.PubKey
	for i := range jobs {
		j := &jobs[i]
		pub := c.Pub(j.Key)
		switch {
		case j.Tweak != nil && *j.Tweak == tweak: // the HTLC keys of one commitment are all the same
			pub = tweaked
		case j.Tweak != nil || j.Revocation != nil:
			pub = lnwire.NewPubKey(c.private(j).PubKey())
			if j.Tweak != nil {
				tweak, tweaked = *j.Tweak, pub
			}
		}
		sigs[i] = ModelSig(pub, j.Digest)
	}
	return sigs, true
}

// Verify reports whether every check holds.
func (c Model) Verify(checks []commitment.Check) bool {
	for i := range checks {
		if checks[i].Sig != ModelSig(checks[i].Key, checks[i].Digest) {
			return false
		}
	}
	return true
}

// ModelSig is the model's signature of the owner of key for digest. Its halves are
// in range and its s is low.
func ModelSig(key lnwire.PubKey, digest [32]byte) (sig lnwire.Sig) {
	b := make([]byte, 0, 66)
	b = append(append(b, key[:]...), digest[:]...)
	r := sha256.Sum256(b)
	s := sha256.Sum256(r[:])
	copy(sig[1:32], r[1:])
	copy(sig[33:], s[1:])
	return sig
}
