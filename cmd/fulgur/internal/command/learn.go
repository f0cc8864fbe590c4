package command

import (
	"cmp"
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
	"github.com/fulgur-ln/fulgur/routing"
)

var learnCommands = []spec{{
	name: "querymc", group: groupForward, usage: "what payments have taught about other nodes", example: "querymc", do: queryMC,
}, {
	name: "resetmc", group: groupForward, usage: "forget what payments have taught", example: "resetmc", do: resetMC,
}, {
	name: "importmc", group: groupForward, usage: "teach what one node can send to another", args: "FROM TO TIME MSAT", max: 4,
	flags: []cli.Flag{
		flagText("from", "the node that sends"), flagText("to", "the node that it sends to"), flagText("time", "when it did, in unix seconds"), flagText("amt", "the amount in msat"),
		flagBool("failure", "it could not"), flagBool("force", "over what is known and newer"),
	},
	example: "importmc 02ab... 03cd... 1795206000 150000000", do: importMC,
}, {
	name: "queryprob", group: groupForward, usage: "how likely one node can send an amount to another", args: "FROM TO AMOUNT", max: 3,
	flags:   []cli.Flag{flagText("from", "the node that sends"), flagText("to", "the node that it sends to"), flagText("amt", "the amount")},
	example: "queryprob 02ab... 03cd... 150000", do: queryProb,
}, {
	name: "getmccfg", group: groupForward, usage: "by what ways are judged", example: "getmccfg", do: getMCConfig,
}, {
	name: "setmccfg", group: groupForward, usage: "judge ways otherwise, until the daemon is stopped",
	flags: []cli.Flag{
		flagUint("pmtnr", "how many pairs of nodes are remembered"),
		&cli.DurationFlag{Name: "failrelax", Usage: "time after a failure for which one of a larger amount says nothing new"},
		flagText("estimator", "the model: apriori or bimodal (default: as it is)"),
		&cli.DurationFlag{Name: "apriorihalflife", Usage: "time after which half of a failure is forgiven"},
		&cli.FloatFlag{Name: "apriorihopprob", Usage: "probability of a channel of which nothing is known, 0 to 1"},
		&cli.FloatFlag{Name: "aprioriweight", Usage: "how much that counts against what a node did with others, 0 to 1"},
		&cli.FloatFlag{Name: "aprioricapacityfraction", Usage: "how much of a capacity is thought to be there, 0.75 to 1"},
		&cli.DurationFlag{Name: "bimodaldecaytime", Usage: "time after which what was learned counts a third"},
		flagUint("bimodalscale", "how far from the ends of a channel its money lies, in millisatoshi"),
		&cli.FloatFlag{Name: "bimodalweight", Usage: "how much what a node did with others counts, 0 to 1"},
	},
	example: "setmccfg --apriorihalflife=30m", do: setMCConfig,
}, {
	name: "buildroute", group: groupPay, usage: "a way over nodes of your choice, for sendtoroute",
	flags: []cli.Flag{
		flagText("amt", "the amount; none: the least that all channels take"), flagInt("final_cltv_delta", "blocks that the payee wants to be left"),
		flagText("hops", "the nodes, with commas between; the last is the payee"), flagText("outgoing_chan_id", "leave over this channel"),
		flagText("payment_addr", "the invoice's payment secret"),
	},
	example: "buildroute --amt=1500 --hops=02ab...,03cd... --payment_addr=77aa...", do: buildRoute,
}, {
	name: "estimateroutefee", group: groupPay, usage: "what a payment would cost",
	more: "With --pay_req a payment that nobody can claim is sent, which takes a moment; with --dest only the graph is asked.",
	flags: []cli.Flag{
		flagText("dest", "the payee"), flagText("amt", "the amount"), flagText("pay_req", "the invoice"),
		&cli.DurationFlag{Name: "timeout", Value: time.Minute, Usage: "how long to try, with --pay_req"},
		flagTexts("outgoing_chan_id", "leave over this channel; may be repeated"),
	},
	example: "estimateroutefee --pay_req=lnbc15u1...", do: estimateRouteFee,
}, {
	name: "updatechanstatus", group: groupChannels, usage: "announce a channel as disabled or enabled", args: "CHANNEL ACTION", max: 3,
	more: "ACTION is enable, disable, or auto: disabled only while the peer is away for long.",
	flags: []cli.Flag{
		flagText("funding_txid", "transaction that opened the channel"), flagText("output_index", "its output"), flagText("chan_point", "both, as TXID:INDEX"),
		flagText("action", "enable, disable or auto"),
	},
	example: "updatechanstatus 110x1x0 disable", do: updateChanStatus,
}, {
	name: "listaliases", group: groupChannels, usage: "the aliases of our channels", example: "listaliases", do: listAliases,
}, {
	name: "lookuphtlcresolution", group: groupChannels, usage: "how an HTLC that came in has ended", args: "CHANNEL HTLC", max: 2,
	flags:   []cli.Flag{flagText("chan_id", "the channel, as a number or such as 110x1x0"), flagText("htlc_index", "the HTLC's number in it")},
	example: "lookuphtlcresolution 110x1x0 7", do: lookupHTLCResolution,
}, {
	name: "deletecanceledinvoice", group: groupPay, usage: "forget an invoice that was canceled", args: "HASH", max: 1,
	flags: []cli.Flag{flagText("invoice_hash", "payment hash")}, example: "deletecanceledinvoice 5c3b...", do: deleteCanceledInvoice,
}}

