package onion

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestBuildRefusesMistakes(t *testing.T) {
	session := newKey(7).PrivateKey
	_, good := newRoute(2, 20)
	tooMuch := PayloadsLen - HopLen(20) - 3 - macLen + 1
	for name, c := range map[string]struct {
		session *btcec.PrivateKey
		hops    []Hop
		say     string
	}{
		"no hops":         {session, nil, "no hops"},
		"no session key":  {nil, good, "session key is zero"},
		"zero key":        {new(btcec.PrivateKey), good, "session key is zero"},
		"key not a point": {session, []Hop{good[0], {Payload: good[1].Payload}}, "key of hop 1: not a compressed secp256k1 public key"},
		"short payload":   {session, []Hop{{PubKey: good[0].PubKey, Payload: []byte{1}}}, "payload of hop 0 has 1 bytes"},
		"no room": {session, []Hop{good[0], {PubKey: good[1].PubKey, Payload: make([]byte, tooMuch)}},
			"payloads up to hop 1 of 2 take 1301 bytes, the onion holds 1300"},
	} {
		t.Run(name, func(t *testing.T) {
			packet, secrets, err := Build(c.session, c.hops, nil)
			require.ErrorContains(t, err, c.say)
			require.Nil(t, secrets)
			require.Equal(t, Packet{}, packet)
		})
	}
}

// The fullest packets: one payload that fills it, and as many of the least
// payloads as there is room for.
func TestBuildFull(t *testing.T) {
	for _, c := range []struct{ hops, payload int }{{1, PayloadsLen - macLen - 3}, {PayloadsLen / HopLen(2), 2}} {
		keys, hops := newRoute(c.hops, c.payload)
		packet, _ := mustBuild(t, hops, []byte("hash"))
		for i, k := range keys {
			p, bad := Peel(k, &packet, []byte("hash"))
			require.Nil(t, bad)
			require.Equal(t, hops[i].Payload, p.Payload)
			require.Equal(t, i == len(keys)-1, p.Final)
			packet = p.Next
		}
	}
}

// The last hop can tell nothing of the route from the bytes behind its payload:
// they are as random as the rest. B4.build.2
func TestBuildPadsWithTheSessionKey(t *testing.T) {
	keys, hops := newRoute(1, 20)
	behind := func(session byte) []byte {
		packet, _, err := Build(newKey(session).PrivateKey, hops, nil)
		require.NoError(t, err)
		l, code, _ := open(keys[0], nil, packet[:], nil)
		require.Zero(t, code)
		clear := bytes.Clone(payloadsOf(packet[:]))
		xorStream(deriveKey(keyRho, l.secret), 0, clear)
		return clear[HopLen(20):]
	}
	a, b := behind(0x41), behind(0x42)
	require.NotEqual(t, a, b)
	var zeros int
	for _, x := range a {
		if x == 0 {
			zeros++
		}
	}
	require.Less(t, zeros, len(a)/32)
}

// Sizes other than a payment's: onion messages of BOLT 4.
func TestOtherSizes(t *testing.T) {
	for _, room := range []int{100, 1300, 32768} {
		keys, hops := newRoute(2, 17)
		packet := make([]byte, room+overhead)
		_, err := build(packet, newKey(9).PrivateKey, hops, nil)
		require.NoError(t, err)
		for i, k := range keys {
			l, code, err := open(k, nil, packet, nil)
			require.NoError(t, err)
			require.Zero(t, code)
			next := make([]byte, len(packet))
			payload, final := l.peel(next, packet)
			require.Equal(t, hops[i].Payload, payload)
			require.Equal(t, i == 1, final)
			packet = next
		}
	}
	_, hops := newRoute(2, 17)
	_, err := build(make([]byte, 99+overhead), newKey(9).PrivateKey, hops, nil)
	require.ErrorContains(t, err, "the onion holds 99")
}

func TestHopLen(t *testing.T) {
	require.Equal(t, 1+252+32, HopLen(252))
	require.Equal(t, 3+253+32, HopLen(253))
	require.Equal(t, 1300, PayloadsLen)
	require.Equal(t, lnwire.OnionLen, len(Packet{}))
}
