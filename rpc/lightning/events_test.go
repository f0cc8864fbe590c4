package lightning

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

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

// lively has channels whose commitments change.
type lively struct {
	Node
	events node.Feed[node.ChannelEvent]
	looks  int
}

func (l *lively) ChannelEvents() *node.Subscription[node.ChannelEvent] { return l.events.Subscribe() }
func (l *lively) ListPeers() []node.PeerInfo                           { return nil }
func (l *lively) Net() *chaincfg.Params                                { return &chaincfg.RegressionNetParams }
func (l *lively) ListAliases() []node.Aliases                          { return nil }
func (l *lively) Born() time.Time                                      { return time.Now() }
func (l *lively) ListChannels(context.Context) ([]channel.Info, error) {
	l.looks++
	list := make([]channel.Info, 3)
	for i := range list {
		list[i].Core.Funding.Index, list[i].Core.Phase = uint32(i), channel.Open
	}
	list[2].Core.Phase = channel.Closing
	return list, nil
}

// channelStream gives the messages to send.
type channelStream struct {
	grpc.ServerStream
	ctx  context.Context
	send func(*lnrpc.ChannelEventUpdate)
}

func (s *channelStream) Context() context.Context               { return s.ctx }
func (s *channelStream) Send(m *lnrpc.ChannelEventUpdate) error { s.send(m); return nil }

// Of many commitments that wait to be told each channel is shown once, as it is now; one that
// is over or in the chain is not shown.
func TestUpdatedChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lively{}
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error)
		go func() {
			done <- New(l, Config{ChannelUpdates: true}).SubscribeChannelEvents(nil, &channelStream{ctx: ctx, send: func(m *lnrpc.ChannelEventUpdate) {
				require.Equal(t, lnrpc.ChannelEventUpdate_CHANNEL_UPDATE, m.Type)
				got = append(got, m.GetUpdatedChannel().Channel.ChannelPoint)
			}})
		}()
		synctest.Wait()
		for range 2000 {
			for i := range uint32(4) {
				synctest.Wait()
				l.events.Publish(node.ChannelEvent{Link: &channel.LinkState{Funding: wire.OutPoint{Index: i}}, Committed: true})
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		zero := chainhash.Hash{}.String()
		require.Subset(t, got, []string{zero + ":0", zero + ":1"})
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(got))), 2)
		require.Less(t, l.looks, 10)
		cancel()
		require.Error(t, <-done)
	})
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
