package interop

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// spoken is a node that speaks lnrpc: ours, or lnd.
type spoken struct {
	n       *rig.Node
	version string
	lacks   map[Ability]bool
	hints   bool        // invoices tell the private channels
	usual   ChannelType // of the channels that it opens when nothing is asked for
}

func (p *spoken) Name() string          { return p.n.Name }
func (p *spoken) Version() string       { return p.version }
func (p *spoken) ID() string            { return p.n.ID }
func (p *spoken) Addr() string          { return p.n.P2P }
func (p *spoken) Offers(a Ability) bool { return !p.lacks[a] }

func (p *spoken) ln() lnrpc.LightningClient        { return lnrpc.NewLightningClient(p.n.API()) }
func (p *spoken) router() routerrpc.RouterClient   { return routerrpc.NewRouterClient(p.n.API()) }
func (p *spoken) held() invoicesrpc.InvoicesClient { return invoicesrpc.NewInvoicesClient(p.n.API()) }

func (p *spoken) Start(context.Context) error {
	p.n.Start()
	return nil
}

func (p *spoken) Stop(_ context.Context, kill bool) error {
	if kill {
		p.n.Kill()
	} else {
		p.n.Stop()
	}
	return nil
}

func (p *spoken) Connect(ctx context.Context, id, addr string) error {
	_, err := p.ln().ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: id, Host: addr}})
	if err != nil && !strings.Contains(err.Error(), "already connected") {
		return err
	}
	return until(ctx, func() (bool, error) { return p.Connected(ctx, id) })
}

func (p *spoken) Disconnect(ctx context.Context, id string) error {
	_, err := p.ln().DisconnectPeer(ctx, &lnrpc.DisconnectPeerRequest{PubKey: id})
	return err
}

func (p *spoken) Connected(ctx context.Context, id string) (bool, error) {
	list, err := p.ln().ListPeers(ctx, &lnrpc.ListPeersRequest{})
	for _, other := range list.GetPeers() {
		if other.PubKey == id {
			return true, nil
		}
	}
	return false, err
}

func (p *spoken) Height(ctx context.Context) (int32, error) {
	i, err := p.ln().GetInfo(ctx, &lnrpc.GetInfoRequest{})
	if err != nil || !i.SyncedToChain {
		return -1, err
	}
	return int32(i.BlockHeight), nil
}

func (p *spoken) Address(ctx context.Context) (string, error) {
	a, err := p.ln().NewAddress(ctx, &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_WITNESS_PUBKEY_HASH})
	return a.GetAddress(), err
}

func (p *spoken) Wallet(ctx context.Context) (Wallet, error) {
	b, err := p.ln().WalletBalance(ctx, &lnrpc.WalletBalanceRequest{})
	return Wallet{Confirmed: b.GetConfirmedBalance(), Total: b.GetTotalBalance()}, err
}

var commitmentTypes = map[ChannelType]lnrpc.CommitmentType{Anchors: lnrpc.CommitmentType_ANCHORS, Static: lnrpc.CommitmentType_STATIC_REMOTE_KEY}

func (p *spoken) Open(ctx context.Context, to string, o Opening) (string, error) {
	key, err := hex.DecodeString(to)
	if err != nil {
		return "", err
	}
	req := &lnrpc.OpenChannelRequest{
		NodePubkey: key, LocalFundingAmount: o.Capacity, PushSat: o.Push, Private: o.Private, ZeroConf: o.ZeroConf, ScidAlias: o.Alias,
	}
	if o.Type != p.usual || o.ZeroConf || o.Alias {
		req.CommitmentType = commitmentTypes[o.Type]
	}
	stream, err := p.ln().OpenChannel(ctx, req)
	if err != nil {
		return "", err
	}
	u, err := stream.Recv()
	if err != nil {
		return "", err
	}
	pending := u.GetChanPending()
	if pending == nil {
		return "", fmt.Errorf("the opening begins with %v", u)
	}
	return string(rig.PointOf(pending.Txid, pending.OutputIndex)), nil
}

func (p *spoken) Channels(ctx context.Context) ([]Channel, error) {
	list, err := p.ln().ListChannels(ctx, &lnrpc.ListChannelsRequest{})
	if err != nil {
		return nil, err
	}
	var out []Channel
	for _, c := range list.Channels {
		cc := Channel{
			Point: c.ChannelPoint, SCID: c.ChanId, Peer: c.RemotePubkey, Opener: c.Initiator, Private: c.Private, Active: c.Active,
			Capacity: c.Capacity, LocalMsat: c.LocalBalance * 1000, RemoteMsat: c.RemoteBalance * 1000, HTLCs: len(c.PendingHtlcs),
		}
		for t, lt := range commitmentTypes {
			if lt == c.CommitmentType {
				cc.Type = t
			}
		}
		if c.Initiator {
			cc.LocalMsat += openersCost(c) * 1000
		} else {
			cc.RemoteMsat += openersCost(c) * 1000
		}
		out = append(out, cc)
	}
	return out, nil
}

