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
)

// fundingExpiry is how many blocks a funding that the peer made may take.
const fundingExpiry = 2016

// PendingChannels lists channels that are being opened or closed.
func (s *Service) PendingChannels(ctx context.Context, req *lnrpc.PendingChannelsRequest) (*lnrpc.PendingChannelsResponse, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	tip := s.node.Tip().Height
	out := &lnrpc.PendingChannelsResponse{}
	for i := range list {
		c := &list[i]
		switch {
		case listed(c) || over(c) || c.Core.Phase < channel.AwaitReady:
		case c.Core.Phase == channel.AwaitReady:
			out.PendingOpenChannels = append(out.PendingOpenChannels, pendingOpen(c, tip))
		case forced(c) && settled(c, tip):
		case forced(c):
			f := s.forceClosed(c, tip)
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
	if tx == nil {
		tx = c.Core.PeerCloseTx
	}
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
		if c.Theirs.Txid != (chainhash.Hash{}) {
			out.Commitments.RemoteTxid, out.Commitments.RemoteCommitFeeSat = c.Theirs.Txid.String(), uint64(c.Theirs.Fee)
		}
		if c.TheirNext.Txid != (chainhash.Hash{}) {
			out.Commitments.RemotePendingTxid, out.Commitments.RemotePendingCommitFeeSat = c.TheirNext.Txid.String(), uint64(c.TheirNext.Fee)
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

// forceClosed is a channel whose commitment is in the chain, with what of it can still
// become ours and what has come home.
func (s *Service) forceClosed(c *channel.Info, tip lnwire.Height) *forcedChannel {
	out := &forcedChannel{Channel: pending(c), ClosingTxid: c.Core.Spend.Tx.TxHash().String()}
	for i := range c.Ends {
		e := &c.Ends[i]
		switch {
		case e.End == channel.EndClaimed:
			out.RecoveredBalance += int64(e.Value)
		case e.Kind == channel.ResolvedAnchor:
			if e.End == channel.EndOpen {
				out.LimboBalance += int64(e.Value)
			}
		case !e.InLimbo(tip):
		case e.Kind == channel.ResolvedBalance:
			out.MaturityHeight, out.BlocksTilMaturity = uint32(e.Mature), blocksTil(e.Mature, tip)
			out.LimboBalance += int64(e.Value)
		default:
			out.PendingHtlcs = append(out.PendingHtlcs, pendingHTLC(e, tip))
			out.LimboBalance += int64(e.Value)
		}
	}
	if s.anchorHome(c.Core.Spend) {
		out.Anchor = lnrpc.PendingChannelsResponse_ForceClosedChannel_RECOVERED
	}
	return out
}

// pendingHTLC is the output of an HTLC that can still become ours: in its first stage
// until its expiry decides, in its second until its delay is over.
func pendingHTLC(e *channel.EndOutput, tip lnwire.Height) *lnrpc.PendingHTLC {
	stage, mature := uint32(1), e.Expiry
	if e.Second {
		stage, mature = 2, e.Mature
	}
	return &lnrpc.PendingHTLC{
		Incoming: e.Kind == channel.ResolvedIncoming, Amount: int64(e.Value), Outpoint: e.OutPoint.String(), Stage: stage,
		MaturityHeight: uint32(mature), BlocksTilMaturity: blocksTil(mature, tip),
	}
}

// settled: a forced close has been reported, nothing of it can become ours any more, and
// every outgoing HTLC has its end.
func settled(c *channel.Info, tip lnwire.Height) bool {
	for i := range c.Ends {
		if c.Ends[i].InLimbo(tip) {
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

// anchorHome: the wallet has spent our anchor of a commitment in the chain.
func (s *Service) anchorHome(spend *channel.Spend) bool {
	id := spend.Tx.TxHash()
	for _, row := range s.node.Txs(spend.Place.At.Height, math.MaxInt32, false) {
		if row.Tx == nil || row.Debit >= row.Credit {
			continue
		}
		for _, in := range row.Tx.TxIn {
			op := in.PreviousOutPoint
			if op.Hash == id && int(op.Index) < len(spend.Tx.TxOut) && spend.Tx.TxOut[op.Index].Value == int64(commitment.AnchorValue) {
				return true
			}
		}
	}
	return false
}
