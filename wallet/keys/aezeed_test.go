package keys

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The vectors of lnd's aezeed/cipherseed_test.go, which lowers scrypt's cost to 16.
func TestAezeedVectorsOfLnd(t *testing.T) {
	entropy := [16]byte(fromHex(t, "81b637d86359e6960de795e41e0b4cfd"))
	for _, v := range []struct {
		pass     string
		birthday uint16
		words    string
	}{
		{"", 0, "ability liquid travel stem barely drastic pact cupboard apple thrive morning oak " +
			"feature tissue couch old math inform success suggest drink motion know royal"},
		{"!very_safe_55345_password*", 3365, "able tree stool crush transfer cloud cross three profit outside hen citizen " +
			"plate ride require leg siren drum success suggest drink require fiscal upgrade"},
	} {
		seed := Seed{Birthday: v.birthday, Entropy: entropy}
		words, err := seed.encode([]byte(v.pass), [5]byte([]byte("salt1")), 16)
		require.NoError(t, err)
		require.Equal(t, v.words, strings.Join(words[:], " "))
		back, salt, err := words.decode([]byte(v.pass), 16)
		require.NoError(t, err)
		require.Equal(t, seed, back)
		require.Equal(t, "salt1", string(salt[:]))
	}
}

// A seed of lnd's lnwallet/btcwallet/signer_test.go, at the true cost.
func TestAezeedTrueCost(t *testing.T) {
	words, err := ParseWords("  able promote dizzy mixture sword myth share PUBLIC find tattoo\ncatalog cousin bulb unfair " +
		"machine alarm cool large promote kick shop rug mean year")
	require.NoError(t, err)
	seed, err := words.Decode(nil)
	require.NoError(t, err)
	require.Equal(t, "4a7611b6979ba7c4bc5c5cd2239b2973", hex.EncodeToString(seed.Entropy[:]))
	require.True(t, seed.Born().After(time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)), seed.Born())

	again, err := words.ChangePassphrase(nil, []byte("other"), [5]byte{1, 2, 3, 4, 5})
	require.NoError(t, err)
	require.NotEqual(t, words, again)
	back, err := again.Decode([]byte("other"))
	require.NoError(t, err)
	require.Equal(t, seed, back)
	_, err = again.Decode(nil)
	require.ErrorIs(t, err, ErrSeedPassphrase)
	_, err = again.ChangePassphrase([]byte("wrong"), nil, [5]byte{})
	require.ErrorIs(t, err, ErrSeedPassphrase)
}

func TestAezeedRefuses(t *testing.T) {
	seed := Seed{Version: 1, Birthday: 6000, Entropy: [16]byte{9}}
	good, err := seed.encode([]byte("p"), [5]byte{7}, 16)
	require.NoError(t, err)

	sealed, err := good.Enciphered()
	require.NoError(t, err)
	require.Equal(t, good, packWords(sealed))

	swapped := good
	swapped[3], swapped[4] = swapped[4], swapped[3]
	_, _, err = swapped.decode([]byte("p"), 16)
	require.ErrorIs(t, err, ErrSeedChecksum)

	unknown := good
	unknown[23] = "lightning"
	_, _, err = unknown.decode([]byte("p"), 16)
	require.ErrorContains(t, err, `word 24, "lightning"`)

	future := Seed{Version: 2}
	words, err := future.encode(nil, [5]byte{}, 16)
	require.NoError(t, err)
	_, _, err = words.decode(nil, 16)
	require.ErrorIs(t, err, ErrSeedVersion)

	_, err = ParseWords("abandon abandon")
	require.ErrorContains(t, err, "want 24 words, got 2")

	_, err = NewSeed([16]byte{}, time.Unix(genesis-1, 0))
	require.ErrorIs(t, err, ErrSeedBirthday)
	_, err = NewSeed([16]byte{}, time.Date(2189, 1, 1, 0, 0, 0, 0, time.UTC))
	require.ErrorIs(t, err, ErrSeedBirthday)
}

func TestAezeedOuterVersion(t *testing.T) {
	words, err := Seed{}.encode(nil, [5]byte{}, 16)
	require.NoError(t, err)
	sealed, err := unpackWords(words)
	require.NoError(t, err)
	sealed[0] = 1
	fixChecksum(&sealed)
	_, err = packWords(sealed).Decode(nil)
	require.ErrorIs(t, err, ErrSeedVersion)
}

func TestAezeedRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := Seed{
			Version:  rapid.Uint8Range(0, 1).Draw(t, "version"),
			Birthday: rapid.Uint16().Draw(t, "birthday"),
			Entropy:  [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "entropy")),
		}
		salt := [5]byte(rapid.SliceOfN(rapid.Byte(), 5, 5).Draw(t, "salt"))
		pass := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "pass")
		words, err := seed.encode(pass, salt, 16)
		require.NoError(t, err)
		back, gotSalt, err := words.decode(pass, 16)
		require.NoError(t, err)
		require.Equal(t, seed, back)
		require.Equal(t, salt, gotSalt)
	})
}

func TestSeedIsNotPrinted(t *testing.T) {
	seed, err := NewSeed([16]byte{1}, time.Unix(genesis+86400*3+5, 0))
	require.NoError(t, err)
	require.Equal(t, uint16(3), seed.Birthday)
	require.Equal(t, "[seed]", seed.String())
	require.Equal(t, "[seed]", seed.GoString())
	require.Equal(t, "[seed words]", Words{"zoo"}.String())
	require.Equal(t, "[seed words]", Words{"zoo"}.GoString())
}

// Whatever is typed in, Decode answers without a panic.
func FuzzAezeedDecode(f *testing.F) {
	f.Add("ability liquid travel stem barely drastic pact cupboard apple thrive morning oak "+
		"feature tissue couch old math inform success suggest drink motion know royal", []byte{})
	f.Add("", []byte("x"))
	f.Fuzz(func(t *testing.T, text string, pass []byte) {
		words, err := ParseWords(text)
		if err != nil {
			return
		}
		_, _, _ = words.decode(pass, 16)
	})
}
