package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// SealedBackup is the static backup of one channel, in lnd's form.
type SealedBackup struct {
	Funding wire.OutPoint
	Sealed  []byte
}

// BackupSet is the static backup of all channels: one by one, and in one piece.
type BackupSet struct {
	Singles []SealedBackup
	Multi   []byte
}

// ErrNoSuchChannel is the cause when a channel is asked for that the node does not have.
var ErrNoSuchChannel = errors.New("channel not found")

// ExportBackup is the backup of one channel.
func (n *Node) ExportBackup(funding wire.OutPoint) (SealedBackup, error) {
	list, err := n.backups.list()
	if err != nil {
		return SealedBackup{}, err
	}
	i := slices.IndexFunc(list, func(s backup.Single) bool { return s.Funding == funding })
	if i < 0 {
		return SealedBackup{}, ErrNoSuchChannel
	}
	return n.backups.single(&list[i])
}

// ExportBackups is the backup of all channels.
func (n *Node) ExportBackups() (set BackupSet, err error) {
	list, err := n.backups.list()
	if err != nil {
		return set, err
	}
	for i := range list {
		s, err := n.backups.single(&list[i])
		if err != nil {
			return set, err
		}
		set.Singles = append(set.Singles, s)
	}
	set.Multi, err = n.backups.sealed(list, 0)
	return set, err
}

// BackupEvents tells that there is a new backup: ExportBackups gives it.
func (n *Node) BackupEvents() *Subscription[struct{}] { return n.Backups.Subscribe() }

func (b *backups) single(s *backup.Single) (SealedBackup, error) {
	plain, err := backup.PlainSingle(s)
	if err != nil {
		return SealedBackup{}, err
	}
	return SealedBackup{Funding: s.Funding, Sealed: b.seal(plain)}, nil
}

// openSingle reads the sealed backup of one channel.
func (b *backups) openSingle(sealed []byte) (backup.Single, error) {
	plain, err := backup.Open(b.key, sealed)
	if err != nil {
		return backup.Single{}, err
	}
	return backup.ParseSingle(plain)
}

// CheckBackup tells which channels are in a backup of all, or of one when single is set.
// The error says that it is none of this node's.
func (n *Node) CheckBackup(sealed []byte, single bool) ([]wire.OutPoint, error) {
	if single {
		s, err := n.backups.openSingle(sealed)
		return []wire.OutPoint{s.Funding}, err
	}
	list, err := n.backups.open(sealed)
	var out []wire.OutPoint
	for _, s := range list {
		out = append(out, s.Funding)
	}
	return out, err
}

// RestoreBackup asks the channels of a backup back: of multi, or else of the singles. It
// tells how many the node did not know yet. They are durable when it returns; their peers
// are dialled, and close them.
func (n *Node) RestoreBackup(ctx context.Context, multi []byte, singles [][]byte) (int, error) {
	var list []backup.Single
	var err error
	if multi != nil {
		if list, err = n.backups.open(multi); err != nil {
			return 0, err
		}
	}
	for _, sealed := range singles {
		s, err := n.backups.openSingle(sealed)
		if err != nil {
			return 0, err
		}
		list = append(list, s)
	}
	return n.restore(ctx, list)
}

// restore makes a shell of every channel of the list that the node does not know. One
// that cannot be restored stops none of the others.
func (n *Node) restore(ctx context.Context, list []backup.Single) (count int, err error) {
	n.backups.restoring.Lock()
	defer n.backups.restoring.Unlock()
	for i := range list {
		s := &list[i]
		if n.backups.knows(s) || !n.supplant(ctx, s) {
			continue
		}
		if failed := n.restoreOne(ctx, s); failed != nil {
			err = errors.Join(err, fmt.Errorf("restore channel %v: %w", s.Funding, failed))
			continue
		}
		count++
	}
	if count > 0 {
		n.backups.changed()
	}
	return count, err
}

