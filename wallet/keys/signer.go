package keys

import (
	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/curve"
)

// SignJob asks for one signature of a channel's key.
type SignJob = commitment.SignJob

// Check asks whether a signature holds.
type Check = commitment.Check

// Sign makes one signature per job, deterministic and low s. ok is false when a
// job names no key or asks for both changes of the key at once; then there are no
// signatures at all, and what is owed stays owed.
func (r *Ring) Sign(jobs []SignJob) (sigs []lnwire.Sig, ok bool) {
	sigs = make([]lnwire.Sig, len(jobs))
	var key *btcec.PrivateKey
	for i := range jobs {
		// The HTLCs of a commitment share one key: derive it once.
		if i == 0 || !sameKey(&jobs[i-1], &jobs[i]) {
			if key, ok = r.jobKey(&jobs[i]); !ok {
				return nil, false
			}
		}
		sigs[i] = signECDSA(key, jobs[i].Digest)
	}
	return sigs, true
}

func sameKey(a, b *SignJob) bool {
	return a.Key == b.Key && equal(a.Tweak, b.Tweak) && equal(a.Revocation, b.Revocation)
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// jobKey is the private key of a job.
func (r *Ring) jobKey(j *SignJob) (*btcec.PrivateKey, bool) {
	k, err := r.derive(j.Key)
	if err != nil {
		return nil, false
	}
	return changedKey(btcec.PrivKeyFromScalar(&k), j)
}

// changedKey is the key tweaked or blended as BOLT 3 derives it.
func changedKey(k *btcec.PrivateKey, j *SignJob) (*btcec.PrivateKey, bool) {
	switch {
	case j.Tweak != nil && j.Revocation != nil:
		return nil, false
	case j.Tweak != nil:
		k = commitment.TweakPriv(k, *j.Tweak)
	case j.Revocation != nil:
		k = commitment.RevocationPriv(k, *j.Revocation)
	}
	return k, !k.Key.IsZero()
}

// Verify reports whether every signature is good. A high s is not: such a
// transaction would not relay (V-02).
func (r *Ring) Verify(checks []Check) bool { return Verify(checks) }

// Verify reports whether every signature is good and low s. It needs no key of
// ours.
func Verify(checks []Check) bool {
	var key []byte
	for i := range checks {
		c := &checks[i]
		if i == 0 || checks[i-1].Key != c.Key {
			k, err := c.Key.Parse()
			if err != nil {
				return false
			}
			key = k.SerializeUncompressed() // to look for y once
		}
		if !c.Sig.IsLowS() || !curve.Verify(key, c.Digest, c.Sig) {
			return false
		}
	}
	return true
}
