package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func encodeCore(e *enc, c *channel.Core) {
	e.num(0, uint64(c.Phase))
	e.hash32(2, (*[32]byte)(&c.ChannelID))
	e.outPoint(4, c.Funding)
	if c.Confirmed != nil {
		encodePlace(e, 6, *c.Confirmed)
	}
	e.num(8, uint64(c.SCID))
	e.num(10, uint64(c.PeerAlias))
	e.flag(12, c.SentReady)
	e.flag(14, c.GotReady)
	if c.PeerAnn != nil {
		e.head(16, annLen)
		e.u64(uint64(c.PeerAnn.SCID))
		e.bytes(c.PeerAnn.NodeSig[:])
		e.bytes(c.PeerAnn.BitcoinSig[:])
	}
	e.block(18, c.Tip)
	e.num(20, uint64(c.Ours))
	e.num(22, uint64(c.Theirs))
	e.num(24, uint64(c.Sent))
	e.num(25, uint64(c.Forfeit))
	e.num(26, uint64(c.Got))
	e.num(28, c.LocalN)
	e.num(30, c.RemoteN)
	e.num(32, c.RemoteRevoked)
	e.key33(34, &c.RemotePoint)
	e.key33(36, &c.RemoteNext)
	e.flag(38, c.CommitLast)
	e.num(40, c.NextOut)
	e.num(42, c.NextIn)
	e.num(44, uint64(c.FeeRate))
	if len(c.Fees) > 0 {
		e.head(46, feeLen*len(c.Fees))
		for _, f := range c.Fees {
			e.u32(uint32(f.Rate))
			e.byte(byte(f.State))
		}
	}
	e.opt(48, c.OurShutdown)
	e.opt(50, c.TheirShutdown)
	e.tx(52, c.CloseTx)
	e.tx(53, c.PeerCloseTx)
	e.num(54, uint64(c.CloseFee))
	e.num(55, uint64(c.CloseRate))
	e.flag(56, c.WeClosed)
	if len(c.OldScripts) > 0 {
		m := e.open(57)
		for _, script := range c.OldScripts {
			e.head(0, len(script))
			e.bytes(script)
		}
		e.shut(m)
	}
	e.text(58, c.Reason)
	e.text(60, c.ErrorText)
	e.flag(62, c.DataLost)
	e.key33(64, &c.LostPoint)
	if c.Spend != nil {
		encodeSpend(e, 66, c.Spend)
	}
}

const (
	annLen = 8 + 64 + 64
	feeLen = 5
)

func decodeCore(row []byte) (*channel.Core, error) {
	c := new(channel.Core)
	d := read(row, 1)
	for d.next() {
		if d.t <= 26 {
			decodeCoreLife(&d, c)
		} else if d.t <= 46 {
			decodeCoreDance(&d, c)
		} else {
			decodeCoreEnd(&d, c)
		}
	}
	return c, d.end("channel core")
}

// decodeCoreLife reads where the channel stands and what each side has.
func decodeCoreLife(d *dec, c *channel.Core) {
	switch d.t {
	case 0:
		c.Phase = channel.Phase(d.u8())
	case 2:
		d.fixed(c.ChannelID[:])
	case 4:
		c.Funding = d.outPoint()
	case 6:
		p := decodePlace(d)
		c.Confirmed = &p
	case 8:
		c.SCID = lnwire.ShortChannelID(d.u64())
	case 10:
		c.PeerAlias = lnwire.ShortChannelID(d.u64())
	case 12:
		c.SentReady = d.flag()
	case 14:
		c.GotReady = d.flag()
	case 16:
		var b [annLen]byte
		d.fixed(b[:])
		c.PeerAnn = &channel.AnnSigs{
			SCID:    lnwire.ShortChannelID(binary.BigEndian.Uint64(b[:])),
			NodeSig: lnwire.Sig(b[8:72]), BitcoinSig: lnwire.Sig(b[72:]),
		}
	case 18:
		c.Tip = d.block()
	case 20:
		c.Ours = lnwire.MilliSat(d.u64())
	case 22:
		c.Theirs = lnwire.MilliSat(d.u64())
	case 24:
		c.Sent = lnwire.MilliSat(d.u64())
	case 25:
		c.Forfeit = lnwire.MilliSat(d.u64())
	case 26:
		c.Got = lnwire.MilliSat(d.u64())
	default:
		d.unknown()
	}
}

