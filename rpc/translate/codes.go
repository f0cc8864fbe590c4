package translate

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel/backup"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/wallet"
)

// code says whose mistake a known error of the node is.
type code struct {
	err  error
	code codes.Code
}

var coded = []code{
	{node.ErrNoChannel, codes.NotFound}, {node.ErrNoSuchChannel, codes.NotFound}, {node.ErrNoIntent, codes.NotFound}, {node.ErrNotConnected, codes.FailedPrecondition}, {node.ErrUnknownPayment, codes.NotFound},
	{invoice.ErrNotFound, codes.NotFound}, {routing.ErrUnknownChannel, codes.NotFound}, {routing.ErrUnknownNode, codes.NotFound},
	{chainntnfs.ErrNoBlock, codes.NotFound}, {chainntnfs.ErrNoOutput, codes.NotFound}, {wallet.ErrUnknownOutput, codes.NotFound},
	{wallet.ErrUnknownTx, codes.NotFound}, {wallet.ErrNoSweep, codes.NotFound}, {forward.ErrNotHeld, codes.NotFound},
	{invoice.ErrDuplicate, codes.AlreadyExists}, {routing.ErrPaymentInFlight, codes.AlreadyExists}, {routing.ErrAlreadyPaid, codes.AlreadyExists},
	{invoice.ErrStillOpen, codes.FailedPrecondition}, {invoice.ErrAlreadySettled, codes.FailedPrecondition},
	{invoice.ErrAlreadyCanceled, codes.FailedPrecondition}, {invoice.ErrNotCanceled, codes.FailedPrecondition},
	{invoice.ErrPreimageMismatch, codes.InvalidArgument}, {invoice.ErrZeroPreimage, codes.InvalidArgument},
	{wallet.ErrReserve, codes.FailedPrecondition}, {wallet.ErrAmountWithAll, codes.InvalidArgument}, {wallet.ErrDuplicateCoins, codes.InvalidArgument},
	{wallet.ErrLeased, codes.FailedPrecondition}, {wallet.ErrNotLeased, codes.FailedPrecondition}, {wallet.ErrBumpConfirmed, codes.FailedPrecondition},
	{node.ErrPaymentRunning, codes.FailedPrecondition}, {node.ErrNoAnchors, codes.FailedPrecondition}, {node.ErrNoPendingAnchor, codes.FailedPrecondition},
	{node.ErrClosing, codes.FailedPrecondition}, {node.ErrInterceptorExists, codes.AlreadyExists}, {node.ErrModifierExists, codes.AlreadyExists},
	{forward.ErrWrongPreimage, codes.InvalidArgument}, {forward.ErrResumeOnChain, codes.FailedPrecondition}, {forward.ErrFailOnChain, codes.FailedPrecondition},
	{macaroons.ErrDeletionForbidden, codes.InvalidArgument}, {backup.ErrKey, codes.InvalidArgument}, {backup.ErrShort, codes.InvalidArgument},
	{chainntnfs.ErrNoFeeEstimate, codes.FailedPrecondition},
}

// kinds are the codes of what is marked as a mistake.
var kinds = map[mistake.Kind]codes.Code{
	mistake.BadArgument: codes.InvalidArgument, mistake.BadState: codes.FailedPrecondition, mistake.NotFound: codes.NotFound,
	mistake.Exists: codes.AlreadyExists, mistake.Exhausted: codes.ResourceExhausted,
}

// brief is an error of which the text that callers are told is only the words that they compare; the log has all of it.
type brief struct {
	error
	told *status.Status
}

// GRPCStatus is what gRPC sends.
func (b brief) GRPCStatus() *status.Status { return b.told }

// Coded gives an error of the node that clients can do something about its code; the words stay. What has a code keeps
// it, and what is not known stays an unknown error: something went wrong in here.
func Coded(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	for _, c := range coded {
		if errors.Is(err, c.err) {
			return status.Error(c.code, err.Error())
		}
	}
	if _, ok := errors.AsType[wallet.ErrNoAccount](err); ok {
		return status.Error(codes.NotFound, err.Error())
	}
	if e, ok := errors.AsType[*routing.NoRoute](err); ok {
		return brief{err, because(status.New(codes.NotFound, e.Brief()), e.Why)}
	}
	if _, ok := errors.AsType[routing.NoHop](err); ok {
		return status.Error(codes.NotFound, err.Error())
	}
	if _, ok := errors.AsType[*wallet.InsufficientFunds](err); ok {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	if _, ok := errors.AsType[*chainntnfs.RejectError](err); ok {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	if m, ok := errors.AsType[*mistake.Error](err); ok {
		return status.Error(kinds[m.Kind], err.Error())
	}
	return err
}

// because puts the reason, in words for a human, among the details of a status.
func because(s *status.Status, why string) *status.Status {
	if with, err := s.WithDetails(wrapperspb.String(why)); err == nil {
		return with
	}
	return s
}
