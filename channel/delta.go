package channel

import (
	"slices"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
)

// Delta is what one turn writes, all or nothing.
type Delta struct {
	ChanNum  uint64
	Terms    *Terms       // put once
	Core     *Core        // overwrites
	Policy   *Policy      // overwrites
	Fundings []FundingTx  // put by outpoint
	Local    *LocalCommit // overwrites

	HTLCs      []htlc.HTLC // put by Ref
	GoneHTLCs  []htlc.Ref  // delete
	Onions     []OnionRow  // put by Ref, once
	GoneOnions []htlc.Ref  // delete

	Revoked []Revoked // append, by number
	// Secrets are the peer's revoked per-commitment secrets; overwrites.
	Secrets *commitment.ShaChain

	// OutboxPut are ends of outgoing HTLCs, by Origin; deleted by whoever acts on
	// them. OutboxDone are incoming HTLCs whose answer is now recorded here:
	// their outbox row goes.
	OutboxPut  []htlc.Outcome
	OutboxDone []htlc.Ref

	Attempts []AttemptRow
	Riders   []Rider
	// Finished are incoming HTLCs that came to their end, for subscribers, and for the
	// rows of whoever keeps them.
	Finished []Finish
	// Events go into the append-only log that subscribers resume from.
	Events []NoticeKind
	Closed *ClosedRow // the summary, put
	// Forget deletes every row of the channel except the summary.
	Forget bool
	// Lazy marks a delta that holds only a received revocation or a new tip and
	// releases nothing: it may ride in the next write. Should it be lost, the peer
	// repeats the revocation, the chain the block.
	Lazy bool
}

// Empty reports that there is nothing to write.
func (d *Delta) Empty() bool {
	return d.Terms == nil && d.Core == nil && d.Policy == nil && len(d.Fundings) == 0 && d.Local == nil &&
		len(d.HTLCs) == 0 && len(d.GoneHTLCs) == 0 && len(d.Onions) == 0 && len(d.GoneOnions) == 0 &&
		len(d.Revoked) == 0 && d.Secrets == nil && len(d.OutboxPut) == 0 && len(d.OutboxDone) == 0 &&
		len(d.Attempts) == 0 && len(d.Riders) == 0 && len(d.Events) == 0 && d.Closed == nil && !d.Forget
}

// Append merges a later delta of the same turn: of each row the last state
// remains. Lazy is left to Effects.Append.
func (d *Delta) Append(more Delta) {
	d.Finished = append(d.Finished, more.Finished...)
	if more.Empty() {
		return
	}
	if d.ChanNum == 0 {
		d.ChanNum = more.ChanNum
	}
	d.overwrite(more)
	for _, h := range more.HTLCs {
		d.HTLCs = upsert(d.HTLCs, h, func(h htlc.HTLC) htlc.Ref { return h.Ref })
	}
	for _, ref := range more.GoneHTLCs {
		d.HTLCs = slices.DeleteFunc(d.HTLCs, func(h htlc.HTLC) bool { return h.Ref == ref })
	}
	d.GoneHTLCs = append(d.GoneHTLCs, more.GoneHTLCs...)
	d.Onions = append(d.Onions, more.Onions...)
	for _, ref := range more.GoneOnions {
		d.Onions = slices.DeleteFunc(d.Onions, func(o OnionRow) bool { return o.Ref == ref })
	}
	d.GoneOnions = append(d.GoneOnions, more.GoneOnions...)
	d.Revoked = append(d.Revoked, more.Revoked...)
	if more.Secrets != nil {
		d.Secrets = more.Secrets
	}
	d.OutboxPut = append(d.OutboxPut, more.OutboxPut...)
	d.OutboxDone = append(d.OutboxDone, more.OutboxDone...)
	d.Attempts = append(d.Attempts, more.Attempts...)
	d.Riders = append(d.Riders, more.Riders...)
	d.Events = append(d.Events, more.Events...)
	d.Forget = d.Forget || more.Forget
}

// overwrite takes over the rows that are stored whole.
func (d *Delta) overwrite(more Delta) {
	if more.Terms != nil {
		d.Terms = more.Terms
	}
	if more.Core != nil {
		d.Core = more.Core
	}
	if more.Policy != nil {
		d.Policy = more.Policy
	}
	for _, f := range more.Fundings {
		d.Fundings = upsert(d.Fundings, f, func(f FundingTx) [36]byte { return outPointKey(f.OutPoint) })
	}
	if more.Local != nil {
		d.Local = more.Local
	}
	if more.Closed != nil {
		d.Closed = more.Closed
	}
}

// upsert replaces the element of the same key, or appends.
func upsert[T any, K comparable](list []T, v T, key func(T) K) []T {
	k := key(v)
	if i := slices.IndexFunc(list, func(e T) bool { return key(e) == k }); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}
