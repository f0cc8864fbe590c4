package node

import (
	"crypto/rand"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// backups makes the static backup of all channels and gives it to the peers that
// offer to keep it (BOLT 1, peer storage).
type backups struct {
	n    *Node
	key  backup.Key
	kick chan struct{} // the set of channels has changed; holds one token

	mu    sync.Mutex
	blob  []byte                 // the newest, sealed and padded; nil while there is no channel
	known map[wire.OutPoint]bool // every channel that we have or had
	owed  map[Conn]bool          // those who get the newest as soon as they take it
}

// blobSize is the length of every blob, so that it tells nothing of what is in it
// [B1.keep.5].
const blobSize = 65531

func newBackups(n *Node) (*backups, error) {
	base, err := n.ring.PubKey(keys.KeyLoc{Family: keys.FamilyBackup})
	if err != nil {
		return nil, err
	}
	b := &backups{n: n, key: backup.NewKey(base), kick: make(chan struct{}, 1), known: map[wire.OutPoint]bool{}, owed: map[Conn]bool{}}
	if err := b.remember(); err != nil {
		return nil, err
	}
	b.changed()
	return b, nil
}

// remember fills in what channels there were.
func (b *backups) remember() error {
	for from := uint64(0); ; {
		page, err := b.n.db.ClosedChannels(from, 1000)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			b.known[c.Funding] = true
			from = c.ChanNum + 1
		}
	}
	return b.n.db.Channels(func(_ uint64, rows channel.Rows) error {
		b.known[rows.Core.Funding] = true
		return nil
	})
}

// changed asks for a new backup.
func (b *backups) changed() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// run makes backups until the node ends.
func (b *backups) run() {
	for {
		select {
		case <-b.kick:
			b.renew()
		case <-b.n.ctx.Done():
			return
		}
	}
}

// renew makes a backup of what is durable and gives it to everybody who is there.
func (b *backups) renew() {
	if err := b.n.db.Barrier(); err != nil {
		return // the process ends
	}
	list, err := b.n.singles()
	if err != nil {
		b.n.log.Error("make channel backup", "err", err)
		return
	}
	blob, err := b.seal(list)
	if err != nil {
		b.n.log.Error("make channel backup", "err", err)
		return
	}
	b.mu.Lock()
	b.blob = blob
	for _, s := range list {
		b.known[s.Funding] = true
	}
	b.mu.Unlock()
	for _, c := range b.n.host.Conns() {
		b.give(c)
	}
}

// seal gives nil for no channels, and an error when there are more than fit.
func (b *backups) seal(list []backup.Single) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	plain, err := backup.PlainMulti(list)
	if err != nil {
		return nil, err
	}
	for len(plain)+backup.Overhead > blobSize { // hundreds of channels: the first are as good as any
		list = list[:len(list)-1]
		if plain, err = backup.PlainMulti(list); err != nil {
			return nil, err
		}
	}
	var nonce backup.Nonce
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	return backup.Seal(b.key, nonce, backup.Pad(plain, blobSize-backup.Overhead)), nil
}

// give sends the backup to a peer that offers to keep it, if we have a channel with
// it: others owe us nothing. Who takes nothing now is given the newest later.
func (b *backups) give(c Conn) {
	if !c.Features().HasEither(lnwire.ProvideStorageOptional) || !b.n.hasFunded(c.PubKey()) || b.sent(c) {
		return
	}
	b.n.spawn(func() {
		for drained(c) {
			b.paid(c) // what changes from now on is given by who changes it
			if b.sent(c) {
				return
			}
		}
		b.paid(c)
	})
}

// sent reports that no backup is owed beyond what was sent, or that somebody sees to it.
func (b *backups) sent(c Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.blob == nil || b.owed[c] || c.Send(peer.Gossip, &lnwire.PeerStorage{Blob: b.blob}) {
		return true
	}
	b.owed[c] = true
	return false
}

func (b *backups) paid(c Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.owed, c)
}

// returned looks at what a peer has kept for us. A blob of ours that names channels
// which we have never heard of was made by a later state of this node.
func (b *backups) returned(c Conn, blob []byte) {
	if len(blob) == 0 {
		return
	}
	plain, err := backup.Open(b.key, blob)
	if err != nil {
		b.n.log.Warn("a peer returned a blob that is not ours", "peer", c.PubKey())
		return
	}
	list, err := backup.ParseMulti(plain)
	if err != nil {
		b.n.log.Warn("a peer returned a backup that cannot be read", "peer", c.PubKey(), "err", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range list {
		if !b.known[s.Funding] {
			b.n.log.Error("a peer keeps a backup with a channel that this node does not know: its database is older than it was",
				"peer", c.PubKey(), "channel", s.Funding, "with", s.Peer)
		}
	}
}

// singles are the backups of all channels that are not over.
func (n *Node) singles() (list []backup.Single, err error) {
	addresses := map[lnwire.PubKey][]string{}
	peers, err := n.db.Peers()
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		addresses[p.Key] = p.Addresses
	}
	err = n.db.Channels(func(_ uint64, rows channel.Rows) error {
		if rows.Core.Phase < channel.AwaitReady || rows.Core.Spend != nil {
			return nil // a funding that may never be is no channel to be missed later
		}
		list = append(list, n.single(&rows, addresses[rows.Terms.Peer]))
		return nil
	})
	return list, err
}

func (n *Node) single(rows *channel.Rows, dialled []string) backup.Single {
	t, c := rows.Terms, rows.Core
	s := backup.Single{
		Version: backup.VersionStaticRemoteKey, Funder: t.Funder, Chain: *n.net.GenesisHash, Funding: c.Funding, SCID: c.SCID,
		Peer: t.Peer, Capacity: t.Capacity, OurDelay: t.Theirs.ToSelfDelay, PeerDelay: t.Ours.ToSelfDelay,
		Keys: t.Keys, PeerKeys: t.Theirs.Basepoints,
	}
	if t.Format == commitment.Anchors {
		s.Version = backup.VersionAnchors
	}
	if s.SCID == 0 {
		s.SCID = lnwire.NewShortChannelID(t.OpenedTip.Height, 0, 0)
	}
	for _, text := range append(slices.Clone(dialled), n.gossip.addresses(t.Peer)...) {
		if a, err := lnwire.ParseAddress(text, 9735); err == nil && !slices.Contains(s.Addresses, a) {
			s.Addresses = append(s.Addresses, a)
		}
	}
	return s
}
