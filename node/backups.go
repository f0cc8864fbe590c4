package node

import (
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// BackupFile is where the static backup of all channels lies for the operator.
type BackupFile interface {
	// Load gives what lies there; nil when there is nothing.
	Load() ([]byte, error)
	// Save replaces it. After nil it is found again whatever happens to the machine.
	Save(sealed []byte) error
	// SetAside keeps what lies there under another name, which it returns.
	SetAside() (name string, err error)
}

// backups makes the static backup of all channels: for the operator's file, and for the
// peers that offer to keep it (BOLT 1, peer storage).
type backups struct {
	n    *Node
	key  backup.Key
	kick chan struct{} // the set of channels has changed; holds one token

	// making holds a token while a backup is made and written. It is no mutex: whoever waits
	// for the disk with it is waited for, which a simulated clock has to see.
	making    chan struct{}
	restoring sync.Mutex // held while channels are restored
	// Digests, of who holds the token: of what was written last, and of what peers keep.
	written, given [sha256.Size]byte
	made           uint64 // the last that was made, of begun

	mu    sync.Mutex
	begun uint64                   // how many backups
	blob  []byte                   // the newest, sealed and padded; nil while there is no channel
	known map[wire.OutPoint]mark   // every channel that we have or had
	young map[uint64]backup.Single // channels whose funding is being signed, by number
	found []backup.Single          // what the file held of channels that we do not know
	again *alarm                   // for when the file could not be written
	owed  map[Conn]bool            // those who get the newest as soon as they take it
	seeks bool                     // the chain is searched for what found names
}

// saveAgain is after what time a file that could not be written is tried again.
const saveAgain = 10 * time.Second

// blobSize is the length of every blob, so that it tells nothing of what is in it
// [B1.keep.5].
const blobSize = 65531

func newBackups(n *Node) (*backups, error) {
	base, err := n.ring.PubKey(keys.KeyLoc{Family: keys.FamilyBackup})
	if err != nil {
		return nil, err
	}
	b := &backups{
		n: n, key: backup.NewKey(base), kick: make(chan struct{}, 1), making: make(chan struct{}, 1),
		known: map[wire.OutPoint]mark{}, young: map[uint64]backup.Single{}, owed: map[Conn]bool{},
	}
	b.again = n.newAlarm(b.changed)
	if err := b.remember(); err != nil {
		return nil, err
	}
	if err := b.find(); err != nil {
		return nil, err
	}
	b.changed()
	return b, nil
}

// open reads a sealed backup of all channels.
func (b *backups) open(sealed []byte) ([]backup.Single, error) {
	plain, err := backup.Open(b.key, sealed)
	if err != nil {
		return nil, err
	}
	return backup.ParseMulti(plain)
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
			if err := b.renew(); err != nil {
				b.n.logs.backups.Error("THE STATIC CHANNEL BACKUP CANNOT BE WRITTEN: no channel is opened until it can; it is tried again", "err", err)
				b.again.set(time.Now().Add(saveAgain))
			}
		case <-b.n.ctx.Done():
			b.again.stop()
			return
		}
	}
}

// renew makes a backup of what is durable, and of what is about to be, and writes it. What
// is durable is given to everybody who is there. What is as it was is neither written nor
// given again: openings that come to nothing must not fill our disk's time and our peers'
// lines (V-44).
func (b *backups) renew() error {
	b.mu.Lock()
	seen := b.begun
	b.mu.Unlock()
	b.making <- struct{}{}
	defer func() { <-b.making }()
	if b.made > seen {
		return nil // it was begun since: one serves all who wait
	}
	b.mu.Lock()
	b.begun++
	b.mu.Unlock()
	if err := b.n.db.Barrier(); err != nil {
		return err // the process ends
	}
	list, young, err := b.lists()
	if err != nil {
		return err
	}
	saved, err := b.save(slices.Concat(list, young))
	if err != nil {
		return err
	}
	given, err := b.giveAll(list)
	if saved || given {
		b.n.Backups.Publish(struct{}{})
	}
	if err == nil {
		b.made = b.begun
	}
	return err
}

// giveAll makes what peers keep, and gives it to all of them; false: it is as it was.
func (b *backups) giveAll(list []backup.Single) (bool, error) {
	plain, err := backup.PlainMulti(list)
	sum := sha256.Sum256(plain)
	if err != nil || sum == b.given {
		return false, err
	}
	blob, err := b.forPeers(list)
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	b.blob, b.given = blob, sum
	for i := range list {
		b.known[list[i].Funding] = markOf(&list[i])
	}
	b.mu.Unlock()
	for _, c := range b.n.host.Conns() {
		b.give(c)
	}
	return true, nil
}

// list is what belongs into a backup of all channels.
func (b *backups) list() ([]backup.Single, error) {
	list, young, err := b.lists()
	return slices.Concat(list, young), err
}

