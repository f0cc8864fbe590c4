package main

import (
	"context"
	"net/http"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/cmd/internal/build"
	"github.com/fulgur-ln/fulgur/htlc"
	ours "github.com/fulgur-ln/fulgur/metrics"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/wallet"
)

// prometheusOptions are about the figures that are served.
type prometheusOptions struct {
	Enable bool   `long:"enable" description:"serve figures to Prometheus, at /metrics; docs/metrics.md explains them"`
	Listen string `long:"listen" default:"127.0.0.1:8989" description:"host:port to serve them on, loopback only: they tell balances"`
	Perf   bool   `long:"perfhistograms" description:"always on; accepted for lnd's files"`
}

// scrapeTime bounds how long one look at everything may take.
const scrapeTime = 8 * time.Second

// openMetrics serves the figures when --prometheus.enable asks for them.
func (d *daemon) openMetrics(context.Context) error {
	if !d.cfg.Prometheus.Enable {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), scrapeTime)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		if _, err := d.page(ctx).WriteTo(w); err != nil {
			d.sub("PROM").Debug("figures not taken", "err", err)
		}
	})
	if err := d.serveLocally("--prometheus.listen", withPort(d.cfg.Prometheus.Listen, "8989"), mux); err != nil {
		return err
	}
	d.sub("PROM").Info("figures are served to Prometheus", "url", "http://"+d.cfg.Prometheus.Listen+"/metrics")
	return nil
}

// page is everything that is known now. As long as there is no node, its figures are
// missing.
func (d *daemon) page(ctx context.Context) *ours.Page {
	p := &page{ours.NewPage(families)}
	p.Put("fulgur_info", 1, "version", build.Text(), "commit", build.Commit, "network", d.cfg.network)
	p.flag("fulgur_ready", d.ready.Load())
	warnings, errs := d.levels.Seen()
	p.Put("fulgur_log_lines_total", float64(warnings), "level", "warning")
	p.Put("fulgur_log_lines_total", float64(errs), "level", "error")
	for _, h := range d.health.states() {
		p.flag("fulgur_health", h.good, "check", h.name)
	}
	n := d.counted.Load()
	if n != nil {
		p.channels(ctx, n)
		p.money(n)
		p.traffic(n.Meters(), n.Queues().Payments)
	}
	p.calls(d)
	if n != nil {
		p.store(d, n)
		p.chain(n)
		p.network(ctx, n)
	}
	p.process(d.began)
	return p.Page
}

// page is a page with the parts of ours.
type page struct{ *ours.Page }

func (p *page) flag(name string, yes bool, labels ...string) {
	v := 0.0
	if yes {
		v = 1
	}
	p.Put(name, v, labels...)
}

// channels sums up all channels. When they do not answer in time, the figures are left out.
func (p *page) channels(ctx context.Context, n *node.Node) {
	list, err := n.ListChannels(ctx)
	if err != nil {
		return
	}
	states := map[string]float64{}
	var capacity, local, remote, send, receive float64
	var flying, amount [2]float64 // in, out
	for i := range list {
		c := &list[i]
		state := stateOf(c)
		states[state]++
		for _, h := range c.HTLCs {
			way := 0
			if h.Ref.Dir == htlc.Outgoing {
				way = 1
			}
			flying[way]++
			amount[way] += float64(h.Amount)
		}
		if state != "active" && state != "inactive" {
			continue
		}
		capacity += float64(c.Terms.Capacity)
		local += float64(c.LocalOurs)
		remote += float64(c.LocalTheirs)
		if state == "active" {
			send += float64(c.Spendable)
			receive += float64(c.Receivable)
		}
	}
	for _, s := range []string{"active", "inactive", "opening", "closing"} {
		p.Put("fulgur_channels", states[s], "state", s)
	}
	p.Put("fulgur_channel_capacity_sat", capacity)
	p.Put("fulgur_channel_balance_msat", local, "side", "local")
	p.Put("fulgur_channel_balance_msat", remote, "side", "remote")
	p.Put("fulgur_channel_usable_msat", send, "direction", "send")
	p.Put("fulgur_channel_usable_msat", receive, "direction", "receive")
	for way, name := range []string{"in", "out"} {
		p.Put("fulgur_htlcs_in_flight", flying[way], "direction", name)
	}
	for way, name := range []string{"in", "out"} {
		p.Put("fulgur_htlcs_in_flight_msat", amount[way], "direction", name)
	}
}