func queryMC(ctx context.Context, c *call) error {
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.QueryMissionControl(ctx, &routerrpc.QueryMissionControlRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		t := show.NewTable("from", "to", "went through>", "when", "did not>", "when")
		for _, p := range answer.Pairs {
			h := p.History
			t.Row(fmt.Sprintf("%x", p.NodeFrom), fmt.Sprintf("%x", p.NodeTo), show.Msat(h.GetSuccessAmtMsat()), show.Time(h.GetSuccessTime()),
				show.Msat(h.GetFailAmtMsat()), show.Time(h.GetFailTime()))
		}
		t.Print(w)
	})
}

func resetMC(ctx context.Context, c *call) error {
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.ResetMissionControl(ctx, &routerrpc.ResetMissionControlRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "forgotten") })
}

// pair takes two nodes.
func (c *call) pair() (from, to []byte, err error) {
	if from, err = c.bytes("from", 33); err != nil {
		return nil, nil, err
	}
	to, err = c.bytes("to", 33)
	return from, to, err
}

// amount takes an amount, in units of so many msat if it has none of its own.
func (c *call) amount(unit int64) (int64, error) {
	text, err := c.need("amt")
	if err != nil {
		return 0, err
	}
	msat, err := show.ParseMsat(text, unit)
	if err != nil {
		return 0, Usage("amt: %v", err)
	}
	return msat, nil
}

func importMC(ctx context.Context, c *call) error {
	from, to, err := c.pair()
	if err != nil {
		return err
	}
	text, err := c.need("time")
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || at <= 0 {
		return Usage("time: %q: want seconds since 1970", text)
	}
	msat, err := c.amount(1) // as lncli has it
	if err != nil {
		return err
	}
	p := &routerrpc.PairHistory{NodeFrom: from, NodeTo: to, History: &routerrpc.PairData{}}
	if c.cmd.Bool("failure") {
		p.History.FailAmtMsat, p.History.FailTime = msat, at
	} else {
		p.History.SuccessAmtMsat, p.History.SuccessTime = msat, at
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.XImportMissionControl(ctx, &routerrpc.XImportMissionControlRequest{Pairs: []*routerrpc.PairHistory{p}, Force: c.cmd.Bool("force")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "noted") })
}

func queryProb(ctx context.Context, c *call) error {
	from, to, err := c.pair()
	if err != nil {
		return err
	}
	msat, err := c.amount(1000)
	if err != nil {
		return err
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.QueryProbability(ctx, &routerrpc.QueryProbabilityRequest{FromNode: from, ToNode: to, AmtMsat: msat})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintf(w, "%.0f %%\n", answer.Probability*100) })
}

func getMCConfig(ctx context.Context, c *call) error {
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.GetMissionControlConfig(ctx, &routerrpc.GetMissionControlConfigRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { printMCConfig(w, answer.Config) })
}

func printMCConfig(w io.Writer, cfg *routerrpc.MissionControlConfig) {
	a := cfg.GetApriori()
	fmt.Fprintf(w, "pairs remembered       %d\n", cfg.GetMaximumPaymentResults())
	fmt.Fprintf(w, "failures relax after   %v\n", time.Duration(cfg.GetMinimumFailureRelaxInterval())*time.Second)
	if b := cfg.GetBimodal(); b != nil {
		fmt.Fprintf(w, "model                  bimodal\n")
		fmt.Fprintf(w, "a third counts after   %v\n", time.Duration(b.DecayTime)*time.Second)
		fmt.Fprintf(w, "money lies within      %s of an end\n", show.Msat(int64(b.ScaleMsat)))
		fmt.Fprintf(w, "others count           %.4g\n", b.NodeWeight)
		return
	}
	fmt.Fprintf(w, "half forgiven after    %v\n", time.Duration(a.GetHalfLifeSeconds())*time.Second)
	fmt.Fprintf(w, "unknown channels       %.0f %%\n", a.GetHopProbability()*100)
	fmt.Fprintf(w, "usable of a capacity   %.4g\n", a.GetCapacityFraction())
}

