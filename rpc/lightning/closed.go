package lightning

import (
	"context"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// ClosedChannels lists the channels that are over.
func (s *Service) ClosedChannels(_ context.Context, req *lnrpc.ClosedChannelsRequest) (*lnrpc.ClosedChannelsResponse, error) {
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
	out := &lnrpc.ClosedChannelsResponse{}
	for from := uint64(0); ; {
		rows, err := s.node.ClosedChannels(from, readPage)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			from = rows[i].ChanNum + 1
			if m := s.summary(&rows[i]); all || wanted[m.CloseType] {
				out.Channels = append(out.Channels, m)
			}
		}
		if len(rows) < readPage {
			return out, nil
		}
	}
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
	if spend.Kind == channel.SpentByUs {
		row.Kind, row.Settled, row.TimeLock = channel.ClosedByUs, lnwire.Sat(0), ours
	}
	return s.summary(&row)
}
