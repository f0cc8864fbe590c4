package itest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"gopkg.in/macaroon.v2"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// endsWith starts the node, which must end by itself with these words.
func endsWith(n *rig.Node, words ...string) {
	n.T.Helper()
	before := len(n.Log())
	n.Launch()
	n.ExpectEnd = true
	require.NotZero(n.T, n.Proc.Ended(n.T))
	for _, w := range words {
		require.Contains(n.T, n.Log()[before:], w)
	}
	require.NotContains(n.T, n.Log()[before:], "panic")
}

// TestRefusesLndsDirectory: two nodes with the same keys and different states would
// punish each other, so fulgurd does not start where lnd keeps its money.
func TestRefusesLndsDirectory(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	for i, at := range []string{
		"data/chain/bitcoin/regtest/wallet.db", "data/graph/regtest/channel.db", "data/graph/regtest/channel.sqlite",
	} {
		n := w.NewNode(fmt.Sprint("node", i), "--noseedbackup")
		path := filepath.Join(n.Dir, filepath.FromSlash(at))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("lnd's"), 0o600))
		touchLog(n)
		endsWith(n, "lnd's database lies here", path, "seed", "channel.backup")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "lnd's", string(text))
		require.NoFileExists(t, filepath.Join(n.ChainDir(), "fulgur.db"))
	}
}

// touchLog lets log be read before the first launch.
func touchLog(n *rig.Node) { require.NoError(n.T, os.WriteFile(n.LogPath(), nil, 0o600)) }

// TestRefusesOptions: an option that is not there, or makes no sense, is refused by its
// name and never swallowed.
func TestRefusesOptions(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	for _, c := range []struct {
		option string
		words  []string
	}{
		{"--no-such-option", []string{"no-such-option", "--help"}},
		{"--bitcoin.mainnet", []string{"choose one network"}},
		{"--bitcoin.node=bitcoind", []string{"--bitcoin.node=bitcoind", "btcd"}},
		{"--hodl.exit-settle", []string{"hodl.exit-settle"}},
		{"--alias=" + strings.Repeat("x", 33), []string{"--alias", "32"}},
		{"--color=red", []string{"--color=red", "#rrggbb"}},
		{"--bitcoin.timelockdelta=2", []string{"timelockdelta"}},
		{"--debuglevel=loud", []string{"--debuglevel=loud"}},
		{"--listen=203.0.113.7:1", []string{"203.0.113.7:1"}},
		{"--rpclisten=203.0.113.7:1", []string{"203.0.113.7:1"}},
		{"--btcd.rpccert=/nowhere", []string{"/nowhere"}},
		{"--configfile=/nowhere.conf", []string{"/nowhere.conf"}},
		{"--maxpendingchannels=many", []string{"maxpendingchannels"}},
	} {
		n := w.NewNode("node"+strings.NewReplacer("/", "-", "=", "-", ".", "-").Replace(c.option[:min(len(c.option), 30)]), "--noseedbackup", c.option)
		touchLog(n)
		endsWith(n, c.words...)
	}
	lnd := w.NewNode("lnd-style", "--noseedbackup", "--caches.reject-cache-size=3")
	lnd.Start()
	require.Contains(t, lnd.Log(), "--caches.reject-cache-size has no effect here")
	file := w.NewNode("by-file", "--noseedbackup")
	require.NoError(t, os.WriteFile(filepath.Join(file.Dir, "fulgur.conf"), []byte("[Application Options]\nno-such-key=1\n"), 0o600))
	touchLog(file)
	endsWith(file, "fulgur.conf", "no-such-key")
}

