package main

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/unlocker"
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
	coin   keys.Coin
	now    func() time.Time
	cost   keys.Cost // of trying a password

	mu     sync.Mutex
	made   map[[sha256.Size]byte]bool // digests of the words that GenSeed gave out
	done   bool
	opened chan unsealed // gets one value
}

// unsealed is what a start needs once the password was right.
type unsealed struct {
	seed    keys.Seed
	window  uint32           // recovery window; 0: the wallet is not looked for in the past
	backups unlocker.Backups // channels to ask back
}

var (
	errShortPassword = errors.New("password must have at least 8 characters")
	errNoWallet      = errors.New("wallet not found")
	errHasWallet     = errors.New("wallet already exists")
	errOpened        = errors.New("wallet already unlocked")
)

func newVault(db *channeldb.DB, store *macaroons.Store, bakery *macaroons.Bakery, files []macaroons.File, coin keys.Coin) *vault {
	return &vault{
		db: db, store: store, bakery: bakery, files: files, coin: coin, now: time.Now, cost: keys.DefaultCost, opened: make(chan unsealed, 1),
		made: map[[sha256.Size]byte]bool{},
	}
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
	if len(entropy) == 0 { // otherwise it may have been used before
		v.mu.Lock()
		v.made[digest(w)] = true
		v.mu.Unlock()
	}
	return w[:], enciphered, err
}

// Init makes the wallet from a seed's words and opens it. With a window, coins of
// the seed are looked for in the chain. When stateless, no macaroon file is written
// and the admin macaroon is only returned. Backups must be of the seed.
func (v *vault) Init(password []byte, words []string, passphrase []byte, o unlocker.Options) ([]byte, error) {
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
	if err := v.checkBackups(seed, &o.Backups); err != nil {
		return nil, err
	}
	v.mu.Lock()
	fresh := v.made[digest(w)]
	v.mu.Unlock()
	if exists, err := v.Exists(); err != nil || exists {
		return nil, cmp.Or(err, errHasWallet) // and its channels keep their numbers
	}
	if !fresh {
		if err := v.db.SkipChanNums(formerChannels(v.now())); err != nil {
			return nil, err
		}
	}
	return v.create(password, v.cost, unsealed{seed, o.Window, o.Backups}, o)
}

// digest tells words apart without keeping them.
func digest(w keys.Words) [sha256.Size]byte { return sha256.Sum256([]byte(strings.Join(w[:], " "))) }

// formerChannels is a number above those of all channels that a seed had before now. The
// keys of a channel follow from its number, and its peer knows secrets of them: a number
// that is given twice would give away the money of the second. Nobody opens more than a
// channel a minute all the time, so minutes are ahead of whatever began at them earlier.
func formerChannels(now time.Time) uint64 {
	return uint64(now.Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Minute)
}

// checkBackups: all of it can be read with the seed.
func (v *vault) checkBackups(seed keys.Seed, b *unlocker.Backups) error {
	if b.None() {
		return nil
	}
	ring, err := keys.NewRing(seed.Entropy[:], v.coin)
	if err != nil {
		return err
	}
	base, err := ring.PubKey(keys.KeyLoc{Family: keys.FamilyBackup})
	if err != nil {
		return err
	}
	for _, sealed := range append(slices.Clone(b.Singles), b.Multi) {
		if sealed == nil {
			continue
		}
		if _, err := backup.Open(backup.NewKey(base), sealed); err != nil {
			return fmt.Errorf("channel_backups: %w", err)
		}
	}
	return nil
}

// create seals a seed, durably, before anybody gets to use it.
func (v *vault) create(password []byte, cost keys.Cost, u unsealed, o unlocker.Options) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	exists, err := v.Exists()
	switch {
	case err != nil:
		return nil, err
	case exists:
		return nil, errHasWallet
	}
	sealed, err := sealSeed(cost, password, u.seed)
	if err != nil {
		return nil, err
	}
	if err := v.newTokens(password, o.RootKey); err != nil {
		return nil, err
	}
	if _, err := v.db.Write(channeldb.Batch{Seal: sealed}); err != nil {
		return nil, fmt.Errorf("store the sealed seed: %w", err)
	}
	return v.open(u, o.Stateless)
}

