package lnwire

import (
	"fmt"
	"slices"
)

// The feature bits of BOLT 9, keysend (bLIP 3) and blinded paths in invoices of
// BOLT 11 (bLIP 39). Each feature has a pair: the
// even bit requires it, the odd one offers it.
const (
	DataLossProtectRequired     Bit = 0 // assumed of everybody
	DataLossProtectOptional     Bit = 1
	UpfrontShutdownRequired     Bit = 4 // option_upfront_shutdown_script
	UpfrontShutdownOptional     Bit = 5
	GossipQueriesRequired       Bit = 6
	GossipQueriesOptional       Bit = 7
	VarOnionRequired            Bit = 8 // var_onion_optin, assumed
	VarOnionOptional            Bit = 9
	GossipQueriesExRequired     Bit = 10
	GossipQueriesExOptional     Bit = 11
	StaticRemoteKeyRequired     Bit = 12 // assumed
	StaticRemoteKeyOptional     Bit = 13
	PaymentSecretRequired       Bit = 14 // assumed
	PaymentSecretOptional       Bit = 15
	BasicMPPRequired            Bit = 16
	BasicMPPOptional            Bit = 17
	SupportLargeChannelRequired Bit = 18 // option_support_large_channel ("wumbo")
	SupportLargeChannelOptional Bit = 19
	AnchorsRequired             Bit = 22 // anchors with zero-fee HTLC transactions
	AnchorsOptional             Bit = 23
	RouteBlindingRequired       Bit = 24
	RouteBlindingOptional       Bit = 25
	ShutdownAnySegwitRequired   Bit = 26
	ShutdownAnySegwitOptional   Bit = 27
	DualFundRequired            Bit = 28
	DualFundOptional            Bit = 29
	QuiesceRequired             Bit = 34
	QuiesceOptional             Bit = 35
	AttributionDataRequired     Bit = 36
	AttributionDataOptional     Bit = 37
	OnionMessagesRequired       Bit = 38
	OnionMessagesOptional       Bit = 39
	ProvideStorageRequired      Bit = 42
	ProvideStorageOptional      Bit = 43
	ChannelTypeRequired         Bit = 44 // assumed
	ChannelTypeOptional         Bit = 45
	ScidAliasRequired           Bit = 46
	ScidAliasOptional           Bit = 47
	PaymentMetadataRequired     Bit = 48
	PaymentMetadataOptional     Bit = 49
	ZeroConfRequired            Bit = 50
	ZeroConfOptional            Bit = 51
	KeysendRequired             Bit = 54
	KeysendOptional             Bit = 55
	SimpleCloseRequired         Bit = 60
	SimpleCloseOptional         Bit = 61
	SpliceRequired              Bit = 62
	SpliceOptional              Bit = 63
	AccountableRequired         Bit = 260
	AccountableOptional         Bit = 261
	Bolt11BlindedPathsRequired  Bit = 262
	Bolt11BlindedPathsOptional  Bit = 263
)

// Context is a place in which feature vectors stand; BOLT 9 says which feature
// belongs where.
type Context uint8

// The contexts, with BOLT 9's letters.
const (
	InInit        Context = 1 << iota // I: init
	InNode                            // N: node_announcement
	InChannel                         // C: channel_announcement
	InInvoice                         // 9: BOLT 11 invoice
	InBlindedPath                     // B: allowed_features of a blinded path
	InChannelType                     // T: channel_type
)

func (c Context) String() string {
	switch c {
	case InInit:
		return "init"
	case InNode:
		return "node_announcement"
	case InChannel:
		return "channel_announcement"
	case InInvoice:
		return "invoice"
	case InBlindedPath:
		return "allowed_features"
	case InChannelType:
		return "channel_type"
	}
	return fmt.Sprintf("context %d", uint8(c))
}

// feature is one line of BOLT 9's table, under its even bit.
type feature struct {
	bit   Bit
	name  string // as lnd's RPC says it, or in its manner where lnd has no word
	in    Context
	needs []Bit // what BOLT 9 demands to be set with it, as even bits
	older []Bit // what earlier editions and lnd demand besides
}

