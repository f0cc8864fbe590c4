package scale

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// asked is a page that is measured: ask fetches it and says how many rows it has and the
// numbers of its first and last.
type asked struct {
	what string
	rows int
	ask  func() (rows int, first, last uint64)
}

// TestLists: a node with a long history gives pages of it from any place, over gRPC. With
// -scale there are a million rows of each kind, and the figures are those of
// docs/benchmarks.md.
func TestLists(t *testing.T) {
	rows := 3_000
	if *full {
		rows = 1_000_000
	}
	w := rig.NewWorld(t)
	n := w.Node("historian", "--debuglevel=info")
	t.Logf("idle: %v", usageOf(n.Proc.Cmd.Process.Pid))
	n.Stop()
	g, start := newGenerator(rows), time.Now()
	path := filepath.Join(n.ChainDir(), "fulgur.db")
	pays, invs, fwds := g.write(t, path, func() int64 { return sizeOf(n.ChainDir(), "fulgur.db") })
	t.Logf("%d rows of each kind in %.0f s: %d bytes in the file for a payment, %d for an invoice, %d for a forward",
		rows, time.Since(start).Seconds(), pays/int64(rows), invs/int64(rows), fwds/int64(rows))
	start = time.Now()
	n.Start()
	t.Logf("started in %.2f s: %v", time.Since(start).Seconds(), usageOf(n.Proc.Cmd.Process.Pid))
	before := usageOf(n.Proc.Cmd.Process.Pid)
	for _, p := range pages(t, n, g) {
		var times []time.Duration
		for range 7 {
			start := time.Now()
			got, first, last := p.ask()
			times = append(times, time.Since(start))
			require.Equal(t, p.rows, got, "%s: %d to %d", p.what, first, last)
		}
		first := times[0]
		slices.Sort(times)
		t.Logf("| %s | %.1f | %.1f | %.1f |", p.what, ms(first), ms(times[len(times)/2]), ms(times[len(times)-1]))
	}
	t.Logf("before the pages: %v\nafter: %v", before, usageOf(n.Proc.Cmd.Process.Pid))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func pages(t *testing.T, n *rig.Node, g *generator) (list []asked) {
	last, mid := uint64(g.rows), uint64(g.rows/2)
	from, to := uint64(g.at(g.rows/3).Unix()), uint64(g.at(g.rows/3+20).Unix())
	payments := func(what string, rows int, req *lnrpc.ListPaymentsRequest) {
		req.MaxPayments = 100
		list = append(list, asked{"payments: " + what, rows, func() (int, uint64, uint64) {
			out, err := n.LN.ListPayments(rig.Soon(t), req)
			require.NoError(t, err)
			if req.CountTotalPayments {
				require.Equal(t, uint64(g.rows), out.TotalNumPayments)
			}
			return len(out.Payments), out.FirstIndexOffset, out.LastIndexOffset
		}})
	}
	payments("first", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true})
	payments("middle", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, IndexOffset: mid})
	payments("last", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, IndexOffset: last - 100})
	payments("newest, reversed", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, Reversed: true})
	payments("middle, reversed", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, Reversed: true, IndexOffset: mid})
	payments("middle, only succeeded", 100, &lnrpc.ListPaymentsRequest{IndexOffset: mid})
	payments("middle, omit_hops", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, IndexOffset: mid, OmitHops: true})
	payments("first, count_total_payments", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, CountTotalPayments: true})
	payments("between two dates", 20, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, CreationDateStart: from + 1, CreationDateEnd: to})
	payments("until a date, reversed", 100, &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, Reversed: true, CreationDateEnd: to})

	invoices := func(what string, rows int, req *lnrpc.ListInvoiceRequest) {
		req.NumMaxInvoices = 100
		list = append(list, asked{"invoices: " + what, rows, func() (int, uint64, uint64) {
			out, err := n.LN.ListInvoices(rig.Soon(t), req)
			require.NoError(t, err)
			return len(out.Invoices), out.FirstIndexOffset, out.LastIndexOffset
		}})
	}
	invoices("first", 100, &lnrpc.ListInvoiceRequest{})
	invoices("middle", 100, &lnrpc.ListInvoiceRequest{IndexOffset: mid})
	invoices("last", 100, &lnrpc.ListInvoiceRequest{IndexOffset: last - 100})
	invoices("newest, reversed", 100, &lnrpc.ListInvoiceRequest{Reversed: true})
	invoices("pending_only", min(100, g.rows/1000), &lnrpc.ListInvoiceRequest{PendingOnly: true})
	invoices("pending_only, reversed", min(100, g.rows/1000), &lnrpc.ListInvoiceRequest{PendingOnly: true, Reversed: true})
	invoices("between two dates", 20, &lnrpc.ListInvoiceRequest{CreationDateStart: from + 1, CreationDateEnd: to})

	forwards := func(what string, rows int, req *lnrpc.ForwardingHistoryRequest) {
		req.NumMaxEvents = uint32(max(rows, 1))
		list = append(list, asked{"forwards: " + what, rows, func() (int, uint64, uint64) {
			out, err := n.LN.ForwardingHistory(rig.Soon(t), req)
			require.NoError(t, err)
			return len(out.ForwardingEvents), uint64(req.IndexOffset), uint64(out.LastOffsetIndex)
		}})
	}
	forwards("first", 100, &lnrpc.ForwardingHistoryRequest{})
	forwards("middle", 100, &lnrpc.ForwardingHistoryRequest{IndexOffset: uint32(mid)})
	forwards("last", 100, &lnrpc.ForwardingHistoryRequest{IndexOffset: uint32(last) - 100})
	forwards("middle, peer_alias_lookup", 100, &lnrpc.ForwardingHistoryRequest{IndexOffset: uint32(mid), PeerAliasLookup: true})
	forwards("between two dates", 21, &lnrpc.ForwardingHistoryRequest{StartTime: from + 1, EndTime: to + 1})
	forwards("behind a date, then the middle", 100, &lnrpc.ForwardingHistoryRequest{StartTime: from, IndexOffset: uint32(mid) / 3})
	rare := g.rows / rareEvery
	forwards("by the channel with the fewest", min(100, rare), &lnrpc.ForwardingHistoryRequest{OutgoingChanIds: []uint64{uint64(quiet)}})
	busy := uint64(700_000<<40 | 7<<16)
	forwards("by a busy channel", min(100, g.rows/150), &lnrpc.ForwardingHistoryRequest{IncomingChanIds: []uint64{busy}, StartTime: from})
	return list
}