// perKW is a commitment's feerate.
func (p *spoken) perKW(ctx context.Context, point string) (int64, error) {
	list, err := p.ln().ListChannels(ctx, &lnrpc.ListChannelsRequest{})
	for _, c := range list.GetChannels() {
		if c.ChannelPoint == point {
			return c.FeePerKw, nil
		}
	}
	return 0, err
}

// openersCost is what the opener pays for the commitment. From the rate, because what
// lnd calls the fee also has in it what was too little for an output.
func openersCost(c *lnrpc.Channel) int64 {
	weight, anchors := int64(724), int64(0)
	if c.CommitmentType == lnrpc.CommitmentType_ANCHORS {
		weight, anchors = 1124, 660
	}
	return c.FeePerKw*weight/1000 + anchors
}

func (p *spoken) Owns(ctx context.Context) (int64, error) {
	b, err := p.ln().ChannelBalance(ctx, &lnrpc.ChannelBalanceRequest{})
	if err != nil {
		return 0, err
	}
	list, err := p.ln().ListChannels(ctx, &lnrpc.ListChannelsRequest{})
	if err != nil {
		return 0, err
	}
	msat := int64(b.LocalBalance.GetMsat())
	for _, c := range list.Channels {
		if c.Initiator {
			msat += openersCost(c) * 1000
		}
	}
	return msat, nil
}

func (p *spoken) Close(ctx context.Context, point string, force bool) error {
	stream, err := p.ln().CloseChannel(ctx, &lnrpc.CloseChannelRequest{ChannelPoint: rig.ChanPoint(point).Proto(), Force: force})
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

func (p *spoken) Closing(ctx context.Context) (int, error) {
	l, err := p.ln().PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
	return len(l.GetWaitingCloseChannels()) + len(l.GetPendingForceClosingChannels()), err
}

func (p *spoken) Invoice(ctx context.Context, msat int64, memo string) (Invoice, error) {
	a, err := p.ln().AddInvoice(ctx, &lnrpc.Invoice{ValueMsat: msat, Memo: memo, Private: p.hints})
	if err != nil {
		return Invoice{}, err
	}
	return Invoice{Bolt11: a.PaymentRequest, Hash: [32]byte(a.RHash)}, nil
}

func (p *spoken) Hold(ctx context.Context, msat int64, hash [32]byte) (Invoice, error) {
	a, err := p.held().AddHoldInvoice(ctx, &invoicesrpc.AddHoldInvoiceRequest{Hash: hash[:], ValueMsat: msat})
	return Invoice{Bolt11: a.GetPaymentRequest(), Hash: hash}, err
}

func (p *spoken) Settle(ctx context.Context, preimage [32]byte) error {
	_, err := p.held().SettleInvoice(ctx, &invoicesrpc.SettleInvoiceMsg{Preimage: preimage[:]})
	return err
}

func (p *spoken) Cancel(ctx context.Context, hash [32]byte) error {
	_, err := p.held().CancelInvoice(ctx, &invoicesrpc.CancelInvoiceMsg{PaymentHash: hash[:]})
	return err
}

func (p *spoken) Received(ctx context.Context, hash [32]byte) (Receipt, error) {
	inv, err := p.ln().LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: hash[:]})
	if err != nil {
		if strings.Contains(err.Error(), "unable to locate invoice") {
			return Receipt{State: Unknown}, nil
		}
		return Receipt{}, err
	}
	r := Receipt{Msat: inv.AmtPaidMsat}
	for _, h := range inv.Htlcs {
		if h.State == lnrpc.InvoiceHTLCState_SETTLED {
			r.Parts++
		}
	}
	switch inv.State {
	case lnrpc.Invoice_OPEN:
		r.State = Open
	case lnrpc.Invoice_ACCEPTED:
		r.State = Held
	case lnrpc.Invoice_SETTLED:
		r.State = Settled
	case lnrpc.Invoice_CANCELED:
		r.State = Canceled
	}
	return r, nil
}

func (p *spoken) Pay(ctx context.Context, bolt11 string, o Paying) (Payment, error) {
	req := rig.PayRequest(bolt11)
	req.AmtMsat, req.MaxParts, req.MaxShardSizeMsat = o.PayMsat, uint32(o.Parts), uint64(o.MaxPart)
	if o.FeeMsat > 0 {
		req.FeeLimitMsat = o.FeeMsat
	}
	return p.send(ctx, req)
}

