package channel

import "github.com/btcsuite/btcd/wire/v2"

// NoticeKind says what happened.
type NoticeKind uint8

// The notices of a channel, in the order of its life.
const (
	// NoticeOpening: the funding is agreed; it waits to confirm.
	NoticeOpening NoticeKind = iota + 1
	// NoticeOpenFailed: no channel came out of it; Text says why.
	NoticeOpenFailed
	// NoticeOpen: both channel_ready are exchanged.
	NoticeOpen
	// NoticeActive and NoticeInactive: HTLCs can, or cannot, be added now.
	NoticeActive
	NoticeInactive
	// NoticeWarning: the peer warned us; Text is its text, not trusted.
	NoticeWarning
	// NoticeError: the peer failed the channel; Text is its text, not trusted.
	NoticeError
	// NoticeFailing: we fail the channel; Text says why.
	NoticeFailing
	// NoticeCloseRefused: a CloseAsked could not be taken; Text says why.
	NoticeCloseRefused
	// NoticeClosePublished: Tx, which spends the funding, was published by us.
	NoticeClosePublished
	// NoticeSpent: the funding output was spent by Tx, in a block.
	NoticeSpent
	// NoticeClosed: the close is deep enough to be reported.
	NoticeClosed
	// NoticeDataLost: the peer proved that our state is old: nothing of ours will
	// be published.
	NoticeDataLost
	// NoticeBug: an invariant does not hold; Text says which.
	NoticeBug
	// NoticeForgotten: every row is gone.
	NoticeForgotten
	// NoticeBreach: the peer published a commitment that it had revoked; Text is for
	// people.
	NoticeBreach
	// NoticeUnconfirmed: a funding that we trust does not confirm; Text is for people.
	NoticeUnconfirmed
	// NoticeQuiescent: neither side sends updates any more; Text says who leads.
	NoticeQuiescent
	// NoticeQuiesceRefused: a QuiesceAsked could not be taken; Text says why.
	NoticeQuiesceRefused
	// NoticeRestored: the channel was made from a static backup.
	NoticeRestored
	// NoticeOverdue: an HTLC should be off the channel by now, and closing for it would cost
	// more than it saves; Text says what is at stake.
	NoticeOverdue
)

// String is the kind in words, for the log.
func (k NoticeKind) String() string {
	names := [...]string{
		NoticeOpening: "opening", NoticeOpenFailed: "not opened", NoticeOpen: "open", NoticeActive: "active",
		NoticeInactive: "inactive", NoticeWarning: "warned by peer", NoticeError: "failed by peer",
		NoticeFailing: "failing", NoticeCloseRefused: "close refused", NoticeClosePublished: "close published",
		NoticeSpent: "spent", NoticeClosed: "closed", NoticeDataLost: "state lost", NoticeBug: "broken",
		NoticeForgotten: "forgotten", NoticeBreach: "breach",
		NoticeUnconfirmed: "unconfirmed",
		NoticeQuiescent:   "quiescent", NoticeQuiesceRefused: "not quiescent", NoticeRestored: "restored from a backup",
		NoticeOverdue: "htlc overdue",
	}
	if int(k) >= len(names) || names[k] == "" {
		return "event"
	}
	return names[k]
}

// Notice is for subscribers and the log. It may be dropped.
type Notice struct {
	ChanNum uint64
	Kind    NoticeKind
	Text    string
	Tx      *wire.MsgTx // NoticeClosePublished and NoticeSpent
}
