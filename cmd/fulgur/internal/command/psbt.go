package command

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

var psbtFlags = append([]cli.Flag{
	flagText("account", "whose coins (default: default)"), flagUint("sat_per_kw", "feerate in sat per 1000 weight units"),
	flagText("change_type", "p2tr: taproot for the change"), flagInt("min_confs", "confirmations that inputs need (default: 1; 0: unconfirmed too)"),
	flagStrategy,
}, feeFlags...)

// psbtCommands are what "wallet psbt" has.
var psbtCommands = []spec{{
	name: "fund", usage: "choose coins for a transaction that several have to sign", max: 0,
	more: "Inputs, when there are any, are all; else coins are chosen. They are leased for ten minutes.",
	flags: append([]cli.Flag{
		flagText("outputs", `{"ADDRESS": SATOSHIS, ...}`), flagText("inputs", `["TXID:INDEX", ...]`), flagText("template_psbt", "base64, instead of both"),
	}, psbtFlags...),
	example: `wallet psbt fund --sat_per_vbyte=3 --outputs='{"bcrt1q...": 50000}'`, do: psbtFund,
}, {
	name: "fundtemplate", usage: "add coins to a packet with inputs of others", args: "PSBT", max: 1,
	flags: append([]cli.Flag{
		flagText("template_psbt", "base64"), flagInt("change_output_index", "the output that takes what is left over; -1 (default): a new one"),
		&cli.FloatFlag{Name: "max_fee_ratio", Usage: "the most that the fee may be of all outputs (default: 0.2)"},
	}, psbtFlags...),
	example: "wallet psbt fundtemplate --sat_per_vbyte=3 cHNidP8B...", do: psbtFundTemplate,
}, {
	name: "sign", usage: "sign the inputs whose keys are ours", args: "PSBT", max: 1, flags: []cli.Flag{flagText("funded_psbt", "base64")},
	example: "wallet psbt sign cHNidP8B...", do: psbtSign,
}, {
	name: "finalize", usage: "sign for our coins and make the transaction", args: "PSBT", max: 1,
	more: "It is not published: fulgur wallet publishtx does that.", example: "wallet psbt finalize cHNidP8B...", do: psbtFinalize,
	flags: []cli.Flag{flagText("funded_psbt", "base64"), flagText("account", "has to exist (default: default)")},
}}

// packet is need for a packet in base64.
func (c *call) packet(flag string) ([]byte, error) {
	text, err := c.need(flag)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, Usage("%s: %s is no base64: %v", c.cmd.Name, flag, err)
	}
	return raw, nil
}

// funding reads what fund and fundtemplate share.
func (c *call) funding() (*walletrpc.FundPsbtRequest, error) {
	req := &walletrpc.FundPsbtRequest{Account: c.cmd.String("account")}
	req.MinConfs, req.SpendUnconfirmed = c.minConfs()
	named := 0
	if n := c.cmd.Uint64("sat_per_vbyte"); n != 0 {
		req.Fees, named = &walletrpc.FundPsbtRequest_SatPerVbyte{SatPerVbyte: n}, named+1
	}
	if n := c.cmd.Uint64("sat_per_kw"); n != 0 {
		req.Fees, named = &walletrpc.FundPsbtRequest_SatPerKw{SatPerKw: n}, named+1
	}
	if n := c.cmd.Int64("conf_target"); n != 0 {
		req.Fees, named = &walletrpc.FundPsbtRequest_TargetConf{TargetConf: uint32(n)}, named+1
	}
	switch named {
	case 0:
		req.Fees = &walletrpc.FundPsbtRequest_TargetConf{TargetConf: 6}
	case 1:
	default:
		return nil, Usage("%s: conf_target, sat_per_vbyte and sat_per_kw exclude each other", c.cmd.Name)
	}
	switch text := c.cmd.String("change_type"); text {
	case "":
	case "p2tr":
		req.ChangeType = walletrpc.ChangeAddressType_CHANGE_ADDRESS_TYPE_P2TR
	default:
		return nil, Usage("change_type: %q, want p2tr", text)
	}
	var err error
	req.CoinSelectionStrategy, err = c.strategy()
	return req, err
}