// supplant makes room for a channel of a backup; false: the channel is there, or another
// has the better claim to its funding output.
func (n *Node) supplant(ctx context.Context, s *backup.Single) bool {
	e := n.channels.funding(s.Funding)
	if e == nil {
		return true
	}
	info, err := n.look(ctx, e)
	if err != nil || info.Terms.Peer == s.Peer && info.Terms.Keys.Funding.Index == s.Keys.Funding.Index {
		return false
	}
	n.logs.backups.Warn("a channel names the funding output of one that was lost", "channel", s.Funding, "lost with", s.Peer, "named by", e.peer)
	e.runner.Inbox.Put(turn.Item{Event: channel.Supplanted{Mined: mined(s)}})
	if _, err := n.look(ctx, e); err != nil {
		return false
	}
	return n.channels.funding(s.Funding) == nil
}

// formatOf is the format of a restored channel's commitments, as far as our balance in
// them goes: the two forms with anchors pay it alike.
func formatOf(v backup.Version) (commitment.Format, error) {
	switch v {
	case backup.VersionStaticRemoteKey:
		return commitment.StaticRemoteKey, nil
	case backup.VersionOldAnchors, backup.VersionAnchors:
		return commitment.Anchors, nil
	case backup.VersionLegacy, backup.VersionLease, backup.VersionTaprootStaging, backup.VersionTapscript, backup.VersionTaproot:
	}
	return 0, fmt.Errorf("it is of a kind (version %d) that this node cannot restore; lnd can, with the same seed", v)
}

func (n *Node) restoreOne(ctx context.Context, s *backup.Single) error {
	if s.Chain != *n.net.GenesisHash {
		return errors.New("it is of another chain")
	}
	format, err := formatOf(s.Version)
	if err != nil {
		return err
	}
	locs := s.Keys
	locs.Root.Family |= keys.SharedRoot
	ours, err := n.ring.Basepoints(locs)
	if err != nil {
		return err
	}
	if err := n.db.SkipChanNums(highest(&s.Keys)); err != nil { // no channel to come may have its keys
		return err
	}
	addresses := n.addressesOf(s)
	if len(addresses) > 0 {
		if _, err := n.db.Write(channeldb.Batch{Peers: []channeldb.Peer{{Key: s.Peer, Addresses: addresses}}}); err != nil {
			return err
		}
	}
	e, err := n.newChannel(s.Peer)
	if err != nil {
		return err
	}
	ask := channel.RestoreAsked{
		Terms: channel.Terms{
			Funder: s.Funder, Format: format, ChannelType: channel.Kind{Format: format}.Type(), Capacity: s.Capacity, Keys: locs,
			Ours:   channel.Side{Basepoints: ours, ToSelfDelay: s.PeerDelay},
			Theirs: channel.Side{Basepoints: s.PeerKeys, ToSelfDelay: s.OurDelay},
		},
		Funding: s.Funding, From: lnwire.Height(s.SCID.Block()), Now: n.now(),
	}
	if s.SCID.TxIndex() != 0 { // otherwise it was not mined yet
		ask.SCID = s.SCID
	}
	n.channels.fund(e, s.Funding)
	n.channels.name(e, lnwire.ChannelIDFrom(s.Funding))
	durable := make(chan struct{})
	e.runner.Inbox.Put(turn.Item{Event: n.tick()})
	e.runner.Inbox.Put(turn.Item{Event: ask})
	e.runner.Inbox.Put(turn.Item{Look: func(turn.Machine) func() { return func() { close(durable) } }})
	select {
	case <-durable:
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return errStopping
	}
	n.backups.restored(s)
	n.host.Keep(s.Peer, addresses...)
	if c := n.host.Conn(s.Peer); c != nil {
		e.runner.Inbox.Put(turn.Item{Event: channel.Connected{Features: n.negotiated(c)}, Conn: c})
	}
	return nil
}

// highest is the largest index of the keys.
func highest(l *commitment.KeyLocs) uint64 {
	return uint64(max(l.Funding.Index, l.Revocation.Index, l.Payment.Index, l.Delayed.Index, l.HTLC.Index, l.Root.Index))
}

// addressesOf are those at which the peer of a backup may be found.
func (n *Node) addressesOf(s *backup.Single) []string {
	list := n.dialled(s.Peer)
	for _, a := range s.Addresses {
		if text := a.String(); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	if len(list) == 0 {
		n.logs.backups.Warn("the backup knows no address of the peer: connect to it, so that it closes the channel", "peer", s.Peer)
	}
	return list
}

// restored notes a channel that is ours again.
func (b *backups) restored(s *backup.Single) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[s.Funding] = markOf(s)
}
