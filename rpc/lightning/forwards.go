package lightning

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc/status"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// maxForwards is the largest page of forwards. Who asks for more gets so many, as from lnd:
// wallets ask for millions and mean all.
const maxForwards = 50_000

// ForwardingHistory is a page of the forwards that were paid for, from old to new.
func (s *Service) ForwardingHistory(ctx context.Context, req *lnrpc.ForwardingHistoryRequest) (*lnrpc.ForwardingHistoryResponse, error) {
	if len(req.IncomingChanIds)+len(req.OutgoingChanIds) > maxFilter {
		return nil, translate.Invalid("incoming_chan_ids", "with outgoing_chan_ids there are more than %d", maxFilter)
	}
	q := node.ForwardQuery{
		From: unixTime(req.StartTime), To: unixTime(req.EndTime), Skip: uint64(req.IndexOffset),
		In: shortIDs(req.IncomingChanIds), Out: shortIDs(req.OutgoingChanIds),
	}
	names := peerNames{s: s, known: map[lnwire.PubKey]string{}}
	if req.PeerAliasLookup {
		var err error
		if names.peers, err = s.peersBySCID(ctx); err != nil {
			return nil, err
		}
	}
	out := &lnrpc.ForwardingHistoryResponse{LastOffsetIndex: req.IndexOffset}
	for left := pageSize(uint64(min(req.NumMaxEvents, maxForwards))); left > 0; {
		if err := ctx.Err(); err != nil {
			return nil, status.FromContextError(err).Err()
		}
		q.Limit = min(readPage, left)
		rows, err := s.node.Forwards(q)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			f := &rows[i]
			m := forwardEvent(f)
			m.PeerAliasIn, m.PeerAliasOut = names.of(f.InSCID), names.of(f.OutSCID)
			out.ForwardingEvents = append(out.ForwardingEvents, m)
		}
		if left -= len(rows); len(rows) < q.Limit {
			break
		}
		q.After, q.Skip = rows[len(rows)-1].Cursor, 0
	}
	out.LastOffsetIndex += uint32(len(out.ForwardingEvents))
	return out, nil
}

// maxFilter bounds the channels of a filter.
const maxFilter = 10_000

func shortIDs(ids []uint64) []lnwire.ShortChannelID {
	list := make([]lnwire.ShortChannelID, len(ids))
	for i, id := range ids {
		list[i] = lnwire.ShortChannelID(id)
	}
	return list
}

// unixTime reads seconds; 0 is no time.
func unixTime(sec uint64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(int64(min(sec, math.MaxInt32*4)), 0)
}

func forwardEvent(f *node.Forward) *lnrpc.ForwardingEvent {
	in, out := f.In.ID, f.Out.ID
	return &lnrpc.ForwardingEvent{
		Timestamp: uint64(translate.Unix(f.SettledAt)), TimestampNs: uint64(translate.UnixNano(f.SettledAt)),
		ChanIdIn: uint64(f.InSCID), ChanIdOut: uint64(f.OutSCID),
		AmtIn: uint64(f.AmountIn.Sat()), AmtOut: uint64(f.AmountOut.Sat()), AmtInMsat: uint64(f.AmountIn), AmtOutMsat: uint64(f.AmountOut),
		Fee: uint64(f.Fee().Sat()), FeeMsat: uint64(f.Fee()), IncomingHtlcId: &in, OutgoingHtlcId: &out,
	}
}

// peerNames are the names of the peers, by our channels with them.
type peerNames struct {
	s     *Service
	peers map[lnwire.ShortChannelID]lnwire.PubKey
	known map[lnwire.PubKey]string
}

// of is the name of a channel's peer; empty when there is none, or nobody asked.
func (n peerNames) of(id lnwire.ShortChannelID) string {
	peer, ok := n.peers[id]
	if !ok {
		return ""
	}
	name, ok := n.known[peer]
	if !ok {
		name = n.s.alias(peer)
		n.known[peer] = name
	}
	return name
}

// peersBySCID are the peers of our channels, also of those that are over.
func (s *Service) peersBySCID(ctx context.Context) (map[lnwire.ShortChannelID]lnwire.PubKey, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	out := map[lnwire.ShortChannelID]lnwire.PubKey{}
	for from, more := uint64(0), true; more; {
		rows, err := s.node.ClosedChannels(from, readPage)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			from = rows[i].ChanNum + 1
			out[rows[i].SCID] = rows[i].Peer
		}
		more = len(rows) == readPage
	}
	for i := range list {
		out[list[i].Name()] = list[i].Terms.Peer
	}
	return out, nil
}

// FeeReport tells what we ask for forwarding, and what it brought.
func (s *Service) FeeReport(ctx context.Context, _ *lnrpc.FeeReportRequest) (*lnrpc.FeeReportResponse, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.FeeReportResponse{}
	for i := range list {
		c := &list[i]
		if !listed(c) {
			continue
		}
		p := c.Policy
		out.ChannelFees = append(out.ChannelFees, &lnrpc.ChannelFeeReport{
			ChanId: uint64(c.Name()), ChannelPoint: c.Core.Funding.String(), BaseFeeMsat: int64(p.FeeBase), FeePerMil: int64(p.FeePPM),
			FeeRate: float64(p.FeePPM) / ppm, InboundBaseFeeMsat: p.InboundBase, InboundFeePerMil: p.InboundPPM,
		})
	}
	err = s.earned(out)
	return out, err
}

