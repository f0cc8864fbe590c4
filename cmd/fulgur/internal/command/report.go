package command

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var reportCommands = []spec{{
	name: "report", group: groupForward, usage: "what each channel has, carries and earns", more: "Without a start the last 30 days count.",
	flags: []cli.Flag{flagText("start_time", "from then on: seconds since 1970, or so long ago such as -7d")}, example: "report --start_time=-7d", do: report,
}}

// carried is what forwards did to one channel.
type carried struct {
	Channel    string `json:"channel"`
	ChanID     uint64 `json:"chan_id,string"`
	Peer       string `json:"peer"`
	Capacity   int64  `json:"capacity_sat,string"`
	Ours       int64  `json:"ours_sat,string"`
	Theirs     int64  `json:"theirs_sat,string"`
	CameIn     uint64 `json:"came_in_msat,string"`
	WentOut    uint64 `json:"went_out_msat,string"`
	Forwards   int    `json:"forwards"`
	EarnedIn   uint64 `json:"earned_by_what_came_in_msat,string"`
	EarnedOut  uint64 `json:"earned_by_what_went_out_msat,string"`
	BaseFee    int64  `json:"base_fee_msat,string"`
	FeePPM     int64  `json:"fee_ppm,string"`
	InboundPPM int32  `json:"inbound_fee_ppm"`
}

func report(ctx context.Context, c *call) error {
	text := c.cmd.String("start_time")
	if text == "" {
		text = "-30d"
	}
	start, err := moment("start_time", text, time.Now())
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	list, err := ln.ListChannels(ctx, &lnrpc.ListChannelsRequest{PeerAliasLookup: true})
	if err != nil {
		return err
	}
	fees, err := ln.FeeReport(ctx, &lnrpc.FeeReportRequest{})
	if err != nil {
		return err
	}
	rows := channelRows(list.Channels, fees.ChannelFees)
	byID := make(map[uint64]*carried, len(rows))
	for _, r := range rows {
		byID[r.ChanID] = r
	}
	forwards, earned := 0, uint64(0)
	for offset := uint32(0); ; {
		c.step("reading forwards: %d so far", forwards)
		page, err := ln.ForwardingHistory(ctx, &lnrpc.ForwardingHistoryRequest{StartTime: start, IndexOffset: offset, NumMaxEvents: 10_000})
		if err != nil {
			return err
		}
		for _, e := range page.ForwardingEvents {
			forwards++
			earned += e.FeeMsat
			count(byID, e)
		}
		if len(page.ForwardingEvents) == 0 || page.LastOffsetIndex <= offset || page.LastOffsetIndex == math.MaxUint32 {
			break
		}
		offset = page.LastOffsetIndex
	}
	slices.SortStableFunc(rows, func(a, b *carried) int { return int(int64(b.EarnedIn+b.EarnedOut) - int64(a.EarnedIn+a.EarnedOut)) })
	return c.result(map[string]any{"start_time": start, "forwards": forwards, "earned_msat": earned, "channels": rows},
		func(w io.Writer) { printReport(w, rows, start, forwards, earned) })
}

func channelRows(channels []*lnrpc.Channel, fees []*lnrpc.ChannelFeeReport) (rows []*carried) {
	for _, ch := range channels {
		r := &carried{Channel: show.ShortChannelID(ch.ChanId), ChanID: ch.ChanId, Peer: peerName(ch.PeerAlias, ch.RemotePubkey),
			Capacity: ch.Capacity, Ours: ch.LocalBalance, Theirs: ch.RemoteBalance}
		for _, f := range fees {
			if f.ChanId == ch.ChanId {
				r.BaseFee, r.FeePPM, r.InboundPPM = f.BaseFeeMsat, f.FeePerMil, f.InboundFeePerMil
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// count gives a forward to both of its channels; those that are closed have no row.
func count(byID map[uint64]*carried, e *lnrpc.ForwardingEvent) {
	if in := byID[e.ChanIdIn]; in != nil {
		in.CameIn += e.AmtInMsat
		in.EarnedIn += e.FeeMsat
		in.Forwards++
	}
	if out := byID[e.ChanIdOut]; out != nil {
		out.WentOut += e.AmtOutMsat
		out.EarnedOut += e.FeeMsat
		out.Forwards++
	}
}

func printReport(w io.Writer, rows []*carried, start uint64, forwards int, earned uint64) {
	t := show.NewTable("channel", "peer", "capacity>", "ours", "came in>", "went out>", "earned as exit>", "as entry>", "our fee")
	var capacity, ours int64
	for _, r := range rows {
		capacity, ours = capacity+r.Capacity, ours+r.Ours
		fee := fmt.Sprintf("%d + %d ppm", r.BaseFee, r.FeePPM)
		if r.InboundPPM != 0 {
			fee += fmt.Sprintf(", %d in", r.InboundPPM)
		}
		t.Row(r.Channel, r.Peer, show.Sat(r.Capacity), balance(r.Ours, r.Theirs), show.Msat(r.CameIn), show.Msat(r.WentOut),
			show.Msat(r.EarnedOut), show.Msat(r.EarnedIn), fee)
	}
	t.Print(w)
	fmt.Fprintf(w, "\nsince %s: %s payments carried, %s earned; %s of %s are ours\n", show.Time(int64(start)), show.Number(forwards), show.Msat(earned),
		show.Sat(ours), show.Sat(capacity))
}

// balance draws how much of a channel is ours.
func balance(ours, theirs int64) string {
	const width = 10
	if ours+theirs <= 0 {
		return ""
	}
	n := int((ours*width + (ours+theirs)/2) / (ours + theirs))
	bar := ""
	for i := range width {
		if i < n {
			bar += "█"
		} else {
			bar += "░"
		}
	}
	return fmt.Sprintf("%s %3d%%", bar, ours*100/(ours+theirs))
}