// lists are the channels that are durable, and those whose funding is being signed: of an
// opening that is given up nothing may be left at peers, who would bring it back.
func (b *backups) lists() (list, young []backup.Single, err error) {
	if list, err = b.n.singles(); err != nil {
		return nil, nil, err
	}
	have := map[wire.OutPoint]bool{}
	for _, s := range list {
		have[s.Funding] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, num := range slices.Sorted(maps.Keys(b.young)) {
		s := b.young[num]
		if have[s.Funding] || b.n.channels.num(num) == nil {
			delete(b.young, num)
			continue
		}
		young = append(young, s)
	}
	return list, young, nil
}

// save writes the operator's file; false: it is as it was.
func (b *backups) save(list []backup.Single) (bool, error) {
	if b.n.cfg.Backups == nil {
		return false, nil
	}
	b.mu.Lock()
	b.found = slices.DeleteFunc(b.found, func(s backup.Single) bool { return b.known[s.Funding].covers(&s) })
	list = slices.Concat(list, b.found)
	b.mu.Unlock()
	plain, err := backup.PlainMulti(list)
	sum := sha256.Sum256(plain)
	if err != nil || sum == b.written {
		return false, err
	}
	b.written = [sha256.Size]byte{} // until it is known
	if err := b.n.cfg.Backups.Save(b.seal(plain)); err != nil {
		return false, err
	}
	b.written = sum
	return true, nil
}

// cover puts a channel that is being opened into the backup: when it returns nil, the
// money that goes into it can be found again.
func (b *backups) cover(num uint64, s backup.Single) error {
	b.mu.Lock()
	b.young[num] = s
	b.mu.Unlock()
	err := b.renew()
	if err != nil {
		b.mu.Lock()
		delete(b.young, num)
		b.mu.Unlock()
		b.n.logs.backups.Error("a channel is not opened: its static backup cannot be written", "channel", num, "err", err)
	}
	return err
}

// sealed is the backup of a list of channels, padded to a length.
func (b *backups) sealed(list []backup.Single, size int) ([]byte, error) {
	plain, err := backup.PlainMulti(list)
	if err != nil {
		return nil, err
	}
	return b.seal(backup.Pad(plain, size-backup.Overhead)), nil
}

func (b *backups) seal(plain []byte) []byte {
	var nonce backup.Nonce
	rand.Read(nonce[:])
	return backup.Seal(b.key, nonce, plain)
}

// forPeers gives nil for no channels. Of more than fit, the first are as good as any.
func (b *backups) forPeers(list []backup.Single) ([]byte, error) {
	room, fit := blobSize-backup.Overhead-multiHead, 0
	for i := range list {
		plain, err := backup.PlainSingle(&list[i])
		if err != nil {
			return nil, err
		}
		if room -= len(plain); room < 0 {
			break
		}
		fit++
	}
	if fit == 0 {
		return nil, nil
	}
	return b.sealed(list[:fit], blobSize)
}

// multiHead is what a backup of all channels is longer than those of each.
const multiHead = 5

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
// which we have never heard of was made by a later state of this node, or by one that
// was lost: they are asked back (B1.keep.6).
func (b *backups) returned(c Conn, blob []byte) {
	if len(blob) == 0 {
		return
	}
	list, err := b.open(blob)
	if err != nil {
		b.n.logs.backups.Warn("a peer returned a blob that is not ours", "peer", c.PubKey(), "err", err)
		return
	}
	list = slices.DeleteFunc(list, func(s backup.Single) bool { return b.knows(&s) })
	if len(list) == 0 {
		return
	}
	for _, s := range list {
		b.n.logs.backups.Error("a peer keeps a backup with a channel that this node does not know: its database is older than it was, or new; "+
			"the channel is restored as far as it can be", "peer", c.PubKey(), "channel", s.Funding, "with", s.Peer)
	}
	b.n.spawn(func() {
		if _, err := b.n.restore(b.n.ctx, list); err != nil {
			b.n.logs.backups.Error("restore channels from a backup that a peer kept", "peer", c.PubKey(), "err", err)
		}
	})
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
		if rows.Core.Phase < channel.AwaitReady {
			return nil // a funding that may never be is no channel to be missed later
		}
		if s := rows.Core.Spend; s != nil && (s.Kind == channel.SpentByMutual || rows.Core.Phase == channel.Closed) {
			return nil // nothing is left in it; of a commitment there is until the channel is forgotten
		}
		s := n.single(rows.Terms, rows.Core.Funding, addresses[rows.Terms.Peer])
		if rows.Core.SCID != 0 {
			s.SCID = rows.Core.SCID
		}
		list = append(list, s)
		return nil
	})
	return list, err
}

// single is the backup of a channel that is not in the chain yet.
func (n *Node) single(t *channel.Terms, funding wire.OutPoint, dialled []string) backup.Single {
	s := backup.Single{
		Version: backup.VersionStaticRemoteKey, Funder: t.Funder, Chain: *n.net.GenesisHash, Funding: funding,
		SCID: lnwire.NewShortChannelID(t.OpenedTip.Height, 0, 0),
		Peer: t.Peer, Capacity: t.Capacity, OurDelay: t.Theirs.ToSelfDelay, PeerDelay: t.Ours.ToSelfDelay,
		Keys: t.Keys, PeerKeys: t.Theirs.Basepoints,
	}
	s.Keys.Root.Family &^= keys.SharedRoot // which lnd takes for granted
	if t.Format == commitment.Anchors {
		s.Version = backup.VersionAnchors
	}
	for _, text := range append(slices.Clone(dialled), n.gossip.addresses(t.Peer)...) {
		if a, err := lnwire.ParseAddress(text, 9735); err == nil && !slices.Contains(s.Addresses, a) {
			s.Addresses = append(s.Addresses, a)
		}
	}
	return s
}

// dialled are the addresses at which a peer was reached.
func (n *Node) dialled(id lnwire.PubKey) []string {
	var list []string
	if peers, err := n.db.Peers(); err == nil {
		for _, p := range peers {
			if p.Key == id {
				list = p.Addresses
			}
		}
	}
	if c := n.host.Conn(id); c != nil && !c.Inbound() && !slices.Contains(list, c.Addr()) {
		list = append(list, c.Addr())
	}
	return list
}
