package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

var forwardCommands = []spec{{
	name: "fwdinghistory", group: groupForward, usage: "payments carried for others, and what they brought", args: "[START [END [OFFSET [MAX]]]]", max: 4,
	more: "Times are seconds since 1970, or so long ago: -24h, -7d. Without a start the last day is shown.",
	flags: []cli.Flag{
		flagText("start_time", "from then on"), flagText("end_time", "until then"), flagText("index_offset", "skip so many"),
		flagText("max_events", "show so many (default: 100)"), flagBool("skip_peer_alias_lookup", "do not look names up"),
		flagTexts("incoming_chan_ids", "came in over this channel; may be repeated"), flagTexts("outgoing_chan_ids", "went out over this channel; may be repeated"),
	},
	example: "fwdinghistory --start_time=-7d", do: fwdingHistory,
}, {
	name: "deletefwdhistory", group: groupForward, usage: "delete old payments carried for others from our memory, for good",
	more: "AGE is so long ago: -24h, -30d, -4w, -6M, -1y. What they brought is told, and is in no report any more.",
	flags: []cli.Flag{
		flagText("age", "all that are older"), flagUint("before", "all until then, in unix seconds"), flagBool("force", "do not ask"),
	},
	example: "deletefwdhistory --age=-1y", do: deleteFwdHistory,
}, {
	name: "feereport", group: groupForward, usage: "our fees, and what they brought", example: "feereport", do: feeReport,
}, {
	name: "updatechanpolicy", group: groupForward, usage: "set our fees and limits, for one channel or for all", max: 4,
	args: "BASE_FEE_MSAT FEE_RATE TIME_LOCK_DELTA [CHANNEL]",
	more: "FEE_RATE is a fraction of the amount; --fee_rate_ppm gives it in millionths.",
	flags: []cli.Flag{
		flagText("base_fee_msat", "for every payment"), flagText("fee_rate", "fraction of the amount, such as 0.0001"), flagText("fee_rate_ppm", "the same in millionths, such as 100"),
		flagText("time_lock_delta", "blocks between what comes in and what goes out"), flagUint("min_htlc_msat", "smallest payment"), flagUint("max_htlc_msat", "largest payment"),
		flagInt("inbound_base_fee_msat", "for what comes in here; negative: a discount"), flagInt("inbound_fee_rate_ppm", "the same in millionths"),
		flagText("chan_point", "`TXID:INDEX` of the channel (default: all)"), flagBool("create_missing_edge", "for a channel that has no policy yet"),
	},
	example: "updatechanpolicy --base_fee_msat=1000 --fee_rate_ppm=100 --time_lock_delta=80", do: updateChanPolicy,
}}

// moment reads seconds since 1970 or a time ago.
func moment(name, text string, now time.Time) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	ago, relative := strings.CutPrefix(text, "-")
	if !relative {
		return number(name, text)
	}
	unit := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[ago[max(0, len(ago)-1):]]
	var d time.Duration
	var err error
	if unit > 0 {
		var n int
		n, err = strconv.Atoi(ago[:len(ago)-1])
		d = time.Duration(n) * unit
	} else {
		d, err = time.ParseDuration(ago)
	}
	if err != nil || d < 0 || d > now.Sub(time.Unix(0, 0)) {
		return 0, Usage("%s: %q: want seconds since 1970, or so long ago such as -24h or -7d", name, text)
	}
	return uint64(now.Add(-d).Unix()), nil
}

func fwdingHistory(ctx context.Context, c *call) error {
	now := time.Now()
	req := &lnrpc.ForwardingHistoryRequest{PeerAliasLookup: !c.cmd.Bool("skip_peer_alias_lookup")}
	var err error
	start := c.take("start_time")
	if start == "" {
		start = "-24h"
	}
	if req.StartTime, err = moment("start_time", start, now); err != nil {
		return err
	}
	if req.EndTime, err = moment("end_time", c.take("end_time"), now); err != nil {
		return err
	}
	offset, err := number("index_offset", c.take("index_offset"))
	if err != nil {
		return err
	}
	most, err := number("max_events", c.take("max_events"))
	if err != nil {
		return err
	}
	req.IndexOffset, req.NumMaxEvents = uint32(min(offset, math.MaxUint32)), uint32(min(most, math.MaxUint32))
	if req.IncomingChanIds, err = channelIDs("incoming_chan_ids", c.cmd.StringSlice("incoming_chan_ids")); err != nil {
		return err
	}
	if req.OutgoingChanIds, err = channelIDs("outgoing_chan_ids", c.cmd.StringSlice("outgoing_chan_ids")); err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	history, err := ln.ForwardingHistory(ctx, req)
	if err != nil {
		return err
	}
	return c.print(history, func(w io.Writer) { printForwards(w, history.ForwardingEvents) })
}

