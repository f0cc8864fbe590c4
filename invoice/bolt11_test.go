package invoice

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

const payee = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad"

var specSecret = lnwire.Secret([]byte(strings.Repeat("\x11", 32)))

func unhex(t require.TestingT, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func specKey() *btcec.PrivateKey {
	b, _ := hex.DecodeString("e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734")
	k, _ := btcec.PrivKeyFromBytes(b)
	return k
}

func specSign(digest [32]byte) [65]byte {
	return [65]byte(ecdsa.SignCompact(specKey(), digest[:], true))
}

// vectors are the examples of BOLT 11, in its order.
func vectors(t testing.TB) (valid, invalid []string) {
	b, err := os.ReadFile("testdata/bolt11.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		kind, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind == "valid" {
			valid = append(valid, text)
		} else {
			invalid = append(invalid, text)
		}
	}
	return valid, invalid
}

// Every valid example says what BOLT 11 says that it says (B11.bech32.1,
// B11.bech32.2, B11.amt.3, B11.sig.3, B11.read.1, B11.read.2, B11.read.3,
// B11.read.4, B11.read.6, B11.feat.2, B11.data.1).
func TestValidVectors(t *testing.T) {
	text := func(s string) *string { return &s }
	list := (*[32]byte)(unhex(t, "3925b6f67e2c340036ed12093dd44e0368df1b6ea26c53dbe4811f58fd5db8c1"))
	coffee := lnwire.NewFeatures(8, 14)
	want := []struct {
		msat      lnwire.MilliSat
		desc      *string
		expiry    time.Duration
		fallback  string
		reencodes bool // its fields stand in our order
	}{
		{0, text("Please consider supporting this project"), time.Hour, "", true},
		{250_000_000, text("1 cup coffee"), time.Minute, "", true},
		{250_000_000, text("ナンセンス 1杯"), time.Minute, "", true},
		{2_000_000_000, nil, time.Hour, "", true},
		{2_000_000_000, nil, time.Hour, "mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP", false},
		{2_000_000_000, nil, time.Hour, "1RustyRX2oai4EYYDpQGWvEL62BBGqN9T", true},
		{2_000_000_000, nil, time.Hour, "3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX", false},
		{2_000_000_000, nil, time.Hour, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", false},
		{2_000_000_000, nil, time.Hour, "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", false},
		{2_000_000_000, nil, time.Hour, "bc1pptdvg0d2nj99568qn6ssdy4cygnwuxgw2ukmnwgwz7jpqjz2kszse2s3lm", true},
		{967_878_534, text(`Blockstream Store: 88.85 USD for Blockstream Ledger Nano S x 1, "Back In My Day" Sticker x 2, "I Got Lightning Working" Sticker x 2 and 1 more items`), 604_800 * time.Second, "", false},
		{2_500_000_000, text("coffee beans"), time.Hour, "", false},
		{2_500_000_000, text("coffee beans"), time.Hour, "", false},
		{2_500_000_000, text("coffee beans"), time.Hour, "", false},
		{1_000_000_000, text("payment metadata inside"), time.Hour, "", false},
		{0, text("Please consider supporting this project"), time.Hour, "", false},
	}
	valid, _ := vectors(t)
	require.Len(t, valid, len(want))
	for i, v := range valid {
		w := want[i]
		r, err := Decode(v)
		require.NoError(t, err, i)
		require.Equal(t, w.msat, r.Amount, i)
		require.Equal(t, w.desc, r.Description, i)
		if w.desc == nil {
			require.Equal(t, list, r.DescriptionHash, i)
		}
		require.Equal(t, w.expiry, r.Expiry, i)
		require.Equal(t, specSecret, r.Secret, i)
		if i != 15 {
			require.Equal(t, payee, r.Payee.String(), i)
		}
		require.False(t, r.PayeeGiven)
		if w.fallback != "" {
			require.Len(t, r.Fallbacks, 1)
			require.Equal(t, w.fallback, r.Fallbacks[0].Address(r.Network), i)
			f, err := NewFallback(w.fallback, r.Network)
			require.NoError(t, err)
			require.Equal(t, r.Fallbacks[0], f, i)
		} else {
			require.Empty(t, r.Fallbacks)
		}
		if i != 10 {
			require.Equal(t, int64(1496314658), r.Timestamp.Unix(), i)
			require.Equal(t, "0001020304050607080900010203040506070809000102030405060708090102", r.Hash.String(), i)
			require.EqualValues(t, DefaultFinalDelta, r.FinalDelta, i)
		}
		if i < 10 {
			require.True(t, r.Features.Equal(coffee), i)
		}
		if w.reencodes {
			c := *r
			c.Payee, c.FinalDelta = lnwire.PubKey{}, 0
			again, err := c.Encode(specSign)
			require.NoError(t, err, i)
			require.Equal(t, v, again, i)
		}
	}

	r, _ := Decode(valid[5])
	require.Len(t, r.Hints, 1)
	require.Equal(t, RouteHint{
		{key(t, "029e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255"), lnwire.NewShortChannelID(66051, 263430, 1800), 1, 20, 3},
		{key(t, "039e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255"), lnwire.NewShortChannelID(197637, 395016, 2314), 2, 30, 4},
	}, r.Hints[0])
	r, _ = Decode(valid[10])
	require.EqualValues(t, 10, r.FinalDelta)
	require.Len(t, r.Hints, 1)
	r, _ = Decode(valid[11])
	require.True(t, r.Features.Exactly(8, 14, 99))
	r, _ = Decode(valid[13])
	require.Len(t, r.Unknown, 10)
	r, _ = Decode(valid[14])
	require.Equal(t, unhex(t, "01fafaf0"), r.Metadata)
	r, _ = Decode(valid[15])
	require.False(t, r.Signature.IsLowS())
	// The example negates s and keeps the recovery id, so that another key comes
	// out. With the id that belongs to a negated s it is the key of all examples.
	hrp, groups, err := readBech32(valid[15])
	require.NoError(t, err)
	groups[len(groups)-1] ^= 1
	r, err = Decode(writeBech32(hrp, groups))
	require.NoError(t, err)
	require.Equal(t, payee, r.Payee.String())
	r, err = Decode("LIGHTNING:" + valid[12])
	require.NoError(t, err)
	require.Equal(t, Mainnet, r.Network)
}

func key(t require.TestingT, s string) lnwire.PubKey {
	k, err := lnwire.ParsePubKey(s)
	require.NoError(t, err)
	return k
}

// Every invalid example is refused for the reason that BOLT 11 gives (B11.feat.3,
// B11.bech32.3, B11.amt.4, B11.amt.5, B11.read.7, B11.sig.2).
func TestInvalidVectors(t *testing.T) {
	want := []string{
		"field 9: requires feature unknown (100)", "checksum is wrong", "no separator", "case are mixed",
		"no key can be recovered", "too short", `amount "2500x"`, `amount "2500000001p": below a millisatoshi`,
		"field s: no payment secret", "its s is high",
	}
	_, invalid := vectors(t)
	require.Len(t, invalid, len(want))
	for i, v := range invalid {
		_, err := Decode(v)
		require.ErrorContains(t, err, want[i], i)
	}
}

// sample is a request that uses every field.
func sample() Request {
	text := "two espressos"
	hop := HopHint{lnwire.NewPubKey(specKey().PubKey()), lnwire.NewShortChannelID(700000, 5, 1), 1000, 250, 40}
	return Request{
		Network: Regtest, Amount: 123_456, Timestamp: time.Unix(1_700_000_000, 0).UTC(), Hash: lnwire.Hash{7},
		Secret: lnwire.Secret{9}, Description: &text, Expiry: 90 * time.Second, FinalDelta: 80,
		Payee: lnwire.NewPubKey(specKey().PubKey()), PayeeGiven: true,
		Fallbacks: []Fallback{{17, make([]byte, 20)}, {1, make([]byte, 32)}},
		Hints:     []RouteHint{{hop, hop}, {hop}},
		Features:  lnwire.NewFeatures(8, 14, 17), Metadata: []byte{1, 2, 3},
		Unknown: []Field{{Type: 2, Groups: []byte{1, 2, 3}}},
	}
}

// What is written is read back, whatever the fields (B11.field.1, B11.field.2,
// B11.field.5, B11.field.6, B11.field.7, B11.field.8, B11.field.9, B11.field.14,
// B11.data.2, B11.sig.1).
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := sample()
		r.Network = rapid.SampledFrom(networks).Draw(t, "network")
		r.Amount = lnwire.MilliSat(rapid.Uint64Range(0, uint64(lnwire.MaxSat)*1000).Draw(t, "amount"))
		r.Timestamp = time.Unix(rapid.Int64Range(0, 1<<35-1).Draw(t, "time"), 0).UTC()
		r.Expiry = time.Duration(rapid.Int64Range(0, maxExpirySeconds).Draw(t, "expiry")) * time.Second
		r.FinalDelta = rapid.Uint32Range(1, 1<<31).Draw(t, "delta")
		desc := rapid.StringN(0, 100, 600).Draw(t, "description")
		r.Description = &desc
		if rapid.Bool().Draw(t, "hashed") {
			r.Description, r.DescriptionHash = nil, &[32]byte{1, 2}
		}
		r.Metadata = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "metadata")
		if rapid.Bool().Draw(t, "recover") {
			r.Payee, r.PayeeGiven = lnwire.PubKey{}, false
		}
		text, err := r.Encode(specSign)
		require.NoError(t, err)
		got, err := Decode(text)
		require.NoError(t, err)
		r.Payee = lnwire.NewPubKey(specKey().PubKey())
		r.Signature, r.RecoveryID = got.Signature, got.RecoveryID
		require.Equal(t, r, *got)
		upper, err := Decode(strings.ToUpper(text))
		require.NoError(t, err)
		require.Equal(t, got, upper)
	})
}

