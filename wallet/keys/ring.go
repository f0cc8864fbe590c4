package keys

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
)

// KeyLoc names a key of the node: family and index in m/1017'/coin'/family'/0/index.
type KeyLoc = commitment.KeyLoc

// The families of keys. The numbers are lnd's and never change.
const (
	FamilyMultiSig       uint32 = 0 // funding keys
	FamilyRevocationBase uint32 = 1 // revocation_basepoint
	FamilyHTLCBase       uint32 = 2 // htlc_basepoint
	FamilyPaymentBase    uint32 = 3 // payment_basepoint
	FamilyDelayBase      uint32 = 4 // delayed_payment_basepoint
	FamilyRevocationRoot uint32 = 5 // roots of per-commitment secrets
	FamilyNode           uint32 = 6 // index 0 is the node id
	FamilyBackup         uint32 = 7 // index 0 encrypts static backups
	FamilyTowerSession   uint32 = 8
	FamilyTowerID        uint32 = 9

	numFamilies = 10

	// SharedRoot is set on the family of a root of per-commitment secrets that is made as
	// lnd makes it, so that lnd can speak for a channel of which it has only a backup. It
	// is no part of the path. Channels from before go without.
	SharedRoot uint32 = 1 << 31
)

// Coin is the coin type in the path of node and channel keys.
type Coin uint32

// The two coin types there are: test networks all share one.
const (
	CoinMainnet Coin = 0
	CoinTest    Coin = 1
)

// purpose is the first step of the path to every key that is not the wallet's.
const purpose = 1017

// Ring holds the parents of all keys of a node. What it gives never changes, so
// that any number of goroutines may derive and sign with it.
type Ring struct {
	coin     xprv                     // m/1017'/coin'
	families [numFamilies]branch      // m/1017'/coin'/family'/0
	accounts [numAccounts]accountKeys // m/purpose'/0'/0'
	wallet   [numAccounts]xprv        // m/purpose'/0'
	coinType uint32
	node     *Key
	roots    sync.Map // KeyLoc: lnwire.Secret, those that were asked for
}

// NewRing derives the parents from a BIP32 seed of 16 to 64 bytes: an aezeed's
// entropy. It costs about two milliseconds.
func NewRing(seed []byte, coin Coin) (*Ring, error) {
	root, err := master(seed)
	if err != nil {
		return nil, err
	}
	r := &Ring{coinType: uint32(coin)}
	if r.coin, err = coinKey(root, purpose, uint32(coin)); err != nil {
		return nil, fmt.Errorf("derive m/1017'/%d': %w", coin, err)
	}
	for f := range r.families {
		if r.families[f], err = r.family(uint32(f)); err != nil {
			return nil, fmt.Errorf("derive family %d: %w", f, err)
		}
	}
	for kind := range r.accounts {
		if r.wallet[kind], err = coinKey(root, AccountKind(kind).Purpose(), 0); err != nil {
			return nil, fmt.Errorf("derive account %v: %w", AccountKind(kind), err)
		}
		if r.accounts[kind], err = newAccountKeys(r.wallet[kind], 0); err != nil {
			return nil, fmt.Errorf("derive account %v: %w", AccountKind(kind), err)
		}
	}
	if r.node, err = r.Key(KeyLoc{Family: FamilyNode}); err != nil {
		return nil, fmt.Errorf("derive node key: %w", err)
	}
	return r, nil
}

// coinKey is m/purpose'/coin'. Of the two steps only the second starts from a key
// that lnd's wallet holds in memory (see hardTrimmed).
func coinKey(root xprv, purpose, coin uint32) (xprv, error) {
	p, err := root.hard(purpose)
	if err != nil {
		return xprv{}, err
	}
	return p.hardTrimmed(coin)
}

// accountKey is the account below a coin key. lnd's wallet derives account 0 while
// it holds the coin key in memory, the others after reading it back padded.
func accountKey(coin xprv, account uint32) (xprv, error) {
	if account == 0 {
		return coin.hardTrimmed(0)
	}
	return coin.hard(account)
}

// family is m/1017'/coin'/family'/0.
func (r *Ring) family(f uint32) (branch, error) {
	account, err := accountKey(r.coin, f)
	if err != nil {
		return branch{}, err
	}
	parent := account.withPub()
	external, err := parent.child(0)
	if err != nil {
		return branch{}, err
	}
	return external.withPub(), nil
}

// derive gives the private key at loc. Families above 9 work too, only slower.
func (r *Ring) derive(loc KeyLoc) (k btcec.ModNScalar, err error) {
	if loc.Family >= hardened || loc.Index >= hardened {
		return k, mistake.Argument("key %d/%d: family and index must be below 2^31", loc.Family, loc.Index)
	}
	var parent branch
	if loc.Family < numFamilies {
		parent = r.families[loc.Family]
	} else if parent, err = r.family(loc.Family); err != nil {
		return k, fmt.Errorf("key %d/%d: %w", loc.Family, loc.Index, err)
	}
	child, err := parent.child(loc.Index)
	if err != nil {
		return k, fmt.Errorf("key %d/%d: %w", loc.Family, loc.Index, err)
	}
	return child.key, nil
}

// PubKey is the public key at loc. The error names a place that has no key.
func (r *Ring) PubKey(loc KeyLoc) (lnwire.PubKey, error) {
	k, err := r.derive(loc)
	if err != nil {
		return lnwire.PubKey{}, err
	}
	return lnwire.NewPubKey(btcec.PrivKeyFromScalar(&k).PubKey()), nil
}

// ChannelLocs are the places of a channel's keys when all of them take one index.
func ChannelLocs(index uint32) commitment.KeyLocs {
	return commitment.KeyLocs{
		Funding:    KeyLoc{Family: FamilyMultiSig, Index: index},
		Revocation: KeyLoc{Family: FamilyRevocationBase, Index: index},
		Payment:    KeyLoc{Family: FamilyPaymentBase, Index: index},
		Delayed:    KeyLoc{Family: FamilyDelayBase, Index: index},
		HTLC:       KeyLoc{Family: FamilyHTLCBase, Index: index},
		Root:       KeyLoc{Family: FamilyRevocationRoot | SharedRoot, Index: index},
	}
}

// Basepoints are the public keys that we tell the peer for a channel.
func (r *Ring) Basepoints(locs commitment.KeyLocs) (b commitment.Basepoints, err error) {
	for _, p := range []struct {
		to  *lnwire.PubKey
		loc KeyLoc
	}{
		{&b.Funding, locs.Funding},
		{&b.Revocation, locs.Revocation},
		{&b.Payment, locs.Payment},
		{&b.Delayed, locs.Delayed},
		{&b.HTLC, locs.HTLC},
	} {
		if *p.to, err = r.PubKey(p.loc); err != nil {
			return commitment.Basepoints{}, fmt.Errorf("derive basepoints: %w", err)
		}
	}
	return b, nil
}

// BackupKey encrypts static channel backups: as in lnd, the SHA256 of the
// compressed public key 7/0.
func (r *Ring) BackupKey() (lnwire.Secret, error) {
	pub, err := r.PubKey(KeyLoc{Family: FamilyBackup})
	if err != nil {
		return lnwire.Secret{}, err
	}
	return sha256.Sum256(pub[:]), nil
}
