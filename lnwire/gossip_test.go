package lnwire

import (
	"encoding/hex"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const regtest = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

// TestQueryVectors are the vectors of BOLT 7 with the plain encoding, both ways.
//
// B7.wire.11, B7.wire.12, B7.wire.13, B7.wire.14: those with zlib are refused (V-50).
func TestQueryVectors(t *testing.T) {
	chain := chainhash.Hash(unhex(t, regtest))
	both := uint64(3)
	ids := func(texts ...string) (list []ShortChannelID) {
		for _, text := range texts {
			id, err := ParseShortChannelID(text)
			require.NoError(t, err)
			list = append(list, id)
		}
		return list
	}
	for text, want := range map[string]Message{
		"0107" + regtest + "000186a0000005dc":       &QueryChannelRange{ChainHash: chain, FirstBlock: 100000, NumBlocks: 1500},
		"0107" + regtest + "000088b800000064010103": &QueryChannelRange{ChainHash: chain, FirstBlock: 35000, NumBlocks: 100, Option: &both},
		"0108" + regtest + "000b8a06000005dc01001900000000000000008e0000000000003c69000000000045a6c4": &ReplyChannelRange{
			ChainHash: chain, FirstBlock: 756230, NumBlocks: 1500, Complete: true, SCIDs: ids("0x0x142", "0x0x15465", "0x69x42692"),
		},
		"0108" + regtest + "0001ddde000005dc01001900000000000000304300000000000778d6000000000046e1c1011900000282c1000e77c5000778ad00490ab00000b57800955bff031800000457000008ae00000d050000115c000015b300001a0a": &ReplyChannelRange{
			ChainHash: chain, FirstBlock: 122334, NumBlocks: 1500, Complete: true, SCIDs: ids("0x0x12355", "0x7x30934", "0x70x57793"),
			Timestamps: []ChannelTimestamps{{164545, 948165}, {489645, 4786864}, {46456, 9788415}},
			Checksums:  []ChannelChecksums{{1111, 2222}, {3333, 4444}, {5555, 6666}},
		},
		"0105" + regtest + "001900000000000000008e0000000000003c69000000000045a6c4": &QueryShortChannelIDs{
			ChainHash: chain, SCIDs: ids("0x0x142", "0x0x15465", "0x69x42692"),
		},
	} {
		m, err := Unmarshal(unhex(t, text))
		require.NoError(t, err)
		require.Equal(t, want, m)
		b, err := Marshal(m)
		require.NoError(t, err)
		require.Equal(t, text, hex.EncodeToString(b))
	}
	for _, text := range []string{
		"0108" + regtest + "000006400000006e01001601789c636000833e08659309a65878be010010a9023a",
		"0108" + regtest + "0001ddde000005dc01001801789c63600001036730c55e710d4cbb3d3c080017c303b1012201789c63606a3ac8c0577e9481bd622d8327d7060686ad150c53a3ff0300554707db031800000457000008ae00000d050000115c000015b300001a0a",
		"0105" + regtest + "001801789c63600001c12b608a69e73e30edbaec0800203b040e",
		"0105" + regtest + "0019000000000000002fc80000000000003cc4000000000045a6c4010c01789c6364620100000e0008",
		"0105" + regtest + "001801789c63600001f30a30c5b0cd144cb92e3b020017c6034a010c01789c6364620100000e0008",
	} {
		_, err := Unmarshal(unhex(t, text))
		require.ErrorContains(t, err, "encoding 1, only 0 is taken")
	}
}

// B7.wire.11, B7.wire.12, B7.wire.13, B7.wire.14: what is wrong with an array.
func TestBadArrays(t *testing.T) {
	zeros := strings.Repeat("00", 32)
	one := "0009 00 0000000000000001"
	for want, text := range map[string]string{
		"encoding 2, only 0":              "0105" + zeros + "0009 02 0000000000000001",
		"no whole number of elements":     "0105" + zeros + "0008 00 00000000000001",
		"0x0x2 does not follow 0x0x2":     "0105" + zeros + "0011 00 0000000000000002 0000000000000002",
		"0x0x1 does not follow 0x0x2":     "0105" + zeros + "0011 00 0000000000000002 0000000000000001",
		"0 values for 1 ids":              "0105" + zeros + one + "0101 00",
		"2 values for 1 ids":              "0105" + zeros + one + "0103 000101",
		"not minimally encoded":           "0105" + zeros + one + "0104 00fd0001",
		"timestamps: tlv type 1: 0 value": "0108" + zeros + "0000000000000000 00" + one + "0101 00",
		"checksums: tlv type 3: 0 values": "0108" + zeros + "0000000000000000 00" + one + "0300",
	} {
		_, err := Unmarshal(unhex(t, text))
		require.ErrorContains(t, err, want)
	}
	empty, err := Unmarshal(unhex(t, "0105"+zeros+"0000"))
	require.NoError(t, err)
	require.Empty(t, empty.(*QueryShortChannelIDs).SCIDs)

	ids := []ShortChannelID{2, 1}
	for want, m := range map[string]Message{
		"0x0x1 does not follow":     &QueryShortChannelIDs{SCIDs: ids},
		"query_flags: 1 for 0 ids":  &QueryShortChannelIDs{Flags: []uint64{1}},
		"timestamps: 1 for 0 ids":   &ReplyChannelRange{Timestamps: make([]ChannelTimestamps, 1)},
		"checksums: 1 for 0 ids":    &ReplyChannelRange{Checksums: make([]ChannelChecksums, 1)},
		"do not fit a 2-byte lengt": &QueryShortChannelIDs{SCIDs: manyIDs(8192)},
		"at most 65535 fit":         &QueryShortChannelIDs{SCIDs: manyIDs(8191)},
	} {
		_, err := Marshal(m)
		require.ErrorContains(t, err, want)
	}
}

func manyIDs(n int) (ids []ShortChannelID) {
	for i := range n {
		ids = append(ids, ShortChannelID(i))
	}
	return ids
}

// B7.wire.20.
func TestShortChannelID(t *testing.T) {
	id := NewShortChannelID(539268, 845, 1)
	require.Equal(t, "539268x845x1", id.String())
	require.Equal(t, uint64(0x083a84_00034d_0001), uint64(id))
	for _, text := range []string{"539268x845x1", "539268:845:1", "592931436542885889"} {
		got, err := ParseShortChannelID(text)
		require.NoError(t, err)
		require.Equal(t, id.Block(), got.Block())
		require.Equal(t, id.TxIndex(), got.TxIndex(), text)
		require.Equal(t, id.Output(), got.Output(), text)
	}
	for _, bad := range []string{"", "1x2", "16777216x0x0", "0x16777216x0", "0x0x65536", "1x2x3x4", "-1x0x0"} {
		_, err := ParseShortChannelID(bad)
		require.Error(t, err, bad)
	}
}

const (
	v4   = "01 01020304 2607"
	v6   = "02 20010db8000000000000000000000001 2607"
	tor2 = "03 00010203040506070809 2607"
	tor3 = "04 0000000000000000000000000000000000000000000000000000000000000000000000 2607"
	name = "05 0b 6578616d706c652e6f7267 2607"
)

// B7.wire.5, B7.wire.6, B7.wire.7, B7.wire.18: what is taken from a list of
// addresses; all of it goes back as it came.
func TestAddressList(t *testing.T) {
	ip4 := Address{AddrIPv4, "1.2.3.4", 9735}
	ip6 := Address{AddrIPv6, "2001:db8::1", 9735}
	onion := Address{AddrTor3, strings.Repeat("a", 56) + ".onion", 9735}
	dns := Address{AddrDNS, "example.org", 9735}
	for _, v := range []struct {
		name, hex string
		want      []Address
		verbatim  bool
	}{
		{"nothing", "", nil, false},
		{"all kinds", v4 + v6 + tor3 + name, []Address{ip4, ip6, onion, dns}, false},
		{"an unknown type ends it", v4 + "06 00 01" + v6, []Address{ip4}, true},
		{"padding", "00" + v4 + "00 00" + v6 + "00", []Address{ip4, ip6}, true},
		{"Tor 2 is dropped", v4 + tor2 + tor3, []Address{ip4, onion}, true},
		{"port 0", "01 01020304 0000" + "02 20010db8000000000000000000000001 0000" + "05 0b 6578616d706c652e6f7267 0000", nil, true},
		{"out of order", v6 + v4, []Address{ip6, ip4}, true},
		{"two names", name + "05 01 61 2607", []Address{dns}, true},
		{"no name", "05 00 2607", nil, true},
		{"hostile name", "05 03 1b5b32 2607" + "05 01 61 2607", nil, true},
		{"not ASCII", "05 02 c3a9 2607", nil, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			raw := unhex(t, v.hex)
			list, err := readAddresses(raw)
			require.NoError(t, err)
			require.Equal(t, v.want, list)
			b, err := Marshal(&NodeAnnouncement{RawAddrs: append([]byte{}, raw...), Extra: []byte{1}})
			require.NoError(t, err)
			m, err := Unmarshal(b)
			require.NoError(t, err)
			node := m.(*NodeAnnouncement)
			require.Equal(t, v.want, node.Addresses)
			require.Equal(t, v.verbatim, node.RawAddrs != nil)
			again, err := Marshal(m)
			require.NoError(t, err)
			require.Equal(t, b, again)
		})
	}
	for _, cut := range []string{v4, v6, tor2, tor3, name} {
		b := unhex(t, cut)
		for n := 1; n < len(b); n++ {
			_, err := readAddresses(b[:n])
			require.ErrorIs(t, err, ErrTruncated)
		}
	}
}

