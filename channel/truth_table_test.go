package channel

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// The on-chain truth table, written from BOLT 5 alone: what the outputs of each commitment
// that may be mined are worth to us, by which path and from which block on, and what the
// channel upstream is told and when. Nothing here looks at the code that it judges.

// column is a commitment that may be mined.
type column uint8

const (
	colOwn    column = iota // ours, the newest
	colRemote               // the peer's only one
	colPrev                 // the peer's, which it has not revoked while we wait for that
	colNext                 // the peer's that it signed for last, while prev is not revoked
	colLast                 // the same, with prev revoked
	colOld                  // revoked long ago
	colJust                 // revoked just now
)

func (c column) String() string {
	return [...]string{"own", "remote", "prev", "next", "last", "old", "just"}[c]
}

// ours and cheat say whose the commitment is: by that BOLT 5 has its three chapters.
func (c column) ours() bool  { return c == colOwn }
func (c column) cheat() bool { return c == colOld || c == colJust }

// moment is where the dance stands when the channel ends: nothing is pending, the peer's
// revocation is awaited, the peer has revoked.
type moment uint8

const (
	beforeUs moment = iota
	beforeThem
	afterAll
)

// when is the step of the stage at which an HTLC is added.
type when uint8

const (
	first  when = iota // in the commitment that is revoked long ago, too
	second             // after that one
	theirs             // signed by the peer to us, and then by us
	ours               // signed by us to the peer only
)

// half is an amount that only our dust limit is below.
const half = -1

// contract is a line of the table: an HTLC, in which commitments it has an output, and
// what is known of it.
type contract struct {
	name  string
	dir   htlc.Direction
	size  int // in sat
	pre   int // number of its preimage
	added when
	out   string // output in own, remote, prev, next, last, old, just
	// open, by moment: o not ended for the channel upstream; F failed there already; S
	// settled there already; - not there. For an incoming HTLC only whether it is there.
	open string
	// taken: the peer knows the preimage and takes an outgoing one in the chain.
	taken bool
	// known: we may claim an incoming one, from this many blocks after the close on; 0:
	// never, -1: before the close.
	known int
}

const (
	in  = htlc.Incoming
	out = htlc.Outgoing
)

var contracts = []contract{
	{name: "out/pending", dir: out, size: 30_000, pre: 1, out: "1111111", open: "ooo"},
	{name: "out/taken", dir: out, size: 31_000, pre: 2, out: "1111111", open: "ooo", taken: true},
	{name: "out/failed", dir: out, size: 32_000, pre: 3, out: "0110011", open: "ooF"},
	{name: "out/trimmed", dir: out, size: 200, pre: 4, out: "0000000", open: "ooo"},
	{name: "out/half", dir: out, size: half, pre: 5, out: "1000000", open: "ooo"},
	{name: "out/twin1", dir: out, size: 33_000, pre: 6, out: "1111111", open: "ooo", taken: true},
	{name: "out/twin2", dir: out, size: 33_000, pre: 6, out: "1111111", open: "ooo"},
	{name: "out/told", dir: out, size: 34_000, pre: 7, out: "1111111", open: "SSS"},
	{name: "out/dusttwin", dir: out, size: 201, pre: 2, out: "0000000", open: "ooo"}, // of out/taken
	{name: "out/gone", dir: out, size: 35_000, pre: 8, out: "0000010", open: "FFF"},
	{name: "out/new", dir: out, size: 36_000, pre: 9, added: second, out: "1111101", open: "ooo"},
	{name: "out/fresh", dir: out, size: 37_000, pre: 10, added: ours, out: "0001100", open: "-oo"},
	{name: "in/pending", dir: in, size: 30_001, pre: 11, out: "1111111", open: "ooo"},
	{name: "in/known", dir: in, size: 31_001, pre: 12, out: "1111111", open: "ooo", known: -1},
	{name: "in/failed", dir: in, size: 32_001, pre: 13, out: "1110011", open: "ooo"},
	{name: "in/trimmed", dir: in, size: 202, pre: 14, out: "0000000", open: "ooo"},
	{name: "in/half", dir: in, size: half, pre: 15, out: "1000000", open: "ooo"},
	{name: "in/twin1", dir: in, size: 33_001, pre: 16, out: "1111111", open: "ooo", known: 1},
	{name: "in/twin2", dir: in, size: 33_001, pre: 16, out: "1111111", open: "ooo"},
	{name: "in/late", dir: in, size: 34_001, pre: 17, out: "1111111", open: "ooo", known: 4},
	{name: "in/gone", dir: in, size: 35_001, pre: 18, out: "0000010", open: "---"},
	{name: "in/fresh", dir: in, size: 36_001, pre: 19, added: theirs, out: "1001100", open: "ooo"},
}

