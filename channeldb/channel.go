package channeldb

import (
	"encoding/binary"
	"fmt"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
)

// The rows of a live channel lie side by side: the key is the channel's number,
// one of these, and what tells rows of one kind apart. What grows has a bucket of
// its own: onions, revoked commitments, summaries.
const (
	rowTerms byte = iota + 1
	rowCore
	rowPolicy
	rowLocal
	rowSecrets
	rowFunding // + outpoint
	rowHTLC    // + direction, id
)

// channelRow begins a row of the channel.
func (o *ops) channelRow(num uint64, kind byte) {
	o.start(inChannels, put)
	o.u64(num)
	o.byte(kind)
}

// channel adds all changes of a delta.
func (o *ops) channel(d *channel.Delta) {
	o.channelSmall(d)
	o.channelHTLCs(d)
	for i := range d.Revoked {
		o.start(inRevoked, put)
		o.u64(d.ChanNum)
		o.u64(d.Revoked[i].N)
		o.row(1)
		encodeRevoked(&o.enc, &d.Revoked[i])
		o.end()
	}
	for i := range d.OutboxPut {
		o.outcome(&d.OutboxPut[i])
	}
	for _, ref := range d.OutboxDone {
		o.outboxDone(ref)
	}
	for _, a := range d.Attempts {
		o.attemptRow(a)
	}
	for _, r := range d.Riders {
		o.rider(r)
	}
	for _, kind := range d.Events {
		o.event(d.ChanNum, kind)
	}
	if d.Closed != nil {
		o.start(inClosed, put)
		o.u64(d.Closed.ChanNum)
		o.row(1)
		encodeClosed(&o.enc, d.Closed)
		o.end()
	}
	if d.Forget {
		o.start(inChannels, forget)
		o.u64(d.ChanNum)
		o.bare()
	}
}

// channelSmall adds the rows of which there is one, and the fundings.
func (o *ops) channelSmall(d *channel.Delta) {
	if d.Terms != nil {
		o.channelRow(d.ChanNum, rowTerms)
		o.row(1)
		encodeTerms(&o.enc, d.Terms)
		o.end()
	}
	if d.Core != nil {
		o.channelRow(d.ChanNum, rowCore)
		o.row(1)
		encodeCore(&o.enc, d.Core)
		o.end()
	}
	if d.Policy != nil {
		o.channelRow(d.ChanNum, rowPolicy)
		o.row(1)
		encodePolicy(&o.enc, d.Policy)
		o.end()
	}
	if d.Local != nil {
		o.channelRow(d.ChanNum, rowLocal)
		o.row(1)
		encodeLocal(&o.enc, d.Local)
		o.end()
	}
	if d.Secrets != nil {
		o.channelRow(d.ChanNum, rowSecrets)
		o.row(1)
		encodeSecrets(&o.enc, d.Secrets)
		o.end()
	}
	for i := range d.Fundings {
		o.channelRow(d.ChanNum, rowFunding)
		o.outPointKey(d.Fundings[i].OutPoint)
		o.row(1)
		encodeFunding(&o.enc, &d.Fundings[i])
		o.end()
	}
}

func (o *ops) channelHTLCs(d *channel.Delta) {
	for i := range d.HTLCs {
		h := &d.HTLCs[i]
		o.start(inChannels, put)
		o.htlcKey(h.Ref)
		o.row(1)
		encodeHTLC(&o.enc, h)
		o.end()
	}
	for _, ref := range d.GoneHTLCs {
		o.start(inChannels, del)
		o.htlcKey(ref)
		o.bare()
	}
	for _, row := range d.Onions {
		o.start(inOnions, put)
		o.ref(row.Ref)
		o.row(1)
		encodeOnion(&o.enc, row.Onion)
		o.end()
	}
	for _, ref := range d.GoneOnions {
		o.start(inOnions, del)
		o.ref(ref)
		o.bare()
	}
}

func (o *ops) htlcKey(ref htlc.Ref) {
	o.u64(ref.ChanNum)
	o.byte(rowHTLC)
	o.byte(byte(ref.Dir))
	o.u64(ref.ID)
}

// Channel reads all rows of a live channel but the revoked commitments. A channel
// that is not there has no rows at all; one that is closed only its summary.
func (db *DB) Channel(num uint64) (rows channel.Rows, err error) {
	err = db.view(func(r *reader) (err error) {
		rows, err = r.channel(num)
		return err
	})
	return rows, err
}

