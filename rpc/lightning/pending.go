package lightning

import (
	"bytes"
	"context"
	"encoding/hex"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/wallet"
)

// fundingExpiry is how many blocks a funding that the peer made may take.
const fundingExpiry = 2016

// PendingChannels lists channels that are being opened or closed.
func (s *Service) PendingChannels(ctx context.Context, req *lnrpc.PendingChannelsRequest) (*lnrpc.PendingChannelsResponse, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	tip, sweeps := s.node.Tip().Height, s.node.Sweeps()
	out := &lnrpc.PendingChannelsResponse{}
	for i := range list {
		c := &list[i]
		switch {
		case listed(c) || over(c) || c.Core.Phase < channel.AwaitReady:
		case c.Core.Phase == channel.AwaitReady:
			out.PendingOpenChannels = append(out.PendingOpenChannels, pendingOpen(c, tip))
		case forced(c) && s.settled(c, sweeps):
		case forced(c):
			f := s.forceClosed(c, tip, sweeps)
			out.PendingForceClosingChannels = append(out.PendingForceClosingChannels, f)
			out.TotalLimboBalance += f.LimboBalance
		default:
			w := waitingClose(c, tip, req.IncludeRawTx)
			out.WaitingCloseChannels = append(out.WaitingCloseChannels, w)
			out.TotalLimboBalance += w.LimboBalance
		}
	}
	return out, nil
}

type (
	pendingChannel = lnrpc.PendingChannelsResponse_PendingChannel
	openChannel    = lnrpc.PendingChannelsResponse_PendingOpenChannel
	waitingChannel = lnrpc.PendingChannelsResponse_WaitingCloseChannel
	forcedChannel  = lnrpc.PendingChannelsResponse_ForceClosedChannel
)

func pending(c *channel.Info) *pendingChannel {
	ours, theirs := balances(c)
	return &pendingChannel{
		RemoteNodePub: c.Terms.Peer.String(), ChannelPoint: c.Core.Funding.String(), Capacity: int64(c.Terms.Capacity),
		LocalBalance: int64(ours), RemoteBalance: int64(theirs),
		LocalChanReserveSat: int64(c.Terms.Theirs.Reserve), RemoteChanReserveSat: int64(c.Terms.Ours.Reserve),
		Initiator: initiator(c.Terms.Funder), CommitmentType: commitmentType(c.Terms.Format),
		ChanStatusFlags: statusFlags(c), Private: c.Terms.Private, Memo: c.Terms.Memo,
	}
}

func pendingOpen(c *channel.Info, tip lnwire.Height) *openChannel {
	out := &openChannel{
		Channel: pending(c), CommitFee: int64(commitFee(c)), CommitWeight: c.CommitWeight, FeePerKw: int64(c.Rate),
		FundingExpiryBlocks:      blocksTil(c.Terms.OpenedTip.Height+fundingExpiry, tip),
		ConfirmationsUntilActive: c.Terms.MinDepth - min(c.Terms.MinDepth, c.Confirmations),
	}
	if c.Core.Confirmed != nil {
		out.ConfirmationHeight = uint32(c.Core.Confirmed.At.Height)
	}
	return out
}

// closeDepth is how deep a close must be before it is final, as the channel's machine
// has it: three blocks, up to six for large channels.
func closeDepth(capacity lnwire.Sat) uint32 {
	const large = 1 << 24
	return 3 + uint32(min(3, 3*capacity/large))
}

func waitingClose(c *channel.Info, tip lnwire.Height, raw bool) *waitingChannel {
	ours, _ := balances(c)
	out := &waitingChannel{Channel: pending(c), LimboBalance: int64(ours), BlocksTilCloseConfirmed: closeDepth(c.Terms.Capacity)}
	tx := c.Core.CloseTx
	if spend := c.Core.Spend; spend != nil {
		tx = spend.Tx
		out.CloseHeight = uint32(spend.Place.At.Height)
		if depth := uint32(blocksTil(tip+1, spend.Place.At.Height)); tip >= spend.Place.At.Height {
			out.BlocksTilCloseConfirmed -= min(out.BlocksTilCloseConfirmed, depth)
		}
	}
	if c.CommitTxid != (chainhash.Hash{}) {
		out.Commitments = &lnrpc.PendingChannelsResponse_Commitments{
			LocalTxid: c.CommitTxid.String(), LocalCommitFeeSat: uint64(commitFee(c)),
		}
	}
	switch {
	case tx != nil:
	case c.Core.Phase == channel.Failed && !c.Core.DataLost && c.CommitTxid != (chainhash.Hash{}):
		out.ClosingTxid = c.CommitTxid.String()
		return out
	default:
		return out
	}
	out.ClosingTxid = tx.TxHash().String()
	if raw {
		var b bytes.Buffer
		if err := tx.Serialize(&b); err == nil {
			out.ClosingTxHex = hex.EncodeToString(b.Bytes())
		}
	}
	return out
}

