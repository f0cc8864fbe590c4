package channeldb

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func encodePolicy(e *enc, p *channel.Policy) {
	e.num(0, uint64(p.FeeBase))
	e.num(2, uint64(p.FeePPM))
	e.num(4, uint64(p.CLTVDelta))
	e.num(6, uint64(p.HTLCMinimum))
	e.num(8, uint64(p.HTLCMaximum))
	e.flag(10, p.Disabled)
	e.int(12, int64(p.InboundBase))
	e.int(14, int64(p.InboundPPM))
}

func decodePolicy(row []byte) (*channel.Policy, error) {
	p := new(channel.Policy)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			p.FeeBase = d.u32()
		case 2:
			p.FeePPM = d.u32()
		case 4:
			p.CLTVDelta = d.u16()
		case 6:
			p.HTLCMinimum = lnwire.MilliSat(d.u64())
		case 8:
			p.HTLCMaximum = lnwire.MilliSat(d.u64())
		case 10:
			p.Disabled = d.flag()
		case 12:
			p.InboundBase = d.int32()
		case 14:
			p.InboundPPM = d.int32()
		default:
			d.unknown()
		}
	}
	return p, d.end("channel policy")
}

// encodeFunding leaves out the outpoint: it is the key.
func encodeFunding(e *enc, f *channel.FundingTx) {
	e.tx(0, f.Tx)
	e.flag(2, f.Ours)
	e.num(4, uint64(f.Batch)) // even: who does not know it would publish too early
}

func decodeFunding(op wire.OutPoint, row []byte) (channel.FundingTx, error) {
	f := channel.FundingTx{OutPoint: op}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			f.Tx = d.tx()
		case 2:
			f.Ours = d.flag()
		case 3, 4: // it was odd at first
			f.Batch = d.u32()
		default:
			d.unknown()
		}
	}
	return f, d.end("funding transaction")
}

func encodeClosed(e *enc, c *channel.ClosedRow) {
	e.num(0, c.ChanNum)
	e.key33(2, &c.Peer)
	e.hash32(4, (*[32]byte)(&c.ChannelID))
	e.outPoint(6, c.Funding)
	e.num(8, uint64(c.SCID))
	e.num(10, uint64(c.Capacity))
	e.num(12, uint64(c.Kind))
	e.flag(14, c.Funder)
	e.flag(16, c.WeClosed)
	e.flag(18, c.Private)
	e.hash32(20, (*[32]byte)(&c.CloseTxid))
	e.block(22, c.At)
	e.num(24, uint64(c.Settled))
	e.num(26, uint64(c.TimeLock))
	e.text(28, c.Reason)
	if len(c.Resolutions) > 0 {
		e.head(30, resolutionLen*len(c.Resolutions))
		for i := range c.Resolutions {
			r := &c.Resolutions[i]
			e.byte(byte(r.Kind))
			e.byte(byte(r.End))
			e.outPointKey(r.OutPoint)
			e.u64(uint64(r.Value))
			e.bytes(r.Txid[:])
		}
	}
	if c.Alias != 0 {
		e.num(31, uint64(c.Alias))
	}
	if c.ZeroConf {
		e.flag(33, true)
	}
}

const resolutionLen = 2 + outPointLen + 8 + 32

func decodeResolutions(d *dec) (list []channel.Resolution) {
	for i := range d.items(resolutionLen) {
		b := d.v[resolutionLen*i:]
		r := channel.Resolution{
			Kind: channel.ResolutionKind(b[0]), End: channel.ResolutionEnd(b[1]), OutPoint: outPointOf(b[2:]),
			Value: lnwire.Sat(binary.BigEndian.Uint64(b[2+outPointLen:])),
		}
		copy(r.Txid[:], b[10+outPointLen:])
		list = append(list, r)
	}
	return list
}

func decodeClosed(row []byte) (*channel.ClosedRow, error) {
	c := new(channel.ClosedRow)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			c.ChanNum = d.u64()
		case 2:
			d.fixed(c.Peer[:])
		case 4:
			d.fixed(c.ChannelID[:])
		case 6:
			c.Funding = d.outPoint()
		case 8:
			c.SCID = lnwire.ShortChannelID(d.u64())
		case 10:
			c.Capacity = lnwire.Sat(d.u64())
		case 12:
			c.Kind = channel.CloseKind(d.u8())
		case 14:
			c.Funder = d.flag()
		case 16:
			c.WeClosed = d.flag()
		case 18:
			c.Private = d.flag()
		case 20:
			d.fixed(c.CloseTxid[:])
		case 22:
			c.At = d.block()
		case 24:
			c.Settled = lnwire.Sat(d.u64())
		case 26:
			c.TimeLock = lnwire.Sat(d.u64())
		case 28:
			c.Reason = d.text()
		case 30:
			c.Resolutions = decodeResolutions(&d)
		case 31:
			c.Alias = lnwire.ShortChannelID(d.u64())
		case 33:
			c.ZeroConf = d.flag()
		default:
			d.unknown()
		}
	}
	return c, d.end("closed channel")
}

func encodeOnion(e *enc, onion *[lnwire.OnionLen]byte) { e.raw(0, onion[:]) }

func decodeOnion(row []byte) (*[lnwire.OnionLen]byte, error) {
	onion := new([lnwire.OnionLen]byte)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			d.fixed(onion[:])
		default:
			d.unknown()
		}
	}
	return onion, d.end("onion")
}
