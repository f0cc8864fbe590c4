package interop

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// rawCodec passes messages as they are: for calls that our own lnrpc does not have.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("marshal %T", v)
	}
	return *b, nil
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("unmarshal %T", v)
	}
	*b = append([]byte{}, data...)
	return nil
}

// acceptZeroConf lets an lnd accept every channel, without confirmations where that is
// asked for, until ctx ends.
func acceptZeroConf(ctx context.Context, n *rig.Node) error {
	stream, err := n.API().NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/lnrpc.Lightning/ChannelAcceptor", grpc.ForceCodec(rawCodec{}))
	if err != nil {
		return err
	}
	go func() {
		for {
			var ask []byte
			if stream.RecvMsg(&ask) != nil {
				return
			}
			yes := answerTo(ask)
			if stream.SendMsg(&yes) != nil {
				return
			}
		}
	}()
	return nil
}

// answerTo is the yes to a ChannelAcceptRequest.
func answerTo(ask []byte) []byte {
	var id []byte
	zeroConf := uint64(0)
	for len(ask) > 0 {
		num, typ, n := protowire.ConsumeTag(ask)
		if n < 0 {
			return nil
		}
		ask = ask[n:]
		switch {
		case num == 3 && typ == protowire.BytesType: // pending_chan_id
			id, _ = protowire.ConsumeBytes(ask)
		case num == 15 && typ == protowire.VarintType: // wants_zero_conf
			zeroConf, _ = protowire.ConsumeVarint(ask)
		}
		ask = ask[protowire.ConsumeFieldValue(num, typ, ask):]
	}
	yes := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1) // accept
	yes = protowire.AppendBytes(protowire.AppendTag(yes, 2, protowire.BytesType), id)   // pending_chan_id
	return protowire.AppendVarint(protowire.AppendTag(yes, 11, protowire.VarintType), zeroConf)
}
