package lnwire

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var curveOrder = btcec.S256().N

func signer(n byte) (*btcec.PrivateKey, PubKey) {
	k, pub := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{n}, 32))
	return k, NewPubKey(pub)
}

// highS gives the other signature that is valid for the same message.
func highS(s Sig) Sig {
	var v btcec.ModNScalar
	v.SetByteSlice(s[32:])
	v.Negate()
	v.PutBytesUnchecked(s[32:])
	return s
}

// B2.wire.12: compact and DER say the same, both ways; a high s stays what it is
// and is told apart (V-02).
func TestSignatureForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, pub := signer(rapid.Uint8Range(1, 200).Draw(t, "key"))
		var digest [32]byte
		noise(t, digest[:])
		sig := ecdsa.Sign(k, digest[:])
		s := NewSig(sig)
		require.Equal(t, sig.Serialize(), s.DER())
		require.True(t, s.IsLowS())
		require.True(t, VerifySig(digest, pub, s))
		high := highS(s)
		require.False(t, high.IsLowS())
		require.True(t, VerifySig(digest, pub, high))
		for _, s := range []Sig{s, high} {
			back, err := SigFromDER(s.DER())
			require.NoError(t, err)
			require.Equal(t, s, back)
			e, err := s.ECDSA()
			require.NoError(t, err)
			require.Equal(t, s, NewSig(e))
		}
		digest[0]++
		require.False(t, VerifySig(digest, pub, s))
	})
}

func TestSignaturesOutOfRange(t *testing.T) {
	_, pub := signer(1)
	var one, order [32]byte
	one[31] = 1
	curveOrder.FillBytes(order[:])
	var zero [32]byte
	max := [32]byte(bytes.Repeat([]byte{0xff}, 32))
	for _, bad := range [][32]byte{zero, order, max} {
		for _, s := range []Sig{Sig(append(one[:], bad[:]...)), Sig(append(bad[:], one[:]...))} {
			_, err := s.ECDSA()
			require.ErrorIs(t, err, ErrBadSig)
			require.False(t, s.IsLowS())
			require.False(t, VerifySig([32]byte{}, pub, s))
			_, err = SigFromDER(s.DER())
			require.Error(t, err)
		}
	}
	good := NewSig(ecdsa.Sign(func() *btcec.PrivateKey { k, _ := signer(1); return k }(), make([]byte, 32)))
	require.True(t, VerifySig([32]byte{}, pub, good))
	require.False(t, VerifySig([32]byte{}, PubKey{4}, good))
	require.False(t, VerifySig([32]byte{}, PubKey{2}, good))
}

// signable are the messages of gossip with what is signed about them.
func signable(t *rapid.T) (m interface {
	Message
	SignedDigest() [32]byte
}, sigs int) {
	switch rapid.IntRange(0, 2).Draw(t, "which") {
	case 0:
		return drawMessage(t, MsgChannelAnnouncement).(*ChannelAnnouncement), 4
	case 1:
		return drawMessage(t, MsgNodeAnnouncement).(*NodeAnnouncement), 1
	default:
		return drawMessage(t, MsgChannelUpdate).(*ChannelUpdate), 1
	}
}

// A signature made by a node stays valid on its way through us, and covers every
// byte behind the signatures, the unknown ones included.
//
// B7.wire.1, B7.wire.15, B7.wire.16, B7.wire.17.
func TestSignedDigest(t *testing.T) {
	k, pub := signer(7)
	rapid.Check(t, func(t *rapid.T) {
		m, n := signable(t)
		extra := reflect.ValueOf(m).Elem().FieldByName("Extra")
		extra.SetBytes(append(extra.Bytes(), 1, 2, 3))
		digest := m.SignedDigest()
		sig := NewSig(ecdsa.Sign(k, digest[:]))
		b, err := Marshal(m)
		require.NoError(t, err)
		start := 2 + 64*n
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		back, err := Unmarshal(b)
		require.NoError(t, err)
		again := back.(interface{ SignedDigest() [32]byte }).SignedDigest()
		require.True(t, VerifySig(again, pub, sig))
		if at < 2 {
			return
		}
		b[at]++
		if back, err = Unmarshal(b); err == nil {
			again = back.(interface{ SignedDigest() [32]byte }).SignedDigest()
			require.Equal(t, at < start, VerifySig(again, pub, sig))
		}
	})
	broken := &NodeAnnouncement{Addresses: []Address{{Type: AddrIPv4, Host: "no"}}}
	require.Zero(t, broken.SignedDigest())
}

// B7.wire.19.
func TestUpdateChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t, MsgChannelUpdate).(*ChannelUpdate)
		sum := m.Checksum()
		m.Timestamp++
		noise(t, m.Sig[:])
		require.Equal(t, sum, m.Checksum())
		m.Extra = append(m.Extra, 1)
		require.NotEqual(t, sum, m.Checksum())
	})
	// RFC 3720 gives the sum of 32 zero bytes; an empty update has 68 of them.
	require.Equal(t, uint32(0x8a9136aa), crc32cBitwise(make([]byte, 32)))
	require.Equal(t, crc32cBitwise(make([]byte, 68)), (&ChannelUpdate{}).Checksum())
}

// crc32cBitwise is RFC 3720's sum, bit by bit.
func crc32cBitwise(b []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range b {
		sum ^= uint32(c)
		for range 8 {
			sum = sum>>1 ^ 0x82f63b78*(sum&1)
		}
	}
	return ^sum
}
