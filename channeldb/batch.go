package channeldb

import (
	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet"
)

// Batch is what is written together, all or nothing, in the order of its fields.
type Batch struct {
	Channels []*channel.Delta
	Wallet   []*wallet.Delta
	Switch   []forward.Delta
	Forwards []forward.Record
	// Resolutions are put by channel and number.
	Resolutions []Resolution
	Invoices    []*invoice.Delta
	Payments    []*routing.Delta
	// PaymentsGone are payments that are deleted, with their attempts.
	PaymentsGone []lnwire.Hash
	AttemptsGone []AttemptKey          // deleted; of payments that have ended
	Budgets      []budget.Change       // added to the rows of the budgets; those of payments are in their deltas
	Scores       []routing.PairHistory // put by the two nodes
	ForgetScores bool                  // deletes all of them first
	Peers        []Peer                // put by key
	PeersGone    []lnwire.PubKey
	Notes        []Note // put by name
	Blobs        []Blob // put by the peer
	BlobsGone    []lnwire.PubKey
	// Self is what was changed of our announcement; overwrites.
	Self     *SelfChanges
	Conducts []Conduct // put by the peer
	// Seal is the sealed seed; overwrites. Its form is wallet/keys' own.
	Seal []byte
	// Lazy says that nothing waits for this batch but what is queued behind it, and that
	// something will be: it may ride in the next write. Deltas of channels and payments
	// say it of themselves.
	Lazy bool

	identity     *lnwire.PubKey
	forwardsGone []ForwardCursor
}

// Receipt tells what only the write decides.
type Receipt struct {
	// Seq is the highest number in the log of events, after this batch.
	Seq uint64
	// Taken are tags of the batch that already had another owner. The first owner
	// keeps the row.
	Taken []forward.Tag
}

// encode changes a batch into ops. Nothing of the batch is referred to later.
func (b *Batch) encode(now int64) *ops {
	o := &ops{now: now, list: make([]opSpan, 0, 16)}
	o.b = make([]byte, 0, 2048)
	for _, d := range b.Channels {
		o.channel(d)
	}
	o.others(b)
	return o
}

// others encodes everything but the channels.
func (o *ops) others(b *Batch) {
	for _, d := range b.Wallet {
		o.wallet(d)
	}
	for i := range b.Switch {
		o.tags(&b.Switch[i])
	}
	for i := range b.Forwards {
		o.forward(&b.Forwards[i])
	}
	o.forwardsGone(b.forwardsGone)
	for i := range b.Resolutions {
		o.finalResolution(&b.Resolutions[i])
	}
	for _, d := range b.Invoices {
		o.invoices(d)
	}
	for _, d := range b.Payments {
		o.payments(d)
	}
	for _, hash := range b.PaymentsGone {
		o.paymentGone(hash)
	}
	for _, k := range b.AttemptsGone {
		o.attemptGone(k)
	}
	o.budgets(b.Budgets)
	o.scores(b)
	o.peers(b)
	o.notes(b)
	o.blobs(b)
	if b.Self != nil {
		o.self(b.Self)
	}
	o.conducts(b.Conducts)
	if b.Seal != nil {
		o.seal(b.Seal)
	}
	if b.identity != nil {
		o.identity(*b.identity)
	}
}

// lazy reports a batch that may wait for the next write.
func (b *Batch) lazy() bool {
	if b.Lazy {
		return true
	}
	for _, d := range b.Channels {
		if !d.Lazy {
			return false
		}
	}
	for _, d := range b.Payments {
		if !d.Lazy {
			return false
		}
	}
	return len(b.Channels)+len(b.Payments) > 0 && len(b.Wallet) == 0 && len(b.Switch) == 0 && len(b.Forwards) == 0 && len(b.Resolutions) == 0 &&
		len(b.Invoices) == 0 && len(b.PaymentsGone) == 0 && len(b.AttemptsGone) == 0 && len(b.Budgets) == 0 && len(b.Scores) == 0 && !b.ForgetScores && len(b.Peers) == 0 &&
		len(b.PeersGone) == 0 && len(b.Notes) == 0 && len(b.Blobs) == 0 && len(b.BlobsGone) == 0 &&
		b.Self == nil && len(b.Conducts) == 0 && b.Seal == nil && b.identity == nil && len(b.forwardsGone) == 0
}

// Riders gives a batch the form in which the delta of a channel carries it, to be
// durable together with the channel's own rows. Deltas of channels cannot ride.
func Riders(b Batch) []channel.Rider {
	o := new(ops)
	o.others(&b)
	return o.riders()
}
