// Package unlocker is the service WalletUnlocker: how a wallet is made and opened.
//
// It owns the translation of requests and the brake on guessed passwords. It must
// never know how a seed is encrypted or where it lies; a Vault does that.
//
//	err := server.Provide(&lnrpc.WalletUnlocker_ServiceDesc, unlocker.New(vault))
package unlocker

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// Vault keeps the seed.
type Vault interface {
	// GenSeed makes a seed: 24 words, and the bytes that they stand for.
	GenSeed(passphrase, entropy []byte) (words []string, enciphered []byte, err error)
	// Init makes the wallet of a seed and opens it. It returns the admin macaroon.
	Init(password []byte, words []string, passphrase []byte, o Options) ([]byte, error)
	// Unlock opens the wallet and returns the admin macaroon.
	Unlock(password []byte, o Options) ([]byte, error)
	// ChangePassword replaces the password, opens the wallet and returns the admin macaroon.
	ChangePassword(old, password []byte, c Change) ([]byte, error)
}

// Options are how a wallet is opened.
type Options struct {
	Window    uint32 // how far ahead addresses are looked for in the past of the chain; 0: not at all
	Stateless bool   // no macaroon is left on the disk
	RootKey   []byte // 32 bytes for the default root key of macaroons; nil: random ones
	Backups   Backups
}

// Change is what changes with a password.
type Change struct {
	Stateless bool // no macaroon is left on the disk
	NewRoot   bool // another default root key: the macaroons of the old one are void
}

// Backups are static backups of channels to be asked back once the node runs, sealed:
// of several channels in one piece, of one each.
type Backups struct {
	Multi   []byte
	Singles [][]byte
}

// None: there is nothing to ask back.
func (b *Backups) None() bool { return b.Multi == nil && len(b.Singles) == 0 }

// Service is the service. Use New.
type Service struct {
	lnrpc.UnimplementedWalletUnlockerServer
	vault Vault

	// Who guesses from elsewhere does not keep the owner out who sits at the machine.
	here, elsewhere *brake
}

// brake makes those wait who try passwords.
type brake struct {
	guess  chan struct{} // holds one element while a password is tried
	waits  chan struct{} // holds one element for each that waits for it
	failed int           // guarded by guess, as is again
	again  time.Time
}

func newBrake() *brake {
	return &brake{guess: make(chan struct{}, 1), waits: make(chan struct{}, maxGuesses)}
}

// New makes the service of a vault.
func New(v Vault) *Service { return &Service{vault: v, here: newBrake(), elsewhere: newBrake()} }

// maxGuesses bounds how many callers may wait to have their password tried: none of them has shown a macaroon.
const maxGuesses = 8

// rootKeyLen is the length of a root key of macaroons.
const rootKeyLen = 32

// maxWindow bounds how many addresses a recovery looks ahead: each is derived for all
// accounts, and compared with every output of every block.
const maxWindow = 100_000

// GenSeed makes a seed and shows it. Nothing is stored.
func (s *Service) GenSeed(_ context.Context, req *lnrpc.GenSeedRequest) (*lnrpc.GenSeedResponse, error) {
	words, enciphered, err := s.vault.GenSeed(req.AezeedPassphrase, req.SeedEntropy)
	if err != nil {
		return nil, err
	}
	return &lnrpc.GenSeedResponse{CipherSeedMnemonic: words, EncipheredSeed: enciphered}, nil
}

// InitWallet makes the wallet from a seed and opens it.
func (s *Service) InitWallet(_ context.Context, req *lnrpc.InitWalletRequest) (*lnrpc.InitWalletResponse, error) {
	for _, not := range []struct {
		set  bool
		what string
	}{
		{req.ExtendedMasterKey != "", "extended_master_key: wallets are made from 24 words only"},
		{req.WatchOnly != nil, "watch_only: there are no watch-only wallets yet"},
		{len(req.MacaroonRootKey) > 0 && len(req.MacaroonRootKey) != rootKeyLen, "macaroon_root_key: must be 32 bytes"},
	} {
		if not.set {
			return nil, status.Error(codes.InvalidArgument, not.what)
		}
	}
	o, err := options(req)
	if err != nil {
		return nil, err
	}
	if len(req.MacaroonRootKey) > 0 {
		o.RootKey = req.MacaroonRootKey
	}
	admin, err := s.vault.Init(req.WalletPassword, req.CipherSeedMnemonic, req.AezeedPassphrase, o)
	if err != nil {
		return nil, err
	}
	return &lnrpc.InitWalletResponse{AdminMacaroon: admin}, nil
}

// UnlockWallet opens the wallet. After a wrong password the next try has to wait,
// longer each time.
func (s *Service) UnlockWallet(ctx context.Context, req *lnrpc.UnlockWalletRequest) (*lnrpc.UnlockWalletResponse, error) {
	o, err := options(req)
	if err != nil {
		return nil, err
	}
	_, err = s.try(ctx, func() ([]byte, error) { return s.vault.Unlock(req.WalletPassword, o) })
	if err != nil {
		return nil, err
	}
	return &lnrpc.UnlockWalletResponse{}, nil
}

// ChangePassword replaces the password and opens the wallet. Wrong passwords are braked as with UnlockWallet.
func (s *Service) ChangePassword(ctx context.Context, req *lnrpc.ChangePasswordRequest) (*lnrpc.ChangePasswordResponse, error) {
	admin, err := s.try(ctx, func() ([]byte, error) {
		return s.vault.ChangePassword(req.CurrentPassword, req.NewPassword, Change{Stateless: req.StatelessInit, NewRoot: req.NewMacaroonRootKey})
	})
	if err != nil {
		return nil, err
	}
	return &lnrpc.ChangePasswordResponse{AdminMacaroon: admin}, nil
}

// try tries a password when the caller's brake lets it.
func (s *Service) try(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	if macaroons.ClientFrom(ctx).IsLoopback() {
		return s.here.try(ctx, f)
	}
	return s.elsewhere.try(ctx, f)
}

// try tries a password when its turn has come: one at a time, and after each failure a while later, 1, 2, 4 .. 32
// seconds. A restart forgets the failures.
func (b *brake) try(ctx context.Context, f func() ([]byte, error)) ([]byte, error) {
	select {
	case b.waits <- struct{}{}:
		defer func() { <-b.waits }()
	default:
		return nil, status.Errorf(codes.ResourceExhausted, "too many passwords are being tried: at most %d", maxGuesses)
	}
	select {
	case b.guess <- struct{}{}:
		defer func() { <-b.guess }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if wait := time.Until(b.again); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	admin, err := f()
	if err != nil {
		b.again = time.Now().Add(time.Second << min(b.failed, 5))
		b.failed++
		return nil, err
	}
	b.failed = 0
	return admin, nil
}

var errWindow = mistake.Argument("recovery_window must be between 0 and 100000")

// options reads what both requests have.
func options(req interface {
	GetRecoveryWindow() int32
	GetStatelessInit() bool
	GetChannelBackups() *lnrpc.ChanBackupSnapshot
}) (o Options, err error) {
	w := req.GetRecoveryWindow()
	if w < 0 || w > maxWindow {
		return o, errWindow
	}
	o.Window, o.Stateless = uint32(w), req.GetStatelessInit()
	set := req.GetChannelBackups()
	o.Backups.Multi = set.GetMultiChanBackup().GetMultiChanBackup()
	for _, one := range set.GetSingleChanBackups().GetChanBackups() {
		o.Backups.Singles = append(o.Backups.Singles, one.GetChanBackup())
	}
	return o, nil
}
