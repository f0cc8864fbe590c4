package lightning

import (
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// backupsFake is a node that takes "good" for a backup of one channel.
type backupsFake struct {
	fake
	restored int
	multi    []byte
	singles  [][]byte
}

var backedUp = wire.OutPoint{Index: 7}

func (f *backupsFake) ExportBackup(op wire.OutPoint) (node.SealedBackup, error) {
	if op != backedUp {
		return node.SealedBackup{}, node.ErrNoSuchChannel
	}
	return node.SealedBackup{Funding: op, Sealed: []byte("one")}, nil
}

func (f *backupsFake) ExportBackups() (node.BackupSet, error) {
	return node.BackupSet{Singles: []node.SealedBackup{{Funding: backedUp, Sealed: []byte("one")}}, Multi: []byte("all")}, nil
}

func (f *backupsFake) CheckBackup(sealed []byte, single bool) ([]wire.OutPoint, error) {
	if string(sealed) != "good" {
		return nil, errors.New("bad")
	}
	return []wire.OutPoint{backedUp}, nil
}

func (f *backupsFake) RestoreBackup(_ context.Context, multi []byte, singles [][]byte) (int, error) {
	f.multi, f.singles = multi, singles
	if string(multi) == "bad" {
		return f.restored, errors.New("bad")
	}
	return f.restored, nil
}

func TestBackups(t *testing.T) {
	f := &backupsFake{restored: 1}
	s, ctx := New(f, Config{}), t.Context()
	one, err := s.ExportChannelBackup(ctx, &lnrpc.ExportChannelBackupRequest{ChanPoint: translate.Point(backedUp)})
	require.NoError(t, err)
	require.Equal(t, "one", string(one.ChanBackup))
	_, err = s.ExportChannelBackup(ctx, &lnrpc.ExportChannelBackupRequest{ChanPoint: translate.Point(wire.OutPoint{})})
	require.EqualError(t, err, "channel not found")
	_, err = s.ExportChannelBackup(ctx, &lnrpc.ExportChannelBackupRequest{})
	require.Error(t, err)
	all, err := s.ExportAllChannelBackups(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, "all", string(all.MultiChanBackup.MultiChanBackup))
	require.Len(t, all.MultiChanBackup.ChanPoints, 1)
	require.Len(t, all.SingleChanBackups.ChanBackups, 1)

	multi := func(b string) *lnrpc.MultiChanBackup { return &lnrpc.MultiChanBackup{MultiChanBackup: []byte(b)} }
	singles := func(list ...string) *lnrpc.ChannelBackups {
		out := &lnrpc.ChannelBackups{}
		for _, b := range list {
			out.ChanBackups = append(out.ChanBackups, &lnrpc.ChannelBackup{ChanBackup: []byte(b)})
		}
		return out
	}
	for _, good := range []*lnrpc.ChanBackupSnapshot{{MultiChanBackup: multi("good")}, {SingleChanBackups: singles("good")}} {
		v, err := s.VerifyChanBackup(ctx, good)
		require.NoError(t, err)
		require.Equal(t, []string{backedUp.String()}, v.ChanPoints)
	}
	for want, bad := range map[string]*lnrpc.ChanBackupSnapshot{
		"either a Single or Multi channel backup must be specified":               {},
		"either a Single or Multi channel backup must be specified, but not both": {MultiChanBackup: multi("good"), SingleChanBackups: singles("good")},
		"only one Single is accepted at a time":                                   {SingleChanBackups: singles("good", "good")},
		"invalid multi channel backup: bad":                                       {MultiChanBackup: multi("")},
		"invalid single channel backup: bad":                                      {SingleChanBackups: singles("x")},
	} {
		_, err := s.VerifyChanBackup(ctx, bad)
		require.EqualError(t, err, want)
	}

	restore := func(b string) (*lnrpc.RestoreBackupResponse, error) {
		return s.RestoreChannelBackups(ctx, &lnrpc.RestoreChanBackupRequest{
			Backup: &lnrpc.RestoreChanBackupRequest_MultiChanBackup{MultiChanBackup: []byte(b)},
		})
	}
	r, err := restore("good")
	require.NoError(t, err)
	require.EqualValues(t, 1, r.NumRestored)
	_, err = restore("bad")
	require.EqualError(t, err, "1 channels are restored, others are not: bad")
	f.restored = 0
	_, err = restore("bad")
	require.EqualError(t, err, "unable to unpack chan backup: bad")
	_, err = restore("")
	require.NoError(t, err)
	require.NotNil(t, f.multi, "an empty backup is one, and none of ours")
	_, err = s.RestoreChannelBackups(ctx, &lnrpc.RestoreChanBackupRequest{Backup: &lnrpc.RestoreChanBackupRequest_ChanBackups{ChanBackups: singles("a", "b")}})
	require.NoError(t, err)
	require.Nil(t, f.multi)
	require.Equal(t, [][]byte{[]byte("a"), []byte("b")}, f.singles)
}
