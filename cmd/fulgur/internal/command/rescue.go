package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
)

var rescueCommands = []spec{{
	name: "rescue", group: groupChannels, usage: "every channel that is being closed, in words: what waits for what", args: "[CHANNEL]", max: 2,
	more: "CHANNEL is TXID:INDEX, or TXID INDEX; without it all are told.\n" +
		"For each: what waits for what, until which block, at which fee, and what can be done.",
	flags: []cli.Flag{
		flagText("funding_txid", "transaction that opened the channel"), flagText("output_index", "its output"), flagText("chan_point", "both, as TXID:INDEX"),
	},
	example: "rescue", do: rescue,
}}

func (c *call) closes(ctx context.Context) (fulgurrpc.ClosingClient, error) {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return nil, err
	}
	return fulgurrpc.NewClosingClient(conn), nil
}

func rescue(ctx context.Context, c *call) error {
	req := &fulgurrpc.RescueRequest{}
	if c.cmd.NArg() > 0 || c.cmd.IsSet("chan_point") || c.cmd.IsSet("funding_txid") {
		point, err := c.findPoint(ctx)
		if err != nil {
			return err
		}
		req.ChanPoint = point
	}
	cl, err := c.closes(ctx)
	if err != nil {
		return err
	}
	answer, err := cl.Rescue(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { tellRescue(w, answer) })
}

func tellRescue(w io.Writer, r *fulgurrpc.RescueResponse) {
	for _, text := range r.Warnings {
		fmt.Fprintln(w, "WARNING: "+show.Clean(text))
	}
	if len(r.Channels) == 0 {
		fmt.Fprintln(w, "no channel is being closed")
		return
	}
	fmt.Fprintf(w, "at block %s\n", show.Number(r.BlockHeight))
	for _, ch := range r.Channels {
		fmt.Fprintln(w)
		tellClosing(w, ch)
	}
}

func tellClosing(w io.Writer, ch *fulgurrpc.ClosingChannel) {
	fmt.Fprintf(w, "channel %s of %s with %s\n", show.Clean(ch.ChannelPoint), show.Sat(ch.Capacity), show.Clean(ch.RemotePubkey))
	say := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-9s %s\n", name, show.Clean(text))
		}
	}
	say("state", ch.State)
	say("why", ch.Reason)
	say("by", ch.ClosingTxid)
	say("not home", show.Sat(ch.LimboBalance))
	if ch.RecoveredBalance > 0 {
		say("home", show.Sat(ch.RecoveredBalance))
	}
	if ch.HomeHeight > 0 {
		say("all home", fmt.Sprintf("by block %s", show.Number(ch.HomeHeight)))
	}
	if len(ch.Steps) == 0 {
		return
	}
	fmt.Fprintln(w)
	var table strings.Builder
	t := show.NewTable("what", "amount>", "waits for", "until block>", "sat/vbyte>", "budget>", "deadline>")
	for _, s := range ch.Steps {
		t.Row(s.What, some(s.Amount), s.WaitsFor, block(s.UntilHeight), some64(s.SatPerVbyte), some(int64(s.Budget)), block(s.DeadlineHeight))
	}
	t.Print(&table)
	for _, line := range strings.Split(strings.TrimRight(table.String(), "\n"), "\n") {
		fmt.Fprintln(w, "  "+line)
	}
	for _, s := range ch.Steps {
		if s.Advice != "" {
			fmt.Fprintf(w, "  %s: %s\n", show.Clean(s.What), show.Clean(s.Advice))
		}
	}
}

// some is an amount, or nothing for none.
func some(sat int64) string {
	if sat == 0 {
		return "-"
	}
	return show.Sat(sat)
}

func some64(n uint64) string {
	if n == 0 {
		return "-"
	}
	return show.Number(n)
}

// dryRun tells what a close would be, and does nothing.
func (c *call) dryRun(ctx context.Context, req *fulgurrpc.PlanCloseRequest) error {
	cl, err := c.closes(ctx)
	if err != nil {
		return err
	}
	answer, err := cl.PlanClose(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { tellPlan(w, answer) })
}

func tellPlan(w io.Writer, p *fulgurrpc.PlanCloseResponse) {
	fmt.Fprintln(w, show.Clean(p.Summary))
	if p.Obstacle != "" {
		fmt.Fprintln(w, "not now: "+show.Clean(p.Obstacle))
	}
	t := show.NewTable("what", "amount>")
	t.Row("ours", show.Sat(p.Balance))
	t.Row("fee of the closing transaction", show.Sat(p.ClosingFee))
	if p.LiftBudget > 0 {
		t.Row("fee of a child to lift it now", show.Sat(p.LiftFee))
		t.Row("at most, if fees rise", show.Sat(p.LiftBudget))
	}
	if p.SweepFee > 0 {
		t.Row("fee of bringing it home", show.Sat(p.SweepFee))
	}
	t.Print(w)
	if len(p.Outputs) == 0 {
		return
	}
	fmt.Fprintln(w)
	t = show.NewTable("output", "amount>", "ours from block>", "not safe from block>")
	for _, o := range p.Outputs {
		t.Row(o.What, show.Sat(o.Amount), block(o.MatureHeight), block(o.DeadlineHeight))
	}
	t.Print(w)
}
