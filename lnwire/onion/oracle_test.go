package onion

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	sphinx "github.com/lightningnetwork/lightning-onion"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// lightning-onion, which lnd uses, is the oracle of this file.

// draw is a random route with the session key and the payment hash for it.
type draw struct {
	session *btcec.PrivateKey
	keys    []*nodeKey
	hops    []Hop
	assoc   []byte
}

// drawRoute draws as many hops as fit, at most 27 (more, lightning-onion does not
// build).
func drawRoute(t *rapid.T, room int) (d draw) {
	seed := rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "seed")
	key := func(i int) *nodeKey {
		k := sha256.Sum256(append([]byte{byte(i)}, seed...))
		return keyOf(k[:])
	}
	d.session, d.assoc = key(255).PrivateKey, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "assoc")
	for i := range rapid.IntRange(1, sphinx.NumMaxHops).Draw(t, "hops") {
		payload := rapid.SliceOfN(rapid.Byte(), 2, 300).Draw(t, "payload")
		if room -= HopLen(len(payload)); room < 0 {
			break
		}
		d.keys = append(d.keys, key(i))
		d.hops = append(d.hops, Hop{PubKey: d.keys[i].pub(), Payload: payload})
	}
	return d
}

// path is the route as lightning-onion wants it.
func (d draw) path(t require.TestingT) *sphinx.PaymentPath {
	var path sphinx.PaymentPath
	for i, h := range d.hops {
		payload, err := sphinx.NewTLVHopPayload(h.Payload)
		require.NoError(t, err)
		path[i] = sphinx.OnionHop{NodePub: *d.keys[i].PubKey(), HopPayload: payload}
	}
	return &path
}

func encodeOracle(t require.TestingT, p *sphinx.OnionPacket) []byte {
	var b bytes.Buffer
	require.NoError(t, p.Encode(&b))
	return b.Bytes()
}

// The same route gives the same packet, and each of us peels it alike.
func TestOraclePackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRoute(t, PayloadsLen)
		ours, _, err := Build(d.session, d.hops, d.assoc)
		require.NoError(t, err)
		theirs, err := sphinx.NewOnionPacket(d.path(t), d.session, d.assoc, sphinx.DeterministicPacketFiller)
		require.NoError(t, err)
		require.Equal(t, encodeOracle(t, theirs), ours[:])

		for i, k := range d.keys {
			peeled, bad := Peel(k, &ours, d.assoc)
			require.Nil(t, bad)
			require.Equal(t, d.hops[i].Payload, peeled.Payload)

			var in sphinx.OnionPacket
			require.NoError(t, in.Decode(bytes.NewReader(ours[:])))
			out, err := k.router().ProcessOnionPacket(&in, d.assoc, 0)
			require.NoError(t, err)
			require.Equal(t, out.Payload.Payload, peeled.Payload)
			require.Equal(t, out.Action == sphinx.ExitNode, peeled.Final)
			require.Equal(t, i == len(d.keys)-1, peeled.Final)
			if !peeled.Final {
				require.Equal(t, encodeOracle(t, out.NextPacket), peeled.Next[:])
			}
			ours = peeled.Next
		}
	})
}

// Theirs with random filling, as lnd sends it, peeled by us.
func TestOracleRandomFilling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRoute(t, PayloadsLen)
		theirs, err := sphinx.NewOnionPacket(d.path(t), d.session, d.assoc, sphinx.BlankPacketFiller)
		require.NoError(t, err)
		packet := Packet(encodeOracle(t, theirs))
		for i, k := range d.keys {
			p, bad := Peel(k, &packet, d.assoc)
			require.Nil(t, bad)
			require.Equal(t, d.hops[i].Payload, p.Payload)
			packet = p.Next
		}
	})
}

// The large size of onion messages.
func TestOracleLargePackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const room = sphinx.MaxOnionMessagePayloadSize
		d := drawRoute(t, room)
		ours := make([]byte, room+overhead)
		_, err := build(ours, d.session, d.hops, d.assoc)
		require.NoError(t, err)
		theirs, err := sphinx.NewOnionPacket(d.path(t), d.session, d.assoc,
			sphinx.DeterministicPacketFiller, sphinx.WithMaxPayloadSize(room))
		require.NoError(t, err)
		require.Equal(t, encodeOracle(t, theirs), ours)
	})
}

