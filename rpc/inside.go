package rpc

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// insideBuffer is how much the connection inside the process holds in each direction.
const insideBuffer = 256 << 10

// insideConn is the server's end of the connection inside the process, over which REST calls become gRPC calls. Only
// insideListener makes one, so its type is the proof that nobody else is at the other end.
type insideConn struct{ net.Conn }

type insideListener struct{ *bufconn.Listener }

func newInsideListener() insideListener { return insideListener{bufconn.Listen(insideBuffer)} }

// Accept implements net.Listener.
func (l insideListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return insideConn{conn}, nil
}

// dial returns a client over the connection inside the process.
func (l insideListener) dial() (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:inside",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
	)
	if err != nil {
		return nil, fmt.Errorf("connect REST to gRPC: %w", err)
	}
	return conn, nil
}

// insideAuth marks calls that came over the connection inside the process.
type insideAuth struct{ credentials.CommonAuthInfo }

// AuthType implements credentials.AuthInfo.
func (insideAuth) AuthType() string { return "inside" }

// withInside adds the connection inside the process to TLS: it needs no encryption.
type withInside struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (c withInside) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if _, ok := conn.(insideConn); ok {
		return conn, insideAuth{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}, nil
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

// Clone implements credentials.TransportCredentials.
func (c withInside) Clone() credentials.TransportCredentials {
	return withInside{c.TransportCredentials.Clone()}
}
