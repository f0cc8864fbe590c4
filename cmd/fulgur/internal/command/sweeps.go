package command

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

var bumpFlags = append([]cli.Flag{
	flagBool("immediate", "share no transaction with outputs that are not urgent"),
	flagUint("budget", "the most that may be paid in fees, in `SATOSHIS`"),
	flagUint("deadline_delta", "within so many `BLOCKS`; the offer rises to the budget until then"),
}, feeFlags...)

// sweepCommands are what "wallet" has on outputs that come home.
var sweepCommands = []spec{{
	name: "pendingsweeps", usage: "outputs that are on their way back to the wallet", example: "wallet pendingsweeps", do: pendingSweeps,
}, {
	name: "listsweeps", usage: "transactions that brought outputs back to the wallet, or are about to", example: "wallet listsweeps --verbose", do: listSweeps,
	flags: []cli.Flag{flagBool("verbose", "whole transactions instead of their ids"), flagInt("startheight", "from this block on; -1: only unconfirmed ones")},
}, {
	name: "bumpfee", usage: "offer more for an output that is being swept, or for the transaction of an unconfirmed coin", args: "TXID:INDEX", max: 1,
	more:  "An output that is being swept (wallet pendingsweeps) is offered more, by replacing what was offered.\nAn unconfirmed coin of the wallet is spent to itself, for a fee that pays for its transaction too.",
	flags: append([]cli.Flag{flagText("outpoint", "the output")}, bumpFlags...), example: "wallet bumpfee --sat_per_vbyte=20 TXID:0", do: bumpFee,
}, {
	name: "bumpforceclosefee", aliases: []string{"bumpclosefee"}, usage: "raise the fee of a commitment that is published and not confirmed", args: "CHANNEL", max: 2,
	more: "CHANNEL is TXID:INDEX, or TXID INDEX.\nA child that spends its anchor pays for both. Without payments at stake in the channel a budget has to be given.",
	flags: append([]cli.Flag{
		flagText("funding_txid", "transaction that opened the channel"), flagText("output_index", "its output"), flagText("chan_point", "both, as TXID:INDEX"),
	}, bumpFlags...), example: "wallet bumpforceclosefee --budget=5000 --sat_per_vbyte=20 TXID:0", do: bumpForceCloseFee,
}}

func (c *call) wallet(ctx context.Context) (walletrpc.WalletKitClient, error) {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return nil, err
	}
	return walletrpc.NewWalletKitClient(conn), nil
}

func pendingSweeps(ctx context.Context, c *call) error {
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.PendingSweeps(ctx, &walletrpc.PendingSweepsRequest{})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		t := show.NewTable("what", "amount>", "sat/vbyte>", "budget>", "ripe at block>", "deadline>", "outpoint")
		for _, s := range answer.PendingSweeps {
			t.Row(s.WitnessType.String(), show.Sat(int64(s.AmountSat)), show.Number(s.SatPerVbyte), show.Sat(int64(s.Budget)),
				show.Number(s.MaturityHeight), block(s.DeadlineHeight), outpointText(s.Outpoint))
		}
		t.Print(w)
	})
}

// block is a height, or nothing for none.
func block(height uint32) string {
	if height == 0 {
		return "-"
	}
	return show.Number(height)
}

func listSweeps(ctx context.Context, c *call) error {
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ListSweeps(ctx, &walletrpc.ListSweepsRequest{Verbose: c.cmd.Bool("verbose"), StartHeight: int32(c.cmd.Int64("startheight"))})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		if ids := answer.GetTransactionIds(); ids != nil {
			t := show.NewTable("transaction")
			for _, id := range ids.TransactionIds {
				t.Row(id)
			}
			t.Print(w)
			return
		}
		t := show.NewTable("block>", "amount>", "fee>", "transaction")
		for _, tx := range answer.GetTransactionDetails().GetTransactions() {
			t.Row(block(uint32(tx.BlockHeight)), show.Sat(tx.Amount), show.Sat(tx.TotalFees), tx.TxHash)
		}
		t.Print(w)
	})
}

// bumpWish reads what two commands have in common.
func (c *call) bumpWish() (*walletrpc.BumpFeeRequest, error) {
	if err := c.feeChoice(); err != nil {
		return nil, err
	}
	f := c.cmd
	target := f.Int64("conf_target")
	if target < 0 || target > math.MaxUint16 || f.Uint64("deadline_delta") > math.MaxUint16 {
		return nil, Usage("%s: --conf_target and --deadline_delta are numbers of blocks", f.Name)
	}
	return &walletrpc.BumpFeeRequest{
		TargetConf: uint32(target), SatPerVbyte: f.Uint64("sat_per_vbyte"), Immediate: f.Bool("immediate"),
		Budget: f.Uint64("budget"), DeadlineDelta: uint32(f.Uint64("deadline_delta")),
	}, nil
}

func bumpFee(ctx context.Context, c *call) error {
	text, err := c.need("outpoint")
	if err != nil {
		return err
	}
	txid, index, err := splitPoint("outpoint", text)
	if err != nil {
		return err
	}
	req, err := c.bumpWish()
	if err != nil {
		return err
	}
	req.Outpoint = &lnrpc.OutPoint{TxidStr: txid, OutputIndex: index}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.BumpFee(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, show.Clean(answer.Status)) })
}

func bumpForceCloseFee(ctx context.Context, c *call) error {
	point, err := c.findPoint(ctx)
	if err != nil {
		return err
	}
	wish, err := c.bumpWish()
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.BumpForceCloseFee(ctx, &walletrpc.BumpForceCloseFeeRequest{
		ChanPoint: point, DeadlineDelta: wish.DeadlineDelta, StartingFeerate: wish.SatPerVbyte, Immediate: wish.Immediate, Budget: wish.Budget,
		TargetConf: wish.TargetConf,
	})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, show.Clean(answer.Status)) })
}
