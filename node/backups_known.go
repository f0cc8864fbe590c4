package node

import (
	"context"
	"errors"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// mark is what is remembered of a channel that we have or had.
type mark struct {
	peer  lnwire.PubKey
	index uint32 // of our funding key
	mined bool   // it was in the chain
}

func markOf(s *backup.Single) mark { return mark{s.Peer, s.Keys.Funding.Index, mined(s)} }

// mined: the channel was in the chain when the backup was made.
func mined(s *backup.Single) bool { return s.SCID.TxIndex() != 0 }

// covers: there is nothing to restore in the backup of a channel. One that was never in
// the chain says nothing of another with its funding output: anybody can name the output
// of a channel that we have lost.
func (m mark) covers(s *backup.Single) bool {
	return m.mined || m != mark{} && m.peer == s.Peer && m.index == s.Keys.Funding.Index
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
			b.known[c.Funding] = mark{peer: c.Peer, index: uint32(c.ChanNum), mined: c.Kind != channel.ClosedUnfunded}
			from = c.ChanNum + 1
		}
	}
	return b.n.db.Channels(func(_ uint64, rows channel.Rows) error {
		b.known[rows.Core.Funding] = mark{rows.Terms.Peer, rows.Terms.Keys.Funding.Index, rows.Core.SCID != 0}
		return nil
	})
}

// knows: we have the channel, or had it.
func (b *backups) knows(s *backup.Single) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[s.Funding].covers(s)
}

// find looks at the file that is there, before it is written for the first time: what it
// holds of channels that this node does not know is nowhere else.
func (b *backups) find() error {
	file := b.n.cfg.Backups
	if file == nil {
		return nil
	}
	sealed, err := file.Load()
	if err != nil || sealed == nil {
		return err
	}
	list, err := b.open(sealed)
	if err != nil {
		name, failed := file.SetAside()
		b.n.logs.backups.Warn("the channel backup on the disk is of another seed, or damaged: it is kept aside", "file", name, "err", err)
		return failed
	}
	lost := 0
	for _, s := range list {
		if b.known[s.Funding].covers(&s) {
			continue
		}
		b.found = append(b.found, s)
		if mined(&s) {
			lost++
		} else {
			b.n.logs.backups.Warn("the channel backup on the disk holds a channel that this node does not know and that was not in the chain yet: "+
				"an opening that was broken off, or all that is left of it; the entry goes when the funding is in no block up to the height",
				"channel", s.Funding, "peer", s.Peer, "height", ghostFrom(&s))
		}
	}
	if lost > 0 {
		b.n.logs.backups.Error("the channel backup on the disk holds channels that this node does not know: if they were lost, ask them back "+
			"with \"fulgur restorechanbackup\"; the file goes on holding them", "channels", lost)
	}
	return nil
}

// lost: the file holds a channel of that funding that this node does not know.
func (b *backups) lost(funding wire.OutPoint) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.found, func(s backup.Single) bool { return s.Funding == funding })
}

// ghostFrom is the height from which on a channel that is not in the chain is taken for
// one that never was: the node ended between the backup and the opening.
func ghostFrom(s *backup.Single) lnwire.Height {
	return lnwire.Height(s.SCID.Block()) + channel.Forgotten(s.Funder)
}

// lay lets ghosts go that only the file knows, once for each.
func (b *backups) lay(tip lnwire.Height) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.found, func(s backup.Single) bool { return !mined(&s) && ghostFrom(&s) <= tip })
	if i < 0 || b.seeks {
		return
	}
	s := b.found[i]
	b.seeks = true
	b.n.spawn(func() {
		at, err := b.n.minedAt(b.n.ctx, s.Funding, lnwire.Height(s.SCID.Block()))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seeks = false
		i := slices.IndexFunc(b.found, func(o backup.Single) bool { return o.Funding == s.Funding })
		switch {
		case err != nil || i < 0: // with the next block
		case at != 0:
			b.found[i].SCID = at
		default:
			b.found = slices.Delete(b.found, i, i+1)
			b.n.logs.backups.Info("the channel backup held a channel that never was: it is taken out", "channel", s.Funding, "peer", s.Peer)
			b.changed()
		}
	})
}

// minedAt finds the place of an output in the chain, from a height on; 0: there is none.
func (n *Node) minedAt(ctx context.Context, op wire.OutPoint, from lnwire.Height) (lnwire.ShortChannelID, error) {
	for ; ; from++ {
		hash, err := n.backend.BlockHash(ctx, from)
		if errors.Is(err, chainntnfs.ErrNoBlock) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		block, err := n.backend.Block(ctx, hash)
		if err != nil {
			return 0, err
		}
		for i, tx := range block.Transactions {
			if tx.TxHash() == op.Hash {
				return lnwire.NewShortChannelID(from, uint32(i), uint16(op.Index)), nil
			}
		}
	}
}
