package interop

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// accountableType is the record of lnd's accountability signal in update_add_htlc.
const accountableType = 106823

// accountable: what an lnd says of an HTLC comes to the next lnd as it was when we carry it on; of
// our own payments it reads what its own would say. It knows of us that we carry it.
func (r *ring) accountable(t *testing.T) {
	rig.Eventually(t, "bit 261 of ours", func() bool {
		i, err := r.lnd1.LN.GetNodeInfo(rig.Soon(t), &lnrpc.NodeInfoRequest{PubKey: r.ours1.ID})
		return err == nil && i.Node.Features[261] != nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said, err := intercepted(ctx, r.lnd2)
	require.NoError(t, err)
	pay := func(from *rig.Node, out int, records map[uint64][]byte) []byte {
		t.Helper()
		q := rig.PayRequest(r.ours2.Invoice(20_000_000))
		q.OutgoingChanIds = []uint64{from.Knows(r.points[out]).ChannelId}
		q.FirstHopCustomRecords = records
		p, err := from.Send(rig.Soon(t), q)
		require.NoError(t, err)
		require.Equal(t, lnrpc.Payment_SUCCEEDED, p.Status, "%v %v", p.FailureReason, p.Htlcs)
		return (<-said)[accountableType]
	}
	require.Equal(t, []byte{7}, pay(r.lnd1, 0, map[uint64][]byte{accountableType: {7}}))
	require.Equal(t, []byte{0}, pay(r.lnd1, 0, map[uint64][]byte{accountableType: {0}}))
	require.Equal(t, []byte{0}, pay(r.ours1, 1, nil))
}

// intercepted gives the records of the update_add_htlc of each HTLC that an lnd forwards, which go on
// as they would.
func intercepted(ctx context.Context, n *rig.Node) (<-chan map[uint64][]byte, error) {
	stream, err := n.API().NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		"/routerrpc.Router/HtlcInterceptor", grpc.ForceCodec(rawCodec{}))
	if err != nil {
		return nil, err
	}
	said := make(chan map[uint64][]byte, 100)
	go func() {
		for {
			var ask []byte
			if stream.RecvMsg(&ask) != nil {
				return
			}
			records := map[uint64][]byte{}
			var key []byte
			for num, v := range fieldsOf(ask) {
				switch num {
				case 1: // incoming_circuit_key
					key = v[0]
				case 11: // in_wire_custom_records
					for _, entry := range v {
						f := fieldsOf(entry)
						typ, _ := protowire.ConsumeVarint(f[1][0])
						records[typ] = f[2][0]
					}
				}
			}
			said <- records
			resume := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), key)
			resume = protowire.AppendVarint(protowire.AppendTag(resume, 2, protowire.VarintType), 2)
			if stream.SendMsg(&resume) != nil {
				return
			}
		}
	}()
	return said, nil
}

// fieldsOf are the values in a message, by number: the content of those with a length, the
// encoded value of the others.
func fieldsOf(b []byte) map[protowire.Number][][]byte {
	out := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return out
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 {
			return out
		}
		v := b[:n]
		if typ == protowire.BytesType {
			v, _ = protowire.ConsumeBytes(b)
		}
		out[num] = append(out[num], v)
		b = b[n:]
	}
	return out
}
