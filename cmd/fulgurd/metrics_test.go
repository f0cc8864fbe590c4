package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// TestMetricsAreNotForPages: a web page that the operator reads gets none of them, by no
// name that it gives this machine.
func TestMetricsAreNotForPages(t *testing.T) {
	served := noPages(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct {
		host, key, value string
		want             int
	}{
		{"127.0.0.1:8989", "", "", 200},
		{"[::1]:8989", "", "", 200},
		{"localhost:8989", "", "", 200},
		{"node", "", "", 200},
		{"me.LocalHost:8989", "", "", 200},
		{"127.0.0.1:8989", "Sec-Fetch-Site", "none", 200},
		{"evil.example:8989", "", "", 403},
		{"127.0.0.1.evil.example", "", "", 403},
		{"127.0.0.1:8989", "Origin", "https://evil.example", 403},
		{"127.0.0.1:8989", "Sec-Fetch-Site", "cross-site", 403},
		{"127.0.0.1:8989", "Sec-Fetch-Site", "same-site", 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.Host = c.host
		if c.key != "" {
			r.Header.Set(c.key, c.value)
		}
		w := httptest.NewRecorder()
		served.ServeHTTP(w, r)
		require.Equal(t, c.want, w.Code, "%+v", c)
	}
}
