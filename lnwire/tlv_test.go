package lnwire

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/lightningnetwork/lnd/tlv"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	return b
}

// TestBigSizeVectors is appendix A of BOLT 1.
func TestBigSizeVectors(t *testing.T) {
	for _, v := range []struct {
		name, hex string
		value     uint64
	}{
		{"zero", "00", 0},
		{"one byte high", "fc", 252},
		{"two byte low", "fd00fd", 253},
		{"two byte high", "fdffff", 65535},
		{"four byte low", "fe00010000", 65536},
		{"four byte high", "feffffffff", 4294967295},
		{"eight byte low", "ff0000000100000000", 4294967296},
		{"eight byte high", "ffffffffffffffffff", math.MaxUint64},
	} {
		t.Run(v.name, func(t *testing.T) {
			got, rest, err := ReadBigSize(append(unhex(t, v.hex), 7))
			require.NoError(t, err)
			require.Equal(t, v.value, got)
			require.Equal(t, []byte{7}, rest)
			require.Equal(t, v.hex, hex.EncodeToString(AppendBigSize(nil, v.value)))
			require.Equal(t, len(v.hex)/2, BigSizeLen(v.value))
		})
	}
	for _, v := range []struct {
		name, hex string
		want      error
	}{
		{"two byte not canonical", "fd00fc", ErrNotMinimal},
		{"four byte not canonical", "fe0000ffff", ErrNotMinimal},
		{"eight byte not canonical", "ff00000000ffffffff", ErrNotMinimal},
		{"two byte short read", "fd00", ErrTruncated},
		{"four byte short read", "feffff", ErrTruncated},
		{"eight byte short read", "ffffffffff", ErrTruncated},
		{"one byte no read", "", ErrTruncated},
		{"two byte no read", "fd", ErrTruncated},
		{"four byte no read", "fe", ErrTruncated},
		{"eight byte no read", "ff", ErrTruncated},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, _, err := ReadBigSize(unhex(t, v.hex))
			require.ErrorIs(t, err, v.want)
		})
	}
}

// The big sizes and truncated integers of lnd/tlv are the oracle for ours.
//
// B1.tu.1, B1.tu.2.
func TestIntegersAgreeWithLnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(t, "raw")
		if rapid.Bool().Draw(t, "marked") && len(raw) > 0 {
			raw[0] = rapid.SampledFrom([]byte{0xfc, 0xfd, 0xfe, 0xff, 0}).Draw(t, "mark")
		}
		var buf [8]byte
		theirs, theirErr := tlv.ReadVarInt(bytes.NewReader(raw), &buf)
		ours, _, err := ReadBigSize(raw)
		require.Equal(t, theirErr == nil, err == nil)
		if err == nil {
			require.Equal(t, theirs, ours)
			require.True(t, bytes.HasPrefix(raw, AppendBigSize(nil, ours)))
		}
		agree := func(width int, theirErr, err error, theirs, ours uint64) {
			require.Equal(t, theirErr == nil && len(raw) <= width, err == nil, "width %d", width)
			if err == nil {
				require.Equal(t, theirs, ours)
				require.Equal(t, raw, append([]byte{}, AppendTU64(nil, ours)...))
			}
		}
		var v16 uint16
		var v32 uint32
		var v64 uint64
		n := uint64(len(raw))
		tooLong := tlv.ErrRecordTooLarge
		err16, err32, err64 := tooLong, tooLong, tooLong
		if n <= 2 {
			err16 = tlv.DTUint16(bytes.NewReader(raw), &v16, &buf, n)
		}
		if n <= 4 {
			err32 = tlv.DTUint32(bytes.NewReader(raw), &v32, &buf, n)
		}
		if n <= 8 {
			err64 = tlv.DTUint64(bytes.NewReader(raw), &v64, &buf, n)
		}
		o16, e := ReadTU16(raw)
		agree(2, err16, e, uint64(v16), uint64(o16))
		o32, e := ReadTU32(raw)
		agree(4, err32, e, uint64(v32), uint64(o32))
		o64, e := ReadTU64(raw)
		agree(8, err64, e, v64, o64)
	})
}

