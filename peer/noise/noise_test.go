package noise

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"
	"pgregory.net/rapid"
)

// shake runs a whole handshake between two static keys.
func shake(t testing.TB, i, r *btcec.PrivateKey) (initiator, responder *Session) {
	t.Helper()
	in := NewInitiator(NewKey(i), r.PubKey(), repeated(0x12))
	re := NewResponder(NewKey(r), repeated(0x22))
	one, err := in.ActOne()
	require.NoError(t, err)
	two, err := re.ActOne(one)
	require.NoError(t, err)
	three, initiator, err := in.ActTwo(two)
	require.NoError(t, err)
	responder, err = re.ActThree(three)
	require.NoError(t, err)
	return initiator, responder
}

// pair is a session's two ends without the cost of a handshake.
func pair() (initiator, responder *Session) {
	ck, ir, ri := [32]byte{1}, [32]byte{2}, [32]byte{3}
	return newSession(nil, ck, ir, ri), newSession(nil, ck, ri, ir)
}

// carry passes one message through a sealer and an opener.
func carry(s *Sealer, o *Opener, msg []byte) ([]byte, error) {
	frame, err := s.Append(nil, msg)
	if err != nil {
		return nil, err
	}
	n, err := o.Length(frame[:HeaderLen])
	if err != nil {
		return nil, err
	}
	return o.Open(frame[HeaderLen : HeaderLen+n+TagLen])
}

// B8.hs.2: the cipher is that of RFC 8439 (section 2.8.2).
func TestCipherIsRFC8439(t *testing.T) {
	key := unhex32(t, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")
	aead := newAEAD(key)
	got := aead.Seal(nil, unhex(t, "070000004041424344454647"),
		[]byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."),
		unhex(t, "50515253c0c1c2c3c4c5c6c7"))
	require.Equal(t, unhex(t, "1ae10b594f09e26a7e902ecbd0600691"), got[len(got)-TagLen:])
	require.Equal(t, chacha20poly1305.NonceSize, aead.NonceSize())
}

func TestHKDFAgreesWithTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		salt := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "salt"))
		ikm := rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "ikm")
		want, err := hkdf.Key(sha256.New, ikm, salt[:], "", 64)
		require.NoError(t, err)
		first, second := hkdf2(salt, ikm)
		require.Equal(t, want, append(first[:], second[:]...))
	})
}

// B8.hs.1: a session exists only behind the last act, and both ends know whom
// they talk to.
func TestHandshakeAuthenticatesBoth(t *testing.T) {
	for _, keys := range [][2]byte{{1, 2}, {2, 1}, {7, 7}, {254, 3}} {
		i, r := repeated(keys[0]), repeated(keys[1])
		a, b := shake(t, i, r)
		require.True(t, a.Remote.IsEqual(r.PubKey()))
		require.True(t, b.Remote.IsEqual(i.PubKey()))
		for _, ends := range [][2]*Session{{a, b}, {b, a}} {
			got, err := carry(ends[0].Sealer, ends[1].Opener, []byte("hello"))
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
		}
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := pair()
		for _, msg := range rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "messages") {
			got, err := carry(a.Sealer, b.Opener, msg)
			require.NoError(t, err)
			require.True(t, bytes.Equal(msg, got))
		}
	})
}

// B8.hs.6: dialling one node by another's key fails in act one, unanswered.
func TestWrongResponderKey(t *testing.T) {
	i := NewInitiator(NewKey(repeated(1)), repeated(2).PubKey(), repeated(3))
	one, err := i.ActOne()
	require.NoError(t, err)
	two, err := NewResponder(NewKey(repeated(4)), repeated(5)).ActOne(one)
	require.ErrorIs(t, err, ErrActTag)
	require.Nil(t, two)
}

func TestStepsOutOfOrder(t *testing.T) {
	i := vectorInitiator(t)
	_, _, err := i.ActTwo(unhex(t, actTwo))
	require.ErrorIs(t, err, ErrOrder)
	i = vectorInitiator(t)
	_, err = i.ActOne()
	require.NoError(t, err)
	_, err = i.ActOne()
	require.ErrorIs(t, err, ErrOrder, "an ephemeral key serves once")

	r := vectorResponder()
	_, err = r.ActThree(unhex(t, act3))
	require.ErrorIs(t, err, ErrOrder)
	r = vectorResponder()
	_, err = r.ActOne(unhex(t, actOne))
	require.NoError(t, err)
	_, err = r.ActThree(unhex(t, act3))
	require.NoError(t, err)
	_, err = r.ActThree(unhex(t, act3))
	require.ErrorIs(t, err, ErrOrder)
}

