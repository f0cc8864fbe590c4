package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

var feeFlags = []cli.Flag{
	flagInt("conf_target", "wanted confirmation within so many `BLOCKS`"),
	flagUint("sat_per_vbyte", "feerate of the transaction"),
}

// flagStrategy says which coins to take.
var flagStrategy = flagText("coin_selection_strategy", "largest or random (default: what fits best)")

// strategy reads it.
func (c *call) strategy() (lnrpc.CoinSelectionStrategy, error) {
	switch text := c.cmd.String("coin_selection_strategy"); text {
	case "", "global-config":
		return lnrpc.CoinSelectionStrategy_STRATEGY_USE_GLOBAL_CONFIG, nil
	case "largest":
		return lnrpc.CoinSelectionStrategy_STRATEGY_LARGEST, nil
	case "random":
		return lnrpc.CoinSelectionStrategy_STRATEGY_RANDOM, nil
	default:
		return 0, Usage("coin_selection_strategy: %q, want largest or random", text)
	}
}

var coinCommands = []spec{{
	name: "newaddress", group: groupCoins, usage: "a new address to receive coins", args: "[p2wkh|np2wkh|p2tr]", max: 1,
	flags: []cli.Flag{
		flagText("address_type", "p2wkh (default), np2wkh or p2tr"), flagText("account", "account (default: default)"),
		flagBool("unused", "the last one, if nothing was paid to it yet"), flagBool("qr", "draw a QR code"),
	},
	example: "newaddress p2tr --qr", do: newAddress,
}, {
	name: "walletbalance", group: groupCoins, usage: "the coins of the wallet", example: "walletbalance", do: walletBalance,
	flags: []cli.Flag{flagText("account", "only this account"), flagInt("min_confs", "confirmations that count as confirmed (default: 1)")},
}, {
	name: "sendcoins", group: groupCoins, usage: "pay an address on the chain", args: "ADDRESS AMOUNT", max: 2,
	more: "The amount is in satoshis, or has a unit: 50000, 0.0005btc.",
	flags: append([]cli.Flag{
		flagText("addr", "the address"), flagText("amt", "the amount"), flagBool("sweepall", "send everything that is spendable"),
		flagText("label", "a note"), flagInt("min_confs", "confirmations that inputs need (default: 1; 0: unconfirmed too)"),
		flagTexts("utxo", "spend this output, txid:index; may be repeated"), forceFlag, flagStrategy,
	}, feeFlags...),
	example: "sendcoins --sat_per_vbyte=2 bcrt1q... 0.001btc", do: sendCoins,
}, {
	name: "sendmany", group: groupCoins, usage: "pay several addresses with one transaction", args: `'{"ADDRESS": SATOSHIS, ...}'`, max: 1,
	flags: append([]cli.Flag{
		flagText("addrs", "the addresses and amounts"), flagText("label", "a note"), flagInt("min_confs", "confirmations that inputs need (default: 1; 0: unconfirmed too)"),
		flagStrategy,
	}, feeFlags...),
	example: `sendmany '{"bcrt1qaaa...": 50000, "bcrt1qbbb...": 70000}'`, do: sendMany,
}, {
	name: "estimatefee", group: groupCoins, usage: "what a transaction would cost", args: `'{"ADDRESS": SATOSHIS, ...}'`, max: 1,
	flags:   []cli.Flag{flagText("addrs", "the addresses and amounts"), flagInt("conf_target", "wanted confirmation within so many `BLOCKS`")},
	example: `estimatefee '{"bcrt1q...": 50000}'`, do: estimateFee,
}, {
	name: "listchaintxns", group: groupCoins, usage: "the wallet's transactions", example: "listchaintxns --start_height=100", do: listChainTxns,
	flags: []cli.Flag{
		flagInt("start_height", "from this block on"), &cli.Int64Flag{Name: "end_height", Usage: "up to this block; -1: and the unconfirmed", Value: -1},
		flagUint("index_offset", "skip so many"), flagUint("max_transactions", "show so many (default: all)"), flagText("account", "only this account"),
	},
}, {
	name: "listunspent", group: groupCoins, usage: "the wallet's coins one by one", args: "[MIN_CONFS [MAX_CONFS]]", max: 2,
	flags:   []cli.Flag{flagText("min_confs", "confirmations at least (default: 0)"), flagText("max_confs", "confirmations at most"), flagText("account", "only this account")},
	example: "listunspent 1", do: listUnspent,
}, {
	name: "wallet", group: groupCoins, usage: "further commands on coins",
	subs: append([]spec{{
		name: "estimatefeerate", usage: "the feerate for a confirmation in so many blocks", args: "BLOCKS", max: 1,
		flags: []cli.Flag{flagText("conf_target", "blocks")}, example: "wallet estimatefeerate 6", do: estimateFeeRate,
	}, {
		name: "psbt", usage: "transactions that several sign", subs: psbtCommands,
	}, {
		name: "accounts", usage: "the wallet's accounts, and those that it watches", subs: accountCommands,
	}, {
		name: "addresses", usage: "addresses and messages signed with them", subs: addressCommands,
	}}, slices.Concat(sweepCommands, outputCommands)...),
}}

