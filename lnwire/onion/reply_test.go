package onion

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func secretsOf(n int) []lnwire.Secret {
	s := make([]lnwire.Secret, n)
	for i := range s {
		s[i] = sha256.Sum256([]byte{byte(i)})
	}
	return s
}

// replyFrom is what the payer gets when the hop fails with packet.
func replyFrom(secrets []lnwire.Secret, hop int, packet []byte) []byte {
	for i := hop - 1; i >= 0; i-- {
		packet = WrapFailure(secrets[i], packet)
	}
	return packet
}

func TestReplyFromEveryHop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := secretsOf(rapid.IntRange(1, 35).Draw(t, "hops"))
		from := rapid.IntRange(0, len(secrets)-1).Draw(t, "from")
		want := failureGen().Draw(t, "failure")
		hop, f, ok := DecodeFailure(secrets, replyFrom(secrets, from, EncryptFailure(secrets[from], want)))
		require.True(t, ok)
		require.Equal(t, from, hop)
		require.Equal(t, want, f)
	})
}

// B4.ret.1, B4.ret.2
func TestReplySize(t *testing.T) {
	var secret lnwire.Secret
	rapid.Check(t, func(t *rapid.T) {
		require.Len(t, EncryptFailure(secret, failureGen().Draw(t, "failure")), 292)
	})
	// An update that would break the size is left out.
	f := Failure{Code: FeeInsufficient, HTLCMsat: 5, Update: &lnwire.ChannelUpdate{Extra: make([]byte, 200)}}
	packet := EncryptFailure(secret, f)
	require.Len(t, packet, 292)
	_, got, ok := DecodeFailure([]lnwire.Secret{secret}, packet)
	require.True(t, ok)
	require.Equal(t, Failure{Code: FeeInsufficient, HTLCMsat: 5}, got)
}

// The inside of a return packet, byte for byte. B4.ret.3
func TestReplyFrame(t *testing.T) {
	secret := secretsOf(1)[0]
	packet := WrapFailure(secret, EncryptFailure(secret, Failure{Code: MPPTimeout}))
	um := deriveKey(keyUm, secret)
	h := hmac.New(sha256.New, um[:])
	h.Write(packet[32:])
	require.Equal(t, h.Sum(nil), packet[:32])
	require.Equal(t, []byte{0, 2, 0, 23, 0, 254}, packet[32:38])
	require.Equal(t, make([]byte, 254), packet[38:])
}

// B4.ret.4
func TestWrapIsTotalAndInPlace(t *testing.T) {
	secret := secretsOf(1)[0]
	for _, n := range []int{0, 1, 31, 32, 63, 64, 65, 292, 65535} {
		packet := bytes.Repeat([]byte{7}, n)
		wrapped := WrapFailure(secret, packet)
		require.Equal(t, packet, wrapped)
		require.Equal(t, bytes.Repeat([]byte{7}, n), WrapFailure(secret, wrapped))
	}
	require.Empty(t, WrapFailure(secret, nil))
}

// V-54, V-61
func TestReplyUnreadable(t *testing.T) {
	secrets := secretsOf(3)
	good := replyFrom(secrets, 2, EncryptFailure(secrets[2], Failure{Code: MPPTimeout}))
	spoilt := bytes.Clone(good)
	spoilt[100] ^= 1
	stranger := replyFrom(secrets, 2, EncryptFailure(sha256.Sum256([]byte("x")), Failure{Code: MPPTimeout}))
	var zero lnwire.Secret
	dummy := replyFrom(secrets, 3, EncryptFailure(zero, Failure{Code: MPPTimeout}))
	for name, packet := range map[string][]byte{
		"nil": nil, "short": make([]byte, 33), "zeros": make([]byte, 292), "largest": make([]byte, 65535),
		"spoilt": spoilt, "cut": good[:291], "by a stranger": stranger, "behind the last hop, with the dummy key": dummy,
	} {
		t.Run(name, func(t *testing.T) {
			hop, f, ok := DecodeFailure(secrets, packet)
			require.False(t, ok)
			require.Zero(t, hop)
			require.Equal(t, Failure{}, f)
		})
	}
	_, _, ok := DecodeFailure(nil, good)
	require.False(t, ok)
}

