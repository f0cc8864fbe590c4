package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"gopkg.in/macaroon.v2"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// maxAnswer is the largest answer that is taken: the graph of mainnet and some more.
const maxAnswer = 200 << 20

// Dial connects with the rights of the macaroon.
func Dial(ctx context.Context, t Target) (*grpc.ClientConn, error) {
	if t.NoMacaroons {
		return DialOpen(t)
	}
	raw, err := os.ReadFile(t.Macaroon)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noMacaroon(ctx, t, err)
	}
	if err != nil {
		return nil, &Problem{fmt.Sprintf("cannot read the macaroon: %v", err), "choose another file with --macaroonpath", err}
	}
	raw, err = narrow(raw, t, time.Now())
	if err != nil {
		return nil, err
	}
	return dial(t, grpc.WithPerRPCCredentials(token(hex.EncodeToString(raw))))
}

// DialOpen connects without a macaroon, for the services that ask for none.
func DialOpen(t Target) (*grpc.ClientConn, error) { return dial(t) }

func dial(t Target, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	pem, err := os.ReadFile(t.TLSCert)
	if err != nil {
		return nil, &Problem{
			fmt.Sprintf("cannot read the daemon's TLS certificate: %v", err),
			"fulgurd makes it at its first start; if its directory is another one, add --fulgurdir (or --tlscertpath)", err,
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &Problem{t.TLSCert + " holds no certificate", "choose another file with --tlscertpath", nil}
	}
	tlsConfig := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	opts := append([]grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(tlsConfig)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
	}, more...)
	conn, err := grpc.NewClient("passthrough:"+t.Server, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Server, err)
	}
	return conn, nil
}

// narrow adds the restrictions that make a macaroon worthless to whoever might
// overhear it.
func narrow(raw []byte, t Target, now time.Time) ([]byte, error) {
	var m macaroon.Macaroon
	if err := m.UnmarshalBinary(raw); err != nil {
		return nil, &Problem{fmt.Sprintf("%s is no macaroon: %v", t.Macaroon, err), "choose another file with --macaroonpath", err}
	}
	var caveats []string
	if t.MacaroonLife > 0 {
		caveats = append(caveats, "time-before "+now.Add(t.MacaroonLife).UTC().Format(time.RFC3339Nano))
	}
	if t.MacaroonIP != "" {
		caveats = append(caveats, "ipaddr "+t.MacaroonIP)
	}
	for _, c := range caveats {
		if err := m.AddFirstPartyCaveat([]byte(c)); err != nil {
			return nil, fmt.Errorf("narrow macaroon: %w", err)
		}
	}
	return m.MarshalBinary()
}

// noMacaroon finds out why there is none: before there is a wallet there are none.
func noMacaroon(ctx context.Context, t Target, cause error) error {
	conn, err := DialOpen(t)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := lnrpc.NewStateClient(conn).GetState(ctx, &lnrpc.GetStateRequest{})
	if err != nil {
		return Explain(err, t)
	}
	switch answer.State {
	case lnrpc.WalletState_NON_EXISTING:
		return &Problem{"there is no wallet yet", "make one: fulgur create", cause}
	case lnrpc.WalletState_LOCKED:
		return &Problem{"the wallet is locked", "open it: fulgur unlock", cause}
	case lnrpc.WalletState_WAITING_TO_START, lnrpc.WalletState_UNLOCKED, lnrpc.WalletState_RPC_ACTIVE, lnrpc.WalletState_SERVER_ACTIVE:
	}
	return &Problem{
		"there is no macaroon at " + t.Macaroon,
		"say which network the daemon is on with --network (now " + t.Network + "), its directory with --fulgurdir, or the file with --macaroonpath", cause,
	}
}

// token is a macaroon in hex that goes with every call.
type token string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"macaroon": string(t)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (token) RequireTransportSecurity() bool { return true }
