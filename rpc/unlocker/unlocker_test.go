package unlocker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

type vault struct {
	password string
	opts     Options
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
