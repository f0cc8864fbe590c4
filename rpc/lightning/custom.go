package lightning

import (
	"context"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// SendCustomMessage sends a message of an application to a peer.
func (s *Service) SendCustomMessage(_ context.Context, req *lnrpc.SendCustomMessageRequest) (*lnrpc.SendCustomMessageResponse, error) {
	to, err := translate.PubKey("peer", req.Peer)
	if err != nil {
		return nil, err
	}
	if req.Type < uint32(node.FirstCustom) || req.Type > math.MaxUint16 {
		return nil, translate.Invalid("type", "%d is not between %d and %d", req.Type, node.FirstCustom, math.MaxUint16)
	}
	if err := s.node.SendCustomMessage(to, &lnwire.Unknown{MsgType: lnwire.MsgType(req.Type), Payload: req.Data}); err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	return &lnrpc.SendCustomMessageResponse{Status: "message sent successfully"}, nil
}

// SubscribeCustomMessages tells of the messages of applications that peers send.
func (s *Service) SubscribeCustomMessages(_ *lnrpc.SubscribeCustomMessagesRequest, out lnrpc.Lightning_SubscribeCustomMessagesServer) error {
	return translate.Follow(out.Context(), s.node.CustomMessages(), func(m node.CustomMessage) error {
		return out.Send(&lnrpc.CustomMessage{Peer: m.Peer[:], Type: uint32(m.Type), Data: m.Data})
	})
}
