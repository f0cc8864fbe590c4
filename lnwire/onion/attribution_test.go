package onion

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

type attributionVectors struct {
	FailureMessage string   `json:"failure_message"`
	Holds          []int    `json:"holds"`
	SharedSecrets  []string `json:"shared_secrets"` // of node 0 first
	Failure        []struct{ Packet, Attribution string }
	Success        []struct{ Attribution string }
}

func readAttributionVectors(t *testing.T) (v attributionVectors, secrets []lnwire.Secret) {
	b, err := os.ReadFile("testdata/attribution.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &v))
	for _, s := range v.SharedSecrets {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		secrets = append(secrets, lnwire.Secret(b))
	}
	return v, secrets
}

// TestAttributionVectors walks the examples of BOLT 4 from the last node to the payer.
func TestAttributionVectors(t *testing.T) {
	v, secrets := readAttributionVectors(t)
	hold := func(node int) time.Duration { return time.Duration(v.Holds[node]) * 100 * time.Millisecond }
	var want []time.Duration
	for i := range secrets {
		want = append(want, hold(i))
	}

	msg, err := hex.DecodeString(v.FailureMessage)
	require.NoError(t, err)
	packet := sealReply(secrets[4], msg, 1024)
	bare := WrapFailure(secrets[4], append([]byte{}, packet...))
	a := Attribute(secrets[4], nil, bare, hold(4))
	for i, step := range v.Failure {
		node := 4 - i
		if i > 0 {
			a = Attribute(secrets[node], a, packet, hold(node))
			packet = WrapFailure(secrets[node], packet)
		}
		require.Equal(t, step.Packet, hex.EncodeToString(packet), "node %d", node)
		require.Equal(t, step.Attribution, hex.EncodeToString(a[:]), "node %d", node)
	}
	require.Equal(t, want, ReadAttribution(secrets, packet, a))
	hop, f, ok := DecodeFailure(secrets, packet)
	require.True(t, ok)
	require.Equal(t, 4, hop)
	require.Equal(t, IncorrectOrUnknownPaymentDetails, f.Code)

	a = nil
	for i, step := range v.Success {
		node := 4 - i
		a = Attribute(secrets[node], a, nil, hold(node))
		require.Equal(t, step.Attribution, hex.EncodeToString(a[:]), "node %d", node)
	}
	require.Equal(t, want, ReadAttribution(secrets, nil, a))
}

// TestAttributionBlames: whoever on the way changes a bit of the packet or of the data,
// or leaves the data out, the payer learns the hold times of everybody before, and of
// nobody from there on (B4.attr.1, B4.attr.2, B4.attr.3, B4.attr.4).
func TestAttributionBlames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, attributionHops).Draw(t, "hops")
		end := rapid.IntRange(0, n-1).Draw(t, "failing hop")
		secrets := make([]lnwire.Secret, n)
		holds := make([]time.Duration, n)
		for i := range secrets {
			secrets[i][0] = byte(i + 1)
			holds[i] = time.Duration(rapid.IntRange(0, 1000).Draw(t, "hold")) * holdUnit
		}
		spoiler := rapid.IntRange(-1, end).Draw(t, "spoiler")
		how := rapid.SampledFrom([]string{"packet", "data", "nothing passed on"}).Draw(t, "how")

		packet, a := EncryptFailureAttributed(secrets[end], Failure{Code: TemporaryNodeFailure}, holds[end])
		for i := end; i >= 0; i-- {
			if i < end {
				a = Attribute(secrets[i], a, packet, holds[i])
				packet = WrapFailure(secrets[i], packet)
			}
			if i == spoiler {
				switch how {
				case "packet":
					packet[rapid.IntRange(0, len(packet)-1).Draw(t, "byte")] ^= 1
				case "data":
					a[rapid.IntRange(0, holdLen-1).Draw(t, "byte")] ^= 1
				default:
					a = nil
				}
			}
		}
		if a == nil { // the first node told nothing
			return
		}
		got := ReadAttribution(secrets, packet, a)
		want := spoiler
		if spoiler < 0 {
			want = end + 1
		}
		require.Len(t, got, want)
		require.Equal(t, holds[:want], append([]time.Duration{}, got...))
	})
}

func TestAttributionOfTooManyHops(t *testing.T) {
	require.Nil(t, ReadAttribution(make([]lnwire.Secret, attributionHops+1), nil, new(lnwire.Attribution)))
	a := Attribute(lnwire.Secret{1}, nil, nil, -time.Second)
	require.Equal(t, []time.Duration{0}, ReadAttribution([]lnwire.Secret{{1}}, nil, a))
}

func BenchmarkAttribute(b *testing.B) {
	a := new(lnwire.Attribution)
	for b.Loop() {
		a = Attribute(lnwire.Secret{1}, a, make([]byte, 292), time.Second)
	}
}

// FuzzReadAttribution: whatever comes back to the payer is read to its first fault, and
// nothing of it is changed.
func FuzzReadAttribution(f *testing.F) {
	packet, a := EncryptFailureAttributed(lnwire.Secret{2}, Failure{Code: TemporaryNodeFailure}, time.Second)
	f.Add(uint8(1), a[:], packet)
	a = Attribute(lnwire.Secret{1}, a, packet, time.Minute)
	f.Add(uint8(2), a[:], WrapFailure(lnwire.Secret{1}, packet))
	f.Add(uint8(20), []byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, hops uint8, data, packet []byte) {
		secrets := make([]lnwire.Secret, hops)
		for i := range secrets {
			secrets[i][0] = byte(i + 1)
		}
		var a lnwire.Attribution
		copy(a[:], data)
		before, was := a, append([]byte{}, packet...)
		holds := ReadAttribution(secrets, packet, &a)
		require.LessOrEqual(t, len(holds), min(len(secrets), attributionHops))
		require.Equal(t, before, a)
		require.Equal(t, was, append([]byte{}, packet...))
		for _, h := range holds {
			require.GreaterOrEqual(t, h, time.Duration(0))
		}
	})
}

func BenchmarkReadAttribution(b *testing.B) {
	a := Attribute(lnwire.Secret{1}, nil, nil, time.Second)
	for b.Loop() {
		ReadAttribution([]lnwire.Secret{{1}, {2}, {3}}, nil, a)
	}
}
