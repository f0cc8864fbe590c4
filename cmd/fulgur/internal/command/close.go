package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// pause waits between two looks.
func pause(ctx context.Context) {
	select {
	case <-time.After(500 * time.Millisecond):
	case <-ctx.Done():
	}
}

var closeFlags = append([]cli.Flag{
	flagBool("force", "publish our commitment instead of asking the peer; our money comes back after a delay"),
	flagBool("block", "wait until the closing transaction is confirmed"),
	flagText("delivery_addr", "`ADDRESS` that gets our share"), flagUint("max_fee_rate", "highest sat/vbyte to agree to"),
}, feeFlags...)

var closeCommands = []spec{{
	name: "closechannel", group: groupChannels, usage: "close a channel", args: "CHANNEL", max: 2,
	more: "CHANNEL is TXID:INDEX, or TXID INDEX, or the id that listchannels shows, such as 110x1x0.\n" +
		"Answers when the closing transaction is published; with --block when it is confirmed.",
	flags: append([]cli.Flag{
		flagText("funding_txid", "transaction that opened the channel"), flagText("output_index", "its output"), flagText("chan_point", "both, as TXID:INDEX"),
		flagBool("dry_run", "close nothing: tell what it would cost, and by when all would be home"),
	}, closeFlags...),
	example: "closechannel --sat_per_vbyte=2 110x1x0", do: closeChannel,
}, {
	name: "closeallchannels", group: groupChannels, usage: "close all channels",
	flags: append([]cli.Flag{
		flagBool("inactive_only", "only those that cannot be used now; with --force"), flagBool("skip_confirmation", "do not ask"),
	}, closeFlags...),
	example: "closeallchannels --sat_per_vbyte=2", do: closeAllChannels,
}}

func closeRequest(c *call, point *lnrpc.ChannelPoint) *lnrpc.CloseChannelRequest {
	f := c.cmd
	return &lnrpc.CloseChannelRequest{
		ChannelPoint: point, Force: f.Bool("force"), TargetConf: int32(f.Int64("conf_target")), SatPerVbyte: f.Uint64("sat_per_vbyte"),
		DeliveryAddress: f.String("delivery_addr"), MaxFeePerVbyte: f.Uint64("max_fee_rate"),
	}
}

func closeChannel(ctx context.Context, c *call) error {
	if err := c.feeChoice(); err != nil {
		return err
	}
	point, err := c.findPoint(ctx)
	if err != nil {
		return err
	}
	if f := c.cmd; f.Bool("dry_run") {
		return c.dryRun(ctx, &fulgurrpc.PlanCloseRequest{
			ChanPoint: point, Force: f.Bool("force"), SatPerVbyte: f.Uint64("sat_per_vbyte"), TargetConf: uint32(max(f.Int64("conf_target"), 0)),
		})
	}
	txid, err := c.closeOne(ctx, closeRequest(c, point))
	if err != nil {
		return err
	}
	return c.result(map[string]string{"closing_txid": txid}, func(w io.Writer) {
		if c.cmd.Bool("block") {
			fmt.Fprintln(w, "closed by transaction "+txid)
			return
		}
		fmt.Fprintln(w, "closing transaction published: "+txid)
	})
}

// closeOne closes a channel and returns the closing transaction.
func (c *call) closeOne(ctx context.Context, req *lnrpc.CloseChannelRequest) (string, error) {
	ln, err := c.lightning(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := ln.CloseChannel(ctx, req)
	if err != nil {
		return "", err
	}
	c.step("closing %s", pointText(req.ChannelPoint))
	for {
		update, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return "", errors.New("the daemon ended the closing without a result (fulgur pendingchannels)")
		}
		if err != nil {
			return "", err
		}
		switch u := update.Update.(type) {
		case *lnrpc.CloseStatusUpdate_ClosePending:
			txid := hashText(u.ClosePending.Txid)
			if !c.cmd.Bool("block") {
				return txid, nil
			}
			c.step("waiting for transaction %s to confirm", txid)
		case *lnrpc.CloseStatusUpdate_ChanClose:
			return hashText(u.ChanClose.ClosingTxid), nil
		case *lnrpc.CloseStatusUpdate_CloseInstant:
			c.step("%d payments under way have to settle first", u.CloseInstant.NumPendingHtlcs)
		}
	}
}

// closing is the outcome of one of many.
type closing struct {
	Point string `json:"channel_point"`
	Peer  string `json:"remote_pub_key"`
	Txid  string `json:"closing_txid"`
	Error string `json:"error,omitempty"`
}

func closeAllChannels(ctx context.Context, c *call) error {
	if err := c.feeChoice(); err != nil {
		return err
	}
	f := c.cmd
	if f.Bool("inactive_only") && !f.Bool("force") {
		return Usage("closeallchannels: --inactive_only needs --force: a peer that is away cannot agree")
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	list, err := ln.ListChannels(ctx, &lnrpc.ListChannelsRequest{InactiveOnly: f.Bool("inactive_only")})
	if err != nil {
		return err
	}
	if !f.Bool("skip_confirmation") && len(list.Channels) > 0 {
		if !c.app.InTerm {
			return Usage("closeallchannels: nobody is there to confirm; add --skip_confirmation")
		}
		yes, err := c.ask(fmt.Sprintf("Close %d channels?", len(list.Channels)))
		if err != nil {
			return err
		}
		if !yes {
			return errDeclined
		}
	}
	results, failed := []closing{}, 0
	for _, ch := range list.Channels {
		r := c.closeNamed(ctx, ch)
		if r.Error != "" {
			failed++
		}
		results = append(results, r)
	}
	err = c.result(results, func(w io.Writer) {
		t := show.NewTable("channel", "closing transaction", "error")
		for _, r := range results {
			t.Row(r.Point, r.Txid, r.Error)
		}
		t.Print(w)
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d channels could not be closed", failed, len(results))
	}
	return err
}

func (c *call) closeNamed(ctx context.Context, ch *lnrpc.Channel) closing {
	r := closing{Point: ch.ChannelPoint, Peer: ch.RemotePubkey}
	txid, index, err := splitPoint("channel", ch.ChannelPoint)
	if err == nil {
		r.Txid, err = c.closeOne(ctx, closeRequest(c, channelPoint(txid, index)))
	}
	if err != nil {
		r.Error = c.explain(ctx, err).Error()
	}
	return r
}