// B7.wire.10.
func TestTwoNamesAreNotForwarded(t *testing.T) {
	for list, may := range map[string]bool{"": true, v4 + name: true, name + name: false, "00" + name + "00" + name: false, name + "06" + name: true, "05 00 0000 05 00 0000": false} {
		b, err := Marshal(&NodeAnnouncement{RawAddrs: append([]byte{}, unhex(t, list)...)})
		require.NoError(t, err)
		m, err := Unmarshal(b)
		require.NoError(t, err)
		require.Equal(t, may, m.(*NodeAnnouncement).MayForward(), list)
	}
}

// B7.wire.3, B7.wire.4, B7.wire.8, B7.wire.9: what we do not announce.
func TestAnnouncedAddresses(t *testing.T) {
	for _, bad := range []Address{
		{AddrIPv4, "1.2.3.4", 0},
		{AddrIPv6, "::1", 0},
		{AddrDNS, "example.org", 0},
		{AddrIPv4, "::1", 1},
		{AddrIPv6, "1.2.3.4", 1},
		{AddrIPv6, "fe80::1%eth0", 1},
		{AddrTor3, "short.onion", 1},
		{AddrTor3, strings.Repeat("a", 56), 1},
		{AddrDNS, "caf\u00e9.org", 1},
		{AddrDNS, "a..b", 1},
		{AddrDNS, strings.Repeat("a", 64), 1},
		{AddrDNS, strings.Repeat("a.", 128), 1},
		{addrTor2, "expyuzz4wqqyqhjn.onion", 1},
		{9, "x", 1},
	} {
		_, err := AppendAddress(nil, bad)
		require.Error(t, err, "%v", bad)
	}
	long := strings.Repeat("a.", 127) + "a"
	require.Len(t, long, 255)
	b, err := AppendAddress(nil, Address{AddrDNS, long, 1})
	require.NoError(t, err)
	require.Len(t, b, 1+258)

	m := &NodeAnnouncement{Addresses: []Address{{AddrDNS, "example.org", 9735}, {AddrIPv6, "2001:db8::1", 9735}, {AddrIPv4, "1.2.3.4", 9735}}}
	out, err := Marshal(m)
	require.NoError(t, err)
	require.Contains(t, hex.EncodeToString(out), strings.ReplaceAll(v4+v6+name, " ", ""))
	require.Equal(t, AddrDNS, m.Addresses[0].Type, "the message was changed")
	m.Addresses = append(m.Addresses, Address{AddrDNS, "example.com", 9735})
	_, err = Marshal(m)
	require.ErrorContains(t, err, "addresses: address \"example.com\": a second host name")
}

