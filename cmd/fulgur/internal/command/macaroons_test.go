package command

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// bareMacaroon was made by the library that lnd bakes with.
const bareMacaroon = "0201036c6e64024d030a10601bb103beecc1ab4062187c8f6a89561201301a0f0a07616464726573731204726561641a130a04696e66" +
	"6f120472656164120577726974651a0f0a076f6e636861696e12047265616400000620ef7d60e82585d9f9ec6bb8b677b2b9411c486eef1bfe3f7c" +
	"e377f05af11bf459"

// TestMacaroonsOnTheDesk: a macaroon is read, narrowed and baked without a daemon.
func TestMacaroonsOnTheDesk(t *testing.T) {
	d := startDaemon(t)
	dir := t.TempDir()
	wide, narrow := filepath.Join(dir, "wide"), filepath.Join(dir, "narrow")
	require.NoError(t, os.WriteFile(wide, unhex(bareMacaroon), 0o600))

	got := typist{d: d, term: true}.types("constrainmacaroon", "--timeout=60", "--ip_range=10.1.2.3/8", "--budget_total=0.001btc", "--budget_day=5000",
		"--budget_name=kiosk", wide, narrow)
	require.Equal(t, exitOK, got.code, got.err)
	require.Equal(t, "macaroon saved to "+narrow+"\n", got.out)
	info, err := os.Stat(narrow)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	got = typist{d: d}.types("printmacaroon", bareMacaroon)
	require.JSONEq(t, `{"version": 2, "location": "lnd", "root_key_id": "0", "caveats": null,
		"permissions": ["address:read", "info:read", "info:write", "onchain:read"]}`, got.out)
	got = typist{d: d, term: true}.types("printmacaroon", "--macaroon_file="+narrow)
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "info:write")
	require.Contains(t, got.out, "time-before 20")
	require.Contains(t, got.out, "iprange 10.0.0.0/8")
	require.Contains(t, got.out, "fulgur-budget total=100000 day=5000 name=kiosk")

	key := strings.Repeat("07", 32)
	got = typist{d: d}.types("bakemacaroon", "--root_key="+key, "--root_key_id=3", "info:read")
	require.Equal(t, exitOK, got.code, got.err)
	raw, err := hex.DecodeString(strings.TrimSpace(got.out))
	require.NoError(t, err)
	m, err := macaroons.Describe(raw)
	require.NoError(t, err)
	require.Equal(t, "3", m.Key)
	require.Equal(t, []macaroons.Op{{Entity: "info", Action: "read"}}, m.Ops)

	for _, args := range [][]string{
		{"bakemacaroon"}, {"bakemacaroon", "info"}, {"bakemacaroon", ":read"}, {"bakemacaroon", "--root_key=07", "info:read"},
		{"bakemacaroon", "--timeout=0", "info:read"}, {"bakemacaroon", "--ip_address=x", "info:read"}, {"bakemacaroon", "--ip_range=x", "info:read"},
		{"bakemacaroon", "--custom_caveat_condition=x", "info:read"}, {"bakemacaroon", "--custom_caveat_name=a b", "info:read"},
		{"constrainmacaroon", wide}, {"constrainmacaroon", wide, narrow}, {"printmacaroon"}, {"printmacaroon", "xx"},
		{"bakemacaroon", "--budget_name=x", "info:read"}, {"bakemacaroon", "--budget_day=x", "info:read"}, {"deletemacaroonid"}, {"deletemacaroonid", "-1"},
	} {
		require.Equal(t, exitUsage, typist{d: d}.types(args...).code, args)
	}
	require.Equal(t, exitError, typist{d: d}.types("printmacaroon", "00").code)
	require.Equal(t, exitError, typist{d: d}.types("constrainmacaroon", "--timeout=1", narrow+"x", wide).code)
}

func TestChangePasswordCommand(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.WalletUnlocker_ChangePassword_FullMethodName, &lnrpc.ChangePasswordResponse{AdminMacaroon: []byte{0xab}})
	d.answer(lnrpc.State_SubscribeState_FullMethodName, &lnrpc.SubscribeStateResponse{State: lnrpc.WalletState_RPC_ACTIVE})
	const typed = "old one\nanother one\nanother one\n"
	got := typist{d: d, in: typed}.types("changepassword", "--new_mac_root_key")
	require.Equal(t, exitOK, got.code, got.err)
	require.JSONEq(t, `{}`, got.out)
	require.True(t, proto.Equal(&lnrpc.ChangePasswordRequest{
		CurrentPassword: []byte("old one"), NewPassword: []byte("another one"), NewMacaroonRootKey: true,
	}, d.request(lnrpc.WalletUnlocker_ChangePassword_FullMethodName)))

	got = typist{d: d, in: typed}.types("changepassword", "--stateless_init")
	require.JSONEq(t, `{"admin_macaroon": "ab"}`, got.out)
	file := filepath.Join(t.TempDir(), "admin")
	got = typist{d: d, in: typed}.types("changepassword", "--stateless_init", "--save_to="+file)
	require.Equal(t, exitOK, got.code, got.err)
	require.NotContains(t, got.out+got.err, "another one")
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, []byte{0xab}, raw)

	require.Equal(t, exitUsage, typist{d: d, in: typed}.types("changepassword", "--save_to="+file).code)
	require.Equal(t, exitError, typist{d: d, in: "old one\nanother one\nanother\n"}.types("changepassword").code)
	require.Equal(t, exitError, typist{d: d, in: ""}.types("changepassword").code)
}
