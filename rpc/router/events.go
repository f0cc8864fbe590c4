package router

import (
	"context"

	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// SubscribeHtlcEvents delivers what happens to HTLCs that we send, forward or receive.
func (s *Service) SubscribeHtlcEvents(_ *routerrpc.SubscribeHtlcEventsRequest, out routerrpc.Router_SubscribeHtlcEventsServer) error {
	ctx, cancel := context.WithCancel(out.Context())
	defer cancel()
	forwards, invoices, payments := s.node.HTLCEvents(), s.node.InvoiceEvents(), s.node.TrackPayments()
	defer forwards.Cancel()
	defer invoices.Cancel()
	sends, failed := s.sends(ctx, payments)
	if err := out.Send(&routerrpc.HtlcEvent{Event: &routerrpc.HtlcEvent_SubscribedEvent{
		SubscribedEvent: &routerrpc.SubscribedEvent{},
	}}); err != nil {
		return err
	}
	for {
		var events []*routerrpc.HtlcEvent
		select {
		case n, ok := <-forwards.C:
			if !ok {
				return translate.ErrLagged
			}
			events = []*routerrpc.HtlcEvent{forwardEvent(&n)}
		case n, ok := <-invoices.C:
			if !ok {
				return translate.ErrLagged
			}
			events = receiveEvents(&n)
		case ev := <-sends:
			events = []*routerrpc.HtlcEvent{ev}
		case err := <-failed:
			return endError(err)
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
		for _, ev := range events {
			ev.TimestampNs = uint64(s.now().UnixNano())
			if err := out.Send(ev); err != nil {
				return err
			}
		}
	}
}

// sends delivers what happens to our own attempts until ctx ends.
func (s *Service) sends(ctx context.Context, w Watch) (<-chan *routerrpc.HtlcEvent, <-chan error) {
	events, failed := make(chan *routerrpc.HtlcEvent), make(chan error, 1)
	go func() {
		defer w.Close()
		seen := map[uint64]routing.Status{}
		for {
			p, err := w.Next(ctx)
			if err != nil {
				failed <- err
				return
			}
			over := ended(&p)
			for i := range p.Attempts {
				a := &p.Attempts[i]
				if seen[a.ID] == a.Status {
					continue
				}
				for _, ev := range sendEvents(a, seen[a.ID] == 0) {
					select {
					case events <- ev:
					case <-ctx.Done():
						return
					}
				}
				seen[a.ID] = a.Status
			}
			for i := range p.Attempts {
				if over {
					delete(seen, p.Attempts[i].ID)
				}
			}
		}
	}()
	return events, failed
}

// sendEvents: an attempt of ours went out, and came to its end.
func sendEvents(a *routing.Attempt, isNew bool) (list []*routerrpc.HtlcEvent) {
	base := func() *routerrpc.HtlcEvent {
		return &routerrpc.HtlcEvent{
			EventType: routerrpc.HtlcEvent_SEND, IncomingHtlcId: a.ID, OutgoingChannelId: uint64(a.Route.Hops[0].SCID),
		}
	}
	if len(a.Route.Hops) == 0 {
		return nil
	}
	info := &routerrpc.HtlcInfo{OutgoingTimelock: uint32(a.Route.Expiry), OutgoingAmtMsat: uint64(a.Route.Amount)}
	if isNew && (a.Failure == nil || !a.Failure.Local) {
		ev := base()
		ev.Event = &routerrpc.HtlcEvent_ForwardEvent{ForwardEvent: &routerrpc.ForwardEvent{Info: info}}
		list = append(list, ev)
	}
	ev := base()
	switch {
	case a.Status == routing.Succeeded:
		ev.Event = &routerrpc.HtlcEvent_SettleEvent{SettleEvent: &routerrpc.SettleEvent{Preimage: a.Preimage[:]}}
	case a.Status == routing.Failed && a.Failure != nil && a.Failure.Local:
		ev.Event = &routerrpc.HtlcEvent_LinkFailEvent{LinkFailEvent: &routerrpc.LinkFailEvent{
			Info: info, WireFailure: translate.FailureCode(a.Failure.Code), FailureDetail: routerrpc.FailureDetail_NO_DETAIL,
			FailureString: a.Failure.Text,
		}}
	case a.Status == routing.Failed:
		ev.Event = &routerrpc.HtlcEvent_ForwardFailEvent{ForwardFailEvent: &routerrpc.ForwardFailEvent{}}
	default:
		return list
	}
	return append(list, ev)
}

// receiveEvents: the HTLCs that paid an invoice were claimed.
func receiveEvents(n *invoice.Notice) (list []*routerrpc.HtlcEvent) {
	if n.Kind != invoice.WasSettled || n.Invoice.Preimage == nil {
		return nil
	}
	for i := range n.Invoice.Parts {
		p := &n.Invoice.Parts[i]
		if p.State != invoice.Claimed {
			continue
		}
		list = append(list, &routerrpc.HtlcEvent{
			EventType: routerrpc.HtlcEvent_RECEIVE, IncomingChannelId: uint64(p.SCID), IncomingHtlcId: p.Ref.ID,
			Event: &routerrpc.HtlcEvent_SettleEvent{SettleEvent: &routerrpc.SettleEvent{Preimage: n.Invoice.Preimage[:]}},
		})
	}
	return list
}

// forwardEvent is a step of an HTLC that we forward.
func forwardEvent(n *forward.Notice) *routerrpc.HtlcEvent {
	ev := &routerrpc.HtlcEvent{
		EventType: routerrpc.HtlcEvent_FORWARD, IncomingChannelId: uint64(n.InSCID), OutgoingChannelId: uint64(n.OutSCID),
		IncomingHtlcId: n.In.ID, OutgoingHtlcId: n.Out.ID,
	}
	info := &routerrpc.HtlcInfo{
		IncomingTimelock: uint32(n.ExpiryIn), OutgoingTimelock: uint32(n.ExpiryOut),
		IncomingAmtMsat: uint64(n.AmountIn), OutgoingAmtMsat: uint64(n.AmountOut),
	}
	switch n.Kind {
	case forward.Forwarded:
		ev.Event = &routerrpc.HtlcEvent_ForwardEvent{ForwardEvent: &routerrpc.ForwardEvent{Info: info}}
	case forward.Settled:
		ev.Event = &routerrpc.HtlcEvent_SettleEvent{SettleEvent: &routerrpc.SettleEvent{Preimage: n.Preimage[:]}}
	case forward.FailedBack:
		ev.Event = &routerrpc.HtlcEvent_ForwardFailEvent{ForwardFailEvent: &routerrpc.ForwardFailEvent{}}
	case forward.RefusedHere:
		ev.Event = &routerrpc.HtlcEvent_LinkFailEvent{LinkFailEvent: &routerrpc.LinkFailEvent{
			Info: info, WireFailure: translate.FailureCode(n.Code), FailureDetail: routerrpc.FailureDetail_NO_DETAIL, FailureString: n.Text,
		}}
	}
	return ev
}
