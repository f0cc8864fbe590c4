package lightning

import (
	"context"
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/tv42/zbase32"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// signedPrefix stands before every message that is signed, so that none can be
// mistaken for something of the protocol.
const signedPrefix = "Lightning Signed Message:"

func messageDigest(msg []byte, once bool) [32]byte {
	d := sha256.Sum256(append([]byte(signedPrefix), msg...))
	if !once {
		d = sha256.Sum256(d[:])
	}
	return d
}

// SignMessage signs a message with the node's key.
func (s *Service) SignMessage(_ context.Context, req *lnrpc.SignMessageRequest) (*lnrpc.SignMessageResponse, error) {
	if req.Msg == nil {
		return nil, translate.Mistake("need a message to sign")
	}
	sig := s.node.SignCompact(messageDigest(req.Msg, req.SingleHash))
	return &lnrpc.SignMessageResponse{Signature: zbase32.EncodeToString(sig[:])}, nil
}

// VerifyMessage tells who signed a message.
func (s *Service) VerifyMessage(ctx context.Context, req *lnrpc.VerifyMessageRequest) (*lnrpc.VerifyMessageResponse, error) {
	sig, err := zbase32.DecodeString(req.Signature)
	if err != nil || len(sig) != 65 {
		return &lnrpc.VerifyMessageResponse{}, nil
	}
	digest := messageDigest(req.Msg, false)
	key, _, err := ecdsa.RecoverCompact(sig, digest[:])
	if err != nil {
		return &lnrpc.VerifyMessageResponse{}, nil
	}
	id := lnwire.NewPubKey(key)
	n, _, err := s.node.GraphNode(ctx, id)
	if err != nil {
		return nil, err
	}
	return &lnrpc.VerifyMessageResponse{Valid: n != nil || id == s.node.ID(), Pubkey: id.String()}, nil
}
