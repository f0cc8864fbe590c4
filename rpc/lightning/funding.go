package lightning

import (
	"bytes"
	"context"
	"fmt"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Fundings are channels that are not funded one by one from the wallet.
type Fundings interface {
	OpenBatch(context.Context, node.BatchRequest) ([]wire.OutPoint, error)
	VerifyFunding(id lnwire.ChannelID, p *psbt.Packet, skipFinalize bool) error
	FinalizeFunding(id lnwire.ChannelID, p *psbt.Packet, raw *wire.MsgTx) error
	CancelFunding(id lnwire.ChannelID) error
	RegisterFunding(id lnwire.ChannelID, c node.Canned) error
	AbandonChannel(ctx context.Context, funding wire.OutPoint, externOnly bool) error
}

// fundingShim reads where the funding comes from, and the PSBT that it is added to; nil: an
// empty one.
func fundingShim(req *lnrpc.OpenChannelRequest, ask *node.OpenRequest) (base *psbt.Packet, err error) {
	if req.FundingShim == nil {
		return nil, nil
	}
	switch {
	case ask.Max:
		return nil, translate.Mistake("cannot provide a psbt funding shim while committing the maximum wallet balance towards the channel opening")
	case req.SatPerByte != 0 || req.SatPerVbyte != 0 || req.TargetConf != 0:
		return nil, translate.Mistake("specifying fee estimation parameters is not supported for PSBT funding")
	case len(req.Outpoints) > 0:
		return nil, translate.Invalid("outpoints", "the inputs are those of the transaction that funds the channel")
	}
	switch shim := req.FundingShim.Shim.(type) {
	case *lnrpc.FundingShim_PsbtShim:
		return psbtShim(shim.PsbtShim, ask)
	case *lnrpc.FundingShim_ChanPointShim:
		var c node.Canned
		if ask.TempID, c, err = chanPointShim(shim.ChanPointShim); err != nil {
			return nil, err
		}
		if c.Amount != 0 && c.Amount != ask.Capacity {
			return nil, translate.Invalid("funding_shim.amt", "it is not local_funding_amount")
		}
		ask.Canned = &c
		return nil, nil
	}
	return nil, translate.Invalid("funding_shim", "must be a psbt_shim or a chan_point_shim")
}

func psbtShim(shim *lnrpc.PsbtShim, ask *node.OpenRequest) (base *psbt.Packet, err error) {
	id := shim.GetPendingChanId()
	if len(id) != len(ask.TempID) || lnwire.ChannelID(id).IsZero() {
		return nil, translate.Mistake("pending chan ID not set")
	}
	if len(shim.BasePsbt) > 0 {
		if base, err = readPsbt(shim.BasePsbt); err != nil {
			return nil, translate.Mistake("error parsing base PSBT: %w", err)
		}
	}
	ask.TempID, ask.Shim = lnwire.ChannelID(id), &node.Shim{NoPublish: shim.NoPublish}
	return base, nil
}

// chanPointShim reads a funding output that was agreed upon. The texts are lnd's.
func chanPointShim(shim *lnrpc.ChanPointShim) (id lnwire.ChannelID, c node.Canned, err error) {
	local := shim.GetLocalKey()
	switch {
	case len(shim.GetRemoteKey()) == 0:
		return id, c, translate.Mistake("remote key not set")
	case local == nil:
		return id, c, translate.Mistake("local key desc not set")
	case len(local.RawKeyBytes) == 0:
		return id, c, translate.Mistake("local raw key bytes not set")
	case local.KeyLoc == nil:
		return id, c, translate.Mistake("local key loc not set")
	case shim.ChanPoint == nil:
		return id, c, translate.Mistake("chan point not set")
	case len(shim.PendingChanId) != len(id) || lnwire.ChannelID(shim.PendingChanId).IsZero():
		return id, c, translate.Mistake("pending chan ID not set")
	case shim.Musig2:
		return id, c, translate.Invalid("musig2", "channels with a key path are not supported")
	case shim.Amt < 0:
		return id, c, translate.Invalid("amt", "must not be negative")
	case local.KeyLoc.KeyFamily < 0 || local.KeyLoc.KeyIndex < 0:
		return id, c, translate.Invalid("local_key.key_loc", "must not be negative")
	}
	if c.Funding, err = translate.ChannelPoint("chan_point", shim.ChanPoint); err != nil {
		return id, c, err
	}
	if c.Remote, err = translate.PubKey("remote_key", shim.RemoteKey); err != nil {
		return id, c, err
	}
	if c.LocalKey, err = translate.PubKey("local_key.raw_key_bytes", local.RawKeyBytes); err != nil {
		return id, c, err
	}
	c.Local = keys.KeyLoc{Family: uint32(local.KeyLoc.KeyFamily), Index: uint32(local.KeyLoc.KeyIndex)}
	c.Amount, c.Thaw = lnwire.Sat(shim.Amt), shim.ThawHeight
	return lnwire.ChannelID(shim.PendingChanId), c, nil
}

func readPsbt(b []byte) (*psbt.Packet, error) { return psbt.NewFromRawBytes(bytes.NewReader(b), false) }

// readyForPsbt says what is to be paid, as an address and as a PSBT.
func (s *Service) readyForPsbt(ask *node.FundAsked, base *psbt.Packet) (*lnrpc.ReadyForPsbtFunding, error) {
	if base == nil {
		var err error
		if base, err = psbt.New(nil, nil, 2, 0, nil); err != nil {
			return nil, fmt.Errorf("make a PSBT: %w", err)
		}
	}
	base.UnsignedTx.AddTxOut(wire.NewTxOut(int64(ask.Amount), ask.Script))
	base.Outputs = append(base.Outputs, psbt.POutput{})
	var b bytes.Buffer
	if err := base.Serialize(&b); err != nil {
		return nil, fmt.Errorf("write the PSBT: %w", err)
	}
	return &lnrpc.ReadyForPsbtFunding{
		FundingAddress: translate.ScriptAddress(ask.Script, s.node.Net()), FundingAmount: int64(ask.Amount), Psbt: b.Bytes(),
	}, nil
}

// FundingStateStep brings a funding from elsewhere, step by step.
func (s *Service) FundingStateStep(_ context.Context, req *lnrpc.FundingTransitionMsg) (*lnrpc.FundingStateStepResp, error) {
	var err error
	switch step := req.Trigger.(type) {
	case *lnrpc.FundingTransitionMsg_ShimRegister:
		if step.ShimRegister.GetPsbtShim() != nil {
			return nil, translate.Mistake("PSBT shim must only be sent when opening a channel")
		}
		id, c, wrong := chanPointShim(step.ShimRegister.GetChanPointShim())
		if wrong != nil {
			return nil, wrong
		}
		err = s.node.RegisterFunding(id, c)
	case *lnrpc.FundingTransitionMsg_ShimCancel:
		err = s.cancelFunding(step.ShimCancel)
	case *lnrpc.FundingTransitionMsg_PsbtVerify:
		err = s.verifyFunding(step.PsbtVerify)
	case *lnrpc.FundingTransitionMsg_PsbtFinalize:
		err = s.finalizeFunding(step.PsbtFinalize)
	default:
		err = translate.Invalid("trigger", "must be set")
	}
	if err != nil {
		return nil, err
	}
	return &lnrpc.FundingStateStepResp{}, nil
}

func (s *Service) cancelFunding(req *lnrpc.FundingShimCancel) error {
	id, err := translate.Array[lnwire.ChannelID]("pending_chan_id", req.GetPendingChanId())
	if err != nil {
		return err
	}
	return s.node.CancelFunding(id)
}

func (s *Service) verifyFunding(req *lnrpc.FundingPsbtVerify) error {
	id, err := translate.Array[lnwire.ChannelID]("pending_chan_id", req.GetPendingChanId())
	if err != nil {
		return err
	}
	p, err := readPsbt(req.FundedPsbt)
	if err != nil {
		return translate.Mistake("error parsing psbt: %w", err)
	}
	return s.node.VerifyFunding(id, p, req.SkipFinalize)
}

func (s *Service) finalizeFunding(req *lnrpc.FundingPsbtFinalize) error {
	id, err := translate.Array[lnwire.ChannelID]("pending_chan_id", req.GetPendingChanId())
	if err != nil {
		return err
	}
	switch {
	case len(req.SignedPsbt) > 0 && len(req.FinalRawTx) > 0:
		return translate.Mistake("cannot set both signed PSBT and final raw TX at the same time")
	case len(req.SignedPsbt) > 0:
		p, err := readPsbt(req.SignedPsbt)
		if err != nil {
			return translate.Mistake("error parsing psbt: %w", err)
		}
		return s.node.FinalizeFunding(id, p, nil)
	case len(req.FinalRawTx) > 0:
		tx := &wire.MsgTx{}
		if err := tx.Deserialize(bytes.NewReader(req.FinalRawTx)); err != nil {
			return translate.Mistake("error parsing final raw TX: %w", err)
		}
		return s.node.FinalizeFunding(id, nil, tx)
	}
	return translate.Mistake("PSBT or raw transaction to finalize missing")
}

// BatchOpenChannel opens channels with one transaction.
func (s *Service) BatchOpenChannel(ctx context.Context, req *lnrpc.BatchOpenChannelRequest) (*lnrpc.BatchOpenChannelResponse, error) {
	if len(req.Channels) == 0 {
		return nil, translate.Mistake("specify at least one channel")
	}
	if req.SatPerVbyte < 0 {
		return nil, translate.Invalid("sat_per_vbyte", "must not be negative")
	}
	batch := node.BatchRequest{Label: req.Label}
	var err error
	if batch.FeeRate, batch.Target, err = translate.FeeRate(uint64(req.SatPerVbyte), 0, req.TargetConf); err != nil {
		return nil, err
	}
	if batch.MinConfs, err = translate.MinConfs(req.MinConfs, req.SpendUnconfirmed); err != nil {
		return nil, err
	}
	if len(req.Label) > maxMemo {
		return nil, translate.Invalid("label", "longer than %d bytes", maxMemo)
	}
	if req.CoinSelectionStrategy != lnrpc.CoinSelectionStrategy_STRATEGY_USE_GLOBAL_CONFIG {
		return nil, translate.Invalid("coin_selection_strategy", "%v is not supported", req.CoinSelectionStrategy)
	}
	for i, c := range req.Channels {
		ask, err := s.batchChannel(c)
		if err != nil {
			return nil, translate.Mistake("batch funding failed: error parsing channel %d: %w", i, err)
		}
		batch.Channels = append(batch.Channels, ask)
	}
	points, err := s.node.OpenBatch(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("batch funding failed: %w", err)
	}
	out := &lnrpc.BatchOpenChannelResponse{}
	for _, p := range points {
		out.PendingChannels = append(out.PendingChannels, &lnrpc.PendingUpdate{Txid: p.Hash[:], OutputIndex: p.Index})
	}
	return out, nil
}

// batchChannel reads one channel of a batch, as if it was asked for alone.
func (s *Service) batchChannel(c *lnrpc.BatchOpenChannel) (ask node.OpenRequest, err error) {
	if c == nil {
		return ask, translate.Invalid("channels", "must be set")
	}
	ask, err = s.openRequest(&lnrpc.OpenChannelRequest{
		NodePubkey: c.NodePubkey, LocalFundingAmount: c.LocalFundingAmount, PushSat: c.PushSat, Private: c.Private,
		MinHtlcMsat: c.MinHtlcMsat, RemoteCsvDelay: c.RemoteCsvDelay, CloseAddress: c.CloseAddress, CommitmentType: c.CommitmentType,
		RemoteMaxValueInFlightMsat: c.RemoteMaxValueInFlightMsat, RemoteMaxHtlcs: c.RemoteMaxHtlcs, MaxLocalCsv: c.MaxLocalCsv,
		ZeroConf: c.ZeroConf, ScidAlias: c.ScidAlias, BaseFee: c.BaseFee, FeeRate: c.FeeRate, UseBaseFee: c.UseBaseFee,
		UseFeeRate: c.UseFeeRate, RemoteChanReserveSat: c.RemoteChanReserveSat, Memo: c.Memo,
	})
	if err == nil && len(c.PendingChanId) > 0 {
		ask.TempID, err = translate.Array[lnwire.ChannelID]("pending_chan_id", c.PendingChanId)
	}
	return ask, err
}

// AbandonChannel forgets a channel.
func (s *Service) AbandonChannel(ctx context.Context, req *lnrpc.AbandonChannelRequest) (*lnrpc.AbandonChannelResponse, error) {
	if !req.IKnowWhatIAmDoing && !req.PendingFundingShimOnly {
		return nil, status.Error(codes.FailedPrecondition, "AbandonChannel RPC call only available in dev builds")
	}
	op, err := translate.ChannelPoint("channel_point", req.ChannelPoint)
	if err != nil {
		return nil, err
	}
	if err := s.node.AbandonChannel(ctx, op, !req.IKnowWhatIAmDoing); err != nil {
		return nil, err
	}
	return &lnrpc.AbandonChannelResponse{Status: fmt.Sprintf("channel %v abandoned", op)}, nil
}
