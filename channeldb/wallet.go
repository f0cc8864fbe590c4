package channeldb

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// wallet adds all changes of a delta.
func (o *ops) wallet(d *wallet.Delta) {
	for _, r := range d.Branches {
		o.start(inBranches, put)
		o.byte(byte(r.Account))
		o.byte(byte(r.Branch))
		if r.Number != 0 {
			o.u32(r.Number)
		}
		o.row(1)
		o.num(0, uint64(r.Next))
		o.num(2, uint64(r.Used))
		o.end()
	}
	for i := range d.Coins {
		o.coin(&d.Coins[i])
	}
	for _, op := range d.CoinsGone {
		o.start(inCoins, del)
		o.outPointKey(op)
		o.bare()
	}
	for i := range d.Txs {
		o.walletTx(&d.Txs[i])
	}
	for _, txid := range d.TxsGone {
		o.start(inTxs, del)
		o.bytes(txid[:])
		o.bare()
	}
	for i := range d.Leases {
		o.lease(&d.Leases[i])
	}
	for _, op := range d.LeasesGone {
		o.start(inLeases, del)
		o.outPointKey(op)
		o.bare()
	}
	for i := range d.Wishes {
		o.wish(&d.Wishes[i])
	}
	for _, op := range d.WishesGone {
		o.start(inWishes, del)
		o.outPointKey(op)
		o.bare()
	}
	for i := range d.Accounts {
		o.account(&d.Accounts[i])
	}
	for i := range d.Keys {
		o.importedKey(&d.Keys[i])
	}
	for _, r := range d.Families {
		o.start(inFamilies, put)
		o.enc.u32(r.Family)
		o.row(1)
		o.num(0, uint64(r.Next))
		o.end()
	}
	if d.Tip != nil {
		o.start(inTip, put)
		o.byte(0)
		o.row(1)
		o.block(0, d.Tip.At)
		o.num(1, uint64(d.Tip.Window))
		o.scan(2, d.Tip.Scan) // who does not know of it must not take what was found for all there is
		o.end()
	}
}

func (o *ops) coin(c *wallet.CoinRow) {
	o.start(inCoins, put)
	o.outPointKey(c.OutPoint)
	o.row(1)
	o.num(0, uint64(c.Value))
	o.raw(2, c.PkScript)
	o.head(4, coinLocLen)
	o.byte(byte(c.Key.Account))
	o.byte(byte(c.Key.Branch))
	o.u32(c.Key.Index)
	o.enc.block(6, c.At)
	o.flag(8, c.Coinbase)
	o.flag(10, c.Own)
	o.hash32(12, (*[32]byte)(&c.SpentBy))
	if c.Key.Number != 0 {
		o.num(14, uint64(c.Key.Number)) // even: without it the key is another's
	}
	o.end()
}

const coinLocLen = 6

func decodeCoin(key, row []byte) (c wallet.CoinRow, err error) {
	if len(key) != outPointLen {
		return c, badKey(inCoins, key)
	}
	c.OutPoint = outPointOf(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			c.Value = lnwire.Sat(d.u64())
		case 2:
			c.PkScript = d.bytes()
		case 4:
			var b [coinLocLen]byte
			d.fixed(b[:])
			c.Key.Account, c.Key.Branch = keys.AccountKind(b[0]), keys.Branch(b[1])
			c.Key.Index = binary.BigEndian.Uint32(b[2:])
		case 6:
			c.At = d.block()
		case 8:
			c.Coinbase = d.flag()
		case 10:
			c.Own = d.flag()
		case 12:
			d.fixed(c.SpentBy[:])
		case 14:
			c.Key.Number = d.u32()
		default:
			d.unknown()
		}
	}
	return c, d.end("coin")
}

func (o *ops) walletTx(t *wallet.TxRow) {
	o.start(inTxs, put)
	o.bytes(t.Txid[:])
	o.row(1)
	o.tx(0, t.Tx)
	o.enc.block(2, t.At)
	o.num(4, uint64(t.Index))
	o.int(6, t.Seen)
	o.text(8, t.Label)
	o.flag(10, t.Own)
	o.flag(12, t.Sweep)
	o.num(14, uint64(t.Fee))
	o.flag(16, t.FeeKnown)
	o.num(18, uint64(t.Debit))
	o.num(20, uint64(t.Credit))
	o.list32(22, t.Inputs)
	o.list32(24, t.Outputs)
	encodeCharges(&o.enc, 25, t.Charges)
	o.end()
}

// list32 is a list of small numbers.
func (e *enc) list32(t byte, list []uint32) {
	if len(list) == 0 {
		return
	}
	e.head(t, 4*len(list))
	for _, v := range list {
		e.u32(v)
	}
}

func (d *dec) list32() (list []uint32) {
	for i := range d.items(4) {
		list = append(list, binary.BigEndian.Uint32(d.v[4*i:]))
	}
	return list
}