// features is ordered by bit. In the contexts of assumed features, and of keysend,
// stands what the network still sets.
var features = []feature{
	{bit: DataLossProtectRequired, name: "data-loss-protect", in: InInit | InNode},
	{bit: UpfrontShutdownRequired, name: "upfront-shutdown-script", in: InInit | InNode},
	{bit: GossipQueriesRequired, name: "gossip-queries", in: InInit | InNode},
	{bit: VarOnionRequired, name: "tlv-onion", in: InInit | InNode | InInvoice},
	{bit: GossipQueriesExRequired, name: "gossip-queries-ex", in: InInit | InNode, older: []Bit{GossipQueriesRequired}},
	{bit: StaticRemoteKeyRequired, name: "static-remote-key", in: InInit | InNode | InChannelType},
	{bit: PaymentSecretRequired, name: "payment-addr", in: InInit | InNode | InInvoice, older: []Bit{VarOnionRequired}},
	{bit: BasicMPPRequired, name: "multi-path-payments", in: InInit | InNode | InInvoice, needs: []Bit{PaymentSecretRequired}},
	{bit: SupportLargeChannelRequired, name: "wumbo-channels", in: InInit | InNode},
	{bit: AnchorsRequired, name: "anchors-zero-fee-htlc-tx", in: InInit | InNode | InChannelType, older: []Bit{StaticRemoteKeyRequired}},
	{bit: RouteBlindingRequired, name: "route-blinding", in: InInit | InNode | InInvoice, older: []Bit{VarOnionRequired}},
	{bit: ShutdownAnySegwitRequired, name: "shutdown-any-segwit", in: InInit | InNode},
	{bit: DualFundRequired, name: "dual-fund", in: InInit | InNode},
	{bit: QuiesceRequired, name: "quiescence", in: InInit | InNode},
	{bit: AttributionDataRequired, name: "attribution-data", in: InInit | InNode | InInvoice},
	{bit: OnionMessagesRequired, name: "onion-messages", in: InInit | InNode},
	{bit: ProvideStorageRequired, name: "provide-storage", in: InInit | InNode},
	{bit: ChannelTypeRequired, name: "explicit-commitment-type", in: InInit | InNode},
	{bit: ScidAliasRequired, name: "scid-alias", in: InInit | InNode | InChannelType},
	{bit: PaymentMetadataRequired, name: "payment-metadata", in: InInvoice},
	{bit: ZeroConfRequired, name: "zero-conf", in: InInit | InNode | InChannelType, needs: []Bit{ScidAliasRequired}},
	{bit: KeysendRequired, name: "keysend", in: InInit | InNode, older: []Bit{VarOnionRequired}},
	{bit: SimpleCloseRequired, name: "rbf-coop-close", in: InInit | InNode, needs: []Bit{ShutdownAnySegwitRequired}},
	{bit: SpliceRequired, name: "splice", in: InInit | InNode},
	{bit: AccountableRequired, name: "accountable-x", in: InNode}, // as lnd has it
	{bit: Bolt11BlindedPathsRequired, name: "bolt-11-blinded-paths", in: InInvoice, needs: []Bit{RouteBlindingRequired}},
}

// foreignNames are features that others have and we do not: good to show, but a
// peer that requires one is refused.
var foreignNames = map[Bit]string{
	2:    "initial-routing-sync",
	20:   "anchor-commitments",
	30:   "amp",
	80:   "simple-taproot-chans",
	160:  "rbf-coop-close-x",
	180:  "simple-taproot-chans-x",
	2022: "script-enforced-lease",
}

// lookup finds the feature that the bit, even or odd, belongs to.
func lookup(bit Bit) (*feature, bool) {
	i, ok := slices.BinarySearchFunc(features, bit&^1, func(f feature, b Bit) int { return int(f.bit) - int(b) })
	if !ok {
		return nil, false
	}
	return &features[i], true
}

