package onion

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func encode(t require.TestingT, p Payload) []byte {
	b, err := p.Encode()
	require.NoError(t, err)
	return b
}

func decode(t require.TestingT, b []byte) Payload {
	p, failure := DecodePayload(b)
	require.Nil(t, failure)
	return p
}

// full is a payload with every record.
func full() Payload {
	return Payload{
		AmtToForward:           ptr(lnwire.MilliSat(1000)),
		OutgoingCLTV:           ptr(lnwire.Height(800_000)),
		ShortChannelID:         ptr(lnwire.NewShortChannelID(1, 2, 3)),
		PaymentData:            &PaymentData{Secret: lnwire.Secret(bytes.Repeat([]byte{5}, 32)), Total: 2000},
		EncryptedRecipientData: []byte{1, 2},
		CurrentPathKey:         ptr(newKey(5).pub()),
		PaymentMetadata:        []byte{3},
		TotalAmount:            ptr(lnwire.MilliSat(3000)),
		Custom:                 []lnwire.TLV{{Type: CustomTypes, Value: []byte{}}, {Type: 5482373484, Value: []byte{9}}},
	}
}

// B4.pay.1
func TestPayloadBytes(t *testing.T) {
	key := newKey(5).pub()
	want := "020203e8" + "04030c3500" + "06080000010000020003" +
		"0822" + "0505050505050505050505050505050505050505050505050505050505050505" + "07d0" +
		"0a020102" + "0c21" + key.String() + "100103" + "12020bb8" +
		"fe0001000000" + "ff0000000146c6616c0109"
	require.Equal(t, want, hex.EncodeToString(encode(t, full())))
	require.Equal(t, full(), decode(t, encode(t, full())))
	require.Empty(t, encode(t, Payload{}))
}

func TestPayloadOfVectors(t *testing.T) {
	var v struct {
		Generate struct {
			Hops []vectorHop `json:"hops"`
		} `json:"generate"`
	}
	readVector(t, "onion-test.json", &v)
	for i, h := range v.Generate.Hops {
		b := h.hop(t).Payload
		p := decode(t, b)
		if i < len(v.Generate.Hops)-1 {
			f, failure := p.CheckForward()
			require.Nil(t, failure)
			require.Equal(t, lnwire.ShortChannelID(i+1), f.SCID)
			if i != 1 { // which has an unknown odd record
				require.Equal(t, b, encode(t, f.Payload()))
			}
			continue
		}
		f, failure := p.CheckFinal(10_000, 1000)
		require.Nil(t, failure)
		require.EqualValues(t, 10_000, f.Amount)
		require.EqualValues(t, 1000, f.Expiry)
		require.EqualValues(t, 10_000, f.Total)
		require.EqualValues(t, 0x24, f.Secret[0])
		require.Nil(t, f.Metadata)
	}
}

// B4.pay.1
func TestPayloadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := full()
		amount := rapid.Uint64Range(0, uint64(lnwire.MaxMilliSat))
		bytesOf := func(name string) []byte { return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name) }
		*p.AmtToForward = lnwire.MilliSat(amount.Draw(t, "amount"))
		*p.OutgoingCLTV = lnwire.Height(rapid.Uint32().Draw(t, "expiry"))
		*p.ShortChannelID = lnwire.ShortChannelID(rapid.Uint64().Draw(t, "scid"))
		p.PaymentData = &PaymentData{Secret: hashGen(t), Total: lnwire.MilliSat(amount.Draw(t, "total"))}
		p.EncryptedRecipientData = bytesOf("recipient data")
		p.PaymentMetadata = bytesOf("metadata")
		*p.TotalAmount = lnwire.MilliSat(amount.Draw(t, "total amount"))
		p.Custom = nil
		for _, typ := range rapid.SliceOfNDistinct(rapid.Uint64Min(CustomTypes), 0, 4, rapid.ID[uint64]).Draw(t, "custom") {
			p.Custom = append(p.Custom, lnwire.TLV{Type: typ, Value: bytesOf("value")})
		}
		b := encode(t, p)
		got := decode(t, b)
		require.Equal(t, b, encode(t, got))
		require.ElementsMatch(t, p.Custom, got.Custom)
		p.Custom, got.Custom = nil, nil
		require.Equal(t, p, got)
	})
}

func TestPayloadEncodeRefuses(t *testing.T) {
	_, err := Payload{Custom: []lnwire.TLV{{Type: 65535}}}.Encode()
	require.ErrorContains(t, err, "custom record 65535: want a type of at least 65536")
	_, err = Payload{Custom: []lnwire.TLV{{Type: 65537}, {Type: 65536}, {Type: 65537}}}.Encode()
	require.ErrorContains(t, err, "custom record 65537 stands twice")
}

