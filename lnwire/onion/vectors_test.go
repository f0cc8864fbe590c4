package onion

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

type vectorHop struct {
	PubKey  string `json:"pubkey"`
	Payload string `json:"payload"` // with its length in front
}

// hop takes the length off the payload.
func (v vectorHop) hop(t *testing.T) Hop {
	n, payload, err := lnwire.ReadBigSize(unhex(t, v.Payload))
	require.NoError(t, err)
	require.EqualValues(t, len(payload), n)
	return Hop{PubKey: pubOf(t, v.PubKey), Payload: payload}
}

func hopsOf(t *testing.T, vs []vectorHop) (hops []Hop) {
	for _, v := range vs {
		hops = append(hops, v.hop(t))
	}
	return hops
}

// B4.key.1, B4.key.2, B4.key.3, B4.key.4, B4.build.1, B4.build.2, B4.build.3,
// B4.build.4, B4.peel.9, B4.peel.10
func TestVectorPayment(t *testing.T) {
	var v struct {
		Generate struct {
			SessionKey     string      `json:"session_key"`
			AssociatedData string      `json:"associated_data"`
			Hops           []vectorHop `json:"hops"`
		} `json:"generate"`
		Onion  string   `json:"onion"`
		Decode []string `json:"decode"`
	}
	readVector(t, "onion-test.json", &v)
	assoc := unhex(t, v.Generate.AssociatedData)
	hops := hopsOf(t, v.Generate.Hops)

	packet, secrets, err := Build(keyOf(unhex(t, v.Generate.SessionKey)).PrivateKey, hops, assoc)
	require.NoError(t, err)
	require.Equal(t, v.Onion, hex.EncodeToString(packet[:]))

	for i, k := range v.Decode {
		p, bad := Peel(keyOf(unhex(t, k)), &packet, assoc)
		require.Nil(t, bad)
		require.Equal(t, hops[i].Payload, p.Payload)
		require.Equal(t, secrets[i], p.Secret)
		require.Equal(t, i == len(hops)-1, p.Final)
		if p.Final {
			require.Equal(t, Packet{}, p.Next)
		}
		packet = p.Next
	}
}

// B4.blind.1, B4.blind.3, B4.blind.4
func TestVectorBlindedPayment(t *testing.T) {
	type data struct {
		Onion       string `json:"onion"`
		NodePrivKey string `json:"node_privkey"`
		NextPathKey string `json:"next_path_key"`
	}
	var v struct {
		Generate struct {
			SessionKey     string `json:"session_key"`
			AssociatedData string `json:"associated_data"`
			FullRoute      struct {
				Hops []vectorHop `json:"hops"`
			} `json:"full_route"`
			Onion string `json:"onion"`
		} `json:"generate"`
		Decrypt struct {
			Hops []data `json:"hops"`
		} `json:"decrypt"`
	}
	readVector(t, "blinded-payment-onion-test.json", &v)
	assoc := unhex(t, v.Generate.AssociatedData)
	hops := hopsOf(t, v.Generate.FullRoute.Hops)
	built, _, err := Build(keyOf(unhex(t, v.Generate.SessionKey)).PrivateKey, hops, assoc)
	require.NoError(t, err)
	require.Equal(t, v.Generate.Onion, hex.EncodeToString(built[:]))

	var pathKey *lnwire.PubKey
	for i, d := range v.Decrypt.Hops {
		key, packet := keyOf(unhex(t, d.NodePrivKey)), packetOf(t, d.Onion)
		var p Peeled
		var bad *BadOnion
		if pathKey == nil {
			p, bad = Peel(key, packet, assoc)
		} else {
			b, err := Unblind(key, *pathKey)
			require.NoError(t, err)
			p, bad = PeelBlinded(key, b, packet, assoc)
		}
		require.Nil(t, bad, "hop %d", i)
		require.Equal(t, hops[i].Payload, p.Payload)
		require.Equal(t, i == len(hops)-1, p.Final)
		if !p.Final {
			require.Equal(t, v.Decrypt.Hops[i+1].Onion, hex.EncodeToString(p.Next[:]))
		}
		payload, failure := DecodePayload(p.Payload)
		require.Nil(t, failure)
		if payload.CurrentPathKey != nil {
			pathKey = payload.CurrentPathKey
		}
		if d.NextPathKey != "" {
			b, err := Unblind(key, *pathKey)
			require.NoError(t, err)
			plain, ok := b.Open(payload.EncryptedRecipientData)
			require.True(t, ok)
			next := overrideOf(t, plain)
			if next == nil {
				next = &b.Next
			}
			require.Equal(t, d.NextPathKey, next.String())
			pathKey = next
		}
	}
}

// overrideOf finds next_path_key_override in recipient data.
func overrideOf(t *testing.T, data []byte) *lnwire.PubKey {
	records, err := lnwire.ReadTLVs(data, func(uint64) bool { return true })
	require.NoError(t, err)
	for _, r := range records {
		if r.Type == 8 {
			return (*lnwire.PubKey)(r.Value)
		}
	}
	return nil
}

