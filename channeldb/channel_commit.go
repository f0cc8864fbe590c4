package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func encodeLocal(e *enc, l *channel.LocalCommit) {
	e.num(0, l.N)
	e.sig(2, &l.Sig)
	if len(l.HTLCSigs) > 0 {
		e.head(4, sigLen*len(l.HTLCSigs))
		for i := range l.HTLCSigs {
			e.bytes(l.HTLCSigs[i][:])
		}
	}
}

const sigLen = 64

func decodeLocal(row []byte) (*channel.LocalCommit, error) {
	l := new(channel.LocalCommit)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			l.N = d.u64()
		case 2:
			d.fixed(l.Sig[:])
		case 4:
			n := d.items(sigLen)
			l.HTLCSigs = make([]lnwire.Sig, n)
			for i := range n {
				copy(l.HTLCSigs[i][:], d.v[sigLen*i:])
			}
		default:
			d.unknown()
		}
	}
	return l, d.end("local commitment")
}

// encodeRevoked leaves out the number, which is in the key, and the channel's
// number in each Ref. These rows are by far the most: each HTLC takes about 45
// bytes.
func encodeRevoked(e *enc, r *channel.Revoked) {
	e.num(0, uint64(r.FeeRate))
	e.num(2, uint64(r.Ours))
	e.num(4, uint64(r.Theirs))
	if len(r.HTLCs) == 0 {
		return
	}
	m := e.open(6)
	for i := range r.HTLCs {
		h := &r.HTLCs[i]
		e.uvarint(h.Ref.ID<<1 | uint64(h.Ref.Dir&1))
		e.uvarint(uint64(h.Amount))
		e.u32(uint32(h.Expiry))
		e.bytes(h.Hash[:])
	}
	e.shut(m)
}

func decodeRevoked(num, n uint64, row []byte) (channel.Revoked, error) {
	r := channel.Revoked{N: n}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			r.FeeRate = lnwire.SatPerKW(d.u32())
		case 2:
			r.Ours = lnwire.MilliSat(d.u64())
		case 4:
			r.Theirs = lnwire.MilliSat(d.u64())
		case 6:
			r.HTLCs = decodeRevokedHTLCs(&d, num)
		default:
			d.unknown()
		}
	}
	return r, d.end("revoked commitment")
}

func decodeRevokedHTLCs(d *dec, num uint64) (list []channel.RevokedHTLC) {
	for b := d.v; len(b) > 0; {
		id, n := binary.Uvarint(b)
		if n <= 0 {
			d.fail("id of a revoked htlc is malformed")
			return nil
		}
		amount, m := binary.Uvarint(b[n:])
		if m <= 0 || len(b) < n+m+36 {
			d.fail("revoked htlc is cut short")
			return nil
		}
		b = b[n+m:]
		list = append(list, channel.RevokedHTLC{
			Ref:    htlc.Ref{ChanNum: num, Dir: htlc.Direction(id & 1), ID: id >> 1},
			Amount: lnwire.MilliSat(amount),
			Expiry: lnwire.Height(binary.BigEndian.Uint32(b)),
			Hash:   lnwire.Hash(b[4:36]),
		})
		b = b[36:]
	}
	return list
}

func encodeSecrets(e *enc, s *commitment.ShaChain) { e.raw(0, s.Encode()) }

func decodeSecrets(row []byte) (*commitment.ShaChain, error) {
	s := new(commitment.ShaChain)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			chain, err := commitment.DecodeShaChain(d.v)
			if err != nil {
				d.fail("%v", err)
			}
			*s = chain
		default:
			d.unknown()
		}
	}
	return s, d.end("peer's secrets")
}
