package scale

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestListsLnd: with -scale and LND_BIN, three lnd get a history by paying, 12,600 payments over
// one that forwards them, and the pages of TestLists that a history by paying has are asked of
// them: figures to stand beside ours.
func TestListsLnd(t *testing.T) {
	if !*full || os.Getenv("LND_BIN") == "" {
		t.Skip("wants -scale and LND_BIN")
	}
	const rows, at = 12_600, 50
	w := rig.NewWorld(t)
	var nodes []*rig.Node
	for _, name := range []string{"payer", "carrier", "payee"} {
		n := w.NewNodeOf(rig.Lnd, name)
		n.Start()
		nodes = append(nodes, n)
	}
	for i, n := range nodes[:2] {
		n.Fund(17_000_000)
		n.Connect(nodes[i+1])
		n.Open(nodes[i+1], 16_000_000)
	}
	w.Mine(6)
	payer, carrier, payee := nodes[0], nodes[1], nodes[2]
	rig.Eventually(t, "a way", func() bool {
		p, err := payer.Send(rig.Soon(t), rig.PayRequest(payee.Invoice(1_000_000)))
		return err == nil && p.Status == lnrpc.Payment_SUCCEEDED
	})
	start := time.Now()
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for range rows / at {
				if p, err := payer.Send(rig.Soon(t), rig.PayRequest(payee.Invoice(1_000_000))); err != nil || p.Status != lnrpc.Payment_SUCCEEDED {
					t.Errorf("a payment: %v, %v", p.GetStatus(), err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d payments in %.0f s", rows, time.Since(start).Seconds())
	payments := func(req *lnrpc.ListPaymentsRequest) func() int {
		return func() int {
			out, err := payer.LN.ListPayments(rig.Soon(t), req)
			require.NoError(t, err)
			return len(out.Payments)
		}
	}
	invoices := func(req *lnrpc.ListInvoiceRequest) func() int {
		return func() int {
			out, err := payee.LN.ListInvoices(rig.Soon(t), req)
			require.NoError(t, err)
			return len(out.Invoices)
		}
	}
	forwards := func(req *lnrpc.ForwardingHistoryRequest) func() int {
		return func() int {
			out, err := carrier.LN.ForwardingHistory(rig.Soon(t), req)
			require.NoError(t, err)
			return len(out.ForwardingEvents)
		}
	}
	now := uint64(time.Now().Unix())
	for _, p := range []struct {
		what string
		rows int
		ask  func() int
	}{
		{"payments: first", 100, payments(&lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 100})},
		{"payments: middle", 100, payments(&lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 100, IndexOffset: rows / 2})},
		{"payments: newest, reversed", 100, payments(&lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 100, Reversed: true})},
		{"payments: first, count_total_payments", 100, payments(&lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 100, CountTotalPayments: true})},
		{"payments: behind the last date", 0, payments(&lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 100, CreationDateStart: now + 60})},
		{"payments: all", rows + 1, payments(&lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: rows + 1})},
		{"invoices: first", 100, invoices(&lnrpc.ListInvoiceRequest{NumMaxInvoices: 100})},
		{"invoices: middle", 100, invoices(&lnrpc.ListInvoiceRequest{NumMaxInvoices: 100, IndexOffset: rows / 2})},
		{"invoices: newest, reversed", 100, invoices(&lnrpc.ListInvoiceRequest{NumMaxInvoices: 100, Reversed: true})},
		{"invoices: pending_only", 0, invoices(&lnrpc.ListInvoiceRequest{NumMaxInvoices: 100, PendingOnly: true})},
		{"invoices: all", rows + 1, invoices(&lnrpc.ListInvoiceRequest{NumMaxInvoices: rows + 1})},
		{"forwards: first", 100, forwards(&lnrpc.ForwardingHistoryRequest{NumMaxEvents: 100, StartTime: 1})},
		{"forwards: last", 100, forwards(&lnrpc.ForwardingHistoryRequest{NumMaxEvents: 100, StartTime: 1, IndexOffset: rows - 100})},
	} {
		var times []time.Duration
		for range 7 {
			start := time.Now()
			got := p.ask()
			times = append(times, time.Since(start))
			require.GreaterOrEqual(t, got, p.rows-1, p.what)
		}
		slices.Sort(times)
		t.Logf("| %s | %.1f | %.1f |", p.what, ms(times[3]), ms(times[6]))
	}
}
