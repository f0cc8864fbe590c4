package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var liveCommands = []spec{{
	name: "watch", group: groupWatch, usage: "channels, payments and forwards on the screen, as they change", args: "[channels|payments|forwards]", max: 1,
	more:  "Without a word all three are shown. Runs until it is interrupted. Programs subscribe instead: subscribechannelevents and its like.",
	flags: []cli.Flag{&cli.DurationFlag{Name: "every", Value: time.Second, Usage: "draw so often"}}, example: "watch payments", do: live,
}}

// shown is how many payments and forwards fit.
const shown = 12

// view draws one part of the screen.
type view struct {
	name string
	draw func(ctx context.Context, ln lnrpc.LightningClient, w io.Writer) error
}

var views = []view{{"channels", drawChannels}, {"payments", drawPayments}, {"forwards", drawForwards}}

func live(ctx context.Context, c *call) error {
	every := c.cmd.Duration("every")
	if every < 100*time.Millisecond {
		return Usage("watch: --every=%v: at least 100ms", every)
	}
	if c.json {
		return Usage("watch: it draws on a terminal; programs use the subscribe commands")
	}
	wanted := views
	if word := c.cmd.Args().First(); word != "" {
		wanted = nil
		for _, v := range views {
			if v.name == word {
				wanted = []view{v}
			}
		}
		if wanted == nil {
			return Usage("watch: %q is none of channels, payments, forwards", word)
		}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	next := time.NewTicker(every)
	defer next.Stop()
	for {
		var screen bytes.Buffer
		if err := drawAll(ctx, ln, &screen, wanted); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		c.quiet()
		// Home, each line with its rest erased, then what is left below: nothing flickers.
		lines := bytes.ReplaceAll(screen.Bytes(), []byte("\n"), []byte("\x1b[K\n"))
		if _, err := fmt.Fprintf(c.app.Out, "\x1b[H%s\x1b[J", lines); err != nil {
			return err
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func drawAll(ctx context.Context, ln lnrpc.LightningClient, w io.Writer, wanted []view) error {
	info, err := ln.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s  block %s  %d peers  %s\n", peerName(show.Clean(info.Alias), info.IdentityPubkey), show.Number(info.BlockHeight), info.NumPeers,
		time.Now().Format("15:04:05"))
	for _, v := range wanted {
		fmt.Fprintf(w, "\n%s\n", v.name)
		if err := v.draw(ctx, ln, w); err != nil {
			return err
		}
	}
	return nil
}

func drawChannels(ctx context.Context, ln lnrpc.LightningClient, w io.Writer) error {
	list, err := ln.ListChannels(ctx, &lnrpc.ListChannelsRequest{PeerAliasLookup: true})
	if err != nil {
		return err
	}
	t := show.NewTable("channel", "peer", "capacity>", "ours>", "ours", "under way>", "state")
	for _, ch := range list.Channels {
		t.Row(show.ShortChannelID(ch.ChanId), peerName(ch.PeerAlias, ch.RemotePubkey), show.Sat(ch.Capacity), show.Sat(ch.LocalBalance),
			balance(ch.LocalBalance, ch.RemoteBalance), show.Number(len(ch.PendingHtlcs)), channelState(ch))
	}
	t.Print(w)
	return nil
}

func drawPayments(ctx context.Context, ln lnrpc.LightningClient, w io.Writer) error {
	list, err := ln.ListPayments(ctx, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, Reversed: true, MaxPayments: shown})
	if err != nil {
		return err
	}
	t := show.NewTable("time", "hash", "amount>", "fee>", "parts>", "state")
	for i := len(list.Payments) - 1; i >= 0; i-- {
		p := list.Payments[i]
		t.Row(show.Time(p.CreationTimeNs/1e9), show.Short(p.PaymentHash), show.Msat(p.ValueMsat), show.Msat(p.FeeMsat), show.Number(len(p.Htlcs)), paymentState(p))
	}
	t.Print(w)
	return nil
}

// paymentState is how far a payment is, and for a failed one why it went no further.
func paymentState(p *lnrpc.Payment) string {
	switch p.Status {
	case lnrpc.Payment_SUCCEEDED:
		return "paid"
	case lnrpc.Payment_FAILED:
		return "failed: " + failureWords[p.FailureReason]
	default:
		return attempts(p)
	}
}

func drawForwards(ctx context.Context, ln lnrpc.LightningClient, w io.Writer) error {
	history, err := lastForwards(ctx, ln)
	if err != nil {
		return err
	}
	t := show.NewTable("time", "from", "to", "amount>", "earned>")
	for _, e := range history {
		t.Row(show.Time(int64(e.TimestampNs/1e9)), e.PeerAliasIn, e.PeerAliasOut, show.Msat(e.AmtOutMsat), show.Msat(e.FeeMsat))
	}
	t.Print(w)
	return nil
}

// lastForwards are those of the last hour, the last ones of them, the newest first.
func lastForwards(ctx context.Context, ln lnrpc.LightningClient) (last []*lnrpc.ForwardingEvent, err error) {
	start := uint64(time.Now().Add(-time.Hour).Unix())
	for offset := uint32(0); ; {
		page, err := ln.ForwardingHistory(ctx, &lnrpc.ForwardingHistoryRequest{StartTime: start, IndexOffset: offset, NumMaxEvents: 1000, PeerAliasLookup: true})
		if err != nil {
			return nil, err
		}
		for _, e := range page.ForwardingEvents {
			last = append([]*lnrpc.ForwardingEvent{e}, last[:min(len(last), shown-1)]...)
		}
		if len(page.ForwardingEvents) == 0 || page.LastOffsetIndex <= offset {
			return last, nil
		}
		offset = page.LastOffsetIndex
	}
}
