package channeldb

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/channel"
)

// bucket is a kind of row: a place of its own in the file. The numbers and names
// are stored.
type bucket uint8

const (
	inMeta bucket = iota + 1
	inCounters
	inChannels
	inOnions
	inRevoked
	inClosed
	inOutbox
	inTags
	inTagExpiry
	inForwards
	inForwardTimes
	inEvents
	inPurge
	inBranches
	inCoins
	inTxs
	inLeases
	inTip
	inPeers
	inNotes
	inInvoices
	inInvoiceAdded
	inInvoiceSettled
	inPayments
	inPaymentIndex
	inAttempts
	inScores
	inOpenInvoices
	inOpenPayments
	inPaymentNumber
	inBlobs
	inInvoiceSecrets
	inWishes
	inZones
	inForwardCounts
	inForwardChannels
	inAccounts
	inWatchedKeys
	inFamilies
	inBudgets
	inResolutions
	inSelf
	inConduct
	numBuckets
)

var bucketNames = [numBuckets]string{
	inMeta: "meta", inCounters: "counters", inChannels: "channels", inOnions: "onions", inRevoked: "revoked",
	inClosed: "closed", inOutbox: "outbox", inTags: "tags", inTagExpiry: "tag-expiry", inForwards: "forwards",
	inForwardTimes: "forward-times", inEvents: "events", inPurge: "purge", inBranches: "branches", inCoins: "coins",
	inTxs: "txs", inLeases: "leases", inTip: "tip", inPeers: "peers", inNotes: "notes", inInvoices: "invoices",
	inInvoiceAdded: "invoice-added", inInvoiceSettled: "invoice-settled", inPayments: "payments",
	inPaymentIndex: "payment-index", inAttempts: "attempts", inScores: "scores",
	inOpenInvoices: "open-invoices", inOpenPayments: "open-payments", inPaymentNumber: "payment-number",
	inBlobs: "blobs", inInvoiceSecrets: "invoice-secrets", inWishes: "sweep-wishes",
	inZones: "zones", inForwardCounts: "forward-counts", inForwardChannels: "forward-channels",
	inAccounts: "accounts", inWatchedKeys: "watched-keys", inFamilies: "key-families",
	inBudgets: "budgets", inResolutions: "htlc-resolutions",
	inSelf: "self", inConduct: "conduct",
}

// String is the bucket's name in the file.
func (b bucket) String() string {
	if b == 0 || b >= numBuckets {
		return fmt.Sprintf("bucket-%d", uint8(b))
	}
	return bucketNames[b]
}

// verb is what an op does with its row.
type verb uint8

const (
	// put overwrites.
	put verb = iota + 1
	// del deletes; a row that is not there is no error.
	del
	// putNew puts unless the key is taken. What is there stays; Receipt tells.
	putNew
	// add puts under the next number of the bucket's counter. The key that the op
	// carries sorts the row in an index, if the bucket has one.
	add
	// below deletes rows that are past: of tags, those that expire below the key.
	below
	// forget deletes all rows of a channel.
	forget
	// charge adds to the row of a budget.
	charge
)

// op is one change of one row: the coin that every typed delta is changed into. In
// a Rider its two parts are the Kind.
type op struct {
	b   bucket
	v   verb
	key []byte
	row []byte // has room for a checksum
}

func kindOf(b bucket, v verb) uint16 { return uint16(b)<<8 | uint16(v) }

// splitKind is the op of a Rider; false when there is none such.
func splitKind(kind uint16) (bucket, verb, bool) {
	b, v := bucket(kind>>8), verb(kind)
	known := b > inCounters && b < numBuckets && v >= put && v <= charge
	return b, v, known
}

// ops is a list of changes, coded in one piece of memory.
type ops struct {
	enc
	list    []opSpan
	now     int64
	receipt Receipt
	hook    func() // called by the writer before the ops
	err     error
}

type opSpan struct {
	b             bucket
	v             verb
	key, row, end int
}

// start begins an op; its key follows, then row, the content and end, or bare.
func (o *ops) start(b bucket, v verb) {
	o.list = append(o.list, opSpan{b: b, v: v, key: len(o.b)})
}

// row ends the key and begins a row of the given version.
func (o *ops) row(version byte) {
	o.list[len(o.list)-1].row = len(o.b)
	o.b = append(o.b, version)
}

// end ends the row and leaves room for its checksum.
func (o *ops) end() {
	o.list[len(o.list)-1].end = len(o.b)
	o.b = append(o.b, 0, 0, 0, 0)
}

// bare ends an op that has a key only.
func (o *ops) bare() {
	s := &o.list[len(o.list)-1]
	s.row, s.end = len(o.b), len(o.b)
	o.b = append(o.b, 0, 0, 0, 0)
}

// each calls f for every op.
func (o *ops) each(f func(op) error) error {
	for _, s := range o.list {
		if err := f(op{b: s.b, v: s.v, key: o.b[s.key:s.row:s.row], row: o.b[s.row : s.end : s.end+sumLen]}); err != nil {
			return err
		}
	}
	return nil
}

// rider takes in an op that travelled with a channel's delta.
func (o *ops) rider(r channel.Rider) {
	b, v, ok := splitKind(r.Kind)
	if !ok {
		o.err = fmt.Errorf("write rider: kind %#x is unknown", r.Kind)
		return
	}
	o.start(b, v)
	o.bytes(r.Key)
	o.list[len(o.list)-1].row = len(o.b)
	o.bytes(r.Row)
	o.end()
}

// riders gives the ops a form in which a channel's delta carries them.
func (o *ops) riders() (list []channel.Rider) {
	for _, s := range o.list {
		list = append(list, channel.Rider{
			Kind: kindOf(s.b, s.v), Key: o.b[s.key:s.row:s.row], Row: o.b[s.row:s.end:s.end],
		})
	}
	return list
}
