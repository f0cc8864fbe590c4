package router

import (
	"context"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// errInactive is lnd's text.
var errInactive = mistake.State("unable to enable channel which is not currently active")

// UpdateChanStatus announces a channel as disabled or not.
func (s *Service) UpdateChanStatus(ctx context.Context, req *routerrpc.UpdateChanStatusRequest) (*routerrpc.UpdateChanStatusResponse, error) {
	funding, err := translate.ChannelPoint("chan_point", req.ChanPoint)
	if err != nil {
		return nil, err
	}
	switch req.Action {
	case routerrpc.ChanStatusAction_ENABLE, routerrpc.ChanStatusAction_DISABLE, routerrpc.ChanStatusAction_AUTO:
	default:
		return nil, translate.Mistake("unrecognized ChannelStatusAction %v", req.Action)
	}
	_, err = s.node.SetPolicy(ctx, &funding, func(l channel.LinkState) (channel.Policy, error) {
		if req.Action == routerrpc.ChanStatusAction_ENABLE && !l.Up {
			return l.Policy, errInactive
		}
		l.Policy.Disabled = req.Action == routerrpc.ChanStatusAction_DISABLE
		return l.Policy, nil
	})
	if err != nil {
		return nil, err
	}
	return &routerrpc.UpdateChanStatusResponse{}, nil
}