// A hop that authenticates nonsense is found out all the same.
func TestReplyAuthenticNonsense(t *testing.T) {
	secrets := secretsOf(3)
	seal := func(body []byte) []byte {
		um := deriveKey(keyUm, secrets[1])
		return replyFrom(secrets, 1, WrapFailure(secrets[1], append(mac(um[:], body), body...)))
	}
	for name, c := range map[string]struct {
		body []byte
		want Code
	}{
		"length beyond":      {[]byte{0xff, 0xff, 0x20, 2}, Unreadable},
		"length one beyond":  {[]byte{0, 3, 0x20, 2}, Unreadable},
		"no message":         {[]byte{0, 0}, Unreadable},
		"half a code":        {[]byte{0, 1, 0x20}, Unreadable},
		"no padding":         {[]byte{0, 2, 0x20, 2}, TemporaryNodeFailure},
		"padding too long":   {[]byte{0, 2, 0x20, 2, 0xff, 0xff, 0}, TemporaryNodeFailure},
		"padding of garbage": {append([]byte{0, 2, 0x20, 2, 0, 254}, bytes.Repeat([]byte{9}, 254)...), TemporaryNodeFailure},
		"1024 bytes of it":   {append([]byte{0, 2, 0x20, 2, 3, 254}, make([]byte, 1022)...), TemporaryNodeFailure},
	} {
		t.Run(name, func(t *testing.T) {
			hop, f, ok := DecodeFailure(secrets, seal(c.body))
			require.True(t, ok)
			require.Equal(t, 1, hop)
			require.Equal(t, Failure{Code: c.want}, f)
		})
	}
}

// The number of allocations stands for the work: it is the same for each hop that
// fails, for none, and for each length of route. B4.ret.5
func TestReplyWorkIsConstant(t *testing.T) {
	want := -1.0
	for _, n := range []int{1, 3, 20, replyRounds} {
		secrets := secretsOf(n)
		for from := -1; from < n; from += 1 + n/4 {
			packet := make([]byte, 292)
			if from >= 0 {
				packet = replyFrom(secrets, from, EncryptFailure(secrets[from], Failure{Code: MPPTimeout}))
			}
			got := testing.AllocsPerRun(10, func() {
				_, _, ok := DecodeFailure(secrets, packet)
				if ok != (from >= 0) {
					t.Fatal("not decoded")
				}
			})
			if want < 0 {
				want = got
			}
			require.Equal(t, want, got, "hop %d of %d", from, n)
		}
	}
}

func FuzzDecodeFailure(f *testing.F) {
	secrets := secretsOf(4)
	f.Add(replyFrom(secrets, 3, EncryptFailure(secrets[3], Failure{Code: MPPTimeout})), []byte{0x20, 2})
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 34), binary.BigEndian.AppendUint16(nil, uint16(ChannelDisabled)))
	f.Fuzz(func(t *testing.T, packet, msg []byte) {
		hop, failure, ok := DecodeFailure(secrets, bytes.Clone(packet))
		if hop < 0 || hop >= len(secrets) {
			t.Fatalf("hop %d", hop)
		}
		require.NotEmpty(t, failure.Explain())
		require.True(t, ok || failure == Failure{})
		if len(msg) > 65535 {
			return
		}
		hop, failure, ok = DecodeFailure(secrets, replyFrom(secrets, 2, sealReply(secrets[2], msg, replyLen)))
		require.True(t, ok)
		require.Equal(t, 2, hop)
		require.Equal(t, ReadFailure(msg), failure)
	})
}
