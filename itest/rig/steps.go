package rig

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// Fund gives the node a confirmed coin.
func (n *Node) Fund(sat int64) {
	n.T.Helper()
	before := n.Wallet().ConfirmedBalance
	_, err := n.World.Chain.Miner().PayAddress(n.T.Context(), n.Address(), sat)
	require.NoError(n.T, err)
	n.World.Mine(1)
	Eventually(n.T, n.Name+"'s coin", func() bool { return n.Wallet().ConfirmedBalance == before+sat })
}

// Address is a new address of the wallet.
func (n *Node) Address() string {
	n.T.Helper()
	a, err := n.LN.NewAddress(Soon(n.T), &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_WITNESS_PUBKEY_HASH})
	require.NoError(n.T, err)
	return a.Address
}

// Wallet is what the wallet has.
func (n *Node) Wallet() *lnrpc.WalletBalanceResponse {
	n.T.Helper()
	b, err := n.LN.WalletBalance(Soon(n.T), &lnrpc.WalletBalanceRequest{})
	require.NoError(n.T, err)
	return b
}

// Connect connects to another node and waits until both know.
func (n *Node) Connect(to *Node) {
	n.T.Helper()
	_, err := n.LN.ConnectPeer(Soon(n.T), &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: to.ID, Host: to.P2P}})
	require.NoError(n.T, err)
	Eventually(n.T, to.Name+" sees "+n.Name, func() bool { return to.HasPeer(n) })
}

// HasPeer: the node lists the other among its peers.
func (n *Node) HasPeer(other *Node) bool {
	n.T.Helper()
	list, err := n.LN.ListPeers(Soon(n.T), &lnrpc.ListPeersRequest{})
	require.NoError(n.T, err)
	for _, p := range list.Peers {
		if p.PubKey == other.ID {
			return true
		}
	}
	return false
}

// ChanPoint is a funding output, TXID:INDEX.
type ChanPoint string

// Proto is the form that requests take.
func (c ChanPoint) Proto() *lnrpc.ChannelPoint {
	txid, index, _ := strings.Cut(string(c), ":")
	p := &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: txid}}
	fmt.Sscan(index, &p.OutputIndex)
	return p
}

// PointOf is the funding output as answers name it.
func PointOf(txid []byte, index uint32) ChanPoint {
	h, _ := chainhash.NewHash(txid)
	return ChanPoint(fmt.Sprintf("%s:%d", h, index))
}

// OpenRequest asks for a plain channel.
func (n *Node) OpenRequest(to *Node, capacity int64) *lnrpc.OpenChannelRequest {
	pub, err := hex.DecodeString(to.ID)
	require.NoError(n.T, err)
	return &lnrpc.OpenChannelRequest{NodePubkey: pub, LocalFundingAmount: capacity}
}

// Open opens a channel, mines, and waits until both ends can use it.
func (n *Node) Open(to *Node, capacity int64, change ...func(*lnrpc.OpenChannelRequest)) ChanPoint {
	n.T.Helper()
	req := n.OpenRequest(to, capacity)
	for _, c := range change {
		c(req)
	}
	stream, err := n.LN.OpenChannel(Soon(n.T), req)
	require.NoError(n.T, err)
	u, err := stream.Recv()
	require.NoError(n.T, err)
	pending := u.GetChanPending()
	require.NotNil(n.T, pending, u)
	point := PointOf(pending.Txid, pending.OutputIndex)
	txid, err := chainhash.NewHash(pending.Txid)
	require.NoError(n.T, err)
	n.World.InMempool(*txid)
	n.World.Mine(6)
	u, err = stream.Recv()
	require.NoError(n.T, err)
	require.NotNil(n.T, u.GetChanOpen(), u)
	n.Active(point)
	to.Active(point)
	return point
}

// Channel is a channel in ListChannels, nil if it is not there.
func (n *Node) Channel(point ChanPoint) *lnrpc.Channel {
	n.T.Helper()
	list, err := n.LN.ListChannels(Soon(n.T), &lnrpc.ListChannelsRequest{})
	require.NoError(n.T, err)
	for _, c := range list.Channels {
		if c.ChannelPoint == string(point) {
			return c
		}
	}
	return nil
}

// Active waits until a channel can be used.
func (n *Node) Active(point ChanPoint) {
	n.T.Helper()
	Eventually(n.T, n.Name+"'s channel is active", func() bool {
		c := n.Channel(point)
		return c != nil && c.Active
	})
}

// Joined waits until the channels of a line of nodes can be used at both ends. One that
// stayed may not know yet that the other went: what it says counts when that one is there
// again.
func Joined(nodes []*Node, points []ChanPoint) {
	for i, p := range points {
		nodes[i].T.Helper()
		nodes[i].Active(p)
		nodes[i+1].Active(p)
		nodes[i].Active(p)
	}
}

// Knows waits until the node has learned a channel with both policies.
func (n *Node) Knows(point ChanPoint) *lnrpc.ChannelEdge {
	n.T.Helper()
	var edge *lnrpc.ChannelEdge
	Eventually(n.T, n.Name+" learns "+string(point), func() bool {
		var err error
		edge, err = n.LN.GetChanInfo(Soon(n.T), &lnrpc.ChanInfoRequest{ChanPoint: string(point)})
		return err == nil && edge.Node1Policy != nil && edge.Node2Policy != nil
	})
	return edge
}

