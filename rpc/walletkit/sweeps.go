package walletkit

import (
	"context"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// PendingSweeps lists the outputs on their way home.
func (s *Service) PendingSweeps(context.Context, *walletrpc.PendingSweepsRequest) (*walletrpc.PendingSweepsResponse, error) {
	out := &walletrpc.PendingSweepsResponse{}
	for _, sw := range s.node.Sweeps() {
		perVByte, asked := sw.Rate.SatPerVByte(), sw.Requested.SatPerVByte()
		out.PendingSweeps = append(out.PendingSweeps, &walletrpc.PendingSweep{
			Outpoint: translate.OutPoint(sw.OutPoint), WitnessType: witnessType(sw.Kind, sw.Form), AmountSat: uint32(min(sw.Value, math.MaxUint32)),
			SatPerByte: uint32(perVByte), SatPerVbyte: perVByte, BroadcastAttempts: uint32(sw.Attempts), Immediate: sw.Immediate,
			Force: sw.Immediate, Budget: uint64(sw.Budget), DeadlineHeight: uint32(sw.Deadline), MaturityHeight: uint32(sw.Maturity),
			RequestedSatPerVbyte: asked, RequestedSatPerByte: uint32(asked),
		})
	}
	return out, nil
}

// ListSweeps lists the transactions that bring outputs home.
func (s *Service) ListSweeps(_ context.Context, req *walletrpc.ListSweepsRequest) (*walletrpc.ListSweepsResponse, error) {
	from, to := lnwire.Height(max(req.StartHeight, 0)), lnwire.Height(math.MaxInt32)
	if req.StartHeight < -1 {
		return nil, translate.Invalid("start_height", "must not be below -1")
	}
	if req.StartHeight == -1 {
		from, to = 1, 0 // no block at all
	}
	ids, details := []string{}, &lnrpc.TransactionDetails{}
	tip := s.node.Tip().Height
	list := s.node.Txs(from, to, true)
	for i := range list {
		if t := &list[i]; t.Sweep {
			ids = append(ids, t.Txid.String())
			details.Transactions = append(details.Transactions, translate.Transaction(t, tip, s.node))
		}
	}
	if n := len(ids); n > 0 {
		details.LastIndex = uint64(n - 1)
	}
	if req.Verbose {
		return &walletrpc.ListSweepsResponse{Sweeps: &walletrpc.ListSweepsResponse_TransactionDetails{TransactionDetails: details}}, nil
	}
	return &walletrpc.ListSweepsResponse{Sweeps: &walletrpc.ListSweepsResponse_TransactionIds{
		TransactionIds: &walletrpc.ListSweepsResponse_TransactionIDs{TransactionIds: ids},
	}}, nil
}

// bumpRequest reads a wish. The texts of its errors are those of lnd.
func bumpRequest(req *walletrpc.BumpFeeRequest) (b node.BumpRequest, err error) {
	switch {
	case req.SatPerByte != 0 && req.SatPerVbyte != 0:
		return b, translate.Mistake("either SatPerByte or SatPerVbyte should be set, but not both")
	case req.TargetConf != 0 && (req.SatPerByte != 0 || req.SatPerVbyte != 0):
		return b, translate.Mistake("either TargetConf or SatPerVbyte should be set, to specify the starting fee rate of the fee function")
	case req.Force && req.Immediate:
		return b, translate.Mistake("either Force or Immediate should be set, but not both")
	case req.DeadlineDelta != 0 && req.Budget == 0:
		return b, translate.Mistake("budget must be set if deadline-delta is set")
	case req.Budget > uint64(lnwire.MaxSat):
		return b, translate.Invalid("budget", "is above all the money there is")
	case req.DeadlineDelta > math.MaxUint16 || req.TargetConf > math.MaxUint16:
		return b, translate.Invalid("deadline_delta", "neither it nor target_conf may be above %d", math.MaxUint16)
	}
	b.Rate, _, err = translate.FeeRate(req.SatPerVbyte, int64(req.SatPerByte), 0)
	b.Target, b.Within, b.Budget, b.Alone = req.TargetConf, req.DeadlineDelta, lnwire.Sat(req.Budget), req.Force || req.Immediate
	return b, err
}

// BumpFee raises what is offered for an output.
func (s *Service) BumpFee(_ context.Context, req *walletrpc.BumpFeeRequest) (*walletrpc.BumpFeeResponse, error) {
	ops, err := translate.OutPoints("outpoint", []*lnrpc.OutPoint{req.Outpoint})
	if err != nil {
		return nil, err
	}
	b, err := bumpRequest(req)
	if err != nil {
		return nil, err
	}
	known, err := s.node.BumpFee(ops[0], b)
	switch {
	case err != nil:
		return nil, err
	case known:
		return &walletrpc.BumpFeeResponse{Status: "Successfully registered rbf-tx with sweeper"}, nil
	}
	return &walletrpc.BumpFeeResponse{Status: "Successfully registered CPFP-tx with the sweeper"}, nil
}

// BumpForceCloseFee raises the fee of a commitment by its anchor.
func (s *Service) BumpForceCloseFee(ctx context.Context, req *walletrpc.BumpForceCloseFeeRequest) (*walletrpc.BumpForceCloseFeeResponse, error) {
	if req.ChanPoint == nil {
		return nil, translate.Mistake("no chan_point provided")
	}
	funding, err := translate.ChannelPoint("chan_point", req.ChanPoint)
	if err != nil {
		return nil, err
	}
	b, err := bumpRequest(&walletrpc.BumpFeeRequest{
		TargetConf: req.TargetConf, SatPerVbyte: req.StartingFeerate, Immediate: req.Immediate, Budget: req.Budget, DeadlineDelta: req.DeadlineDelta,
	})
	if err != nil {
		return nil, err
	}
	if err := s.node.BumpForceClose(ctx, funding, b); err != nil {
		return nil, err
	}
	return &walletrpc.BumpForceCloseFeeResponse{Status: "Successfully registered anchor-cpfp transaction to bump channel force close transaction"}, nil
}