// newTokens opens the store of the macaroons' root keys for a wallet that is being made. One that opens under another
// password is of a wallet that is gone, or never came to be: its macaroons are void.
func (v *vault) newTokens(password, rootKey []byte) error {
	err := v.store.Unlock(macaroonPassword(password))
	if errors.Is(err, macaroons.ErrPassword) {
		if err = v.store.Reset(); err == nil {
			err = v.forgetFiles()
		}
		if err == nil {
			err = v.store.Unlock(macaroonPassword(password))
		}
	}
	if err == nil && rootKey != nil {
		err = v.store.SetKey(macaroons.DefaultKey, rootKey)
	}
	return err
}

// sealSeed encrypts a seed with fresh randomness.
func sealSeed(cost keys.Cost, password []byte, seed keys.Seed) ([]byte, error) {
	var salt [keys.SealSaltSize]byte
	var nonce [keys.SealNonceSize]byte
	rand.Read(salt[:])
	rand.Read(nonce[:])
	return keys.Seal(cost, password, seed, salt, nonce)
}

// Unlock opens the wallet that is there.
func (v *vault) Unlock(password []byte, o unlocker.Options) ([]byte, error) {
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
	if err := v.checkBackups(seed, &o.Backups); err != nil { // while nothing is open that the next try has to open
		return nil, err
	}
	if err := v.store.Unlock(macaroonPassword(password)); err != nil {
		return nil, err
	}
	return v.open(unsealed{seed, o.Window, o.Backups}, o.Stateless)
}

// ChangePassword seals the seed and the macaroons' root keys under another password and opens the wallet. The write of
// the sealed seed is the moment at which it changes; see macaroons.Store.Prepare for what a crash leaves.
func (v *vault) ChangePassword(old, password []byte, c unlocker.Change) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(old) == 0 {
		old = openPassword
	}
	sealed, err := v.db.Seal()
	switch {
	case err != nil:
		return nil, err
	case sealed == nil:
		return nil, errNoWallet
	case v.done:
		return nil, errOpened
	case len(password) < minPassword:
		return nil, errShortPassword
	}
	seed, err := keys.Open(old, sealed)
	if err != nil {
		return nil, err
	}
	if sealed, err = sealSeed(v.cost, password, seed); err != nil {
		return nil, err
	}
	if c.NewRoot && !c.Stateless {
		if _, err := os.Stat(v.files[0].Path); err != nil {
			return nil, fmt.Errorf("could not remove macaroon file: %w. if the wallet was initialized stateless please add the --stateless_init flag", err)
		}
	}
	if err := v.store.Prepare(macaroonPassword(old), macaroonPassword(password), c.NewRoot); err != nil {
		return nil, err
	}
	if c.NewRoot || c.Stateless { // before it is too late: a file that is there is never replaced
		if err := v.forgetFiles(); err != nil {
			return nil, err
		}
	}
	if _, err := v.db.Write(channeldb.Batch{Seal: sealed}); err != nil {
		return nil, fmt.Errorf("store the sealed seed: %w", err)
	}
	if err := v.store.Commit(); err != nil {
		return nil, err
	}
	if err := v.store.Unlock(macaroonPassword(password)); err != nil {
		return nil, err
	}
	return v.open(unsealed{seed: seed}, c.Stateless)
}

// forgetFiles removes the macaroons that lie on the disk.
func (v *vault) forgetFiles() error {
	for _, f := range v.files {
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("could not remove macaroon file: %w", err)
		}
	}
	return nil
}

// open lets the node go on. The caller holds the lock. If it fails, the next try finds all as it was.
func (v *vault) open(u unsealed, stateless bool) ([]byte, error) {
	admin, err := v.bakery.Bake(macaroons.DefaultKey, macaroons.Admin)
	if err == nil && !stateless {
		err = v.bakery.WriteMissing(v.files)
	}
	if err != nil {
		v.store.Lock()
		return nil, err
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
		_, err = v.Unlock(openPassword, unlocker.Options{})
		return err
	}
	var e [keys.SeedEntropySize]byte
	rand.Read(e[:])
	seed, err := keys.NewSeed(e, v.now())
	if err != nil {
		return err
	}
	_, err = v.create(openPassword, cheapest, unsealed{seed: seed}, unlocker.Options{})
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
