package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/middleware"
)

// Metadata of a call.
const (
	// mdMacaroon holds the macaroon as hex.
	mdMacaroon = "macaroon"
	// mdClient holds the address of a REST client. It is believed only over the connection inside the process.
	mdClient = "fulgur-client"
)

// headerMacaroon is the HTTP header that holds the macaroon as hex.
const headerMacaroon = "Grpc-Metadata-Macaroon"

// Verifier checks the signature and the caveats of macaroons. macaroons.Bakery is one.
type Verifier interface {
	Verify(raw []byte, client netip.Addr) (macaroons.Token, error)
}

// admit decides whether a call may pass: by the phase, then by the macaroon. The service finds the token in the context.
func (s *Server) admit(ctx context.Context, service, method string) (context.Context, error) {
	if err := refuse(s.phase.state(), service, method); err != nil {
		return nil, err
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if unguarded[service] || s.cfg.NoMacaroons {
		return macaroons.WithClient(ctx, clientOf(ctx, md)), nil
	}
	token, err := s.verify(md[mdMacaroon], clientOf(ctx, md))
	if err != nil {
		return nil, err
	}
	needs, ok := needs(method)
	if !ok {
		return nil, fmt.Errorf("%s: unknown permissions required for method", method)
	}
	if p, ok := peer.FromContext(ctx); ok {
		s.grpcConns.known(p.Addr.String(), token.Name)
	}
	if err := token.Allows(method, needs); err != nil {
		return nil, err
	}
	if len(token.Budgets) > 0 && !allowedUnderBudget(method, needs) {
		return nil, fmt.Errorf("%w: %s cannot be called with a macaroon that has a spending budget", macaroons.ErrPermissionDenied, method)
	}
	return macaroons.NewContext(ctx, token), nil
}

// watch shows a call to the middlewares that it concerns. A registration is shown to none, nor is what opens the wallet:
// there are none before that.
func (s *Server) watch(stream grpc.ServerStream, service, method string, single bool) (grpc.ServerStream, error) {
	if s.cfg.Middleware == nil || method == lnrpc.Lightning_RegisterRPCMiddleware_FullMethodName ||
		service == lnrpc.WalletUnlocker_ServiceDesc.ServiceName {
		return stream, nil
	}
	if !unguarded[service] {
		if err := s.cfg.Middleware.Complete(); err != nil {
			return nil, err
		}
	}
	token, _ := macaroons.FromContext(stream.Context())
	return s.cfg.Middleware.Watch(stream, middleware.Call{Method: method, Stream: !single, Token: token})
}

// enter counts a call against the bounds of its caller.
func (s *Server) enter(ctx context.Context) (leave func(), err error) {
	if token, ok := macaroons.FromContext(ctx); ok {
		return s.limits.enter(token.Name)
	}
	return s.limits.enter(stranger(macaroons.ClientFrom(ctx)))
}

// stranger names a caller without macaroon by his address; of IPv6 by the first half of it, for whoever has one address
// has all that begin so.
func stranger(from netip.Addr) string {
	if half, err := from.Prefix(64); err == nil && from.Is6() {
		return half.String()
	}
	return from.String()
}

// enterSocket counts a WebSocket against the bounds of its caller: there may be as many as calls, and the call behind one
// begins only with its first message.
func (s *Server) enterSocket(r *http.Request) (leave func(), err error) {
	caller := stranger(addrOf(r.RemoteAddr))
	if !s.cfg.NoMacaroons {
		if token, err := s.verify(macaroonsOf(r), addrOf(r.RemoteAddr)); err == nil {
			caller = token.Name
		}
	}
	return s.limits.enter("sockets of " + caller)
}

// verify checks the one macaroon that a call must carry.
func (s *Server) verify(values []string, client netip.Addr) (macaroons.Token, error) {
	if len(values) != 1 {
		return macaroons.Token{}, fmt.Errorf("expected 1 macaroon, got %d", len(values))
	}
	raw, err := hex.DecodeString(values[0])
	if err != nil {
		return macaroons.Token{}, err
	}
	return s.cfg.Macaroons.Verify(raw, client)
}

// clientOf returns the address of the caller; for a REST call, that of the REST client. It is invalid if unknown.
func clientOf(ctx context.Context, md metadata.MD) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	if _, inside := p.AuthInfo.(insideAuth); !inside {
		return addrOf(p.Addr.String())
	}
	if values := md[mdClient]; len(values) == 1 {
		return addrOf(values[0])
	}
	return netip.Addr{}
}

// addrOf reads the address of an address:port.
func addrOf(text string) netip.Addr {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// annotate passes the address of a REST client on.
func annotate(_ context.Context, r *http.Request) metadata.MD {
	return metadata.Pairs(mdClient, r.RemoteAddr)
}