func decodeWalletTx(key, row []byte) (t wallet.TxRow, err error) {
	if len(key) != 32 {
		return t, badKey(inTxs, key)
	}
	t.Txid = chainhash.Hash(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			t.Tx = d.tx()
		case 2:
			t.At = d.block()
		case 4:
			t.Index = d.u32()
		case 6:
			t.Seen = d.int()
		case 8:
			t.Label = d.text()
		case 10:
			t.Own = d.flag()
		case 12:
			t.Sweep = d.flag()
		case 14:
			t.Fee = lnwire.Sat(d.u64())
		case 16:
			t.FeeKnown = d.flag()
		case 18:
			t.Debit = lnwire.Sat(d.u64())
		case 20:
			t.Credit = lnwire.Sat(d.u64())
		case 22:
			t.Inputs = d.list32()
		case 24:
			t.Outputs = d.list32()
		case 25:
			t.Charges = decodeCharges(&d)
		default:
			d.unknown()
		}
	}
	return t, d.end("wallet transaction")
}

func (o *ops) lease(l *wallet.LeaseRow) {
	o.start(inLeases, put)
	o.outPointKey(l.OutPoint)
	o.row(1)
	o.hash32(0, &l.ID)
	o.num(2, uint64(l.Owner))
	o.num(4, l.Number)
	o.int(6, l.Expiry)
	o.end()
}

func decodeLease(key, row []byte) (l wallet.LeaseRow, err error) {
	if len(key) != outPointLen {
		return l, badKey(inLeases, key)
	}
	l.OutPoint = outPointOf(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			d.fixed(l.ID[:])
		case 2:
			l.Owner = wallet.LeaseOwner(d.u8())
		case 4:
			l.Number = d.u64()
		case 6:
			l.Expiry = d.int()
		default:
			d.unknown()
		}
	}
	return l, d.end("lease")
}

func (o *ops) wish(w *wallet.WishRow) {
	o.start(inWishes, put)
	o.outPointKey(w.OutPoint)
	o.row(1)
	o.num(0, uint64(w.Rate))
	o.num(2, uint64(w.Deadline))
	o.num(4, uint64(w.Budget))
	o.flag(6, w.Alone)
	o.num(8, uint64(w.At))
	o.flag(10, w.Lifts)
	o.end()
}

func decodeWish(key, row []byte) (w wallet.WishRow, err error) {
	if len(key) != outPointLen {
		return w, badKey(inWishes, key)
	}
	w.OutPoint = outPointOf(key)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			w.Rate = lnwire.SatPerKW(d.u64())
		case 2:
			w.Deadline = lnwire.Height(d.u32())
		case 4:
			w.Budget = lnwire.Sat(d.u64())
		case 6:
			w.Alone = d.flag()
		case 8:
			w.At = lnwire.Height(d.u32())
		case 10:
			w.Lifts = d.flag()
		default:
			d.unknown()
		}
	}
	return w, d.end("wish")
}

func decodeBranch(key, row []byte) (b wallet.BranchRow, err error) {
	if len(key) != 2 && len(key) != 6 {
		return b, badKey(inBranches, key)
	}
	b.Account, b.Branch = keys.AccountKind(key[0]), keys.Branch(key[1])
	if len(key) == 6 {
		b.Number = binary.BigEndian.Uint32(key[2:])
	}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			b.Next = d.u32()
		case 2:
			b.Used = d.u32()
		default:
			d.unknown()
		}
	}
	return b, d.end("branch")
}

func decodeTip(row []byte) (*wallet.TipRow, error) {
	t := new(wallet.TipRow)
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			t.At = d.block()
		case 1:
			t.Window = d.u32()
		case 2:
			t.Scan.Begin = lnwire.Height(d.u32())
		case 4:
			t.Scan.Next = lnwire.Height(d.u32())
		default:
			d.unknown()
		}
	}
	return t, d.end("tip")
}

func badKey(b bucket, key []byte) error {
	return fmt.Errorf("read %v: key %x is malformed: %w", b, key, ErrDamaged)
}

// Wallet reads all rows of the wallet: what it starts from. Nothing of the wallet
// may be written meanwhile.
func (db *DB) Wallet() (rows wallet.Rows, err error) {
	if rows.Branches, err = list(db, inBranches, decodeBranch); err != nil {
		return rows, err
	}
	if rows.Coins, err = list(db, inCoins, decodeCoin); err != nil {
		return rows, err
	}
	if rows.Txs, err = list(db, inTxs, decodeWalletTx); err != nil {
		return rows, err
	}
	if rows.Leases, err = list(db, inLeases, decodeLease); err != nil {
		return rows, err
	}
	if rows.Wishes, err = list(db, inWishes, decodeWish); err != nil {
		return rows, err
	}
	if rows.Accounts, err = list(db, inAccounts, decodeAccount); err != nil {
		return rows, err
	}
	if rows.Keys, err = list(db, inWatchedKeys, decodeImportedKey); err != nil {
		return rows, err
	}
	if rows.Families, err = list(db, inFamilies, decodeFamily); err != nil {
		return rows, err
	}
	tips, err := list(db, inTip, func(_, row []byte) (*wallet.TipRow, error) { return decodeTip(row) })
	if len(tips) > 0 {
		rows.Tip = tips[0]
	}
	return rows, err
}

// list reads all rows of a bucket.
func list[T any](db *DB, b bucket, decode func(key, row []byte) (T, error)) (all []T, err error) {
	err = db.scan(b, nil, func(key, row []byte) (bool, error) {
		v, err := decode(key, row)
		all = append(all, v)
		return true, err
	})
	return all, err
}