func TestParseAddress(t *testing.T) {
	onion := strings.Repeat("b", 56) + ".onion"
	for text, want := range map[string]Address{
		"1.2.3.4":              {AddrIPv4, "1.2.3.4", 9735},
		"1.2.3.4:1":            {AddrIPv4, "1.2.3.4", 1},
		"2001:db8::1":          {AddrIPv6, "2001:db8::1", 9735},
		"[2001:db8::1]":        {AddrIPv6, "2001:db8::1", 9735},
		"[2001:db8::1]:1":      {AddrIPv6, "2001:db8::1", 1},
		"[::ffff:1.2.3.4]:1":   {AddrIPv6, "::ffff:1.2.3.4", 1},
		onion:                  {AddrTor3, onion, 9735},
		onion + ":80":          {AddrTor3, onion, 80},
		"Example.org:65535":    {AddrDNS, "Example.org", 65535},
		strings.ToUpper(onion): {AddrTor3, onion, 9735},
	} {
		a, err := ParseAddress(text, 9735)
		require.NoError(t, err, text)
		require.Equal(t, want, a)
		again, err := ParseAddress(a.String(), 0)
		require.NoError(t, err, text)
		require.Equal(t, want, again)
		b, err := AppendAddress(nil, a)
		require.NoError(t, err)
		back, usable, rest, err := ReadAddress(b)
		require.NoError(t, err)
		require.True(t, usable)
		require.Empty(t, rest)
		require.Equal(t, want, back)
	}
	for _, bad := range []string{"", ":", "host:", "host:65536", "host:0", "a b", "1.2.3.4:x", "fe80::1%eth0", "x.onion"} {
		_, err := ParseAddress(bad, 9735)
		require.Error(t, err, bad)
	}
	_, _, _, err := ReadAddress(nil)
	require.ErrorIs(t, err, ErrTruncated)
}

