package lnwire

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestFeaturesAreASet holds the vector against a set of numbers.
//
// B9.vec.1, B9.vec.2.
func TestFeaturesAreASet(t *testing.T) {
	bit := rapid.Map(rapid.Uint16(), func(n uint16) Bit {
		if n%2 == 0 {
			return Bit(n / 2 % 70)
		}
		return Bit(n)
	})
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SliceOfN(bit, 0, 8).Draw(t, "bits")
		more := rapid.SliceOfN(bit, 0, 8).Draw(t, "more")
		set := map[Bit]bool{}
		for _, b := range bits {
			set[b] = true
		}
		f := NewFeatures(bits...)
		before := slices.Clone(f)
		same := func(f Features) {
			require.Equal(t, slices.Sorted(maps.Keys(set)), f.Bits())
			require.Equal(t, len(set) == 0, f.IsEmpty())
			require.True(t, f.Exactly(f.Bits()...))
			if len(f) > 0 {
				require.NotZero(t, f[0])
			}
			for _, b := range append(slices.Clone(bits), more...) {
				require.Equal(t, set[b], f.Has(b))
				require.Equal(t, set[b] || set[b^1], f.HasEither(b))
				require.Equal(t, set[b&^1], f.Requires(b))
			}
		}
		same(f)
		for _, b := range more {
			set[b] = true
		}
		g := f.With(more...)
		same(g)
		same(g.Or(f))
		require.True(t, g.Equal(append(Features{0, 0}, g...)))
		require.Equal(t, f.Equal(g), slices.Equal(f.Bits(), g.Bits()))
		for _, b := range more {
			delete(set, b)
		}
		same(g.Without(more...))
		require.Equal(t, before, f, "a method changed its receiver")
	})
	var none Features
	require.False(t, none.Has(0))
	require.False(t, Features{0, 1}.Has(9))
	require.True(t, none.Equal(Features{0, 0}))
	require.Empty(t, none.With())
	require.Empty(t, none.Without(7))
}

// Bits above the largest number are refused from a peer and harmless elsewhere.
func TestFeatureVectorsAreBounded(t *testing.T) {
	long := make(Features, maxFeatureBytes+1)
	long[0] = 1
	require.Empty(t, long.Bits())
	b, err := Marshal(&Init{Features: long})
	require.NoError(t, err)
	_, err = Unmarshal(b)
	require.ErrorContains(t, err, "decode init: features: 8193 bytes of features")
	long[0], long[1] = 0, 0x80
	require.Equal(t, []Bit{65535}, long.Bits())
	b, err = Marshal(&Init{Features: long})
	require.NoError(t, err)
	_, err = Unmarshal(b)
	require.NoError(t, err)
	_, err = Unmarshal(append(b, 0xca, 0))
	require.ErrorIs(t, err, ErrUnknownEven)
}

// TestFeatureTable holds our table against BOLT 9's, copied here, with the names by
// which lnd's RPC calls them. "a" marks what BOLT 9 assumes of everybody.
func TestFeatureTable(t *testing.T) {
	for _, want := range []struct {
		bit  Bit
		name string
		in   Context
	}{
		{0, "data-loss-protect", 0},
		{4, "upfront-shutdown-script", InInit | InNode},
		{6, "gossip-queries", 0},
		{8, "tlv-onion", 0},
		{10, "gossip-queries-ex", InInit | InNode},
		{12, "static-remote-key", 0},
		{14, "payment-addr", 0},
		{16, "multi-path-payments", InInit | InNode | InInvoice},
		{18, "wumbo-channels", InInit | InNode},
		{22, "anchors-zero-fee-htlc-tx", InInit | InNode | InChannelType},
		{24, "route-blinding", InInit | InNode | InInvoice},
		{26, "shutdown-any-segwit", InInit | InNode},
		{28, "dual-fund", InInit | InNode},
		{34, "quiescence", InInit | InNode},
		{36, "attribution-data", InInit | InNode | InInvoice},
		{38, "onion-messages", InInit | InNode},
		{42, "provide-storage", InInit | InNode},
		{44, "explicit-commitment-type", 0},
		{46, "scid-alias", InInit | InNode | InChannelType},
		{48, "payment-metadata", InInvoice},
		{50, "zero-conf", InInit | InNode | InChannelType},
		{54, "keysend", 0},
		{60, "rbf-coop-close", InInit | InNode},
		{62, "splice", InInit | InNode},
		{260, "accountable-x", InNode},
		{262, "bolt-11-blinded-paths", InInvoice},
	} {
		for _, bit := range []Bit{want.bit, want.bit + 1} {
			require.Equal(t, want.name, bit.Name())
			require.True(t, bit.IsKnown())
		}
		if f, _ := lookup(want.bit); want.in != 0 {
			require.Equal(t, want.in, f.in, want.name)
		}
	}
	require.Len(t, features, 26)
	require.True(t, slices.IsSortedFunc(features, func(x, y feature) int { return int(x.bit) - int(y.bit) }))
	require.Equal(t, "amp", Bit(31).Name())
	require.False(t, Bit(31).IsKnown())
	require.Equal(t, "unknown", Bit(1000).Name())
}

