package node

import (
	"sync"
	"sync/atomic"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// signer is where our private keys are.
type signer interface {
	Sign(jobs []commitment.SignJob) (sigs []lnwire.Sig, ok bool)
	Verify(checks []commitment.Check) bool
	Point(root commitment.KeyLoc, n uint64) lnwire.PubKey
	Secret(root commitment.KeyLoc, n uint64) lnwire.Secret
}

// crypto is channel.Crypto for one channel: it spreads batches over the pool, and has
// the keys and points that its machine will ask for next made there meanwhile. All it
// answers follows from the arguments and from the signer's keys; what it keeps only
// saves the time. Only the channel's turns may use it.
type crypto struct {
	signer
	pool *pool
	did  *signatures

	sides [2]side // of our commitments and of the peer's, in the order of their use
	point aheadPoint
}

// side is what is known of one side's commitments.
type side struct {
	deriver *commitment.Deriver
	// The last keys that were asked for or announced: those of the current and of the
	// next commitment, and one for an older that the API or the chain asks about.
	ahead [3]aheadKeys
	next  int // of ahead, to be given up
}

// aheadKeys are the keys of one commitment, or will be.
type aheadKeys struct {
	point lnwire.PubKey
	get   func() (commitment.Keys, error)
}

// aheadPoint is our point that follows the one that was last asked for.
type aheadPoint struct {
	root commitment.KeyLoc
	n    uint64
	get  func() lnwire.PubKey
}

// newCrypto makes the crypto of a channel.
func (n *Node) newCrypto() channel.Crypto {
	if n.cfg.Crypto != nil {
		return n.cfg.Crypto(n.ring)
	}
	return &crypto{signer: n.ring, pool: n.pool, did: &n.did}
}

// signatures counts what all channels have signed and verified; nil counts nothing.
type signatures struct{ made, verified atomic.Uint64 }

func (s *signatures) sign(n int) {
	if s != nil {
		s.made.Add(uint64(n))
	}
}

func (s *signatures) verify(n int) {
	if s != nil {
		s.verified.Add(uint64(n))
	}
}

// How many signatures and verifications are worth handing over.
const (
	signShare   = 2
	verifyShare = 1
)

// Sign is channel.Crypto's.
func (c *crypto) Sign(jobs []commitment.SignJob) ([]lnwire.Sig, bool) {
	c.did.sign(len(jobs))
	sigs := make([]lnwire.Sig, len(jobs))
	var away atomic.Bool
	c.pool.each(len(jobs), signShare, func(from, to int) {
		some, ok := c.signer.Sign(jobs[from:to])
		if !ok {
			away.Store(true)
			return
		}
		copy(sigs[from:], some)
	})
	return sigs, !away.Load()
}

// Verify is channel.Crypto's.
func (c *crypto) Verify(checks []commitment.Check) bool {
	c.did.verify(len(checks))
	var bad atomic.Bool
	c.pool.each(len(checks), verifyShare, func(from, to int) {
		if !bad.Load() && !c.signer.Verify(checks[from:to]) {
			bad.Store(true)
		}
	})
	return !bad.Load()
}

// Keys is channel.Crypto's.
func (c *crypto) Keys(p *commitment.Params, point lnwire.PubKey) (commitment.Keys, error) {
	get, err := c.ahead(p, point)
	if err != nil {
		return commitment.Keys{}, err
	}
	return get()
}

// Soon is channel.Crypto's. Keys will tell of what is wrong.
func (c *crypto) Soon(p *commitment.Params, point lnwire.PubKey) { _, _ = c.ahead(p, point) }

// ahead begins to derive keys, unless that was done, and gives the function that waits
// for them.
func (c *crypto) ahead(p *commitment.Params, point lnwire.PubKey) (func() (commitment.Keys, error), error) {
	s, err := c.side(p)
	if err != nil {
		return nil, err
	}
	if get := s.find(point); get != nil {
		return get, nil
	}
	w, err := s.deriver.Begin(point)
	if err != nil {
		return nil, err
	}
	blended := later(c.pool, func() struct{} { w.Blend(); return struct{}{} })
	tweaked := later(c.pool, func() struct{} { w.Tweak(); return struct{}{} })
	get := sync.OnceValues(func() (commitment.Keys, error) {
		tweaked()
		blended()
		return w.Keys()
	})
	s.keep(aheadKeys{point, get})
	return get, nil
}

// side is what is known of the side whose commitments p describes.
func (c *crypto) side(p *commitment.Params) (*side, error) {
	for i := range c.sides {
		if s := &c.sides[i]; s.deriver != nil && s.deriver.Of(&p.Owner, &p.Other) {
			return s, nil
		}
	}
	d, err := commitment.NewDeriver(p.Owner, p.Other)
	if err != nil {
		return nil, err
	}
	c.sides[1] = c.sides[0]
	c.sides[0] = side{deriver: d}
	return &c.sides[0], nil
}

func (s *side) find(point lnwire.PubKey) func() (commitment.Keys, error) {
	for i := range s.ahead {
		if a := &s.ahead[i]; a.get != nil && a.point == point {
			return a.get
		}
	}
	return nil
}

// keep puts a in the place of the oldest.
func (s *side) keep(a aheadKeys) {
	s.ahead[s.next] = a
	s.next = (s.next + 1) % len(s.ahead)
}

// Point is channel.Crypto's. The one after it is the next to be asked for.
func (c *crypto) Point(root commitment.KeyLoc, n uint64) lnwire.PubKey {
	a := &c.point
	known := a.get != nil && a.root == root
	var point lnwire.PubKey
	if known && a.n == n {
		point = a.get()
	} else {
		point = c.signer.Point(root, n)
	}
	if next := n + 1; next < commitment.MaxNumber && (!known || a.n < next) {
		signer := c.signer
		*a = aheadPoint{root, next, later(c.pool, func() lnwire.PubKey { return signer.Point(root, next) })}
	}
	return point
}
