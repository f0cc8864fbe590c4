package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var openCommands = []spec{{
	name: "openchannel", group: groupChannels, usage: "open a channel", args: "PUBKEY AMOUNT [PUSH_AMOUNT]", max: 3,
	more: "Answers when the funding transaction is published; with --block when the channel can be used.\n" +
		"Amounts are in satoshis, or have a unit: 500000, 0.005btc.",
	flags: append([]cli.Flag{
		flagText("node_key", "the peer"), flagText("connect", "`HOST:PORT` to connect to first"),
		flagText("local_amt", "capacity of the channel"), flagText("push_amt", "give so much to the peer"),
		flagBool("fundmax", "put in all that is spendable"), flagBool("block", "wait until the channel can be used"),
		flagBool("private", "do not announce the channel"), flagText("close_address", "a cooperative close must pay us here"),
		flagInt("min_confs", "confirmations that inputs need (default: 1; 0: unconfirmed too)"),
		flagInt("min_htlc_msat", "smallest payment that we take in"), flagUint("remote_csv_delay", "blocks that the peer has to wait after its own forced close"),
		flagUint("max_local_csv", "blocks that we are willing to wait after ours"), flagUint("remote_max_value_in_flight_msat", "most that the peer may have under way to us"),
		flagUint("remote_reserve_sats", "what the peer must keep"), flagText("channel_type", "tweakless, anchors or taproot"),
		flagBool("zero_conf", "use it before it confirms"), flagBool("scid_alias", "hide its id in invoices"),
		flagUint("base_fee_msat", "our fee for carrying a payment"), flagUint("fee_rate_ppm", "our fee in millionths of the amount"),
		flagText("memo", "a private note"), flagTexts("utxo", "fund it from this output, TXID:INDEX; may be repeated"),
		flagUint("remote_max_htlcs", "how many payments the peer may have under way to us"),
	}, append(elsewhereFlags, feeFlags...)...),
	example: "openchannel --connect=203.0.113.7:9735 --block 02ab... 0.01btc", do: openChannel,
}}

var channelTypes = map[string]lnrpc.CommitmentType{
	"":          lnrpc.CommitmentType_UNKNOWN_COMMITMENT_TYPE,
	"tweakless": lnrpc.CommitmentType_STATIC_REMOTE_KEY,
	"anchors":   lnrpc.CommitmentType_ANCHORS,
	"taproot":   lnrpc.CommitmentType_SIMPLE_TAPROOT,
}

// openRequest reads what channel is wanted.
func openRequest(c *call) (*lnrpc.OpenChannelRequest, error) {
	key, err := c.bytes("node_key", 33)
	if err != nil {
		return nil, err
	}
	localText := ""
	if !c.cmd.Bool("fundmax") {
		if localText, err = c.need("local_amt"); err != nil {
			return nil, err
		}
	}
	local, err := amount("local_amt", localText)
	if err != nil {
		return nil, err
	}
	push, err := amount("push_amt", c.take("push_amt"))
	if err != nil {
		return nil, err
	}
	if err := c.feeChoice(); err != nil {
		return nil, err
	}
	kind, ok := channelTypes[c.cmd.String("channel_type")]
	if !ok {
		return nil, Usage("openchannel: --channel_type=%s: tweakless, anchors or taproot", c.cmd.String("channel_type"))
	}
	f := c.cmd
	req := &lnrpc.OpenChannelRequest{
		NodePubkey: key, LocalFundingAmount: local, PushSat: push, FundMax: f.Bool("fundmax"),
		SatPerVbyte: f.Uint64("sat_per_vbyte"), TargetConf: int32(f.Int64("conf_target")), Private: f.Bool("private"), CloseAddress: f.String("close_address"),
		MinHtlcMsat: f.Int64("min_htlc_msat"), RemoteCsvDelay: uint32(f.Uint64("remote_csv_delay")), MaxLocalCsv: uint32(f.Uint64("max_local_csv")),
		RemoteMaxValueInFlightMsat: f.Uint64("remote_max_value_in_flight_msat"), RemoteChanReserveSat: f.Uint64("remote_reserve_sats"),
		RemoteMaxHtlcs: uint32(f.Uint64("remote_max_htlcs")),
		CommitmentType: kind, ZeroConf: f.Bool("zero_conf"), ScidAlias: f.Bool("scid_alias"), Memo: f.String("memo"),
		BaseFee: f.Uint64("base_fee_msat"), UseBaseFee: f.IsSet("base_fee_msat"), FeeRate: f.Uint64("fee_rate_ppm"), UseFeeRate: f.IsSet("fee_rate_ppm"),
	}
	req.MinConfs, req.SpendUnconfirmed = c.minConfs()
	if req.Outpoints, err = outpoints(f.StringSlice("utxo")); err != nil {
		return nil, err
	}
	return req, c.psbtShim(req)
}

