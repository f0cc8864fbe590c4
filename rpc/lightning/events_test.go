package lightning

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// overNode has one channel that is over.
type overNode struct {
	Node
	row channel.ClosedRow
}

func (o *overNode) ClosedChannels(uint64, int) ([]channel.ClosedRow, error) {
	return []channel.ClosedRow{o.row}, nil
}

// A channel whose funding never confirmed is told when it is forgotten, and only then.
func TestFundingTimeoutEvent(t *testing.T) {
	row := channel.ClosedRow{ChanNum: 7, Kind: channel.ClosedUnfunded, Funding: wire.OutPoint{Hash: chainhash.Hash{9}, Index: 3}}
	s := New(&overNode{row: row}, Config{})
	for _, kind := range []channel.NoticeKind{channel.NoticeClosed, channel.NoticeForgotten} {
		list, err := s.closedEvents(node.ChannelEvent{Notice: channel.Notice{ChanNum: 7, Kind: kind}})
		require.NoError(t, err)
		if kind == channel.NoticeClosed {
			require.Empty(t, list)
			continue
		}
		require.Len(t, list, 1)
		require.Equal(t, lnrpc.ChannelEventUpdate_CHANNEL_FUNDING_TIMEOUT, list[0].Type)
		require.EqualValues(t, 3, list[0].GetChannelFundingTimeout().OutputIndex)
	}
}