// decodeCoreDance reads what the commit dance changes.
func decodeCoreDance(d *dec, c *channel.Core) {
	switch d.t {
	case 28:
		c.LocalN = d.u64()
	case 30:
		c.RemoteN = d.u64()
	case 32:
		c.RemoteRevoked = d.u64()
	case 34:
		d.fixed(c.RemotePoint[:])
	case 36:
		d.fixed(c.RemoteNext[:])
	case 38:
		c.CommitLast = d.flag()
	case 40:
		c.NextOut = d.u64()
	case 42:
		c.NextIn = d.u64()
	case 44:
		c.FeeRate = lnwire.SatPerKW(d.u32())
	case 46:
		for i := range d.items(feeLen) {
			b := d.v[feeLen*i:]
			c.Fees = append(c.Fees, channel.FeeUpdate{
				Rate: lnwire.SatPerKW(binary.BigEndian.Uint32(b)), State: htlc.State(b[4]),
			})
		}
	default:
		d.unknown()
	}
}

// decodeCoreEnd reads how the channel ends.
func decodeCoreEnd(d *dec, c *channel.Core) {
	switch d.t {
	case 48:
		c.OurShutdown = d.bytes()
	case 50:
		c.TheirShutdown = d.bytes()
	case 52:
		c.CloseTx = d.tx()
	case 53:
		c.PeerCloseTx = d.tx()
	case 54:
		c.CloseFee = lnwire.Sat(d.u64())
	case 55:
		c.CloseRate = lnwire.SatPerKW(d.u32())
	case 56:
		c.WeClosed = d.flag()
	case 57:
		c.OldScripts = decodeScripts(d)
	case 58:
		c.Reason = d.text()
	case 60:
		c.ErrorText = d.text()
	case 62:
		c.DataLost = d.flag()
	case 64:
		d.fixed(c.LostPoint[:])
	case 66:
		c.Spend = decodeSpend(d)
	default:
		d.unknown()
	}
}

// decodeScripts reads a list in which every element is a field of type 0.
func decodeScripts(outer *dec) (list [][]byte) {
	d := outer.fields()
	for d.next() {
		if d.t != 0 {
			d.unknown()
			continue
		}
		script := d.bytes()
		if len(script) == 0 {
			script = nil
		}
		list = append(list, script)
		d.last = -1 // the next element has the same type
	}
	outer.err = d.err
	return list
}

func encodePlace(e *enc, t byte, p channel.Place) {
	e.head(t, blockLen+4)
	e.blockRef(p.At)
	e.u32(p.TxIndex)
}

func decodePlace(d *dec) (p channel.Place) {
	var b [blockLen + 4]byte
	d.fixed(b[:])
	p.At.Height = lnwire.Height(binary.BigEndian.Uint32(b[:]))
	copy(p.At.Hash[:], b[4:])
	p.TxIndex = binary.BigEndian.Uint32(b[blockLen:])
	return p
}

func encodeSpend(e *enc, t byte, s *channel.Spend) {
	m := e.open(t)
	e.tx(0, s.Tx)
	encodePlace(e, 2, s.Place)
	e.num(4, uint64(s.Kind))
	e.flag(6, s.Reported)
	if len(s.Resolving) > 0 {
		list := e.open(8)
		for _, r := range s.Resolving {
			one := e.open(0)
			e.tx(0, r.Tx)
			encodePlace(e, 2, r.Place)
			e.shut(one)
		}
		e.shut(list)
	}
	e.shut(m)
}

func decodeSpend(outer *dec) *channel.Spend {
	s := new(channel.Spend)
	d := outer.fields()
	for d.next() {
		switch d.t {
		case 0:
			s.Tx = d.tx()
		case 2:
			s.Place = decodePlace(&d)
		case 4:
			s.Kind = channel.SpendKind(d.u8())
		case 6:
			s.Reported = d.flag()
		case 8:
			s.Resolving = decodeMined(&d)
		default:
			d.unknown()
		}
	}
	outer.err = d.err
	return s
}

// decodeMined reads a list in which every element is a field of type 0.
func decodeMined(outer *dec) (list []channel.Mined) {
	d := outer.fields()
	for d.next() {
		if d.t != 0 {
			d.unknown()
			continue
		}
		var m channel.Mined
		one := d.fields()
		for one.next() {
			switch one.t {
			case 0:
				m.Tx = one.tx()
			case 2:
				m.Place = decodePlace(&one)
			default:
				one.unknown()
			}
		}
		d.err = one.err
		d.last = -1 // the next element has the same type
		list = append(list, m)
	}
	outer.err = d.err
	return list
}