func openChannel(ctx context.Context, c *call) error {
	req, err := openRequest(c)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	if host := c.cmd.String("connect"); host != "" {
		addr := &lnrpc.LightningAddress{Pubkey: fmt.Sprintf("%x", req.NodePubkey), Host: host}
		_, err := ln.ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{Addr: addr})
		if err != nil && !strings.Contains(err.Error(), "already connected") {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := ln.OpenChannel(ctx, req)
	if err != nil {
		return err
	}
	c.step("the peer is asked for the channel")
	for {
		update, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the daemon ended the opening without a result (fulgur pendingchannels)")
		}
		if err != nil {
			return err
		}
		if done, err := openStep(ctx, c, ln, update); done || err != nil {
			return err
		}
	}
}

// openStep tells one step of the opening; done is true when nothing more is waited for.
func openStep(ctx context.Context, c *call, ln lnrpc.LightningClient, update *lnrpc.OpenStatusUpdate) (done bool, err error) {
	switch u := update.Update.(type) {
	case *lnrpc.OpenStatusUpdate_ChanPending:
		p, block := u.ChanPending, c.cmd.Bool("block")
		out := struct {
			Txid  string `json:"funding_txid"`
			Index uint32 `json:"output_index"`
		}{hashText(p.Txid), p.OutputIndex}
		err := c.result(out, func(w io.Writer) { fmt.Fprintf(w, "funding transaction published: %s:%d\n", out.Txid, out.Index) })
		if block {
			c.step("waiting for confirmations")
			go countConfirmations(ctx, ln, c.told, fmt.Sprintf("%s:%d", out.Txid, out.Index))
		}
		return !block, err
	case *lnrpc.OpenStatusUpdate_ChanOpen:
		point := pointText(u.ChanOpen.ChannelPoint)
		return true, c.result(map[string]string{"channel_point": point}, func(w io.Writer) { fmt.Fprintln(w, "the channel is open: "+point) })
	case *lnrpc.OpenStatusUpdate_PsbtFund:
		if err := c.fundElsewhere(ctx, ln, update.PendingChanId, u.PsbtFund); err != nil {
			return true, err
		}
		c.step("the peer is told of the funding")
	}
	return false, nil
}

// countConfirmations tells how many confirmations are missing, with every block.
func countConfirmations(ctx context.Context, ln lnrpc.LightningClient, told *show.Progress, point string) {
	for ctx.Err() == nil {
		pending, err := ln.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{})
		if err != nil {
			return
		}
		for _, p := range pending.PendingOpenChannels {
			if p.Channel.GetChannelPoint() == point && p.ConfirmationsUntilActive > 0 {
				told.Step("waiting for confirmations, %d missing", p.ConfirmationsUntilActive)
			}
		}
		pause(ctx)
	}
}

var channelCommands = []spec{{
	name: "listchannels", group: groupChannels, usage: "the open channels", do: listChannels,
	flags: []cli.Flag{
		flagBool("active_only", "usable now"), flagBool("inactive_only", "not usable now"),
		flagBool("public_only", "announced"), flagBool("private_only", "not announced"),
		flagText("peer", "with this node"), flagBool("skip_peer_alias_lookup", "do not look names up"),
	},
	example: "listchannels --active_only",
}, {
	name: "pendingchannels", group: groupChannels, usage: "the channels that are being opened or closed", do: pendingChannels,
	flags: []cli.Flag{flagBool("include_raw_tx", "with the closing transactions")}, example: "pendingchannels",
}, {
	name: "closedchannels", group: groupChannels, usage: "the channels that are closed", do: closedChannels,
	flags: []cli.Flag{
		flagBool("cooperative", "by agreement"), flagBool("local_force", "by our force"), flagBool("remote_force", "by the peer's force"),
		flagBool("breach", "by an old commitment"), flagBool("funding_canceled", "never opened"), flagBool("abandoned", "given up"),
	},
	example: "closedchannels --cooperative",
}, {
	name: "channelbalance", group: groupChannels, usage: "the money in channels", do: channelBalance, example: "channelbalance",
}}

