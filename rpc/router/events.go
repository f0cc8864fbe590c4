package router

import (
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// SubscribeHtlcEvents delivers what happens to HTLCs that we send, forward or receive.
func (s *Service) SubscribeHtlcEvents(_ *routerrpc.SubscribeHtlcEventsRequest, out routerrpc.Router_SubscribeHtlcEventsServer) error {
	htlcs, invoices := s.node.HTLCEvents(), s.node.InvoiceEvents()
	defer htlcs.Cancel()
	defer invoices.Cancel()
	if err := out.Send(&routerrpc.HtlcEvent{Event: &routerrpc.HtlcEvent_SubscribedEvent{
		SubscribedEvent: &routerrpc.SubscribedEvent{},
	}}); err != nil {
		return err
	}
	for {
		var events []*routerrpc.HtlcEvent
		select {
		case n, ok := <-htlcs.C:
			if !ok {
				return translate.ErrLagged
			}
			events = []*routerrpc.HtlcEvent{htlcEvent(&n)}
		case n, ok := <-invoices.C:
			if !ok {
				return translate.ErrLagged
			}
			events = receiveEvents(&n)
		case <-out.Context().Done():
			return status.FromContextError(out.Context().Err()).Err()
		}
		for _, ev := range events {
			ev.TimestampNs = uint64(s.now().UnixNano())
			if err := out.Send(ev); err != nil {
				return err
			}
		}
	}
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

// htlcEvent is a step of an HTLC that we send or forward, or that we did not take; or the
// end of one that came in.
func htlcEvent(n *forward.Notice) *routerrpc.HtlcEvent {
	ev := &routerrpc.HtlcEvent{
		EventType: routerrpc.HtlcEvent_FORWARD, IncomingChannelId: uint64(n.InSCID), OutgoingChannelId: uint64(n.OutSCID),
		IncomingHtlcId: n.In.ID, OutgoingHtlcId: n.Out.ID,
	}
	switch {
	case n.AttemptID != 0: // as if it came from a channel of number 0
		ev.EventType, ev.IncomingHtlcId = routerrpc.HtlcEvent_SEND, n.AttemptID
	case n.Received:
		ev.EventType = routerrpc.HtlcEvent_RECEIVE
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
			Info: info, WireFailure: translate.FailureCode(n.Code), FailureDetail: failureDetail(n.Detail), FailureString: n.Text,
		}}
	case forward.Finished:
		ev.EventType = routerrpc.HtlcEvent_UNKNOWN
		ev.Event = &routerrpc.HtlcEvent_FinalHtlcEvent{FinalHtlcEvent: &routerrpc.FinalHtlcEvent{Settled: n.Settled, Offchain: !n.OnChain}}
	}
	return ev
}
