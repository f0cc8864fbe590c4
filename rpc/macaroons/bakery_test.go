package macaroons

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/macaroon.v2"
	"pgregory.net/rapid"
)

// fixedKeys is a RootKeys with one key.
type fixedKeys struct{}

func (fixedKeys) Key(id uint64) ([]byte, error) {
	if id != DefaultKey {
		return nil, ErrNoKey
	}
	return testKey, nil
}

func (k fixedKeys) KeyOrNew(id uint64) ([]byte, error) { return k.Key(id) }
func (fixedKeys) IDs() ([]uint64, error)               { return []uint64{DefaultKey}, nil }
func (fixedKeys) Delete(uint64) (bool, error)          { return false, ErrDeletionForbidden }

var (
	testKey  = bytes.Repeat([]byte{7}, 32)
	noon     = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	loopback = netip.MustParseAddr("127.0.0.1")
	getInfo  = "/lnrpc.Lightning/GetInfo"
	readInfo = []Op{{"info", "read"}}
)

// fromLnd was made by the library that lnd bakes with, from testKey.
const fromLnd = "0201036c6e64024d030a10601bb103beecc1ab4062187c8f6a89561201301a0f0a07616464726573731204726561641a130a04696e66" +
	"6f120472656164120577726974651a0f0a076f6e636861696e12047265616400000620ef7d60e82585d9f9ec6bb8b677b2b9411c486eef1bfe3f7c" +
	"e377f05af11bf459"

func testBakery() *Bakery {
	return &Bakery{keys: fixedKeys{}, now: func() time.Time { return noon }}
}

func bake(t testing.TB, ops ...Op) []byte {
	raw, err := testBakery().Bake(DefaultKey, ops)
	require.NoError(t, err)
	return raw
}

func restrict(t testing.TB, raw []byte, caveats ...Caveat) []byte {
	raw, err := Restrict(raw, caveats...)
	require.NoError(t, err)
	return raw
}

// check verifies a macaroon for a call of GetInfo from this machine.
func check(raw []byte) error {
	token, err := testBakery().Verify(raw, loopback)
	if err != nil {
		return err
	}
	return token.Allows(getInfo, readInfo)
}

func TestMacaroonOfLndIsAccepted(t *testing.T) {
	raw, err := hex.DecodeString(fromLnd)
	require.NoError(t, err)
	require.NoError(t, check(raw))

	token, err := testBakery().Verify(raw, loopback)
	require.NoError(t, err)
	require.Equal(t, []Op{{"address", "read"}, {"info", "read"}, {"info", "write"}, {"onchain", "read"}}, token.ops)
}

func TestIdentifierIsThatOfLnd(t *testing.T) {
	raw, err := hex.DecodeString(fromLnd)
	require.NoError(t, err)
	var m macaroon.Macaroon
	require.NoError(t, m.UnmarshalBinary(raw))

	var nonce [nonceLen]byte
	copy(nonce[:], m.Id()[3:])
	ops := []Op{{"onchain", "read"}, {"info", "read"}, {"info", "write"}, {"address", "read"}, {"info", "read"}}
	id, err := encodeID(nonce, DefaultKey, ops)
	require.NoError(t, err)
	require.Equal(t, m.Id(), id)

	ours, err := macaroon.New(testKey, id, location, macaroon.V2)
	require.NoError(t, err)
	bin, err := ours.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, fromLnd, hex.EncodeToString(bin))
}

func TestRights(t *testing.T) {
	open := []Op{{"onchain", "write"}, {"offchain", "write"}}
	for _, tc := range []struct {
		name   string
		ops    []Op
		method string
		needs  []Op
		ok     bool
	}{
		{"the right is there", readInfo, getInfo, readInfo, true},
		{"another action", []Op{{"info", "write"}}, getInfo, readInfo, false},
		{"another entity", []Op{{"peers", "read"}}, getInfo, readInfo, false},
		{"one of two", []Op{{"onchain", "write"}}, "/lnrpc.Lightning/OpenChannel", open, false},
		{"both of two", open, "/lnrpc.Lightning/OpenChannel", open, true},
		{"the method itself", []Op{{"uri", getInfo}}, getInfo, readInfo, true},
		{"another method", []Op{{"uri", getInfo}}, "/lnrpc.Lightning/ListPeers", []Op{{"peers", "read"}}, false},
		{"a forgotten method", Admin, "/lnrpc.Lightning/New", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token, err := testBakery().Verify(bake(t, tc.ops...), loopback)
			require.NoError(t, err)
			err = token.Allows(tc.method, tc.needs)
			if tc.ok {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, "permission denied")
		})
	}
}

