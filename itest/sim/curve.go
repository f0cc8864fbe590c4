package sim

import (
	"sync"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// curve is channel.Crypto on the real curve, which remembers: the nodes of all schedules
// have the same keys, so what one has derived the others ask for too, and a signature
// that was made here need not be verified. It never says anything else than the curve.
type curve struct {
	ring *keys.Ring
	id   lnwire.PubKey
}

func newCurve(r *keys.Ring) channel.Crypto { return curve{r, r.Node().ID()} }

type (
	// signer names a private key.
	signer struct {
		id         lnwire.PubKey
		key        keys.KeyLoc
		tweak      [32]byte
		revocation lnwire.Secret
	}
	signed struct {
		digest [32]byte
		sig    lnwire.Sig
	}
	pointAt struct {
		id   lnwire.PubKey
		root keys.KeyLoc
		n    uint64
	}
	keysAt struct {
		owner, other commitment.Basepoints
		point        lnwire.PubKey
	}
)

// memory is what was worked out before.
var memory struct {
	sync.Mutex
	public  map[signer]lnwire.PubKey
	points  map[pointAt]lnwire.PubKey
	keys    map[keysAt]commitment.Keys
	by      map[signed]signer             // of this schedule
	genuine map[commitment.Check]struct{} // likewise
}

// maxMemory bounds each part of it.
const maxMemory = 200_000

// forgetSome begins a schedule.
func forgetSome() {
	m := &memory
	m.Lock()
	defer m.Unlock()
	m.by, m.genuine = map[signed]signer{}, map[commitment.Check]struct{}{}
	if m.public == nil || len(m.public)+len(m.points)+len(m.keys) > maxMemory {
		m.public, m.points, m.keys = map[signer]lnwire.PubKey{}, map[pointAt]lnwire.PubKey{}, map[keysAt]commitment.Keys{}
	}
}

// Sign is channel.Crypto's.
func (c curve) Sign(jobs []commitment.SignJob) ([]lnwire.Sig, bool) {
	sigs, ok := c.ring.Sign(jobs)
	memory.Lock()
	defer memory.Unlock()
	for i := range sigs {
		j := &jobs[i]
		s := signer{id: c.id, key: j.Key}
		if j.Tweak != nil {
			s.tweak = *j.Tweak
		}
		if j.Revocation != nil {
			s.revocation = *j.Revocation
		}
		if pub, ok := memory.public[s]; ok {
			memory.genuine[commitment.Check{Key: pub, Digest: j.Digest, Sig: sigs[i]}] = struct{}{}
		} else {
			memory.by[signed{j.Digest, sigs[i]}] = s
		}
	}
	return sigs, ok
}

// Verify is channel.Crypto's.
func (c curve) Verify(checks []commitment.Check) bool {
	memory.Lock()
	defer memory.Unlock()
	for i := range checks {
		if _, ok := memory.genuine[checks[i]]; ok {
			continue
		}
		if !c.ring.Verify(checks[i : i+1]) {
			return false
		}
		if s, ok := memory.by[signed{checks[i].Digest, checks[i].Sig}]; ok {
			memory.public[s] = checks[i].Key
		}
	}
	return true
}

// Point is channel.Crypto's.
func (c curve) Point(root commitment.KeyLoc, n uint64) lnwire.PubKey {
	return remember(&memory.points, pointAt{c.id, root, n}, func() lnwire.PubKey { return c.ring.Point(root, n) })
}

// Secret is channel.Crypto's.
func (c curve) Secret(root commitment.KeyLoc, n uint64) lnwire.Secret { return c.ring.Secret(root, n) }

// Keys is channel.Crypto's.
func (c curve) Keys(p *commitment.Params, point lnwire.PubKey) (k commitment.Keys, err error) {
	k = remember(&memory.keys, keysAt{p.Owner, p.Other, point}, func() (k commitment.Keys) {
		k, err = commitment.DeriveKeys(p.Owner, p.Other, point)
		return k
	})
	return k, err
}

// Soon is channel.Crypto's.
func (curve) Soon(*commitment.Params, lnwire.PubKey) {}

// remember looks up what f would give.
func remember[K comparable, V any](m *map[K]V, k K, f func() V) V {
	memory.Lock()
	defer memory.Unlock()
	v, ok := (*m)[k]
	if !ok {
		v = f()
		(*m)[k] = v
	}
	return v
}