// Name is what lnd's RPC calls the feature, "unknown" if it has no name.
func (b Bit) Name() string {
	if f, ok := lookup(b); ok {
		return f.name
	}
	if name, ok := foreignNames[b&^1]; ok {
		return name
	}
	return "unknown"
}

// IsKnown reports a bit that is defined by BOLT 9, or one of the two bLIPs. It says nothing
// about whether this node supports it.
func (b Bit) IsKnown() bool {
	_, ok := lookup(b)
	return ok
}

// UnknownRequired lists the bits of a vector from somebody else that forbid to go
// on, because we do not know what they ask of us. In most contexts these are the
// unknown even bits. A channel type is an exact set, and in a blinded path nothing
// unknown is allowed: there an odd bit counts, too, and so does a known one that
// has no meaning in that place.
//
// B9.rcv.1: unknown odd bits are ignored. B9.rcv.2: unknown even bits are found,
// wherever they stand. B9.rcv.3: in allowed_features any unknown bit is found.
func (f Features) UnknownRequired(c Context) []Bit {
	var unknown []Bit
	for _, bit := range f.Bits() {
		known, ok := lookup(bit)
		strict := c == InBlindedPath || c == InChannelType
		switch {
		case !ok:
			if strict || bit.IsRequired() {
				unknown = append(unknown, bit)
			}
		case strict && known.in&c == 0:
			unknown = append(unknown, bit)
		}
	}
	return unknown
}

// Unsupported lists the bits that f requires and ours does not offer: with them
// two peers cannot work together. It is stricter than UnknownRequired, which knows
// the whole table.
func (f Features) Unsupported(ours Features) []Bit {
	var missing []Bit
	for _, bit := range f.Bits() {
		if bit.IsRequired() && !ours.HasEither(bit) {
			missing = append(missing, bit)
		}
	}
	return missing
}

// CheckDependencies says which feature lacks one that it builds on, by the table
// of BOLT 9. A dependency is met by either bit.
//
// B9.rcv.4: all known dependencies are asked for; since each feature's own ones
// are, a chain of them is, too.
func (f Features) CheckDependencies() error {
	return f.missing(func(t *feature) []Bit { return t.needs })
}

func (f Features) missing(needs func(*feature) []Bit) error {
	for i := range features {
		t := &features[i]
		if !f.HasEither(t.bit) {
			continue
		}
		for _, need := range needs(t) {
			if !f.HasEither(need) {
				return fmt.Errorf("feature %s (%d) without %s (%d)", t.name, t.bit, need.Name(), need)
			}
		}
	}
	return nil
}

// CheckOurs says what is wrong with a vector that we are about to send in the
// given context.
//
// B9.own.1: no bit that we do not know leaves. B9.own.2: none leaves in a place
// where it has no meaning. B9.own.3: never both bits of a pair. B9.own.4: all
// dependencies are set, those of earlier editions included, since older nodes ask
// for them. B9.own.5: var_onion_optin is always offered in init.
func (f Features) CheckOurs(c Context) error {
	for _, bit := range f.Bits() {
		t, ok := lookup(bit)
		if !ok {
			return fmt.Errorf("feature bit %d is not known", bit)
		}
		if t.in&c == 0 {
			return fmt.Errorf("feature %s (%d) does not belong in %s", t.name, bit, c)
		}
		if f.Has(bit.pair()) {
			return fmt.Errorf("feature %s is both optional and required", t.name)
		}
		if c == InChannelType && !bit.IsRequired() {
			return fmt.Errorf("feature %s (%d) is odd in %s", t.name, bit, c)
		}
	}
	if c == InChannelType {
		return nil // a type is one of a list, it has no dependencies
	}
	if c == InInit && !f.HasEither(VarOnionRequired) {
		return fmt.Errorf("feature %s (%d) is missing", VarOnionRequired.Name(), VarOnionRequired)
	}
	return f.missing(func(t *feature) []Bit { return append(slices.Clone(t.needs), t.older...) })
}
