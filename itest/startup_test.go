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

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// endsWith starts the node, which must end by itself with these words.
func (n *node) endsWith(words ...string) {
	n.t.Helper()
	before := len(n.log())
	n.launch()
	n.expectEnd = true
	require.NotZero(n.t, n.proc.ended(n.t))
	for _, w := range words {
		require.Contains(n.t, n.log()[before:], w)
	}
	require.NotContains(n.t, n.log()[before:], "panic")
}

// TestRefusesLndsDirectory: two nodes with the same keys and different states would
// punish each other, so fulgurd does not start where lnd keeps its money.
func TestRefusesLndsDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, at := range []string{
		"data/chain/bitcoin/regtest/wallet.db", "data/graph/regtest/channel.db", "data/graph/regtest/channel.sqlite",
	} {
		n := w.newNode(fmt.Sprint("node", i), "--noseedbackup")
		path := filepath.Join(n.dir, filepath.FromSlash(at))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("lnd's"), 0o600))
		n.touchLog()
		n.endsWith("lnd's database lies here", path, "seed", "channel.backup")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "lnd's", string(text))
		require.NoFileExists(t, filepath.Join(n.chainDir(), "fulgur.db"))
	}
}

// touchLog lets log be read before the first launch.
func (n *node) touchLog() { require.NoError(n.t, os.WriteFile(n.logPath(), nil, 0o600)) }

// TestRefusesOptions: an option that is not there, or makes no sense, is refused by its
// name and never swallowed.
func TestRefusesOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
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
		n := w.newNode("node"+strings.NewReplacer("/", "-", "=", "-", ".", "-").Replace(c.option[:min(len(c.option), 30)]), "--noseedbackup", c.option)
		n.touchLog()
		n.endsWith(c.words...)
	}
	lnd := w.newNode("lnd-style", "--noseedbackup", "--maxlogfiles=3")
	lnd.start()
	require.Contains(t, lnd.log(), "--maxlogfiles has no effect here")
	file := w.newNode("by-file", "--noseedbackup")
	require.NoError(t, os.WriteFile(filepath.Join(file.dir, "fulgur.conf"), []byte("[Application Options]\nno-such-key=1\n"), 0o600))
	file.touchLog()
	file.endsWith("fulgur.conf", "no-such-key")
}

// TestRefusesForeignDatabase: a database of another network, or none at all, is refused
// and left alone.
func TestRefusesForeignDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.node("alice")
	id := alice.id
	alice.stop()
	db := filepath.Join(alice.chainDir(), "fulgur.db")
	money, err := os.ReadFile(db)
	require.NoError(t, err)

	sim := simnetWorld(t)
	bob := sim.newNode("bob", "--noseedbackup")
	bob.touchLog()
	require.NoError(t, os.MkdirAll(bob.chainDir(), 0o700))
	path := filepath.Join(bob.chainDir(), "fulgur.db")
	require.NoError(t, os.WriteFile(path, money, 0o600))
	bob.endsWith("fulgur.db", "network")

	junk := w.newNode("junk", "--noseedbackup")
	junk.touchLog()
	require.NoError(t, os.MkdirAll(junk.chainDir(), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(junk.chainDir(), "fulgur.db"), []byte(strings.Repeat("not a database. ", 4096)), 0o600))
	junk.endsWith("fulgur.db")
	cut := w.newNode("cut", "--noseedbackup")
	cut.touchLog()
	require.NoError(t, os.MkdirAll(cut.chainDir(), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(cut.chainDir(), "fulgur.db"), money[:3*4096], 0o600))
	cut.endsWith("fulgur.db")

	alice.start()
	require.Equal(t, id, alice.id)
}

// TestRefusesSecondDaemon: two daemons on one directory would be two nodes with one
// identity.
func TestRefusesSecondDaemon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.node("alice")
	second := w.newNode("second", "--noseedbackup", "--fulgurdir="+alice.dir)
	second.touchLog()
	second.endsWith("fulgur.db", "another process")
	alice.info()
	alice.restart()
}

// TestMacaroons: what is refused without the right macaroon, in the words that clients
// know, over gRPC and REST.
func TestMacaroons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("alice")
	admin := n.macaroon("admin")
	for _, c := range []struct {
		name     string
		macaroon []byte
		words    string
	}{
		{"missing", nil, "expected 1 macaroon, got 0"},
		{"no macaroon at all", []byte("nonsense"), ""},
		{"spoilt", flipLast(admin), "verification failed"},
		{"of another node", w.node("bob").macaroon("admin"), "verification failed"},
		{"expired", restrict(t, admin, "time-before "+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)), "macaroon has expired"},
		{"for another address", restrict(t, admin, "ipaddr 203.0.113.7"), "macaroon locked to different IP address"},
		{"restricted by what is not known", restrict(t, admin, "lnd-custom teapot short"), "custom caveat"},
	} {
		_, err := lnrpc.NewLightningClient(n.dial(c.macaroon)).GetInfo(soon(t), &lnrpc.GetInfoRequest{})
		require.Error(t, err, c.name)
		require.Equal(t, codes.Unknown, status.Code(err), c.name)
		require.ErrorContains(t, err, c.words, c.name)
		web := n.web()
		web.macaroon = ""
		if c.macaroon != nil {
			web.macaroon = hex.EncodeToString(c.macaroon)
		}
		require.Contains(t, web.refused(http.MethodGet, "/v1/getinfo", nil), c.words, c.name)
	}
	for _, good := range [][]byte{
		restrict(t, admin, "time-before "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
		restrict(t, admin, "ipaddr 127.0.0.1"), n.macaroon("readonly"),
	} {
		_, err := lnrpc.NewLightningClient(n.dial(good)).GetInfo(soon(t), &lnrpc.GetInfoRequest{})
		require.NoError(t, err)
	}
	twice := metadata.AppendToOutgoingContext(soon(t), "macaroon", hex.EncodeToString(admin), "macaroon", hex.EncodeToString(admin))
	_, err := lnrpc.NewLightningClient(n.dial(nil)).GetInfo(twice, &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "expected 1 macaroon, got 2")
	readOnly(t, n)
}

