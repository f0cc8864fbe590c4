package seed

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/address/v2/bech32"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// The records of BOLT 10's example.
var example = map[string]uint16{
	"ln1qwktpe6jxltmpphyl578eax6fcjc2m807qalr76a5gfmx7k9qqfjwy4mctz.lseed.bitcoinstats.com.": 6331,
	"ln1qv2w3tledmzczw227nnkqrrltvmydl8gu4w4d70g9td7avke6nmz2tdefqp.lseed.bitcoinstats.com.": 9735,
	"ln1qtynyymv99pqf0r9cuexvvqtxrlgejuecf8myfsa96vcpflgll5cqmr2xsu.lseed.bitcoinstats.com.": 9735,
}

// server is a DNS server over TCP that answers everything with the records given.
func server(t *testing.T, records map[string]uint16) *net.Resolver {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); reply(c, records) })
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}}
}

func reply(c net.Conn, records map[string]uint16) {
	var size [2]byte
	io.ReadFull(c, size[:])
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	io.ReadFull(c, b)
	var q dnsmessage.Message
	if q.Unpack(b) != nil {
		return
	}
	a := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true},
		Questions: q.Questions,
	}
	for host, port := range records {
		a.Answers = append(a.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.SRVResource{Priority: 10, Weight: 10, Port: port, Target: dnsmessage.MustNewName(host)},
		})
	}
	out, err := a.Pack()
	if err != nil {
		return
	}
	c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
}

// named is bytes as a seed writes a node id.
func named(t *testing.T, raw []byte) string {
	data, err := bech32.ConvertBits(raw, 8, 5, true)
	require.NoError(t, err)
	name, err := bech32.Encode("ln", data)
	require.NoError(t, err)
	return name
}

func TestAsk(t *testing.T) {
	found, err := Ask(t.Context(), server(t, example), "lseed.bitcoinstats.com")
	require.NoError(t, err)
	got := map[string]string{}
	for _, n := range found {
		got[n.ID.String()] = n.Address
	}
	require.Equal(t, map[string]string{
		"03acb0e75237d7b086e4fd3c7cf4da4e25856ceff03bf1fb5da213b37ac5001327": "ln1qwktpe6jxltmpphyl578eax6fcjc2m807qalr76a5gfmx7k9qqfjwy4mctz.lseed.bitcoinstats.com:6331",
		"0314e8aff96ec581394af4e7600c7f5b3646fce8e55d56f9e82adbeeb2d9d4f625": "ln1qv2w3tledmzczw227nnkqrrltvmydl8gu4w4d70g9td7avke6nmz2tdefqp.lseed.bitcoinstats.com:9735",
		"02c932136c294204bc65c73266300b30fe8ccb99c24fb2261d2e9980a7e8ffe980": "ln1qtynyymv99pqf0r9cuexvvqtxrlgejuecf8myfsa96vcpflgll5cqmr2xsu.lseed.bitcoinstats.com:9735",
	}, got)
}

// TestNonsenseIsPassedOver is B10.ask.1 and V-68.
func TestNonsenseIsPassedOver(t *testing.T) {
	found, err := Ask(t.Context(), server(t, map[string]uint16{
		"seed.example.": 9735,
		"ln1qwktpe6jxltmpphyl578eax6fcjc2m807qalr76a5gfmx7k9qqfjwy4mctq.seed.example.": 9735, // checksum
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.seed.example.":                     9735, // not ln
		named(t, append([]byte{2}, bytes.Repeat([]byte{5}, 32)...)) + ".seed.example.": 9735, // no point of the curve
		named(t, bytes.Repeat([]byte{2}, 32)) + ".seed.example.":                       9735, // a byte too few
		"ln1qtynyymv99pqf0r9cuexvvqtxrlgejuecf8myfsa96vcpflgll5cqmr2xsu.seed.example.": 0,
	}), "seed.example")
	require.NoError(t, err)
	require.Empty(t, found)

	_, err = Ask(t.Context(), server(t, nil), "seed.example")
	require.ErrorContains(t, err, "ask DNS seed seed.example")
}
