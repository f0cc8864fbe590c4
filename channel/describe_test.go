package channel

import (
	"fmt"
	"strings"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// describe is one line about a message.
func describe(m lnwire.Message) string {
	switch m := m.(type) {
	case *lnwire.OpenChannel:
		return fmt.Sprintf("open_channel funding=%v push=%v rate=%d type=%v", m.FundingSat, m.PushMsat, m.FeeratePerKW, m.ChannelType.Bits())
	case *lnwire.AcceptChannel:
		return fmt.Sprintf("accept_channel depth=%d type=%v", m.MinimumDepth, m.ChannelType.Bits())
	case *lnwire.FundingCreated:
		return "funding_created"
	case *lnwire.FundingSigned:
		return "funding_signed"
	case *lnwire.ChannelReady:
		alias := ""
		if m.Alias != nil {
			alias = " alias=" + m.Alias.String()
		}
		return "channel_ready" + alias
	case *lnwire.AnnouncementSignatures:
		return "announcement_signatures scid=" + m.SCID.String()
	case *lnwire.UpdateAddHTLC:
		return fmt.Sprintf("update_add_htlc id=%d amount=%v expiry=%d", m.ID, m.Amount, m.Expiry)
	case *lnwire.UpdateFulfillHTLC:
		return fmt.Sprintf("update_fulfill_htlc id=%d", m.ID)
	case *lnwire.UpdateFailHTLC:
		return fmt.Sprintf("update_fail_htlc id=%d", m.ID)
	case *lnwire.UpdateFailMalformedHTLC:
		return fmt.Sprintf("update_fail_malformed_htlc id=%d code=%#x", m.ID, m.FailureCode)
	case *lnwire.UpdateFee:
		return fmt.Sprintf("update_fee rate=%d", m.FeeratePerKW)
	case *lnwire.CommitmentSigned:
		return fmt.Sprintf("commitment_signed htlcs=%d", len(m.HTLCSigs))
	case *lnwire.RevokeAndAck:
		return "revoke_and_ack"
	case *lnwire.ChannelReestablish:
		return fmt.Sprintf("channel_reestablish next_commitment=%d next_revocation=%d", m.NextCommitment, m.NextRevocation)
	case *lnwire.Shutdown:
		return fmt.Sprintf("shutdown script=%d bytes", len(m.Script))
	case *lnwire.Stfu:
		return fmt.Sprintf("stfu initiator=%v", m.Initiator)
	case *lnwire.ClosingSigned:
		fees := ""
		if m.Range != nil {
			fees = fmt.Sprintf(" range=%d..%d", m.Range.Min, m.Range.Max)
		}
		return fmt.Sprintf("closing_signed fee=%d%s", m.Fee, fees)
	case *lnwire.Error:
		return fmt.Sprintf("error %q", m.Data)
	case *lnwire.Warning:
		return fmt.Sprintf("warning %q", m.Data)
	}
	return fmt.Sprintf("message %d", m.Type())
}

// logEffects writes what a step wanted, in the order of Effects.
func (n *node) logEffects(fx Effects) {
	if n.w.log == nil {
		return
	}
	if text := describeDelta(&fx.Delta); text != "" && !(fx.Delta.Lazy && len(fx.Delta.Revoked) == 0) {
		n.w.logf("%s writes%s", n.name, text)
	}
	for _, l := range fx.LockedIn {
		n.w.logf("%s locked in %d amount=%v", n.name, l.HTLC.Ref.ID, l.HTLC.Amount)
	}
	for _, o := range fx.Outcomes {
		n.w.logf("%s outcome of %d: %s", n.name, o.Ref.ID, kindName(o.Resolution.Kind))
	}
	for _, r := range fx.Refused {
		n.w.logf("%s refused attempt %d: %s", n.name, r.Origin.AttemptID, r.Text)
	}
	for _, q := range fx.Ask {
		n.w.logf("%s asks %s", n.name, strings.TrimPrefix(fmt.Sprintf("%T", q.Question), "channel.Ask"))
	}
	for _, w := range fx.Watch {
		if w.OutPoint != nil && *w.OutPoint != n.ch.core.Funding {
			n.w.logf("%s watches output %d", n.name, w.OutPoint.Index)
		} else {
			n.w.logf("%s watches the funding", n.name)
		}
	}
	for range fx.Unclaim {
		n.w.logf("%s takes a claim back", n.name)
	}
	for _, c := range fx.Claims {
		n.w.logf("%s claims output %d value=%v mature=%d deadline=%d", n.name, c.OutPoint.Index, c.Value, c.MatureAt, c.Deadline)
	}
	if l := fx.Link; l != nil {
		n.w.logf("%s link up=%v spendable=%v receivable=%v %s", n.name, l.Up, l.Spendable, l.Receivable, l.Why)
	}
	for _, group := range fx.Send {
		for _, m := range group {
			n.w.logf("%s -> %s", n.name, describe(m))
		}
	}
	for _, tx := range fx.Publish {
		n.w.logf("%s publishes %s", n.name, n.txName(tx.TxHash() == n.ch.core.Funding.Hash, len(tx.TxOut)))
	}
	if fx.Announce != nil {
		n.w.logf("%s announces %v", n.name, fx.Announce.SCID)
	}
	for _, t := range fx.Tell {
		n.w.logf("%s tells %s", n.name, strings.TrimSpace(noticeNames[t.Kind]+" "+t.Text))
	}
	if fx.Over {
		n.w.logf("%s is over", n.name)
	}
	if fx.Disconnect {
		n.w.logf("%s wants to disconnect", n.name)
	}
}

func (n *node) txName(funding bool, outputs int) string {
	if funding {
		return "the funding transaction"
	}
	return fmt.Sprintf("a transaction of the funding with %d outputs", outputs)
}

var noticeNames = map[NoticeKind]string{
	NoticeOpening: "opening", NoticeOpenFailed: "open failed:", NoticeOpen: "open", NoticeActive: "active", NoticeInactive: "inactive:",
	NoticeWarning: "warned:", NoticeError: "peer failed it:", NoticeFailing: "failing:", NoticeCloseRefused: "close refused:",
	NoticeClosePublished: "close published", NoticeSpent: "funding spent", NoticeClosed: "closed", NoticeDataLost: "data lost",
	NoticeBug: "BUG:", NoticeForgotten: "forgotten", NoticeUnconfirmed: "doubts:",
	NoticeQuiescent: "quiescent:", NoticeQuiesceRefused: "not quiescent:",
}

func kindName(k htlc.ResolutionKind) string {
	return map[htlc.ResolutionKind]string{htlc.Fulfilled: "fulfilled", htlc.Failed: "failed", htlc.Malformed: "malformed", htlc.TimedOut: "timed out"}[k]
}

// describeDelta is the summary of what is written.
func describeDelta(d *Delta) string {
	var b strings.Builder
	add := func(ok bool, format string, args ...any) {
		if ok {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	add(d.Terms != nil, "terms")
	add(d.Core != nil, "core")
	if c := d.Core; c != nil {
		fmt.Fprintf(&b, "{%s local=%d remote=%d revoked=%d}", c.Phase, c.LocalN, c.RemoteN, c.RemoteRevoked)
	}
	add(d.Policy != nil, "policy")
	add(len(d.Fundings) > 0, "funding")
	add(d.Local != nil, "local")
	for _, h := range d.HTLCs {
		add(true, "%s/%d=%v", h.Ref.Dir, h.Ref.ID, h.State)
	}
	for _, r := range d.GoneHTLCs {
		add(true, "-%s/%d", r.Dir, r.ID)
	}
	add(len(d.Onions) > 0, "onions=%d", len(d.Onions))
	add(len(d.GoneOnions) > 0, "-onions=%d", len(d.GoneOnions))
	for _, r := range d.Revoked {
		add(true, "revoked[%d]", r.N)
	}
	add(d.Secrets != nil, "secrets")
	add(len(d.OutboxPut) > 0, "outbox=%d", len(d.OutboxPut))
	add(len(d.OutboxDone) > 0, "-outbox=%d", len(d.OutboxDone))
	add(len(d.Attempts) > 0, "attempts=%d", len(d.Attempts))
	add(len(d.Riders) > 0, "riders=%d", len(d.Riders))
	add(len(d.Events) > 0, "events=%d", len(d.Events))
	add(d.Closed != nil, "closed")
	add(d.Forget, "forget")
	add(d.Lazy, "(lazy)")
	return b.String()
}