// forceClosed is a channel whose commitment is in the chain, with what of it is on its
// way home and what has come home.
func (s *Service) forceClosed(c *channel.Info, tip lnwire.Height, sweeps []wallet.PendingSweep) *forcedChannel {
	spend := c.Core.Spend
	id := spend.Tx.TxHash()
	out := &forcedChannel{Channel: pending(c), ClosingTxid: id.String()}
	for i := range c.HTLCs {
		h := &c.HTLCs[i]
		if sw, ok := sweepOf(id, h, sweeps); ok {
			out.PendingHtlcs = append(out.PendingHtlcs, &lnrpc.PendingHTLC{
				Incoming: h.Ref.Dir == htlc.Incoming, Amount: int64(h.Amount.Sat()), Outpoint: sw.OutPoint.String(), Stage: 1,
				MaturityHeight: uint32(h.Expiry), BlocksTilMaturity: blocksTil(h.Expiry, tip),
			})
		}
	}
	home, anchor := s.home(spend)
	out.RecoveredBalance = int64(home)
	if anchor {
		out.Anchor = lnrpc.PendingChannelsResponse_ForceClosedChannel_RECOVERED
	}
	waits, ids := false, chainIDs(spend)
	for _, sw := range sweeps {
		if !ids[sw.OutPoint.Hash] || sw.Value == commitment.AnchorValue {
			continue
		}
		if sw.Kind == commitment.SpendOwnerMain || sw.Kind == commitment.SpendOtherMain {
			out.MaturityHeight, out.BlocksTilMaturity = uint32(sw.Maturity), blocksTil(sw.Maturity, tip)
		}
		out.LimboBalance += int64(sw.Value)
		waits = true
	}
	if ours, _ := balances(c); !waits && home == 0 {
		out.LimboBalance = int64(ours) // nobody is on it yet
	}
	return out
}

// settled: a forced close has been reported, and nothing of it is on its way any more.
func (s *Service) settled(c *channel.Info, sweeps []wallet.PendingSweep) bool {
	ids := chainIDs(c.Core.Spend)
	for _, sw := range sweeps {
		if ids[sw.OutPoint.Hash] && sw.Value != commitment.AnchorValue {
			return false
		}
	}
	for i := range c.HTLCs {
		if !c.HTLCs[i].State.Gone() && !c.HTLCs[i].Told && c.HTLCs[i].Ref.Dir == htlc.Outgoing {
			return false
		}
	}
	return c.Core.Spend.Reported
}

// chainIDs are the transactions of a forced close: the commitment, and what spends the
// outputs that we follow.
func chainIDs(spend *channel.Spend) map[chainhash.Hash]bool {
	ids := map[chainhash.Hash]bool{spend.Tx.TxHash(): true}
	for _, m := range spend.Resolving {
		ids[m.Tx.TxHash()] = true
	}
	return ids
}

// home is what the wallet got from the outputs of a forced close, and whether the
// anchor was among them.
func (s *Service) home(spend *channel.Spend) (sum lnwire.Sat, anchor bool) {
	id, ids := spend.Tx.TxHash(), chainIDs(spend)
	for _, row := range s.node.Txs(spend.Place.At.Height, math.MaxInt32, false) {
		if row.Tx == nil || row.Debit >= row.Credit {
			continue
		}
		claims := false
		for _, in := range row.Tx.TxIn {
			op := in.PreviousOutPoint
			claims = claims || ids[op.Hash]
			if op.Hash == id && int(op.Index) < len(spend.Tx.TxOut) {
				anchor = anchor || spend.Tx.TxOut[op.Index].Value == int64(commitment.AnchorValue)
			}
		}
		if claims {
			sum += row.Credit - row.Debit
		}
	}
	return sum, anchor
}

// sweepOf finds the sweep of an HTLC's output by its amount.
func sweepOf(id chainhash.Hash, h *htlc.HTLC, sweeps []wallet.PendingSweep) (wallet.PendingSweep, bool) {
	for _, sw := range sweeps {
		if sw.OutPoint.Hash != id || sw.Value != h.Amount.Sat() {
			continue
		}
		switch sw.Kind {
		case commitment.SpendOwnerTimeout, commitment.SpendOwnerSuccess, commitment.SpendOtherTimeout, commitment.SpendOtherPreimage:
			return sw, true
		}
	}
	return wallet.PendingSweep{}, false
}