// B4.blind.3, B4.blind.4
func TestVectorRouteBlinding(t *testing.T) {
	var v struct {
		Generate struct {
			Hops []struct {
				EncryptedData string `json:"encrypted_data"`
			} `json:"hops"`
		} `json:"generate"`
		Unblind struct {
			Hops []struct {
				NodePrivKey   string `json:"node_privkey"`
				PathKey       string `json:"path_key"`
				DecryptedData string `json:"decrypted_data"`
				NextPathKey   string `json:"next_path_key"`
			} `json:"hops"`
		} `json:"unblind"`
	}
	readVector(t, "route-blinding-test.json", &v)
	require.NotEmpty(t, v.Unblind.Hops)
	for i, h := range v.Unblind.Hops {
		b, err := Unblind(keyOf(unhex(t, h.NodePrivKey)), pubOf(t, h.PathKey))
		require.NoError(t, err)
		require.Equal(t, h.NextPathKey, b.Next.String())
		encrypted := unhex(t, v.Generate.Hops[i].EncryptedData)
		plain, ok := b.Open(encrypted)
		require.True(t, ok)
		require.Equal(t, h.DecryptedData, hex.EncodeToString(plain))

		encrypted[len(encrypted)/2] ^= 1
		_, ok = b.Open(encrypted)
		require.False(t, ok)
		_, ok = b.Open(nil)
		require.False(t, ok)
	}
}

// B4.blind.1
func TestVectorOnionMessage(t *testing.T) {
	var v struct {
		Decrypt struct {
			Hops []struct {
				PrivKey      string `json:"privkey"`
				OnionMessage string `json:"onion_message"`
			} `json:"hops"`
		} `json:"decrypt"`
	}
	readVector(t, "blinded-onion-message-onion-test.json", &v)
	require.NotEmpty(t, v.Decrypt.Hops)
	for i, h := range v.Decrypt.Hops {
		// type (2), path key (33), length (2), packet
		m := unhex(t, h.OnionMessage)
		require.EqualValues(t, 513, binary.BigEndian.Uint16(m))
		pathKey, packet := lnwire.PubKey(m[2:35]), (*Packet)(m[37:])
		key := keyOf(unhex(t, h.PrivKey))
		b, err := Unblind(key, pathKey)
		require.NoError(t, err)
		p, bad := PeelBlinded(key, b, packet, nil)
		require.Nil(t, bad)
		require.Equal(t, i == len(v.Decrypt.Hops)-1, p.Final)
		if !p.Final {
			require.True(t, bytes.HasSuffix(unhex(t, v.Decrypt.Hops[i+1].OnionMessage), p.Next[:]))
		}
	}
}

// B4.ret.1, B4.ret.2, B4.ret.3, B4.ret.4
func TestVectorError(t *testing.T) {
	var v struct {
		Generate struct {
			FailureMessage string `json:"failure_message"`
			Hops           []struct {
				Secret string `json:"hop_shared_secret"`
			} `json:"hops"`
		} `json:"generate"`
		ErrorPacket string `json:"errorpacket"`
	}
	readVector(t, "onion-error-test.json", &v)
	var secrets []lnwire.Secret
	for _, h := range v.Generate.Hops {
		secrets = append(secrets, lnwire.Secret(unhex(t, h.Secret)))
	}
	want := ReadFailure(unhex(t, v.Generate.FailureMessage))
	require.Equal(t, TemporaryNodeFailure, want.Code)

	last := len(secrets) - 1
	packet := EncryptFailure(secrets[last], want)
	for i := last - 1; i >= 0; i-- {
		packet = WrapFailure(secrets[i], packet)
	}
	require.Equal(t, v.ErrorPacket, hex.EncodeToString(packet))
	hop, got, ok := DecodeFailure(secrets, packet)
	require.True(t, ok)
	require.Equal(t, last, hop)
	require.Equal(t, want, got)
}

// B4.ret.4, B4.recv.1
func TestVectorErrorTrace(t *testing.T) {
	var v struct {
		FailureMessage string `json:"failure_message"`
		Size           int    `json:"message_and_pad_len"` // larger than ours
		Hops           []struct {
			Node         int    `json:"node"`
			SharedSecret string `json:"shared_secret"`
			ErrorPacket  string `json:"error_packet"`
		} `json:"hops"`
	}
	readVector(t, "error-trace.json", &v)
	secrets := make([]lnwire.Secret, len(v.Hops))
	var packet []byte
	for i, h := range v.Hops {
		secrets[h.Node] = lnwire.Secret(unhex(t, h.SharedSecret))
		if i == 0 {
			packet = sealReply(secrets[h.Node], unhex(t, v.FailureMessage), v.Size)
		} else {
			packet = WrapFailure(secrets[h.Node], packet)
		}
		require.Equal(t, h.ErrorPacket, hex.EncodeToString(packet), "node %d", h.Node)
	}
	hop, f, ok := DecodeFailure(secrets, packet)
	require.True(t, ok)
	require.Equal(t, v.Hops[0].Node, hop)
	require.Equal(t, Failure{Code: IncorrectOrUnknownPaymentDetails, HTLCMsat: 100, Height: 800_000}, f)
}
