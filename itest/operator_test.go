package itest

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// scrape reads a node's figures.
func scrape(t *testing.T, addr string) string {
	t.Helper()
	r, err := http.Get("http://" + addr + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.StatusCode)
	return string(text)
}

// TestOperator: a node that says all it can tells no secret, neither in its log nor in
// what it gives out to look for faults; its levels change while it runs; and its figures
// are those that docs/metrics.md names, and count what happens.
func TestOperator(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	figures := rig.FreeAddr(t)
	alice := w.NewNode("alice", "--debuglevel=trace", "--prometheus.enable", "--prometheus.listen="+figures)
	words := alice.MakeWallet(&lnrpc.InitWalletRequest{})
	bob := w.Node("bob", "--debuglevel=trace")
	alice.Fund(2_000_000)
	alice.Connect(bob)
	alice.Open(bob, 1_000_000)

	alice.Pay(bob.Invoice(5000))
	held := bob.Hold(50_000)
	stream := alice.Begin(held.Request)
	held.Is(lnrpc.Invoice_ACCEPTED)
	text := scrape(t, figures)
	require.Contains(t, text, "\nfulgur_payments_in_flight 1\n")
	require.Contains(t, text, "\nfulgur_htlcs_in_flight{direction=\"out\"} 1\n")
	require.Contains(t, text, "\nfulgur_htlcs_in_flight_msat{direction=\"out\"} 50000\n")
	tellsNoSecret(t, map[string]string{"preimage": hex.EncodeToString(held.Preimage)}, alice, bob)
	held.Settle()
	_, err := rig.LastPayment(stream)
	require.NoError(t, err)

	text = scrape(t, figures)
	for _, want := range []string{
		`fulgur_payment_seconds_count{outcome="succeeded"} 2`, `fulgur_channels{state="active"} 1`, `fulgur_chain_up 1`, `fulgur_ready 1`,
		`fulgur_channel_balance_msat{side="remote"} 55000`, `fulgur_health{check="database"} 1`,
		`fulgur_rpc_calls_total{method="routerrpc.Router/SendPaymentV2",code="OK"} 2`,
	} {
		require.Contains(t, text, "\n"+want+"\n")
	}
	servesWhatIsDocumented(t, text)

	setsLevels(t, alice)
	info, err := alice.LN.GetDebugInfo(rig.Soon(t), &lnrpc.GetDebugInfoRequest{IncludeLog: true})
	require.NoError(t, err)
	require.Equal(t, "alice", info.Config["alias"])
	require.Contains(t, strings.Join(info.Log, "\n"), "sys=PEER")

	alice.Stop()
	u := startLocked(alice, lnrpc.WalletState_LOCKED)
	_, err = u.UnlockWallet(rig.Soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte("a wrong password")})
	require.Error(t, err)
	_, err = u.UnlockWallet(rig.Soon(t), &lnrpc.UnlockWalletRequest{WalletPassword: []byte(rig.Password)})
	require.NoError(t, err)
	alice.Settle()
	parsed, err := keys.ParseWords(strings.Join(words, " "))
	require.NoError(t, err)
	seed, err := parsed.Decode(nil)
	require.NoError(t, err)
	admin := alice.Macaroon("admin")
	_, pass := w.Chain.Credentials()
	secrets := map[string]string{
		"password": rig.Password, "wrong password": "a wrong password", "seed": hex.EncodeToString(seed.Entropy[:]),
		"macaroon": hex.EncodeToString(admin), "macaroon in base64": base64.StdEncoding.EncodeToString(admin)[:60], "btcd's password": pass,
	}
	tellsNoSecret(t, secrets, alice, bob)
	for _, secret := range secrets {
		require.NotContains(t, info.String(), secret)
	}
	for i := range words[1:] {
		require.NotRegexp(t, words[i]+`\W{1,4}`+words[i+1], alice.Log(), "two words of the seed one after the other")
	}
}

// tellsNoSecret: what the nodes said, on the terminal and in their files, holds none of these.
func tellsNoSecret(t *testing.T, secrets map[string]string, nodes ...*rig.Node) {
	t.Helper()
	for _, n := range nodes {
		file, err := os.ReadFile(filepath.Join(n.Dir, "logs", "bitcoin", n.World.Network(), "fulgurd.log"))
		require.NoError(t, err)
		require.Contains(t, string(file), "level=TRACE")
		for what, secret := range secrets {
			for _, text := range []string{n.Log(), string(file)} {
				require.False(t, strings.Contains(strings.ToLower(text), strings.ToLower(secret)), "%s tells the %s", n.Name, what)
			}
		}
	}
}

// servesWhatIsDocumented: every figure of docs/metrics.md is there, but those that only
// come with estimates of fees or with the system.
func servesWhatIsDocumented(t *testing.T, text string) {
	t.Helper()
	doc, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(doc), -1)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		if row[1] == "fulgur_fee_rate_sat_per_kw" || strings.HasPrefix(row[1], "process_") {
			continue
		}
		require.Contains(t, text, "# TYPE "+row[1]+" "+row[2]+"\n")
	}
}

// setsLevels: levels are named, changed, and refused when they are wrong.
func setsLevels(t *testing.T, n *rig.Node) {
	t.Helper()
	names, err := n.LN.DebugLevel(rig.Soon(t), &lnrpc.DebugLevelRequest{Show: true})
	require.NoError(t, err)
	require.Contains(t, names.SubSystems, "HSWC INVC LNWL")
	_, err = n.LN.DebugLevel(rig.Soon(t), &lnrpc.DebugLevelRequest{LevelSpec: "info,NONE=debug"})
	require.ErrorContains(t, err, "the specified subsystem [NONE] is invalid")
	now, err := n.LN.DebugLevel(rig.Soon(t), &lnrpc.DebugLevelRequest{LevelSpec: "info,PEER=trace"})
	require.NoError(t, err)
	require.Contains(t, now.SubSystems, "PEER=TRACE")
	require.Contains(t, now.SubSystems, "HSWC=INFO")
}
