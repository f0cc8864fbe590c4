package itest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// fund gives the node a confirmed coin.
func (n *node) fund(sat int64) {
	n.t.Helper()
	before := n.wallet().ConfirmedBalance
	_, err := n.w.chain.Miner().PayAddress(n.t.Context(), n.address(), sat)
	require.NoError(n.t, err)
	n.w.mine(1)
	eventually(n.t, n.name+"'s coin", func() bool { return n.wallet().ConfirmedBalance == before+sat })
}

func (n *node) address() string {
	n.t.Helper()
	a, err := n.ln.NewAddress(soon(n.t), &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_WITNESS_PUBKEY_HASH})
	require.NoError(n.t, err)
	return a.Address
}

func (n *node) wallet() *lnrpc.WalletBalanceResponse {
	n.t.Helper()
	b, err := n.ln.WalletBalance(soon(n.t), &lnrpc.WalletBalanceRequest{})
	require.NoError(n.t, err)
	return b
}

func (n *node) connect(to *node) {
	n.t.Helper()
	_, err := n.ln.ConnectPeer(soon(n.t), &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: to.id, Host: to.p2p}})
	require.NoError(n.t, err)
	eventually(n.t, to.name+" sees "+n.name, func() bool { return to.hasPeer(n) })
}

func (n *node) hasPeer(other *node) bool {
	n.t.Helper()
	list, err := n.ln.ListPeers(soon(n.t), &lnrpc.ListPeersRequest{})
	require.NoError(n.t, err)
	for _, p := range list.Peers {
		if p.PubKey == other.id {
			return true
		}
	}
	return false
}

// chanPoint is a funding output, TXID:INDEX.
type chanPoint string

func (c chanPoint) proto() *lnrpc.ChannelPoint {
	txid, index, _ := strings.Cut(string(c), ":")
	p := &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: txid}}
	fmt.Sscan(index, &p.OutputIndex)
	return p
}

func pointOf(txid []byte, index uint32) chanPoint {
	h, _ := chainhash.NewHash(txid)
	return chanPoint(fmt.Sprintf("%s:%d", h, index))
}

// openRequest asks for a plain channel.
func (n *node) openRequest(to *node, capacity int64) *lnrpc.OpenChannelRequest {
	pub, err := hex.DecodeString(to.id)
	require.NoError(n.t, err)
	return &lnrpc.OpenChannelRequest{NodePubkey: pub, LocalFundingAmount: capacity}
}

// open opens a channel, mines, and waits until both ends can use it.
func (n *node) open(to *node, capacity int64, change ...func(*lnrpc.OpenChannelRequest)) chanPoint {
	n.t.Helper()
	req := n.openRequest(to, capacity)
	for _, c := range change {
		c(req)
	}
	stream, err := n.ln.OpenChannel(soon(n.t), req)
	require.NoError(n.t, err)
	u, err := stream.Recv()
	require.NoError(n.t, err)
	pending := u.GetChanPending()
	require.NotNil(n.t, pending, u)
	point := pointOf(pending.Txid, pending.OutputIndex)
	txid, err := chainhash.NewHash(pending.Txid)
	require.NoError(n.t, err)
	n.w.inMempool(*txid)
	n.w.mine(6)
	u, err = stream.Recv()
	require.NoError(n.t, err)
	require.NotNil(n.t, u.GetChanOpen(), u)
	n.active(point)
	to.active(point)
	return point
}

// channel is a channel in ListChannels, nil if it is not there.
func (n *node) channel(point chanPoint) *lnrpc.Channel {
	n.t.Helper()
	list, err := n.ln.ListChannels(soon(n.t), &lnrpc.ListChannelsRequest{})
	require.NoError(n.t, err)
	for _, c := range list.Channels {
		if c.ChannelPoint == string(point) {
			return c
		}
	}
	return nil
}

// active waits until a channel can be used.
func (n *node) active(point chanPoint) {
	n.t.Helper()
	eventually(n.t, n.name+"'s channel is active", func() bool {
		c := n.channel(point)
		return c != nil && c.Active
	})
}

// knows waits until the node has learned a channel with both policies.
func (n *node) knows(point chanPoint) *lnrpc.ChannelEdge {
	n.t.Helper()
	var edge *lnrpc.ChannelEdge
	eventually(n.t, n.name+" learns "+string(point), func() bool {
		var err error
		edge, err = n.ln.GetChanInfo(soon(n.t), &lnrpc.ChanInfoRequest{ChanPoint: string(point)})
		return err == nil && edge.Node1Policy != nil && edge.Node2Policy != nil
	})
	return edge
}

