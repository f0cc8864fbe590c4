package onion

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// codes are all that we know, with their numbers as BOLT 4 prints them.
var codes = []struct {
	code   Code
	number uint16
	name   string
}{
	{TemporaryNodeFailure, 0x2002, "temporary_node_failure"},
	{PermanentNodeFailure, 0x6002, "permanent_node_failure"},
	{RequiredNodeFeatureMissing, 0x6003, "required_node_feature_missing"},
	{InvalidOnionVersion, 0xc004, "invalid_onion_version"},
	{InvalidOnionHMAC, 0xc005, "invalid_onion_hmac"},
	{InvalidOnionKey, 0xc006, "invalid_onion_key"},
	{TemporaryChannelFailure, 0x1007, "temporary_channel_failure"},
	{PermanentChannelFailure, 0x4008, "permanent_channel_failure"},
	{RequiredChannelFeatureMissing, 0x4009, "required_channel_feature_missing"},
	{UnknownNextPeer, 0x400a, "unknown_next_peer"},
	{AmountBelowMinimum, 0x100b, "amount_below_minimum"},
	{FeeInsufficient, 0x100c, "fee_insufficient"},
	{IncorrectCLTVExpiry, 0x100d, "incorrect_cltv_expiry"},
	{ExpiryTooSoon, 0x100e, "expiry_too_soon"},
	{IncorrectOrUnknownPaymentDetails, 0x400f, "incorrect_or_unknown_payment_details"},
	{FinalIncorrectCLTVExpiry, 18, "final_incorrect_cltv_expiry"},
	{FinalIncorrectHTLCAmount, 19, "final_incorrect_htlc_amount"},
	{ChannelDisabled, 0x1014, "channel_disabled"},
	{ExpiryTooFar, 21, "expiry_too_far"},
	{InvalidOnionPayload, 0x4016, "invalid_onion_payload"},
	{MPPTimeout, 23, "mpp_timeout"},
	{InvalidOnionBlinding, 0xc018, "invalid_onion_blinding"},
	{InvalidRealm, 0x4001, "invalid_realm"},
	{IncorrectPaymentAmount, 0x4010, "incorrect_payment_amount"},
	{FinalExpiryTooSoon, 17, "final_expiry_too_soon"},
	{Unreadable, 0, "unreadable"},
}

// B4.code.2
func TestCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range codes {
		require.EqualValues(t, c.number, c.code, c.name)
		require.Equal(t, c.name, c.code.String())
		words := Failure{Code: c.code}.Explain()
		require.Greater(t, len(words), 30, c.name)
		require.NotContains(t, words, "do not know (0x", c.name)
		require.False(t, seen[words], "%s: no words of its own", c.name)
		seen[words] = true
	}
	require.True(t, InvalidOnionHMAC.Has(FlagBadOnion|FlagPerm))
	require.False(t, TemporaryNodeFailure.Has(FlagPerm))
	require.False(t, TemporaryNodeFailure.Has(FlagNode|FlagPerm))
}

func TestExplainTellsFigures(t *testing.T) {
	for _, c := range []struct {
		f    Failure
		want string
	}{
		{Failure{Code: FeeInsufficient, HTLCMsat: 1001}, "1001 msat"},
		{Failure{Code: AmountBelowMinimum, HTLCMsat: 7}, "7 msat"},
		{Failure{Code: FinalIncorrectHTLCAmount, HTLCMsat: 8}, "8 msat"},
		{Failure{Code: IncorrectCLTVExpiry, CLTVExpiry: 900_001}, "block 900001"},
		{Failure{Code: FinalIncorrectCLTVExpiry, CLTVExpiry: 900_002}, "block 900002"},
		{Failure{Code: IncorrectOrUnknownPaymentDetails, HTLCMsat: 9, Height: 900_003}, "9 msat at block 900003"},
		{Failure{Code: InvalidOnionPayload, Type: 18, Offset: 44}, "record 18 of our instructions, at byte 44"},
		{Failure{Code: FlagPerm | FlagNode | 99}, "(0x6063): the node does not take the payment for good"},
		{Failure{Code: FlagUpdate | 99}, "(0x1063): a channel of the node does not take the payment for now"},
	} {
		require.Contains(t, c.f.Explain(), c.want)
	}
	require.Equal(t, "unknown_failure_0x6063", (FlagPerm | FlagNode | 99).String())
}