// B1.tu.3.
func TestTruncatedAmountIsBounded(t *testing.T) {
	all := unhex(t, "1d24b2dfac520000")
	v, err := ReadTUMilliSat(all)
	require.NoError(t, err)
	require.Equal(t, MaxMilliSat, v)
	all[7]++
	_, err = ReadTUMilliSat(all)
	require.ErrorContains(t, err, "above 21 million")
	_, err = ReadTUMilliSat([]byte{0, 1})
	require.ErrorIs(t, err, ErrNotMinimal)
}

// namespace1 reads the records of n1 in appendix B.
type namespace1 struct {
	tlv1 uint64
	tlv2 ShortChannelID
	id   PubKey
	amt1 uint64
	amt2 uint64
	tlv4 uint16
}

func (n *namespace1) read(b []byte) error {
	var extra ExtraTLVs
	r := reader{b: b}
	r.extension(&extra, func(typ uint64, v *reader) bool {
		switch typ {
		case 1:
			var err error
			if n.tlv1, err = ReadTU64(v.rest()); err != nil {
				v.fail("amount_msat", err)
			}
		case 2:
			n.tlv2 = v.scid("scid")
		case 3:
			n.id, n.amt1, n.amt2 = v.point("node_id"), v.u64("amount_msat_1"), v.u64("amount_msat_2")
		case 254:
			n.tlv4 = v.u16("cltv_delta")
		default:
			return false
		}
		return true
	})
	return r.err
}

func readNamespace2(b []byte) error {
	records, err := ReadTLVs(b, func(typ uint64) bool { return typ == 0 || typ == 11 })
	for _, rec := range records {
		switch rec.Type {
		case 0:
			_, err = ReadTU64(rec.Value)
		case 11:
			_, err = ReadTU32(rec.Value)
		}
		if err != nil {
			return err
		}
	}
	return err
}

const pointHex = "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb"

// TestTLVFailures is the first half of appendix B of BOLT 1.
//
// B1.tlv.2, B1.tlv.3, B1.tlv.4, B1.tlv.5, B1.tlv.6.
func TestTLVFailures(t *testing.T) {
	zeros := strings.Repeat("00", 256)
	for _, v := range []struct {
		space, hex, reason string
		want               error
	}{
		{"any", "fd", "type truncated", ErrTruncated},
		{"any", "fd01", "type truncated", ErrTruncated},
		{"any", "fd0001 00", "type not minimal", ErrNotMinimal},
		{"any", "fd0101", "length missing", ErrTruncated},
		{"any", "0f fd", "length truncated", ErrTruncated},
		{"any", "0f fd26", "length truncated", ErrTruncated},
		{"any", "0f fd2602", "value missing", ErrTruncated},
		{"any", "0f fd0001 00", "length not minimal", ErrNotMinimal},
		{"any", "0f fd0201" + zeros, "value truncated", ErrTruncated},
		{"any", "12 00", "unknown even", ErrUnknownEven},
		{"any", "fd0102 00", "unknown even", ErrUnknownEven},
		{"any", "fe01000002 00", "unknown even", ErrUnknownEven},
		{"any", "ff0100000000000002 00", "unknown even", ErrUnknownEven},
		{"n1", "01 09 ffffffffffffffffff", "tlv1 too long", nil},
		{"n1", "01 01 00", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 02 0001", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 03 000100", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 04 00010000", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 05 0001000000", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 06 000100000000", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 07 00010000000000", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "01 08 0001000000000000", "tlv1 not minimal", ErrNotMinimal},
		{"n1", "02 07 01010101010101", "tlv2 too short", ErrTruncated},
		{"n1", "02 09 010101010101010101", "tlv2 too long", ErrTrailing},
		{"n1", "03 21 " + pointHex, "tlv3 too short", ErrTruncated},
		{"n1", "03 29 " + pointHex + "0000000000000001", "tlv3 too short", ErrTruncated},
		{"n1", "03 30 " + pointHex + "000000000000000100000000000001", "tlv3 too short", ErrTruncated},
		{"n1", "03 31 04" + pointHex[2:] + "00000000000000010000000000000002", "tlv3 no point", ErrBadPubKey},
		{"n1", "03 32 " + pointHex + "0000000000000001000000000000000001", "tlv3 too long", ErrTrailing},
		{"n1", "fd00fe 00", "tlv4 too short", ErrTruncated},
		{"n1", "fd00fe 01 01", "tlv4 too short", ErrTruncated},
		{"n1", "fd00fe 03 010101", "tlv4 too long", ErrTrailing},
		{"n1", "00 00", "unknown even", ErrUnknownEven},
		{"n1", "02 08 0000000000000226 01 01 2a", "order", ErrNotAscending},
		{"n1", "02 08 0000000000000231 02 08 0000000000000451", "twice", ErrNotAscending},
		{"n1", "1f 00 0f 01 2a", "order of ignored", ErrNotAscending},
		{"n1", "1f 00 1f 01 2a", "ignored twice", ErrNotAscending},
		{"n2", "ffffffffffffffffff 00 00 00", "order", ErrNotAscending},
	} {
		t.Run(v.reason, func(t *testing.T) {
			b := unhex(t, v.hex)
			var errs []error
			if v.space != "n2" {
				errs = append(errs, new(namespace1).read(b))
			}
			if v.space != "n1" {
				errs = append(errs, readNamespace2(b))
			}
			for _, err := range errs {
				require.Error(t, err)
				if v.want != nil {
					require.ErrorIs(t, err, v.want)
				}
				var at *TLVError
				require.ErrorAs(t, err, &at)
			}
			// A valid stream in front of it does not help.
			require.Error(t, new(namespace1).read(append(unhex(t, "01 01 01"), b...)))
		})
	}
}