func stateOf(c *channel.Info) string {
	switch c.Core.Phase {
	case channel.Opening, channel.Funding, channel.AwaitReady:
		return "opening"
	case channel.Open:
		if c.Active {
			return "active"
		}
		return "inactive"
	case channel.ShuttingDown, channel.MutualClose, channel.Failed, channel.Closing, channel.Closed:
	}
	return "closing"
}

// money is what lies on the chain.
func (p *page) money(n *node.Node) {
	b, reserve := n.Balance(1)
	for _, k := range []struct {
		kind  string
		value float64
	}{
		{"confirmed", float64(b.Confirmed)}, {"unconfirmed", float64(b.Unconfirmed)}, {"locked", float64(b.Locked)},
		{"immature", float64(b.Immature)}, {"reserved", float64(reserve)},
	} {
		p.Put("fulgur_wallet_balance_sat", k.value, "kind", k.kind)
	}
}

// traffic is what was paid, received and forwarded.
func (p *page) traffic(m *node.Meters, flying int) {
	p.Put("fulgur_payments_in_flight", float64(flying))
	p.Histogram("fulgur_payment_seconds", m.Paid, "outcome", "succeeded")
	p.Histogram("fulgur_payment_seconds", m.Unpaid, "outcome", "failed")
	p.Put("fulgur_invoices_total", float64(m.Invoiced.Load()), "event", "added")
	p.Put("fulgur_invoices_total", float64(m.Received.Load()), "event", "settled")
	p.Put("fulgur_received_msat_total", float64(m.Income.Load()))
	p.Put("fulgur_unwanted_htlcs_total", float64(m.Unwanted.Load()))
	p.Put("fulgur_forwards_total", float64(m.Offered.Load()), "outcome", "offered")
	p.Put("fulgur_forwards_total", float64(m.Settled.Load()), "outcome", "settled")
	p.Put("fulgur_forwards_total", float64(m.Failed.Load()), "outcome", "failed")
	p.Put("fulgur_forwards_total", float64(m.Refused.Load()), "outcome", "refused")
	p.Histogram("fulgur_forward_seconds", m.Forwarded)
	p.Put("fulgur_forward_fees_msat_total", float64(m.Fees.Load()))
}

// calls are what clients asked for.
func (p *page) calls(d *daemon) {
	calls := d.server.Calls()
	ended := calls.Ended()
	for _, e := range ended {
		p.Put("fulgur_rpc_calls_total", float64(e.Count), "method", strings.TrimPrefix(e.Method, "/"), "code", e.Code.String())
	}
	last := ""
	for _, e := range ended {
		if h := calls.Took(e.Method); h != nil && e.Method != last {
			p.Histogram("fulgur_rpc_seconds", h, "method", strings.TrimPrefix(e.Method, "/"))
		}
		last = e.Method
	}
	p.Put("fulgur_rpc_open", float64(calls.Open()))
}

// store is what is written, and what waits.
func (p *page) store(d *daemon, n *node.Node) {
	c, q := n.Counts(), n.Queues()
	p.Put("fulgur_db_commits_total", float64(c.Store.Commits))
	p.Put("fulgur_db_batches_total", float64(c.Store.Batches))
	p.Put("fulgur_db_rows_total", float64(c.Store.Rows))
	p.Put("fulgur_db_bytes_total", float64(c.Store.Bytes))
	p.Histogram("fulgur_db_sync_seconds", n.SyncTimes())
	p.Put("fulgur_db_queue", float64(c.Store.Queued))
	p.flag("fulgur_disk_low", d.db.Low())
	p.Put("fulgur_queue", float64(q.Channels), "of", "channels")
	p.Put("fulgur_queue", float64(q.Longest), "of", "busiest_channel")
	p.Put("fulgur_queue", float64(q.Publish), "of", "publish")
	p.Put("fulgur_signatures_total", float64(c.Signed), "what", "made")
	p.Put("fulgur_signatures_total", float64(c.Verified), "what", "verified")
}

