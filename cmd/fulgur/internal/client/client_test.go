package client

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"gopkg.in/macaroon.v2"
)

func TestFill(t *testing.T) {
	dir := t.TempDir()
	target := Target{Server: "example.org", Dir: dir}
	target.Fill()
	require.Equal(t, "example.org:10009", target.Server)
	require.Equal(t, "mainnet", target.Network)
	require.Equal(t, filepath.Join(dir, "tls.cert"), target.TLSCert)
	require.Equal(t, filepath.Join(dir, "data/chain/bitcoin/mainnet/admin.macaroon"), target.Macaroon)

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data/chain/bitcoin/signet"), 0o700))
	one := Target{Server: "[::1]", Dir: dir}
	one.Fill()
	require.Equal(t, "[::1]:10009", one.Server)
	require.Equal(t, "signet", one.Network, "the only network in the directory")

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data/chain/bitcoin/regtest"), 0o700))
	two := Target{Server: "h:1", Dir: dir, TLSCert: "/c", Macaroon: "/m"}
	two.Fill()
	require.Equal(t, Target{Server: "h:1", Dir: dir, Network: "mainnet", TLSCert: "/c", Macaroon: "/m"}, two)
}

func TestNarrow(t *testing.T) {
	m, err := macaroon.New([]byte("key"), []byte("id"), "lnd", macaroon.LatestVersion)
	require.NoError(t, err)
	raw, err := m.MarshalBinary()
	require.NoError(t, err)
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.FixedZone("", 3600))
	got, err := narrow(raw, Target{MacaroonLife: time.Minute, MacaroonIP: "127.0.0.1"}, now)
	require.NoError(t, err)
	var back macaroon.Macaroon
	require.NoError(t, back.UnmarshalBinary(got))
	require.Len(t, back.Caveats(), 2)
	require.Equal(t, "time-before 2026-11-20T09:01:00Z", string(back.Caveats()[0].Id))
	require.Equal(t, "ipaddr 127.0.0.1", string(back.Caveats()[1].Id))

	same, err := narrow(raw, Target{}, now)
	require.NoError(t, err)
	require.Equal(t, raw, same)
	_, err = narrow([]byte("no macaroon"), Target{Macaroon: "/m"}, now)
	require.ErrorContains(t, err, "/m is no macaroon")
}

func TestExplain(t *testing.T) {
	target := Target{Server: "h:1", Network: "regtest", TLSCert: "/c"}
	for _, c := range []struct {
		code       codes.Code
		text       string
		want, hint string
	}{
		{codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp h:1: connect: connection refused"`, "no daemon answers at h:1", "fulgurd --bitcoin.regtest"},
		{codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: unknown"`, "another certificate than /c", "--tlscertpath"},
		{codes.Unavailable, `connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority (possibly because of \"x509: invalid signature: parent certificate cannot sign this kind of certificate\" while trying to verify candidate authority certificate \"vm\")"`, "another certificate than /c", "(certificate signed by unknown authority)"},
		{codes.Unavailable, "error reading from server: EOF", "lost the daemon", "fulgur state"},
		{codes.Unknown, "invalid passphrase for master public key", "invalid passphrase", "not the password"},
		{codes.Unknown, "wallet locked, unlock it to enable full RPC access", "wallet locked", "fulgur unlock"},
		{codes.Unknown, "wallet not created, create one to enable full RPC access", "wallet not created", "fulgur create"},
		{codes.Unknown, "permission denied", "permission denied", "admin.macaroon"},
		{codes.Unknown, "cannot get macaroon: root key with id 0 doesn't exist", "cannot get macaroon", "--fulgurdir"},
		{codes.Unimplemented, "unknown method X for service Y", "unknown method X", "fulgur version"},
		{codes.Unknown, "whatever else", "whatever else", ""},
		{codes.Canceled, "context canceled", "interrupted", ""},
	} {
		err := Explain(status.Error(c.code, c.text), target)
		var p *Problem
		require.ErrorAs(t, err, &p, c.text)
		require.Contains(t, p.Text, c.want)
		require.Contains(t, p.Hint, c.hint)
		require.Equal(t, c.hint == "", p.Hint == "", c.text)
		require.Equal(t, err, Explain(err, target), "twice is the same as once")
	}
	require.NoError(t, Explain(nil, target))
	s, err := status.New(codes.NotFound, "no way").WithDetails(wrapperspb.String("it is dark"))
	require.NoError(t, err)
	require.EqualError(t, Explain(s.Err(), target), "no way: it is dark")
}

func TestDialSaysWhatIsMissing(t *testing.T) {
	target := Target{Server: "127.0.0.1:1", Dir: t.TempDir(), Network: "regtest"}
	target.Fill()
	_, err := Dial(context.Background(), target)
	require.ErrorContains(t, err, "TLS certificate")
	require.NoError(t, os.WriteFile(target.TLSCert, []byte("no PEM"), 0o600))
	_, err = Dial(context.Background(), target)
	require.ErrorContains(t, err, "holds no certificate")
}