// TestRefusesForeignDatabase: a database of another network, or none at all, is refused
// and left alone.
func TestRefusesForeignDatabase(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice := w.Node("alice")
	id := alice.ID
	alice.Stop()
	db := filepath.Join(alice.ChainDir(), "fulgur.db")
	money, err := os.ReadFile(db)
	require.NoError(t, err)

	sim := rig.SimnetWorld(t)
	bob := sim.NewNode("bob", "--noseedbackup")
	touchLog(bob)
	require.NoError(t, os.MkdirAll(bob.ChainDir(), 0o700))
	path := filepath.Join(bob.ChainDir(), "fulgur.db")
	require.NoError(t, os.WriteFile(path, money, 0o600))
	endsWith(bob, "fulgur.db", "network")

	junk := w.NewNode("junk", "--noseedbackup")
	touchLog(junk)
	require.NoError(t, os.MkdirAll(junk.ChainDir(), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(junk.ChainDir(), "fulgur.db"), []byte(strings.Repeat("not a database. ", 4096)), 0o600))
	endsWith(junk, "fulgur.db")
	cut := w.NewNode("cut", "--noseedbackup")
	touchLog(cut)
	require.NoError(t, os.MkdirAll(cut.ChainDir(), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(cut.ChainDir(), "fulgur.db"), money[:3*4096], 0o600))
	endsWith(cut, "fulgur.db")

	alice.Start()
	require.Equal(t, id, alice.ID)
}

// TestRefusesSecondDaemon: two daemons on one directory would be two nodes with one
// identity.
func TestRefusesSecondDaemon(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice := w.Node("alice")
	second := w.NewNode("second", "--noseedbackup", "--fulgurdir="+alice.Dir)
	touchLog(second)
	endsWith(second, "fulgur.db", "another process")
	alice.Info()
	alice.Restart()
}

// TestMacaroons: what is refused without the right macaroon, in the words that clients
// know, over gRPC and REST.
func TestMacaroons(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	n := w.Node("alice")
	admin := n.Macaroon("admin")
	for _, c := range []struct {
		name     string
		macaroon []byte
		words    string
	}{
		{"missing", nil, "expected 1 macaroon, got 0"},
		{"no macaroon at all", []byte("nonsense"), ""},
		{"spoilt", flipLast(admin), "verification failed"},
		{"of another node", w.Node("bob").Macaroon("admin"), "verification failed"},
		{"expired", restrict(t, admin, "time-before "+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)), "macaroon has expired"},
		{"for another address", restrict(t, admin, "ipaddr 203.0.113.7"), "macaroon locked to different IP address"},
		{"restricted by what is not known", restrict(t, admin, "lnd-custom teapot short"), "custom caveat"},
	} {
		_, err := lnrpc.NewLightningClient(n.Dial(c.macaroon)).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
		require.Error(t, err, c.name)
		require.Equal(t, codes.Unknown, status.Code(err), c.name)
		require.ErrorContains(t, err, c.words, c.name)
		web := n.Web()
		web.Macaroon = ""
		if c.macaroon != nil {
			web.Macaroon = hex.EncodeToString(c.macaroon)
		}
		require.Contains(t, web.Refused(http.MethodGet, "/v1/getinfo", nil), c.words, c.name)
	}
	for _, good := range [][]byte{
		restrict(t, admin, "time-before "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
		restrict(t, admin, "ipaddr 127.0.0.1"), n.Macaroon("readonly"),
	} {
		_, err := lnrpc.NewLightningClient(n.Dial(good)).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
		require.NoError(t, err)
	}
	twice := metadata.AppendToOutgoingContext(rig.Soon(t), "macaroon", hex.EncodeToString(admin), "macaroon", hex.EncodeToString(admin))
	_, err := lnrpc.NewLightningClient(n.Dial(nil)).GetInfo(twice, &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "expected 1 macaroon, got 2")
	readOnly(t, n)
}

