package channeldb

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Callers page through forwards by how many they have seen, not by a place. So that a
// late page does not walk all those before it, forwards are counted by their time: for
// each slice of 19 hours, and for each of 4 minutes. The row of a long slice has the
// first half of the key of its short ones, and lies before them.
const (
	shortSlice = 38 // bits of nanoseconds
	longSlice  = 46
)

func longKey(at uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 16), at>>longSlice)
}

func shortKey(at uint64) []byte { return binary.BigEndian.AppendUint64(longKey(at), at>>shortSlice) }

// slice is what is kept of a slice of time.
type slice struct {
	n    uint64 // forwards
	fees uint64 // what they earned, millisatoshi
}

func sliceOf(row []byte) (s slice, err error) {
	if len(row) != 16 {
		return s, fmt.Errorf("read forward counts: %d bytes: %w", len(row), ErrDamaged)
	}
	return slice{number(row), number(row[8:])}, nil
}

// countForwards adds to both slices of a time. One that is empty then goes.
func (w *write) countForwards(at uint64, more slice) error {
	for _, key := range [][]byte{longKey(at), shortKey(at)} {
		row, err := w.get(inForwardCounts, key)
		if err != nil {
			return err
		}
		var s slice
		if row != nil {
			if s, err = sliceOf(row); err != nil {
				return err
			}
		}
		if s.n+more.n == 0 {
			if err := w.del(inForwardCounts, key); err != nil {
				return err
			}
			continue
		}
		row = binary.BigEndian.AppendUint64(make([]byte, 0, 16+sumLen), s.n+more.n)
		row = binary.BigEndian.AppendUint64(row, s.fees+more.fees)
		if err := w.put(inForwardCounts, key, row); err != nil {
			return err
		}
	}
	return nil
}

// ForwardFees is what the forwards that were settled since a time have earned.
func (db *DB) ForwardFees(since time.Time) (sum lnwire.MilliSat, err error) {
	const short = uint64(1) << shortSlice
	low := timeKey(since)
	if low%short != 0 { // the slice in which it begins is added row by row
		for q := (ForwardQuery{From: since, To: time.Unix(0, int64(low|(short-1))), Limit: maxReadRows}); ; {
			rows, err := db.Forwards(q)
			if err != nil {
				return 0, err
			}
			for i := range rows {
				sum += rows[i].Fee()
				q.After = rows[i].Cursor
			}
			if len(rows) < q.Limit {
				break
			}
		}
		low = (low | (short - 1)) + 1
	}
	err = db.view(func(r *reader) error {
		c := r.bucket(inForwardCounts).Cursor()
		for k, v := c.Seek(shortKey(low)); k != nil; {
			row, err := unseal(inForwardCounts, k, v)
			if err != nil {
				return err
			}
			s, err := sliceOf(row)
			if err != nil {
				return err
			}
			sum += lnwire.MilliSat(s.fees)
			if len(k) == 8 { // all its short ones are in it
				k, v = c.Seek(longKey((number(k) + 1) << longSlice))
			} else {
				k, v = c.Next()
			}
		}
		return nil
	})
	return sum, err
}

// leap passes over as many of the skip forwards from low on as whole slices hold, and
// says where the rest of them begins.
func (db *DB) leap(low ForwardCursor, skip uint64) (ForwardCursor, uint64, error) {
	const short, long = uint64(1) << shortSlice, uint64(1) << longSlice
	if skip > 0 && low != (ForwardCursor{At: low.At / short * short}) { // to the next slice it goes by steps
		end := ForwardCursor{At: low.At | (short - 1), Index: math.MaxUint64}
		err := db.walkTimes(low, end, false, func(at ForwardCursor) bool {
			skip--
			low = at.next()
			return skip > 0
		})
		if err != nil || skip == 0 {
			return low, skip, err
		}
		low = ForwardCursor{At: end.At + 1}
	}
	at := low.At
	err := db.view(func(r *reader) error {
		if skip > 0 && at%long != 0 {
			if err := r.leapShort(&at, &skip); err != nil || at%long != 0 {
				return err
			}
		}
		if err := r.leapLong(&at, &skip); err != nil || skip == 0 {
			return err
		}
		return r.leapShort(&at, &skip)
	})
	if at != low.At {
		low = ForwardCursor{At: at}
	}
	return low, skip, err
}

// leapLong passes over long slices, from the beginning of one.
func (r *reader) leapLong(at, skip *uint64) error {
	c := r.bucket(inForwardCounts).Cursor()
	for *skip > 0 {
		k, v := c.Seek(longKey(*at))
		if k == nil {
			return nil
		}
		row, err := unseal(inForwardCounts, k, v)
		if err != nil {
			return err
		}
		s, err := sliceOf(row)
		if err != nil {
			return err
		}
		*at = number(k) << longSlice
		if s.n > *skip {
			return nil
		}
		*skip -= s.n
		*at += 1 << longSlice
	}
	return nil
}

// leapShort passes over short slices, up to the end of the long one.
func (r *reader) leapShort(at, skip *uint64) error {
	c, long := r.bucket(inForwardCounts).Cursor(), longKey(*at)
	for k, v := c.Seek(shortKey(*at)); *skip > 0 && hasPrefix(k, long); k, v = c.Next() {
		row, err := unseal(inForwardCounts, k, v)
		if err != nil {
			return err
		}
		s, err := sliceOf(row)
		if err != nil {
			return err
		}
		*at = number(k[8:]) << shortSlice
		if s.n > *skip {
			return nil
		}
		*skip -= s.n
		*at += 1 << shortSlice
	}
	if *skip > 0 {
		*at = (number(long) + 1) << longSlice
	}
	return nil
}