func channelIDs(name string, texts []string) (ids []uint64, err error) {
	for _, text := range texts {
		id, err := show.ParseShortChannelID(text)
		if err != nil {
			return nil, Usage("%s: %v", name, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func printForwards(w io.Writer, events []*lnrpc.ForwardingEvent) {
	t := show.NewTable("time", "from", "over", "to", "over", "came in>", "went out>", "earned>")
	sum := uint64(0)
	for _, e := range events {
		sum += e.FeeMsat
		t.Row(show.Time(int64(e.TimestampNs/1e9)), e.PeerAliasIn, show.ShortChannelID(e.ChanIdIn), e.PeerAliasOut, show.ShortChannelID(e.ChanIdOut),
			show.Msat(e.AmtInMsat), show.Msat(e.AmtOutMsat), show.Msat(e.FeeMsat))
	}
	t.Print(w)
	if len(events) > 0 {
		fmt.Fprintf(w, "%d payments, %s earned\n", len(events), show.Msat(sum))
	}
}

func feeReport(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	report, err := ln.FeeReport(ctx, &lnrpc.FeeReportRequest{})
	if err != nil {
		return err
	}
	return c.print(report, func(w io.Writer) {
		t := show.NewTable("channel", "base fee>", "millionths>", "point")
		for _, f := range report.ChannelFees {
			t.Row(show.ShortChannelID(f.ChanId), show.Msat(f.BaseFeeMsat), show.Number(f.FeePerMil), f.ChannelPoint)
		}
		t.Print(w)
		fmt.Fprintf(w, "earned: %s in a day, %s in a week, %s in a month\n", show.Sat(report.DayFeeSum), show.Sat(report.WeekFeeSum), show.Sat(report.MonthFeeSum))
	})
}

// policyRequest reads a policy. What every policy has must be said: there is no
// "leave it as it is" for it in the interface.
func policyRequest(c *call) (*lnrpc.PolicyUpdateRequest, error) {
	f := c.cmd
	text, err := c.need("base_fee_msat")
	if err != nil {
		return nil, err
	}
	base, err := number("base_fee_msat", text)
	if err != nil {
		return nil, err
	}
	req := &lnrpc.PolicyUpdateRequest{
		BaseFeeMsat: int64(min(base, math.MaxInt64)), MaxHtlcMsat: f.Uint64("max_htlc_msat"), MinHtlcMsat: f.Uint64("min_htlc_msat"),
		MinHtlcMsatSpecified: f.IsSet("min_htlc_msat"), CreateMissingEdge: f.Bool("create_missing_edge"),
	}
	if err := policyRate(c, req); err != nil {
		return nil, err
	}
	if text, err = c.need("time_lock_delta"); err != nil {
		return nil, err
	}
	delta, err := number("time_lock_delta", text)
	if err != nil {
		return nil, err
	}
	req.TimeLockDelta = uint32(min(delta, math.MaxUint32))
	if f.IsSet("inbound_base_fee_msat") || f.IsSet("inbound_fee_rate_ppm") {
		req.InboundFee = &lnrpc.InboundFee{BaseFeeMsat: int32(f.Int64("inbound_base_fee_msat")), FeeRatePpm: int32(f.Int64("inbound_fee_rate_ppm"))}
	}
	return req, nil
}

func policyRate(c *call, req *lnrpc.PolicyUpdateRequest) error {
	f := c.cmd
	if f.IsSet("fee_rate_ppm") {
		if f.IsSet("fee_rate") {
			return Usage("updatechanpolicy: --fee_rate and --fee_rate_ppm: choose one")
		}
		ppm, err := number("fee_rate_ppm", f.String("fee_rate_ppm"))
		req.FeeRatePpm = uint32(min(ppm, math.MaxUint32))
		return err
	}
	text, err := c.need("fee_rate")
	if err != nil {
		return err
	}
	if req.FeeRate, err = strconv.ParseFloat(text, 64); err != nil {
		return Usage("fee_rate: %q is no number", text)
	}
	return nil
}

func updateChanPolicy(ctx context.Context, c *call) error {
	req, err := policyRequest(c)
	if err != nil {
		return err
	}
	req.Scope = &lnrpc.PolicyUpdateRequest_Global{Global: true}
	if text := c.take("chan_point"); text != "" {
		point, err := c.pointNamed(ctx, text)
		if err != nil {
			return err
		}
		req.Scope = &lnrpc.PolicyUpdateRequest_ChanPoint{ChanPoint: point}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.UpdateChannelPolicy(ctx, req)
	if err != nil {
		return err
	}
	err = c.print(answer, func(w io.Writer) {
		if len(answer.FailedUpdates) == 0 {
			fmt.Fprintln(w, "the policy is set")
			return
		}
		t := show.NewTable("channel", "kept its policy because")
		for _, f := range answer.FailedUpdates {
			t.Row(outpointText(f.Outpoint), f.UpdateError)
		}
		t.Print(w)
	})
	if err == nil && len(answer.FailedUpdates) > 0 {
		err = errors.New("not every channel took the policy")
	}
	return err
}

// pointNamed reads a channel as TXID:INDEX or as its short channel id.
func (c *call) pointNamed(ctx context.Context, text string) (*lnrpc.ChannelPoint, error) {
	if strings.Contains(text, ":") {
		txid, index, err := splitPoint("channel", text)
		return channelPoint(txid, index), err
	}
	id, err := show.ParseShortChannelID(text)
	if err != nil {
		return nil, Usage("%s: %v", c.cmd.Name, err)
	}
	return c.pointOf(ctx, id)
}

func deleteFwdHistory(ctx context.Context, c *call) error {
	age, before := c.cmd.String("age"), c.cmd.Uint64("before")
	if (age == "") == (before == 0) {
		return Usage("%s: say --age or --before", c.cmd.Name)
	}
	req := &routerrpc.DeleteForwardingHistoryRequest{TimeSpec: &routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeDuration{DeleteBeforeDuration: age}}
	if before != 0 {
		req.TimeSpec = &routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeTime{DeleteBeforeTime: before}
	}
	if err := c.confirm("Delete this history? It cannot be brought back."); err != nil {
		return err
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.DeleteForwardingHistory(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%d forwards are deleted, which had brought %s\n", answer.EventsDeleted, show.Msat(answer.TotalFeeMsat))
	})
}
