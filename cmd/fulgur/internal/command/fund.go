package command

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var fundCommands = []spec{{
	name: "batchopenchannel", group: groupChannels, usage: "open channels with one transaction, all of them or none", args: "JSON", max: 1,
	more: "JSON is a list of channels, with the names of openchannel's fields in the API; keys are in hex:\n" +
		`[{"node_pubkey": "02ab...", "local_funding_amount": 500000, "private": true}, ...]`,
	flags: append([]cli.Flag{
		flagText("channels", "the same"), flagInt("min_confs", "confirmations that inputs need (default: 1; 0: unconfirmed too)"),
		flagText("label", "of the transaction"),
	}, feeFlags...),
	example: `batchopenchannel --sat_per_vbyte=2 '[{"node_pubkey":"02ab...","local_funding_amount":500000}]'`, do: batchOpenChannel,
}, {
	name: "abandonchannel", group: groupChannels, usage: "forget a channel without closing it", args: "CHANNEL", max: 2,
	more: "What is ours in it is lost if its funding is in the chain. A channel whose funding somebody else was to publish\n" +
		"and never did is given up without harm; for any other say --i_know_what_i_am_doing.",
	flags: []cli.Flag{
		flagText("funding_txid", "transaction that opened the channel"), flagText("output_index", "its output"), flagText("chan_point", "both, as TXID:INDEX"),
		flagBool("i_know_what_i_am_doing", "whatever is in it"),
	},
	example: "abandonchannel --chan_point=6c8a...:0", do: abandonChannel,
}, {
	name: "chain", group: groupAdmin, usage: "blocks, as the chain backend has them", example: "chain getbestblock",
	subs: []spec{{
		name: "getblock", usage: "a block", args: "HASH", max: 1, flags: []cli.Flag{flagText("hash", "of the block")}, example: "chain getblock 0000...", do: getBlock,
	}, {
		name: "getblockheader", usage: "a block's header", args: "HASH", max: 1, flags: []cli.Flag{flagText("hash", "of the block")},
		example: "chain getblockheader 0000...", do: getBlockHeader,
	}, {
		name: "getbestblock", usage: "the tip", example: "chain getbestblock", do: getBestBlock,
	}, {
		name: "getblockhash", usage: "the block at a height", args: "HEIGHT", max: 1, flags: []cli.Flag{flagText("height", "of the block")},
		example: "chain getblockhash 100", do: getBlockHash,
	}},
}}

func batchOpenChannel(ctx context.Context, c *call) error {
	text, err := c.need("channels")
	if err != nil {
		return err
	}
	req := &lnrpc.BatchOpenChannelRequest{
		SatPerVbyte: int64(c.cmd.Uint64("sat_per_vbyte")), TargetConf: int32(c.cmd.Int64("conf_target")), Label: c.cmd.String("label"),
	}
	if req.Channels, err = batchChannels(text); err != nil {
		return Usage("batchopenchannel: %v", err)
	}
	if err := c.feeChoice(); err != nil {
		return err
	}
	req.MinConfs, req.SpendUnconfirmed = c.minConfs()
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	c.step("the peers are asked for the channels")
	answer, err := ln.BatchOpenChannel(ctx, req)
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) {
		for _, p := range answer.PendingChannels {
			fmt.Fprintf(w, "pending: %s:%d\n", hashText(p.Txid), p.OutputIndex)
		}
	})
}

// batchChannels reads a list in the names of the API, whose keys are in hex.
func batchChannels(text string) (list []*lnrpc.BatchOpenChannel, err error) {
	var raw []map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("no list of channels: %w", err)
	}
	for i, m := range raw {
		for _, field := range []string{"node_pubkey", "pending_chan_id"} {
			if s, ok := m[field].(string); ok {
				b, err := hex.DecodeString(s)
				if err != nil {
					return nil, fmt.Errorf("channel %d: %s is not hex", i, field)
				}
				m[field] = b // base64
			}
		}
		b, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		ch := &lnrpc.BatchOpenChannel{}
		if err := protojson.Unmarshal(b, ch); err != nil {
			return nil, fmt.Errorf("channel %d: %w", i, err)
		}
		list = append(list, ch)
	}
	return list, nil
}

func abandonChannel(ctx context.Context, c *call) error {
	point, err := c.findPoint(ctx)
	if err != nil {
		return err
	}
	ln, err := c.lightning(ctx)
	if err != nil {
		return err
	}
	sure := c.cmd.Bool("i_know_what_i_am_doing")
	answer, err := ln.AbandonChannel(ctx, &lnrpc.AbandonChannelRequest{ChannelPoint: point, IKnowWhatIAmDoing: sure, PendingFundingShimOnly: !sure})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintln(w, answer.Status) })
}

var elsewhereFlags = []cli.Flag{
	flagBool("psbt", "fund it from another wallet, by a partially signed transaction"), flagText("base_psbt", "add the channel to this one, base64; with --psbt"),
	flagBool("no_publish", "somebody else publishes the funding; with --psbt. For all channels of a transaction but the last"),
}

// psbtShim makes the request one that is funded from elsewhere.
func (c *call) psbtShim(req *lnrpc.OpenChannelRequest) error {
	f := c.cmd
	if !f.Bool("psbt") {
		if f.Bool("no_publish") || f.String("base_psbt") != "" {
			return Usage("openchannel: --no_publish and --base_psbt go with --psbt")
		}
		return nil
	}
	shim := &lnrpc.PsbtShim{PendingChanId: make([]byte, 32), NoPublish: f.Bool("no_publish")}
	rand.Read(shim.PendingChanId)
	if text := f.String("base_psbt"); text != "" {
		var err error
		if shim.BasePsbt, err = packetOf(text); err != nil {
			return Usage("openchannel: --base_psbt: %v", err)
		}
	}
	req.FundingShim = &lnrpc.FundingShim{Shim: &lnrpc.FundingShim_PsbtShim{PsbtShim: shim}}
	return nil
}

