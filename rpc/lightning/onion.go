package lightning

import (
	"context"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// SendOnionMessage hands a message that the caller has built to a peer.
func (s *Service) SendOnionMessage(_ context.Context, req *lnrpc.SendOnionMessageRequest) (*lnrpc.SendOnionMessageResponse, error) {
	to, err := translate.PubKey("peer", req.Peer)
	if err != nil {
		return nil, err
	}
	key, err := translate.PubKey("path_key", req.PathKey)
	if err != nil {
		return nil, err
	}
	if n := len(req.Onion); n == 0 || n > math.MaxInt16*2 {
		return nil, translate.Invalid("onion", "%d bytes are no onion", n)
	}
	if err := s.node.SendOnionMessage(to, &lnwire.OnionMessage{PathKey: key, Packet: req.Onion}); err != nil {
		return nil, err
	}
	return &lnrpc.SendOnionMessageResponse{Status: "onion message sent successfully"}, nil
}

// SubscribeOnionMessages tells of the messages that end with us.
func (s *Service) SubscribeOnionMessages(_ *lnrpc.SubscribeOnionMessagesRequest, out lnrpc.Lightning_SubscribeOnionMessagesServer) error {
	return translate.Follow(out.Context(), s.node.OnionMessages(), func(m node.OnionMessage) error {
		u := &lnrpc.OnionMessageUpdate{
			Peer: m.Peer[:], PathKey: m.Raw.PathKey[:], Onion: m.Raw.Packet,
			EncryptedRecipientData: m.Message.Data, CustomRecords: translate.Custom(m.Message.Contents),
		}
		if m.Message.ReplyPath != nil {
			u.ReplyPath = translate.BlindedPath(m.Message.ReplyPath)
		}
		return out.Send(u)
	})
}