var forceFlag cli.Flag = &cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "do not ask"}

var addressTypes = map[string][2]lnrpc.AddressType{
	"p2wkh":  {lnrpc.AddressType_WITNESS_PUBKEY_HASH, lnrpc.AddressType_UNUSED_WITNESS_PUBKEY_HASH},
	"np2wkh": {lnrpc.AddressType_NESTED_PUBKEY_HASH, lnrpc.AddressType_UNUSED_NESTED_PUBKEY_HASH},
	"p2tr":   {lnrpc.AddressType_TAPROOT_PUBKEY, lnrpc.AddressType_UNUSED_TAPROOT_PUBKEY},
}

func newAddress(ctx context.Context, c *call) error {
	name := c.take("address_type")
	if name == "" {
		name = "p2wkh"
	}
	kinds, ok := addressTypes[name]
	if !ok {
		return Usage("newaddress: %q is no type of address: p2wkh, np2wkh or p2tr", name)
	}
	kind := kinds[0]
	if c.cmd.Bool("unused") {
		kind = kinds[1]
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.NewAddress(ctx, &lnrpc.NewAddressRequest{Type: kind, Account: c.cmd.String("account")})
	if err != nil {
		return err
	}
	err = c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Address) })
	c.qr(answer.Address)
	return err
}

func walletBalance(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	b, err := ln.WalletBalance(ctx, &lnrpc.WalletBalanceRequest{Account: c.cmd.String("account"), MinConfs: int32(c.cmd.Int64("min_confs"))})
	if err != nil {
		return err
	}
	return c.print(b, func(w io.Writer) {
		t := show.NewTable("coins", "amount>")
		t.Row("confirmed", show.Sat(b.ConfirmedBalance))
		t.Row("unconfirmed", show.Sat(b.UnconfirmedBalance))
		t.Row("total", show.Sat(b.TotalBalance))
		if b.LockedBalance != 0 {
			t.Row("of it leased", show.Sat(b.LockedBalance))
		}
		if b.ReservedBalanceAnchorChan != 0 {
			t.Row("of it kept for bumping commitments", show.Sat(b.ReservedBalanceAnchorChan))
		}
		t.Print(w)
	})
}

// minConfs reads --min_confs: 0 that was typed means unconfirmed inputs too.
func (c *call) minConfs() (confs int32, unconfirmed bool) {
	n := int32(c.cmd.Int64("min_confs"))
	return n, n == 0 && c.cmd.IsSet("min_confs")
}

// feeChoice checks that not both ways of choosing a fee were used.
func (c *call) feeChoice() error {
	if c.cmd.IsSet("conf_target") && c.cmd.IsSet("sat_per_vbyte") {
		return Usage("%s: --conf_target and --sat_per_vbyte: choose one", c.cmd.Name)
	}
	return nil
}

func sendCoins(ctx context.Context, c *call) error {
	addr, err := c.need("addr")
	if err != nil {
		return err
	}
	all, text := c.cmd.Bool("sweepall"), c.take("amt")
	if all == (text != "") {
		return Usage("sendcoins: either an amount or --sweepall is needed")
	}
	sat, err := amount("amt", text)
	if err != nil {
		return err
	}
	if err := c.feeChoice(); err != nil {
		return err
	}
	req := &lnrpc.SendCoinsRequest{
		Addr: addr, Amount: sat, SendAll: all, TargetConf: int32(c.cmd.Int64("conf_target")), SatPerVbyte: c.cmd.Uint64("sat_per_vbyte"), Label: c.cmd.String("label"),
	}
	req.MinConfs, req.SpendUnconfirmed = c.minConfs()
	if req.CoinSelectionStrategy, err = c.strategy(); err != nil {
		return err
	}
	if req.Outpoints, err = outpoints(c.cmd.StringSlice("utxo")); err != nil {
		return err
	}
	what := show.Sat(sat)
	if all {
		what = "everything"
	}
	if c.app.InTerm {
		if err := c.confirm(fmt.Sprintf("Send %s to %s?", what, addr)); err != nil {
			return err
		}
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.SendCoins(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintf(w, "%s sent in transaction %s\n", what, answer.Txid) })
}

