package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// minPassword is the shortest password of a wallet, as lnd asks for.
const minPassword = 8

// vault keeps the sealed seed and opens it once, for the node that waits.
type vault struct {
	db     *channeldb.DB
	store  *macaroons.Store
	bakery *macaroons.Bakery
	files  []macaroons.File
	now    func() time.Time

	mu     sync.Mutex
	done   bool
	opened chan unsealed // gets one value
}

// unsealed is what a start needs once the password was right.
type unsealed struct {
	seed   keys.Seed
	window uint32 // recovery window; 0: the wallet is not looked for in the past
}

var (
	errShortPassword = errors.New("password must have at least 8 characters")
	errNoWallet      = errors.New("wallet not found")
	errHasWallet     = errors.New("wallet already exists")
	errOpened        = errors.New("wallet already unlocked")
)

func newVault(db *channeldb.DB, store *macaroons.Store, bakery *macaroons.Bakery, files []macaroons.File) *vault {
	return &vault{db: db, store: store, bakery: bakery, files: files, now: time.Now, opened: make(chan unsealed, 1)}
}

// Exists reports whether there is a wallet to unlock.
func (v *vault) Exists() (bool, error) {
	sealed, err := v.db.Seal()
	return sealed != nil, err
}

// GenSeed makes a new seed: its 24 words, encrypted under the passphrase (which may be
// empty), and the same as bytes. Nothing is stored. entropy may be nil.
func (v *vault) GenSeed(passphrase, entropy []byte) (words []string, enciphered []byte, err error) {
	var e [keys.SeedEntropySize]byte
	switch len(entropy) {
	case 0:
		rand.Read(e[:])
	case len(e):
		copy(e[:], entropy)
	default:
		return nil, nil, fmt.Errorf("incorrect entropy length: expected %d bytes, instead got %d bytes", len(e), len(entropy))
	}
	seed, err := keys.NewSeed(e, v.now())
	if err != nil {
		return nil, nil, err
	}
	var salt [keys.SeedSaltSize]byte
	rand.Read(salt[:])
	w, err := seed.Encode(passphrase, salt)
	if err != nil {
		return nil, nil, err
	}
	enciphered, err = w.Bytes()
	return w[:], enciphered, err
}

// Init makes the wallet from a seed's words and opens it. With a window, coins of
// the seed are looked for in the chain. When stateless, no macaroon file is written
// and the admin macaroon is only returned.
func (v *vault) Init(password []byte, words []string, passphrase []byte, window uint32, stateless bool) ([]byte, error) {
	if len(password) < minPassword {
		return nil, errShortPassword
	}
	w, err := keys.ParseWords(strings.Join(words, " "))
	if err != nil {
		return nil, err
	}
	seed, err := w.Decode(passphrase)
	if err != nil {
		return nil, err
	}
	return v.create(password, keys.DefaultCost, unsealed{seed, window}, stateless)
}

// create seals a seed, durably, before anybody gets to use it.
func (v *vault) create(password []byte, cost keys.Cost, u unsealed, stateless bool) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	exists, err := v.Exists()
	switch {
	case err != nil:
		return nil, err
	case exists:
		return nil, errHasWallet
	}
	var salt [keys.SealSaltSize]byte
	var nonce [keys.SealNonceSize]byte
	rand.Read(salt[:])
	rand.Read(nonce[:])
	sealed, err := keys.Seal(cost, password, u.seed, salt, nonce)
	if err != nil {
		return nil, err
	}
	if err := v.store.Unlock(macaroonPassword(password)); err != nil {
		return nil, err
	}
	if _, err := v.db.Write(channeldb.Batch{Seal: sealed}); err != nil {
		return nil, fmt.Errorf("store the sealed seed: %w", err)
	}
	return v.open(u, stateless)
}

// Unlock opens the wallet that is there.
func (v *vault) Unlock(password []byte, window uint32, stateless bool) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	sealed, err := v.db.Seal()
	switch {
	case err != nil:
		return nil, err
	case sealed == nil:
		return nil, errNoWallet
	case v.done:
		return nil, errOpened
	}
	seed, err := keys.Open(password, sealed)
	if err != nil {
		return nil, err
	}
	if err := v.store.Unlock(macaroonPassword(password)); err != nil {
		return nil, err
	}
	return v.open(unsealed{seed, window}, stateless)
}

// open lets the node go on. The caller holds the lock.
func (v *vault) open(u unsealed, stateless bool) ([]byte, error) {
	admin, err := v.bakery.Bake(macaroons.DefaultKey, macaroons.Admin)
	if err != nil {
		return nil, err
	}
	if !stateless {
		if err := v.bakery.WriteMissing(v.files); err != nil {
			return nil, err
		}
	}
	v.done = true
	v.opened <- u
	return admin, nil
}

// noSeedBackup opens the wallet under a password that everybody knows, making it if
// there is none: for tests, where nobody keeps the words.
func (v *vault) noSeedBackup() error {
	exists, err := v.Exists()
	if err != nil {
		return err
	}
	if exists {
		_, err = v.Unlock(openPassword, 0, false)
		return err
	}
	var e [keys.SeedEntropySize]byte
	rand.Read(e[:])
	seed, err := keys.NewSeed(e, v.now())
	if err != nil {
		return err
	}
	_, err = v.create(openPassword, cheapest, unsealed{seed: seed}, false)
	return err
}

// openPassword is the password of wallets made with --noseedbackup.
var openPassword = []byte("noseedbackup")

// cheapest is what sealing under a known password may cost.
var cheapest = keys.Cost{Passes: 1, Memory: 8, Lanes: 1}

// macaroonPassword is that of the store of the macaroons' root keys. Under the open
// password they lie open, too.
func macaroonPassword(password []byte) []byte {
	if string(password) == string(openPassword) {
		return nil
	}
	return password
}
