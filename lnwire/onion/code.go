package onion

import "fmt"

// Code is a failure_code of BOLT 4: a number with flags in the top four bits. Of
// a code that we do not know the flags still say what to make of it.
type Code uint16

// The flags of a Code.
const (
	FlagBadOnion Code = 0x8000 // the onion could not be read; told by update_fail_malformed_htlc
	FlagPerm     Code = 0x4000 // permanent; otherwise it may pass
	FlagNode     Code = 0x2000 // about the node; otherwise about a channel
	FlagUpdate   Code = 0x1000 // a forwarding parameter of the channel was violated
)

// The codes of BOLT 4, in its order and by its names (B4.code.2).
const (
	TemporaryNodeFailure                  = FlagNode | 2
	PermanentNodeFailure                  = FlagPerm | FlagNode | 2
	RequiredNodeFeatureMissing            = FlagPerm | FlagNode | 3
	InvalidOnionVersion                   = FlagBadOnion | FlagPerm | 4
	InvalidOnionHMAC                      = FlagBadOnion | FlagPerm | 5
	InvalidOnionKey                       = FlagBadOnion | FlagPerm | 6
	TemporaryChannelFailure               = FlagUpdate | 7
	PermanentChannelFailure               = FlagPerm | 8
	RequiredChannelFeatureMissing         = FlagPerm | 9
	UnknownNextPeer                       = FlagPerm | 10
	AmountBelowMinimum                    = FlagUpdate | 11
	FeeInsufficient                       = FlagUpdate | 12
	IncorrectCLTVExpiry                   = FlagUpdate | 13
	ExpiryTooSoon                         = FlagUpdate | 14
	IncorrectOrUnknownPaymentDetails      = FlagPerm | 15
	FinalIncorrectCLTVExpiry         Code = 18
	FinalIncorrectHTLCAmount         Code = 19
	ChannelDisabled                       = FlagUpdate | 20
	ExpiryTooFar                     Code = 21
	InvalidOnionPayload                   = FlagPerm | 22
	MPPTimeout                       Code = 23
	InvalidOnionBlinding                  = FlagBadOnion | FlagPerm | 24
)

// Codes that BOLT 4 no longer has and old nodes still send. We only read them.
const (
	InvalidRealm                = FlagPerm | 1
	IncorrectPaymentAmount      = FlagPerm | 16
	FinalExpiryTooSoon     Code = 17
)

// Unreadable stands for a reply that its sender authenticated and that holds no
// failure code. It is never sent.
const Unreadable Code = 0

// Has reports whether all of the flags are set.
func (c Code) Has(flags Code) bool { return c&flags == flags }

// String is the spec's name of the code, or its number.
func (c Code) String() string {
	switch c {
	case TemporaryNodeFailure:
		return "temporary_node_failure"
	case PermanentNodeFailure:
		return "permanent_node_failure"
	case RequiredNodeFeatureMissing:
		return "required_node_feature_missing"
	case InvalidOnionVersion:
		return "invalid_onion_version"
	case InvalidOnionHMAC:
		return "invalid_onion_hmac"
	case InvalidOnionKey:
		return "invalid_onion_key"
	case TemporaryChannelFailure:
		return "temporary_channel_failure"
	case PermanentChannelFailure:
		return "permanent_channel_failure"
	case RequiredChannelFeatureMissing:
		return "required_channel_feature_missing"
	case UnknownNextPeer:
		return "unknown_next_peer"
	case AmountBelowMinimum:
		return "amount_below_minimum"
	case FeeInsufficient:
		return "fee_insufficient"
	case IncorrectCLTVExpiry:
		return "incorrect_cltv_expiry"
	case ExpiryTooSoon:
		return "expiry_too_soon"
	case IncorrectOrUnknownPaymentDetails:
		return "incorrect_or_unknown_payment_details"
	case FinalIncorrectCLTVExpiry:
		return "final_incorrect_cltv_expiry"
	case FinalIncorrectHTLCAmount:
		return "final_incorrect_htlc_amount"
	case ChannelDisabled:
		return "channel_disabled"
	case ExpiryTooFar:
		return "expiry_too_far"
	case InvalidOnionPayload:
		return "invalid_onion_payload"
	case MPPTimeout:
		return "mpp_timeout"
	case InvalidOnionBlinding:
		return "invalid_onion_blinding"
	case InvalidRealm:
		return "invalid_realm"
	case IncorrectPaymentAmount:
		return "incorrect_payment_amount"
	case FinalExpiryTooSoon:
		return "final_expiry_too_soon"
	case Unreadable:
		return "unreadable"
	}
	return fmt.Sprintf("unknown_failure_%#04x", uint16(c))
}
