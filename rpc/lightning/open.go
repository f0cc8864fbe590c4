package lightning

import (
	"context"
	"errors"
	"math"

	"github.com/btcsuite/btcd/psbt/v2"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// OpenChannel opens a channel and reports how it goes.
func (s *Service) OpenChannel(req *lnrpc.OpenChannelRequest, out lnrpc.Lightning_OpenChannelServer) error {
	ask, err := s.openRequest(req)
	if err != nil {
		return err
	}
	base, err := fundingShim(req, &ask)
	if err != nil {
		return err
	}
	updates, err := s.node.OpenChannel(out.Context(), ask)
	if err != nil {
		return err
	}
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return errStreamEnded
			}
			if u.Err != nil {
				return u.Err
			}
			m, err := s.openStatus(u, base)
			if err != nil {
				return err
			}
			if err := out.Send(m); err != nil || u.Open {
				return err
			}
		case <-out.Context().Done():
			return status.FromContextError(out.Context().Err()).Err()
		}
	}
}

// errStreamEnded: the node ended without saying how it went.
var errStreamEnded = errors.New("server is shutting down")

// openStatus is a step of the opening; base is what the funding output is added to.
func (s *Service) openStatus(u node.OpenUpdate, base *psbt.Packet) (*lnrpc.OpenStatusUpdate, error) {
	m := &lnrpc.OpenStatusUpdate{PendingChanId: u.TempID[:]}
	switch {
	case u.Fund != nil:
		fund, err := s.readyForPsbt(u.Fund, base)
		if err != nil {
			return nil, err
		}
		m.Update = &lnrpc.OpenStatusUpdate_PsbtFund{PsbtFund: fund}
	case u.Open:
		m.Update = &lnrpc.OpenStatusUpdate_ChanOpen{ChanOpen: &lnrpc.ChannelOpenUpdate{ChannelPoint: translate.Point(u.Funding)}}
	default:
		m.Update = &lnrpc.OpenStatusUpdate_ChanPending{ChanPending: &lnrpc.PendingUpdate{Txid: u.Funding.Hash[:], OutputIndex: u.Funding.Index}}
	}
	return m, nil
}

