package command

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

var payFlags = []cli.Flag{
	flagText("amt", "the amount, if the invoice leaves it open"),
	flagText("fee_limit", "most that the way may cost (default: 5 % of the amount, all of it up to 1,000 sat)"),
	flagUint("fee_limit_percent", "the same in percent of the amount"),
	&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "begin no new attempt after so long"},
	flagInt("cltv_limit", "longest time the money may be locked up, in blocks"),
	flagText("last_hop", "node that the payment has to come through last"),
	flagTexts("outgoing_chan_id", "leave over this channel; may be repeated"),
	&cli.Uint64Flag{Name: "max_parts", Value: 16, Usage: "parts that the payment may be split into"},
	flagText("max_shard_size_sat", "largest such part"),
	flagBool("inflight_updates", "print every change, as JSON"), forceFlag,
}

var payCommands = []spec{{
	name: "payinvoice", group: groupPay, usage: "pay an invoice", args: "INVOICE", max: 1,
	more:    "Shows what the invoice says and asks first, unless --force.",
	flags:   append([]cli.Flag{flagText("pay_req", "the invoice")}, payFlags...),
	example: "payinvoice --fee_limit=10 lnbcrt15u1...", do: payInvoice,
}, {
	name: "sendpayment", group: groupPay, usage: "pay an invoice, or a node and hash", args: "DEST AMOUNT HASH [FINAL_CLTV_DELTA]", max: 4,
	flags: append([]cli.Flag{
		flagText("pay_req", "the invoice"), flagText("dest", "the payee"), flagText("payment_hash", "its hash"),
		flagText("final_cltv_delta", "blocks that the payee wants to be left"), flagText("payment_addr", "the payment secret, hex"),
	}, payFlags...),
	example: "sendpayment --pay_req=lnbcrt15u1... --force", do: sendPayment,
}, {
	name: "trackpayment", group: groupPay, usage: "follow a payment to its end", args: "HASH", max: 1,
	flags:   []cli.Flag{flagText("hash", "of the payment"), flagBool("inflight_updates", "print every change, as JSON")},
	example: "trackpayment 5c3b...", do: trackPayment,
}}

func payInvoice(ctx context.Context, c *call) error {
	text, err := c.need("pay_req")
	if err != nil {
		return err
	}
	return c.payText(ctx, text)
}

func (c *call) payText(ctx context.Context, text string) error {
	req, err := c.payLimits()
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	req.PaymentRequest = bare(text)
	inv, err := ln.DecodePayReq(ctx, &lnrpc.PayReqString{PayReq: req.PaymentRequest})
	if err != nil {
		return err
	}
	msat := inv.NumMsat
	if c.cmd.IsSet("amt") {
		if msat != 0 {
			return Usage("%s: --amt: the invoice says %s already", c.cmd.Name, show.Msat(msat))
		}
		if msat, err = show.ParseMsat(c.cmd.String("amt"), 1000); err != nil {
			return Usage("amt: %v", err)
		}
		req.AmtMsat = msat
	}
	if msat == 0 {
		return Usage("%s: the invoice leaves the amount open: add --amt", c.cmd.Name)
	}
	if err := c.feeLimit(req, msat); err != nil {
		return err
	}
	if !c.cmd.Bool("force") && c.app.InTerm {
		c.quiet()
		payReqPairs(inv).Print(c.app.Err)
	}
	if err := c.confirm(fmt.Sprintf("Pay %s, and at most %s for the way?", show.Msat(msat), show.Msat(req.FeeLimitMsat))); err != nil {
		return err
	}
	return c.pay(ctx, req)
}