// Amounts use the largest unit (B11.amt.6); none is any amount (B11.amt.2).
func TestAmounts(t *testing.T) {
	for text, msat := range map[string]lnwire.MilliSat{
		"": 0, "1": 1e11, "20m": 2e9, "2500u": 25e7, "1n": 100, "10p": 1, "123450p": 12345, "21000000": 21e17,
	} {
		m, err := readAmount(text)
		require.NoError(t, err, text)
		require.Equal(t, msat, m)
		back, err := writeAmount(msat)
		require.NoError(t, err)
		require.Equal(t, text, back)
	}
	m, err := readAmount("2500000u") // not the shortest, but seen
	require.NoError(t, err)
	require.EqualValues(t, 25e10, m)
	for text, why := range map[string]string{
		"0": "begins with 0", "01m": "begins with 0", "1p": "below a millisatoshi", "1x": "want digits", "1mm": "want digits",
		"21000001": "more than all", "99999999999999999999999m": "more than all", "18446744073709551615": "more than all",
	} {
		_, err := readAmount(text)
		require.ErrorContains(t, err, why, text)
	}
	_, err = writeAmount(lnwire.MaxSat.MilliSat() + 1)
	require.ErrorContains(t, err, "more than all")
}

// A prefix that is no network of ours is refused (B11.amt.1).
func TestPrefixes(t *testing.T) {
	for hrp, n := range map[string]Network{"lnbc": Mainnet, "lnbcrt1m": Regtest, "lntb": Testnet, "lntbs20u": Signet, "lnsb": Simnet} {
		got, _, err := readHRP(hrp)
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
	for _, hrp := range []string{"lnltc", "bc", "ln", "lnbcx", "lntbx1m"} {
		_, _, err := readHRP(hrp)
		require.ErrorContains(t, err, hrp)
	}
	for _, p := range []*chaincfg.Params{&chaincfg.MainNetParams, &chaincfg.TestNet3Params, &chaincfg.SigNetParams, &chaincfg.RegressionNetParams, &chaincfg.SimNetParams} {
		n, ok := NetworkOf(p)
		require.True(t, ok)
		require.Equal(t, p.Name, n.Params().Name)
	}
}

// craft signs fields of any content, to try what Encode would not write.
func craft(hrp string, fields ...Field) string {
	w := writer{groups: make([]byte, timestampGroups)}
	for _, f := range fields {
		w.field(f.Type, "test", f.Groups)
	}
	c := specSign(digest(hrp, w.groups))
	return writeBech32(hrp, append(w.groups, toGroups(append(c[1:65:65], c[0]-31))...))
}

var (
	goodHash   = Field{fieldHash, toGroups(make([]byte, 32))}
	goodSecret = Field{fieldSecret, toGroups(specSecret[:])}
	goodDesc   = Field{fieldDescription, toGroups([]byte("tea"))}
)

// Each refusal names its field (B11.read.4, B11.read.5, B11.read.8, B11.feat.4,
// B11.sig.1).
func TestRefusals(t *testing.T) {
	bad := func(typ byte, groups ...byte) Field { return Field{typ, groups} }
	dirty := toGroups(make([]byte, 32))
	dirty[51] |= 1
	foreign := lnwire.PubKey(unhex(t, "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"))
	for name, c := range map[string]struct {
		fields []Field
		why    string
	}{
		"no hash":        {[]Field{goodSecret, goodDesc}, "field p"},
		"short hash":     {[]Field{bad(fieldHash, goodHash.Groups[:51]...), goodSecret, goodDesc}, "field p"},
		"dirty padding":  {[]Field{bad(fieldHash, dirty...), goodSecret, goodDesc}, "field p: the padding"},
		"no secret":      {[]Field{goodHash, goodDesc}, "field s"},
		"long secret":    {[]Field{goodHash, bad(fieldSecret, toGroups(make([]byte, 33))...), goodDesc}, "field s"},
		"no description": {[]Field{goodHash, goodSecret}, "fields d and h: neither"},
		"two of them":    {[]Field{goodHash, goodSecret, goodDesc, bad(fieldDescriptionHash, goodHash.Groups...)}, "fields d and h: both"},
		"not UTF-8":      {[]Field{goodHash, goodSecret, bad(fieldDescription, toGroups([]byte{0xff, 0xfe})...)}, "field d: not valid UTF-8"},
		"zero in x":      {[]Field{goodHash, goodSecret, goodDesc, bad(fieldExpiry, 0, 1)}, "field x: begins with a zero"},
		"zero in c":      {[]Field{goodHash, goodSecret, goodDesc, bad(fieldFinalDelta, 0, 1)}, "field c: begins with a zero"},
		"zero in 9":      {[]Field{goodHash, goodSecret, goodDesc, bad(fieldFeatures, 0, 8)}, "field 9: begins with a zero"},
		"huge c":         {[]Field{goodHash, goodSecret, goodDesc, bad(fieldFinalDelta, make31(20)...)}, "field c: more blocks"},
		"even feature":   {[]Field{goodHash, goodSecret, goodDesc, bad(fieldFeatures, featureGroups(lnwire.NewFeatures(8, 14, 30))...)}, "requires feature amp (30)"},
		"dependency":     {[]Field{goodHash, goodSecret, goodDesc, bad(fieldFeatures, featureGroups(lnwire.NewFeatures(17))...)}, "field 9: feature multi-path-payments"},
		"empty hint":     {[]Field{goodHash, goodSecret, goodDesc, bad(fieldHint)}, "field r: 0 bytes"},
		"half a hint":    {[]Field{goodHash, goodSecret, goodDesc, bad(fieldHint, toGroups(make([]byte, 50))...)}, "field r: 50 bytes"},
		"hint's key":     {[]Field{goodHash, goodSecret, goodDesc, bad(fieldHint, toGroups(make([]byte, 51))...)}, "field r: hop 1"},
		"no point":       {[]Field{goodHash, goodSecret, goodDesc, bad(fieldPayee, toGroups(make([]byte, 33))...)}, "field n: not a public key"},
		"other's key":    {[]Field{goodHash, goodSecret, goodDesc, bad(fieldPayee, toGroups(foreign[:])...)}, "not by the node of field n"},
	} {
		_, err := Decode(craft("lnbc", c.fields...))
		require.ErrorContains(t, err, c.why, name)
	}
	r, err := Decode(craft("lnbc", goodHash, goodSecret, goodDesc, bad(fieldExpiry, make31(100)...)))
	require.NoError(t, err)
	require.Equal(t, maxExpirySeconds*time.Second, r.Expiry)
}

func make31(n int) []byte {
	g := make([]byte, n)
	for i := range g {
		g[i] = 31
	}
	return g
}

// Text that is not bech32 is refused with the place (V-55, V-66).
func TestBech32Refusals(t *testing.T) {
	for text, why := range map[string]string{
		"": "no separator", "lnbc1": "too short", "1qqqqqq": "nothing before", "lnbc1qqqqqb": "does not belong",
		"lnbcé1qqqqqq": "not printable", strings.Repeat("q", MaxLen+1): "want at most 7089",
	} {
		_, err := Decode(text)
		require.ErrorContains(t, err, why, text)
	}
	valid, _ := vectors(t)
	text := []byte(valid[1])
	text[40] ^= 1 // another letter, or none of bech32
	_, err := Decode(string(text))
	require.ErrorContains(t, err, "bech32")
}

// What must not leave is not written (B11.field.3, B11.field.4, B11.field.7, B11.feat.1).
func TestEncodeRefusals(t *testing.T) {
	empty := ""
	invalid := "\xff"
	long := strings.Repeat("x", 640)
	for why, change := range map[string]func(r *Request){
		"neither text nor hash":       func(r *Request) { r.Description = nil },
		"both given":                  func(r *Request) { r.DescriptionHash = &[32]byte{} },
		"not valid UTF-8":             func(r *Request) { r.Description = &invalid },
		"description: 640 bytes":      func(r *Request) { r.Description = &long },
		"network":                     func(r *Request) { r.Network = "ltc" },
		"timestamp":                   func(r *Request) { r.Timestamp = time.Unix(1<<35, 0) },
		"expiry":                      func(r *Request) { r.Expiry = -time.Second },
		"amount":                      func(r *Request) { r.Amount = 1 << 63 },
		"route hint: has no hop":      func(r *Request) { r.Hints = []RouteHint{{}} },
		"fallback address: 19 bytes":  func(r *Request) { r.Fallbacks = []Fallback{{17, make([]byte, 19)}} },
		"features: feature wumbo":     func(r *Request) { r.Features = lnwire.NewFeatures(8, 14, 19) },
		"field 32":                    func(r *Request) { r.Unknown = []Field{{Type: 32}} },
		"characters, want at most":    func(r *Request) { r.Hints = manyHints() },
		"payment metadata: 640 bytes": func(r *Request) { r.Metadata = make([]byte, 640) },
	} {
		r := sample()
		change(&r)
		_, err := r.Encode(specSign)
		require.ErrorContains(t, err, why)
	}
	r := sample()
	r.Description = &empty
	_, err := r.Encode(specSign)
	require.NoError(t, err)
}

func manyHints() (hints []RouteHint) {
	for range 12 {
		hints = append(hints, RouteHint(make([]HopHint, 10)))
	}
	return hints
}

// Fallbacks of every kind give script and address back; one that has no address
// still has a script.
func TestFallbackScripts(t *testing.T) {
	f := Fallback{16, []byte{1, 2}}
	s, err := f.Script()
	require.NoError(t, err)
	require.Equal(t, unhex(t, "60020102"), s)
	_, err = Fallback{19, nil}.Script()
	require.Error(t, err)
	require.Empty(t, Fallback{19, nil}.Address(Mainnet))
	_, err = NewFallback("mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP", Mainnet)
	require.Error(t, err)
	_, err = NewFallback("nonsense", Mainnet)
	require.ErrorContains(t, err, "invalid fallback address")
	_, err = NewFallback("nonsense", "xx")
	require.ErrorContains(t, err, "network")
	s, err = Fallback{versionP2SH, make([]byte, 20)}.Script()
	require.NoError(t, err)
	require.Len(t, s, 23)
}

// FuzzDecode: any text; what is read can be written and read again.
func FuzzDecode(f *testing.F) {
	valid, invalid := vectors(f)
	for _, v := range append(valid, invalid...) {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) { checkDecode(t, text) })
}

