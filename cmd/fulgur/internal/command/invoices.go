package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var newInvoiceFlags = []cli.Flag{
	flagText("memo", "what it is for"), flagText("amt", "the amount; without one the payer chooses"), flagInt("amt_msat", "the amount in millisatoshis"),
	flagText("description_hash", "hash of a longer description, hex"), flagText("fallback_addr", "address on the chain for who cannot pay over Lightning"),
	flagInt("expiry", "`SECONDS` until it cannot be paid any more (default: a day)"), flagUint("cltv_expiry_delta", "blocks that the last hop must leave us"),
	flagBool("private", "tell the payer about our private channels"), flagBool("qr", "draw a QR code"),
}

var invoiceCommands = []spec{{
	name: "addinvoice", group: groupPay, usage: "make an invoice", args: "[AMOUNT [PREIMAGE]]", max: 2,
	more: "The amount is in satoshis, or has a unit: 1500, 0.000015btc, 1500500msat.",
	flags: append([]cli.Flag{
		flagText("preimage", "32 bytes in hex (default: chosen at random)"), flagBool("blind", "hide who we are behind blinded paths"),
		flagUint("min_real_blinded_hops", "peers in front of us in each path; 0: none, if there is none"),
		flagUint("num_blinded_hops", "hops in each path, made-up ones included"), flagUint("max_blinded_paths", "so many paths at most"),
		flagTexts("blinded_path_omit_node", "a node that no path may use; may be repeated"),
	}, newInvoiceFlags...),
	example: `addinvoice --memo "coffee" --qr 1500`, do: addInvoice,
}, {
	name: "addholdinvoice", group: groupPay, usage: "make an invoice that is settled by hand", args: "HASH [AMOUNT]", max: 2,
	more:    "A payment is held until settleinvoice or cancelinvoice.",
	flags:   append([]cli.Flag{flagText("hash", "payment hash, 32 bytes in hex")}, newInvoiceFlags...),
	example: "addholdinvoice 5c3b... 1500", do: addHoldInvoice,
}, {
	name: "settleinvoice", group: groupPay, usage: "take the money of a held payment", args: "PREIMAGE", max: 1,
	flags: []cli.Flag{flagText("preimage", "of the invoice's hash")}, example: "settleinvoice 7e1d...", do: settleInvoice,
}, {
	name: "cancelinvoice", group: groupPay, usage: "refuse payments to an invoice, also one that is held", args: "HASH", max: 1,
	flags: []cli.Flag{flagText("paymenthash", "of the invoice")}, example: "cancelinvoice 5c3b...", do: cancelInvoice,
}, {
	name: "lookupinvoice", group: groupPay, usage: "an invoice and what was paid to it", args: "HASH", max: 1,
	flags: []cli.Flag{flagText("rhash", "payment hash"), flagBool("qr", "draw a QR code")}, example: "lookupinvoice 5c3b...", do: lookupInvoice,
}, {
	name: "listinvoices", group: groupPay, usage: "the invoices, the newest last", example: "listinvoices --max_invoices=20", do: listInvoices,
	flags: append([]cli.Flag{flagBool("pending_only", "not settled or canceled yet"), flagUint("max_invoices", "so many (default: 100)")}, pageFlags...),
}, {
	name: "decodepayreq", group: groupPay, usage: "what an invoice says", args: "INVOICE", max: 1,
	flags: []cli.Flag{flagText("pay_req", "the invoice")}, example: "decodepayreq lnbcrt15u1...", do: decodePayReq,
}}

var pageFlags = []cli.Flag{
	flagUint("index_offset", "begin after this index (before it, going back)"),
	&cli.BoolFlag{Name: "paginate-forwards", Aliases: []string{"paginate_forwards"}, Usage: "from the oldest on, instead of the newest back"},
	flagUint("creation_date_start", "not older, in seconds since 1970"), flagUint("creation_date_end", "not younger"),
}

