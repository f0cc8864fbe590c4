package channeltest

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Ring is every key of one node, made from a word.
type Ring struct {
	word   string
	privs  map[commitment.KeyLoc]*btcec.PrivateKey
	pubs   map[commitment.KeyLoc]lnwire.PubKey
	points map[point]lnwire.PubKey // the first few of each root
	keys   map[keysOf]commitment.Keys
}

// keysOf names the keys of a commitment.
type keysOf struct {
	owner, other commitment.Basepoints
	point        lnwire.PubKey
}

// point names a per-commitment point.
type point struct {
	root commitment.KeyLoc
	n    uint64
}

// NewRing makes the keys of the node that goes by word.
func NewRing(word string) *Ring {
	return &Ring{word: word, privs: map[commitment.KeyLoc]*btcec.PrivateKey{}, pubs: map[commitment.KeyLoc]lnwire.PubKey{}, points: map[point]lnwire.PubKey{}, keys: map[keysOf]commitment.Keys{}}
}

// NodeKey is where the key of the node's id lies.
var NodeKey = commitment.KeyLoc{Family: 6}

// Priv is the private key at loc.
func (r *Ring) Priv(loc commitment.KeyLoc) *btcec.PrivateKey {
	k, ok := r.privs[loc]
	if !ok {
		b := binary.BigEndian.AppendUint32([]byte(r.word), loc.Family)
		seed := sha256.Sum256(binary.BigEndian.AppendUint32(b, loc.Index))
		k, _ = btcec.PrivKeyFromBytes(seed[:])
		r.privs[loc] = k
	}
	return k
}

// Pub is the public key at loc.
func (r *Ring) Pub(loc commitment.KeyLoc) lnwire.PubKey {
	p, ok := r.pubs[loc]
	if !ok {
		p = lnwire.NewPubKey(r.Priv(loc).PubKey())
		r.pubs[loc] = p
	}
	return p
}

// NodeID is the node's public key.
func (r *Ring) NodeID() lnwire.PubKey { return r.Pub(NodeKey) }

// Locs are the keys of the node's channel number n.
func (r *Ring) Locs(n uint32) commitment.KeyLocs {
	at := func(family uint32) commitment.KeyLoc { return commitment.KeyLoc{Family: family, Index: n} }
	return commitment.KeyLocs{Funding: at(0), Revocation: at(1), HTLC: at(2), Payment: at(3), Delayed: at(4), Root: at(5)}
}

// Basepoints are the public keys of locs.
func (r *Ring) Basepoints(l commitment.KeyLocs) commitment.Basepoints {
	return commitment.Basepoints{
		Funding: r.Pub(l.Funding), Revocation: r.Pub(l.Revocation), Payment: r.Pub(l.Payment),
		Delayed: r.Pub(l.Delayed), HTLC: r.Pub(l.HTLC),
	}
}

// Secret is the per-commitment secret n of the root.
func (r *Ring) Secret(root commitment.KeyLoc, n uint64) lnwire.Secret {
	var seed [32]byte
	copy(seed[:], r.Priv(root).Serialize())
	return commitment.SecretFromRoot(seed, n)
}

// Point is the point of Secret.
func (r *Ring) Point(root commitment.KeyLoc, n uint64) lnwire.PubKey {
	p, ok := r.points[point{root, n}]
	if !ok {
		p, _ = commitment.PointOf(r.Secret(root, n))
		if n < 100 {
			r.points[point{root, n}] = p
		}
	}
	return p
}

// Keys derives the keys of a commitment, and keeps a few.
func (r *Ring) Keys(p *commitment.Params, point lnwire.PubKey) (commitment.Keys, error) {
	of := keysOf{p.Owner, p.Other, point}
	if k, ok := r.keys[of]; ok {
		return k, nil
	}
	k, err := commitment.DeriveKeys(p.Owner, p.Other, point)
	if err == nil {
		if len(r.keys) >= 100 {
			clear(r.keys)
		}
		r.keys[of] = k
	}
	return k, err
}

// Soon does nothing: Keys takes its time when it is asked.
func (r *Ring) Soon(*commitment.Params, lnwire.PubKey) {}
