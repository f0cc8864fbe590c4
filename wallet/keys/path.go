package keys

import (
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// PathJob asks for a signature by the key that a BIP 32 path of the seed leads to.
type PathJob struct {
	Path   []uint32 // with the top bit for hardened steps
	Key    []byte   // what must be found there: 33 bytes, or 32 without the sign of y
	Change SignJob  // only its Tweak and Revocation, the changes of BOLT 3
	Digest [32]byte
	// Schnorr asks for BIP 340; with Output of the key tweaked by Root, as BIP 341 makes an
	// output of it.
	Schnorr bool
	Output  bool
	Root    []byte
}

// SignPaths signs what it has the keys for: a nil signature says that a path leads
// nowhere, or to another key.
func (r *Ring) SignPaths(jobs []PathJob) []*lnwire.Sig {
	sigs := make([]*lnwire.Sig, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		key, ok := r.atPath(j.Path)
		if !ok || !isKey(key, j.Key) {
			continue
		}
		if key, ok = changedKey(key, &j.Change); !ok {
			continue
		}
		if !j.Schnorr {
			sig := signECDSA(key, j.Digest)
			sigs[i] = &sig
			continue
		}
		if j.Output {
			key = txscript.TweakTaprootPrivKey(*key, j.Root)
		}
		if s, err := schnorr.Sign(key, j.Digest[:]); err == nil {
			sigs[i] = (*lnwire.Sig)(s.Serialize())
		}
	}
	return sigs
}

func isKey(key *btcec.PrivateKey, want []byte) bool {
	pub := key.PubKey().SerializeCompressed()
	return string(pub) == string(want) || string(pub[1:]) == string(want)
}

// atPath derives the key at a path that the wallet or the node takes; others are none of
// ours.
func (r *Ring) atPath(path []uint32) (*btcec.PrivateKey, bool) {
	if len(path) != 5 || path[0] < hardened || path[1] < hardened || path[2] < hardened || path[4] >= hardened {
		return nil, false
	}
	first, coin, third := path[0]-hardened, path[1]-hardened, path[2]-hardened
	if first == purpose {
		if coin != r.coinType || path[3] != 0 {
			return nil, false
		}
		k, err := r.derive(KeyLoc{Family: third, Index: path[4]})
		return btcec.PrivKeyFromScalar(&k), err == nil
	}
	for _, kind := range Accounts {
		if first == kind.Purpose() && coin == 0 && path[3] <= uint32(Internal) {
			k, err := r.coinKey(CoinLoc{Account: kind, Number: third, Branch: Branch(path[3]), Index: path[4]})
			return k, err == nil
		}
	}
	return nil, false
}

// Path is where the key is from the root of its seed, of which it may not be ours: a
// foreign account's number is the last step of its extended key.
func (a *Account) Path(b Branch, index uint32) []uint32 {
	return []uint32{a.Kind.Purpose() | hardened, 0 | hardened, a.ID.Child | hardened, uint32(b), index}
}

// CoinType is the second step of the path to the node's keys.
func (r *Ring) CoinType() Coin { return Coin(r.coinType) }
