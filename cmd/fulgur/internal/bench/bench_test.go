package bench

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentile(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration(i+1)*time.Millisecond)
	}
	require.Equal(t, 50.0, percentile(took, 50))
	require.Equal(t, 99.0, percentile(took, 99))
	require.Equal(t, 100.0, percentile(took, 100))
	require.Equal(t, 1.0, percentile(took[:1], 50))
	require.Zero(t, percentile(nil, 50))
}

func TestCPUTime(t *testing.T) {
	cpu, ok := cpuTime("77 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0")
	require.True(t, ok)
	require.Equal(t, 1750*time.Millisecond, cpu)
	for _, bad := range []string{"", "77 (x) S", "77 (x) S 1 2 3 4 5 6 7 8 9 10 a b"} {
		_, ok := cpuTime(bad)
		require.False(t, ok, bad)
	}
	require.EqualValues(t, 4096, writeBytes("rchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 1\n"))
	require.Zero(t, writeBytes(""))
}

func TestReport(t *testing.T) {
	took := []time.Duration{10 * time.Millisecond, 20 * time.Millisecond}
	used := usage{cpu: 30 * time.Millisecond, writes: 5000, known: true, told: true}
	used.counts.Store.Commits = 25
	r := &report{Hops: 2, AmountMsat: 1_000_000, Payments: 2, Rounds: []figures{
		summary(1, took, time.Second, used),
		summary(10, took, time.Second, usage{}),
	}}
	var out bytes.Buffer
	r.print(&out)
	require.Equal(t, `2 payments of 1,000 sat in each round, over 2 channels

AT A TIME  PAYMENTS/S      P50      P95      P99      MAX  CPU/PAYMENT  WRITTEN/PAYMENT  COMMITS/PAYMENT
        1         2.0  10.0 ms  20.0 ms  20.0 ms  20.0 ms     15.00 ms          2,500 B            12.50
       10         2.0  10.0 ms  20.0 ms  20.0 ms  20.0 ms      unknown          unknown          unknown
`, out.String())
}

func TestBadOptions(t *testing.T) {
	for _, args := range [][]string{
		{"--hops=3"}, {"--hops=0"}, {"--concurrency=0"}, {"--concurrency=1,x"}, {"--concurrency=1000"}, {"--payments=0"},
		{"--amount=0"}, {"--amount=-5"}, {"--amount=0.1btc", "--payments=1000"}, {"more"}, {"--payments=2000000000"},
		{"--fulgurd=/no/such/program"},
	} {
		require.Error(t, Command(io.Discard, false).Run(context.Background(), append([]string{"bench"}, args...)), "%v", args)
	}
}

func TestNeed(t *testing.T) {
	o := options{concurrency: []int{1, 10}, payments: 500, amount: 1_000_000, warmup: 0}
	require.EqualValues(t, 1000*1_003_000/1000*11/10+500_000, o.need())
	o.amount = 1 << 62
	require.Greater(t, o.need(), int64(maxChannel), "no overflow")
}