// invoice makes an invoice and gives its text.
func (n *node) invoice(msat int64) string {
	n.t.Helper()
	a, err := n.ln.AddInvoice(soon(n.t), &lnrpc.Invoice{ValueMsat: msat})
	require.NoError(n.t, err)
	return a.PaymentRequest
}

func (n *node) decode(request string) *lnrpc.PayReq {
	n.t.Helper()
	r, err := n.ln.DecodePayReq(soon(n.t), &lnrpc.PayReqString{PayReq: request})
	require.NoError(n.t, err)
	return r
}

// payRequest asks for the payment of an invoice at any fee.
func payRequest(request string) *routerrpc.SendPaymentRequest {
	return &routerrpc.SendPaymentRequest{PaymentRequest: request, TimeoutSeconds: 60, FeeLimitMsat: 1 << 62, NoInflightUpdates: true}
}

// send pays and waits for the end of the payment.
func (n *node) send(ctx context.Context, req *routerrpc.SendPaymentRequest) (*lnrpc.Payment, error) {
	stream, err := n.router.SendPaymentV2(ctx, req)
	if err != nil {
		return nil, err
	}
	return lastPayment(stream)
}

// lastPayment is the end of a stream of payments.
func lastPayment(stream grpc.ServerStreamingClient[lnrpc.Payment]) (last *lnrpc.Payment, err error) {
	for {
		p, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && last != nil:
			return last, nil
		case err != nil:
			return nil, err
		}
		last = p
	}
}

// pay pays an invoice, which must succeed.
func (n *node) pay(request string) *lnrpc.Payment {
	n.t.Helper()
	p, err := n.send(soon(n.t), payRequest(request))
	require.NoError(n.t, err)
	require.Equal(n.t, lnrpc.Payment_SUCCEEDED, p.Status, "%v %v", p.FailureReason, p.Htlcs)
	return p
}

// inChannels is what the node owns in its channels, in millisatoshis.
func (n *node) inChannels() int64 {
	n.t.Helper()
	b, err := n.ln.ChannelBalance(soon(n.t), &lnrpc.ChannelBalanceRequest{})
	require.NoError(n.t, err)
	return int64(b.LocalBalance.Msat)
}

// settled waits until nothing is under way in the channels of the nodes.
func settled(nodes ...*node) {
	for _, n := range nodes {
		n.t.Helper()
		eventually(n.t, n.name+" has no HTLC", func() bool {
			list, err := n.ln.ListChannels(soon(n.t), &lnrpc.ListChannelsRequest{})
			require.NoError(n.t, err)
			for _, c := range list.Channels {
				if len(c.PendingHtlcs) > 0 {
					return false
				}
			}
			return true
		})
	}
}

// forwards is the whole forwarding history.
func (n *node) forwards() []*lnrpc.ForwardingEvent {
	n.t.Helper()
	h, err := n.ln.ForwardingHistory(soon(n.t), &lnrpc.ForwardingHistoryRequest{NumMaxEvents: 50_000})
	require.NoError(n.t, err)
	return h.ForwardingEvents
}

// closed are the channels that are over.
func (n *node) closed() []*lnrpc.ChannelCloseSummary {
	n.t.Helper()
	c, err := n.ln.ClosedChannels(soon(n.t), &lnrpc.ClosedChannelsRequest{})
	require.NoError(n.t, err)
	return c.Channels
}

func (n *node) pending() *lnrpc.PendingChannelsResponse {
	n.t.Helper()
	p, err := n.ln.PendingChannels(soon(n.t), &lnrpc.PendingChannelsRequest{})
	require.NoError(n.t, err)
	return p
}

// line starts nodes and opens a channel of a capacity from each to the next, half of
// it pushed over, known to the first node.
func (w *world) line(capacity int64, names ...string) ([]*node, []chanPoint) {
	w.t.Helper()
	var nodes []*node
	var points []chanPoint
	for _, name := range names {
		nodes = append(nodes, w.node(name))
	}
	for i, n := range nodes[:len(nodes)-1] {
		n.fund(2*capacity + 1_000_000)
		n.connect(nodes[i+1])
	}
	for i, n := range nodes[:len(nodes)-1] {
		points = append(points, n.open(nodes[i+1], capacity, func(r *lnrpc.OpenChannelRequest) { r.PushSat = capacity / 2 }))
	}
	for _, n := range nodes {
		for _, p := range points {
			n.knows(p)
		}
	}
	return nodes, points
}