// estimator gives the parameters of the model that is wished for, those of the other are nil: as they are, or as
// that model begins when the node judges by the other one.
func estimator(cfg *routerrpc.MissionControlConfig, wish string) (*routerrpc.AprioriParameters, *routerrpc.BimodalParameters, error) {
	a, b := cfg.GetApriori(), cfg.GetBimodal()
	switch {
	case a == nil && b == nil:
		return nil, nil, errors.New("the node judges by a model that fulgur does not know")
	case wish == "" || wish == "apriori" && a != nil || wish == "bimodal" && b != nil:
		return a, b, nil
	case wish == "apriori":
		d := routing.DefaultParams
		a = &routerrpc.AprioriParameters{HalfLifeSeconds: uint64(d.HalfLife / time.Second), HopProbability: d.Apriori, Weight: d.Weight, CapacityFraction: d.Fraction}
		cfg.Model, cfg.EstimatorConfig = routerrpc.MissionControlConfig_APRIORI, &routerrpc.MissionControlConfig_Apriori{Apriori: a}
		return a, nil, nil
	case wish == "bimodal":
		d := routing.DefaultBimodal
		b = &routerrpc.BimodalParameters{DecayTime: uint64(d.Decay / time.Second), ScaleMsat: uint64(d.Scale), NodeWeight: d.NodeWeight}
		cfg.Model, cfg.EstimatorConfig = routerrpc.MissionControlConfig_BIMODAL, &routerrpc.MissionControlConfig_Bimodal{Bimodal: b}
		return nil, b, nil
	}
	return nil, nil, Usage("estimator: %q: want apriori or bimodal", wish)
}

func setMCConfig(ctx context.Context, c *call) error {
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	got, err := router.GetMissionControlConfig(ctx, &routerrpc.GetMissionControlConfigRequest{})
	if err != nil {
		return err
	}
	cfg, f := got.Config, c.cmd
	a, b, err := estimator(cfg, f.String("estimator"))
	if err != nil {
		return err
	}
	for _, name := range []string{"apriorihalflife", "apriorihopprob", "aprioriweight", "aprioricapacityfraction"} {
		if f.IsSet(name) && a == nil {
			return Usage("%s: of another model than bimodal; name --estimator=apriori as well", name)
		}
	}
	for _, name := range []string{"bimodaldecaytime", "bimodalscale", "bimodalweight"} {
		if f.IsSet(name) && b == nil {
			return Usage("%s: of another model than apriori; name --estimator=bimodal as well", name)
		}
	}
	a, b = cmp.Or(a, &routerrpc.AprioriParameters{}), cmp.Or(b, &routerrpc.BimodalParameters{})
	if f.IsSet("pmtnr") {
		cfg.MaximumPaymentResults = uint32(min(f.Uint64("pmtnr"), math.MaxUint32))
	}
	if f.IsSet("failrelax") {
		cfg.MinimumFailureRelaxInterval = uint64(max(f.Duration("failrelax"), 0) / time.Second)
	}
	if f.IsSet("apriorihalflife") {
		a.HalfLifeSeconds = uint64(max(f.Duration("apriorihalflife"), 0) / time.Second)
	}
	for name, value := range map[string]*float64{"apriorihopprob": &a.HopProbability, "aprioriweight": &a.Weight, "aprioricapacityfraction": &a.CapacityFraction} {
		if f.IsSet(name) {
			*value = f.Float(name)
		}
	}
	if f.IsSet("bimodaldecaytime") {
		b.DecayTime = uint64(max(f.Duration("bimodaldecaytime"), 0) / time.Second)
	}
	if f.IsSet("bimodalscale") {
		b.ScaleMsat = f.Uint64("bimodalscale")
	}
	if f.IsSet("bimodalweight") {
		b.NodeWeight = f.Float("bimodalweight")
	}
	answer, err := router.SetMissionControlConfig(ctx, &routerrpc.SetMissionControlConfigRequest{Config: cfg})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { printMCConfig(w, cfg) })
}