// TestRefusals compares every refusal with the text that lnd gives.
func TestRefusals(t *testing.T) {
	good := bake(t, readInfo...)
	foreign := func(key, id []byte, version macaroon.Version) []byte {
		m, err := macaroon.New(key, id, location, version)
		require.NoError(t, err)
		raw, err := m.MarshalBinary()
		require.NoError(t, err)
		return raw
	}
	id := func(tail string) []byte { return []byte("\x03\x0a\x10aaaaaaaaaaaaaaaa" + tail) }
	third := func() []byte {
		var m macaroon.Macaroon
		require.NoError(t, m.UnmarshalBinary(good))
		require.NoError(t, m.AddThirdPartyCaveat(testKey, []byte("3rd"), "elsewhere"))
		raw, err := m.MarshalBinary()
		require.NoError(t, err)
		return raw
	}
	const info = "\x1a\x0c\x0a\x04info\x12\x04read"
	for _, tc := range []struct {
		name string
		raw  []byte
		text string
	}{
		{"nothing", nil, "empty macaroon data"},
		{"not a macaroon", []byte{1}, "cannot determine data format of binary-encoded macaroon"},
		{"cut", good[:20], "unmarshal v2: field data extends past end of buffer"},
		{"too long", make([]byte, maxLen+1), "macaroon of 16385 bytes is too long: at most 16384"},
		{"old format", foreign(testKey, []byte("0"), macaroon.V1), "unknown macaroon version: v1"},
		{"foreign identifier", foreign(testKey, []byte("0"), macaroon.V2), "invalid ID"},
		{"empty identifier", foreign(testKey, nil, macaroon.V2), "invalid ID"},
		{"no rights", foreign(testKey, id("\x12\x010"), macaroon.V2), "cannot retrieve macaroon: no operations found in macaroon"},
		{"unknown key", foreign(testKey, id("\x12\x015"+info), macaroon.V2), "cannot retrieve macaroon: cannot get macaroon: root key with id 5 doesn't exist"},
		{"key not a number", foreign(testKey, id("\x12\x0200"+info), macaroon.V2), `cannot retrieve macaroon: cannot get macaroon: root key with id "00" doesn't exist`},
		{"wrong key", foreign([]byte("other"), id("\x12\x010"+info), macaroon.V2), "verification failed: signature mismatch after caveat verification"},
		{"third party", third(), "verification failed: cannot find discharge macaroon for caveat 337264"},
		{"expired", restrict(t, good, ExpiresAt(noon)), `caveat "time-before 2026-11-20T12:00:00Z" not satisfied: macaroon has expired`},
		{"bad time", restrict(t, good, "time-before tomorrow"), `caveat "time-before tomorrow" not satisfied: parsing time "tomorrow" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "tomorrow" as "2006"`},
		{"other address", restrict(t, good, "ipaddr 1.1.1.1"), `caveat "ipaddr 1.1.1.1" not satisfied: macaroon locked to different IP address`},
		{"no address", restrict(t, good, "ipaddr x"), `caveat "ipaddr x" not satisfied: macaroon locked to different IP address`},
		{"other range", restrict(t, good, "iprange 10.0.0.0/8"), `caveat "iprange 10.0.0.0/8" not satisfied: macaroon locked to different IP range`},
		{"no range", restrict(t, good, "iprange x"), `caveat "iprange x" not satisfied: unable to parse macaroon IP range: netip.ParsePrefix("x"): no '/'`},
		{"unknown caveat", restrict(t, good, "colour blue"), `caveat "colour blue" not satisfied: caveat not recognized`},
		{"custom caveat", restrict(t, good, "lnd-custom budget 5"), `caveat "lnd-custom budget 5" not satisfied: cannot accept macaroon with custom caveat 'budget', no middleware registered to handle it`},
		{"empty caveat", restrict(t, good, ""), `cannot parse caveat "": empty caveat`},
		{"blank caveat", restrict(t, good, " x"), `cannot parse caveat " x": caveat starts with space character`},
		{"expired without the right", restrict(t, bake(t, Op{"peers", "read"}), ExpiresAt(noon.Add(-time.Hour))), `caveat "time-before 2026-11-20T11:00:00Z" not satisfied: macaroon has expired`},
	} {
		t.Run(tc.name, func(t *testing.T) { require.EqualError(t, check(tc.raw), tc.text) })
	}
	// The wording of the protobuf library varies on purpose.
	require.ErrorContains(t, check(foreign(testKey, []byte{3, 255}, macaroon.V2)), "cannot retrieve macaroon: cannot unmarshal macaroon id: ")
}

