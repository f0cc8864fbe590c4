package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// fundingLock is the id of the leases that wallet psbt fund takes.
const fundingLock = "ede19a92ed321a4705f8a1cccc1d4f6182545d4bb4fae08bd5937831b7e38f98"

// outputCommands are what "wallet" has on single coins and transactions.
var outputCommands = []spec{{
	name: "leaseoutput", usage: "keep a coin from being chosen", args: "TXID:INDEX", max: 1,
	flags: []cli.Flag{
		flagText("outpoint", "the coin"), flagText("lockid", "32 bytes in hex; whoever releases it has to know them"), flagUint("expiry", "for so many `SECONDS` (default: 600)"),
	},
	example: "wallet leaseoutput --lockid=11...11 --expiry=3600 TXID:0", do: leaseOutput,
}, {
	name: "releaseoutput", usage: "end a lease", args: "TXID:INDEX", max: 1, example: "wallet releaseoutput TXID:0", do: releaseOutput,
	flags: []cli.Flag{flagText("outpoint", "the coin"), flagText("lockid", "as it was leased (default: that of wallet psbt fund)")},
}, {
	name: "listleases", usage: "the coins that are leased", example: "wallet listleases", do: listLeases,
}, {
	name: "requiredreserve", usage: "what has to stay in the wallet for channels with anchors", example: "wallet requiredreserve", do: requiredReserve,
	flags: []cli.Flag{flagUint("additional_public_channels", "with so many more")},
}, {
	name: "gettx", usage: "a transaction of the wallet", args: "TXID", max: 1, example: "wallet gettx TXID", do: getTx, flags: []cli.Flag{flagText("txid", "its id")},
}, {
	name: "publishtx", usage: "give a transaction to the network", args: "TX", max: 1, example: "wallet publishtx --label=rent 0200...", do: publishTx,
	flags: []cli.Flag{flagText("tx_hex", "the transaction"), flagText("label", "a note")},
}, {
	name: "labeltx", usage: "note what a transaction was for", args: "TXID LABEL", max: 2, example: `wallet labeltx TXID "rent, May"`, do: labelTx,
	flags: []cli.Flag{flagText("txid", "its id"), flagText("label", "the note"), flagBool("overwrite", "take the place of another note")},
}, {
	name: "removetx", usage: "forget a transaction that will never be mined", args: "TXID", max: 1, example: "wallet removetx TXID", do: removeTx,
	flags: []cli.Flag{flagText("txid", "its id")},
	more:  "All that rest on it go too, and the coins that they spent are free again. The network may still know it.",
}}

// lockID reads the id of a lease.
func (c *call) lockID() ([]byte, error) {
	text := c.cmd.String("lockid")
	if text == "" && c.cmd.Name == "releaseoutput" {
		text = fundingLock
	}
	return parseHex("lockid", text, 32)
}

// output is need for an outpoint.
func (c *call) output() (*lnrpc.OutPoint, error) {
	text, err := c.need("outpoint")
	if err != nil {
		return nil, err
	}
	list, err := outpoints([]string{text})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func leaseOutput(ctx context.Context, c *call) error {
	op, err := c.output()
	if err != nil {
		return err
	}
	id, err := c.lockID()
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.LeaseOutput(ctx, &walletrpc.LeaseOutputRequest{Id: id, Outpoint: op, ExpirationSeconds: c.cmd.Uint64("expiry")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "leased until "+show.Time(int64(answer.Expiration))) })
}

func releaseOutput(ctx context.Context, c *call) error {
	op, err := c.output()
	if err != nil {
		return err
	}
	id, err := c.lockID()
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ReleaseOutput(ctx, &walletrpc.ReleaseOutputRequest{Id: id, Outpoint: op})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

func listLeases(ctx context.Context, c *call) error {
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.ListLeases(ctx, &walletrpc.ListLeasesRequest{})
	if err != nil {
		return err
	}
	return c.result(leaseValues(answer.LockedUtxos), func(w io.Writer) { leaseTable(w, answer.LockedUtxos) })
}

func requiredReserve(ctx context.Context, c *call) error {
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.RequiredReserve(ctx, &walletrpc.RequiredReserveRequest{AdditionalPublicChannels: uint32(c.cmd.Uint64("additional_public_channels"))})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, show.Sat(answer.RequiredReserve)) })
}

func getTx(ctx context.Context, c *call) error {
	id, err := c.need("txid")
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.GetTransaction(ctx, &walletrpc.GetTransactionRequest{Txid: id})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s, fee %s, %d confirmations\n", show.Sat(answer.Amount), show.Sat(answer.TotalFees), answer.NumConfirmations)
		t := show.NewTable("output>", "amount>", "ours", "address")
		for _, o := range answer.OutputDetails {
			ours := ""
			if o.IsOurAddress {
				ours = "yes"
			}
			t.Row(show.Number(o.OutputIndex), show.Sat(o.Amount), ours, o.Address)
		}
		t.Print(w)
	})
}

func publishTx(ctx context.Context, c *call) error {
	raw, err := c.bytes("tx_hex", 0)
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.PublishTransaction(ctx, &walletrpc.Transaction{TxHex: raw, Label: c.cmd.String("label")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "published") })
}

func labelTx(ctx context.Context, c *call) error {
	id, err := c.bytes("txid", 32)
	if err != nil {
		return err
	}
	label, err := c.need("label")
	if err != nil {
		return err
	}
	slices.Reverse(id) // into the order of the wire
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.LabelTransaction(ctx, &walletrpc.LabelTransactionRequest{Txid: id, Label: label, Overwrite: c.cmd.Bool("overwrite")})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

func removeTx(ctx context.Context, c *call) error {
	id, err := c.need("txid")
	if err != nil {
		return err
	}
	if _, err := hex.DecodeString(id); err != nil {
		return Usage("removetx: txid: %v", err)
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.RemoveTransaction(ctx, &walletrpc.GetTransactionRequest{Txid: id})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}