func (c *contract) output(col column) bool { return c.out[col] == '1' }

// fact is what the chain says of the end so far.
type fact struct {
	col    column
	at     lnwire.Height // of the block that holds the commitment
	tip    lnwire.Height
	expiry lnwire.Height // of the HTLC at hand
	known  bool          // its preimage was released to us, or shown in the chain
	spent  spent         // its output
	second spent         // the output of the transaction that moved it to a second stage
}

// spent tells of an output.
type spent struct {
	by       party
	at       lnwire.Height
	revealed bool // the preimage stands in the witness
}

type party uint8

const (
	nobody party = iota
	us
	peer
)

const anyTime lnwire.Height = 1 << 30

// path is how we take an output: from which block on, or not at all.
type path struct {
	how   string
	first lnwire.Height
}

// way is our claim of the HTLC's output in the commitment, by BOLT 5; none: "".
// oneBlock is what anchors make everybody wait.
func (c *contract) way(f fact, anchors bool) path {
	oneBlock := f.at
	if anchors {
		oneBlock++
	}
	switch {
	case !c.output(f.col) || f.spent.by != nobody:
		return path{}
	case f.col.cheat(): // revoked transaction close: the revocation key, whatever the HTLC is
		return path{"punish", f.at}
	case c.dir == out && f.col.ours(): // local commitment, local offers
		if anchors {
			return path{"timeout", max(oneBlock, f.expiry+1)}
		}
		return path{"publish", f.expiry + 1}
	case c.dir == out: // remote commitment, local offers
		return path{"take back", max(oneBlock, f.expiry+1)}
	case !f.known: // remote offers without a preimage: not ours
		return path{}
	case f.col.ours(): // local commitment, remote offers
		if anchors {
			return path{"success", oneBlock}
		}
		return path{"publish", f.at}
	default: // remote commitment, remote offers
		return path{"preimage", oneBlock}
	}
}

// stage2 is our claim of what lies in a second stage.
func (f *fact) stage2() path {
	switch {
	case f.second.by != nobody:
		return path{}
	case f.col.ours() && f.spent.by == us:
		return path{"second", f.spent.at + truthDelay}
	case f.col.cheat() && f.spent.by == peer:
		return path{"punish second", f.spent.at}
	}
	return path{}
}

// main is when our balance, and in a revoked commitment the peer's, can be taken.
func (f *fact) main(anchors bool) (mine, other lnwire.Height) {
	switch {
	case f.col.ours():
		return f.at + truthDelay, anyTime
	case anchors:
		mine = f.at + 1
	default:
		mine = f.at
	}
	if f.col.cheat() {
		return mine, f.at
	}
	return mine, anyTime
}

// upstream is what the channel upstream is told of an outgoing HTLC as things stand.
func (c *contract) upstream(f fact) htlc.ResolutionKind {
	const reasonable = 6
	deep := func(at lnwire.Height) bool { return f.tip >= at && f.tip-at+1 >= reasonable }
	switch {
	case c.output(f.col) && f.spent.by == nobody:
		return 0 // neither resolution is certain
	case c.output(f.col) && f.spent.revealed:
		return htlc.Fulfilled
	case c.output(f.col) && deep(f.spent.at):
		return htlc.TimedOut
	case c.output(f.col):
		return 0
	case f.known:
		return htlc.Fulfilled // of a committed HTLC without an output
	case deep(f.at) && c.name == "out/failed":
		return htlc.Failed // the peer's own reason
	case deep(f.at):
		return htlc.TimedOut
	}
	return 0
}