// awaySigner is a static key whose signer does not answer.
type awaySigner struct{ Key }

var errAway = errors.New("signer is away")

func (awaySigner) ECDH(*btcec.PublicKey) ([32]byte, error) { return [32]byte{}, errAway }

func TestSignerAway(t *testing.T) {
	i := NewInitiator(awaySigner{NewKey(repeated(0x11))}, repeated(0x21).PubKey(), repeated(0x12))
	_, err := i.ActOne()
	require.NoError(t, err, "act one needs the ephemeral key only")
	three, session, err := i.ActTwo(unhex(t, actTwo))
	require.ErrorIs(t, err, errAway)
	require.Nil(t, three)
	require.Nil(t, session)

	r := NewResponder(awaySigner{NewKey(repeated(0x21))}, repeated(0x22))
	_, err = r.ActOne(unhex(t, actOne))
	require.ErrorIs(t, err, errAway)
}

// B8.msg.1: 65535 bytes pass, one more does not and leaves the session usable.
func TestMessageLimit(t *testing.T) {
	a, b := pair()
	for _, n := range []int{0, 1, MaxMessage} {
		got, err := carry(a.Sealer, b.Opener, make([]byte, n))
		require.NoError(t, err)
		require.Len(t, got, n)
	}
	dst := []byte("kept")
	dst, err := a.Sealer.Append(dst, make([]byte, MaxMessage+1))
	require.ErrorIs(t, err, ErrTooLong)
	require.Equal(t, "kept", string(dst))
	got, err := carry(a.Sealer, b.Opener, []byte("still in step"))
	require.NoError(t, err)
	require.Equal(t, "still in step", string(got))
}

// B8.msg.3 B8.msg.4: a flipped bit anywhere is found, in the length before the
// body is read; the direction is dead from there on.
func TestFlippedBitKillsDirection(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := pair()
		msg := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(rt, "msg")
		frame, err := a.Sealer.Append(nil, msg)
		require.NoError(rt, err)
		bit := rapid.IntRange(0, 8*len(frame)-1).Draw(rt, "bit")
		frame[bit/8] ^= 1 << (bit % 8)

		_, err = b.Opener.Length(frame[:HeaderLen])
		if bit < 8*HeaderLen {
			require.ErrorIs(rt, err, ErrFrame)
		} else {
			require.NoError(rt, err)
			_, err = b.Opener.Open(frame[HeaderLen:])
			require.ErrorIs(rt, err, ErrFrame)
		}
		next, err := a.Sealer.Append(nil, msg)
		require.NoError(rt, err)
		_, err = b.Opener.Length(next[:HeaderLen])
		require.ErrorIs(rt, err, ErrFrame)
		_, err = b.Opener.Open(next[HeaderLen:])
		require.ErrorIs(rt, err, ErrFrame)
	})
}

// B8.msg.2 B8.msg.3: a repeated frame or one out of order does not open.
func TestReplayAndReorder(t *testing.T) {
	a, b := pair()
	first, err := a.Sealer.Append(nil, []byte("one"))
	require.NoError(t, err)
	second, err := a.Sealer.Append(nil, []byte("two"))
	require.NoError(t, err)
	require.NotEqual(t, first[:2], second[:2], "equal lengths look different")

	replay := bytes.Clone(first)
	_, err = b.Opener.Length(first[:HeaderLen])
	require.NoError(t, err)
	_, err = b.Opener.Open(first[HeaderLen:])
	require.NoError(t, err)
	_, err = b.Opener.Length(replay[:HeaderLen])
	require.ErrorIs(t, err, ErrFrame)

	c, d := pair()
	_, err = c.Sealer.Append(nil, []byte("lost"))
	require.NoError(t, err)
	late, err := c.Sealer.Append(nil, []byte("late"))
	require.NoError(t, err)
	_, err = d.Opener.Length(late[:HeaderLen])
	require.ErrorIs(t, err, ErrFrame)
}