// OpenChannelSync opens a channel and returns when its funding is on its way.
func (s *Service) OpenChannelSync(ctx context.Context, req *lnrpc.OpenChannelRequest) (*lnrpc.ChannelPoint, error) {
	if req.FundingShim.GetPsbtShim() != nil {
		return nil, translate.Invalid("funding_shim", "a psbt_shim only with OpenChannel, which tells what the funding has to pay")
	}
	ask, err := s.openRequest(req)
	if err != nil {
		return nil, err
	}
	if _, err = fundingShim(req, &ask); err != nil {
		return nil, err
	}
	updates, err := s.node.OpenChannel(ctx, ask)
	if err != nil {
		return nil, err
	}
	select {
	case u, ok := <-updates:
		switch {
		case !ok:
			return nil, errStreamEnded
		case u.Err != nil:
			return nil, u.Err
		}
		return translate.Point(u.Funding), nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// maxHTLCs is how many HTLCs either side can have in flight (BOLT 2).
const maxHTLCs = 483

// maxMemo is the longest note on a channel.
const maxMemo = 500

// openRequest reads what channel is wanted.
func (s *Service) openRequest(req *lnrpc.OpenChannelRequest) (ask node.OpenRequest, err error) {
	if ask.Peer, err = peerOf(req); err != nil {
		return ask, err
	}
	if ask.Capacity, err = translate.Sats("local_funding_amount", req.LocalFundingAmount); err != nil {
		return ask, err
	}
	ask.Max = req.FundMax
	switch {
	case ask.Max && ask.Capacity != 0:
		return ask, translate.Invalid("local_funding_amount", "must not be set with fund_max")
	case !ask.Max && ask.Capacity == 0:
		return ask, translate.Invalid("local_funding_amount", "must be set")
	}
	push, err := translate.Sats("push_sat", req.PushSat)
	if err != nil {
		return ask, err
	}
	ask.Push = push.MilliSat()
	if ask.FeeRate, ask.Target, err = translate.FeeRate(req.SatPerVbyte, req.SatPerByte, req.TargetConf); err != nil {
		return ask, err
	}
	if ask.MinConfs, err = translate.MinConfs(req.MinConfs, req.SpendUnconfirmed); err != nil {
		return ask, err
	}
	if ask.Coins, err = translate.OutPoints("outpoints", req.Outpoints); err != nil {
		return ask, err
	}
	if ask.Format, err = format(req.CommitmentType); err != nil {
		return ask, err
	}
	if req.CloseAddress != "" {
		if ask.Close, err = translate.Script("close_address", req.CloseAddress, s.node.Net()); err != nil {
			return ask, err
		}
	}
	return ask, openLimits(req, &ask)
}

func peerOf(req *lnrpc.OpenChannelRequest) (lnwire.PubKey, error) {
	switch {
	case len(req.NodePubkey) > 0:
		return translate.PubKey("node_pubkey", req.NodePubkey)
	case req.NodePubkeyString != "":
		return translate.PubKeyHex("node_pubkey_string", req.NodePubkeyString)
	}
	return lnwire.PubKey{}, translate.Invalid("node_pubkey", "must be set")
}

func format(t lnrpc.CommitmentType) (commitment.Format, error) {
	switch t {
	case lnrpc.CommitmentType_UNKNOWN_COMMITMENT_TYPE:
		return 0, nil
	case lnrpc.CommitmentType_STATIC_REMOTE_KEY:
		return commitment.StaticRemoteKey, nil
	case lnrpc.CommitmentType_ANCHORS:
		return commitment.Anchors, nil
	}
	return 0, translate.Invalid("commitment_type", "%v is not supported", t)
}

// openLimits reads the limits and the policy of the channel.
func openLimits(req *lnrpc.OpenChannelRequest, ask *node.OpenRequest) error {
	switch {
	case req.MinHtlcMsat < 0:
		return translate.Invalid("min_htlc_msat", "must not be negative")
	case req.MaxLocalCsv > math.MaxUint16:
		return translate.Invalid("max_local_csv", "%d is above 65535", req.MaxLocalCsv)
	case req.RemoteCsvDelay > math.MaxUint16:
		return translate.Invalid("remote_csv_delay", "%d is above 65535", req.RemoteCsvDelay)
	case req.RemoteMaxHtlcs > maxHTLCs:
		return translate.Mistake("remote-max-htlcs (%d) cannot be greater than %d", req.RemoteMaxHtlcs, maxHTLCs)
	case req.BaseFee > math.MaxUint32 || req.FeeRate > math.MaxUint32:
		return translate.Invalid("base_fee", "base_fee and fee_rate must fit into 32 bits")
	case len(req.Memo) > maxMemo:
		return translate.Mistake("provided memo (%s) is of length %d, exceeds %d", req.Memo, len(req.Memo), maxMemo)
	}
	ask.MaxDelay = uint16(req.MaxLocalCsv)
	ask.ScidAlias, ask.ZeroConf = req.ScidAlias, req.ZeroConf
	ask.Private, ask.Memo, ask.ToDelay = req.Private, req.Memo, uint16(req.RemoteCsvDelay)
	ask.MinHTLC, ask.InFlight = lnwire.MilliSat(req.MinHtlcMsat), lnwire.MilliSat(req.RemoteMaxValueInFlightMsat)
	ask.MaxHTLCs, ask.Reserve = uint16(req.RemoteMaxHtlcs), lnwire.Sat(req.RemoteChanReserveSat)
	if req.UseBaseFee {
		v := uint32(req.BaseFee)
		ask.FeeBase = &v
	}
	if req.UseFeeRate {
		v := uint32(req.FeeRate)
		ask.FeePPM = &v
	}
	return nil
}
