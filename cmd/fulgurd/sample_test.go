package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jessevdk/go-flags"
	"github.com/stretchr/testify/require"
)

// TestSampleExplainsEveryOption: docs/sample-fulgur.conf has every option once, with words
// before it and its default, and nothing that the daemon does not know.
func TestSampleExplainsEveryOption(t *testing.T) {
	text, err := os.ReadFile("../../docs/sample-fulgur.conf")
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	setting := regexp.MustCompile(`^; ([a-z0-9.-]+)=(.*)$`)
	named := regexp.MustCompile(`^; ([a-z0-9.-]+)$`)
	sample, idle := map[string]string{}, map[string]bool{}
	for i, line := range lines {
		if m := setting.FindStringSubmatch(line); m != nil {
			require.NotContains(t, sample, m[1], "twice")
			require.Regexp(t, `^; .*\.$`, lines[i-1], "%s lacks an explanation", m[1])
			sample[m[1]] = m[2]
		} else if m := named.FindStringSubmatch(line); m != nil {
			idle[m[1]] = true
		} else {
			require.True(t, line == "" || strings.HasPrefix(line, "; ") || line == ";" || strings.HasPrefix(line, "["), "line %d would count: %s", i+1, line)
		}
	}
	o := options{Health: defaultHealth}
	parser := flags.NewParser(&o, flags.None)
	eachOption(parser, func(_ *flags.Group, opt *flags.Option) {
		name := opt.LongNameWithNamespace()
		value, explained := sample[name]
		delete(sample, name)
		switch {
		case name == "version" || strings.HasPrefix(name, "dev.") || strings.HasPrefix(name, "hodl."):
			return
		case strings.Contains(opt.Description, "without effect"):
			require.True(t, idle[name], "docs/sample-fulgur.conf does not name %s", name)
			return
		}
		require.True(t, explained, "docs/sample-fulgur.conf does not explain %s", name)
		if want := strings.Join(opt.Default, ","); want != "" {
			require.Equal(t, want, value, "the default of %s", name)
		} else if v := reflect.Indirect(reflect.ValueOf(opt.Value())); v.IsValid() && !v.IsZero() {
			require.Equal(t, fmt.Sprint(v), value, "the default of %s", name)
		}
		fresh := options{Health: defaultHealth}
		one := flags.NewIniParser(flags.NewParser(&fresh, flags.None))
		require.NoError(t, one.Parse(strings.NewReader(name+"="+value)), name)
	})
	require.Empty(t, sample, "docs/sample-fulgur.conf explains what is not there")
}

// TestFilesForLnd: what stands in files for lnd is taken, or refused by name with what to
// do about it.
func TestFilesForLnd(t *testing.T) {
	path := t.TempDir() + "/lnd.conf"
	text := `[Application Options]
alias=bob
maxpendingchannels=5
tlsautorefresh=true
sync-freelist=1
[Bitcoin]
bitcoin.active=true
bitcoin.regtest=true
bitcoin.node=btcd
[Btcd]
btcd.rpchost=localhost
[bolt]
db.bolt.auto-compact=true
db.bolt.auto-compact-min-age=24h
[protocol]
protocol.wumbo-channels=true
[healthcheck]
healthcheck.chainbackend.attempts=3
healthcheck.chainbackend.backoff=30s
[prometheus]
prometheus.enable=true
`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	c, err := loadConfig([]string{"--lnddir=" + t.TempDir(), "--configfile=" + path}, os.Stdout)
	require.NoError(t, err)
	require.Equal(t, 3, c.Health.Chain.Attempts)
	require.Equal(t, 30*time.Second, c.Health.Chain.Backoff)
	require.True(t, c.Prometheus.Enable)
	require.Len(t, c.warnings, 3)
	for _, m := range missing {
		name := strings.Replace(m.name, "*", "something", 1)
		require.NoError(t, os.WriteFile(path, []byte("bitcoin.regtest=1\n"+name+"=1\n"), 0o600))
		_, err := loadConfig([]string{"--lnddir=" + t.TempDir(), "--configfile=" + path}, os.Stdout)
		require.ErrorContains(t, err, "--"+name+" is not supported: "+m.instead)
		require.ErrorContains(t, err, "line 2")
	}
}
