package walletkit

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// importer takes what is imported.
type importer struct {
	Node
	key  lnwire.PubKey
	born time.Time
}

func (f *importer) Net() *chaincfg.Params { return &chaincfg.MainNetParams }
func (f *importer) ImportOutput(key lnwire.PubKey, born time.Time) error {
	f.key, f.born = key, born
	return nil
}

// BIP 341, wallet-test-vectors.json, scriptPubKey: the second and the fourth.
func TestImportTapscript(t *testing.T) {
	bytes := func(text string) []byte {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		return b
	}
	leaf := func(script string, version uint32) *walletrpc.TapLeaf {
		return &walletrpc.TapLeaf{LeafVersion: version, Script: bytes(script)}
	}
	full := func(key string, leaves ...*walletrpc.TapLeaf) *walletrpc.ImportTapscriptRequest {
		return &walletrpc.ImportTapscriptRequest{InternalPublicKey: bytes(key), Script: &walletrpc.ImportTapscriptRequest_FullTree{
			FullTree: &walletrpc.TapscriptFullTree{AllLeaves: leaves},
		}}
	}
	partial := func(key string, l *walletrpc.TapLeaf, proof string) *walletrpc.ImportTapscriptRequest {
		return &walletrpc.ImportTapscriptRequest{InternalPublicKey: bytes(key), Script: &walletrpc.ImportTapscriptRequest_PartialReveal{
			PartialReveal: &walletrpc.TapscriptPartialReveal{RevealedLeaf: l, FullInclusionProof: bytes(proof)},
		}}
	}
	root := func(key, hash string) *walletrpc.ImportTapscriptRequest {
		return &walletrpc.ImportTapscriptRequest{InternalPublicKey: bytes(key), Script: &walletrpc.ImportTapscriptRequest_RootHashOnly{RootHashOnly: bytes(hash)}}
	}
	only := func(key string, yes bool) *walletrpc.ImportTapscriptRequest {
		return &walletrpc.ImportTapscriptRequest{InternalPublicKey: bytes(key), Script: &walletrpc.ImportTapscriptRequest_FullKeyOnly{FullKeyOnly: yes}}
	}
	const (
		one      = "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27"
		oneLeaf  = "20d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8ac"
		oneRoot  = "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21"
		oneOut   = "bc1pz37fc4cn9ah8anwm4xqqhvxygjf9rjf2resrw8h8w4tmvcs0863sa2e586"
		two      = "ee4fe085983462a184015d1f782d6a5f8b9c2b60130aff050ce221ecf3786592"
		twoFirst = "20387671353e273264c495656e27e39ba899ea8fee3bb69fb2a680e22093447d48ac"
		twoOther = "06424950333431"
		twoRoot  = "6c2dc106ab816b73f9d07e3cd1ef2c8c1256f519748e0813e4edd2405d277bef"
		twoOut   = "bc1pwyjywgrd0ffr3tx8laflh6228dj98xkjj8rum0zfpd6h0e930h6saqxrrm"
		beside   = "f224a923cd0021ab202ab139cc56802ddb92dcfc172b9212261a539df79a112a" // of the first leaf
	)
	for _, c := range []struct {
		req  *walletrpc.ImportTapscriptRequest
		want string
	}{
		{full(one, leaf(oneLeaf, 192)), oneOut},
		{partial(one, leaf(oneLeaf, 192), ""), oneOut},
		{root(one, oneRoot), oneOut},
		{root(two, twoRoot), twoOut},
		{full(two, leaf(twoFirst, 192), leaf(twoOther, 250)), twoOut},
		{partial(two, leaf(twoFirst, 192), beside), twoOut},
		{only("147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3", true), oneOut},
	} {
		f := &importer{}
		c.req.Birthday = 1_700_000_000
		got, err := (&Service{node: f}).ImportTapscript(t.Context(), c.req)
		require.NoError(t, err)
		require.Equal(t, c.want, got.P2TrAddress)
		require.Equal(t, byte(2), f.key[0])
		require.Equal(t, int64(1_700_000_000), f.born.Unix())
	}
	for want, req := range map[string]*walletrpc.ImportTapscriptRequest{
		"error parsing internal key":          full("00", leaf(oneLeaf, 192)),
		"full_tree":                           full(one),
		"leaf_version":                        full(one, leaf(oneLeaf, 193)),
		"missing revealed leaf":               partial(one, nil, ""),
		"expected multiple of 32, got 1":      partial(one, leaf(oneLeaf, 192), beside+"00"),
		"missing root hash":                   root(one, ""),
		"root_hash_only: has 1 bytes instead": root(one, "00"),
		"invalid script":                      only(one, false),
	} {
		_, err := (&Service{node: &importer{}}).ImportTapscript(t.Context(), req)
		require.ErrorContains(t, err, want)
	}
}

// With btcd no package is taken; what is none is said first.
func TestSubmitPackage(t *testing.T) {
	s := &Service{}
	for want, raw := range map[string][][]byte{
		"at least one":                   nil,
		"exceeds the maximum of 25":      make([][]byte, 26),
		"unable to decode tx":            {{1}},
		"does not support submitpackage": {append([]byte{2, 0, 0, 0, 1}, make([]byte, 41+1+4)...)},
	} {
		_, err := s.SubmitPackage(t.Context(), &walletrpc.SubmitPackageRequest{RawTxs: raw})
		require.ErrorContains(t, err, want)
		require.Equal(t, want == "does not support submitpackage", status.Code(err) == codes.Unimplemented)
	}
}
