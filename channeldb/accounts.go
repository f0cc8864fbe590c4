package channeldb

import (
	"encoding/binary"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

func (o *ops) account(a *wallet.AccountRow) {
	o.start(inAccounts, put)
	o.enc.u32(a.Number)
	o.row(1)
	o.text(0, a.Name)
	o.num(2, uint64(a.Kind))
	o.key33(4, &a.ID.Key)
	o.hash32(6, &a.ID.Chain)
	o.four(8, a.ID.Parent)
	o.num(10, uint64(a.ID.Depth))
	o.num(12, uint64(a.ID.Child))
	o.four(14, a.Master)
	o.scan(16, a.Scan)
	o.end()
}

// four is any four bytes; left out when all are zero.
func (e *enc) four(t byte, v [4]byte) {
	if v != [4]byte{} {
		e.raw(t, v[:])
	}
}

// scan takes two types.
func (e *enc) scan(t byte, s wallet.Scan) {
	e.num(t, uint64(s.Begin))
	e.num(t+2, uint64(s.Next))
}

func decodeAccount(key, row []byte) (a wallet.AccountRow, err error) {
	if len(key) != 4 {
		return a, badKey(inAccounts, key)
	}
	a.Number = binary.BigEndian.Uint32(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			a.Name = d.text()
		case 2:
			a.Kind = keys.AccountKind(d.u8())
		case 4:
			d.fixed(a.ID.Key[:])
		case 6:
			d.fixed(a.ID.Chain[:])
		case 8:
			d.fixed(a.ID.Parent[:])
		case 10:
			a.ID.Depth = d.u8()
		case 12:
			a.ID.Child = d.u32()
		case 14:
			d.fixed(a.Master[:])
		case 16:
			a.Scan.Begin = lnwire.Height(d.u32())
		case 18:
			a.Scan.Next = lnwire.Height(d.u32())
		default:
			d.unknown()
		}
	}
	return a, d.end("account")
}

func (o *ops) importedKey(k *wallet.KeyRow) {
	o.start(inWatchedKeys, put)
	o.enc.u32(k.Index)
	o.row(1)
	o.num(0, uint64(k.Kind))
	o.key33(2, &k.Key)
	o.scan(4, k.Scan)
	if k.Output {
		o.flag(7, true)
	}
	o.end()
}

func decodeImportedKey(key, row []byte) (k wallet.KeyRow, err error) {
	if len(key) != 4 {
		return k, badKey(inWatchedKeys, key)
	}
	k.Index = binary.BigEndian.Uint32(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			k.Kind = keys.AccountKind(d.u8())
		case 2:
			d.fixed(k.Key[:])
		case 4:
			k.Scan.Begin = lnwire.Height(d.u32())
		case 6:
			k.Scan.Next = lnwire.Height(d.u32())
		case 7:
			k.Output = d.flag()
		default:
			d.unknown()
		}
	}
	return k, d.end("watched key")
}

func decodeFamily(key, row []byte) (f wallet.FamilyRow, err error) {
	if len(key) != 4 {
		return f, badKey(inFamilies, key)
	}
	f.Family = binary.BigEndian.Uint32(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			f.Next = d.u32()
		default:
			d.unknown()
		}
	}
	return f, d.end("key family")
}
