package lightning_test

import (
	"encoding/hex"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/lightning"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

const (
	getInfo  = "/lnrpc.Lightning/GetInfo"
	helpText = "supported actions are [read write generate], supported entities are " +
		"[onchain offchain address message remotesigner peers info invoices signer macaroon uri]"
)

// tokens makes a service whose macaroons are real ones.
func tokens(t *testing.T) (*lightning.Service, *macaroons.Bakery) {
	store, err := macaroons.Open(filepath.Join(t.TempDir(), "m.db"), macaroons.Options{ScryptLogN: 4})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.NoError(t, store.Unlock(nil))
	bakery := macaroons.NewBakery(store)
	_, err = bakery.Bake(macaroons.DefaultKey, macaroons.Admin)
	require.NoError(t, err)
	return lightning.New(nil, lightning.Config{Tokens: bakery, Permissions: map[string][]macaroons.Op{
		getInfo:                        {{Entity: "info", Action: "read"}},
		"/lnrpc.Lightning/OpenChannel": {{Entity: "onchain", Action: "write"}, {Entity: "offchain", Action: "write"}},
	}}), bakery
}

func permission(entity, action string) *lnrpc.MacaroonPermission {
	return &lnrpc.MacaroonPermission{Entity: entity, Action: action}
}

// TestMacaroonsAreBakedAndVoided: a macaroon is good until its root key is deleted, and not a moment longer.
func TestMacaroonsAreBakedAndVoided(t *testing.T) {
	s, bakery := tokens(t)
	baked, err := s.BakeMacaroon(t.Context(), &lnrpc.BakeMacaroonRequest{
		RootKeyId: 7, Permissions: []*lnrpc.MacaroonPermission{permission("info", "read"), permission("uri", getInfo)},
	})
	require.NoError(t, err)
	raw, err := hex.DecodeString(baked.Macaroon)
	require.NoError(t, err)
	token, err := bakery.Verify(raw, netip.Addr{})
	require.NoError(t, err)
	require.EqualValues(t, 7, token.Key)

	ids, err := s.ListMacaroonIDs(t.Context(), &lnrpc.ListMacaroonIDsRequest{})
	require.NoError(t, err)
	require.Equal(t, []uint64{0, 7}, ids.RootKeyIds)
	for _, want := range []bool{true, false} {
		gone, err := s.DeleteMacaroonID(t.Context(), &lnrpc.DeleteMacaroonIDRequest{RootKeyId: 7})
		require.NoError(t, err)
		require.Equal(t, want, gone.Deleted)
	}
	_, err = bakery.Verify(raw, netip.Addr{})
	require.EqualError(t, err, "cannot retrieve macaroon: cannot get macaroon: root key with id 7 doesn't exist")
	_, err = s.DeleteMacaroonID(t.Context(), &lnrpc.DeleteMacaroonIDRequest{})
	require.EqualError(t, err, "the specified ID cannot be deleted")
}

// TestBakeRefuses: what no method needs is no right, unless the caller says that it is another program's.
func TestBakeRefuses(t *testing.T) {
	s, _ := tokens(t)
	for _, c := range []struct {
		what *lnrpc.MacaroonPermission
		text string
	}{
		{nil, "invalid permission entity. " + helpText},
		{permission("", "read"), "invalid permission entity. " + helpText},
		{permission("foo", "read"), "invalid permission entity. " + helpText},
		{permission("info", "bar"), "invalid permission action. " + helpText},
		{permission("uri", "/lnrpc.Lightning/Nothing"), "invalid permission action, must be an existing URI in the format /package.Service/MethodName"},
	} {
		req := &lnrpc.BakeMacaroonRequest{Permissions: []*lnrpc.MacaroonPermission{c.what}}
		_, err := s.BakeMacaroon(t.Context(), req)
		require.EqualError(t, err, c.text)
		req.AllowExternalPermissions = true
		_, err = s.BakeMacaroon(t.Context(), req)
		require.NoError(t, err)
	}
	_, err := s.BakeMacaroon(t.Context(), &lnrpc.BakeMacaroonRequest{})
	require.EqualError(t, err, "permission list cannot be empty. specify at least one action/entity pair. "+helpText)
}

func TestListPermissions(t *testing.T) {
	s, _ := tokens(t)
	list, err := s.ListPermissions(t.Context(), &lnrpc.ListPermissionsRequest{})
	require.NoError(t, err)
	require.Len(t, list.MethodPermissions, 2)
	require.Len(t, list.MethodPermissions["/lnrpc.Lightning/OpenChannel"].Permissions, 2)
	require.Equal(t, "info", list.MethodPermissions[getInfo].Permissions[0].Entity)
	require.Equal(t, "read", list.MethodPermissions[getInfo].Permissions[0].Action)
}

// TestCheckMacaroon: the answer is what a call with the macaroon from here would have met.
func TestCheckMacaroon(t *testing.T) {
	s, bakery := tokens(t)
	bake := func(ops []macaroons.Op, caveats ...macaroons.Caveat) []byte {
		raw, err := bakery.Bake(macaroons.DefaultKey, ops)
		require.NoError(t, err)
		raw, err = macaroons.Restrict(raw, caveats...)
		require.NoError(t, err)
		return raw
	}
	info := []macaroons.Op{{Entity: "info", Action: "read"}}
	here := netip.MustParseAddr("10.0.0.1")
	ctx := macaroons.NewContext(t.Context(), macaroons.Token{Client: here})
	for _, c := range []struct {
		name string
		req  *lnrpc.CheckMacPermRequest
		text string // empty: valid
	}{
		{"right", &lnrpc.CheckMacPermRequest{Macaroon: bake(info), Permissions: []*lnrpc.MacaroonPermission{permission("info", "read")}}, ""},
		{"another right", &lnrpc.CheckMacPermRequest{Macaroon: bake(info), Permissions: []*lnrpc.MacaroonPermission{permission("info", "write")}}, "permission denied"},
		{"no rights asked for", &lnrpc.CheckMacPermRequest{Macaroon: bake(info)}, ""},
		{"by method", &lnrpc.CheckMacPermRequest{Macaroon: bake(info), FullMethod: getInfo, CheckDefaultPermsFromFullMethod: true}, ""},
		{"by another method", &lnrpc.CheckMacPermRequest{Macaroon: bake(info), FullMethod: "/lnrpc.Lightning/OpenChannel", CheckDefaultPermsFromFullMethod: true}, "permission denied"},
		{"method itself", &lnrpc.CheckMacPermRequest{
			Macaroon: bake([]macaroons.Op{{Entity: "uri", Action: "/a.B/C"}}), FullMethod: "/a.B/C", Permissions: []*lnrpc.MacaroonPermission{permission("x", "y")},
		}, ""},
		{"from here", &lnrpc.CheckMacPermRequest{Macaroon: bake(info, macaroons.OnlyFrom(here))}, ""},
		{"expired", &lnrpc.CheckMacPermRequest{Macaroon: bake(info, macaroons.ExpiresAt(time.Unix(0, 0)))}, "macaroon has expired"},
		{"nothing", &lnrpc.CheckMacPermRequest{}, "empty macaroon data"},
	} {
		got, err := s.CheckMacaroonPermissions(ctx, c.req)
		if c.text == "" {
			require.NoError(t, err, c.name)
			require.True(t, got.Valid)
			continue
		}
		require.ErrorContains(t, err, c.text, c.name)
		require.Equal(t, codes.InvalidArgument, status.Code(err), c.name)
	}
	for text, req := range map[string]*lnrpc.CheckMacPermRequest{
		"cannot check default permissions from full method and from provided permission list at the same time": {
			Permissions: []*lnrpc.MacaroonPermission{permission("a", "b")}, CheckDefaultPermsFromFullMethod: true,
		},
		"cannot check default permissions from full method without providing the full method name": {CheckDefaultPermsFromFullMethod: true},
		"no permissions found for full method /x":                                                  {CheckDefaultPermsFromFullMethod: true, FullMethod: "/x"},
	} {
		_, err := s.CheckMacaroonPermissions(ctx, req)
		require.EqualError(t, err, text)
	}
}

// TestWithoutMacaroons: who runs without them is told so.
func TestWithoutMacaroons(t *testing.T) {
	s := lightning.New(nil, lightning.Config{})
	const text = "macaroon authentication disabled, remove --no-macaroons flag to enable"
	_, err := s.BakeMacaroon(t.Context(), &lnrpc.BakeMacaroonRequest{})
	require.EqualError(t, err, text)
	_, err = s.ListMacaroonIDs(t.Context(), &lnrpc.ListMacaroonIDsRequest{})
	require.EqualError(t, err, text)
	_, err = s.DeleteMacaroonID(t.Context(), &lnrpc.DeleteMacaroonIDRequest{})
	require.EqualError(t, err, text)
	_, err = s.CheckMacaroonPermissions(t.Context(), &lnrpc.CheckMacPermRequest{})
	require.EqualError(t, err, text)
}
