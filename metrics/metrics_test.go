package metrics

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPage(t *testing.T) {
	h := NewHistogram([]time.Duration{time.Millisecond, time.Second})
	var wg sync.WaitGroup
	for _, d := range []time.Duration{-time.Hour, time.Millisecond, 2 * time.Millisecond, time.Hour} {
		wg.Go(func() { h.Observe(d) })
	}
	wg.Wait()
	p := NewPage([]Family{
		{"x_total", IsCounter, "a, b", "what\nit is"}, {"y_seconds", IsHistogram, "m", "how long"}, {"z", IsGauge, "", "plain"},
	})
	p.Put("x_total", 3, "a", `q"\`, "b", "")
	p.Put("x_total", 1e15)
	p.Histogram("y_seconds", h, "m", "n")
	p.Put("z", 0.5)
	require.Panics(t, func() { p.Put("unheard_of", 1) })
	var out strings.Builder
	_, err := p.WriteTo(&out)
	require.NoError(t, err)
	require.Equal(t, `# HELP x_total what\nit is
# TYPE x_total counter
x_total{a="q\"\\",b=""} 3
x_total 1e+15
# HELP y_seconds how long
# TYPE y_seconds histogram
y_seconds_bucket{m="n",le="0.001"} 2
y_seconds_bucket{m="n",le="1"} 3
y_seconds_bucket{m="n",le="+Inf"} 4
y_seconds_sum{m="n"} 3600.003
y_seconds_count{m="n"} 4
# HELP z plain
# TYPE z gauge
z 0.5
`, out.String())
}