// readOnly: the lesser macaroons do what they are for, and no more.
func readOnly(t *testing.T, n *rig.Node) {
	t.Helper()
	read, bill := n.Dial(n.Macaroon("readonly")), n.Dial(n.Macaroon("invoice"))
	denied := func(err error) {
		t.Helper()
		require.ErrorContains(t, err, "permission denied")
	}
	ln := lnrpc.NewLightningClient(read)
	_, err := ln.NewAddress(rig.Soon(t), &lnrpc.NewAddressRequest{})
	denied(err)
	_, err = ln.AddInvoice(rig.Soon(t), &lnrpc.Invoice{Value: 1})
	denied(err)
	_, err = ln.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: n.Address(), Amount: 1000})
	denied(err)
	_, err = ln.StopDaemon(rig.Soon(t), &lnrpc.StopRequest{})
	denied(err)
	pay, err := routerrpc.NewRouterClient(read).SendPaymentV2(rig.Soon(t), rig.PayRequest("lnbcrt1"))
	require.NoError(t, err)
	_, err = pay.Recv()
	denied(err)
	_, err = ln.WalletBalance(rig.Soon(t), &lnrpc.WalletBalanceRequest{})
	require.NoError(t, err)

	_, err = lnrpc.NewLightningClient(bill).AddInvoice(rig.Soon(t), &lnrpc.Invoice{Value: 1})
	require.NoError(t, err)
	_, err = lnrpc.NewLightningClient(bill).ListChannels(rig.Soon(t), &lnrpc.ListChannelsRequest{})
	denied(err)
	c := n.Fulgur("", "--macaroonpath="+filepath.Join(n.ChainDir(), "readonly.macaroon"), "newaddress", "p2wkh")
	require.Equal(t, 1, c.Code)
	require.Contains(t, c.Err, "permission denied")
	c = n.Fulgur("", "--macaroonpath="+filepath.Join(n.Dir, "nowhere.macaroon"), "getinfo")
	require.Equal(t, 1, c.Code)
	require.Contains(t, c.Err, "nowhere.macaroon")
}

// TestTLS: who has the wrong certificate, or speaks no or an old TLS, gets nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob")
	wrong := credentials.NewClientTLSFromCert(bob.Certificate(), "")
	conn, err := grpc.NewClient(alice.RPC, grpc.WithTransportCredentials(wrong), grpc.WithPerRPCCredentials(rig.Bearer(alice.Macaroon("admin"))))
	require.NoError(t, err)
	defer conn.Close()
	_, err = lnrpc.NewLightningClient(conn).GetInfo(rig.Soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "certificate")
	c := rig.RunCLI(t, "", "--rpcserver="+alice.RPC, "--fulgurdir="+alice.Dir, "--tlscertpath="+filepath.Join(bob.Dir, "tls.cert"), "--network=regtest", "getinfo")
	require.Equal(t, 1, c.Code)
	require.Contains(t, c.Err, "certificate")

	for addr, speaks := range map[string]string{alice.RPC: "h2", alice.REST: "http/1.1"} {
		_, err := (&tls.Dialer{Config: &tls.Config{RootCAs: bob.Certificate()}}).DialContext(rig.Soon(t), "tcp", addr)
		require.Error(t, err)
		_, err = (&tls.Dialer{Config: &tls.Config{RootCAs: alice.Certificate(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}).DialContext(rig.Soon(t), "tcp", addr)
		require.Error(t, err)
		good, err := (&tls.Dialer{Config: &tls.Config{RootCAs: alice.Certificate(), NextProtos: []string{speaks}}}).DialContext(rig.Soon(t), "tcp", addr)
		require.NoError(t, err)
		require.NoError(t, good.Close())
	}
	secrets(t, alice)
}

// secrets lie where only their owner can read them, and the certificate is for the
// names by which it is reached.
func secrets(t *testing.T, n *rig.Node) {
	t.Helper()
	for _, path := range []string{"tls.key", "data/chain/bitcoin/regtest/admin.macaroon", "data/chain/bitcoin/regtest/fulgur.db"} {
		info, err := os.Stat(filepath.Join(n.Dir, filepath.FromSlash(path)))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
	}
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: n.Certificate()}}).DialContext(rig.Soon(t), "tcp", n.REST)
	require.NoError(t, err)
	defer conn.Close()
	var cert *x509.Certificate = conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		require.NoError(t, cert.VerifyHostname(name))
	}
}

func flipLast(raw []byte) []byte {
	out := append([]byte(nil), raw...)
	out[len(out)-1] ^= 1
	return out
}

// restrict adds a caveat, as the holder of a macaroon can.
func restrict(t testing.TB, raw []byte, caveat string) []byte {
	t.Helper()
	var m macaroon.Macaroon
	require.NoError(t, m.UnmarshalBinary(raw))
	require.NoError(t, m.AddFirstPartyCaveat([]byte(caveat)))
	out, err := m.MarshalBinary()
	require.NoError(t, err)
	return out
}
