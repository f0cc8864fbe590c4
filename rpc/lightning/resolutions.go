package lightning

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// LookupHtlcResolution tells how an incoming HTLC ended.
func (s *Service) LookupHtlcResolution(_ context.Context, req *lnrpc.LookupHtlcResolutionRequest) (*lnrpc.LookupHtlcResolutionResponse, error) {
	settled, onChain, err := s.node.Resolution(lnwire.ShortChannelID(req.ChanId), req.HtlcIndex)
	switch {
	case errors.Is(err, node.ErrNotStored):
		return nil, status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, node.ErrUnknownHTLC):
		return nil, status.Error(codes.NotFound, err.Error())
	case err != nil:
		return nil, err
	}
	return &lnrpc.LookupHtlcResolutionResponse{Settled: settled, Offchain: !onChain}, nil
}