func listChannels(ctx context.Context, c *call) error {
	f := c.cmd
	req := &lnrpc.ListChannelsRequest{
		ActiveOnly: f.Bool("active_only"), InactiveOnly: f.Bool("inactive_only"), PublicOnly: f.Bool("public_only"),
		PrivateOnly: f.Bool("private_only"), PeerAliasLookup: !f.Bool("skip_peer_alias_lookup"),
	}
	if peer := f.String("peer"); peer != "" {
		var err error
		if req.Peer, err = parseHex("peer", peer, 33); err != nil {
			return err
		}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	list, err := ln.ListChannels(ctx, req)
	if err != nil {
		return err
	}
	return c.print(list, func(w io.Writer) {
		t := show.NewTable("channel", "peer", "capacity>", "ours>", "theirs>", "under way>", "state", "point")
		for _, ch := range list.Channels {
			t.Row(show.ShortChannelID(ch.ChanId), peerName(ch.PeerAlias, ch.RemotePubkey), show.Sat(ch.Capacity), show.Sat(ch.LocalBalance),
				show.Sat(ch.RemoteBalance), show.Number(len(ch.PendingHtlcs)), channelState(ch), ch.ChannelPoint)
		}
		t.Print(w)
	})
}

func peerName(alias, key string) string {
	if alias != "" && alias != key {
		return alias
	}
	return show.Short(key)
}

func channelState(ch *lnrpc.Channel) string {
	words := "active"
	if !ch.Active {
		words = "inactive"
	}
	if ch.Private {
		words += ", private"
	}
	return words
}

func pendingChannels(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	p, err := ln.PendingChannels(ctx, &lnrpc.PendingChannelsRequest{IncludeRawTx: c.cmd.Bool("include_raw_tx")})
	if err != nil {
		return err
	}
	return c.print(p, func(w io.Writer) {
		t := show.NewTable("what", "peer", "capacity>", "ours>", "waits for", "point")
		row := func(what string, ch *lnrpc.PendingChannelsResponse_PendingChannel, ours int64, waits string) {
			t.Row(what, show.Short(ch.GetRemoteNodePub()), show.Sat(ch.GetCapacity()), show.Sat(ours), waits, ch.GetChannelPoint())
		}
		for _, o := range p.PendingOpenChannels {
			row("opening", o.Channel, o.Channel.GetLocalBalance(), fmt.Sprintf("%d confirmations", o.ConfirmationsUntilActive))
		}
		for _, o := range p.WaitingCloseChannels {
			waits := "the closing transaction"
			if o.BlocksTilCloseConfirmed > 0 {
				waits = fmt.Sprintf("%d confirmations of %s", o.BlocksTilCloseConfirmed, show.Short(o.ClosingTxid))
			}
			row("closing", o.Channel, o.LimboBalance, waits)
		}
		for _, o := range p.PendingForceClosingChannels {
			waits := "outputs to come back"
			if o.BlocksTilMaturity > 0 {
				waits = fmt.Sprintf("%d blocks until our balance is free", o.BlocksTilMaturity)
			}
			row("closed by force", o.Channel, o.LimboBalance, waits)
		}
		t.Print(w)
	})
}

var closeWords = map[lnrpc.ChannelCloseSummary_ClosureType]string{
	lnrpc.ChannelCloseSummary_COOPERATIVE_CLOSE:  "by agreement",
	lnrpc.ChannelCloseSummary_LOCAL_FORCE_CLOSE:  "by our force",
	lnrpc.ChannelCloseSummary_REMOTE_FORCE_CLOSE: "by the peer's force",
	lnrpc.ChannelCloseSummary_BREACH_CLOSE:       "by an old commitment",
	lnrpc.ChannelCloseSummary_FUNDING_CANCELED:   "never opened",
	lnrpc.ChannelCloseSummary_ABANDONED:          "given up",
}

func closedChannels(ctx context.Context, c *call) error {
	f := c.cmd
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	list, err := ln.ClosedChannels(ctx, &lnrpc.ClosedChannelsRequest{
		Cooperative: f.Bool("cooperative"), LocalForce: f.Bool("local_force"), RemoteForce: f.Bool("remote_force"),
		Breach: f.Bool("breach"), FundingCanceled: f.Bool("funding_canceled"), Abandoned: f.Bool("abandoned"),
	})
	if err != nil {
		return err
	}
	return c.print(list, func(w io.Writer) {
		t := show.NewTable("channel", "peer", "capacity>", "came back>", "closed", "block>", "closing transaction")
		for _, ch := range list.Channels {
			t.Row(show.ShortChannelID(ch.ChanId), show.Short(ch.RemotePubkey), show.Sat(ch.Capacity), show.Sat(ch.SettledBalance+ch.TimeLockedBalance),
				closeWords[ch.CloseType], show.Number(ch.CloseHeight), ch.ClosingTxHash)
		}
		t.Print(w)
	})
}

func channelBalance(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	b, err := ln.ChannelBalance(ctx, &lnrpc.ChannelBalanceRequest{})
	if err != nil {
		return err
	}
	return c.print(b, func(w io.Writer) {
		t := show.NewTable("in channels", "ours>", "theirs>")
		t.Row("settled", show.Msat(b.LocalBalance.GetMsat()), show.Msat(b.RemoteBalance.GetMsat()))
		t.Row("under way", show.Msat(b.UnsettledLocalBalance.GetMsat()), show.Msat(b.UnsettledRemoteBalance.GetMsat()))
		t.Row("opening", show.Msat(b.PendingOpenLocalBalance.GetMsat()), show.Msat(b.PendingOpenRemoteBalance.GetMsat()))
		t.Print(w)
	})
}
