package lightning

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// SubscribeChannelEvents delivers the steps of channels' lives.
func (s *Service) SubscribeChannelEvents(_ *lnrpc.ChannelEventSubscription, out lnrpc.Lightning_SubscribeChannelEventsServer) error {
	var updated []wire.OutPoint // channels with new commitments, each once
	soon := time.NewTimer(0)
	<-soon.C
	defer soon.Stop()
	show := func() error {
		defer func() { updated = updated[:0] }()
		return s.sendUpdated(updated, out)
	}
	return translate.FollowTimed(out.Context(), s.node.ChannelEvents(), func(e node.ChannelEvent) error {
		if e.Committed {
			if !s.cfg.ChannelUpdates {
				return nil
			}
			if len(updated) == 0 {
				soon.Reset(updatePause)
			}
			if e.Link != nil && !slices.Contains(updated, e.Link.Funding) {
				updated = append(updated, e.Link.Funding)
			}
			return nil
		}
		messages, err := s.channelEvents(out.Context(), e)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := out.Send(m); err != nil {
				return err
			}
		}
		return nil
	}, soon.C, show)
}

// updatePause is how long a new commitment waits for others: a busy channel is shown so often,
// and not with each of its thousand commitments.
const updatePause = 100 * time.Millisecond

// sendUpdated shows channels after their commitments have changed. It looks at all, for an
// HTLC says over which other channel it came or went.
func (s *Service) sendUpdated(updated []wire.OutPoint, out lnrpc.Lightning_SubscribeChannelEventsServer) error {
	list, err := s.node.ListChannels(out.Context())
	if err != nil {
		return err
	}
	view := s.newView(list)
	for i := range list {
		c := &list[i]
		if p := c.Core.Phase; p != channel.Open && p != channel.ShuttingDown || !slices.Contains(updated, c.Core.Funding) {
			continue
		}
		err := out.Send(&lnrpc.ChannelEventUpdate{
			Type:    lnrpc.ChannelEventUpdate_CHANNEL_UPDATE,
			Channel: &lnrpc.ChannelEventUpdate_UpdatedChannel{UpdatedChannel: &lnrpc.ChannelCommitUpdate{Channel: view.channel(c)}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// channelEvents says in lnrpc's words what happened; nothing for what it has no word
// for.
func (s *Service) channelEvents(ctx context.Context, e node.ChannelEvent) ([]*lnrpc.ChannelEventUpdate, error) {
	switch e.Kind {
	case channel.NoticeClosed, channel.NoticeForgotten:
		return s.closedEvents(e)
	case channel.NoticeOpening, channel.NoticeOpen, channel.NoticeActive, channel.NoticeInactive, channel.NoticeSpent:
	default:
		return nil, nil
	}
	funding, ok, err := s.fundingOf(ctx, e)
	if !ok || err != nil {
		return nil, err
	}
	m := &lnrpc.ChannelEventUpdate{}
	switch e.Kind {
	case channel.NoticeOpening:
		m.Type = lnrpc.ChannelEventUpdate_PENDING_OPEN_CHANNEL
		m.Channel = &lnrpc.ChannelEventUpdate_PendingOpenChannel{
			PendingOpenChannel: &lnrpc.PendingUpdate{Txid: funding.Hash[:], OutputIndex: funding.Index},
		}
	case channel.NoticeActive:
		m.Type = lnrpc.ChannelEventUpdate_ACTIVE_CHANNEL
		m.Channel = &lnrpc.ChannelEventUpdate_ActiveChannel{ActiveChannel: translate.Point(funding)}
	case channel.NoticeInactive:
		m.Type = lnrpc.ChannelEventUpdate_INACTIVE_CHANNEL
		m.Channel = &lnrpc.ChannelEventUpdate_InactiveChannel{InactiveChannel: translate.Point(funding)}
	default:
		return s.infoEvents(ctx, e.Kind, funding)
	}
	return []*lnrpc.ChannelEventUpdate{m}, nil
}

// infoEvents are those that show the whole channel.
func (s *Service) infoEvents(ctx context.Context, kind channel.NoticeKind, funding wire.OutPoint) ([]*lnrpc.ChannelEventUpdate, error) {
	info, err := s.node.Channel(ctx, funding)
	switch {
	case errors.Is(err, node.ErrNoChannel):
		return nil, nil // over before we could ask
	case err != nil:
		return nil, err
	case kind == channel.NoticeOpen:
		return []*lnrpc.ChannelEventUpdate{{
			Type:    lnrpc.ChannelEventUpdate_OPEN_CHANNEL,
			Channel: &lnrpc.ChannelEventUpdate_OpenChannel{OpenChannel: s.newView([]channel.Info{info}).channel(&info)},
		}}, nil
	case info.Core.Spend == nil || info.Core.Spend.Kind == channel.SpentByMutual:
		return nil, nil // NoticeClosed follows
	}
	return []*lnrpc.ChannelEventUpdate{closedEvent(s.spentSummary(&info))}, nil
}

// fundingOf is the funding output of the event's channel.
func (s *Service) fundingOf(ctx context.Context, e node.ChannelEvent) (op wire.OutPoint, ok bool, err error) {
	if e.Link != nil {
		return e.Link.Funding, true, nil
	}
	list, err := s.node.ListChannels(ctx)
	for i := range list {
		if list[i].Terms.ChanNum == e.ChanNum {
			return list[i].Core.Funding, true, nil
		}
	}
	return op, false, err
}

// closedEvents: with the end of a cooperative close nothing is left to resolve. Of a
// forced one the spend was told before; it is resolved when the channel is forgotten.
func (s *Service) closedEvents(e node.ChannelEvent) ([]*lnrpc.ChannelEventUpdate, error) {
	rows, err := s.node.ClosedChannels(e.ChanNum, 1)
	if err != nil || len(rows) == 0 || rows[0].ChanNum != e.ChanNum {
		return nil, err
	}
	row := &rows[0]
	resolved := &lnrpc.ChannelEventUpdate{
		Type:    lnrpc.ChannelEventUpdate_FULLY_RESOLVED_CHANNEL,
		Channel: &lnrpc.ChannelEventUpdate_FullyResolvedChannel{FullyResolvedChannel: translate.Point(row.Funding)},
	}
	switch gone := e.Kind == channel.NoticeForgotten; {
	case row.Kind == channel.ClosedMutual && !gone:
		return []*lnrpc.ChannelEventUpdate{closedEvent(s.summary(row)), resolved}, nil
	case row.Kind == channel.ClosedUnfunded && gone:
		return []*lnrpc.ChannelEventUpdate{{
			Type:    lnrpc.ChannelEventUpdate_CHANNEL_FUNDING_TIMEOUT,
			Channel: &lnrpc.ChannelEventUpdate_ChannelFundingTimeout{ChannelFundingTimeout: translate.Point(row.Funding)},
		}}, nil
	case row.Kind == channel.ClosedMutual || row.Kind == channel.ClosedUnfunded || row.Kind == channel.ClosedAbandoned || !gone:
		return nil, nil
	}
	return []*lnrpc.ChannelEventUpdate{resolved}, nil
}

func closedEvent(m *lnrpc.ChannelCloseSummary) *lnrpc.ChannelEventUpdate {
	return &lnrpc.ChannelEventUpdate{
		Type:    lnrpc.ChannelEventUpdate_CLOSED_CHANNEL,
		Channel: &lnrpc.ChannelEventUpdate_ClosedChannel{ClosedChannel: m},
	}
}