// readOnly: the lesser macaroons do what they are for, and no more.
func readOnly(t *testing.T, n *node) {
	t.Helper()
	read, bill := n.dial(n.macaroon("readonly")), n.dial(n.macaroon("invoice"))
	denied := func(err error) {
		t.Helper()
		require.ErrorContains(t, err, "permission denied")
	}
	ln := lnrpc.NewLightningClient(read)
	_, err := ln.NewAddress(soon(t), &lnrpc.NewAddressRequest{})
	denied(err)
	_, err = ln.AddInvoice(soon(t), &lnrpc.Invoice{Value: 1})
	denied(err)
	_, err = ln.SendCoins(soon(t), &lnrpc.SendCoinsRequest{Addr: n.address(), Amount: 1000})
	denied(err)
	_, err = ln.StopDaemon(soon(t), &lnrpc.StopRequest{})
	denied(err)
	pay, err := routerrpc.NewRouterClient(read).SendPaymentV2(soon(t), payRequest("lnbcrt1"))
	require.NoError(t, err)
	_, err = pay.Recv()
	denied(err)
	_, err = ln.WalletBalance(soon(t), &lnrpc.WalletBalanceRequest{})
	require.NoError(t, err)

	_, err = lnrpc.NewLightningClient(bill).AddInvoice(soon(t), &lnrpc.Invoice{Value: 1})
	require.NoError(t, err)
	_, err = lnrpc.NewLightningClient(bill).ListChannels(soon(t), &lnrpc.ListChannelsRequest{})
	denied(err)
	c := n.fulgur("", "--macaroonpath="+filepath.Join(n.chainDir(), "readonly.macaroon"), "newaddress", "p2wkh")
	require.Equal(t, 1, c.code)
	require.Contains(t, c.err, "permission denied")
	c = n.fulgur("", "--macaroonpath="+filepath.Join(n.dir, "nowhere.macaroon"), "getinfo")
	require.Equal(t, 1, c.code)
	require.Contains(t, c.err, "nowhere.macaroon")
}

// TestTLS: who has the wrong certificate, or speaks no or an old TLS, gets nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.node("alice"), w.node("bob")
	wrong := credentials.NewClientTLSFromCert(bob.certificate(), "")
	conn, err := grpc.NewClient(alice.rpc, grpc.WithTransportCredentials(wrong), grpc.WithPerRPCCredentials(bearer(alice.macaroon("admin"))))
	require.NoError(t, err)
	defer conn.Close()
	_, err = lnrpc.NewLightningClient(conn).GetInfo(soon(t), &lnrpc.GetInfoRequest{})
	require.ErrorContains(t, err, "certificate")
	c := runCLI(t, "", "--rpcserver="+alice.rpc, "--fulgurdir="+alice.dir, "--tlscertpath="+filepath.Join(bob.dir, "tls.cert"), "--network=regtest", "getinfo")
	require.Equal(t, 1, c.code)
	require.Contains(t, c.err, "certificate")

	for addr, speaks := range map[string]string{alice.rpc: "h2", alice.rest: "http/1.1"} {
		_, err := (&tls.Dialer{Config: &tls.Config{RootCAs: bob.certificate()}}).DialContext(soon(t), "tcp", addr)
		require.Error(t, err)
		_, err = (&tls.Dialer{Config: &tls.Config{RootCAs: alice.certificate(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}).DialContext(soon(t), "tcp", addr)
		require.Error(t, err)
		good, err := (&tls.Dialer{Config: &tls.Config{RootCAs: alice.certificate(), NextProtos: []string{speaks}}}).DialContext(soon(t), "tcp", addr)
		require.NoError(t, err)
		require.NoError(t, good.Close())
	}
	secrets(t, alice)
}

// secrets lie where only their owner can read them, and the certificate is for the
// names by which it is reached.
func secrets(t *testing.T, n *node) {
	t.Helper()
	for _, path := range []string{"tls.key", "data/chain/bitcoin/regtest/admin.macaroon", "data/chain/bitcoin/regtest/fulgur.db"} {
		info, err := os.Stat(filepath.Join(n.dir, filepath.FromSlash(path)))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
	}
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: n.certificate()}}).DialContext(soon(t), "tcp", n.rest)
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
