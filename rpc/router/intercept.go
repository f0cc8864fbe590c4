package router

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// byNode stands for the channel of a forward that names the next node instead.
const byNode = ^uint64(0)

// HtlcInterceptor lets the caller decide about forwards.
func (s *Service) HtlcInterceptor(stream routerrpc.Router_HtlcInterceptorServer) error {
	i, err := s.node.Intercept()
	if err != nil {
		return err
	}
	defer i.Close()
	translate.Stands(stream.Context())
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	answers := make(chan error, 2)
	go func() { answers <- decide(stream, i) }()
	go func() { answers <- offer(ctx, stream, i) }()
	return <-answers
}

// offer sends what is held, until the stream ends.
func offer(ctx context.Context, stream routerrpc.Router_HtlcInterceptorServer, i Interception) error {
	for {
		h, err := i.Next(ctx)
		if err != nil {
			return endError(err)
		}
		if err := stream.Send(heldHTLC(&h)); err != nil {
			return err
		}
	}
}

// decide carries out what the caller says. It ends with the stream.
func decide(stream routerrpc.Router_HtlcInterceptorServer, i Interception) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		key, v, err := verdict(req)
		if err != nil {
			return err
		}
		if err := i.Decide(key, v); err != nil {
			return err
		}
	}
}

func heldHTLC(h *forward.Intercepted) *routerrpc.ForwardHtlcInterceptRequest {
	in := &h.In.HTLC
	m := &routerrpc.ForwardHtlcInterceptRequest{
		IncomingCircuitKey: &routerrpc.CircuitKey{ChanId: uint64(h.InSCID), HtlcId: in.Ref.ID},
		IncomingAmountMsat: uint64(in.Amount), IncomingExpiry: uint32(in.Expiry), PaymentHash: in.Hash[:],
		OutgoingRequestedChanId: uint64(h.Out.SCID), OutgoingAmountMsat: uint64(h.Out.Amount), OutgoingExpiry: uint32(h.Out.Expiry),
		OnionBlob: h.In.Opened.Next[:], AutoFailHeight: int32(min(h.AutoFail, 1<<31-1)),
		InWireCustomRecords: translate.Custom(in.Custom.With(in.Accountable.Signal())),
	}
	if p := h.In.Opened.Payload; p != nil {
		m.CustomRecords = translate.Custom(p.Custom)
	}
	if !h.Out.Node.IsZero() {
		m.OutgoingRequestedChanId, m.OutgoingRequestedNodeId = byNode, h.Out.Node[:]
	}
	return m
}

// reasonLen is how long an encrypted error is (BOLT 4).
const reasonLen = 32 + 2 + 2 + 256

// verdict reads an answer.
func verdict(req *routerrpc.ForwardHtlcInterceptResponse) (key node.CircuitKey, v forward.Verdict, err error) {
	if req.IncomingCircuitKey == nil {
		return key, v, status.Error(codes.InvalidArgument, "CircuitKey missing from ForwardHtlcInterceptResponse")
	}
	key = node.CircuitKey{SCID: lnwire.ShortChannelID(req.IncomingCircuitKey.ChanId), ID: req.IncomingCircuitKey.HtlcId}
	switch req.Action {
	case routerrpc.ResolveHoldForwardAction_SETTLE:
		v.Kind = forward.Settle
		switch len(req.Preimage) {
		case 0:
			err = translate.Mistake("missing preimage")
		case len(v.Preimage):
			copy(v.Preimage[:], req.Preimage)
		default:
			err = translate.Mistake("invalid preimage length of %d, want %d", len(req.Preimage), len(v.Preimage))
		}
	case routerrpc.ResolveHoldForwardAction_FAIL:
		v.Kind, v.Reason = forward.Fail, req.FailureMessage
		v.Code, err = failWith(req)
	case routerrpc.ResolveHoldForwardAction_RESUME:
		v.Kind = forward.Resume
	case routerrpc.ResolveHoldForwardAction_RESUME_MODIFIED:
		v.Kind, v.In, v.Out = forward.Resume, lnwire.MilliSat(req.InAmountMsat), lnwire.MilliSat(req.OutAmountMsat)
		v.Custom, err = translate.WireRecords("out_wire_custom_records", req.OutWireCustomRecords)
	default:
		err = status.Errorf(codes.InvalidArgument, "unrecognized resolve action %v", req.Action)
	}
	return key, v, err
}

// failWith is the code that a FAIL asks for; it counts when there is no reason.
func failWith(req *routerrpc.ForwardHtlcInterceptResponse) (onion.Code, error) {
	if req.FailureMessage != nil {
		switch {
		case req.FailureCode != 0:
			return 0, status.Error(codes.InvalidArgument, "failure message and failure code are mutually exclusive")
		case len(req.FailureMessage) != reasonLen:
			return 0, status.Error(codes.InvalidArgument, "failure message length invalid")
		}
		return 0, nil
	}
	switch req.FailureCode {
	case lnrpc.Failure_RESERVED, lnrpc.Failure_TEMPORARY_CHANNEL_FAILURE:
		return onion.TemporaryChannelFailure, nil
	case lnrpc.Failure_INVALID_ONION_HMAC:
		return onion.InvalidOnionHMAC, nil
	case lnrpc.Failure_INVALID_ONION_KEY:
		return onion.InvalidOnionKey, nil
	case lnrpc.Failure_INVALID_ONION_VERSION:
		return onion.InvalidOnionVersion, nil
	}
	return 0, status.Errorf(codes.InvalidArgument, "unsupported failure code: %v", req.FailureCode)
}