func sendPayment(ctx context.Context, c *call) error {
	if text := c.cmd.String("pay_req"); text != "" {
		if c.cmd.NArg() > 0 {
			return Usage("sendpayment: --pay_req says it all, %q is too much", c.cmd.Args().First())
		}
		return c.payText(ctx, text)
	}
	req, err := c.payLimits()
	if err != nil {
		return err
	}
	if req.Dest, err = c.bytes("dest", 33); err != nil {
		return err
	}
	text, err := c.need("amt")
	if err != nil {
		return err
	}
	if req.AmtMsat, err = show.ParseMsat(text, 1000); err != nil {
		return Usage("amt: %v", err)
	}
	if req.PaymentHash, err = c.bytes("payment_hash", 32); err != nil {
		return err
	}
	delta, err := number("final_cltv_delta", c.take("final_cltv_delta"))
	if err != nil {
		return err
	}
	req.FinalCltvDelta = int32(min(delta, math.MaxInt32))
	if a := c.cmd.String("payment_addr"); a != "" {
		if req.PaymentAddr, err = parseHex("payment_addr", a, 32); err != nil {
			return err
		}
	}
	if err := c.feeLimit(req, req.AmtMsat); err != nil {
		return err
	}
	question := fmt.Sprintf("Pay %s to %x, and at most %s for the way?", show.Msat(req.AmtMsat), req.Dest, show.Msat(req.FeeLimitMsat))
	if err := c.confirm(question); err != nil {
		return err
	}
	return c.pay(ctx, req)
}

// payLimits reads the flags that say how the payment may travel.
func (c *call) payLimits() (*routerrpc.SendPaymentRequest, error) {
	f := c.cmd
	shard, err := show.ParseMsat(orZero(f.String("max_shard_size_sat")), 1000)
	if err != nil {
		return nil, Usage("max_shard_size_sat: %v", err)
	}
	req := &routerrpc.SendPaymentRequest{
		TimeoutSeconds: int32(min(f.Duration("timeout")/time.Second, math.MaxInt32)), CltvLimit: int32(f.Int64("cltv_limit")),
		MaxParts: uint32(min(f.Uint64("max_parts"), math.MaxUint32)), MaxShardSizeMsat: uint64(shard),
	}
	if req.TimeoutSeconds <= 0 {
		return nil, Usage("timeout: at least a second, such as 30s")
	}
	if hop := f.String("last_hop"); hop != "" {
		if req.LastHopPubkey, err = parseHex("last_hop", hop, 33); err != nil {
			return nil, err
		}
	}
	for _, text := range f.StringSlice("outgoing_chan_id") {
		id, err := show.ParseShortChannelID(text)
		if err != nil {
			return nil, Usage("outgoing_chan_id: %v", err)
		}
		req.OutgoingChanIds = append(req.OutgoingChanIds, id)
	}
	return req, nil
}

func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

// smallPayment is the amount up to which the way may cost as much again.
const smallPayment = 1_000_000

// feeLimit reads how much the way may cost.
func (c *call) feeLimit(req *routerrpc.SendPaymentRequest, msat int64) error {
	limit, err := c.feeLimitMsat(msat)
	req.FeeLimitMsat = limit
	return err
}

func (c *call) feeLimitMsat(msat int64) (int64, error) {
	f := c.cmd
	switch {
	case f.IsSet("fee_limit") && f.IsSet("fee_limit_percent"):
		return 0, Usage("%s: --fee_limit and --fee_limit_percent: choose one", f.Name)
	case f.IsSet("fee_limit"):
		limit, err := show.ParseMsat(f.String("fee_limit"), 1000)
		if err != nil {
			return 0, Usage("fee_limit: %v", err)
		}
		return limit, nil
	case f.IsSet("fee_limit_percent"):
		percent := f.Uint64("fee_limit_percent")
		if percent > 100 {
			return 0, Usage("fee_limit_percent: %d, at most 100", percent)
		}
		return msat / 100 * int64(percent), nil
	case msat <= smallPayment:
		return msat, nil
	}
	return msat / 20, nil
}

func (c *call) pay(ctx context.Context, req *routerrpc.SendPaymentRequest) error {
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	stream, err := router.SendPaymentV2(ctx, req)
	if err != nil {
		return err
	}
	c.step("looking for a way")
	return c.follow(stream)
}

