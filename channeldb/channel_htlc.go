package channeldb

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// encodeHTLC leaves out the Ref: it is the key.
func encodeHTLC(e *enc, h *htlc.HTLC) {
	e.num(0, uint64(h.Amount))
	e.num(2, uint64(h.Expiry))
	e.hash32(4, (*[32]byte)(&h.Hash))
	e.num(6, uint64(h.State))
	encodeOrigin(e, 8, h.Origin)
	if h.Removal != nil {
		encodeResolution(e, 10, h.Removal)
	}
	if h.PathKey != nil {
		e.raw(12, h.PathKey[:])
	}
	e.flag(14, h.Told)
	e.num(15, uint64(h.Accountable))
	e.time(17, h.LockedAt)
	e.flag(19, h.Late)
	e.records(21, h.Custom)
}

func decodeHTLC(ref htlc.Ref, row []byte) (htlc.HTLC, error) {
	h := htlc.HTLC{Ref: ref}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			h.Amount = lnwire.MilliSat(d.u64())
		case 2:
			h.Expiry = lnwire.Height(d.u32())
		case 4:
			d.fixed(h.Hash[:])
		case 6:
			h.State = htlc.State(d.u8())
		case 8:
			h.Origin = decodeOrigin(&d)
		case 10:
			r := decodeResolution(&d)
			h.Removal = &r
		case 12:
			h.PathKey = new(lnwire.PubKey)
			d.fixed(h.PathKey[:])
		case 14:
			h.Told = d.flag()
		case 15:
			h.Accountable = lnwire.Accountability(d.u8())
		case 17:
			h.LockedAt = d.time()
		case 19:
			h.Late = d.flag()
		case 21:
			h.Custom = d.records()
		default:
			d.unknown()
		}
	}
	return h, d.end("htlc")
}

func encodeOrigin(e *enc, t byte, o htlc.Origin) {
	if o == (htlc.Origin{}) {
		return
	}
	m := e.open(t)
	e.num(0, uint64(o.Kind))
	e.num(2, o.AttemptID)
	e.refField(4, o.Ref)
	e.num(6, uint64(o.AmountIn))
	e.num(8, uint64(o.ExpiryIn))
	e.shut(m)
}

func decodeOrigin(outer *dec) (o htlc.Origin) {
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			o.Kind = htlc.OriginKind(d.u8())
		case 2:
			o.AttemptID = d.u64()
		case 4:
			o.Ref = d.ref()
		case 6:
			o.AmountIn = lnwire.MilliSat(d.u64())
		case 8:
			o.ExpiryIn = lnwire.Height(d.u32())
		default:
			d.unknown()
		}
	}
	outer.err = d.err
	return o
}

func encodeResolution(e *enc, t byte, r *htlc.Resolution) {
	m := e.open(t)
	e.num(0, uint64(r.Kind))
	e.hash32(2, (*[32]byte)(&r.Preimage))
	e.raw(4, r.Reason)
	e.hash32(6, &r.OnionSHA256)
	e.num(8, uint64(r.Code))
	if r.Attribution != nil {
		e.raw(9, r.Attribution[:])
	}
	e.shut(m)
}

func decodeResolution(outer *dec) (r htlc.Resolution) {
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			r.Kind = htlc.ResolutionKind(d.u8())
		case 2:
			d.fixed(r.Preimage[:])
		case 4:
			r.Reason = d.bytes()
		case 6:
			d.fixed(r.OnionSHA256[:])
		case 8:
			r.Code = d.u16()
		case 9:
			r.Attribution = new(lnwire.Attribution)
			d.fixed(r.Attribution[:])
		default:
			d.unknown()
		}
	}
	outer.err = d.err
	return r
}
