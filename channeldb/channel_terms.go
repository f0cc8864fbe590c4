package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func encodeTerms(e *enc, t *channel.Terms) {
	e.num(0, t.ChanNum)
	e.key33(2, &t.Peer)
	e.hash32(4, (*[32]byte)(&t.TempID))
	e.flag(6, t.Funder)
	e.flag(8, t.Private)
	e.num(10, uint64(t.Format))
	e.raw(12, t.ChannelType)
	e.num(14, uint64(t.Capacity))
	e.num(16, uint64(t.Push))
	e.num(18, uint64(t.FirstFee))
	e.num(20, uint64(t.MinDepth))
	encodeSide(e, 22, &t.Ours)
	encodeSide(e, 24, &t.Theirs)
	encodeKeyLocs(e, 26, &t.Keys)
	e.num(28, uint64(t.Alias))
	e.raw(30, t.Features)
	e.text(32, t.Memo)
	e.time(34, t.OpenedAt)
	e.block(36, t.OpenedTip)
	e.flag(37, t.Restored)
	if t.Thaw != 0 {
		e.num(39, uint64(t.Thaw))
	}
}

func decodeTerms(row []byte) (*channel.Terms, error) {
	t := new(channel.Terms)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			t.ChanNum = d.u64()
		case 2:
			d.fixed(t.Peer[:])
		case 4:
			d.fixed(t.TempID[:])
		case 6:
			t.Funder = d.flag()
		case 8:
			t.Private = d.flag()
		case 10:
			t.Format = commitment.Format(d.u8())
		case 12:
			t.ChannelType = d.bytes()
		case 14:
			t.Capacity = lnwire.Sat(d.u64())
		case 16:
			t.Push = lnwire.MilliSat(d.u64())
		case 18:
			t.FirstFee = lnwire.SatPerKW(d.u32())
		case 20:
			t.MinDepth = d.u32()
		case 22:
			decodeSide(&d, &t.Ours)
		case 24:
			decodeSide(&d, &t.Theirs)
		case 26:
			decodeKeyLocs(&d, &t.Keys)
		case 28:
			t.Alias = lnwire.ShortChannelID(d.u64())
		case 30:
			t.Features = d.bytes()
		case 32:
			t.Memo = d.text()
		case 34:
			t.OpenedAt = d.time()
		case 36:
			t.OpenedTip = d.block()
		case 37:
			t.Restored = d.flag()
		case 39:
			t.Thaw = d.u32()
		default:
			d.unknown()
		}
	}
	return t, d.end("channel terms")
}

func encodeSide(e *enc, t byte, s *channel.Side) {
	m := e.open(t)
	e.key33(0, &s.Funding)
	e.key33(2, &s.Revocation)
	e.key33(4, &s.Payment)
	e.key33(6, &s.Delayed)
	e.key33(8, &s.HTLC)
	e.num(10, uint64(s.DustLimit))
	e.num(12, uint64(s.Reserve))
	e.num(14, uint64(s.MaxInFlight))
	e.num(16, uint64(s.HTLCMinimum))
	e.num(18, uint64(s.MaxAccepted))
	e.num(20, uint64(s.ToSelfDelay))
	e.opt(22, s.Upfront)
	e.shut(m)
}

func decodeSide(outer *dec, s *channel.Side) {
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			d.fixed(s.Funding[:])
		case 2:
			d.fixed(s.Revocation[:])
		case 4:
			d.fixed(s.Payment[:])
		case 6:
			d.fixed(s.Delayed[:])
		case 8:
			d.fixed(s.HTLC[:])
		case 10:
			s.DustLimit = lnwire.Sat(d.u64())
		case 12:
			s.Reserve = lnwire.Sat(d.u64())
		case 14:
			s.MaxInFlight = lnwire.MilliSat(d.u64())
		case 16:
			s.HTLCMinimum = lnwire.MilliSat(d.u64())
		case 18:
			s.MaxAccepted = d.u16()
		case 20:
			s.ToSelfDelay = d.u16()
		case 22:
			s.Upfront = d.bytes()
		default:
			d.unknown()
		}
	}
	outer.err = d.err
}

// keyLocs lists the six places in the order in which they are stored.
func keyLocs(k *commitment.KeyLocs) [6]*commitment.KeyLoc {
	return [6]*commitment.KeyLoc{&k.Funding, &k.Revocation, &k.Payment, &k.Delayed, &k.HTLC, &k.Root}
}

const keyLocLen = 8

func encodeKeyLocs(e *enc, t byte, k *commitment.KeyLocs) {
	e.head(t, 6*keyLocLen)
	for _, loc := range keyLocs(k) {
		e.u32(loc.Family)
		e.u32(loc.Index)
	}
}

func decodeKeyLocs(d *dec, k *commitment.KeyLocs) {
	if len(d.v) != 6*keyLocLen {
		d.fail("key places have %d bytes", len(d.v))
		return
	}
	for i, loc := range keyLocs(k) {
		loc.Family = binary.BigEndian.Uint32(d.v[keyLocLen*i:])
		loc.Index = binary.BigEndian.Uint32(d.v[keyLocLen*i+4:])
	}
}