// Invoice makes an invoice and gives its text.
func (n *Node) Invoice(msat int64) string {
	n.T.Helper()
	a, err := n.LN.AddInvoice(Soon(n.T), &lnrpc.Invoice{ValueMsat: msat})
	require.NoError(n.T, err)
	return a.PaymentRequest
}

// Decode reads an invoice.
func (n *Node) Decode(request string) *lnrpc.PayReq {
	n.T.Helper()
	r, err := n.LN.DecodePayReq(Soon(n.T), &lnrpc.PayReqString{PayReq: request})
	require.NoError(n.T, err)
	return r
}

// PayRequest asks for the payment of an invoice at any fee.
func PayRequest(request string) *routerrpc.SendPaymentRequest {
	return &routerrpc.SendPaymentRequest{PaymentRequest: request, TimeoutSeconds: 60, FeeLimitMsat: 1 << 62, NoInflightUpdates: true}
}

// Send pays and waits for the end of the payment.
func (n *Node) Send(ctx context.Context, req *routerrpc.SendPaymentRequest) (*lnrpc.Payment, error) {
	stream, err := n.Router.SendPaymentV2(ctx, req)
	if err != nil {
		return nil, err
	}
	return LastPayment(stream)
}

// LastPayment is the end of a stream of payments.
func LastPayment(stream grpc.ServerStreamingClient[lnrpc.Payment]) (last *lnrpc.Payment, err error) {
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

// Pay pays an invoice, which must succeed.
func (n *Node) Pay(request string) *lnrpc.Payment {
	n.T.Helper()
	p, err := n.Send(Soon(n.T), PayRequest(request))
	require.NoError(n.T, err)
	require.Equal(n.T, lnrpc.Payment_SUCCEEDED, p.Status, "%v %v", p.FailureReason, p.Htlcs)
	return p
}

// InChannels is what the node owns in its channels, in millisatoshis.
func (n *Node) InChannels() int64 {
	n.T.Helper()
	b, err := n.LN.ChannelBalance(Soon(n.T), &lnrpc.ChannelBalanceRequest{})
	require.NoError(n.T, err)
	return int64(b.LocalBalance.Msat)
}

// Settled waits until nothing is under way in the channels of the nodes.
func Settled(nodes ...*Node) {
	for _, n := range nodes {
		n.T.Helper()
		Eventually(n.T, n.Name+" has no HTLC", func() bool {
			list, err := n.LN.ListChannels(Soon(n.T), &lnrpc.ListChannelsRequest{})
			require.NoError(n.T, err)
			for _, c := range list.Channels {
				if len(c.PendingHtlcs) > 0 {
					return false
				}
			}
			return true
		})
	}
}

// Forwards is the whole forwarding history.
func (n *Node) Forwards() []*lnrpc.ForwardingEvent {
	n.T.Helper()
	h, err := n.LN.ForwardingHistory(Soon(n.T), &lnrpc.ForwardingHistoryRequest{NumMaxEvents: 50_000})
	require.NoError(n.T, err)
	return h.ForwardingEvents
}

// Closed are the channels that are over.
func (n *Node) Closed() []*lnrpc.ChannelCloseSummary {
	n.T.Helper()
	c, err := n.LN.ClosedChannels(Soon(n.T), &lnrpc.ClosedChannelsRequest{})
	require.NoError(n.T, err)
	return c.Channels
}

// Pending are the channels that are neither open nor over.
func (n *Node) Pending() *lnrpc.PendingChannelsResponse {
	n.T.Helper()
	p, err := n.LN.PendingChannels(Soon(n.T), &lnrpc.PendingChannelsRequest{})
	require.NoError(n.T, err)
	return p
}

// Line starts nodes and opens a channel of a capacity from each to the next, half of
// it pushed over, known to the first node.
func (w *World) Line(capacity int64, names ...string) ([]*Node, []ChanPoint) {
	w.T.Helper()
	var nodes []*Node
	var points []ChanPoint
	for _, name := range names {
		nodes = append(nodes, w.Node(name))
	}
	for i, n := range nodes[:len(nodes)-1] {
		n.Fund(2*capacity + 1_000_000)
		n.Connect(nodes[i+1])
	}
	for i, n := range nodes[:len(nodes)-1] {
		points = append(points, n.Open(nodes[i+1], capacity, func(r *lnrpc.OpenChannelRequest) { r.PushSat = capacity / 2 }))
	}
	for _, n := range nodes {
		for _, p := range points {
			n.Knows(p)
		}
	}
	return nodes, points
}

// Pair starts two nodes with a channel of a million from the first.
func (w *World) Pair() (alice, bob *Node, point ChanPoint) {
	w.T.Helper()
	alice, bob = w.Node("alice"), w.Node("bob")
	alice.Fund(3_000_000)
	alice.Connect(bob)
	return alice, bob, alice.Open(bob, 1_000_000)
}

// Channels are the open channels.
func (n *Node) Channels() []*lnrpc.Channel {
	n.T.Helper()
	list, err := n.LN.ListChannels(Soon(n.T), &lnrpc.ListChannelsRequest{})
	require.NoError(n.T, err)
	return list.Channels
}

// Unhex reads hex digits.
func Unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	require.NoError(t, err)
	return raw
}
