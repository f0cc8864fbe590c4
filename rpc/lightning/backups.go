package lightning

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Backups are the static backups of channels.
type Backups interface {
	ExportBackup(wire.OutPoint) (node.SealedBackup, error)
	ExportBackups() (node.BackupSet, error)
	CheckBackup(sealed []byte, single bool) ([]wire.OutPoint, error)
	RestoreBackup(ctx context.Context, multi []byte, singles [][]byte) (int, error)
	BackupEvents() *node.Subscription[struct{}]
}

// ExportChannelBackup gives the backup of one channel.
func (s *Service) ExportChannelBackup(_ context.Context, req *lnrpc.ExportChannelBackupRequest) (*lnrpc.ChannelBackup, error) {
	funding, err := translate.ChannelPoint("chan_point", req.ChanPoint)
	if err != nil {
		return nil, err
	}
	b, err := s.node.ExportBackup(funding)
	if err != nil {
		return nil, err
	}
	return &lnrpc.ChannelBackup{ChanPoint: req.ChanPoint, ChanBackup: b.Sealed}, nil
}

// ExportAllChannelBackups gives the backups of all channels.
func (s *Service) ExportAllChannelBackups(context.Context, *lnrpc.ChanBackupExportRequest) (*lnrpc.ChanBackupSnapshot, error) {
	set, err := s.node.ExportBackups()
	if err != nil {
		return nil, fmt.Errorf("unable to fetch all static chan backups: %w", err)
	}
	out := &lnrpc.ChanBackupSnapshot{
		SingleChanBackups: &lnrpc.ChannelBackups{}, MultiChanBackup: &lnrpc.MultiChanBackup{MultiChanBackup: set.Multi},
	}
	for _, b := range set.Singles {
		point := translate.Point(b.Funding)
		out.SingleChanBackups.ChanBackups = append(out.SingleChanBackups.ChanBackups, &lnrpc.ChannelBackup{ChanPoint: point, ChanBackup: b.Sealed})
		out.MultiChanBackup.ChanPoints = append(out.MultiChanBackup.ChanPoints, point)
	}
	return out, nil
}

// VerifyChanBackup tells which channels are in a backup.
func (s *Service) VerifyChanBackup(_ context.Context, req *lnrpc.ChanBackupSnapshot) (*lnrpc.VerifyChanBackupResponse, error) {
	var list []wire.OutPoint
	var err error
	switch {
	case req.SingleChanBackups == nil && req.MultiChanBackup == nil:
		return nil, translate.Mistake("either a Single or Multi channel backup must be specified")
	case req.SingleChanBackups != nil && req.MultiChanBackup != nil:
		return nil, translate.Mistake("either a Single or Multi channel backup must be specified, but not both")
	case req.MultiChanBackup != nil:
		if list, err = s.node.CheckBackup(req.MultiChanBackup.MultiChanBackup, false); err != nil {
			return nil, translate.Mistake("invalid multi channel backup: %w", err)
		}
	case len(req.SingleChanBackups.ChanBackups) != 1:
		return nil, translate.Mistake("only one Single is accepted at a time")
	default:
		if list, err = s.node.CheckBackup(req.SingleChanBackups.ChanBackups[0].GetChanBackup(), true); err != nil {
			return nil, translate.Mistake("invalid single channel backup: %w", err)
		}
	}
	out := &lnrpc.VerifyChanBackupResponse{}
	for _, op := range list {
		out.ChanPoints = append(out.ChanPoints, op.String())
	}
	return out, nil
}

// RestoreChannelBackups asks channels back of which only a backup is left.
func (s *Service) RestoreChannelBackups(ctx context.Context, req *lnrpc.RestoreChanBackupRequest) (*lnrpc.RestoreBackupResponse, error) {
	what, multi, singles := "chan backup", []byte(nil), [][]byte(nil)
	switch b := req.Backup.(type) {
	case *lnrpc.RestoreChanBackupRequest_MultiChanBackup:
		multi = append([]byte{}, b.MultiChanBackup...)
	case *lnrpc.RestoreChanBackupRequest_ChanBackups:
		what = "single backups"
		for _, one := range b.ChanBackups.GetChanBackups() {
			singles = append(singles, one.GetChanBackup())
		}
	}
	n, err := s.node.RestoreBackup(ctx, multi, singles)
	if err != nil && n > 0 {
		return nil, fmt.Errorf("%d channels are restored, others are not: %w", n, err)
	}
	if err != nil {
		return nil, translate.Mistake("unable to unpack %s: %w", what, err)
	}
	return &lnrpc.RestoreBackupResponse{NumRestored: uint32(n)}, nil
}

// SubscribeChannelBackups gives the backups of all channels whenever they change.
func (s *Service) SubscribeChannelBackups(_ *lnrpc.ChannelBackupSubscription, out lnrpc.Lightning_SubscribeChannelBackupsServer) error {
	return translate.Follow(out.Context(), s.node.BackupEvents(), func(struct{}) error {
		snapshot, err := s.ExportAllChannelBackups(out.Context(), nil)
		if err != nil {
			return err
		}
		return out.Send(snapshot)
	})
}
