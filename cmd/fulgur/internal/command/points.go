package command

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// hashText is a hash of the wire as people write it.
func hashText(wire []byte) string {
	b := slices.Clone(wire)
	slices.Reverse(b)
	return hex.EncodeToString(b)
}

func outpointText(o *lnrpc.OutPoint) string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", o.TxidStr, o.OutputIndex)
}

func pointText(p *lnrpc.ChannelPoint) string {
	txid := p.GetFundingTxidStr()
	if raw := p.GetFundingTxidBytes(); raw != nil {
		txid = hashText(raw)
	}
	return fmt.Sprintf("%s:%d", txid, p.GetOutputIndex())
}

// splitPoint reads txid:index.
func splitPoint(name, text string) (txid string, index uint32, err error) {
	txid, rest, ok := strings.Cut(text, ":")
	n, err := strconv.ParseUint(rest, 10, 32)
	if raw, hexErr := hex.DecodeString(txid); !ok || err != nil || hexErr != nil || len(raw) != 32 {
		return "", 0, Usage("%s: %q is no output: want TXID:INDEX", name, text)
	}
	return txid, uint32(n), nil
}

func outpoints(texts []string) (out []*lnrpc.OutPoint, err error) {
	for _, text := range texts {
		txid, index, err := splitPoint("utxo", text)
		if err != nil {
			return nil, err
		}
		out = append(out, &lnrpc.OutPoint{TxidStr: txid, OutputIndex: index})
	}
	return out, nil
}

func channelPoint(txid string, index uint32) *lnrpc.ChannelPoint {
	return &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: txid}, OutputIndex: index}
}

// findPoint reads how a channel was named: by TXID:INDEX, by TXID and INDEX, or by
// its short channel id, which is looked up among the open channels.
func (c *call) findPoint(ctx context.Context) (*lnrpc.ChannelPoint, error) {
	if text := c.cmd.String("chan_point"); text != "" {
		txid, index, err := splitPoint("chan_point", text)
		return channelPoint(txid, index), err
	}
	text, err := c.need("funding_txid")
	if err != nil {
		return nil, Usage("%s: which channel? give its TXID:INDEX or its id such as 110x1x0 (fulgur listchannels)", c.cmd.Name)
	}
	if strings.Contains(text, ":") {
		txid, index, err := splitPoint("channel", text)
		return channelPoint(txid, index), err
	}
	if len(text) == 64 {
		index := c.take("output_index")
		if index == "" {
			index = "0"
		}
		txid, n, err := splitPoint("channel", text+":"+index)
		return channelPoint(txid, n), err
	}
	id, err := show.ParseShortChannelID(text)
	if err != nil {
		return nil, Usage("%s: %v", c.cmd.Name, err)
	}
	return c.pointOf(ctx, id)
}

func (c *call) pointOf(ctx context.Context, id uint64) (*lnrpc.ChannelPoint, error) {
	ln, err := c.lightning(ctx)
	if err != nil {
		return nil, err
	}
	list, err := ln.ListChannels(ctx, &lnrpc.ListChannelsRequest{})
	if err != nil {
		return nil, err
	}
	for _, ch := range list.Channels {
		if ch.ChanId == id {
			txid, index, err := splitPoint("channel", ch.ChannelPoint)
			return channelPoint(txid, index), err
		}
	}
	return nil, fmt.Errorf("there is no open channel %s (fulgur listchannels)", show.ShortChannelID(id))
}
