package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what all nodes together have used since they were started.
type usage struct {
	cpu    time.Duration
	writes int64 // bytes handed to the disk
	known  bool

	counts counts
	told   bool // counts is known
}

// counts are counters of the nodes themselves (fulgurd's /debug/vars).
type counts struct {
	Store struct {
		Commits int64 `json:"commits"`
	} `json:"store"`
	Signatures struct {
		Verified int64 `json:"verified"`
	} `json:"signatures"`
}

func (u usage) minus(v usage) usage {
	u.cpu -= v.cpu
	u.writes -= v.writes
	u.known = u.known && v.known
	u.counts.Store.Commits -= v.counts.Store.Commits
	u.counts.Signatures.Verified -= v.counts.Signatures.Verified
	u.told = u.told && v.told
	return u
}

// tick is the unit of the kernel's processor times (USER_HZ), the same everywhere.
const tick = 10 * time.Millisecond

// usage asks the nodes and reads /proc, where there is one.
func (l *line) usage(ctx context.Context) usage {
	u := l.proc()
	u.told = true
	for _, n := range l.nodes {
		c, err := readCounts(ctx, n.Debug)
		if err != nil {
			u.told = false
			return u
		}
		u.counts.Store.Commits += c.Store.Commits
		u.counts.Signatures.Verified += c.Signatures.Verified
	}
	return u
}

func readCounts(ctx context.Context, addr string) (c counts, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/debug/vars", nil)
	if err != nil {
		return c, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c, fmt.Errorf("counters of %s: %s", addr, resp.Status)
	}
	return c, json.NewDecoder(resp.Body).Decode(&c)
}

// proc is what the kernel knows.
func (l *line) proc() usage {
	u := usage{known: true}
	for _, n := range l.nodes {
		dir := "/proc/" + strconv.Itoa(n.PID())
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			return usage{}
		}
		cpu, ok := cpuTime(string(stat))
		if !ok {
			return usage{}
		}
		u.cpu += cpu
		if io, err := os.ReadFile(dir + "/io"); err == nil {
			u.writes += writeBytes(string(io))
		}
	}
	return u
}

// cpuTime reads utime and stime, the fields 14 and 15. The name in field 2 may hold
// anything, so counting begins after its last parenthesis.
func cpuTime(stat string) (time.Duration, bool) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err1 == nil && err2 == nil
}

func writeBytes(io string) int64 {
	for line := range strings.Lines(io) {
		if text, ok := strings.CutPrefix(line, "write_bytes:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return n
		}
	}
	return 0
}
