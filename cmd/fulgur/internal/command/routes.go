package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

var routeCommands = []spec{{
	name: "queryroutes", group: groupPay, usage: "a way to a node, without paying", args: "DEST AMOUNT", max: 2,
	flags: []cli.Flag{
		flagText("dest", "the payee"), flagText("amt", "the amount"), flagText("fee_limit", "most that the way may cost"),
		flagUint("fee_limit_percent", "the same in percent of the amount"), flagInt("final_cltv_delta", "blocks that the payee wants to be left"),
		flagBool("use_mc", "learn from earlier payments"), flagUint("cltv_limit", "longest time the money may be locked up, in blocks"),
		flagTexts("outgoing_chan_id", "leave over this channel; may be repeated"), flagTexts("ignore_pair", "do not go from NODE:NODE; may be repeated"),
	},
	example: "queryroutes 02ab... 1500", do: queryRoutes,
}, {
	name: "sendtoroute", group: groupPay, usage: "pay over a way of your choice", args: "[ROUTES]", max: 1,
	more: "ROUTES is what queryroutes prints as JSON, or one route; - reads it from standard input. The last hop must\n" +
		"carry the payee's mpp_record {payment_addr, total_amt_msat}.",
	flags: []cli.Flag{
		flagText("payment_hash", "hash to pay to"), flagText("routes", "the routes"), flagBool("skip_temp_err", "a failure that another try may mend does not end the payment"),
	},
	example: "sendtoroute --payment_hash=5c3b... - < routes.json", do: sendToRoute,
}}

func queryRoutes(ctx context.Context, c *call) error {
	dest, err := c.need("dest")
	if err != nil {
		return err
	}
	text, err := c.need("amt")
	if err != nil {
		return err
	}
	msat, err := show.ParseMsat(text, 1000)
	if err != nil {
		return Usage("amt: %v", err)
	}
	f := c.cmd
	req := &lnrpc.QueryRoutesRequest{
		PubKey: dest, AmtMsat: msat, FinalCltvDelta: int32(f.Int64("final_cltv_delta")),
		UseMissionControl: f.Bool("use_mc"), CltvLimit: uint32(min(f.Uint64("cltv_limit"), math.MaxUint32)),
	}
	limit, err := c.feeLimitMsat(msat)
	if err != nil {
		return err
	}
	req.FeeLimit = &lnrpc.FeeLimit{Limit: &lnrpc.FeeLimit_FixedMsat{FixedMsat: limit}}
	for _, text := range f.StringSlice("outgoing_chan_id") {
		id, err := show.ParseShortChannelID(text)
		if err != nil {
			return Usage("outgoing_chan_id: %v", err)
		}
		req.OutgoingChanIds = append(req.OutgoingChanIds, id)
	}
	if req.IgnoredPairs, err = nodePairs(f.StringSlice("ignore_pair")); err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.QueryRoutes(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		for i, r := range answer.Routes {
			if i > 0 {
				fmt.Fprintln(w)
			}
			printRoute(w, r)
		}
		fmt.Fprintf(w, "\nlikely to succeed: %.0f %%\n", answer.SuccessProb*100)
	})
}

func nodePairs(texts []string) (pairs []*lnrpc.NodePair, err error) {
	for _, text := range texts {
		from, to, _ := strings.Cut(text, ":")
		p := &lnrpc.NodePair{}
		if p.From, err = parseHex("ignore_pair", from, 33); err != nil {
			return nil, err
		}
		if p.To, err = parseHex("ignore_pair", to, 33); err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

func printRoute(w io.Writer, r *lnrpc.Route) {
	t := show.NewTable("hop>", "channel", "to", "gets>", "fee>", "until block>")
	for i, h := range r.Hops {
		t.Row(show.Number(i+1), show.ShortChannelID(h.ChanId), h.PubKey, show.Msat(h.AmtToForwardMsat), show.Msat(h.FeeMsat), show.Number(h.Expiry))
	}
	t.Print(w)
	fmt.Fprintf(w, "in all %s, of which %s for the way\n", show.Msat(r.TotalAmtMsat), show.Msat(r.TotalFeesMsat))
}

// readRoutes reads one route, or the answer of queryroutes.
func readRoutes(text []byte) ([]*lnrpc.Route, error) {
	var probe map[string]json.RawMessage
	if err := json.Unmarshal(text, &probe); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	if one, ok := probe["route"]; ok {
		text, probe = one, nil
	}
	if _, many := probe["routes"]; many {
		answer := &lnrpc.QueryRoutesResponse{}
		err := show.Parse(text, answer)
		return answer.Routes, err
	}
	route := &lnrpc.Route{}
	err := show.Parse(text, route)
	return []*lnrpc.Route{route}, err
}

func sendToRoute(ctx context.Context, c *call) error {
	text := c.take("routes")
	if text == "" {
		return Usage("sendtoroute: the routes are missing")
	}
	hash, err := parseHex("payment_hash", c.cmd.String("payment_hash"), 32)
	if err != nil {
		return err
	}
	raw := []byte(text)
	if text == "-" {
		if raw, err = c.app.readFile("-"); err != nil {
			return err
		}
	}
	routes, err := readRoutes(raw)
	if err != nil {
		return Usage("sendtoroute: %v", err)
	}
	if len(routes) == 0 {
		return Usage("sendtoroute: no route in it")
	}
	router, err := c.router(ctx)
	if err != nil {
		return err
	}
	for _, route := range routes {
		attempt, err := router.SendToRouteV2(ctx, &routerrpc.SendToRouteRequest{PaymentHash: hash, Route: route, SkipTempErr: c.cmd.Bool("skip_temp_err")})
		if err != nil {
			return err
		}
		err = c.print(attempt, func(w io.Writer) {
			if attempt.Status == lnrpc.HTLCAttempt_SUCCEEDED {
				fmt.Fprintf(w, "paid over %s, proof %x\n", way(attempt.Route), attempt.Preimage)
			}
		})
		if err != nil || attempt.Status == lnrpc.HTLCAttempt_SUCCEEDED {
			return err
		}
		if f := attempt.Failure; f != nil {
			c.step("%s failed at hop %d: %s", way(attempt.Route), f.FailureSourceIndex, f.Code)
		}
	}
	return errors.New("the payment failed on every route that was given")
}
