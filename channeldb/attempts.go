package channeldb

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/routing"
)

// attempt puts an attempt that ended. Its key is the payment's hash and its id.
func (o *ops) attempt(a *routing.Attempt) {
	o.start(inAttempts, put)
	o.bytes(a.Hash[:])
	o.u64(a.ID)
	o.row(1)
	encodeAttempt(&o.enc, a)
	o.end()
}

// attemptRow puts the row of an attempt that begins, as EncodeAttempt made it.
func (o *ops) attemptRow(r channel.AttemptRow) {
	d := read(r.Row, 1)
	if !d.next() || d.t != 0 || len(d.v) != 32 {
		o.err = fmt.Errorf("write attempt %d: the row is not what EncodeAttempt makes", r.ID)
		return
	}
	o.start(inAttempts, put)
	o.bytes(d.v)
	o.u64(r.ID)
	o.list[len(o.list)-1].row = len(o.b)
	o.bytes(r.Row)
	o.end()
}

// AttemptKey names an attempt of a payment.
type AttemptKey struct {
	Hash lnwire.Hash
	ID   uint64
}

func (o *ops) attemptGone(k AttemptKey) {
	o.start(inAttempts, del)
	o.bytes(k.Hash[:])
	o.u64(k.ID)
	o.bare()
}

// EncodeAttempt makes the row that travels with the first HTLC of an attempt.
func EncodeAttempt(a *routing.Attempt) []byte {
	e := enc{b: append(make([]byte, 0, 512), 1)}
	encodeAttempt(&e, a)
	return e.b
}

func encodeAttempt(e *enc, a *routing.Attempt) {
	e.head(0, 32) // always there and first: it is looked for
	e.bytes(a.Hash[:])
	e.num(2, a.ID)
	e.num(4, uint64(a.Number))
	encodeRoute(e, 6, &a.Route)
	e.hash32(8, (*[32]byte)(&a.SessionKey))
	e.time(10, a.StartedAt)
	e.time(12, a.EndedAt)
	e.num(14, uint64(a.Status))
	e.hash32(16, (*[32]byte)(&a.Preimage))
	if f := a.Failure; f != nil {
		m := e.open(18)
		e.int(0, int64(f.Hop))
		e.flag(2, f.Local)
		e.num(4, uint64(f.Code))
		e.num(6, uint64(f.Amount))
		e.num(8, uint64(f.Expiry))
		e.num(10, uint64(f.Height))
		e.num(12, uint64(f.Flags))
		e.text(14, f.Text)
		if f.Update != nil {
			if b, err := lnwire.Marshal(f.Update); err == nil {
				e.raw(15, b)
			}
		}
		e.hash32(17, (*[32]byte)(&f.OnionSHA256))
		e.shut(m)
	}
	if len(a.Holds) > 0 {
		e.head(19, holdLen*len(a.Holds))
		for _, h := range a.Holds {
			e.u32(uint32(h / holdUnit))
		}
	}
}

// Hold times are kept as they come: counted in 100 ms.
const (
	holdLen  = 4
	holdUnit = 100 * time.Millisecond
)

// DecodeAttempt reads what EncodeAttempt made.
func DecodeAttempt(row []byte) (a routing.Attempt, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			d.fixed(a.Hash[:])
		case 2:
			a.ID = d.u64()
		case 4:
			a.Number = d.u32()
		case 6:
			a.Route = decodeRoute(&d)
		case 8:
			d.fixed(a.SessionKey[:])
		case 10:
			a.StartedAt = d.time()
		case 12:
			a.EndedAt = d.time()
		case 14:
			a.Status = routing.Status(d.u8())
		case 16:
			d.fixed(a.Preimage[:])
		case 18:
			a.Failure = decodeAttemptFailure(&d)
		case 19:
			for i := range d.items(holdLen) {
				a.Holds = append(a.Holds, time.Duration(binary.BigEndian.Uint32(d.v[holdLen*i:]))*holdUnit)
			}
		default:
			d.unknown()
		}
	}
	return a, d.end("attempt")
}

func decodeAttemptFailure(outer *dec) *routing.AttemptFailure {
	f := new(routing.AttemptFailure)
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			f.Hop = d.int32()
		case 2:
			f.Local = d.flag()
		case 4:
			f.Code = onion.Code(d.u16())
		case 6:
			f.Amount = lnwire.MilliSat(d.u64())
		case 8:
			f.Expiry = lnwire.Height(d.u32())
		case 10:
			f.Height = lnwire.Height(d.u32())
		case 12:
			f.Flags = d.u16()
		case 14:
			f.Text = d.text()
		case 15:
			// Not reading it is no reason to lose the row: it was somebody else's to write.
			if m, err := lnwire.Unmarshal(d.v); err == nil {
				f.Update, _ = m.(*lnwire.ChannelUpdate)
			}
		case 17:
			d.fixed(f.OnionSHA256[:])
		default:
			d.unknown()
		}
	}
	outer.err = d.err
	return f
}

const routeHopLen = 33 + 8 + 8 + 4 + 8

func encodeRoute(e *enc, t byte, r *routing.Route) {
	m := e.open(t)
	e.key33(0, &r.Source)
	e.num(2, uint64(r.Amount))
	e.num(4, uint64(r.Expiry))
	if len(r.Hops) > 0 {
		e.head(6, routeHopLen*len(r.Hops))
		for i := range r.Hops {
			h := &r.Hops[i]
			e.bytes(h.Node[:])
			e.u64(uint64(h.SCID))
			e.u64(uint64(h.Forward))
			e.u32(uint32(h.Expiry))
			e.u64(uint64(h.Fee))
		}
	}
	if r.Tail != nil {
		b := e.open(7)
		encodeTail(e, r.Tail)
		e.shut(b)
	}
	e.records(9, r.Custom)
	e.shut(m)
}

func decodeRoute(outer *dec) (r routing.Route) {
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			d.fixed(r.Source[:])
		case 2:
			r.Amount = lnwire.MilliSat(d.u64())
		case 4:
			r.Expiry = lnwire.Height(d.u32())
		case 6:
			for i := range d.items(routeHopLen) {
				b := d.v[routeHopLen*i:]
				r.Hops = append(r.Hops, routing.Hop{
					Node:    lnwire.PubKey(b[:33]),
					SCID:    lnwire.ShortChannelID(binary.BigEndian.Uint64(b[33:])),
					Forward: lnwire.MilliSat(binary.BigEndian.Uint64(b[41:])),
					Expiry:  lnwire.Height(binary.BigEndian.Uint32(b[49:])),
					Fee:     lnwire.MilliSat(binary.BigEndian.Uint64(b[53:])),
				})
			}
		case 7:
			r.Tail = new(routing.Tail)
			tail := d.fields()
			for tail.next() {
				decodeTail(&tail, r.Tail)
			}
			d.err = tail.err
		case 9:
			r.Custom = d.records()
		default:
			d.unknown()
		}
	}
	outer.err = d.err
	return r
}
