package show

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

func TestAmounts(t *testing.T) {
	for sat, want := range map[int64]string{
		0: "0 sat", 7: "7 sat", 999: "999 sat", 1000: "1,000 sat", -1: "-1 sat", -1000: "-1,000 sat", -999: "-999 sat",
		123_456_789: "123,456,789 sat", -9223372036854775808: "-9,223,372,036,854,775,808 sat",
	} {
		require.Equal(t, want, Sat(sat))
	}
	for msat, want := range map[int64]string{
		0: "0 sat", 1: "0.001 sat", 1000: "1 sat", 1250: "1.250 sat", 1_234_567_008: "1,234,567.008 sat", -1: "-0.001 sat", -2500: "-2.500 sat",
	} {
		require.Equal(t, want, Msat(msat))
	}
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "50000": 50_000, "50_000": 50_000, "50000sat": 50_000, "1sats": 1, "0.0005btc": 50_000, "0.01BTC": 1_000_000,
		"21000000btc": 2_100_000_000_000_000, "2000msat": 2, "1.000": 1,
	} {
		got, err := ParseSat(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "-1", "1.5", "10k", "btc", "0.000000001btc", "1e3", "1,000", "0x10", "1/2", "1..2", "1500msat", "100000000000000000000", ".", "NaN", "Inf",
	} {
		_, err := ParseSat(text)
		require.Error(t, err, text)
	}
	msat, err := ParseMsat("1.5", 1000)
	require.NoError(t, err)
	require.EqualValues(t, 1500, msat)
}

func TestShortChannelID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Uint64().Draw(t, "id")
		got, err := ParseShortChannelID(ShortChannelID(id))
		require.NoError(t, err)
		require.Equal(t, id, got)
	})
	for _, bad := range []string{"", "x", "1x2", "1x2x3x4", "1x2x65536", "16777216x0x0", "-1x0x0", "1:2:3"} {
		_, err := ParseShortChannelID(bad)
		require.Error(t, err, bad)
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[int64]string{59: "59s", 90: "1m30s", 3600: "1h0m", 86400: "24h0m", 7 * 86400: "7d0h"} {
		require.Equal(t, want, Duration(seconds))
	}
}

func TestTable(t *testing.T) {
	table := NewTable("peer", "amount>")
	var none bytes.Buffer
	table.Print(&none)
	require.Equal(t, "none\n", none.String())
	table.Row("bob\x1b[31m", Sat(int64(5)))
	table.Row("zoë", Sat(int64(1000)))
	table.Row("x")
	var out bytes.Buffer
	table.Print(&out)
	require.Equal(t, "PEER        AMOUNT\nbob[31m      5 sat\nzoë      1,000 sat\nx\n", out.String())
}

func TestPairs(t *testing.T) {
	var p Pairs
	p.Add("a", "1")
	p.Add("empty", "")
	p.Add("long name", "2\n3")
	var out bytes.Buffer
	p.Print(&out)
	require.Equal(t, "a          1\nlong name  23\n", out.String())
}

func TestProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	p := StartProgress(&out, false, "not shown")
	p.Step("one")
	p.Step("one")
	p.Step("two %d", 2)
	p.Stop()
	p.Stop()
	require.Equal(t, "one\ntwo 2\n", out.String())
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, JSON(&out, &lnrpc.ListChannelsResponse{}))
	require.Equal(t, "{\n    \"channels\": []\n}\n", out.String())
	out.Reset()
	hash := bytes.Repeat([]byte{0}, 32)
	hash[0] = 0xab
	require.NoError(t, JSON(&out, &lnrpc.OpenStatusUpdate{
		Update:        &lnrpc.OpenStatusUpdate_ChanPending{ChanPending: &lnrpc.PendingUpdate{Txid: hash, OutputIndex: 1}},
		PendingChanId: []byte{1, 2},
	}))
	require.Equal(t, `{
    "chan_pending": {
        "txid": "00000000000000000000000000000000000000000000000000000000000000ab",
        "output_index": 1,
        "fee_per_vbyte": "0",
        "local_close_tx": false
    },
    "pending_chan_id": "0102"
}
`, out.String())
	require.EqualValues(t, 0xab, hash[0], "the message itself was changed")
	out.Reset()
	require.NoError(t, Line(&out, &lnrpc.Payment{
		Status: lnrpc.Payment_SUCCEEDED, PaymentRequest: "<&>\"\n", FirstHopCustomRecords: map[uint64][]byte{65537: {2}, 65536: {1}},
	}))
	require.Equal(t, `{"payment_hash":"","value":"0","creation_date":"0","fee":"0","payment_preimage":"","value_sat":"0","value_msat":"0",`+
		`"payment_request":"<&>\"\n","status":"SUCCEEDED","fee_sat":"0","fee_msat":"0","creation_time_ns":"0","htlcs":[],"payment_index":"0",`+
		`"failure_reason":"FAILURE_REASON_NONE","first_hop_custom_records":{"65536":"01","65537":"02"}}`+"\n", out.String())
}

func TestJSONIsValidAndComesBack(t *testing.T) {
	text := rapid.String()
	raw := rapid.SliceOfN(rapid.Byte(), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		route := &lnrpc.Route{
			TotalTimeLock: rapid.Uint32().Draw(t, "lock"), TotalFeesMsat: rapid.Int64().Draw(t, "fees"), CustomChannelData: raw.Draw(t, "custom"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "hops") {
			route.Hops = append(route.Hops, &lnrpc.Hop{
				ChanId: rapid.Uint64().Draw(t, "chan"), PubKey: text.Draw(t, "key"), Metadata: raw.Draw(t, "meta"),
				MppRecord:     &lnrpc.MPPRecord{PaymentAddr: raw.Draw(t, "addr")},
				CustomRecords: map[uint64][]byte{rapid.Uint64().Draw(t, "type"): raw.Draw(t, "record")},
			})
		}
		var out bytes.Buffer
		require.NoError(t, JSON(&out, route))
		require.True(t, json.Valid(out.Bytes()), out.String())
		back := &lnrpc.Route{}
		require.NoError(t, Parse(out.Bytes(), back))
		require.True(t, proto.Equal(route, back), "%v\n%v", route, back)
	})
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{"", "{", "[]", `{"hops": 3}`, `{"hops": [{"metadata": "xyz"}]}`, `{"no_such_field": 1}`} {
		require.Error(t, Parse([]byte(bad), &lnrpc.Route{}), bad)
	}
}

func TestQR(t *testing.T) {
	var a, b bytes.Buffer
	QR(&a, "bcrt1qxyz")
	QR(&b, "bcrt1qxyy")
	require.NotEmpty(t, a.String())
	require.NotEqual(t, a.String(), b.String())
}