// packetOf reads base64, or a file that holds it.
func packetOf(text string) ([]byte, error) {
	if b, err := os.ReadFile(text); err == nil {
		if bytes.HasPrefix(b, []byte("psbt\xff")) {
			return b, nil
		}
		text = string(b)
	}
	return base64.StdEncoding.DecodeString(strings.TrimSpace(text))
}

// fundElsewhere leads through the funding from another wallet. What goes wrong, or an
// interrupt, cancels the channel.
func (c *call) fundElsewhere(ctx context.Context, ln lnrpc.LightningClient, id []byte, ask *lnrpc.ReadyForPsbtFunding) (err error) {
	c.quiet()
	fmt.Fprintf(c.app.Err, "\nThe channel with the pending id %x wants %s paid to\n\n  %s\n\nThat output is in this PSBT:\n\n  %s\n\n"+
		"Fund it in the other wallet, do NOT publish it, and paste the PSBT here before it is signed.\n", id, show.Sat(ask.FundingAmount),
		ask.FundingAddress, base64.StdEncoding.EncodeToString(ask.Psbt))
	defer func() {
		if err != nil {
			_, _ = ln.FundingStateStep(context.WithoutCancel(ctx), &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_ShimCancel{
				ShimCancel: &lnrpc.FundingShimCancel{PendingChanId: id},
			}})
		}
	}()
	text, err := c.line("Funded PSBT (base64, or a file): ")
	if err != nil {
		return fmt.Errorf("read the PSBT: %w", err)
	}
	funded, err := packetOf(text)
	if err != nil {
		return Usage("openchannel: the funded PSBT: %v", err)
	}
	_, err = ln.FundingStateStep(ctx, &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_PsbtVerify{
		PsbtVerify: &lnrpc.FundingPsbtVerify{PendingChanId: id, FundedPsbt: funded},
	}})
	if err != nil {
		return err
	}
	fmt.Fprintln(c.app.Err, "It pays the channel. Now sign it there.")
	if text, err = c.line("Signed PSBT (base64, or a file), or the final transaction (hex): "); err != nil {
		return fmt.Errorf("read the signed PSBT: %w", err)
	}
	final := &lnrpc.FundingPsbtFinalize{PendingChanId: id}
	if raw, hexErr := hex.DecodeString(text); hexErr == nil && len(raw) > 0 {
		final.FinalRawTx = raw
	} else if final.SignedPsbt, err = packetOf(text); err != nil {
		return Usage("openchannel: the signed PSBT: %v", err)
	}
	_, err = ln.FundingStateStep(ctx, &lnrpc.FundingTransitionMsg{Trigger: &lnrpc.FundingTransitionMsg_PsbtFinalize{PsbtFinalize: final}})
	return err
}

func (c *call) chainKit(ctx context.Context) (chainrpc.ChainKitClient, error) {
	conn, err := c.dial(ctx, false)
	if err != nil {
		return nil, err
	}
	return chainrpc.NewChainKitClient(conn), nil
}

// blockHash reads a hash as people write it.
func (c *call) blockHash() ([]byte, error) {
	raw, err := c.bytes("hash", 32)
	slices.Reverse(raw)
	return raw, err
}

func getBlock(ctx context.Context, c *call) error {
	hash, err := c.blockHash()
	if err != nil {
		return err
	}
	kit, err := c.chainKit(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.GetBlock(ctx, &chainrpc.GetBlockRequest{BlockHash: hash})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintf(w, "%x\n", answer.RawBlock) })
}

func getBlockHeader(ctx context.Context, c *call) error {
	hash, err := c.blockHash()
	if err != nil {
		return err
	}
	kit, err := c.chainKit(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.GetBlockHeader(ctx, &chainrpc.GetBlockHeaderRequest{BlockHash: hash})
	if err != nil {
		return err
	}
	return c.print(answer, func(w io.Writer) { fmt.Fprintf(w, "%x\n", answer.RawBlockHeader) })
}

func getBestBlock(ctx context.Context, c *call) error {
	kit, err := c.chainKit(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.GetBestBlock(ctx, &chainrpc.GetBestBlockRequest{})
	if err != nil {
		return err
	}
	out := struct {
		Hash   string `json:"block_hash"`
		Height int32  `json:"block_height"`
	}{hashText(answer.BlockHash), answer.BlockHeight}
	return c.result(out, func(w io.Writer) { fmt.Fprintf(w, "%s, height %d\n", out.Hash, out.Height) })
}

func getBlockHash(ctx context.Context, c *call) error {
	text, err := c.need("height")
	if err != nil {
		return err
	}
	height, err := number("height", text)
	if err != nil {
		return err
	}
	kit, err := c.chainKit(ctx)
	if err != nil {
		return err
	}
	answer, err := kit.GetBlockHash(ctx, &chainrpc.GetBlockHashRequest{BlockHeight: int64(height)})
	if err != nil {
		return err
	}
	out := map[string]string{"block_hash": hashText(answer.BlockHash)}
	return c.result(out, func(w io.Writer) { fmt.Fprintln(w, out["block_hash"]) })
}
