package demo

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// Weights and amounts of BOLT 3, "Fee Calculation" and the dance's appendix.
const (
	weightPlain  = 724  // a commitment without HTLCs
	weightAnchor = 1124 // the same with anchors
	anchors      = 660  // both anchor outputs, in satoshis
)

// setAside is what the opener of a channel keeps ready in it, in satoshis: the fee of
// the commitment and the anchors.
func setAside(kind lnrpc.CommitmentType, feePerKW int64) (int64, error) {
	switch kind {
	case lnrpc.CommitmentType_ANCHORS:
		return weightAnchor*feePerKW/1000 + anchors, nil
	case lnrpc.CommitmentType_STATIC_REMOTE_KEY:
		return weightPlain * feePerKW / 1000, nil
	default:
		return 0, fmt.Errorf("a channel of type %v was not expected", kind)
	}
}

// policy is what a node takes for carrying a payment.
type policy struct {
	base int64 // msat
	ppm  int64
}

// fee is BOLT 7's, in msat.
func (p policy) fee(msat int64) int64 { return p.base + msat*p.ppm/1_000_000 }

// share is one side of a channel, in msat, with what the opener has set aside.
type share struct {
	owner string
	msat  int64
}

// channelBook is what a channel must hold.
type channelBook struct {
	name     string
	capacity int64 // sat
	opener   share
	other    share
	aside    int64 // sat, the opener's, not spendable
	closed   bool
}

// move books a payment over the channel.
func (c *channelBook) move(from string, msat int64) {
	if c.opener.owner == from {
		msat = -msat
	}
	c.opener.msat += msat
	c.other.msat -= msat
}

// of is what an owner has in the channel, in msat.
func (c *channelBook) of(owner string) int64 {
	switch {
	case c.closed:
		return 0
	case c.opener.owner == owner:
		return c.opener.msat
	case c.other.owner == owner:
		return c.other.msat
	}
	return 0
}

// spendable is of, less what is set aside: what the node calls its balance.
func (c *channelBook) spendable(owner string) int64 {
	if c.closed || c.opener.owner != owner {
		return c.of(owner)
	}
	return c.opener.msat - c.aside*1000
}

// settle closes the channel on the chain. The opener pays the fee; what is less than
// a satoshi cannot be paid out and goes to the miners.
func (c *channelBook) settle(fee int64) (opener, other int64, err error) {
	opener, other = c.opener.msat/1000, c.other.msat/1000
	lost := c.capacity - opener - other // 0 or 1: the fractions
	opener -= fee - lost
	if fee <= 0 || opener < 0 {
		return 0, 0, fmt.Errorf("a closing fee of %d sat cannot be", fee)
	}
	c.closed = true
	return opener, other, nil
}

// book is what everybody must have.
type book struct {
	people   []string
	wallet   map[string]int64 // sat
	channels []*channelBook
	deposits int64 // sat, from the miner
	chainFee int64 // sat, to the miners
}

func newBook(people ...string) *book { return &book{people: people, wallet: map[string]int64{}} }

func (b *book) deposit(who string, sat int64) {
	b.wallet[who] += sat
	b.deposits += sat
}

// open books a channel that its opener has funded.
func (b *book) open(opener, other string, capacity, fee int64) *channelBook {
	c := &channelBook{name: opener + "-" + other, capacity: capacity, opener: share{opener, capacity * 1000}, other: share{other, 0}}
	b.channels = append(b.channels, c)
	b.wallet[opener] -= capacity + fee
	b.chainFee += fee
	return c
}

// close books the end of a channel.
func (b *book) close(c *channelBook, fee int64) (opener, other int64, err error) {
	if opener, other, err = c.settle(fee); err != nil {
		return 0, 0, err
	}
	b.wallet[c.opener.owner] += opener
	b.wallet[c.other.owner] += other
	b.chainFee += fee
	return opener, other, nil
}

// inChannels is what a node must say that it has in channels, in msat.
func (b *book) inChannels(who string) (msat int64) {
	for _, c := range b.channels {
		msat += c.spendable(who)
	}
	return msat
}

// aside is what is set aside, in sat.
func (b *book) aside(who string) (sat int64) {
	for _, c := range b.channels {
		if !c.closed && c.opener.owner == who {
			sat += c.aside
		}
	}
	return sat
}

// total is all that somebody owns, in msat.
func (b *book) total(who string) int64 {
	return b.wallet[who]*1000 + b.inChannels(who) + b.aside(who)*1000
}

// conserved says whether what came in is what is there, and the difference in msat.
func (b *book) conserved() (diff int64) {
	diff = b.deposits*1000 - b.chainFee*1000
	for _, who := range b.people {
		diff -= b.total(who)
	}
	return diff
}
