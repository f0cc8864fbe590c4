package channel

import (
	"fmt"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Kind is what a channel_type says: the format of the commitments, and the variations
// that every format allows.
type Kind struct {
	Format    commitment.Format
	ScidAlias bool // option_scid_alias: the real short_channel_id is told to nobody
	ZeroConf  bool // option_zeroconf: the channel is used before its funding confirms
}

// Type is the channel_type of the kind: the smallest bitmap.
func (k Kind) Type() lnwire.Features {
	t := lnwire.NewFeatures(lnwire.StaticRemoteKeyRequired)
	if k.Format == commitment.Anchors {
		t = t.With(lnwire.AnchorsRequired)
	}
	if k.ScidAlias {
		t = t.With(lnwire.ScidAliasRequired)
	}
	if k.ZeroConf {
		t = t.With(lnwire.ZeroConfRequired)
	}
	return t
}

// kindOf reads a channel_type; false when we do not know it or when the connection did
// not negotiate it.
func kindOf(t, negotiated lnwire.Features) (k Kind, ok bool) {
	k.ScidAlias, k.ZeroConf = t.Has(lnwire.ScidAliasRequired), t.Has(lnwire.ZeroConfRequired)
	base := t.Without(lnwire.ScidAliasRequired, lnwire.ZeroConfRequired)
	switch {
	case base.Exactly(lnwire.StaticRemoteKeyRequired):
		k.Format = commitment.StaticRemoteKey
	case base.Exactly(lnwire.StaticRemoteKeyRequired, lnwire.AnchorsRequired) && negotiated.HasEither(lnwire.AnchorsOptional):
		k.Format = commitment.Anchors
	default:
		return Kind{}, false
	}
	return k, (!k.ScidAlias || negotiated.HasEither(lnwire.ScidAliasOptional)) &&
		(!k.ZeroConf || negotiated.HasEither(lnwire.ZeroConfOptional))
}

// Kind is that of the channel.
func (t *Terms) Kind() Kind {
	return Kind{
		Format: t.Format, ScidAlias: t.ChannelType.Has(lnwire.ScidAliasRequired), ZeroConf: t.ChannelType.Has(lnwire.ZeroConfRequired),
	}
}

// proposal is everything that both sides have to agree on before the funding.
type proposal struct {
	kind       Kind
	public     bool
	capacity   lnwire.Sat
	push       lnwire.MilliSat
	rate       lnwire.SatPerKW
	funder     Side
	features   lnwire.Features // negotiated
	feeCeiling lnwire.SatPerKW
}

// check says what is wrong with an open_channel, ours or the peer's; "" when
// nothing is.
func (p *proposal) check() string {
	switch {
	case p.capacity == 0 || p.capacity > lnwire.MaxSat:
		return fmt.Sprintf("funding_satoshis of %v is out of range", p.capacity)
	case p.capacity >= largeChannel && !p.features.HasEither(lnwire.SupportLargeChannelOptional): // B2.open.2
		return fmt.Sprintf("funding_satoshis of %v needs option_support_large_channel from %v on", p.capacity, largeChannel)
	case p.push > p.capacity.MilliSat(): // B2.open.3
		return fmt.Sprintf("push_msat of %v is above the funding of %v", p.push, p.capacity)
	case p.rate < lnwire.FeeFloor: // B2.open.4
		return fmt.Sprintf("feerate_per_kw of %d is too low to relay (%d)", p.rate, lnwire.FeeFloor)
	case p.rate > p.feeCeiling:
		return fmt.Sprintf("feerate_per_kw of %d is unreasonably high (above %d)", p.rate, p.feeCeiling)
	case p.public && p.kind.ScidAlias: // B2.open.17
		return "channel_type has option_scid_alias, but the channel is to be announced"
	}
	if why := p.funder.check(p.capacity); why != "" {
		return why
	}
	return p.checkFirst()
}

// checkFirst looks at the first commitment: the funder can pay for it (B2.open.8),
// and one side has more than the reserve (B2.open.9).
func (p *proposal) checkFirst() string {
	params := commitment.Params{Format: p.kind.Format, OwnerIsFunder: true}
	s := commitment.Spec{FeeRate: p.rate, ToOwner: p.capacity.MilliSat() - p.push, ToOther: p.push}
	if !params.Affordable(s, 0) {
		return fmt.Sprintf("the funder's %v do not pay for the first commitment (%v)", s.ToOwner, params.Cost(s))
	}
	reserve := p.funder.Reserve.MilliSat()
	if s.ToOwner-params.Cost(s).MilliSat() <= reserve && s.ToOther <= reserve {
		return fmt.Sprintf("neither side has more than channel_reserve_satoshis of %v", p.funder.Reserve)
	}
	return ""
}

// check says what is wrong with what one side says of itself; "" when nothing is.
func (s *Side) check(capacity lnwire.Sat) string {
	points := []struct {
		name string
		key  lnwire.PubKey
	}{
		{"funding_pubkey", s.Funding}, {"revocation_basepoint", s.Revocation}, {"payment_basepoint", s.Payment},
		{"delayed_payment_basepoint", s.Delayed}, {"htlc_basepoint", s.HTLC},
	}
	for _, p := range points { // B2.open.5
		if _, err := p.key.Parse(); err != nil {
			return p.name + " is " + err.Error()
		}
	}
	switch {
	case s.DustLimit < minDustLimit: // B2.open.6
		return fmt.Sprintf("dust_limit_satoshis of %v is below %v", s.DustLimit, minDustLimit)
	case s.DustLimit > maxDustLimit: // V-20
		return fmt.Sprintf("dust_limit_satoshis of %v is above %v", s.DustLimit, maxDustLimit)
	case s.Reserve < s.DustLimit: // B2.open.7, V-22
		return fmt.Sprintf("channel_reserve_satoshis of %v is below dust_limit_satoshis of %v", s.Reserve, s.DustLimit)
	case s.Reserve > capacity/5:
		return fmt.Sprintf("channel_reserve_satoshis of %v is above a fifth of the channel", s.Reserve)
	case s.MaxAccepted > maxHTLCs: // B2.open.10
		return fmt.Sprintf("max_accepted_htlcs of %d is above %d", s.MaxAccepted, maxHTLCs)
	case s.MaxAccepted < minAccepted:
		return fmt.Sprintf("max_accepted_htlcs of %d is below %d", s.MaxAccepted, minAccepted)
	case s.ToSelfDelay > maxSelfDelay: // B2.open.11
		return fmt.Sprintf("to_self_delay of %d is above %d", s.ToSelfDelay, maxSelfDelay)
	case s.ToSelfDelay == 0:
		return "to_self_delay is 0"
	case s.HTLCMinimum > s.MaxInFlight:
		return fmt.Sprintf("htlc_minimum_msat of %v is above max_htlc_value_in_flight_msat of %v", s.HTLCMinimum, s.MaxInFlight)
	case s.HTLCMinimum > capacity.MilliSat()/10:
		return fmt.Sprintf("htlc_minimum_msat of %v is above a tenth of the channel", s.HTLCMinimum)
	case len(s.Upfront) > 0 && !shutdownScript(s.Upfront, true):
		return "upfront_shutdown_script has no allowed form"
	}
	return ""
}

// checkBoth holds the dust limits of each side against the reserve that the other
// asks for (V-22, V-23, B2.accept.2, B2.accept.3).
func checkBoth(a, b *Side) string {
	for _, s := range [2][2]*Side{{a, b}, {b, a}} {
		if s[0].DustLimit > s[1].Reserve {
			return fmt.Sprintf("dust_limit_satoshis of %v is above the other side's channel_reserve_satoshis of %v", s[0].DustLimit, s[1].Reserve)
		}
	}
	return ""
}

// feeCeiling is the highest fee rate that we let a peer set.
func (c *Channel) feeCeiling() lnwire.SatPerKW {
	if c.target == 0 {
		return maxFeeRate
	}
	return min(maxFeeRate, max(freeFeeRate, feeSlack*min(c.target, maxFeeRate)))
}

// isReturn: the script is OP_RETURN and one push, as a simple close allows it.
func isReturn(s []byte) bool {
	const opReturn, pushData1 = 0x6a, 76
	switch {
	case len(s) < 3 || s[0] != opReturn:
		return false
	case s[1] >= 6 && s[1] < pushData1:
		return len(s) == 2+int(s[1])
	}
	return s[1] == pushData1 && s[2] >= 76 && s[2] <= 80 && len(s) == 3+int(s[2])
}

// closeScript: money of a cooperative close may go to the script, by what is negotiated.
func (c *Channel) closeScript(s []byte) bool {
	f := c.conn.features
	return shutdownScript(s, f.HasEither(lnwire.ShutdownAnySegwitOptional)) || f.HasEither(lnwire.SimpleCloseOptional) && isReturn(s)
}

// shutdownScript reports whether a scriptpubkey has one of the forms that BOLT 2
// allows in shutdown (B2.shutdown.5).
func shutdownScript(s []byte, anySegwit bool) bool {
	if len(s) < 4 || len(s) > 42 || int(s[1]) != len(s)-2 {
		return false
	}
	switch {
	case s[0] == 0: // version 0: a key hash or a script hash
		return len(s) == 22 || len(s) == 34
	case s[0] >= 0x51 && s[0] <= 0x60: // versions 1 to 16
		return anySegwit
	}
	return false
}
