package signer

import (
	"sync"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Coins finds the key of a script that pays to the wallet.
type Coins interface {
	Owner(script []byte) (keys.CoinLoc, bool)
}

// Signer signs. It may be used from many goroutines.
type Signer struct {
	ring  *keys.Ring
	coins Coins
	now   func() time.Time

	mu       sync.Mutex
	sessions map[SessionID]*session
	drawn    map[[32]byte]bool // hashes of nonces that callers have drawn
}

// New makes a signer.
func New(ring *keys.Ring, coins Coins, now func() time.Time) *Signer {
	return &Signer{ring: ring, coins: coins, now: now, sessions: map[SessionID]*session{}, drawn: map[[32]byte]bool{}}
}

// Name names a key: by its place, its public half, or both.
type Name struct {
	Loc *keys.KeyLoc
	Pub *lnwire.PubKey
}

// How many keys are looked through for a public half, and in which families.
const (
	scanKeys     = 1000
	scanFamilies = 10
)

// errUnknownKey says that a public key is none of ours, as far as we have looked.
var errUnknownKey = mistake.Missing("the public key is none of this wallet, as far as the first 1000 keys of each family tell")

// Key finds a key.
func (s *Signer) Key(name Name) (*keys.Key, error) {
	switch {
	case name.Pub == nil && name.Loc == nil:
		return nil, mistake.Argument("no key is named")
	case name.Pub == nil:
		return s.ring.Key(*name.Loc)
	case name.Loc == nil:
		if k, ok := s.coinKey(*name.Pub); ok {
			return k, nil
		}
		return s.scan(*name.Pub, 0, scanFamilies)
	}
	k, err := s.ring.Key(*name.Loc)
	if err != nil || k.ID() == *name.Pub {
		return k, err
	}
	if name.Loc.Index != 0 {
		return nil, mistake.Argument("the key at %d/%d has another public half", name.Loc.Family, name.Loc.Index)
	}
	if *name.Loc == (keys.KeyLoc{}) {
		if k, ok := s.coinKey(*name.Pub); ok {
			return k, nil
		}
		return s.scan(*name.Pub, 0, scanFamilies)
	}
	return s.scan(*name.Pub, name.Loc.Family, name.Loc.Family+1)
}

// scan looks for a public key in some families.
func (s *Signer) scan(pub lnwire.PubKey, from, to uint32) (*keys.Key, error) {
	for family := from; family < to; family++ {
		for index := range uint32(scanKeys) {
			loc := keys.KeyLoc{Family: family, Index: index}
			if p, err := s.ring.PubKey(loc); err == nil && p == pub {
				return s.ring.Key(loc)
			}
		}
	}
	return nil, errUnknownKey
}

// coinKey looks for a public key among the wallet's addresses.
func (s *Signer) coinKey(pub lnwire.PubKey) (*keys.Key, bool) {
	program := append([]byte{txscript.OP_0, txscript.OP_DATA_20}, address.Hash160(pub[:])...)
	nested := append([]byte{txscript.OP_HASH160, txscript.OP_DATA_20}, address.Hash160(program)...)
	scripts := [][]byte{program, append(nested, txscript.OP_EQUAL)}
	if p, err := pub.Parse(); err == nil {
		out := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(p))
		scripts = append(scripts, append([]byte{txscript.OP_1, txscript.OP_DATA_32}, out...))
	}
	for _, script := range scripts {
		if loc, ok := s.coins.Owner(script); ok {
			if k, err := s.ring.CoinKey(loc); err == nil && k.ID() == pub {
				return k, true
			}
		}
	}
	return nil, false
}