// TestTLVSuccesses is the second half of appendix B.
//
// B1.tlv.1, B1.tlv.7.
func TestTLVSuccesses(t *testing.T) {
	for _, hex := range []string{"", "21 00", "fd0201 00", "fd00fd 00", "fd00ff 00", "fe02000001 00", "ff0200000000000001 00"} {
		require.NoError(t, new(namespace1).read(unhex(t, hex)), hex)
		require.NoError(t, readNamespace2(unhex(t, hex)), hex)
	}
	point, err := ParsePubKey(pointHex)
	require.NoError(t, err)
	for _, v := range []struct {
		hex  string
		want namespace1
	}{
		{"01 00", namespace1{}},
		{"01 01 01", namespace1{tlv1: 1}},
		{"01 02 0100", namespace1{tlv1: 256}},
		{"01 03 010000", namespace1{tlv1: 65536}},
		{"01 04 01000000", namespace1{tlv1: 16777216}},
		{"01 05 0100000000", namespace1{tlv1: 4294967296}},
		{"01 06 010000000000", namespace1{tlv1: 1099511627776}},
		{"01 07 01000000000000", namespace1{tlv1: 281474976710656}},
		{"01 08 0100000000000000", namespace1{tlv1: 72057594037927936}},
		{"02 08 0000000000000226", namespace1{tlv2: NewShortChannelID(0, 0, 550)}},
		{"03 31 " + pointHex + "00000000000000010000000000000002", namespace1{id: point, amt1: 1, amt2: 2}},
		{"fd00fe 02 0226", namespace1{tlv4: 550}},
	} {
		var got namespace1
		require.NoError(t, got.read(unhex(t, v.hex)), v.hex)
		require.Equal(t, v.want, got, v.hex)
		// A stream of higher types may follow.
		require.NoError(t, got.read(append(unhex(t, v.hex), unhex(t, "fe02000001 00")...)))
	}
}

// TestInitExtension is appendix C.
//
// B1.msg.4: the extension of a message is held to the rules of streams.
func TestInitExtension(t *testing.T) {
	for _, good := range []string{"001000000000", "001000000000c9012acb0104"} {
		m, err := Unmarshal(unhex(t, good))
		require.NoError(t, err)
		again, err := Marshal(m)
		require.NoError(t, err)
		require.Equal(t, good, hex.EncodeToString(again))
	}
	for bad, want := range map[string]error{
		"00100000000001":           ErrTruncated,
		"001000000000ca012a":       ErrUnknownEven,
		"001000000000c90101c90102": ErrNotAscending,
	} {
		_, err := Unmarshal(unhex(t, bad))
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, "decode init: ")
	}
}