func trackPayment(ctx context.Context, c *call) error {
	hash, err := c.bytes("hash", 32)
	if err != nil {
		return err
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	stream, err := router.TrackPaymentV2(ctx, &routerrpc.TrackPaymentRequest{PaymentHash: hash})
	if err != nil {
		return err
	}
	return c.follow(stream)
}

// follow tells the attempts of a payment and prints how it ended.
func (c *call) follow(stream grpc.ServerStreamingClient[lnrpc.Payment]) error {
	for {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the daemon does not say how the payment ended (fulgur trackpayment)")
		}
		if err != nil {
			return err
		}
		if p.Status == lnrpc.Payment_SUCCEEDED || p.Status == lnrpc.Payment_FAILED {
			return c.paid(p)
		}
		if c.cmd.Bool("inflight_updates") {
			c.quiet()
			if err := show.JSON(c.app.Out, p); err != nil {
				return err
			}
			continue
		}
		c.step("%s", attempts(p))
	}
}

// attempts sums up how a payment is going.
func attempts(p *lnrpc.Payment) string {
	flying, failed := 0, 0
	for _, a := range p.Htlcs {
		switch a.Status {
		case lnrpc.HTLCAttempt_IN_FLIGHT:
			flying++
		case lnrpc.HTLCAttempt_FAILED:
			failed++
		case lnrpc.HTLCAttempt_SUCCEEDED:
		}
	}
	text := "looking for a way"
	if flying > 0 {
		text = fmt.Sprintf("%d under way", flying)
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return "payment: " + text
}

// failureWords say why a payment failed, and what could be done.
var failureWords = map[lnrpc.PaymentFailureReason]string{
	lnrpc.PaymentFailureReason_FAILURE_REASON_NONE:                      "for no reason that was told",
	lnrpc.PaymentFailureReason_FAILURE_REASON_TIMEOUT:                   "no attempt got through in time (more: --timeout)",
	lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE:                  "there is no way to the payee within the limits (--fee_limit, --cltv_limit; fulgur queryroutes)",
	lnrpc.PaymentFailureReason_FAILURE_REASON_ERROR:                     "something that no other way can mend",
	lnrpc.PaymentFailureReason_FAILURE_REASON_INCORRECT_PAYMENT_DETAILS: "the payee does not know this invoice any more, or wants another amount",
	lnrpc.PaymentFailureReason_FAILURE_REASON_INSUFFICIENT_BALANCE:      "our channels do not hold enough (fulgur channelbalance)",
	lnrpc.PaymentFailureReason_FAILURE_REASON_CANCELED:                  "it was canceled",
}

// printTries tells of a failed payment what was tried, and who said no to it.
func printTries(w io.Writer, p *lnrpc.Payment) {
	if len(p.Htlcs) == 0 {
		return
	}
	t := show.NewTable("tried", "amount>", "said no", "because")
	for _, a := range p.Htlcs {
		if a.Status != lnrpc.HTLCAttempt_FAILED || a.Route == nil {
			continue
		}
		who := "we"
		if i := int(a.Failure.GetFailureSourceIndex()); i > 0 && i <= len(a.Route.Hops) {
			who = show.Short(a.Route.Hops[i-1].PubKey)
		}
		amount := a.Route.TotalAmtMsat - a.Route.TotalFeesMsat
		t.Row(way(a.Route), show.Msat(amount), who, strings.ToLower(strings.ReplaceAll(a.Failure.GetCode().String(), "_", " ")))
	}
	t.Print(w)
}

// paid prints the end of a payment; a failed one is an error.
func (c *call) paid(p *lnrpc.Payment) error {
	err := c.print(p, func(w io.Writer) {
		if p.Status != lnrpc.Payment_SUCCEEDED {
			printTries(w, p)
			return
		}
		var out show.Pairs
		out.Add("paid", show.Msat(p.ValueMsat))
		out.Add("for the way", show.Msat(p.FeeMsat))
		for _, a := range p.Htlcs {
			if a.Status == lnrpc.HTLCAttempt_SUCCEEDED {
				out.Add("over", way(a.Route))
			}
		}
		out.Add("hash", p.PaymentHash)
		out.Add("proof", p.PaymentPreimage)
		out.Print(w)
	})
	if err == nil && p.Status == lnrpc.Payment_FAILED {
		return fmt.Errorf("the payment failed: %s", failureWords[p.FailureReason])
	}
	return err
}

// way writes a route as its channels.
func way(r *lnrpc.Route) string {
	var hops []string
	for _, h := range r.GetHops() {
		hops = append(hops, show.ShortChannelID(h.ChanId))
	}
	return strings.Join(hops, " > ")
}

var paymentCommands = []spec{{
	name: "listpayments", group: groupPay, usage: "the payments made, the newest last", example: "listpayments --include_incomplete --max_payments=20", do: listPayments,
	flags: append([]cli.Flag{
		flagBool("include_incomplete", "also those that failed or are under way"), flagUint("max_payments", "so many (default: 100)"), flagBool("count_total_payments", "count all of them too"),
	}, pageFlags...),
}, {
	name: "deletepayments", group: groupPay, usage: "forget payments that have ended", example: "deletepayments --all --failed_htlcs_only", do: deletePayments,
	flags: []cli.Flag{
		flagBool("all", "all of them"), flagText("payment_hash", "this one"),
		flagBool("failed_htlcs_only", "only the failed attempts"), flagBool("include_non_failed", "with --all: also those that succeeded"),
	},
}}

func listPayments(ctx context.Context, c *call) error {
	f := c.cmd
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	list, err := ln.ListPayments(ctx, &lnrpc.ListPaymentsRequest{
		IncludeIncomplete: f.Bool("include_incomplete"), IndexOffset: f.Uint64("index_offset"), MaxPayments: f.Uint64("max_payments"),
		Reversed: !f.Bool("paginate-forwards"), CountTotalPayments: f.Bool("count_total_payments"),
		CreationDateStart: f.Uint64("creation_date_start"), CreationDateEnd: f.Uint64("creation_date_end"),
	})
	if err != nil {
		return err
	}
	return c.print(list, func(w io.Writer) {
		t := show.NewTable("#>", "begun", "status", "amount>", "fee>", "attempts>", "hash")
		for _, p := range list.Payments {
			t.Row(show.Number(p.PaymentIndex), show.Time(p.CreationTimeNs/1e9), strings.ToLower(strings.ReplaceAll(p.Status.String(), "_", " ")),
				show.Msat(p.ValueMsat), show.Msat(p.FeeMsat), show.Number(len(p.Htlcs)), p.PaymentHash)
		}
		t.Print(w)
	})
}

func deletePayments(ctx context.Context, c *call) error {
	f := c.cmd
	if f.Bool("all") == (f.String("payment_hash") != "") {
		return Usage("deletepayments: either --all or --payment_hash is needed")
	}
	var hash []byte
	if !f.Bool("all") {
		var err error
		if hash, err = parseHex("payment_hash", f.String("payment_hash"), 32); err != nil {
			return err
		}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	if hash != nil {
		answer, err := ln.DeletePayment(ctx, &lnrpc.DeletePaymentRequest{PaymentHash: hash, FailedHtlcsOnly: f.Bool("failed_htlcs_only")})
		if err != nil {
			return err
		}
		return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "forgotten: "+hex.EncodeToString(hash)) })
	}
	answer, err := ln.DeleteAllPayments(ctx, &lnrpc.DeleteAllPaymentsRequest{
		AllPayments: f.Bool("include_non_failed"), FailedPaymentsOnly: !f.Bool("include_non_failed"), FailedHtlcsOnly: f.Bool("failed_htlcs_only"),
	})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, show.Clean(answer.Status)) })
}