func psbtFund(ctx context.Context, c *call) error {
	req, err := c.funding()
	if err != nil {
		return err
	}
	outs, ins := c.cmd.String("outputs"), c.cmd.String("inputs")
	if c.cmd.IsSet("template_psbt") {
		if outs != "" || ins != "" {
			return Usage("fund: --template_psbt goes without --outputs and --inputs")
		}
		raw, err := c.packet("template_psbt")
		if err != nil {
			return err
		}
		req.Template = &walletrpc.FundPsbtRequest_Psbt{Psbt: raw}
		return c.fundPsbt(ctx, req)
	}
	raw := &walletrpc.TxTemplate{}
	if outs == "" {
		return Usage("fund: --outputs or --template_psbt is needed")
	}
	if err := json.Unmarshal([]byte(outs), &raw.Outputs); err != nil {
		return Usage(`outputs: want {"ADDRESS": SATOSHIS, ...}: %v`, err)
	}
	if ins != "" {
		var texts []string
		if err := json.Unmarshal([]byte(ins), &texts); err != nil {
			return Usage(`inputs: want ["TXID:INDEX", ...]: %v`, err)
		}
		if raw.Inputs, err = outpoints(texts); err != nil {
			return err
		}
	}
	req.Template = &walletrpc.FundPsbtRequest_Raw{Raw: raw}
	return c.fundPsbt(ctx, req)
}

func psbtFundTemplate(ctx context.Context, c *call) error {
	req, err := c.funding()
	if err != nil {
		return err
	}
	raw, err := c.packet("template_psbt")
	if err != nil {
		return err
	}
	choose := &walletrpc.PsbtCoinSelect{Psbt: raw, ChangeOutput: &walletrpc.PsbtCoinSelect_Add{Add: true}}
	if c.cmd.IsSet("change_output_index") && c.cmd.Int64("change_output_index") >= 0 {
		choose.ChangeOutput = &walletrpc.PsbtCoinSelect_ExistingOutputIndex{ExistingOutputIndex: int32(c.cmd.Int64("change_output_index"))}
	}
	req.Template, req.MaxFeeRatio = &walletrpc.FundPsbtRequest_CoinSelect{CoinSelect: choose}, c.cmd.Float64("max_fee_ratio")
	return c.fundPsbt(ctx, req)
}

// leaseValue is a lease as the commands print it.
type leaseValue struct {
	ID         string `json:"id"`
	Outpoint   string `json:"outpoint"`
	Expiration uint64 `json:"expiration"`
	PkScript   string `json:"pk_script"`
	Value      uint64 `json:"value"`
}

func leaseValues(list []*walletrpc.UtxoLease) []leaseValue {
	out := []leaseValue{}
	for _, l := range list {
		out = append(out, leaseValue{hex.EncodeToString(l.Id), outpointText(l.Outpoint), l.Expiration, hex.EncodeToString(l.PkScript), l.Value})
	}
	return out
}

func leaseTable(w io.Writer, list []*walletrpc.UtxoLease) {
	t := show.NewTable("amount>", "until", "outpoint", "id")
	for _, l := range list {
		t.Row(show.Sat(l.Value), show.Time(int64(l.Expiration)), outpointText(l.Outpoint), hex.EncodeToString(l.Id))
	}
	t.Print(w)
}

func (c *call) fundPsbt(ctx context.Context, req *walletrpc.FundPsbtRequest) error {
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.FundPsbt(ctx, req)
	if err != nil {
		return err
	}
	packet := base64.StdEncoding.EncodeToString(answer.FundedPsbt)
	return c.result(struct {
		Psbt   string       `json:"psbt"`
		Change int32        `json:"change_output_index"`
		Locks  []leaseValue `json:"locks"`
	}{packet, answer.ChangeOutputIndex, leaseValues(answer.LockedUtxos)}, func(w io.Writer) {
		leaseTable(w, answer.LockedUtxos)
		fmt.Fprintf(w, "\n%s\n", packet)
	})
}

func psbtSign(ctx context.Context, c *call) error {
	raw, err := c.packet("funded_psbt")
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.SignPsbt(ctx, &walletrpc.SignPsbtRequest{FundedPsbt: raw})
	if err != nil {
		return err
	}
	packet := base64.StdEncoding.EncodeToString(answer.SignedPsbt)
	return c.result(struct {
		Psbt   string   `json:"psbt"`
		Inputs []uint32 `json:"signed_input_indexes"`
	}{packet, answer.SignedInputs}, func(w io.Writer) {
		fmt.Fprintf(w, "%d inputs signed\n\n%s\n", len(answer.SignedInputs), packet)
	})
}

func psbtFinalize(ctx context.Context, c *call) error {
	raw, err := c.packet("funded_psbt")
	if err != nil {
		return err
	}
	kit, err := c.wallet(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.FinalizePsbt(ctx, &walletrpc.FinalizePsbtRequest{FundedPsbt: raw, Account: c.cmd.String("account")})
	if err != nil {
		return err
	}
	tx := hex.EncodeToString(answer.RawFinalTx)
	return c.result(struct {
		Psbt string `json:"psbt"`
		Tx   string `json:"final_tx"`
	}{base64.StdEncoding.EncodeToString(answer.SignedPsbt), tx}, func(w io.Writer) { fmt.Fprintln(w, tx) })
}