// chain is how the chain stands, what it costs, and what is on its way home.
func (p *page) chain(n *node.Node) {
	c := n.Chain()
	p.flag("fulgur_chain_up", c.Up)
	p.flag("fulgur_chain_stale", c.Stale != "")
	p.Put("fulgur_chain_height", float64(c.Tip.Height), "of", "backend")
	p.Put("fulgur_chain_height", float64(n.Tip().Height), "of", "node")
	if !c.TipTime.IsZero() {
		p.Put("fulgur_chain_tip_age_seconds", time.Since(c.TipTime).Seconds())
	}
	p.flag("fulgur_chain_synced", n.SyncedToChain())
	for _, f := range n.FeeRates() {
		p.Put("fulgur_fee_rate_sat_per_kw", float64(f.Rate), "blocks", strconv.Itoa(int(f.Blocks)))
	}
	states := map[string]float64{}
	value := 0.0
	for _, s := range n.Sweeps() {
		states[sweepState(&s)]++
		value += float64(s.Value)
	}
	for _, s := range []string{"published", "waiting", "held"} {
		p.Put("fulgur_sweeps", states[s], "state", s)
	}
	p.Put("fulgur_sweeps_sat", value)
}

func sweepState(s *wallet.PendingSweep) string {
	switch {
	case s.Held != "":
		return "held"
	case s.Txid != [32]byte{}:
		return "published"
	}
	return "waiting"
}

// network is who is there, and what they tell.
func (p *page) network(ctx context.Context, n *node.Node) {
	var in, out, channels, gossip float64
	for _, c := range n.ListPeers() {
		if c.Inbound {
			in++
		} else {
			out++
		}
		channels += float64(c.Stats.Queued)
		gossip += float64(c.Stats.GossipQueued)
	}
	p.Put("fulgur_peers", in, "direction", "inbound")
	p.Put("fulgur_peers", out, "direction", "outbound")
	p.Put("fulgur_peer_queue_bytes", channels, "kind", "channels")
	p.Put("fulgur_peer_queue_bytes", gossip, "kind", "gossip")
	c, nodes, edges, err := n.GossipCounts(ctx)
	if err != nil {
		return
	}
	p.Put("fulgur_graph_nodes", float64(nodes))
	p.Put("fulgur_graph_channels", float64(edges))
	p.flag("fulgur_graph_synced", n.SyncedToGraph())
	for _, k := range []struct {
		result string
		count  uint64
	}{
		{"received", c.Received}, {"accepted", c.Accepted}, {"duplicate", c.Duplicate}, {"stale", c.Stale}, {"early", c.Early},
		{"dropped", c.Dropped}, {"limited", c.Limited}, {"bad_signature", c.BadSignature}, {"bad_funding", c.BadFunding},
	} {
		p.Put("fulgur_gossip_messages_total", float64(k.count), "result", k.result)
	}
	p.Put("fulgur_gossip_bytes", float64(c.InboxBytes), "of", "inbox")
	p.Put("fulgur_gossip_bytes", float64(c.RoomBytes), "of", "room")
	p.Put("fulgur_gossip_bytes", float64(c.LogBytes), "of", "log")
}

// process is what the system gives us. Prometheus' own names are used where it has some.
func (p *page) process(began time.Time) {
	names := []struct{ name, of string }{
		{"go_goroutines", "/sched/goroutines:goroutines"}, {"go_memstats_heap_alloc_bytes", "/memory/classes/heap/objects:bytes"},
		{"go_memstats_sys_bytes", "/memory/classes/total:bytes"}, {"go_gc_cycles_total", "/gc/cycles/total:gc-cycles"},
	}
	samples := make([]metrics.Sample, len(names))
	for i := range names {
		samples[i].Name = names[i].of
	}
	metrics.Read(samples)
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			p.Put(names[i].name, float64(s.Value.Uint64()))
		}
	}
	p.Put("process_start_time_seconds", float64(began.UnixMilli())/1000)
	s, ok := readProcess()
	if !ok {
		return
	}
	p.Put("process_resident_memory_bytes", s.resident)
	p.Put("process_cpu_seconds_total", s.cpu)
	p.Put("process_open_fds", s.files)
}