func TestCaveatsThatHold(t *testing.T) {
	raw := restrict(t, bake(t, readInfo...), ExpiresAt(noon.Add(time.Nanosecond)), OnlyFrom(loopback),
		OnlyFromRange(netip.MustParsePrefix("127.1.2.3/8")))
	require.NoError(t, check(raw))

	// An IPv4 caller on an IPv6 socket is the same caller.
	_, err := testBakery().Verify(raw, netip.MustParseAddr("::ffff:127.0.0.1"))
	require.NoError(t, err)

	// A caller whose address is not known cannot meet a caveat on it.
	_, err = testBakery().Verify(raw, netip.Addr{})
	require.ErrorContains(t, err, "unable to get peer info from context")
	_, err = testBakery().Verify(restrict(t, bake(t, readInfo...), OnlyFromRange(netip.MustParsePrefix("::/0"))), netip.Addr{})
	require.ErrorContains(t, err, "unable to get peer info from context")
}

func TestBakeAndRestrictRefuse(t *testing.T) {
	_, err := testBakery().Bake(DefaultKey, nil)
	require.EqualError(t, err, "bake macaroon: no rights given")
	_, err = testBakery().Bake(9, readInfo)
	require.ErrorIs(t, err, ErrNoKey)
	_, err = Restrict([]byte{1}, "x")
	require.ErrorContains(t, err, "restrict macaroon: ")
}

// TestTamperedMacaroonIsRefused flips any bit: the macaroon must not be accepted with more rights, and only the unsigned
// location may change without notice.
func TestTamperedMacaroonIsRefused(t *testing.T) {
	good := restrict(t, bake(t, readInfo...), ExpiresAt(noon.Add(time.Hour)))
	var m macaroon.Macaroon
	rapid.Check(t, func(t *rapid.T) {
		raw := bytes.Clone(good)
		i := rapid.IntRange(0, len(raw)-1).Draw(t, "byte")
		raw[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		token, err := testBakery().Verify(raw, loopback)
		if err != nil {
			return
		}
		require.NoError(t, m.UnmarshalBinary(raw))
		require.NotEqual(t, location, m.Location(), "byte %d can be changed", i)
		require.Equal(t, readInfo, token.ops)
	})
}

// TestRestrictNeverWidens checks that a macaroon with more caveats never does what it could not do with fewer.
func TestRestrictNeverWidens(t *testing.T) {
	caveats := []Caveat{ExpiresAt(noon), ExpiresAt(noon.Add(time.Hour)), OnlyFrom(loopback), "ipaddr 1.1.1.1", "x", "iprange 127.0.0.0/8"}
	rapid.Check(t, func(t *rapid.T) {
		raw, err := testBakery().Bake(DefaultKey, readInfo)
		require.NoError(t, err)
		refused := false
		for _, c := range rapid.SliceOfN(rapid.SampledFrom(caveats), 0, 5).Draw(t, "caveats") {
			raw, err = Restrict(raw, c)
			require.NoError(t, err)
			now := check(raw) != nil
			require.False(t, refused && !now)
			refused = now
		}
	})
}

func TestCredential(t *testing.T) {
	c := Credential([]byte{0xab})
	require.True(t, c.RequireTransportSecurity())
	md, err := c.GetRequestMetadata(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"macaroon": "ab"}, md)
}

func FuzzVerify(f *testing.F) {
	raw, err := hex.DecodeString(fromLnd)
	require.NoError(f, err)
	f.Add(raw)
	f.Add(restrict(f, bake(f, Admin...), OnlyFrom(loopback)))
	f.Add([]byte("TDAwMTlsb2NhdGlvbiA"))
	f.Add([]byte{2, 2, 1, 3, 0, 0, 6, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		token, err := testBakery().Verify(raw, loopback)
		if err != nil && len(token.ops) != 0 {
			t.Fatal("rights without a good macaroon")
		}
		_, _, _ = decodeID(raw)
		_ = checkCaveat(string(raw), loopback, noon, func(string) bool { return true })
	})
}

func BenchmarkVerify(b *testing.B) {
	raw, err := testBakery().Bake(DefaultKey, Admin)
	require.NoError(b, err)
	raw, err = Restrict(raw, ExpiresAt(noon.Add(time.Hour)))
	require.NoError(b, err)
	bakery := testBakery()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bakery.Verify(raw, loopback); err != nil {
			b.Fatal(err)
		}
	}
}
