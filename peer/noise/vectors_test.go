package noise

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"
)

// The vectors of BOLT 8, appendix A.
const (
	rsPub   = "028d7500dd4c12685d1f568b4c2b5048e8534b873319f3a8daa612b469132ec7f7"
	lsPub   = "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
	actOne  = "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a"
	actTwo  = "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae"
	act3    = "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba"
	finalCK = "919219dbb2920afa8db80f9a51787a840bcf111ed8d588caf9ab4be716e42b01"
	keyIR   = "969ab31b4d288cedf6218839b27a3e2140827047f2c0f01bf5c04435d43511a9" // initiator to responder
	keyRI   = "bb9020b8965f4df047e07f955f3c4b88418984aadc5cdb35096b9ea8fa5c3442"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func unhex32(t testing.TB, s string) [32]byte {
	t.Helper()
	return [32]byte(unhex(t, s))
}

// repeated is the private key made of one byte, as the vectors use it.
func repeated(b byte) *btcec.PrivateKey {
	k, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{b}, 32))
	return k
}

func vectorInitiator(t testing.TB) *Initiator {
	t.Helper()
	rs, err := btcec.ParsePubKey(unhex(t, rsPub))
	require.NoError(t, err)
	return NewInitiator(NewKey(repeated(0x11)), rs, repeated(0x12))
}

func vectorResponder() *Responder {
	return NewResponder(NewKey(repeated(0x21)), repeated(0x22))
}

func TestInitiatorVector(t *testing.T) {
	i := vectorInitiator(t)
	one, err := i.ActOne()
	require.NoError(t, err)
	require.Equal(t, actOne, hex.EncodeToString(one))

	three, session, err := i.ActTwo(unhex(t, actTwo))
	require.NoError(t, err)
	require.Equal(t, act3, hex.EncodeToString(three))
	require.Equal(t, keyIR, hex.EncodeToString(session.Sealer.key[:]))
	require.Equal(t, keyRI, hex.EncodeToString(session.Opener.key[:]))
	require.Equal(t, finalCK, hex.EncodeToString(session.Sealer.ck[:]))
	require.Equal(t, finalCK, hex.EncodeToString(session.Opener.ck[:]))
	require.Equal(t, rsPub, hex.EncodeToString(session.Remote.SerializeCompressed()))
}

func TestResponderVector(t *testing.T) {
	r := vectorResponder()
	two, err := r.ActOne(unhex(t, actOne))
	require.NoError(t, err)
	require.Equal(t, actTwo, hex.EncodeToString(two))

	session, err := r.ActThree(unhex(t, act3))
	require.NoError(t, err)
	require.Equal(t, keyIR, hex.EncodeToString(session.Opener.key[:]))
	require.Equal(t, keyRI, hex.EncodeToString(session.Sealer.key[:]))
	require.Equal(t, lsPub, hex.EncodeToString(session.Remote.SerializeCompressed()))
}

// B8.hs.3 B8.hs.5 B8.hs.7: what the initiator refuses in act two.
func TestInitiatorRefusesActTwo(t *testing.T) {
	for _, c := range []struct {
		name, act string
		want      error
	}{
		{"short read", "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730", ErrActLength},
		{"bad version", "0102466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae", ErrVersion},
		{"bad key serialization", "0004466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730ae", ErrActKey},
		{"bad MAC", "0002466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f276e2470b93aac583c9ef6eafca3f730af", ErrActTag},
		{"too long", actTwo + "00", ErrActLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := vectorInitiator(t)
			_, err := i.ActOne()
			require.NoError(t, err)
			three, session, err := i.ActTwo(unhex(t, c.act))
			require.ErrorIs(t, err, c.want)
			require.Nil(t, three, "nothing may be sent after a failure")
			require.Nil(t, session)

			_, _, err = i.ActTwo(unhex(t, actTwo))
			require.ErrorIs(t, err, ErrOrder, "a failed handshake stays failed")
		})
	}
}

