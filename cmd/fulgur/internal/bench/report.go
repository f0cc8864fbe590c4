package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
)

// report is the result of a run.
type report struct {
	Hops       int       `json:"hops"`
	AmountMsat int64     `json:"amount_msat"`
	Payments   int       `json:"payments_per_round"`
	Rounds     []figures `json:"rounds"`
}

// figures are the result of a round. The last four are of all nodes together, and
// left out where they cannot be read. A commit of the store is two syncs.
type figures struct {
	Concurrency int      `json:"concurrency"`
	PerSecond   float64  `json:"payments_per_second"`
	P50         float64  `json:"latency_p50_ms"`
	P95         float64  `json:"latency_p95_ms"`
	P99         float64  `json:"latency_p99_ms"`
	Max         float64  `json:"latency_max_ms"`
	CPU         *float64 `json:"cpu_ms_per_payment,omitempty"`
	Written     *float64 `json:"bytes_written_per_payment,omitempty"`
	Commits     *float64 `json:"commits_per_payment,omitempty"`
	Verified    *float64 `json:"signatures_verified_per_payment,omitempty"`
}

// summary makes figures of the latencies, sorted.
func summary(concurrency int, took []time.Duration, wall time.Duration, u usage) figures {
	f := figures{
		Concurrency: concurrency, PerSecond: round(float64(len(took)) / wall.Seconds()),
		P50: percentile(took, 50), P95: percentile(took, 95), P99: percentile(took, 99), Max: percentile(took, 100),
	}
	if u.known && len(took) > 0 {
		cpu, written := round(ms(u.cpu)/float64(len(took))), round(float64(u.writes)/float64(len(took)))
		f.CPU, f.Written = &cpu, &written
	}
	if u.told && len(took) > 0 {
		commits := round(float64(u.counts.Store.Commits) / float64(len(took)))
		verified := round(float64(u.counts.Signatures.Verified) / float64(len(took)))
		f.Commits, f.Verified = &commits, &verified
	}
	return f
}

// percentile is the smallest value that so many percent do not exceed.
func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return round(ms(sorted[max(0, (len(sorted)*percent+99)/100-1)]))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// round keeps two digits after the point.
func round(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%d payments of %s in each round, over %d channels\n\n", r.Payments, show.Msat(r.AmountMsat), r.Hops)
	t := show.NewTable("at a time>", "payments/s>", "p50>", "p95>", "p99>", "max>", "cpu/payment>", "written/payment>", "commits/payment>")
	for _, f := range r.Rounds {
		cpu, written, commits := "unknown", "unknown", "unknown"
		if f.CPU != nil {
			cpu, written = fmt.Sprintf("%.2f ms", *f.CPU), show.Number(int64(*f.Written))+" B"
		}
		if f.Commits != nil {
			commits = fmt.Sprintf("%.2f", *f.Commits)
		}
		t.Row(show.Number(f.Concurrency), fmt.Sprintf("%.1f", f.PerSecond), fmt.Sprintf("%.1f ms", f.P50), fmt.Sprintf("%.1f ms", f.P95),
			fmt.Sprintf("%.1f ms", f.P99), fmt.Sprintf("%.1f ms", f.Max), cpu, written, commits)
	}
	t.Print(w)
}
