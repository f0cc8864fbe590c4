package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/textproto"
	"slices"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/fulgur-ln/fulgur/proto"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// maxOpenBody bounds the body of a REST call that nobody vouches for: InitWallet and UnlockWallet may carry the backups
// of many channels.
const maxOpenBody = 4 << 20

// restJSON is how messages look in REST: names as in the .proto files, zero values written out, 64-bit numbers as text,
// bytes as base64. A field that we do not know is an error: to ignore it could be to ignore a limit.
var restJSON = &runtime.JSONPb{
	MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
	UnmarshalOptions: protojson.UnmarshalOptions{},
}

// makeREST builds the chain that a REST call passes: the limit of its time, CORS, the guard against foreign web pages,
// WebSockets, the limit of the body, the gateway.
func (s *Server) makeREST() error {
	conn, err := s.inside.dial()
	if err != nil {
		return err
	}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, restJSON),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithIncomingHeaderMatcher(onlyMacaroon),
		runtime.WithMetadata(annotate),
	)
	s.sockets = newSockets(s.cfg, s.life, s.enterSocket, s.limitBody(mux))
	for _, svc := range services {
		if err := svc.rest(context.Background(), mux, conn); err != nil {
			conn.Close()
			return fmt.Errorf("serve %s over REST: %w", svc.desc.ServiceName, err)
		}
		s.sockets.clientStreams = append(s.sockets.clientStreams, svc.clientStreams...)
	}
	s.gateway = conn
	s.rest = &http.Server{
		Handler:           s.hasty(s.cors(s.guard(document(s.sockets)))),
		ReadHeaderTimeout: s.cfg.headerTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	return nil
}

// documentPath is where the OpenAPI document of the REST interface is.
const documentPath = "/openapi.json"

// document serves it, to everybody.
func document(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != documentPath || r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(proto.OpenAPI) // the client may be gone
	})
}

// onlyMacaroon says which headers become metadata.
func onlyMacaroon(header string) (string, bool) {
	return mdMacaroon, textproto.CanonicalMIMEHeaderKey(header) == headerMacaroon
}

// limitBody takes the body away from a call that will be refused anyway, so that nothing is decoded for a stranger, and
// bounds all others. The refusal itself comes from the gate of the service, in the form that the method has.
func (s *Server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		limit := int64(maxRequest)
		switch s.phase.state() {
		case lnrpc.WalletState_NON_EXISTING, lnrpc.WalletState_LOCKED:
			limit = maxOpenBody
		case lnrpc.WalletState_WAITING_TO_START:
			limit = 0
		case lnrpc.WalletState_UNLOCKED, lnrpc.WalletState_RPC_ACTIVE, lnrpc.WalletState_SERVER_ACTIVE:
			if !s.vouched(r) {
				limit = 0
			}
		}
		switch {
		case r.Body == nil || r.Body == http.NoBody: // nothing comes
		case limit == 0:
			hurry(w, s.cfg.strangerTime)
			r.Body = http.NoBody
		case !slices.Contains(s.sockets.clientStreams, r.URL.Path): // those have no end; each message is bounded
			hurry(w, s.cfg.bodyTime)
			r.Body = hurried{http.MaxBytesReader(w, r.Body, limit), w}
		}
		next.ServeHTTP(paced{w, s.cfg.answerTime}, r)
	})
}

// vouched reports whether a good macaroon comes with a REST call, whatever its rights, or none is needed.
func (s *Server) vouched(r *http.Request) bool {
	caller := addrOf(r.RemoteAddr).String()
	if !s.cfg.NoMacaroons {
		token, err := s.verify(r.Header.Values(headerMacaroon), addrOf(r.RemoteAddr))
		if err != nil {
			return false
		}
		caller = token.Name
	}
	s.restConns.known(r.RemoteAddr, caller)
	return true
}
