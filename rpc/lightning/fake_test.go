package lightning

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/gossip"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// fake is a node that has what the test gives it.
type fake struct {
	Node
	invoices []*invoice.Invoice
	events   node.Feed[invoice.Notice]
	graph    *routing.Snapshot
}

func (f *fake) ID() lnwire.PubKey                                 { return lnwire.PubKey{2} }
func (f *fake) Net() *chaincfg.Params                             { return &chaincfg.RegressionNetParams }
func (f *fake) InvoiceEvents() *node.Subscription[invoice.Notice] { return f.events.Subscribe() }
func (f *fake) Graph() *routing.Snapshot                          { return f.graph }

func (f *fake) InvoicesAdded(q node.PageQuery) ([]*invoice.Invoice, error) {
	return f.rows(q, func(i *invoice.Invoice) uint64 { return i.AddIndex })
}

func (f *fake) InvoicesSettled(q node.PageQuery) ([]*invoice.Invoice, error) {
	return f.rows(q, func(i *invoice.Invoice) uint64 { return i.SettleIndex })
}

// rows is a page of the invoices, which are in the order of the index.
func (f *fake) rows(q node.PageQuery, index func(*invoice.Invoice) uint64) (out []*invoice.Invoice, err error) {
	for n := range f.invoices {
		i := f.invoices[n]
		if q.Reverse {
			i = f.invoices[len(f.invoices)-1-n]
		}
		at := index(i)
		if at == 0 || len(out) == q.Limit || !q.Reverse && at <= q.After || q.Reverse && q.After != 0 && at >= q.After || q.Marked && i.State.Final() {
			continue
		}
		out = append(out, i)
	}
	return out, nil
}

func invoicesUpTo(n uint64) (list []*invoice.Invoice) {
	for i := uint64(1); i <= n; i++ {
		inv := &invoice.Invoice{AddIndex: i}
		if i%2 == 0 {
			inv.State = invoice.Canceled
		}
		list = append(list, inv)
	}
	return list
}

func TestPagesOfInvoices(t *testing.T) {
	s := New(&fake{invoices: invoicesUpTo(2500)}, Config{})
	for _, c := range []struct {
		name        string
		req         *lnrpc.ListInvoiceRequest
		first, last uint64
		count       int
	}{
		{"the oldest", &lnrpc.ListInvoiceRequest{}, 1, 100, 100},
		{"behind an index", &lnrpc.ListInvoiceRequest{IndexOffset: 100, NumMaxInvoices: 5}, 101, 105, 5},
		{"the newest", &lnrpc.ListInvoiceRequest{Reversed: true, NumMaxInvoices: 3}, 2498, 2500, 3},
		{"before an index", &lnrpc.ListInvoiceRequest{Reversed: true, IndexOffset: 4, NumMaxInvoices: 10}, 1, 3, 3},
		{"all", &lnrpc.ListInvoiceRequest{NumMaxInvoices: 1 << 60}, 1, 2500, 2500},
		{"open ones", &lnrpc.ListInvoiceRequest{PendingOnly: true, NumMaxInvoices: 1200}, 1, 2399, 1200},
		{"behind the last", &lnrpc.ListInvoiceRequest{IndexOffset: 2500}, 0, 0, 0},
	} {
		out, err := s.ListInvoices(t.Context(), c.req)
		require.NoError(t, err)
		require.Len(t, out.Invoices, c.count, c.name)
		require.Equal(t, c.first, out.FirstIndexOffset, c.name)
		require.Equal(t, c.last, out.LastIndexOffset, c.name)
	}
	_, err := s.ListInvoices(t.Context(), &lnrpc.ListInvoiceRequest{CreationDateStart: 2, CreationDateEnd: 2})
	require.ErrorContains(t, err, "creation_date_start")
}

type invoiceStream struct {
	grpc.ServerStream
	ctx  context.Context
	send func(*lnrpc.Invoice)
}

func (s *invoiceStream) Context() context.Context    { return s.ctx }
func (s *invoiceStream) Send(i *lnrpc.Invoice) error { s.send(i); return nil }

// TestInvoicesResume: the backlog, then what is new, nothing twice.
func TestInvoicesResume(t *testing.T) {
	f := &fake{invoices: invoicesUpTo(4)}
	ctx, cancel := context.WithCancel(t.Context())
	var got []uint64
	out := &invoiceStream{ctx: ctx, send: func(i *lnrpc.Invoice) {
		if got = append(got, i.AddIndex); len(got) == 1 {
			for _, n := range []uint64{4, 5} { // 4 is in the backlog, too
				f.events.Publish(invoice.Notice{Kind: invoice.WasAdded, Invoice: invoice.Invoice{AddIndex: n}})
			}
		}
		if i.AddIndex == 5 {
			cancel()
		}
	}}
	require.Error(t, New(f, Config{}).SubscribeInvoices(&lnrpc.InvoiceSubscription{AddIndex: 2}, out))
	require.Equal(t, []uint64{3, 4, 5}, got)
}

