package rpc

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/middleware"
)

// Bounds of a call. Requests are small; answers can hold the whole graph.
const (
	maxRequest = 16 << 20
	maxAnswer  = 200 << 20
	maxHeaders = 64 << 10
	// maxStreams bounds the calls under way on one connection. All REST calls share one, so it is more than one caller
	// may have.
	maxStreams = 4 * maxCalls
)

// Certificate is what the servers prove themselves with. tlscert.Keeper is one.
type Certificate interface {
	// TLS returns a configuration for a server that speaks the given application protocols.
	TLS(protocols ...string) *tls.Config
	// Names lists the host names of the node.
	Names() []string
}

// Config of a Server.
type Config struct {
	// RPCListen and RESTListen are addresses, host:port. No REST address means no REST.
	RPCListen, RESTListen []string
	Certificate           Certificate

	// Macaroons checks macaroons. It must be set unless NoMacaroons lets everybody do everything, which is refused on
	// addresses that can be reached from elsewhere.
	Macaroons   Verifier
	NoMacaroons bool

	// Middleware knows the programs that calls are shown to; nil: there are none.
	Middleware *middleware.Registry

	// Reflection serves the description of all services that gRPC has a service of its own for.
	Reflection bool

	// CORS lists the origins (scheme://host:port) of web pages that may use the REST interface; "*" is any.
	CORS []string

	// PingInterval and PongWait keep WebSockets alive: a ping every interval, and the end of the connection if nothing
	// comes back within the wait. Zero: 30 s and 5 s; negative: no pings.
	PingInterval, PongWait time.Duration

	// for tests: how long parts of REST calls may take
	headerTime, bodyTime, strangerTime, answerTime time.Duration

	Log *slog.Logger // nil: none
}

// A Server serves gRPC and REST.
type Server struct {
	cfg   Config
	phase *phase

	grpc   *grpc.Server
	late   map[string]*late
	inside insideListener

	limits  limits
	gateway *grpc.ClientConn // REST's way to gRPC
	rest    *http.Server
	sockets *sockets

	grpcConns, restConns *conns

	calls Calls

	rpcAddrs, restAddrs []net.Addr

	life context.Context // ends when Stop begins
	end  context.CancelFunc
	wg   sync.WaitGroup
}

// New makes a server that does not listen yet. The service State is there already; all others are to be provided.
func New(cfg Config) (*Server, error) {
	if cfg.Macaroons == nil && !cfg.NoMacaroons {
		return nil, errors.New("make RPC server: neither macaroons nor the wish to do without")
	}
	if cfg.Certificate == nil {
		return nil, errors.New("make RPC server: no certificate")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.PingInterval == 0 {
		cfg.PingInterval = 30 * time.Second
	}
	if cfg.PongWait == 0 {
		cfg.PongWait = 5 * time.Second
	}
	cfg.headerTime = cmp.Or(cfg.headerTime, headerTime)
	cfg.bodyTime = cmp.Or(cfg.bodyTime, bodyTime)
	cfg.strangerTime = cmp.Or(cfg.strangerTime, strangerTime)
	cfg.answerTime = cmp.Or(cfg.answerTime, writeTimeout)
	s := &Server{cfg: cfg, phase: newPhase(), late: make(map[string]*late), inside: newInsideListener()}
	s.grpcConns, s.restConns = newConns(maxConns), newConns(maxConns)
	s.limits = limits{callers: make(map[string]*calls), now: time.Now}
	s.life, s.end = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(
		grpc.Creds(withInside{credentials.NewTLS(cfg.Certificate.TLS())}),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(20*time.Second),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	for _, svc := range services {
		s.register(svc.desc)
	}
	if cfg.Reflection {
		if err := s.describeItself(); err != nil {
			return nil, err
		}
	}
	return s, s.Provide(&lnrpc.State_ServiceDesc, newStateService(s.phase))
}

// Provide sets the implementation of a service, once. Until then its calls are answered as those of an unknown service.
func (s *Server) Provide(desc *grpc.ServiceDesc, impl any) error {
	l := s.late[desc.ServiceName]
	if l == nil {
		return fmt.Errorf("provide %s: not one of the services", desc.ServiceName)
	}
	return l.provide(desc, impl)
}

// SetState says how far the start has come, which decides what may be called. It can only go forward.
func (s *Server) SetState(state lnrpc.WalletState) error { return s.phase.advance(state) }

// Start listens and serves until Stop. When it returns an error nothing is left running.
func (s *Server) Start() error {
	rpc, err := listen(s.cfg.RPCListen)
	if err != nil {
		return fmt.Errorf("start RPC server: %w", err)
	}
	rest, err := listen(s.cfg.RESTListen)
	if err != nil {
		closeAll(rpc)
		return fmt.Errorf("start REST server: %w", err)
	}
	if err := s.safe(slices.Concat(rpc, rest)); err != nil {
		closeAll(slices.Concat(rpc, rest))
		return err
	}
	if len(rest) > 0 {
		if err := s.makeREST(); err != nil {
			closeAll(slices.Concat(rpc, rest))
			return err
		}
		s.serve(func() error { return s.grpc.Serve(s.inside) })
	}
	for _, l := range rpc {
		s.rpcAddrs = append(s.rpcAddrs, l.Addr())
		s.serve(func() error { return s.grpc.Serve(s.grpcConns.listen(l)) })
		s.cfg.Log.Info("RPC server listening", "addr", l.Addr())
	}
	for _, l := range rest {
		s.restAddrs = append(s.restAddrs, l.Addr())
		l = tls.NewListener(s.restConns.listen(l), s.cfg.Certificate.TLS("http/1.1"))
		s.serve(func() error { return s.rest.Serve(l) })
		s.cfg.Log.Info("REST server listening", "addr", l.Addr())
	}
	return nil
}

// RPCAddrs returns the addresses at which gRPC is served.
func (s *Server) RPCAddrs() []net.Addr { return slices.Clone(s.rpcAddrs) }

// RESTAddrs returns the addresses at which REST is served.
func (s *Server) RESTAddrs() []net.Addr { return slices.Clone(s.restAddrs) }

// serve runs a listener's loop.
func (s *Server) serve(loop func() error) {
	s.wg.Go(func() {
		err := loop()
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
			s.cfg.Log.Error("server ended", "err", err)
		}
	})
}

// Stop ends all streams, lets the other calls under way finish until ctx ends, closes everything and waits for it. It is
// called once, after Start. A method that asks for the shutdown must answer first: Stop waits for it.
func (s *Server) Stop(ctx context.Context) {
	s.end()
	if s.rest != nil {
		if err := s.rest.Shutdown(ctx); err != nil {
			s.rest.Close()
		}
		s.sockets.wait()
		s.gateway.Close()
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.grpc.GracefulStop()
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
		s.grpc.Stop()
		<-stopped
	}
	s.wg.Wait()
}