// outputs reads addresses with amounts.
func (c *call) outputs() (map[string]int64, error) {
	text, err := c.need("addrs")
	if err != nil {
		return nil, err
	}
	var outs map[string]int64
	if err := json.Unmarshal([]byte(text), &outs); err != nil {
		return nil, Usage(`%s: want {"ADDRESS": SATOSHIS, ...}: %v`, c.cmd.Name, err)
	}
	return outs, nil
}

func sendMany(ctx context.Context, c *call) error {
	outs, err := c.outputs()
	if err != nil {
		return err
	}
	if err := c.feeChoice(); err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	req := &lnrpc.SendManyRequest{AddrToAmount: outs, TargetConf: int32(c.cmd.Int64("conf_target")), SatPerVbyte: c.cmd.Uint64("sat_per_vbyte"), Label: c.cmd.String("label")}
	req.MinConfs, req.SpendUnconfirmed = c.minConfs()
	if req.CoinSelectionStrategy, err = c.strategy(); err != nil {
		return err
	}
	answer, err := ln.SendMany(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "sent in transaction "+answer.Txid) })
}

func estimateFee(ctx context.Context, c *call) error {
	outs, err := c.outputs()
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.EstimateFee(ctx, &lnrpc.EstimateFeeRequest{AddrToAmount: outs, TargetConf: int32(c.cmd.Int64("conf_target"))})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s, at %d sat/vbyte\n", show.Sat(answer.FeeSat), answer.SatPerVbyte)
	})
}

func listChainTxns(ctx context.Context, c *call) error {
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.GetTransactions(ctx, &lnrpc.GetTransactionsRequest{
		StartHeight: int32(c.cmd.Int64("start_height")), EndHeight: int32(c.cmd.Int64("end_height")), Account: c.cmd.String("account"),
		IndexOffset: uint32(c.cmd.Uint64("index_offset")), MaxTransactions: uint32(min(c.cmd.Uint64("max_transactions"), math.MaxUint32)),
	})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		t := show.NewTable("time", "block>", "confs>", "amount>", "fee>", "transaction", "label")
		for _, tx := range answer.Transactions {
			block := "-"
			if tx.BlockHeight > 0 {
				block = show.Number(tx.BlockHeight)
			}
			t.Row(show.Time(tx.TimeStamp), block, show.Number(tx.NumConfirmations), show.Sat(tx.Amount), show.Sat(tx.TotalFees), tx.TxHash, tx.Label)
		}
		t.Print(w)
	})
}

func listUnspent(ctx context.Context, c *call) error {
	lo, err := number("min_confs", c.take("min_confs"))
	if err != nil {
		return err
	}
	hi, err := number("max_confs", c.take("max_confs"))
	if err != nil {
		return err
	}
	if hi == 0 {
		hi = math.MaxInt32
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.ListUnspent(ctx, &lnrpc.ListUnspentRequest{
		MinConfs: int32(min(lo, math.MaxInt32)), MaxConfs: int32(min(hi, math.MaxInt32)), Account: c.cmd.String("account"),
	})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		sort.SliceStable(answer.Utxos, func(i, j int) bool { return answer.Utxos[i].AmountSat > answer.Utxos[j].AmountSat })
		t := show.NewTable("amount>", "confs>", "address", "outpoint")
		for _, u := range answer.Utxos {
			t.Row(show.Sat(u.AmountSat), show.Number(u.Confirmations), u.Address, outpointText(u.Outpoint))
		}
		t.Print(w)
	})
}

func estimateFeeRate(ctx context.Context, c *call) error {
	blocks, err := number("conf_target", c.take("conf_target"))
	if err != nil {
		return err
	}
	if blocks == 0 {
		return Usage("estimatefeerate: conf_target is missing")
	}
	conn, err := c.dial(ctx, false)
	if err != nil {
		return err
	}
	answer, err := walletrpc.NewWalletKitClient(conn).EstimateFee(ctx, &walletrpc.EstimateFeeRequest{ConfTarget: int32(min(blocks, math.MaxInt32))})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s sat/kw (%.2f sat/vbyte)\n", show.Number(answer.SatPerKw), float64(answer.SatPerKw)/250)
	})
}
