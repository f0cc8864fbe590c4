package rpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// maxWatchers bounds how many may watch the state at once: they need no macaroon, so anybody can.
const maxWatchers = 100

// stateService answers from the first moment on, without a macaroon.
type stateService struct {
	lnrpc.UnimplementedStateServer
	phase    *phase
	watchers chan struct{} // holds one element for each
}

func newStateService(p *phase) *stateService {
	return &stateService{phase: p, watchers: make(chan struct{}, maxWatchers)}
}

// GetState implements lnrpc.StateServer.
func (s *stateService) GetState(context.Context, *lnrpc.GetStateRequest) (*lnrpc.GetStateResponse, error) {
	return &lnrpc.GetStateResponse{State: s.phase.state()}, nil
}

// SubscribeState implements lnrpc.StateServer.
func (s *stateService) SubscribeState(_ *lnrpc.SubscribeStateRequest, out grpc.ServerStreamingServer[lnrpc.SubscribeStateResponse]) error {
	select {
	case s.watchers <- struct{}{}:
		defer func() { <-s.watchers }()
	default:
		return status.Errorf(codes.ResourceExhausted, "too many subscriptions: at most %d", maxWatchers)
	}
	next := -1
	for {
		first, states, changed := s.phase.since(next)
		for _, state := range states {
			if err := out.Send(&lnrpc.SubscribeStateResponse{State: state}); err != nil {
				return err
			}
		}
		next = first + len(states)
		select {
		case <-changed:
		case <-out.Context().Done():
			return out.Context().Err()
		}
	}
}