func TestTLVErrorSaysWhere(t *testing.T) {
	_, err := ReadTLVs(unhex(t, "0100 fd00fd0100 06 00"), nil)
	var at *TLVError
	require.ErrorAs(t, err, &at)
	require.Equal(t, TLVError{Type: 6, Offset: 7, Err: ErrNotAscending}, *at)
	_, err = ReadTLVs(unhex(t, "0100 0600"), nil)
	require.ErrorAs(t, err, &at)
	require.Equal(t, TLVError{Type: 6, Offset: 2, Err: ErrUnknownEven}, *at)
	require.EqualError(t, err, "tlv type 6: unknown even type")
}

// B1.tlv.8, B1.tlv.9: what is written is in order and minimal, or not written.
func TestAppendTLVs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t, 0, math.MaxUint64)
		b, err := AppendTLVs([]byte{9}, records)
		require.NoError(t, err)
		byHand := []byte{9}
		for _, rec := range records {
			byHand = AppendTLV(byHand, rec.Type, rec.Value)
		}
		require.Equal(t, byHand, b)
		back, err := ReadTLVs(b[1:], func(uint64) bool { return true })
		require.NoError(t, err)
		require.Equal(t, records, back)
		if len(records) > 1 {
			records[0], records[1] = records[1], records[0]
			_, err = AppendTLVs(nil, records)
			require.ErrorIs(t, err, ErrNotAscending)
		}
	})
	_, err := AppendTLVs(nil, []TLV{{Type: 3}, {Type: 3}})
	require.ErrorIs(t, err, ErrNotAscending)
}

// B1.tlv.10.
func TestExtraRecordsAreOddAndOrdered(t *testing.T) {
	for name, extra := range map[string]ExtraTLVs{
		"even":       {{Type: 100}},
		"descending": {{Type: 101}, {Type: 99}},
		"twice":      {{Type: 101}, {Type: 101}},
		"known":      {{Type: 1}},
	} {
		alias := ShortChannelID(1)
		_, err := Marshal(&ChannelReady{Alias: &alias, Extra: extra})
		require.ErrorContains(t, err, "encode channel_ready", name)
	}
}

// drawRecords makes a stream's records with types from least to most.
func drawRecords(t *rapid.T, least, most uint64) []TLV {
	types := rapid.SliceOfNDistinct(rapid.Uint64Range(least, most), 0, 4, rapid.ID[uint64]).Draw(t, "types")
	var records []TLV
	for _, typ := range sorted(types) {
		value := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "value")
		records = append(records, TLV{Type: typ, Value: append([]byte{}, value...)})
	}
	return records
}

// FuzzReadTLVs holds our reader against the one of lnd: the same streams are
// well-formed, and they hold the same.
func FuzzReadTLVs(f *testing.F) {
	for _, seed := range []string{"", "0100", "01010102080000000000000226", "fd00fe020226", "0ffd0201", "1f001f012a", "ffffffffffffffffff00"} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxMessage {
			return
		}
		ours, err := ReadTLVs(b, func(uint64) bool { return true })
		theirs, theirErr := tlv.MustNewStream().DecodeWithParsedTypesP2P(bytes.NewReader(b))
		require.Equal(t, theirErr == nil, err == nil, "ours %v, theirs %v", err, theirErr)
		if err != nil {
			return
		}
		require.Len(t, ours, len(theirs))
		for _, rec := range ours {
			require.True(t, bytes.Equal(rec.Value, theirs[tlv.Type(rec.Type)]))
		}
		again, err := AppendTLVs(nil, ours)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, again))
		odd, err := ReadTLVs(b, nil)
		if err == nil {
			require.Equal(t, ours, odd)
		} else {
			require.ErrorIs(t, err, ErrUnknownEven)
		}
	})
}
