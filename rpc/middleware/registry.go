package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// minName is the shortest name of a middleware and of a caveat.
const minName = 5

// maxMiddlewares bounds how many may be registered.
const maxMiddlewares = 16

// DefaultTimeout is how long a middleware may take to answer.
const DefaultTimeout = 2 * time.Second

// Refusals. Clients of lnd know the texts.
var (
	errDisabled = mistake.State("RPC middleware not enabled in config")
	errTimeout  = errors.New("intercept timeout reached")
	errGone     = errors.New("interceptor RPC client quit")
	errNoName   = mistake.Argument("invalid initial middleware registration message")
)

// Config of a Registry.
type Config struct {
	Enable    bool
	Mandatory []string      // names of those without which no call is answered
	Timeout   time.Duration // for each answer; 0: DefaultTimeout
	Log       *slog.Logger  // nil: none
}

// Registry knows the middlewares that are there. It may be used by several goroutines.
type Registry struct {
	cfg Config

	mu    sync.RWMutex
	links []*link // in the order of their registration

	calls atomic.Uint64 // numbers the calls that are shown
}

// New makes a registry with nobody in it.
func New(cfg Config) *Registry {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Registry{cfg: cfg}
}

// Handles reports whether somebody looks at the calls whose macaroon has a caveat of that name.
func (r *Registry) Handles(caveat string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(r.links, func(l *link) bool { return !l.readOnly && l.caveat == caveat })
}

// Complete reports whether all mandatory middlewares are there: nil, or what to tell the caller.
func (r *Registry) Complete() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, name := range r.cfg.Mandatory {
		if !slices.ContainsFunc(r.links, func(l *link) bool { return l.name == name }) {
			return fmt.Errorf("mandatory middleware '%s' is currently not registered, not allowing any RPC calls", name)
		}
	}
	return nil
}

// Serve registers the middleware at the other end of a stream and serves it until it goes away.
func (r *Registry) Serve(stream grpc.BidiStreamingServer[lnrpc.RPCMiddlewareResponse, lnrpc.RPCMiddlewareRequest]) error {
	if !r.cfg.Enable {
		return errDisabled
	}
	answers := make(chan *lnrpc.RPCMiddlewareResponse)
	ended := make(chan error, 1)
	done := make(chan struct{})
	defer close(done)
	go func() { // ends with the stream, which ends when Serve returns
		for {
			m, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case answers <- m:
			case <-done:
				return
			}
		}
	}()
	l, err := r.greet(stream, answers, ended)
	if err != nil {
		return err
	}
	if err := r.add(l); err != nil {
		return fmt.Errorf("error registering middleware: %w", err)
	}
	defer r.remove(l)
	r.cfg.Log.Warn("an RPC middleware has registered: it sees calls and may refuse them or change what they answer", "name", l.name, "caveat", l.caveat, "read-only", l.readOnly)
	complete := &lnrpc.RPCMiddlewareRequest{InterceptType: &lnrpc.RPCMiddlewareRequest_RegComplete{RegComplete: true}}
	if err := stream.Send(complete); err != nil {
		return fmt.Errorf("error sending middleware registration complete message: %w", err)
	}
	return l.converse(stream, answers, ended)
}

// greet waits for the first message, in which a middleware says who it is.
func (r *Registry) greet(stream grpc.ServerStream, answers <-chan *lnrpc.RPCMiddlewareResponse, ended <-chan error) (*link, error) {
	timer := time.NewTimer(r.cfg.Timeout)
	defer timer.Stop()
	var reg *lnrpc.MiddlewareRegistration
	select {
	case m := <-answers:
		reg = m.GetRegister()
	case err := <-ended:
		return nil, fmt.Errorf("error receiving initial middleware registration message: %w", err)
	case <-timer.C:
		return nil, errTimeout
	case <-stream.Context().Done():
		return nil, stream.Context().Err()
	}
	switch {
	case reg == nil:
		return nil, errNoName
	case len(reg.MiddlewareName) < minName:
		return nil, mistake.Argument("invalid middleware name, use descriptive name of at least %d characters", minName)
	case reg.ReadOnlyMode && reg.CustomMacaroonCaveatName != "":
		return nil, mistake.Argument("cannot set read-only and custom caveat name at the same time")
	case !reg.ReadOnlyMode && len(reg.CustomMacaroonCaveatName) < minName:
		return nil, mistake.Argument("need to set either custom caveat name of at least %d characters or read-only mode", minName)
	}
	return newLink(reg.MiddlewareName, reg.CustomMacaroonCaveatName, reg.ReadOnlyMode, r.cfg.Timeout), nil
}

func (r *Registry) add(l *link) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.links) >= maxMiddlewares {
		return mistake.TooMuch("there are %d middlewares already", maxMiddlewares)
	}
	for _, other := range r.links {
		switch {
		case other.name == l.name:
			return mistake.Twice("a middleware with the name '%s' is already registered", l.name)
		case !l.readOnly && !other.readOnly && other.caveat == l.caveat:
			return mistake.Twice("a middleware is already registered for the custom caveat name '%s': %v", l.caveat, other.name)
		}
	}
	r.links = append(slices.Clone(r.links), l)
	return nil
}

func (r *Registry) remove(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = slices.DeleteFunc(slices.Clone(r.links), func(other *link) bool { return other == l })
	close(l.gone)
	r.cfg.Log.Warn("an RPC middleware has gone", "name", l.name)
}