// Directions of a forward, in the keys by which its channels find it.
const (
	cameIn byte = iota + 1
	wentOut
)

// channelKeys find a forward by its two channels, and by time.
func channelKeys(at ForwardCursor, f *forward.Record) [2][]byte {
	return [2][]byte{channelKey(cameIn, f.InSCID, at), channelKey(wentOut, f.OutSCID, at)}
}

const channelPrefix = 1 + 8

func channelKey(dir byte, scid lnwire.ShortChannelID, at ForwardCursor) []byte {
	key := append(make([]byte, 0, channelPrefix+16), dir)
	key = binary.BigEndian.AppendUint64(key, uint64(scid))
	return append(key, at.key()...)
}

// streams are the forwards of some channels in one direction, in the order of time.
type streams []stream

type stream struct {
	c      *bolt.Cursor
	prefix []byte
	at     ForwardCursor
	ended  bool
}

// streams begin at low; none for no channel.
func (r *reader) streams(dir byte, ids []lnwire.ShortChannelID, low ForwardCursor) (list streams, err error) {
	for _, id := range ids {
		s := stream{c: r.bucket(inForwardChannels).Cursor(), prefix: channelKey(dir, id, low)[:channelPrefix]}
		if err := s.seek(low); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (s *stream) seek(low ForwardCursor) error {
	if s.ended || !s.at.less(low) && s.at != (ForwardCursor{}) {
		return nil
	}
	k, _ := s.c.Seek(append(s.prefix[:channelPrefix:channelPrefix], low.key()...))
	return s.take(k)
}

func (s *stream) take(k []byte) (err error) {
	if s.ended = !hasPrefix(k, s.prefix) || k == nil; !s.ended {
		s.at, err = cursorOf(k[channelPrefix:])
	}
	return err
}

// first is the earliest forward from low on; false when there is none.
func (l streams) first(low ForwardCursor) (at ForwardCursor, ok bool, err error) {
	for i := range l {
		s := &l[i]
		if err := s.seek(low); err != nil {
			return at, false, err
		}
		if !s.ended && (!ok || s.at.less(at)) {
			at, ok = s.at, true
		}
	}
	return at, ok, nil
}

// maxStreams is of how many channels one direction is merged.
const maxStreams = 64

// walkChannels gives the forwards that came in over one of some channels and went out
// over one of others, by time, until visit returns false. No channels: any.
func (db *DB) walkChannels(in, out []lnwire.ShortChannelID, low, high ForwardCursor, visit func(ForwardCursor) bool) error {
	in, out = sortedIDs(in), sortedIDs(out)
	if len(in) > maxStreams || len(out) > maxStreams {
		return db.walkRecords(in, out, low, high, visit)
	}
	for more := true; more; {
		err := db.view(func(r *reader) (err error) {
			low, more, err = r.walkChannels(in, out, low, high, visit)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walkChannels does a part of it in one transaction, and says where to go on.
func (r *reader) walkChannels(in, out []lnwire.ShortChannelID, low, high ForwardCursor, visit func(ForwardCursor) bool) (ForwardCursor, bool, error) {
	a, err := r.streams(cameIn, in, low)
	if err != nil {
		return low, false, err
	}
	b, err := r.streams(wentOut, out, low)
	if err != nil {
		return low, false, err
	}
	if len(a) == 0 {
		a, b = b, nil
	}
	start := time.Now()
	for rows := 1; rows < maxReadRows && (rows%64 != 0 || time.Since(start) < maxReadTime); rows++ {
		at, ok, err := a.first(low)
		if err != nil || !ok || high.less(at) {
			return low, false, err
		}
		if low = at; len(b) > 0 { // each leads the other onwards, until both are at the same
			if at, ok, err = b.first(low); err != nil || !ok {
				return low, false, err
			}
			if low.less(at) {
				low = at
				continue
			}
		}
		if !visit(low) {
			return low, false, nil
		}
		low = low.next()
	}
	return low, true, nil
}

// walkRecords looks at every forward.
func (db *DB) walkRecords(in, out []lnwire.ShortChannelID, low, high ForwardCursor, visit func(ForwardCursor) bool) error {
	passes := func(list []lnwire.ShortChannelID, id lnwire.ShortChannelID) bool {
		_, found := slices.BinarySearch(list, id)
		return found || len(list) == 0
	}
	for more := true; more; {
		var page []ForwardCursor
		err := db.walkTimes(low, high, false, func(at ForwardCursor) bool {
			page = append(page, at)
			return len(page) < maxReadRows
		})
		if err != nil {
			return err
		}
		rows, err := db.forwardsAt(page)
		if err != nil {
			return err
		}
		for i := range rows {
			if passes(in, rows[i].InSCID) && passes(out, rows[i].OutSCID) && !visit(rows[i].Cursor) {
				return nil
			}
			low = rows[i].Cursor.next()
		}
		more = len(page) == maxReadRows
	}
	return nil
}

func sortedIDs(ids []lnwire.ShortChannelID) []lnwire.ShortChannelID {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}
