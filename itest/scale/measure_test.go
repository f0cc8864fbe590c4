package scale

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what the kernel says of a process; zero where there is no /proc.
type usage struct {
	cpu             time.Duration // user and system
	anon, all, peak int64         // resident bytes: its own, with mapped files, and the most ever
}

// ticks is the kernel's unit of CPU time for /proc.
const ticks = 100

func usageOf(pid int) (u usage) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if f := strings.Fields(rest); len(f) > 12 {
		for _, text := range f[11:13] {
			n, _ := strconv.ParseInt(text, 10, 64)
			u.cpu += time.Duration(n) * time.Second / ticks
		}
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "RssAnon":
			u.anon = kb << 10
		case "VmRSS":
			u.all = kb << 10
		case "VmHWM":
			u.peak = kb << 10
		}
	}
	return u
}

// sizeOf is the size of the files below a directory whose names end with suffix.
func sizeOf(dir, suffix string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func (u usage) String() string {
	return fmt.Sprintf("CPU %.1f s, RSS %s (its own %s), peak %s", u.cpu.Seconds(), mib(u.all), mib(u.anon), mib(u.peak))
}