const ppm = 1_000_000

// earned sums the fees of the last day, week and month.
func (s *Service) earned(out *lnrpc.FeeReportResponse) error {
	const day = 24 * time.Hour
	now := time.Now()
	for _, span := range []struct {
		length time.Duration
		sum    *uint64
	}{{day, &out.DayFeeSum}, {7 * day, &out.WeekFeeSum}, {30 * day, &out.MonthFeeSum}} {
		sum, err := s.node.ForwardFees(now.Add(-span.length))
		if err != nil {
			return err
		}
		*span.sum = uint64(sum.Sat())
	}
	return nil
}

// minDelta is the least cltv_expiry_delta that may be asked for: more than lnd's 18, with
// which an HTLC that is claimed downstream in the chain can be lost upstream.
const minDelta = channel.MinCLTVDelta

// UpdateChannelPolicy sets what we ask for forwarding.
func (s *Service) UpdateChannelPolicy(ctx context.Context, req *lnrpc.PolicyUpdateRequest) (*lnrpc.PolicyUpdateResponse, error) {
	change, err := policyChange(req)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.PolicyUpdateResponse{}
	switch scope := req.Scope.(type) {
	case *lnrpc.PolicyUpdateRequest_Global:
		if !scope.Global {
			return nil, translate.Invalid("global", "must be true, or chan_point be set")
		}
		_, err := s.node.SetPolicy(ctx, nil, change)
		return out, err
	case *lnrpc.PolicyUpdateRequest_ChanPoint:
		funding, err := translate.ChannelPoint("chan_point", scope.ChanPoint)
		if err != nil {
			return nil, err
		}
		if reason, ok := s.noPolicy(ctx, funding); ok {
			out.FailedUpdates = append(out.FailedUpdates, &lnrpc.FailedUpdate{
				Outpoint: translate.OutPoint(funding), Reason: reason, UpdateError: reasons[reason],
			})
			return out, nil
		}
		_, err = s.node.SetPolicy(ctx, &funding, change)
		return out, err
	}
	return nil, translate.Mistake("unknown scope: global or chan_point must be set")
}

var reasons = map[lnrpc.UpdateFailure]string{
	lnrpc.UpdateFailure_UPDATE_FAILURE_NOT_FOUND: "not found",
	lnrpc.UpdateFailure_UPDATE_FAILURE_PENDING:   "not yet confirmed",
}

// noPolicy says why a channel has no policy to change.
func (s *Service) noPolicy(ctx context.Context, funding wire.OutPoint) (lnrpc.UpdateFailure, bool) {
	c, err := s.node.Channel(ctx, funding)
	switch {
	case err != nil || c.Core.Phase > channel.Open:
		return lnrpc.UpdateFailure_UPDATE_FAILURE_NOT_FOUND, true
	case c.Core.Phase < channel.Open:
		return lnrpc.UpdateFailure_UPDATE_FAILURE_PENDING, true
	}
	return 0, false
}

// policyChange reads the new policy as a change of a present one.
func policyChange(req *lnrpc.PolicyUpdateRequest) (func(channel.LinkState) (channel.Policy, error), error) {
	rate := float64(req.FeeRatePpm)
	switch {
	case req.FeeRate != 0 && req.FeeRatePpm != 0:
		return nil, translate.Invalid("fee_rate", "cannot set both FeeRate and FeeRatePpm")
	case req.FeeRate != 0:
		rate = math.Round(req.FeeRate * ppm)
	}
	switch {
	case math.IsNaN(rate) || rate < 0 || rate > math.MaxUint32:
		return nil, translate.Invalid("fee_rate", "%v is out of range", req.FeeRate)
	case req.BaseFeeMsat < 0 || req.BaseFeeMsat > math.MaxUint32:
		return nil, translate.Invalid("base_fee_msat", "%d is out of range", req.BaseFeeMsat)
	case req.TimeLockDelta < minDelta:
		return nil, translate.Invalid("time_lock_delta", "time lock delta of %v is too small, minimum supported is %v", req.TimeLockDelta, minDelta)
	case req.TimeLockDelta > math.MaxUint16:
		return nil, translate.Invalid("time_lock_delta", "%d is above 65535", req.TimeLockDelta)
	}
	return func(l channel.LinkState) (channel.Policy, error) {
		p := l.Policy
		p.FeeBase, p.FeePPM, p.CLTVDelta = uint32(req.BaseFeeMsat), uint32(rate), uint16(req.TimeLockDelta)
		if req.MaxHtlcMsat != 0 {
			p.HTLCMaximum = lnwire.MilliSat(req.MaxHtlcMsat)
		}
		if req.MinHtlcMsatSpecified {
			p.HTLCMinimum = lnwire.MilliSat(req.MinHtlcMsat)
		}
		if p.HTLCMaximum != 0 && p.HTLCMinimum > p.HTLCMaximum {
			return p, translate.Invalid("min_htlc_msat", "%d is above max_htlc_msat, %d", p.HTLCMinimum, p.HTLCMaximum)
		}
		if p.HTLCMaximum > l.Capacity.MilliSat() {
			return p, translate.Invalid("max_htlc_msat", "%d is above the capacity", p.HTLCMaximum)
		}
		if f := req.InboundFee; f != nil {
			p.InboundBase, p.InboundPPM = f.BaseFeeMsat, f.FeeRatePpm
		}
		return p, nil
	}, nil
}