func buildRoute(ctx context.Context, c *call) error {
	f := c.cmd
	req := &routerrpc.BuildRouteRequest{FinalCltvDelta: int32(f.Int64("final_cltv_delta"))}
	var err error
	if text := f.String("amt"); text != "" {
		if req.AmtMsat, err = show.ParseMsat(text, 1000); err != nil {
			return Usage("amt: %v", err)
		}
	}
	if f.String("hops") == "" {
		return Usage("buildroute: the hops are missing")
	}
	for _, hop := range strings.Split(f.String("hops"), ",") {
		id, err := parseHex("hops", strings.TrimSpace(hop), 33)
		if err != nil {
			return err
		}
		req.HopPubkeys = append(req.HopPubkeys, id)
	}
	if text := f.String("outgoing_chan_id"); text != "" {
		if req.OutgoingChanId, err = show.ParseShortChannelID(text); err != nil {
			return Usage("outgoing_chan_id: %v", err)
		}
	}
	if text := f.String("payment_addr"); text != "" {
		if req.PaymentAddr, err = parseHex("payment_addr", text, 32); err != nil {
			return err
		}
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.BuildRoute(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { printRoute(w, answer.Route) })
}

func estimateRouteFee(ctx context.Context, c *call) error {
	f := c.cmd
	req := &routerrpc.RouteFeeRequest{PaymentRequest: strings.TrimPrefix(f.String("pay_req"), "lightning:")}
	var err error
	if (f.String("dest") != "") == (req.PaymentRequest != "") {
		return Usage("estimateroutefee: give --dest with --amt, or --pay_req")
	}
	if text := f.String("dest"); text != "" {
		if req.Dest, err = parseHex("dest", text, 33); err != nil {
			return err
		}
		msat, err := show.ParseMsat(f.String("amt"), 1000)
		if err != nil {
			return Usage("amt: %v", err)
		}
		req.AmtSat = msat / 1000
	} else {
		req.Timeout = uint32(min(max(f.Duration("timeout"), 0)/time.Second, math.MaxInt32))
	}
	for _, text := range f.StringSlice("outgoing_chan_id") {
		id, err := show.ParseShortChannelID(text)
		if err != nil {
			return Usage("outgoing_chan_id: %v", err)
		}
		req.OutgoingChanIds = append(req.OutgoingChanIds, id)
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.EstimateRouteFee(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		if answer.FailureReason != lnrpc.PaymentFailureReason_FAILURE_REASON_NONE {
			fmt.Fprintf(w, "the payee cannot be reached: %s\n", answer.FailureReason)
			return
		}
		fmt.Fprintf(w, "%s, the money is locked until block %d at most\n", show.Msat(answer.RoutingFeeMsat), answer.TimeLockDelay)
	})
}

func updateChanStatus(ctx context.Context, c *call) error {
	point, err := c.findPoint(ctx)
	if err != nil {
		return err
	}
	text, err := c.need("action")
	if err != nil {
		return err
	}
	action, ok := routerrpc.ChanStatusAction_value[strings.ToUpper(text)]
	if !ok {
		return Usage("action: %q: enable, disable or auto", text)
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	answer, err := router.UpdateChanStatus(ctx, &routerrpc.UpdateChanStatusRequest{ChanPoint: point, Action: routerrpc.ChanStatusAction(action)})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "done") })
}

func listAliases(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.ListAliases(ctx, &lnrpc.ListAliasesRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		t := show.NewTable("channel", "alias")
		for _, m := range answer.AliasMaps {
			for _, alias := range m.Aliases {
				t.Row(show.ShortChannelID(m.BaseScid), show.ShortChannelID(alias))
			}
		}
		t.Print(w)
	})
}

func deleteCanceledInvoice(ctx context.Context, c *call) error {
	hash, err := c.bytes("invoice_hash", 32)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.DeleteCanceledInvoice(ctx, &lnrpc.DelCanceledInvoiceReq{InvoiceHash: fmt.Sprintf("%x", hash)})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

func lookupHTLCResolution(ctx context.Context, c *call) error {
	text, err := c.need("chan_id")
	if err != nil {
		return err
	}
	id, err := show.ParseShortChannelID(text)
	if err != nil {
		return Usage("lookuphtlcresolution: %v", err)
	}
	if text, err = c.need("htlc_index"); err != nil {
		return err
	}
	index, err := number("htlc_index", text)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.LookupHtlcResolution(ctx, &lnrpc.LookupHtlcResolutionRequest{ChanId: id, HtlcIndex: index})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		what, where := "failed", "on the chain"
		if answer.Settled {
			what = "settled"
		}
		if answer.Offchain {
			where = "in the channel"
		}
		fmt.Fprintln(w, what, where)
	})
}