func updateGen() *rapid.Generator[*lnwire.ChannelUpdate] {
	return rapid.Custom(func(t *rapid.T) *lnwire.ChannelUpdate {
		if rapid.Bool().Draw(t, "no update") {
			return nil
		}
		u := &lnwire.ChannelUpdate{
			SCID:            lnwire.ShortChannelID(rapid.Uint64().Draw(t, "scid")),
			Timestamp:       rapid.Uint32().Draw(t, "time"),
			MessageFlags:    lnwire.UpdateMustBeOne,
			ChannelFlags:    rapid.Byte().Draw(t, "flags"),
			CLTVExpiryDelta: rapid.Uint16().Draw(t, "delta"),
			HTLCMinimum:     lnwire.MilliSat(rapid.Uint32().Draw(t, "least")),
			FeeBase:         rapid.Uint32().Draw(t, "base"),
			FeePPM:          rapid.Uint32().Draw(t, "ppm"),
			HTLCMaximum:     lnwire.MilliSat(rapid.Uint32().Draw(t, "most")),
		}
		copy(u.Sig[:], rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "sig"))
		return u
	})
}

func hashGen(t *rapid.T) (h [32]byte) {
	copy(h[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
	return h
}

// failureGen draws a failure with exactly the fields that its code carries.
func failureGen() *rapid.Generator[Failure] {
	return rapid.Custom(func(t *rapid.T) Failure {
		f := Failure{Code: rapid.SampledFrom(codes).Draw(t, "code").code}
		amount := lnwire.MilliSat(rapid.Uint64().Draw(t, "amount"))
		height := lnwire.Height(rapid.Uint32().Draw(t, "height"))
		switch f.Code {
		case InvalidOnionVersion, InvalidOnionHMAC, InvalidOnionKey, InvalidOnionBlinding:
			f.OnionSHA256 = hashGen(t)
		case TemporaryChannelFailure, ExpiryTooSoon:
			f.Update = updateGen().Draw(t, "update")
		case AmountBelowMinimum, FeeInsufficient:
			f.HTLCMsat, f.Update = amount, updateGen().Draw(t, "update")
		case IncorrectCLTVExpiry:
			f.CLTVExpiry, f.Update = height, updateGen().Draw(t, "update")
		case IncorrectOrUnknownPaymentDetails:
			f.HTLCMsat, f.Height = amount, height
		case FinalIncorrectCLTVExpiry:
			f.CLTVExpiry = height
		case FinalIncorrectHTLCAmount:
			f.HTLCMsat = amount
		case ChannelDisabled:
			f.DisabledFlags, f.Update = rapid.Uint16().Draw(t, "flags"), updateGen().Draw(t, "update")
		case InvalidOnionPayload:
			f.Type, f.Offset = rapid.Uint64().Draw(t, "type"), rapid.Uint16().Draw(t, "offset")
		}
		return f
	})
}

// B4.code.3
func TestFailureRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := failureGen().Draw(t, "failure")
		extra := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "extra")
		require.Equal(t, f, ReadFailure(f.Encode()))
		require.Equal(t, f, ReadFailure(append(f.Encode(), extra...)), "B4.recv.1")
	})
}