// What one damages both refuse.
func TestOracleDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRoute(t, PayloadsLen)
		packet, _, err := Build(d.session, d.hops, d.assoc)
		require.NoError(t, err)
		packet[rapid.IntRange(0, len(packet)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "with")
		_, bad := Peel(d.keys[0], &packet, d.assoc)

		var in sphinx.OnionPacket
		err = in.Decode(bytes.NewReader(packet[:]))
		if err == nil {
			_, err = d.keys[0].router().ProcessOnionPacket(&in, d.assoc, 0)
		}
		require.Error(t, err)
		require.NotNil(t, bad)
		switch bad.Code {
		case InvalidOnionVersion:
			require.ErrorIs(t, err, sphinx.ErrInvalidOnionVersion)
		case InvalidOnionHMAC:
			require.ErrorIs(t, err, sphinx.ErrInvalidOnionHMAC)
		}
	})
}

// Failures: each hop is played by ours or by theirs, and both payers read it.
func TestOracleFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRoute(t, PayloadsLen)
		packet, secrets, err := Build(d.session, d.hops, d.assoc)
		require.NoError(t, err)
		want := failureGen().Draw(t, "failure")
		from := rapid.IntRange(0, len(d.hops)-1).Draw(t, "from")

		reply := oracleReply(t, d, packet, secrets, from, want)
		hop, got, ok := DecodeFailure(secrets, reply)
		require.True(t, ok)
		require.Equal(t, from, hop)
		require.Equal(t, want, got)

		circuit := &sphinx.Circuit{SessionKey: d.session, PaymentPath: pubKeys(d.keys)}
		theirs, err := sphinx.NewOnionErrorDecrypter(circuit).DecryptError(reply)
		require.NoError(t, err)
		require.Equal(t, from+1, theirs.SenderIdx)
		require.Equal(t, want, readReply(theirs.Message))
	})
}

func pubKeys(keys []*nodeKey) (pubs []*btcec.PublicKey) {
	for _, k := range keys {
		pubs = append(pubs, k.PubKey())
	}
	return pubs
}

// oracleReply carries the packet to the failing hop and the failure back.
func oracleReply(t *rapid.T, d draw, packet Packet, secrets []lnwire.Secret, from int, f Failure) (reply []byte) {
	encrypters := make([]*sphinx.OnionErrorEncrypter, from+1)
	for i := range encrypters {
		var in sphinx.OnionPacket
		require.NoError(t, in.Decode(bytes.NewReader(packet[:])))
		var err error
		encrypters[i], err = sphinx.NewOnionErrorEncrypter(d.keys[i].router(), in.EphemeralKey)
		require.NoError(t, err)
		p, bad := Peel(d.keys[i], &packet, d.assoc)
		require.Nil(t, bad)
		require.Equal(t, secrets[i], p.Secret)
		packet = p.Next
	}
	for i := from; i >= 0; i-- {
		ours := rapid.Bool().Draw(t, "ours")
		switch {
		case i == from && ours:
			reply = EncryptFailure(secrets[i], f)
		case i == from:
			reply = encrypters[i].EncryptError(true, plainReply(f))
		case ours:
			reply = WrapFailure(secrets[i], reply)
		default:
			reply = encrypters[i].EncryptError(false, reply)
		}
	}
	return reply
}

// plainReply is the return packet of a failure as lnd frames it, before HMAC and
// encryption.
func plainReply(f Failure) []byte {
	msg := f.Encode()
	pad := 256 - len(msg)
	b := append([]byte{byte(len(msg) >> 8), byte(len(msg))}, msg...)
	b = append(b, byte(pad>>8), byte(pad))
	return append(b, make([]byte, pad)...)
}

// A blinded path of theirs, walked by us.
func TestOracleBlinded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawRoute(t, PayloadsLen)
		infos := make([]*sphinx.HopInfo, len(d.keys))
		for i, k := range d.keys {
			infos[i] = &sphinx.HopInfo{NodePub: k.PubKey(), PlainText: []byte{byte(i), 7}}
		}
		path, err := sphinx.BuildBlindedPath(keyOf([]byte{0x55}).PrivateKey, infos)
		require.NoError(t, err)
		for i, h := range path.Path.BlindedHops {
			d.hops[i].PubKey = lnwire.NewPubKey(h.BlindedNodePub)
		}
		packet, _, err := Build(d.session, d.hops, d.assoc)
		require.NoError(t, err)
		pathKey := lnwire.NewPubKey(path.Path.BlindingPoint)
		for i, k := range d.keys {
			b, err := Unblind(k, pathKey)
			require.NoError(t, err)
			p, bad := PeelBlinded(k, b, &packet, d.assoc)
			require.Nil(t, bad)
			require.Equal(t, d.hops[i].Payload, p.Payload)
			data, ok := b.Open(path.Path.BlindedHops[i].CipherText)
			require.True(t, ok)
			require.Equal(t, []byte{byte(i), 7}, data)
			packet, pathKey = p.Next, b.Next
		}
	})
}
