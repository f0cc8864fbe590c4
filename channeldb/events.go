package channeldb

import (
	"encoding/binary"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
)

// Event is an entry of the append-only log from which subscribers resume. Seq
// counts from 1 and is never reused.
type Event struct {
	Seq     uint64
	At      time.Time // wall clock
	ChanNum uint64
	Kind    channel.NoticeKind
}

func (o *ops) event(num uint64, kind channel.NoticeKind) {
	o.start(inEvents, add)
	o.row(1)
	o.int(0, o.now)
	o.num(2, num)
	o.num(4, uint64(kind))
	o.end()
}

func decodeEvent(key, row []byte) (Event, error) {
	ev := Event{Seq: number(key)}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			ev.At = d.time()
		case 2:
			ev.ChanNum = d.u64()
		case 4:
			ev.Kind = channel.NoticeKind(d.u8())
		default:
			d.unknown()
		}
	}
	return ev, d.end("event")
}

func (w *write) addEvent(row []byte) error {
	n, err := w.count(counterEvent)
	if err != nil {
		return err
	}
	w.receipt.Seq = n
	return w.put(inEvents, binary.BigEndian.AppendUint64(nil, n), row)
}

// Events reads the log from Seq from on, at most limit entries.
func (db *DB) Events(from uint64, limit int) (list []Event, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = db.scan(inEvents, binary.BigEndian.AppendUint64(nil, from), func(key, row []byte) (bool, error) {
		ev, err := decodeEvent(key, row)
		list = append(list, ev)
		return len(list) < limit, err
	})
	return list, err
}