// The exact bytes of each layout. B4.code.3
func TestFailureLayouts(t *testing.T) {
	sum := [32]byte(bytes.Repeat([]byte{0xab}, 32))
	hexSum := strings.Repeat("ab", 32)
	for _, c := range []struct {
		f    Failure
		want string
	}{
		{Failure{Code: TemporaryNodeFailure}, "2002"},
		{Failure{Code: PermanentNodeFailure}, "6002"},
		{Failure{Code: RequiredNodeFeatureMissing}, "6003"},
		{Failure{Code: InvalidOnionVersion, OnionSHA256: sum}, "c004" + hexSum},
		{Failure{Code: InvalidOnionHMAC, OnionSHA256: sum}, "c005" + hexSum},
		{Failure{Code: InvalidOnionKey, OnionSHA256: sum}, "c006" + hexSum},
		{Failure{Code: TemporaryChannelFailure}, "1007" + "0000"},
		{Failure{Code: PermanentChannelFailure}, "4008"},
		{Failure{Code: RequiredChannelFeatureMissing}, "4009"},
		{Failure{Code: UnknownNextPeer}, "400a"},
		{Failure{Code: AmountBelowMinimum, HTLCMsat: 1}, "100b" + "0000000000000001" + "0000"},
		{Failure{Code: FeeInsufficient, HTLCMsat: 2}, "100c" + "0000000000000002" + "0000"},
		{Failure{Code: IncorrectCLTVExpiry, CLTVExpiry: 3}, "100d" + "00000003" + "0000"},
		{Failure{Code: ExpiryTooSoon}, "100e" + "0000"},
		{Failure{Code: IncorrectOrUnknownPaymentDetails, HTLCMsat: 4, Height: 5}, "400f" + "0000000000000004" + "00000005"},
		{Failure{Code: FinalIncorrectCLTVExpiry, CLTVExpiry: 6}, "0012" + "00000006"},
		{Failure{Code: FinalIncorrectHTLCAmount, HTLCMsat: 7}, "0013" + "0000000000000007"},
		{Failure{Code: ChannelDisabled}, "1014" + "0000" + "0000"},
		{Failure{Code: ExpiryTooFar}, "0015"},
		{Failure{Code: InvalidOnionPayload, Type: 2, Offset: 9}, "4016" + "02" + "0009"},
		{Failure{Code: InvalidOnionPayload, Type: 65536, Offset: 9}, "4016" + "fe00010000" + "0009"},
		{Failure{Code: MPPTimeout}, "0017"},
		{Failure{Code: InvalidOnionBlinding, OnionSHA256: sum}, "c018" + hexSum},
		{Failure{Code: FlagBadOnion | 77, OnionSHA256: sum}, "804d" + hexSum},
		{Failure{Code: FlagNode | 77, OnionSHA256: sum}, "204d"},
	} {
		require.Equal(t, c.want, hex.EncodeToString(c.f.Encode()), c.f.Code)
	}
}

func TestFailureUpdate(t *testing.T) {
	u := &lnwire.ChannelUpdate{SCID: 7, MessageFlags: 1, HTLCMaximum: 8}
	plain, err := lnwire.Marshal(u)
	require.NoError(t, err)
	read := func(update []byte) *lnwire.ChannelUpdate {
		msg := binary.BigEndian.AppendUint16([]byte{0x10, 0x07}, uint16(len(update)))
		return ReadFailure(append(msg, update...)).Update
	}
	require.Equal(t, plain, Failure{Code: TemporaryChannelFailure, Update: u}.Encode()[4:], "written with its type")
	require.Equal(t, u, read(plain), "with its type")
	require.Equal(t, u, read(plain[2:]), "without its type, as old nodes send it")

	// A signature may begin like a message type.
	copy(u.Sig[:], []byte{1, 2})
	plain, err = lnwire.Marshal(u)
	require.NoError(t, err)
	require.Equal(t, u, read(plain[2:]))

	other, err := lnwire.Marshal(&lnwire.Ping{})
	require.NoError(t, err)
	for name, b := range map[string][]byte{
		"none": nil, "one byte": {1}, "the type alone": plain[:2], "too short": plain[:len(plain)-3], "another message": other,
	} {
		require.Nil(t, read(b), name)
	}
	require.Nil(t, ReadFailure(append([]byte{0x10, 0x07, 1, 0}, plain...)).Update, "longer than the message")
}

// What is missing is zero; the code is kept. (V-54)
func TestReadFailureCutShort(t *testing.T) {
	require.Equal(t, Failure{}, ReadFailure(nil))
	require.Equal(t, Failure{}, ReadFailure([]byte{0x40}))
	rapid.Check(t, func(t *rapid.T) {
		full := failureGen().Draw(t, "failure").Encode()
		n := rapid.IntRange(2, len(full)).Draw(t, "left")
		f := ReadFailure(full[:n])
		require.EqualValues(t, binary.BigEndian.Uint16(full), f.Code)
		require.Equal(t, f, ReadFailure(f.Encode()))
	})
}

func TestFailureWithHugeUpdate(t *testing.T) {
	f := Failure{Code: FeeInsufficient, HTLCMsat: 5, Update: &lnwire.ChannelUpdate{Extra: make([]byte, 65535-138)}}
	require.Equal(t, Failure{Code: FeeInsufficient, HTLCMsat: 5}, ReadFailure(f.Encode()), "does not fit and is left out")
}

func FuzzReadFailure(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x40, 0x0f, 0, 0})
	f.Add(Failure{Code: InvalidOnionPayload, Type: 1 << 40, Offset: 3}.Encode())
	f.Add(Failure{Code: ChannelDisabled, Update: &lnwire.ChannelUpdate{MessageFlags: 1}}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		failure := ReadFailure(b)
		require.NotEmpty(t, failure.Explain())
		require.Equal(t, failure, ReadFailure(failure.Encode()))
	})
}
