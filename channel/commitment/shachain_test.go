package commitment

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestSecretVectors: BOLT 3, Appendix D: generation and storage.
//
// B3.store.1 B3.store.2
func TestSecretVectors(t *testing.T) {
	blocks := readVectors(t, "testdata/bolt03-d.txt")
	require.Len(t, blocks, 14)
	for _, block := range blocks {
		t.Run(block[0].value, func(t *testing.T) {
			var seed, secret [32]byte
			var index uint64
			var store ShaChain
			inserting := strings.HasPrefix(block[0].value, "insert")
			for _, l := range block[1:] {
				switch l.key {
				case "seed":
					seed = unhex32(t, strings.ToLower(l.value[2:]))
				case "secret":
					secret = unhex32(t, l.value[2:])
				case "I":
					n, err := strconv.ParseUint(l.value, 0, 64)
					require.NoError(t, err)
					index = n
				case "output":
					if inserting {
						require.Equal(t, l.value == "OK", store.Insert(firstIndex-index, secret))
					} else {
						require.Equal(t, unhex32(t, l.value[2:]), [32]byte(SecretFromRoot(seed, firstIndex-index)))
					}
				}
			}
		})
	}
}

// TestShaChainKeepsAll: whatever went in comes out, in any order, through the compact
// form too; what did not, does not.
//
// B3.store.2 B3.store.3
func TestShaChainKeepsAll(t *testing.T) {
	root := [32]byte{1, 2, 3}
	var s ShaChain
	for n := range uint64(300) {
		require.Equal(t, n, s.Next())
		require.True(t, s.Insert(n, SecretFromRoot(root, n)))
		again, err := DecodeShaChain(s.Encode())
		require.NoError(t, err)
		require.Equal(t, s, again)
		for k := range n + 1 {
			got, ok := again.Lookup(k)
			require.True(t, ok)
			require.Equal(t, SecretFromRoot(root, k), got)
		}
		_, ok := s.Lookup(n + 1)
		require.False(t, ok)
	}
	require.LessOrEqual(t, len(s.Encode()), 8+9*32, "300 secrets need 9 buckets")
}

// TestShaChainLast: near the end of the numbers nothing overflows.
func TestShaChainLast(t *testing.T) {
	root := [32]byte{7}
	// The store as it is after MaxNumber-1 secrets, made from the root.
	s := ShaChain{count: MaxNumber}
	for b := range s.used() {
		s.buckets[b] = SecretFromRoot(root, firstIndex-s.index(b))
	}
	for _, n := range []uint64{0, 1, 2, 12345678901, MaxNumber / 2, MaxNumber - 1} {
		got, ok := s.Lookup(n)
		require.True(t, ok)
		require.Equal(t, SecretFromRoot(root, n), got)
	}
	require.True(t, s.Insert(MaxNumber, SecretFromRoot(root, MaxNumber)))
	require.False(t, s.Insert(MaxNumber+1, root), "index 0 is the root itself and is never revealed")
	again, err := DecodeShaChain(s.Encode())
	require.NoError(t, err)
	require.Equal(t, s, again)
}

// TestShaChainRefuses: a secret out of order or of another chain changes nothing,
// whenever an earlier one tells.
//
// B3.store.1
func TestShaChainRefuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root"))
		count := rapid.Uint64Range(1, 200).Draw(t, "count")
		var s ShaChain
		for n := range count {
			require.True(t, s.Insert(n, SecretFromRoot(root, n)))
		}
		before := s
		other := rapid.Uint64Range(0, 400).Filter(func(n uint64) bool { return n != count }).Draw(t, "other")
		require.False(t, s.Insert(other, SecretFromRoot(root, other)), "out of order")
		if count%2 == 1 { // its index is even: it must derive the one before
			bad := SecretFromRoot(root, count)
			bad[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			require.False(t, s.Insert(count, bad), "another chain")
		}
		require.Equal(t, before, s)
	})
}

// TestDecodeShaChainRefuses: a store that Encode cannot have written.
func TestDecodeShaChainRefuses(t *testing.T) {
	var s ShaChain
	require.True(t, s.Insert(0, lnwire.Secret{1}))
	good := s.Encode()
	for name, data := range map[string][]byte{
		"empty": nil, "short": good[:7], "no secret": good[:8], "short secret": good[:39],
		"long": append(good[:40:40], 0), "count": {0, 1, 0, 0, 0, 0, 0, 0},
	} {
		_, err := DecodeShaChain(data)
		require.Error(t, err, name)
	}
}

func FuzzDecodeShaChain(f *testing.F) {
	var s ShaChain
	f.Add(s.Encode())
	for n := range uint64(5) {
		s.Insert(n, SecretFromRoot([32]byte{5}, n))
	}
	f.Add(s.Encode())
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeShaChain(data)
		if err != nil {
			return
		}
		require.Equal(t, data, s.Encode())
		s.Lookup(0)
		s.Lookup(s.Next())
		s.Insert(s.Next(), lnwire.Secret{})
	})
}