// newInvoice reads the amount and the flags that both kinds of invoices share.
func newInvoice(c *call, text string) (*lnrpc.Invoice, error) {
	f := c.cmd
	inv := &lnrpc.Invoice{
		Memo: f.String("memo"), FallbackAddr: f.String("fallback_addr"), Expiry: f.Int64("expiry"),
		CltvExpiry: f.Uint64("cltv_expiry_delta"), Private: f.Bool("private"), ValueMsat: f.Int64("amt_msat"),
	}
	if text != "" && f.IsSet("amt_msat") {
		return nil, Usage("%s: amt and amt_msat: choose one", f.Name)
	}
	if text != "" {
		msat, err := show.ParseMsat(text, 1000)
		if err != nil {
			return nil, Usage("amt: %v", err)
		}
		if msat%1000 == 0 {
			inv.Value = msat / 1000
		} else {
			inv.ValueMsat = msat
		}
	}
	if h := f.String("description_hash"); h != "" {
		var err error
		if inv.DescriptionHash, err = parseHex("description_hash", h, 32); err != nil {
			return nil, err
		}
	}
	return inv, nil
}

func addInvoice(ctx context.Context, c *call) error {
	inv, err := newInvoice(c, c.take("amt"))
	if err != nil {
		return err
	}
	if p := c.take("preimage"); p != "" {
		if inv.RPreimage, err = parseHex("preimage", p, 32); err != nil {
			return err
		}
	}
	if err := blind(c.cmd, inv); err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	answer, err := ln.AddInvoice(ctx, inv)
	if err != nil {
		return err
	}
	err = c.print(answer, func(w io.Writer) { printInvoiceText(w, answer.RHash, answer.PaymentRequest) })
	c.qr(strings.ToUpper(answer.PaymentRequest))
	return err
}

// blind reads the flags for blinded paths.
func blind(f *cli.Command, inv *lnrpc.Invoice) error {
	config, any := &lnrpc.BlindedPathConfig{}, false
	for name, field := range map[string]**uint32{
		"min_real_blinded_hops": &config.MinNumRealHops, "num_blinded_hops": &config.NumHops, "max_blinded_paths": &config.MaxNumPaths,
	} {
		if f.IsSet(name) {
			n := uint32(f.Uint64(name))
			*field, any = &n, true
		}
	}
	for _, id := range f.StringSlice("blinded_path_omit_node") {
		key, err := parseHex("blinded_path_omit_node", id, 33)
		if err != nil {
			return err
		}
		config.NodeOmissionList, any = append(config.NodeOmissionList, key), true
	}
	if inv.IsBlinded = f.Bool("blind"); !inv.IsBlinded && any {
		return Usage("%s: flags for blinded paths need --blind", f.Name)
	}
	if any {
		inv.BlindedPathConfig = config
	}
	return nil
}

func printInvoiceText(w io.Writer, hash []byte, text string) {
	var p show.Pairs
	p.Add("hash", hex.EncodeToString(hash))
	p.Add("invoice", text)
	p.Print(w)
}

func addHoldInvoice(ctx context.Context, c *call) error {
	hash, err := c.bytes("hash", 32)
	if err != nil {
		return err
	}
	inv, err := newInvoice(c, c.take("amt"))
	if err != nil {
		return err
	}
	svc, err := c.invoices(ctx)
	if err != nil {
		return err
	}
	answer, err := svc.AddHoldInvoice(ctx, &invoicesrpc.AddHoldInvoiceRequest{
		Hash: hash, Memo: inv.Memo, Value: inv.Value, ValueMsat: inv.ValueMsat, DescriptionHash: inv.DescriptionHash,
		Expiry: inv.Expiry, FallbackAddr: inv.FallbackAddr, CltvExpiry: inv.CltvExpiry, Private: inv.Private,
	})
	if err != nil {
		return err
	}
	err = c.print(answer, func(w io.Writer) { printInvoiceText(w, hash, answer.PaymentRequest) })
	c.qr(strings.ToUpper(answer.PaymentRequest))
	return err
}

func settleInvoice(ctx context.Context, c *call) error {
	preimage, err := c.bytes("preimage", 32)
	if err != nil {
		return err
	}
	svc, err := c.invoices(ctx)
	if err != nil {
		return err
	}
	answer, err := svc.SettleInvoice(ctx, &invoicesrpc.SettleInvoiceMsg{Preimage: preimage})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "settled") })
}

