package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMetricsAreDocumented: docs/metrics.md has every figure with its labels and nothing
// else, and the dashboard asks for what there is.
func TestMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	known := map[string]bool{}
	for _, f := range families {
		known[f.Name] = true
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", f.Name, f.Kind, f.Labels, f.Help)
		require.Contains(t, string(doc), row+"\n", "docs/metrics.md lacks this row")
	}
	dashboard, err := os.ReadFile("../../docs/dashboard.json")
	require.NoError(t, err)
	require.True(t, json.Valid(dashboard))
	name := regexp.MustCompile(`\b(fulgur|go|process)_[a-z_]+\b`)
	for where, text := range map[string]string{"docs/metrics.md": string(doc), "docs/dashboard.json": string(dashboard)} {
		for _, n := range name.FindAllString(text, -1) {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				n = strings.TrimSuffix(n, suffix)
			}
			require.True(t, known[n], "%s names %s, which is not served", where, n)
		}
	}
}

// TestMetricsAreForLoopback: they tell balances, so nobody from elsewhere gets them.
func TestMetricsAreForLoopback(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--prometheus.enable", "--prometheus.listen=0.0.0.0:0")
	require.NoError(t, err)
	require.ErrorContains(t, (&daemon{cfg: c}).openMetrics(t.Context()), "--prometheus.listen=0.0.0.0:0: only loopback")
	c, err = load(t, "--bitcoin.regtest")
	require.NoError(t, err)
	require.NoError(t, (&daemon{cfg: c}).openMetrics(t.Context()), "off by itself")
}
