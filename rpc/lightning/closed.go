package lightning

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// ClosedChannels lists the channels that are over.
func (s *Service) ClosedChannels(ctx context.Context, req *lnrpc.ClosedChannelsRequest) (*lnrpc.ClosedChannelsResponse, error) {
	wanted := map[lnrpc.ChannelCloseSummary_ClosureType]bool{
		lnrpc.ChannelCloseSummary_COOPERATIVE_CLOSE:  req.Cooperative,
		lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE:  req.LocalForce,
		lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE: req.RemoteForce,
		lnrpc.ChannelCloseSummary_BREACH_CLOSE:       req.Breach,
		lnrpc.ChannelCloseSummary_FUNDING_CANCELED:   req.FundingCanceled,
		lnrpc.ChannelCloseSummary_ABANDONED:          req.Abandoned,
	}
	all := true
	for _, on := range wanted {
		all = all && !on
	}
	pending, err := s.unsettled(ctx)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.ClosedChannelsResponse{}
	for from := uint64(0); ; {
		rows, err := s.node.ClosedChannels(from, readPage)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			from = rows[i].ChanNum + 1
			if m := s.summary(&rows[i]); !pending[rows[i].ChanNum] && (all || wanted[m.CloseType]) {
				out.Channels = append(out.Channels, m)
			}
		}
		if len(rows) < readPage {
			return out, nil
		}
	}
}

// unsettled are the forced closes of which PendingChannels tells.
func (s *Service) unsettled(ctx context.Context) (map[uint64]bool, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	out, tip := map[uint64]bool{}, s.node.Tip().Height
	for i := range list {
		if c := &list[i]; forced(c) && !settled(c, tip) {
			out[c.Terms.ChanNum] = true
		}
	}
	return out, nil
}

func (s *Service) summary(r *channel.ClosedRow) *lnrpc.ChannelCloseSummary {
	out := &lnrpc.ChannelCloseSummary{
		ChannelPoint: r.Funding.String(), ChanId: uint64(r.SCID), ChainHash: s.node.Net().GenesisHash.String(),
		RemotePubkey: r.Peer.String(), Capacity: int64(r.Capacity), CloseHeight: uint32(r.At.Height),
		ClosingTxHash:  r.CloseTxid.String(), // zeros if there was none, as in lnd
		SettledBalance: int64(r.Settled), TimeLockedBalance: int64(r.TimeLock),
		OpenInitiator: initiator(r.Funder), CloseInitiator: initiator(r.WeClosed),
	}
	switch r.Kind {
	case channel.ClosedMutual:
		out.CloseType = lnrpc.ChannelCloseSummary_COOPERATIVE_CLOSE
	case channel.ClosedByUs:
		out.CloseType = lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE
	case channel.ClosedByThem:
		out.CloseType = lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE
	case channel.ClosedBreach:
		out.CloseType = lnrpc.ChannelCloseSummary_BREACH_CLOSE
	case channel.ClosedUnfunded:
		out.CloseType = lnrpc.ChannelCloseSummary_FUNDING_CANCELED
		out.CloseInitiator = lnrpc.Initiator_INITIATOR_UNKNOWN
	case channel.ClosedAbandoned:
		out.CloseType = lnrpc.ChannelCloseSummary_ABANDONED
		out.CloseInitiator = lnrpc.Initiator_INITIATOR_UNKNOWN
	}
	if r.Alias != 0 {
		out.AliasScids = []uint64{uint64(r.Alias)}
	}
	if r.ZeroConf {
		out.ZeroConfConfirmedScid = uint64(r.SCID)
	}
	for i := range r.Resolutions {
		out.Resolutions = append(out.Resolutions, resolution(&r.Resolutions[i]))
	}
	return out
}

// resolution is what became of an output of a commitment.
func resolution(r *channel.Resolution) *lnrpc.Resolution {
	out := &lnrpc.Resolution{Outpoint: translate.OutPoint(r.OutPoint), AmountSat: uint64(r.Value)}
	switch r.Kind {
	case channel.ResolvedBalance:
		out.ResolutionType = lnrpc.ResolutionType_COMMIT
	case channel.ResolvedAnchor:
		out.ResolutionType = lnrpc.ResolutionType_ANCHOR
	case channel.ResolvedIncoming:
		out.ResolutionType = lnrpc.ResolutionType_INCOMING_HTLC
	case channel.ResolvedOutgoing:
		out.ResolutionType = lnrpc.ResolutionType_OUTGOING_HTLC
	}
	switch r.End {
	case channel.EndClaimed:
		out.Outcome = lnrpc.ResolutionOutcome_CLAIMED
	case channel.EndFirstStage:
		out.Outcome = lnrpc.ResolutionOutcome_FIRST_STAGE
	case channel.EndLost:
		out.Outcome = lnrpc.ResolutionOutcome_UNCLAIMED
	case channel.EndOpen:
		out.Outcome = lnrpc.ResolutionOutcome_OUTCOME_UNKNOWN
	}
	if r.Txid != (chainhash.Hash{}) {
		out.SweepTxid = r.Txid.String()
	}
	return out
}

// spentSummary is the summary of a channel whose commitment is in the chain and which
// has no row yet.
func (s *Service) spentSummary(c *channel.Info) *lnrpc.ChannelCloseSummary {
	spend := c.Core.Spend
	row := channel.ClosedRow{
		Peer: c.Terms.Peer, Funding: c.Core.Funding, SCID: c.Core.SCID, Capacity: c.Terms.Capacity, Funder: c.Terms.Funder,
		WeClosed: c.Core.WeClosed, CloseTxid: spend.Tx.TxHash(), At: spend.Place.At, Kind: channel.ClosedByThem,
	}
	ours, _ := balances(c)
	row.Settled = ours
	switch spend.Kind {
	case channel.SpentByUs:
		row.Kind, row.Settled, row.TimeLock = channel.ClosedByUs, lnwire.Sat(0), ours
	case channel.SpentByRevoked:
		row.Kind = channel.ClosedBreach
	case channel.SpentByThem, channel.SpentByUnknown, channel.SpentByMutual:
	}
	return s.summary(&row)
}