func cancelInvoice(ctx context.Context, c *call) error {
	hash, err := c.bytes("paymenthash", 32)
	if err != nil {
		return err
	}
	svc, err := c.invoices(ctx)
	if err != nil {
		return err
	}
	answer, err := svc.CancelInvoice(ctx, &invoicesrpc.CancelInvoiceMsg{PaymentHash: hash})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, "canceled") })
}

func lookupInvoice(ctx context.Context, c *call) error {
	hash, err := c.bytes("rhash", 32)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	inv, err := ln.LookupInvoice(ctx, &lnrpc.PaymentHash{RHash: hash})
	if err != nil {
		return err
	}
	err = c.print(inv, func(w io.Writer) {
		var p show.Pairs
		p.Add("state", strings.ToLower(inv.State.String()))
		p.Add("memo", inv.Memo)
		p.Add("asked", invoiceAmount(inv))
		p.Add("paid", show.Msat(inv.AmtPaidMsat))
		p.Add("made", show.Time(inv.CreationDate))
		p.Add("valid for", show.Duration(inv.Expiry))
		p.Add("settled", show.Time(inv.SettleDate))
		p.Add("hash", hex.EncodeToString(inv.RHash))
		p.Add("invoice", inv.PaymentRequest)
		p.Print(w)
	})
	c.qr(strings.ToUpper(inv.PaymentRequest))
	return err
}

func invoiceAmount(inv *lnrpc.Invoice) string {
	switch {
	case inv.ValueMsat != 0:
		return show.Msat(inv.ValueMsat)
	case inv.Value != 0:
		return show.Sat(inv.Value)
	}
	return "any amount"
}

func listInvoices(ctx context.Context, c *call) error {
	f := c.cmd
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	list, err := ln.ListInvoices(ctx, &lnrpc.ListInvoiceRequest{
		PendingOnly: f.Bool("pending_only"), IndexOffset: f.Uint64("index_offset"), NumMaxInvoices: f.Uint64("max_invoices"),
		Reversed: !f.Bool("paginate-forwards"), CreationDateStart: f.Uint64("creation_date_start"), CreationDateEnd: f.Uint64("creation_date_end"),
	})
	if err != nil {
		return err
	}
	return c.print(list, func(w io.Writer) {
		t := show.NewTable("#>", "made", "state", "asked>", "paid>", "memo", "hash")
		for _, inv := range list.Invoices {
			t.Row(show.Number(inv.AddIndex), show.Time(inv.CreationDate), strings.ToLower(inv.State.String()), invoiceAmount(inv),
				show.Msat(inv.AmtPaidMsat), inv.Memo, hex.EncodeToString(inv.RHash))
		}
		t.Print(w)
	})
}

// bare is an invoice without the scheme that links carry.
func bare(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 10 && strings.EqualFold(text[:10], "lightning:") {
		return text[10:]
	}
	return text
}

func decodePayReq(ctx context.Context, c *call) error {
	text, err := c.need("pay_req")
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	req, err := ln.DecodePayReq(ctx, &lnrpc.PayReqString{PayReq: bare(text)})
	if err != nil {
		return err
	}
	return c.print(req, func(w io.Writer) { payReqPairs(req).Print(w) })
}

func payReqPairs(req *lnrpc.PayReq) (p show.Pairs) {
	p.Add("to", req.Destination)
	if req.NumMsat != 0 {
		p.Add("amount", show.Msat(req.NumMsat))
	} else {
		p.Add("amount", "the payer chooses")
	}
	p.Add("for", req.Description)
	p.Add("description hash", req.DescriptionHash)
	p.Add("made", show.Time(req.Timestamp))
	p.Add("valid for", show.Duration(req.Expiry))
	p.Add("hash", req.PaymentHash)
	p.Add("fallback address", req.FallbackAddr)
	if n := len(req.RouteHints); n > 0 {
		p.Add("route hints", show.Number(n))
	}
	return p
}
