package lightning

import (
	"context"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// CloseChannel closes a channel and reports how it goes.
func (s *Service) CloseChannel(req *lnrpc.CloseChannelRequest, out lnrpc.Lightning_CloseChannelServer) error {
	ask, err := s.closeRequest(req)
	if err != nil {
		return err
	}
	ctx := out.Context()
	info, err := s.node.Channel(ctx, ask.Funding)
	if err != nil {
		return err
	}
	updates, err := s.node.CloseChannel(ctx, ask)
	if err != nil {
		return err
	}
	if req.NoWait {
		if err := out.Send(instant(&info)); err != nil {
			return err
		}
	}
	closing := closing{s: s, funding: ask.Funding, rate: ask.FeeRate, force: ask.Force}
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return errStreamEnded
			}
			if u.Err != nil {
				return u.Err
			}
			if u.Tx == nil && !u.Closed {
				continue
			}
			m, err := closing.status(ctx, u)
			if err != nil {
				return err
			}
			if err := out.Send(m); err != nil || u.Closed {
				return err
			}
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// closeRequest reads how a channel shall be closed.
func (s *Service) closeRequest(req *lnrpc.CloseChannelRequest) (ask node.CloseRequest, err error) {
	if ask.Funding, err = translate.ChannelPoint("channel_point", req.ChannelPoint); err != nil {
		return ask, err
	}
	if req.Force && (req.SatPerByte != 0 || req.SatPerVbyte != 0 || req.TargetConf != 0 || req.MaxFeePerVbyte != 0) {
		return ask, translate.Mistake("force closing a channel uses a pre-defined fee")
	}
	if req.Force && req.DeliveryAddress != "" {
		return ask, translate.Invalid("delivery_address", "a forced close pays to the keys of the commitment only")
	}
	if ask.FeeRate, ask.Target, err = translate.FeeRate(req.SatPerVbyte, req.SatPerByte, req.TargetConf); err != nil {
		return ask, err
	}
	if ask.MaxRate, _, err = translate.FeeRate(req.MaxFeePerVbyte, 0, 0); err != nil {
		return ask, err
	}
	if req.DeliveryAddress != "" {
		if ask.Script, err = translate.Script("delivery_address", req.DeliveryAddress, s.node.Net()); err != nil {
			return ask, err
		}
	}
	ask.Force = req.Force
	return ask, nil
}

func instant(info *channel.Info) *lnrpc.CloseStatusUpdate {
	pending := int32(0)
	for i := range info.HTLCs {
		if !info.HTLCs[i].State.Gone() {
			pending++
		}
	}
	return &lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_CloseInstant{
		CloseInstant: &lnrpc.InstantUpdate{NumPendingHtlcs: pending},
	}}
}

// closing is a close under way.
type closing struct {
	s       *Service
	funding wire.OutPoint
	rate    lnwire.SatPerKW
	force   bool
	tx      *wire.MsgTx // that was published last
}

func (c *closing) status(ctx context.Context, u node.CloseUpdate) (*lnrpc.CloseStatusUpdate, error) {
	if !u.Closed {
		c.tx = u.Tx
		id := u.Tx.TxHash()
		rate, ours := c.published(ctx, u.Tx)
		return &lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_ClosePending{ClosePending: &lnrpc.PendingUpdate{
			Txid: id[:], FeePerVbyte: rate, LocalCloseTx: ours,
		}}}, nil
	}
	id, tx, err := c.final(ctx)
	if err != nil {
		return nil, err
	}
	done := &lnrpc.ChannelCloseUpdate{ClosingTxid: id[:], Success: true}
	if tx != nil {
		c.outputs(tx, done)
	}
	return &lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_ChanClose{ChanClose: done}}, nil
}

// published tells the feerate of a closing transaction, and whether it is ours: that is,
// not the one that the peer pays for in a simple close.
func (c *closing) published(ctx context.Context, tx *wire.MsgTx) (rate int64, ours bool) {
	info, err := c.s.node.Channel(ctx, c.funding)
	if err != nil {
		return int64(c.rate.SatPerVByte()), true
	}
	theirs := info.Core.PeerCloseTx
	return perVByte(&info, tx), theirs == nil || theirs.TxHash() != tx.TxHash()
}

// perVByte is the feerate of a transaction that spends the funding alone.
func perVByte(info *channel.Info, tx *wire.MsgTx) int64 {
	paid := int64(info.Terms.Capacity)
	for _, out := range tx.TxOut {
		paid -= out.Value
	}
	size := int64(tx.SerializeSizeStripped()*3+tx.SerializeSize()+3) / 4
	return max(0, paid/max(size, 1))
}

// final is the transaction that closed the channel, by the chain's word.
func (c *closing) final(ctx context.Context) (id chainhash.Hash, tx *wire.MsgTx, err error) {
	info, err := c.s.node.Channel(ctx, c.funding)
	switch {
	case errors.Is(err, node.ErrNoChannel) && c.tx != nil:
		return c.tx.TxHash(), c.tx, nil
	case err != nil:
		return id, nil, err
	case info.Core.Spend != nil:
		return info.Core.Spend.Tx.TxHash(), info.Core.Spend.Tx, nil
	case info.Closed != nil:
		return info.Closed.CloseTxid, nil, nil
	}
	return id, nil, errStreamEnded
}

// outputs tells which outputs of a closing transaction are whose.
func (c *closing) outputs(tx *wire.MsgTx, done *lnrpc.ChannelCloseUpdate) {
	for _, out := range tx.TxOut {
		own := c.s.node.OwnScript(out.PkScript)
		o := &lnrpc.CloseOutput{AmountSat: out.Value, PkScript: out.PkScript, IsLocal: own}
		switch {
		case c.force:
			done.AdditionalOutputs = append(done.AdditionalOutputs, o)
		case own:
			done.LocalCloseOutput = o
		default:
			done.RemoteCloseOutput = o
		}
	}
}
