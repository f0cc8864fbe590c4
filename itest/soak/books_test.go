package soak

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// forward is one record of a history: what came in and what went out.
type forward struct{ in, out int64 }

// account is what happened at one node, by its own word and by the others'.
type account struct {
	received, paid, fees int64
	should, has          map[forward]int // forwards
}

// books is the outcome.
type books struct {
	payments, failed, parts, stuck int
	forwards, missing, extra       int
	closed                         int
	lost                           map[string]int64
}

// books compares what all nodes say of all payments.
func (s *town) books() books {
	b := books{lost: map[string]int64{}}
	accounts := map[string]*account{}
	for _, n := range s.nodes {
		accounts[n.ID] = &account{should: map[forward]int{}, has: map[forward]int{}}
	}
	settled := s.settled(accounts)
	for _, n := range s.nodes {
		s.paid(n, accounts, settled, &b)
		for _, e := range n.Forwards() {
			accounts[n.ID].has[forward{int64(e.AmtInMsat), int64(e.AmtOutMsat)}]++
			accounts[n.ID].fees += int64(e.FeeMsat)
		}
		p := n.Pending()
		b.closed += len(n.Closed()) + len(p.WaitingCloseChannels) + len(p.PendingForceClosingChannels) //nolint:staticcheck // both are asked for
	}
	if len(settled) > 0 {
		s.wrong("%d payments were received that nobody has made", len(settled))
	}
	for _, n := range s.nodes {
		a := accounts[n.ID]
		carried := int64(0)
		for f, times := range a.should {
			b.forwards += times
			carried += int64(times) * (f.in - f.out)
			b.missing += max(times-a.has[f], 0)
			b.extra += max(a.has[f]-times, 0)
		}
		if lost := s.start[n] + a.received - a.paid + carried - n.InChannels(); lost != 0 {
			b.lost[n.Name] = lost
		}
	}
	s.tell(b)
	return b
}

// settled takes in what was received, by hash.
func (s *town) settled(accounts map[string]*account) map[string]int64 {
	out := map[string]int64{}
	for _, n := range s.nodes {
		list, err := n.LN.ListInvoices(rig.Soon(s.t), &lnrpc.ListInvoiceRequest{NumMaxInvoices: 1_000_000})
		require.NoError(s.t, err)
		for _, inv := range list.Invoices {
			if inv.State == lnrpc.Invoice_SETTLED {
				out[fmt.Sprintf("%x", inv.RHash)] = inv.AmtPaidMsat
				accounts[n.ID].received += inv.AmtPaidMsat
			}
		}
	}
	return out
}

// paid takes in what a node has paid, and what everybody on the way should have noted.
func (s *town) paid(n *rig.Node, accounts map[string]*account, settled map[string]int64, b *books) {
	list, err := n.LN.ListPayments(rig.Soon(s.t), &lnrpc.ListPaymentsRequest{IncludeIncomplete: true, MaxPayments: 1_000_000})
	require.NoError(s.t, err)
	for _, p := range list.Payments {
		switch p.Status {
		case lnrpc.Payment_SUCCEEDED:
			b.payments++
			if settled[p.PaymentHash] != p.ValueMsat {
				s.wrong("%s has paid %d msat for %s, received are %d", n.Name, p.ValueMsat, p.PaymentHash, settled[p.PaymentHash])
			}
			delete(settled, p.PaymentHash)
			accounts[n.ID].paid += p.ValueMsat + p.FeeMsat
		case lnrpc.Payment_FAILED:
			b.failed++
		default:
			b.stuck++
		}
		for _, a := range p.Htlcs {
			if a.Status != lnrpc.HTLCAttempt_SUCCEEDED {
				continue
			}
			b.parts++
			for _, h := range a.Route.Hops[:len(a.Route.Hops)-1] {
				accounts[h.PubKey].should[forward{h.AmtToForwardMsat + h.FeeMsat, h.AmtToForwardMsat}]++
			}
		}
	}
}

// tell prints the row for the table.
func (s *town) tell(b books) {
	c := s.count
	s.t.Logf("%d kills, %d stops, %d resets, chain away %d times, %d reorgs", c.kills, c.stops, c.resets, c.aways, c.reorgs)
	s.t.Logf("%d payments in %d parts, %d failed, %d without an end", b.payments, b.parts, b.failed, b.stuck)
	s.t.Logf("%d of %d forwards are in the histories, %d too many; lost msat by node: %v; %d channels closed", b.forwards-b.missing, b.forwards, b.extra, b.lost, b.closed)
	s.t.Logf("channels active again after %v (median of %d)", s.median().Round(time.Millisecond), len(s.active))
	s.t.Logf("started again: %d that did not find the chain, %d that had ended by themselves; %d starts left a channel idle for %v", c.deaf, c.ended, c.idle, rig.Patience)
	s.t.Logf("bystander before %+v, after %+v", c.before, c.after)
}

// usage is what a process holds.
type usage struct{ residentKiB, files, threads, goroutines int }

// measure looks at the node that nothing is done to.
func (s *town) measure() usage {
	pid := s.bystander().Proc.Cmd.Process.Pid
	var u usage
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u // not on Linux
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
		switch name {
		case "VmRSS":
			u.residentKiB, _ = strconv.Atoi(value)
		case "Threads":
			u.threads, _ = strconv.Atoi(value)
		}
	}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	u.files = len(files)
	u.goroutines = s.goroutines()
	return u
}

// goroutines asks the bystander how many it has.
func (s *town) goroutines() (n int) {
	resp, err := http.Get("http://" + s.profile + "/debug/pprof/goroutine?debug=1")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	_, err = fmt.Fscanf(resp.Body, "goroutine profile: total %d", &n)
	require.NoError(s.t, err)
	return n
}

// growth complains of what a long run has left behind in the bystander.
func (s *town) growth() {
	before, after := s.count.before, s.count.after
	if after.files > before.files+20 {
		s.wrong("open files grew from %d to %d", before.files, after.files)
	}
	if after.goroutines > before.goroutines+20 {
		s.wrong("goroutines grew from %d to %d", before.goroutines, after.goroutines)
	}
	if after.residentKiB > 3*before.residentKiB {
		s.wrong("memory grew from %d KiB to %d KiB", before.residentKiB, after.residentKiB)
	}
}
