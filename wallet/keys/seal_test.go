package keys

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testCost = Cost{Passes: 1, Memory: 8, Lanes: 1}

func TestSealOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := Seed{
			Version:  rapid.Uint8().Draw(t, "version"),
			Birthday: rapid.Uint16().Draw(t, "birthday"),
			Entropy:  [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "entropy")),
		}
		pass := rapid.SliceOf(rapid.Byte()).Draw(t, "password")
		salt := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "salt"))
		nonce := [24]byte(rapid.SliceOfN(rapid.Byte(), 24, 24).Draw(t, "nonce"))
		sealed, err := Seal(testCost, pass, seed, salt, nonce)
		require.NoError(t, err)
		require.NotContains(t, string(sealed), string(seed.Entropy[:]))
		back, err := Open(pass, sealed)
		require.NoError(t, err)
		require.Equal(t, seed, back)

		_, err = Open(append(pass, 'x'), sealed)
		require.ErrorIs(t, err, ErrPassword)

		// Any damage behind the parameters is noticed (V-63); damage to these too,
		// but could cost up to the bound first.
		at := rapid.IntRange(sealHeaderSize, len(sealed)-1).Draw(t, "at")
		sealed[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err = Open(pass, sealed)
		require.ErrorIs(t, err, ErrPassword)
	})
}

func TestChangePassword(t *testing.T) {
	seed := Seed{Version: 1, Birthday: 5000, Entropy: [16]byte{1, 2}}
	sealed, err := Seal(testCost, []byte("old"), seed, [16]byte{1}, [24]byte{2})
	require.NoError(t, err)
	_, err = ChangePassword(testCost, []byte("bad"), []byte("new"), sealed, [16]byte{3}, [24]byte{4})
	require.ErrorIs(t, err, ErrPassword)
	again, err := ChangePassword(testCost, []byte("old"), []byte("new"), sealed, [16]byte{3}, [24]byte{4})
	require.NoError(t, err)
	back, err := Open([]byte("new"), again)
	require.NoError(t, err)
	require.Equal(t, seed, back)
	_, err = Open([]byte("old"), again)
	require.ErrorIs(t, err, ErrPassword)
}

// Parameters from a damaged file are bounded before they cost anything (V-63).
func TestOpenRefuses(t *testing.T) {
	sealed, err := Seal(testCost, nil, Seed{}, [16]byte{}, [24]byte{})
	require.NoError(t, err)
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"short":     func(b []byte) []byte { return b[:len(b)-1] },
		"long":      func(b []byte) []byte { return append(b, 0) },
		"version":   func(b []byte) []byte { b[0]++; return b },
		"no passes": func(b []byte) []byte { b[4] = 0; return b },
		"passes":    func(b []byte) []byte { b[1] = 0xff; return b },
		"memory":    func(b []byte) []byte { b[5] = 0xff; return b },
		"lanes":     func(b []byte) []byte { b[9] = 0; return b },
	} {
		_, err := Open(nil, spoil(append([]byte(nil), sealed...)))
		require.ErrorIs(t, err, ErrSealed, name)
	}
	_, err = Seal(Cost{}, nil, Seed{}, [16]byte{}, [24]byte{})
	require.ErrorContains(t, err, "out of bounds")
}

// The form on disk is fixed; the default cost is usable.
func TestSealedFormIsFixed(t *testing.T) {
	seed := Seed{Version: 1, Birthday: 0x1234, Entropy: [16]byte{1, 2, 3}}
	sealed, err := Seal(DefaultCost, []byte("password"), seed, [16]byte{7}, [24]byte{9})
	require.NoError(t, err)
	require.Equal(t, fromHex(t, fixedSealed), sealed)
	back, err := Open([]byte("password"), sealed)
	require.NoError(t, err)
	require.Equal(t, seed, back)
}

const fixedSealed = "010000000300010000040700000000000000000000000000000009000000000000000000000000000000000000000000000099abfc6cf8083c7b58edb22690e361165dcad75284f06d16f2c4ee6e894873b27fbdc3"

func FuzzOpen(f *testing.F) {
	sealed, err := Seal(testCost, nil, Seed{}, [16]byte{}, [24]byte{})
	require.NoError(f, err)
	f.Add([]byte(nil), sealed)
	f.Add([]byte("x"), []byte{1})
	f.Fuzz(func(t *testing.T, pass, sealed []byte) {
		// Keep the cost of a try low; what is in bounds is merely slow.
		if len(sealed) == sealedSeedSize {
			copy(sealed[1:10], []byte{0, 0, 0, 1, 0, 0, 0, 8, 1})
		}
		_, _ = Open(pass, sealed)
	})
}