// Channels calls f for every live channel, by ascending number, with all its rows
// but the revoked commitments: what a node starts with.
func (db *DB) Channels(f func(num uint64, rows channel.Rows) error) error {
	for next := uint64(0); ; {
		num, rows, ok := uint64(0), channel.Rows{}, false
		err := db.view(func(r *reader) (err error) {
			key, _ := r.seek(inChannels, binary.BigEndian.AppendUint64(nil, next))
			if len(key) < 8 {
				return nil
			}
			num, ok = binary.BigEndian.Uint64(key), true
			rows, err = r.channel(num)
			return err
		})
		if err != nil || !ok {
			return err
		}
		if err := f(num, rows); err != nil {
			return err
		}
		next = num + 1
	}
}

func (r *reader) channel(num uint64) (rows channel.Rows, err error) {
	prefix := binary.BigEndian.AppendUint64(nil, num)
	err = r.prefix(inChannels, prefix, func(key, row []byte) error {
		if err := channelRow(&rows, num, key[8:], row); err != nil {
			return fmt.Errorf("read channel %d: %w", num, err)
		}
		return nil
	})
	if err != nil {
		return rows, err
	}
	err = r.prefix(inOnions, prefix, func(key, row []byte) error {
		if len(key) != refLen {
			return fmt.Errorf("read onion %x: key is malformed: %w", key, ErrDamaged)
		}
		onion, err := decodeOnion(row)
		rows.Onions = append(rows.Onions, channel.OnionRow{Ref: refOf(key), Onion: onion})
		return err
	})
	if err != nil {
		return rows, err
	}
	if row, err := r.get(inClosed, prefix); err != nil || row == nil {
		return rows, err
	} else {
		rows.Closed, err = decodeClosed(row)
		return rows, err
	}
}

// channelRow reads one row into rows; key is without the channel's number.
func channelRow(rows *channel.Rows, num uint64, key, row []byte) (err error) {
	if len(key) == 0 {
		return fmt.Errorf("key is malformed: %w", ErrDamaged)
	}
	rest := key[1:]
	switch {
	case key[0] == rowTerms:
		rows.Terms, err = decodeTerms(row)
	case key[0] == rowCore:
		rows.Core, err = decodeCore(row)
	case key[0] == rowPolicy:
		rows.Policy, err = decodePolicy(row)
	case key[0] == rowLocal:
		rows.Local, err = decodeLocal(row)
	case key[0] == rowSecrets:
		rows.Secrets, err = decodeSecrets(row)
	case key[0] == rowFunding && len(rest) == outPointLen:
		f, err := decodeFunding(outPointOf(rest), row)
		rows.Fundings = append(rows.Fundings, f)
		return err
	case key[0] == rowHTLC && len(rest) == 9:
		ref := htlc.Ref{ChanNum: num, Dir: htlc.Direction(rest[0]), ID: binary.BigEndian.Uint64(rest[1:])}
		h, err := decodeHTLC(ref, row)
		rows.HTLCs = append(rows.HTLCs, h)
		return err
	default:
		return fmt.Errorf("key %x is unknown: %w", key, ErrNewer)
	}
	return err
}

// Revoked reads the revoked commitment number n of a live channel; false when
// there is none.
func (db *DB) Revoked(num, n uint64) (rev channel.Revoked, ok bool, err error) {
	key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, num), n)
	err = db.view(func(r *reader) error {
		if gone, err := r.get(inPurge, key[:8]); err != nil || gone != nil {
			return err
		}
		row, err := r.get(inRevoked, key)
		if err != nil || row == nil {
			return err
		}
		ok = true
		rev, err = decodeRevoked(num, n, row)
		return err
	})
	return rev, ok, err
}

// ClosedChannels reads summaries by ascending channel number, from number from on,
// at most limit. The next page begins after the last number.
func (db *DB) ClosedChannels(from uint64, limit int) (list []channel.ClosedRow, err error) {
	err = db.scan(inClosed, binary.BigEndian.AppendUint64(nil, from), func(_, row []byte) (bool, error) {
		c, err := decodeClosed(row)
		if err != nil {
			return false, err
		}
		list = append(list, *c)
		return len(list) < limit, nil
	})
	return list, err
}