// B8.hs.3 B8.hs.4 B8.hs.6: what the responder refuses in act one.
func TestResponderRefusesActOne(t *testing.T) {
	for _, c := range []struct {
		name, act string
		want      error
	}{
		{"short read", "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c", ErrActLength},
		{"bad version", "01036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a", ErrVersion},
		{"bad key serialization", "00046360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6a", ErrActKey},
		{"bad MAC", "00036360e856310ce5d294e8be33fc807077dc56ac80d95d9cd4ddbd21325eff73f70df6086551151f58b8afe6c195782c6b", ErrActTag},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := vectorResponder()
			two, err := r.ActOne(unhex(t, c.act))
			require.ErrorIs(t, err, c.want)
			require.Nil(t, two, "nothing may be sent after a failure")

			_, err = r.ActOne(unhex(t, actOne))
			require.ErrorIs(t, err, ErrOrder, "a failed handshake stays failed")
		})
	}
}

// B8.hs.3 B8.hs.5 B8.hs.8 B8.hs.9: what the responder refuses in act three.
func TestResponderRefusesActThree(t *testing.T) {
	for _, c := range []struct {
		name, act string
		want      error
	}{
		{"bad version", "01b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba", ErrVersion},
		{"short read", "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139", ErrActLength},
		{"bad MAC for ciphertext", "00c9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139ba", ErrActTag},
		{"bad rs", "00bfe3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa2235536ad09a8ee351870c2bb7f78b754a26c6cef79a98d25139c856d7efd252c2ae73c", ErrActKey},
		{"bad MAC", "00b9e3a702e93e3a9948c2ed6e5fd7590a6e1c3a0344cfc9d5b57357049aa22355361aa02e55a8fc28fef5bd6d71ad0c38228dc68b1c466263b47fdf31e560e139bb", ErrActTag},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := vectorResponder()
			_, err := r.ActOne(unhex(t, actOne))
			require.NoError(t, err)
			session, err := r.ActThree(unhex(t, c.act))
			require.ErrorIs(t, err, c.want)
			require.Nil(t, session)
		})
	}
}

// B8.msg.2 B8.msg.3 B8.rot.1 B8.rot.2: "hello" sent 1002 times crosses two
// rotations; the other direction does not move meanwhile.
func TestMessageVectors(t *testing.T) {
	want := map[int]string{
		0:    "cf2b30ddf0cf3f80e7c35a6e6730b59fe802473180f396d88a8fb0db8cbcf25d2f214cf9ea1d95",
		1:    "72887022101f0b6753e0c7de21657d35a4cb2a1f5cde2650528bbc8f837d0f0d7ad833b1a256a1",
		500:  "178cb9d7387190fa34db9c2d50027d21793c9bc2d40b1e14dcf30ebeeeb220f48364f7a4c68bf8",
		501:  "1b186c57d44eb6de4c057c49940d79bb838a145cb528d6e8fd26dbe50a60ca2c104b56b60e45bd",
		1000: "4a2f3cc3b5e78ddb83dcb426d9863d9d9a723b0337c89dd0b005d89f8d3c05c52b76b29b740f09",
		1001: "2ecd8c8a5629d0d02ab457a0fdd0f7b90a192cd46be5ecb6ca570bfc5e268338b1a16cf4ef2d36",
	}
	ck, ir, ri := unhex32(t, finalCK), unhex32(t, keyIR), unhex32(t, keyRI)
	initiator := newSession(nil, ck, ir, ri)
	responder := newSession(nil, ck, ri, ir)
	for i := range 1002 {
		frame, err := initiator.Sealer.Append(nil, []byte("hello"))
		require.NoError(t, err)
		if w, ok := want[i]; ok {
			require.Equal(t, w, hex.EncodeToString(frame), "message %d", i)
		}
		n, err := responder.Opener.Length(frame[:HeaderLen])
		require.NoError(t, err)
		require.Equal(t, 5, n)
		plain, err := responder.Opener.Open(frame[HeaderLen:])
		require.NoError(t, err)
		require.Equal(t, "hello", string(plain))
	}
	require.Equal(t, "9e0477f9850dca41e42db0e4d154e3a098e5a000d995e421849fcd5df27882bd",
		hex.EncodeToString(initiator.Sealer.key[:]))
	require.Equal(t, "728366ed68565dc17cf6dd97330a859a6a56e87e2beef3bd828a4c4a54d8df06",
		hex.EncodeToString(initiator.Sealer.ck[:]))
	require.Equal(t, ri, responder.Sealer.key, "the unused direction keeps its key")
	require.Zero(t, responder.Sealer.n)
}