func TestFrameReadOutOfOrder(t *testing.T) {
	a, b := pair()
	frame, err := a.Sealer.Append(nil, []byte("message"))
	require.NoError(t, err)
	_, err = b.Opener.Open(frame[HeaderLen:])
	require.ErrorIs(t, err, ErrFrameOrder)
	_, err = b.Opener.Length(frame[:HeaderLen-1])
	require.ErrorIs(t, err, ErrFrameOrder)
	_, err = b.Opener.Length(frame[:HeaderLen])
	require.NoError(t, err)
	_, err = b.Opener.Length(frame[:HeaderLen])
	require.ErrorIs(t, err, ErrFrameOrder)
	_, err = b.Opener.Open(frame[HeaderLen : len(frame)-1])
	require.ErrorIs(t, err, ErrFrameOrder)
	plain, err := b.Opener.Open(frame[HeaderLen:])
	require.NoError(t, err, "misuse costs nothing")
	require.Equal(t, "message", string(plain))
}

// B8.rot.1: each direction rotates by its own count, whatever the other does.
func TestDirectionsRotateAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := pair()
		for range rapid.IntRange(0, 1200).Draw(rt, "there") {
			_, err := carry(a.Sealer, b.Opener, []byte("x"))
			require.NoError(rt, err)
		}
		for range rapid.IntRange(0, 1200).Draw(rt, "back") {
			_, err := carry(b.Sealer, a.Opener, []byte("y"))
			require.NoError(rt, err)
		}
		require.Equal(rt, a.Sealer.key, b.Opener.key)
		require.Equal(rt, a.Opener.key, b.Sealer.key)
	})
}

func TestSealAndOpenDoNotAllocate(t *testing.T) {
	a, b := pair()
	msg, buf := make([]byte, 1452), make([]byte, 0, MaxFrame)
	allocs := testing.AllocsPerRun(200, func() {
		frame, _ := a.Sealer.Append(buf, msg)
		n, _ := b.Opener.Length(frame[:HeaderLen])
		if _, err := b.Opener.Open(frame[HeaderLen : HeaderLen+n+TagLen]); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, allocs)
}

// FuzzActs feeds arbitrary bytes to every step that reads from the peer.
func FuzzActs(f *testing.F) {
	f.Add(unhex(f, actOne))
	f.Add(unhex(f, actTwo))
	f.Add(unhex(f, act3))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		i, r := vectorInitiator(t), vectorResponder()
		if _, err := i.ActOne(); err != nil {
			t.Fatal(err)
		}
		if three, session, err := i.ActTwo(data); err != nil && (three != nil || session != nil) {
			t.Fatal("a result beside an error")
		}
		if two, err := r.ActOne(data); err != nil && two != nil {
			t.Fatal("an answer beside an error")
		}
		r = vectorResponder()
		if _, err := r.ActOne(unhex(t, actOne)); err != nil {
			t.Fatal(err)
		}
		if session, err := r.ActThree(data); err != nil && session != nil {
			t.Fatal("a session beside an error")
		}
	})
}

// FuzzFrames feeds arbitrary bytes to an opener: none may authenticate but the
// frame that was sealed.
func FuzzFrames(f *testing.F) {
	a, _ := pair()
	good, err := a.Sealer.Append(nil, []byte("message"))
	require.NoError(f, err)
	f.Add(good)
	f.Add(bytes.Repeat([]byte{0}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, b := pair()
		cut := min(HeaderLen, len(data))
		genuine := bytes.Equal(data, good)
		n, err := b.Opener.Length(bytes.Clone(data[:cut]))
		if err != nil {
			return
		}
		if n != len("message") {
			t.Fatal("forged header")
		}
		if _, err := b.Opener.Open(bytes.Clone(data[cut:])); err == nil && !genuine {
			t.Fatal("forged body")
		}
	})
}

func benchmarkSeal(b *testing.B, size int) {
	s, _ := pair()
	msg, buf := make([]byte, size), make([]byte, 0, MaxFrame)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sealer.Append(buf, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal200(b *testing.B)   { benchmarkSeal(b, 200) }
func BenchmarkSeal1452(b *testing.B)  { benchmarkSeal(b, 1452) }
func BenchmarkSeal65535(b *testing.B) { benchmarkSeal(b, MaxMessage) }

// BenchmarkCarry1452 seals and opens an update_add_htlc's worth of bytes.
func BenchmarkCarry1452(b *testing.B) {
	s, o := pair()
	msg, buf := make([]byte, 1452), make([]byte, 0, MaxFrame)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		frame, _ := s.Sealer.Append(buf, msg)
		n, err := o.Opener.Length(frame[:HeaderLen])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.Opener.Open(frame[HeaderLen : HeaderLen+n+TagLen]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	i, r := repeated(1), repeated(2)
	b.ReportAllocs()
	for b.Loop() {
		shake(b, i, r)
	}
}