// B9.rcv.1, B9.rcv.2, B9.rcv.3.
func TestUnknownRequired(t *testing.T) {
	f := NewFeatures(AnchorsRequired, PaymentMetadataOptional, 101, 102, 4001, 4002)
	for _, c := range []Context{InInit, InNode, InChannel, InInvoice} {
		require.Equal(t, []Bit{102, 4002}, f.UnknownRequired(c), c)
	}
	require.Equal(t, []Bit{49, 101, 102, 4001, 4002}, f.UnknownRequired(InChannelType))
	require.Equal(t, []Bit{22, 49, 101, 102, 4001, 4002}, f.UnknownRequired(InBlindedPath))
	require.Equal(t, []Bit{30}, NewFeatures(30, 31).UnknownRequired(InInvoice)) // named is not known
	require.Empty(t, Features(nil).UnknownRequired(InBlindedPath))
}

func TestUnsupported(t *testing.T) {
	ours := NewFeatures(VarOnionRequired, AnchorsOptional)
	theirs := NewFeatures(VarOnionOptional, AnchorsRequired, SpliceRequired, DualFundOptional, 200)
	require.Equal(t, []Bit{SpliceRequired, 200}, theirs.Unsupported(ours))
}

// B9.rcv.4: the dependencies of BOLT 9, with either bit, and along a chain.
func TestDependencies(t *testing.T) {
	for _, v := range []struct{ needs, needed Bit }{
		{BasicMPPOptional, PaymentSecretOptional},
		{ZeroConfOptional, ScidAliasOptional},
		{SimpleCloseOptional, ShutdownAnySegwitOptional},
		{Bolt11BlindedPathsOptional, RouteBlindingOptional},
	} {
		for _, f := range []Features{NewFeatures(v.needs), NewFeatures(v.needs ^ 1)} {
			require.ErrorContains(t, f.CheckDependencies(), "without "+v.needed.Name())
			require.NoError(t, f.With(v.needed).CheckDependencies())
			require.NoError(t, f.With(v.needed^1).CheckDependencies())
		}
		require.NoError(t, NewFeatures(v.needed).CheckDependencies())
	}
	require.NoError(t, NewFeatures(AnchorsOptional, RouteBlindingOptional, 5001).CheckDependencies())
	// basic_mpp needs payment_secret, which for older nodes needs var_onion_optin.
	chain := NewFeatures(BasicMPPOptional, PaymentSecretOptional)
	require.NoError(t, chain.CheckDependencies())
	require.ErrorContains(t, chain.CheckOurs(InInvoice), "payment-addr (14) without tlv-onion (8)")
}

// B9.own.1, B9.own.2, B9.own.3, B9.own.4, B9.own.5.
func TestCheckOurs(t *testing.T) {
	base := NewFeatures(VarOnionRequired, StaticRemoteKeyRequired, PaymentSecretRequired, BasicMPPOptional, AnchorsOptional)
	require.NoError(t, base.CheckOurs(InInit))
	require.NoError(t, base.CheckOurs(InNode))
	require.NoError(t, Features(nil).CheckOurs(InChannel))
	require.NoError(t, NewFeatures(StaticRemoteKeyRequired, AnchorsRequired, ZeroConfRequired).CheckOurs(InChannelType))
	for want, f := range map[string]Features{
		"bit 999 is not known":                 base.With(999),
		"does not belong in init":              base.With(PaymentMetadataOptional),
		"both optional and required":           base.With(VarOnionOptional),
		"without payment-addr":                 base.Without(PaymentSecretRequired),
		"without static-remote-key":            base.Without(StaticRemoteKeyRequired),
		"feature tlv-onion (8) is missing":     NewFeatures(ScidAliasOptional),
		"without scid-alias":                   base.With(ZeroConfOptional),
		"rbf-coop-close (60) without shutdown": base.With(SimpleCloseOptional),
	} {
		require.ErrorContains(t, f.CheckOurs(InInit), want)
	}
	require.ErrorContains(t, base.CheckOurs(InChannel), "does not belong in channel_announcement")
	require.ErrorContains(t, base.CheckOurs(InInvoice), "does not belong in invoice")
	require.ErrorContains(t, NewFeatures(AnchorsOptional).CheckOurs(InChannelType), "is odd in channel_type")
	require.Error(t, NewFeatures(RouteBlindingOptional).CheckOurs(InBlindedPath))
	require.Equal(t, "node_announcement", InNode.String())
}