func TestOpenRequestMistakes(t *testing.T) {
	s := New(&fake{}, Config{})
	const id = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	for want, req := range map[string]*lnrpc.OpenChannelRequest{
		"node_pubkey":          {},
		"local_funding_amount": {NodePubkeyString: id},
		"with fund_max":        {NodePubkeyString: id, FundMax: true, LocalFundingAmount: 1},
		"push_sat":             {NodePubkeyString: id, LocalFundingAmount: 1, PushSat: -1},
		"commitment_type":      {NodePubkeyString: id, LocalFundingAmount: 1, CommitmentType: lnrpc.CommitmentType_TAPROOT},
		"close_address":        {NodePubkeyString: id, LocalFundingAmount: 1, CloseAddress: "x"},
		"remote_csv_delay":     {NodePubkeyString: id, LocalFundingAmount: 1, RemoteCsvDelay: 1 << 16},
		"max_local_csv":        {NodePubkeyString: id, LocalFundingAmount: 1, MaxLocalCsv: 1 << 16},
		"remote-max-htlcs":     {NodePubkeyString: id, LocalFundingAmount: 1, RemoteMaxHtlcs: 484},
	} {
		_, err := s.openRequest(req)
		require.ErrorContains(t, err, want)
	}
	fee := uint64(3)
	ask, err := s.openRequest(&lnrpc.OpenChannelRequest{
		NodePubkeyString: id, LocalFundingAmount: 50_000, PushSat: 7, SatPerVbyte: 4, UseBaseFee: true, BaseFee: fee, Private: true,
	})
	require.NoError(t, err)
	require.EqualValues(t, 7000, ask.Push)
	require.EqualValues(t, 1000, ask.FeeRate)
	require.EqualValues(t, 1, ask.MinConfs)
	require.EqualValues(t, 3, *ask.FeeBase)
	require.Nil(t, ask.FeePPM)
}

func TestPolicyChange(t *testing.T) {
	for want, req := range map[string]*lnrpc.PolicyUpdateRequest{
		"time_lock_delta": {TimeLockDelta: 33},
		"fee_rate":        {TimeLockDelta: 40, FeeRate: -1},
		"base_fee_msat":   {TimeLockDelta: 40, BaseFeeMsat: -1},
		"cannot set both": {TimeLockDelta: 40, FeeRate: 1, FeeRatePpm: 1},
	} {
		_, err := policyChange(req)
		require.ErrorContains(t, err, want)
	}
	change, err := policyChange(&lnrpc.PolicyUpdateRequest{TimeLockDelta: 40, FeeRate: 0.000001, BaseFeeMsat: 5, MaxHtlcMsat: 9})
	require.NoError(t, err)
	p, err := change(channel.LinkState{Capacity: 1, Policy: channel.Policy{HTLCMinimum: 3}})
	require.NoError(t, err)
	require.Equal(t, channel.Policy{FeeBase: 5, FeePPM: 1, CLTVDelta: 40, HTLCMinimum: 3, HTLCMaximum: 9}, p)
	_, err = change(channel.LinkState{Capacity: 1, Policy: channel.Policy{HTLCMinimum: 10}})
	require.ErrorContains(t, err, "min_htlc_msat")
}

// TestBalances: the opener pays for the commitment, whichever side that is.
func TestBalances(t *testing.T) {
	c := channel.Info{Rate: 2500, LocalOurs: 700_000_000, LocalTheirs: 300_000_000}
	c.Terms.Format, c.Terms.Funder = commitment.Anchors, true
	ours, theirs := balances(&c)
	require.EqualValues(t, 700_000-2810-660, ours)
	require.EqualValues(t, 300_000, theirs)
	c.Terms.Funder, c.Terms.Format = false, commitment.StaticRemoteKey
	ours, theirs = balances(&c)
	require.EqualValues(t, 700_000, ours)
	require.EqualValues(t, 300_000-1810, theirs)
	c.LocalTheirs = 1000
	_, theirs = balances(&c)
	require.Zero(t, theirs, "never negative")
}

func TestTopology(t *testing.T) {
	m := &lnrpc.GraphTopologyUpdate{}
	for _, c := range []gossip.Change{
		gossip.NodeChanged{Node: &gossip.Node{}}, gossip.PolicyChanged{SCID: 5, Policy: gossip.Policy{FeeBase: 3}},
		gossip.ChannelSpent{Channel: gossip.Channel{SCID: 6, SpentAt: 100}}, gossip.ChannelAdded{}, gossip.ChannelGone{}, gossip.NodeGone{},
		gossip.ChannelRevived{},
	} {
		topology(c, m)
	}
	require.Len(t, m.NodeUpdates, 1)
	require.EqualValues(t, 3, m.ChannelUpdates[0].RoutingPolicy.FeeBaseMsat)
	require.EqualValues(t, 100, m.ClosedChans[0].ClosedHeight)
}

// FuzzRequests reads random requests: an error or a result, never a panic.
func FuzzRequests(f *testing.F) {
	for _, m := range []proto.Message{
		&lnrpc.QueryRoutesRequest{PubKey: "02", Amt: 1, IgnoredPairs: []*lnrpc.NodePair{{}}},
		&lnrpc.OpenChannelRequest{LocalFundingAmount: 1, NodePubkey: make([]byte, 33)},
	} {
		b, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(b)
	}
	s := New(&fake{graph: routing.NewGraph().Snapshot()}, Config{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var q lnrpc.QueryRoutesRequest
		if proto.Unmarshal(b, &q) == nil {
			if got, err := s.query(&q); err == nil {
				require.NotZero(t, got.Amount)
			}
		}
		var open lnrpc.OpenChannelRequest
		if proto.Unmarshal(b, &open) == nil {
			s.openRequest(&open)
		}
		var cl lnrpc.CloseChannelRequest
		if proto.Unmarshal(b, &cl) == nil {
			s.closeRequest(&cl)
		}
		var p lnrpc.PolicyUpdateRequest
		if proto.Unmarshal(b, &p) == nil {
			if change, err := policyChange(&p); err == nil {
				change(channel.LinkState{})
			}
		}
	})
}