// FuzzDecodeFields: arbitrary fields under a checksum and a signature that are
// right, so that the fuzzer gets past both (V-55).
func FuzzDecodeFields(f *testing.F) {
	valid, _ := vectors(f)
	for _, v := range valid {
		hrp, groups, err := readBech32(v)
		require.NoError(f, err)
		f.Add(hrp, groups[:len(groups)-signatureGroups])
	}
	f.Fuzz(func(t *testing.T, hrp string, groups []byte) {
		for i := range groups {
			groups[i] &= 31
		}
		c := specSign(digest(hrp, groups))
		checkDecode(t, writeBech32(hrp, append(groups[:len(groups):len(groups)], toGroups(append(c[1:65:65], c[0]-31))...)))
	})
}

func checkDecode(t *testing.T, text string) {
	r, err := Decode(text)
	if err != nil {
		return
	}
	c := *r
	if !c.PayeeGiven {
		c.Payee = lnwire.PubKey{}
	}
	if c.Features.CheckOurs(lnwire.InInvoice) != nil {
		return // may be read, but not written
	}
	again, err := c.Encode(specSign)
	if err != nil {
		require.ErrorContains(t, err, "at most") // longer with the c field
		return
	}
	d, err := Decode(again)
	if c.PayeeGiven && c.Payee != lnwire.NewPubKey(specKey().PubKey()) {
		require.ErrorContains(t, err, "field n")
		return
	}
	require.NoError(t, err)
	require.Equal(t, r.Hash, d.Hash)
	require.Equal(t, r.Hints, d.Hints)
	require.Equal(t, r.Unknown, d.Unknown)
	require.Equal(t, r.Amount, d.Amount)
	require.Equal(t, r.Expiry, d.Expiry)
}

func BenchmarkDecode(b *testing.B) {
	valid, _ := vectors(b)
	for b.Loop() {
		if _, err := Decode(valid[5]); err != nil {
			b.Fatal(err)
		}
	}
}
