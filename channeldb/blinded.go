package channeldb

import (
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// encodeTail writes the fields 0 and 2.
func encodeTail(e *enc, t *routing.Tail) {
	e.key33(0, &t.PathKey)
	if len(t.Hops) == 0 {
		return
	}
	m := e.open(2)
	for i := range t.Hops {
		e.bytes(t.Hops[i].ID[:])
		e.uvarint(uint64(len(t.Hops[i].Data)))
		e.bytes(t.Hops[i].Data)
	}
	e.shut(m)
}

// decodeTail reads one field.
func decodeTail(d *dec, t *routing.Tail) {
	switch d.t {
	case 0:
		d.fixed(t.PathKey[:])
	case 2:
		for l := (lister{b: d.v}); l.more(d); {
			var h routing.BlindedHop
			l.fixed(d, h.ID[:])
			h.Data = append([]byte{}, l.bytes(d)...)
			t.Hops = append(t.Hops, h)
		}
	default:
		d.unknown()
	}
}

// encodeBlinded writes blinded paths, each as fields of its own with their length
// before them.
func encodeBlinded(e *enc, t byte, paths []routing.BlindedPath) {
	if len(paths) == 0 {
		return
	}
	m := e.open(t)
	for i := range paths {
		p := &paths[i]
		var f enc
		encodeTail(&f, &p.Tail)
		f.key33(4, &p.Intro)
		f.num(6, uint64(p.Base))
		f.num(8, uint64(p.PPM))
		f.num(10, uint64(p.Delta))
		f.num(12, uint64(p.Min))
		f.num(14, uint64(p.Max))
		f.raw(16, p.Features)
		e.uvarint(uint64(len(f.b)))
		e.bytes(f.b)
	}
	e.shut(m)
}

func decodeBlinded(outer *dec) (paths []routing.BlindedPath) {
	for l := (lister{b: outer.v}); l.more(outer); {
		var p routing.BlindedPath
		d := dec{b: l.bytes(outer), err: outer.err, last: -1}
		for d.next() {
			switch d.t {
			case 4:
				d.fixed(p.Intro[:])
			case 6:
				p.Base = d.u32()
			case 8:
				p.PPM = d.u32()
			case 10:
				p.Delta = d.u16()
			case 12:
				p.Min = lnwire.MilliSat(d.u64())
			case 14:
				p.Max = lnwire.MilliSat(d.u64())
			case 16:
				p.Features = d.bytes()
			default:
				decodeTail(&d, &p.Tail)
			}
		}
		outer.err = d.err
		paths = append(paths, p)
	}
	return paths
}