func TestPayloadKeepsNoReference(t *testing.T) {
	b := encode(t, full())
	p := decode(t, b)
	clear(b)
	require.Equal(t, full(), p)
}

// B4.pay.2, B4.pay.3, B4.pay.4, B4.peel.6
func TestDecodePayloadRefuses(t *testing.T) {
	key := newKey(5).pub()
	for name, c := range map[string]struct {
		b      string
		typ    uint64
		offset uint16
	}{
		"nothing":                     {"", 0, 0},
		"one byte":                    {"02", 0, 0},
		"type not minimal":            {"020101" + "fd000400", 0, 3},
		"length not minimal":          {"020101" + "04fd0001", 4, 3},
		"value cut":                   {"020101" + "040200", 4, 3},
		"length of 2^64-1":            {"10ffffffffffffffffff", 16, 0},
		"types fall":                  {"040101" + "020101", 2, 3},
		"type twice":                  {"020101" + "020102", 2, 3},
		"unknown even":                {"020101" + "0e00" + "1000", 14, 3},
		"unknown even, below custom":  {"020101" + "fdfffe00", 65534, 3},
		"amount not minimal":          {"02020001", 2, 0},
		"amount of 9 bytes":           {"0209010000000000000000", 2, 0},
		"amount above all the money":  {"02081d24b2dfac520001", 2, 0},
		"expiry not minimal":          {"020101" + "04020001", 4, 3},
		"expiry of 5 bytes":           {"020101" + "04050100000000", 4, 3},
		"scid of 7 bytes":             {"020101" + "040101" + "060701020304050607", 6, 6},
		"scid of 9 bytes":             {"020101" + "040101" + "0609010203040506070809", 6, 6},
		"scid of none":                {"0600", 6, 0},
		"secret of 31 bytes":          {"081f" + hex.EncodeToString(make([]byte, 31)), 8, 0},
		"total not minimal":           {"0821" + hex.EncodeToString(make([]byte, 33)), 8, 0},
		"total of 9 bytes":            {"0829" + hex.EncodeToString(make([]byte, 32)) + "010000000000000000", 8, 0},
		"path key of 32 bytes":        {"0c20" + key.String()[:64], 12, 0},
		"path key of 34 bytes":        {"0c22" + key.String() + "00", 12, 0},
		"path key is no point":        {"0c21" + hex.EncodeToString(make([]byte, 33)), 12, 0},
		"total amount not minimal":    {"12020001", 18, 0},
		"offset behind long records":  {"10fd012c" + hex.EncodeToString(make([]byte, 300)) + "12020001", 18, 304},
		"garbage behind the last one": {"020101" + "fd", 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			p, failure := DecodePayload(unhex(t, c.b))
			require.Equal(t, &Failure{Code: InvalidOnionPayload, Type: c.typ, Offset: c.offset}, failure)
			require.Equal(t, Payload{}, p)
		})
	}
}

func TestDecodePayloadAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		b    string
		want Payload
	}{
		"an unknown odd record":     {"0100" + "020101", Payload{AmtToForward: ptr(lnwire.MilliSat(1)), Odd: true}},
		"zero in no bytes":          {"0200" + "0400", Payload{AmtToForward: ptr(lnwire.MilliSat(0)), OutgoingCLTV: ptr(lnwire.Height(0))}},
		"all the money":             {"02081d24b2dfac520000", Payload{AmtToForward: ptr(lnwire.MaxMilliSat)}},
		"custom records, also even": {"fe0001000000" + "fe0001000100", Payload{Custom: []lnwire.TLV{{Type: 65536, Value: []byte{}}, {Type: 65537, Value: []byte{}}}}},
		"empty metadata":            {"1000", Payload{PaymentMetadata: []byte{}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, decode(t, unhex(t, c.b))) })
	}
}

