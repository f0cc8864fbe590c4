package unlocker

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

type vault struct {
	password string
	opts     Options
	change   Change
}

func (v *vault) GenSeed(passphrase, entropy []byte) ([]string, []byte, error) {
	return []string{"abandon"}, []byte{1}, nil
}

func (v *vault) Init(password []byte, words []string, passphrase []byte, o Options) ([]byte, error) {
	v.opts = o
	v.password = string(password)
	return []byte("admin"), nil
}

func (v *vault) Unlock(password []byte, o Options) ([]byte, error) {
	v.opts = o
	if string(password) != v.password {
		return nil, errors.New("invalid passphrase for master public key")
	}
	return nil, nil
}

func (v *vault) ChangePassword(old, password []byte, c Change) ([]byte, error) {
	if _, err := v.Unlock(old, Options{Stateless: c.Stateless}); err != nil {
		return nil, err
	}
	v.password, v.change = string(password), c
	return []byte("admin"), nil
}

func TestTranslation(t *testing.T) {
	v := &vault{}
	s, ctx := New(v), context.Background()
	seed, err := s.GenSeed(ctx, &lnrpc.GenSeedRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"abandon"}, seed.CipherSeedMnemonic)
	res, err := s.InitWallet(ctx, &lnrpc.InitWalletRequest{
		WalletPassword: []byte("password"), RecoveryWindow: 5, StatelessInit: true,
		ChannelBackups: &lnrpc.ChanBackupSnapshot{
			MultiChanBackup:   &lnrpc.MultiChanBackup{MultiChanBackup: []byte{1}},
			SingleChanBackups: &lnrpc.ChannelBackups{ChanBackups: []*lnrpc.ChannelBackup{{ChanBackup: []byte{2}}}},
		},
	})
	require.NoError(t, err)
	require.Equal(t, Options{Window: 5, Stateless: true, Backups: Backups{Multi: []byte{1}, Singles: [][]byte{{2}}}}, v.opts)
	_, err = s.UnlockWallet(ctx, &lnrpc.UnlockWalletRequest{WalletPassword: []byte("password")})
	require.NoError(t, err)
	require.Equal(t, Options{}, v.opts)
	require.Equal(t, []byte("admin"), res.AdminMacaroon)
	for _, req := range []*lnrpc.InitWalletRequest{
		{ExtendedMasterKey: "x"}, {WatchOnly: &lnrpc.WatchOnly{}}, {MacaroonRootKey: []byte{1}},
		{RecoveryWindow: -1}, {RecoveryWindow: maxWindow + 1},
	} {
		_, err := s.InitWallet(ctx, req)
		require.Error(t, err)
	}
}

func TestWrongPasswordsAreBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := New(&vault{password: "right"}), context.Background()
		start := time.Now()
		for range 3 {
			_, err := s.UnlockWallet(ctx, &lnrpc.UnlockWalletRequest{WalletPassword: []byte("wrong")})
			require.ErrorContains(t, err, "invalid passphrase for master public key")
		}
		require.Equal(t, 3*time.Second, time.Since(start))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := s.UnlockWallet(short, &lnrpc.UnlockWalletRequest{WalletPassword: []byte("right")})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = s.UnlockWallet(ctx, &lnrpc.UnlockWalletRequest{WalletPassword: []byte("right")})
		require.NoError(t, err)
	})
}

// TestChangePassword: the old password is braked like any other that is tried.
func TestChangePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vault{password: "right"}
		s, ctx := New(v), context.Background()
		start := time.Now()
		for range 2 {
			_, err := s.ChangePassword(ctx, &lnrpc.ChangePasswordRequest{CurrentPassword: []byte("wrong"), NewPassword: []byte("another")})
			require.ErrorContains(t, err, "invalid passphrase for master public key")
		}
		got, err := s.ChangePassword(ctx, &lnrpc.ChangePasswordRequest{
			CurrentPassword: []byte("right"), NewPassword: []byte("another"), StatelessInit: true, NewMacaroonRootKey: true,
		})
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, []byte("admin"), got.AdminMacaroon)
		require.Equal(t, "another", v.password)
		require.Equal(t, Change{Stateless: true, NewRoot: true}, v.change)
	})
}

// TestGuessesWaitForEachOther: many who guess at once are no faster than one, and no more than a few may wait.
func TestGuessesWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := New(&vault{password: "right"}), context.Background()
		wrong := &lnrpc.UnlockWalletRequest{WalletPassword: []byte("wrong")}
		start := time.Now()
		_, err := s.UnlockWallet(ctx, wrong)
		require.Error(t, err)
		var wg sync.WaitGroup
		var full atomic.Int32
		for range maxGuesses + 3 {
			wg.Go(func() {
				if _, err := s.UnlockWallet(ctx, wrong); status.Code(err) == codes.ResourceExhausted {
					full.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, full.Load())
		require.Equal(t, (1+2+4+8+16+32+32+32)*time.Second, time.Since(start))
	})
}

// TestStrangersDoNotKeepTheOwnerOut: however many guess from elsewhere, who sits at the machine is let in at once.
func TestStrangersDoNotKeepTheOwnerOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(&vault{password: "right"})
		far, stop := context.WithCancel(macaroons.WithClient(t.Context(), netip.MustParseAddr("192.0.2.1")))
		wrong := &lnrpc.UnlockWalletRequest{WalletPassword: []byte("wrong")}
		_, err := s.UnlockWallet(far, wrong) // from now on all have to wait
		require.Error(t, err)
		var wg sync.WaitGroup
		for range maxGuesses + 3 {
			wg.Go(func() { _, _ = s.UnlockWallet(far, wrong) })
		}
		synctest.Wait()
		right := &lnrpc.UnlockWalletRequest{WalletPassword: []byte("right")}
		_, err = s.UnlockWallet(far, right)
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
		start := time.Now()
		_, err = s.UnlockWallet(macaroons.WithClient(t.Context(), netip.MustParseAddr("127.0.0.1")), right)
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
		stop()
		wg.Wait()
	})
}

func TestRootKeyOfTheCaller(t *testing.T) {
	v := &vault{}
	_, err := New(v).InitWallet(t.Context(), &lnrpc.InitWalletRequest{MacaroonRootKey: make([]byte, 32)})
	require.NoError(t, err)
	require.Len(t, v.opts.RootKey, 32)
}