func (p *spoken) Keysend(ctx context.Context, to string, msat int64) (Payment, error) {
	dest, err := hex.DecodeString(to)
	if err != nil {
		return Payment{}, err
	}
	preimage := make([]byte, 32)
	_, _ = rand.Read(preimage)
	hash := sha256.Sum256(preimage)
	req := rig.PayRequest("")
	req.Dest, req.AmtMsat, req.PaymentHash = dest, msat, hash[:]
	req.DestCustomRecords = map[uint64][]byte{5482373484: preimage}
	req.DestFeatures = []lnrpc.FeatureBit{lnrpc.FeatureBit_TLV_ONION_REQ}
	req.FinalCltvDelta = 80
	return p.send(ctx, req)
}

func (p *spoken) send(ctx context.Context, req *routerrpc.SendPaymentRequest) (Payment, error) {
	stream, err := p.router().SendPaymentV2(ctx, req)
	if err != nil {
		return Payment{}, err
	}
	last, err := lastOf(stream)
	return paymentOf(last), err
}

// lastOf is the end of a stream of payments.
func lastOf(stream grpc.ServerStreamingClient[lnrpc.Payment]) (last *lnrpc.Payment, err error) {
	for {
		next, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && last != nil:
			return last, nil
		case err != nil:
			return nil, err
		}
		last = next
	}
}

func (p *spoken) Sent(ctx context.Context, hash [32]byte) (Payment, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.router().TrackPaymentV2(ctx, &routerrpc.TrackPaymentRequest{PaymentHash: hash[:]})
	if err != nil {
		return Payment{}, err
	}
	first, err := stream.Recv()
	if status.Code(err) == codes.NotFound {
		return Payment{State: Unknown, Hash: hash}, nil
	}
	return paymentOf(first), err
}

func paymentOf(p *lnrpc.Payment) Payment {
	out := Payment{State: InFlight, FeeMsat: p.GetFeeMsat()}
	hash, _ := hex.DecodeString(p.GetPaymentHash())
	copy(out.Hash[:], hash)
	switch p.GetStatus() {
	case lnrpc.Payment_SUCCEEDED:
		out.State = Succeeded
		preimage, _ := hex.DecodeString(p.PaymentPreimage)
		copy(out.Preimage[:], preimage)
	case lnrpc.Payment_FAILED:
		out.State, out.Reason = Failed, p.FailureReason.String()
	case lnrpc.Payment_IN_FLIGHT, lnrpc.Payment_INITIATED:
	}
	for _, h := range p.GetHtlcs() {
		if h.Status == lnrpc.HTLCAttempt_SUCCEEDED {
			out.Parts++
		}
		if h.Failure != nil {
			out.Failures = append(out.Failures, strings.ToLower(h.Failure.Code.String()))
		}
	}
	return out
}

func (p *spoken) SetPolicy(ctx context.Context, point string, o Policy) error {
	req := &lnrpc.PolicyUpdateRequest{
		Scope:       &lnrpc.PolicyUpdateRequest_ChanPoint{ChanPoint: rig.ChanPoint(point).Proto()},
		BaseFeeMsat: o.BaseMsat, FeeRatePpm: uint32(o.PPM), TimeLockDelta: o.Delta,
		MinHtlcMsat: uint64(o.MinMsat), MinHtlcMsatSpecified: o.MinMsat > 0, MaxHtlcMsat: uint64(o.MaxMsat),
	}
	resp, err := p.ln().UpdateChannelPolicy(ctx, req)
	if err == nil && len(resp.FailedUpdates) > 0 {
		return fmt.Errorf("failed updates: %v", resp.FailedUpdates)
	}
	return err
}

func (p *spoken) Edge(ctx context.Context, scid uint64) (*Edge, error) {
	e, err := p.ln().GetChanInfo(ctx, &lnrpc.ChanInfoRequest{ChanId: scid})
	if err != nil {
		if strings.Contains(err.Error(), "edge not found") {
			return nil, nil
		}
		return nil, err
	}
	out := &Edge{Capacity: e.Capacity, Policies: map[string]Policy{}}
	for id, q := range map[string]*lnrpc.RoutingPolicy{e.Node1Pub: e.Node1Policy, e.Node2Pub: e.Node2Policy} {
		if q != nil {
			out.Policies[id] = Policy{
				BaseMsat: q.FeeBaseMsat, PPM: q.FeeRateMilliMsat, Delta: q.TimeLockDelta,
				MinMsat: q.MinHtlc, MaxMsat: int64(q.MaxHtlcMsat), Disabled: q.Disabled,
			}
		}
	}
	return out, nil
}

func (p *spoken) Alias(ctx context.Context, id string) (string, error) {
	i, err := p.ln().GetNodeInfo(ctx, &lnrpc.NodeInfoRequest{PubKey: id})
	if err != nil && strings.Contains(err.Error(), "unable to find node") {
		return "", nil
	}
	return i.GetNode().GetAlias(), err
}