// B4.pay.5, B4.pay.6, B4.pay.7, B4.pay.8, B4.pay.9, B4.pay.10
func TestCheckForward(t *testing.T) {
	ask := Forward{Amount: 1000, Expiry: 700, SCID: 9}
	good := ask.Payload()
	require.Nil(t, good.PaymentData)
	got, failure := decode(t, encode(t, good)).CheckForward()
	require.Nil(t, failure)
	require.Equal(t, ask, got)

	for name, c := range map[string]struct {
		spoil func(*Payload)
		want  Failure
	}{
		"no amount":               {func(p *Payload) { p.AmtToForward = nil }, Failure{Code: InvalidOnionPayload, Type: 2}},
		"no expiry":               {func(p *Payload) { p.OutgoingCLTV = nil }, Failure{Code: InvalidOnionPayload, Type: 4}},
		"no channel":              {func(p *Payload) { p.ShortChannelID = nil }, Failure{Code: InvalidOnionPayload, Type: 6}},
		"first of a blinded path": {func(p *Payload) { *p = full() }, Failure{Code: InvalidOnionBlinding}},
		"path key alone":          {func(p *Payload) { p.CurrentPathKey = ptr(newKey(1).pub()) }, Failure{Code: InvalidOnionBlinding}},
		"recipient data alone":    {func(p *Payload) { p.EncryptedRecipientData = []byte{} }, Failure{Code: InvalidOnionPayload, Type: 12}},
	} {
		t.Run(name, func(t *testing.T) {
			p := ask.Payload()
			c.spoil(&p)
			f, failure := p.CheckForward()
			require.Equal(t, &c.want, failure)
			require.Equal(t, Forward{}, f)
		})
	}
}

// B4.pay.7, B4.pay.8, B4.pay.9, B4.pay.11, B4.pay.12, B4.pay.13, B4.pay.14
func TestCheckFinal(t *testing.T) {
	tell := Final{
		Amount: 1000, Expiry: 700, Secret: &lnwire.Secret{1}, Total: 5000, Metadata: []byte{7},
		Custom: []lnwire.TLV{{Type: 70000, Value: []byte{1}}},
	}
	require.Nil(t, tell.Payload().ShortChannelID)
	p := decode(t, encode(t, tell.Payload()))
	for _, over := range []lnwire.MilliSat{0, 1, 1000} {
		got, failure := p.CheckFinal(1000+over, 700+lnwire.Height(over))
		require.Nil(t, failure)
		require.Equal(t, tell, got)
	}
	_, failure := p.CheckFinal(999, 700)
	require.Equal(t, &Failure{Code: FinalIncorrectHTLCAmount, HTLCMsat: 999}, failure)
	_, failure = p.CheckFinal(1000, 699)
	require.Equal(t, &Failure{Code: FinalIncorrectCLTVExpiry, CLTVExpiry: 699}, failure)
	_, failure = p.CheckFinal(0, 0)
	require.Equal(t, FinalIncorrectCLTVExpiry, failure.Code, "the first in the list of BOLT 4")

	tell.Secret = nil
	got, failure := decode(t, encode(t, tell.Payload())).CheckFinal(1000, 700)
	require.Nil(t, failure)
	require.Nil(t, got.Secret)
	require.Equal(t, got.Amount, got.Total)

	for name, c := range map[string]struct {
		spoil func(*Payload)
		typ   uint64
	}{
		"no amount":      {func(p *Payload) { p.AmtToForward = nil }, 2},
		"no expiry":      {func(p *Payload) { p.OutgoingCLTV = nil }, 4},
		"path key":       {func(p *Payload) { p.CurrentPathKey = ptr(newKey(1).pub()) }, 12},
		"recipient data": {func(p *Payload) { p.EncryptedRecipientData = []byte{} }, 10},
	} {
		t.Run(name, func(t *testing.T) {
			p := tell.Payload()
			c.spoil(&p)
			f, failure := p.CheckFinal(1000, 700)
			require.Equal(t, &Failure{Code: InvalidOnionPayload, Type: c.typ}, failure)
			require.Equal(t, Final{}, f)
		})
	}
}

func FuzzDecodePayload(f *testing.F) {
	for _, p := range []Payload{full(), Forward{Amount: 1, Expiry: 2, SCID: 3}.Payload()} {
		b, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, failure := DecodePayload(b)
		if failure != nil {
			require.Equal(t, InvalidOnionPayload, failure.Code)
			require.LessOrEqual(t, int(failure.Offset), len(b))
			return
		}
		again, err := p.Encode()
		require.NoError(t, err)
		require.LessOrEqual(t, len(again), len(b))
		if len(again) >= minPayload {
			known := p
			known.Odd = false // what is not known is not written again
			require.Equal(t, known, decode(t, again))
		}
		_, failure = p.CheckForward()
		require.True(t, failure == nil || failure.Code != Unreadable)
		final, failure := p.CheckFinal(1000, 1000)
		if failure == nil {
			require.LessOrEqual(t, uint64(final.Amount), uint64(1000))
		}
	})
}
