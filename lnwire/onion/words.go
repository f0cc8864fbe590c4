package onion

import "fmt"

// Explain says in words what the failure means for the payment, for the log and
// the person who pays. It speaks of "the node" that failed the HTLC; who that was
// is known to the caller.
func (f Failure) Explain() string {
	switch f.Code {
	case TemporaryNodeFailure:
		return "the node has a passing problem; it may work again soon"
	case PermanentNodeFailure:
		return "the node has a lasting problem and forwards nothing"
	case RequiredNodeFeatureMissing:
		return "the node requires a feature that our payment did not use"
	case InvalidOnionVersion:
		return "the node does not know the version of our onion"
	case InvalidOnionHMAC:
		return "the onion was altered on its way or not made for the node that got it"
	case InvalidOnionKey:
		return "the node could not read the key in our onion"
	case TemporaryChannelFailure:
		return "the channel cannot carry the payment now, most often because its balance is on the other side"
	case PermanentChannelFailure:
		return "the channel carries no payments any more, as when it is being closed"
	case RequiredChannelFeatureMissing:
		return "the channel requires a feature that our payment did not use"
	case UnknownNextPeer:
		return "the node has no channel, or no connection, to the next node of the route"
	case AmountBelowMinimum:
		return fmt.Sprintf("the amount (%v) is below the least that the channel forwards", f.HTLCMsat)
	case FeeInsufficient:
		return fmt.Sprintf("the fee is below what the channel asks for (incoming amount %v)", f.HTLCMsat)
	case IncorrectCLTVExpiry:
		return fmt.Sprintf("the time lock (block %d) leaves the node less time than its channel asks for", f.CLTVExpiry)
	case ExpiryTooSoon:
		return "the time lock ends too soon for the node to forward safely"
	case IncorrectOrUnknownPaymentDetails:
		return fmt.Sprintf("the recipient does not accept the payment: unknown, already paid, expired, or the wrong amount, secret or time lock (it received %v at block %d)", f.HTLCMsat, f.Height)
	case FinalIncorrectCLTVExpiry:
		return fmt.Sprintf("the payment reached the recipient with a shorter time lock (block %d) than we asked for", f.CLTVExpiry)
	case FinalIncorrectHTLCAmount:
		return fmt.Sprintf("the payment reached the recipient with less (%v) than we sent to it", f.HTLCMsat)
	case ChannelDisabled:
		return "the channel is switched off by the node at its end"
	case ExpiryTooFar:
		return "the time lock ends further in the future than the node accepts"
	case InvalidOnionPayload:
		return f.explainPayload()
	case MPPTimeout:
		return "the other parts of the payment did not reach the recipient in time"
	case InvalidOnionBlinding:
		return "the payment failed inside a blinded path; where and why is hidden by design"
	case InvalidRealm:
		return "the node does not know the kind of our instructions (a code of old nodes)"
	case IncorrectPaymentAmount:
		return "the recipient wants another amount (a code of old nodes)"
	case FinalExpiryTooSoon:
		return "the time lock ends too soon for the recipient (a code of old nodes)"
	case Unreadable:
		return "the node answered with a failure that cannot be read"
	}
	return f.explainUnknown()
}

func (f Failure) explainPayload() string {
	if f.Type == 0 && f.Offset == 0 {
		return "the node could not read our instructions, or something is missing in them"
	}
	return fmt.Sprintf("the node did not accept record %d of our instructions, at byte %d", f.Type, f.Offset)
}

// explainUnknown uses the flags, which tell enough to go on with.
func (f Failure) explainUnknown() string {
	how, what := "for now", "a channel of the node"
	if f.Code.Has(FlagPerm) {
		how = "for good"
	}
	if f.Code.Has(FlagNode) {
		what = "the node"
	}
	return fmt.Sprintf("a failure that we do not know (%#04x): %s does not take the payment %s", uint16(f.Code), what, how)
}