// B7.wire.2. And what others call themselves is safe to print (V-65), cut nowhere
// inside a letter (V-56).
func TestAlias(t *testing.T) {
	a, err := NewAlias("fulgur \u26a1 z\u00fcrich")
	require.NoError(t, err)
	require.Equal(t, "fulgur \u26a1 z\u00fcrich", a.String())
	require.Zero(t, a[31])
	full := strings.Repeat("x", 32)
	a, err = NewAlias(full)
	require.NoError(t, err)
	require.Equal(t, full, a.String())
	for _, bad := range []string{full + "x", "\xff", "a\x00b"} {
		_, err = NewAlias(bad)
		require.Error(t, err)
	}
	for raw, want := range map[string]string{
		"a\x1b[31mb":           "a\ufffd[31mb",
		"evil\u202egpj.exe":    "evil\ufffdgpj.exe",
		"a\u2028b":             "a\ufffdb",
		"a\x00b\x00\x00":       "a\ufffdb",
		"\xff\xfe":             "\ufffd\ufffd",
		"tab\tnl\n":            "tab\ufffdnl\ufffd",
		"\u2066x\u2069":        "\ufffdx\ufffd",
		full[:31] + "\xe2\x9a": full[:31] + "\ufffd",
	} {
		var a Alias
		copy(a[:], raw)
		require.Equal(t, want, a.String())
	}
	rapid.Check(t, func(t *rapid.T) {
		var a Alias
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "raw"))
		text := a.String()
		require.True(t, utf8.ValidString(text))
		for _, c := range text {
			require.True(t, unicode.IsPrint(c) || c == utf8.RuneError)
		}
	})
}

func TestRGB(t *testing.T) {
	c, err := ParseRGB("#3399ff")
	require.NoError(t, err)
	require.Equal(t, RGB{0x33, 0x99, 0xff}, c)
	require.Equal(t, "#3399ff", c.String())
	for _, bad := range []string{"", "3399ff", "#3399f", "#3399ffff", "#gggggg"} {
		_, err := ParseRGB(bad)
		require.Error(t, err)
	}
}

// Zero and all other timestamps are values (V-48).
func TestTimestampsAreValues(t *testing.T) {
	for _, at := range []uint32{0, 1, 1<<32 - 1} {
		for _, m := range []Message{&ChannelUpdate{Timestamp: at}, &NodeAnnouncement{Timestamp: at}, &GossipTimestampFilter{FirstTimestamp: at, TimestampRange: at}} {
			b, err := Marshal(m)
			require.NoError(t, err)
			back, err := Unmarshal(b)
			require.NoError(t, err)
			require.Equal(t, m, back)
		}
	}
}
