package bench

import (
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
}

func (u usage) minus(v usage) usage {
	return usage{u.cpu - v.cpu, u.writes - v.writes, u.known && v.known}
}

// tick is the unit of the kernel's processor times (USER_HZ), the same everywhere.
const tick = 10 * time.Millisecond

// usage reads it from /proc, where there is one.
func (l *line) usage() usage {
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
