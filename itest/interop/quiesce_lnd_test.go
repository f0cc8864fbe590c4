package interop

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// raw carries messages that are encoded already, of a service that is not in our proto.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (raw) Name() string                       { return "proto" }

// quiesce lets an lnd that was built with the tag dev bring a channel to rest (devrpc), and
// tells whether it is the initiator.
func quiesce(t *testing.T, n *rig.Node, point rig.ChanPoint) bool {
	t.Helper()
	inner, err := proto.Marshal(point.Proto())
	require.NoError(t, err)
	ask := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
	var answer []byte
	err = n.Conn.Invoke(rig.Soon(t), "/devrpc.Dev/Quiesce", &ask, &answer, grpc.ForceCodec(raw{}))
	if status.Code(err) == codes.Unimplemented || status.Code(err) == codes.Unknown && status.Convert(err).Message() == "unknown service devrpc.Dev" {
		t.Skip("SKIPPED: LND_BIN is not built with the tag dev, which alone can ask for quiescence")
	}
	require.NoError(t, err)
	for len(answer) > 0 {
		field, kind, n := protowire.ConsumeTag(answer)
		require.Positive(t, n)
		answer = answer[n:]
		if field == 1 && kind == protowire.VarintType {
			v, _ := protowire.ConsumeVarint(answer)
			return protowire.DecodeBool(v)
		}
		answer = answer[protowire.ConsumeFieldValue(field, kind, answer):]
	}
	return false
}

// TestLndQuiesces: lnd asks for quiescence, in channels that either has opened and while a
// payment is held. Nothing is offered by us meanwhile; on the next connection all goes on.
func TestLndQuiesces(t *testing.T) {
	if os.Getenv("LND_BIN") == "" {
		t.Skip("SKIPPED, NOTHING WAS PROVEN AGAINST lnd: set LND_BIN to an lnd built with the tag dev")
	}
	w := rig.NewWorld(t)
	w.ServeFees(usualRate)
	we, lnd := w.Node("ours"), w.NewNodeOf(rig.Lnd, "lnd")
	lnd.Start()
	for _, pair := range [][2]*rig.Node{{we, lnd}, {lnd, we}} {
		from, to := pair[0], pair[1]
		from.Fund(10_000_000)
		if !we.HasPeer(lnd) {
			we.Connect(lnd)
		}
		point := from.Open(to, 1_000_000, func(r *lnrpc.OpenChannelRequest) {
			r.PushSat, r.CommitmentType = 400_000, lnrpc.CommitmentType_ANCHORS
		})
		we.Knows(point)
		lnd.Knows(point)
		held := we.Hold(20_000_000)
		lnd.Begin(held.Request)
		held.Is(lnrpc.Invoice_ACCEPTED)
		require.True(t, quiesce(t, lnd, point), "who asks first is the initiator")
		last, err := we.Send(rig.Soon(t), rig.PayRequest(lnd.Invoice(1_000_000)))
		require.NoError(t, err)
		require.Equal(t, lnrpc.Payment_FAILED, last.Status, "the channel is quiet")
		_, err = we.LN.DisconnectPeer(rig.Soon(t), &lnrpc.DisconnectPeerRequest{PubKey: lnd.ID})
		require.NoError(t, err)
		rig.Eventually(t, "they meet again", func() bool {
			_, _ = we.LN.ConnectPeer(rig.Soon(t), &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: lnd.ID, Host: lnd.P2P}})
			return we.HasPeer(lnd) && lnd.HasPeer(we)
		})
		we.Active(point)
		lnd.Active(point)
		held.Settle()
		we.Pay(lnd.Invoice(1_000_000))
		lnd.Pay(we.Invoice(2_000_000))
		rig.Settled(we, lnd)
		stream, err := we.LN.CloseChannel(rig.Soon(t), &lnrpc.CloseChannelRequest{ChannelPoint: point.Proto()})
		require.NoError(t, err)
		_, err = stream.Recv()
		require.NoError(t, err)
		w.Mempool(1)
		w.Mine(6)
	}
}
