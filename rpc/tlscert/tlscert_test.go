package tlscert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func config(t *testing.T) Config {
	dir := t.TempDir()
	return Config{CertPath: filepath.Join(dir, "tls.cert"), KeyPath: filepath.Join(dir, "tls.key")}
}

func open(t *testing.T, cfg Config) *Keeper {
	k, err := Open(cfg)
	require.NoError(t, err)
	return k
}

func read(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// connect makes a TLS connection from a client that pins the certificate file as its only root.
func connect(t *testing.T, k *Keeper, name string, client *tls.Config) error {
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(read(t, k.cfg.CertPath))))
	server, peer := net.Pipe()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(server, k.TLS("h2"))
		done <- conn.Handshake()
		conn.Close()
	}()
	client.RootCAs, client.ServerName, client.NextProtos = roots, name, []string{"h2"}
	conn := tls.Client(peer, client)
	err := conn.Handshake()
	peer.Close()
	<-done
	return err
}

func TestNewCertificate(t *testing.T) {
	cfg := config(t)
	cfg.Names, cfg.IPs = []string{"node.example"}, []string{"203.0.113.7", "2001:db8::7", "other.example"}
	k := open(t, cfg)
	leaf := k.current().Leaf

	require.False(t, leaf.IsCA)
	require.True(t, leaf.BasicConstraintsValid)
	require.Equal(t, x509.ECDSA, leaf.PublicKeyAlgorithm)
	require.Contains(t, leaf.DNSNames, "localhost")
	if host, err := os.Hostname(); err == nil && plain(host) {
		require.Contains(t, k.Names(), host)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "node.example", "other.example", "203.0.113.7", "2001:db8::7"} {
		require.NoError(t, leaf.VerifyHostname(name), name)
		require.NoError(t, connect(t, k, name, &tls.Config{}), name)
	}
	require.Error(t, connect(t, k, "elsewhere.example", &tls.Config{}))

	info, err := os.Stat(cfg.KeyPath)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestOldTLSIsRefused(t *testing.T) {
	k := open(t, config(t))
	require.ErrorContains(t, connect(t, k, "localhost", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), "protocol version")
	require.NoError(t, connect(t, k, "localhost", &tls.Config{MaxVersion: tls.VersionTLS12}))
}

func TestNoAutofill(t *testing.T) {
	cfg := config(t)
	cfg.NoAutofill = true
	leaf := open(t, cfg).current().Leaf
	require.Equal(t, []string{"localhost"}, leaf.DNSNames)
	require.Len(t, leaf.IPAddresses, 2)
}

func TestCertificateIsKept(t *testing.T) {
	cfg := config(t)
	cfg.NoAutofill = true
	open(t, cfg)
	cert, key := read(t, cfg.CertPath), read(t, cfg.KeyPath)

	cfg.Names = []string{"new.example"}
	open(t, cfg)
	require.Equal(t, cert, read(t, cfg.CertPath))
	require.Equal(t, key, read(t, cfg.KeyPath))

	// Only who asks for it gets a new one for new names, and only once.
	cfg.Refresh = true
	require.Contains(t, open(t, cfg).Names(), "new.example")
	cert = read(t, cfg.CertPath)
	open(t, cfg)
	require.Equal(t, cert, read(t, cfg.CertPath))

	cfg.Names, cfg.IPs = nil, []string{"203.0.113.7"}
	require.NotContains(t, open(t, cfg).Names(), "new.example")
	require.NotEqual(t, cert, read(t, cfg.CertPath))
}

// TestRenewalWhileServing lets a certificate come near its end while it is in use.
func TestRenewalWhileServing(t *testing.T) {
	now := time.Now()
	cfg := config(t)
	cfg.Now = func() time.Time { return now }
	k := open(t, cfg)
	first := k.current().Leaf
	require.WithinDuration(t, now.Add(defaultValidity), first.NotAfter, time.Minute)

	now = first.NotAfter.Add(-renewBefore - time.Minute)
	require.Equal(t, first.SerialNumber, k.current().Leaf.SerialNumber)
	now = first.NotAfter.Add(-renewBefore + time.Minute)
	second := k.current().Leaf
	require.NotEqual(t, first.SerialNumber, second.SerialNumber)
	require.True(t, second.NotAfter.After(first.NotAfter))
	require.Equal(t, second.SerialNumber, open(t, cfg).current().Leaf.SerialNumber, "the new one is on the disk")
	require.NoError(t, connect(t, k, "localhost", &tls.Config{Time: cfg.Now}))
}

// TestShortLivedCertificate is not renewed with every connection, but in its last quarter.
func TestShortLivedCertificate(t *testing.T) {
	now := time.Now()
	cfg := config(t)
	cfg.Validity = time.Hour
	cfg.Now = func() time.Time { return now }
	k := open(t, cfg)
	first := k.current().Leaf.SerialNumber
	now = now.Add(44 * time.Minute)
	require.Equal(t, first, k.current().Leaf.SerialNumber)
	require.Equal(t, first, open(t, cfg).current().Leaf.SerialNumber)
	now = now.Add(2 * time.Minute)
	second := k.current().Leaf.SerialNumber
	require.NotEqual(t, first, second)
	require.Equal(t, second, k.current().Leaf.SerialNumber)
}

func TestExpiredCertificateIsReplacedAtStart(t *testing.T) {
	now := time.Now()
	cfg := config(t)
	cfg.Now = func() time.Time { return now }
	first := open(t, cfg).current().Leaf
	now = first.NotAfter.Add(time.Hour)
	require.True(t, open(t, cfg).current().Leaf.NotAfter.After(now))
}

// TestFailedRenewal serves the old certificate on, says so, and tries again after a while.
func TestFailedRenewal(t *testing.T) {
	now := time.Now()
	var log bytes.Buffer
	cfg := config(t)
	cfg.Now = func() time.Time { return now }
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	k := open(t, cfg)
	first := k.current().Leaf
	good := k.cfg.KeyPath
	k.cfg.KeyPath = filepath.Join(filepath.Dir(good), "missing", "tls.key")

	now = first.NotAfter.Add(-time.Hour)
	require.Equal(t, first.SerialNumber, k.current().Leaf.SerialNumber)
	require.Contains(t, log.String(), "cannot renew TLS certificate")
	k.cfg.KeyPath = good
	require.Equal(t, first.SerialNumber, k.current().Leaf.SerialNumber, "too early to try again")
	now = now.Add(retryAfter)
	require.NotEqual(t, first.SerialNumber, k.current().Leaf.SerialNumber)
}

// TestCertificateOfTheUser is served as it is, even when it has run out.
func TestCertificateOfTheUser(t *testing.T) {
	cfg := config(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.StartTLS()
	defer server.Close()
	foreign := server.Certificate()
	require.False(t, autogenerated(foreign))

	k := &Keeper{cfg: cfg, cert: &tls.Certificate{Leaf: foreign}}
	k.cfg.Now = func() time.Time { return foreign.NotAfter.Add(time.Hour) }
	require.Equal(t, foreign, k.current().Leaf)
	k.cfg.Refresh = true
	require.False(t, k.outdated(foreign))
}

func TestUnusableFiles(t *testing.T) {
	cfg := config(t)
	require.NoError(t, os.WriteFile(cfg.CertPath, []byte("no certificate"), 0o644))
	require.NoError(t, os.WriteFile(cfg.KeyPath, []byte("no key"), 0o600))
	_, err := Open(cfg)
	require.ErrorContains(t, err, "load TLS certificate "+cfg.CertPath)
	require.Equal(t, "no key", read(t, cfg.KeyPath), "what is not ours is not overwritten")

	cfg.CertPath = filepath.Dir(cfg.CertPath)
	_, err = Open(cfg)
	require.ErrorContains(t, err, "load TLS certificate")
}

// TestCrashWhileWriting leaves one file of ours behind.
func TestCrashWhileWriting(t *testing.T) {
	for _, missing := range []string{"tls.cert", "tls.key"} {
		cfg := config(t)
		open(t, cfg)
		require.NoError(t, os.Remove(filepath.Join(filepath.Dir(cfg.CertPath), missing)))
		require.NoError(t, connect(t, open(t, cfg), "localhost", &tls.Config{}))
	}

	cfg, other := config(t), config(t)
	open(t, cfg)
	open(t, other)
	require.NoError(t, os.WriteFile(cfg.KeyPath, []byte(read(t, other.KeyPath)), 0o600))
	require.NoError(t, connect(t, open(t, cfg), "localhost", &tls.Config{}))
}

// TestMarkOfLndIsRecognised: a node that moves here from lnd brings its certificate, which is ours to renew.
func TestMarkOfLndIsRecognised(t *testing.T) {
	leaf := &x509.Certificate{}
	leaf.Subject.Organization = []string{"lnd autogenerated cert"}
	require.True(t, autogenerated(leaf))
}
