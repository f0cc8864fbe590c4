package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// openLog makes the log: to the terminal, and to a file that only the owner may read.
func openLog(c *config, stdout io.Writer) (*slog.Logger, io.Closer, error) {
	level, err := parseLevel(c.DebugLevel)
	if err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(c.dir, "logs", "bitcoin", c.network)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("log directory: %w", err)
	}
	path := filepath.Join(dir, "fulgurd.log")
	if st, err := os.Stat(path); err == nil && st.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, nil, fmt.Errorf("rotate log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	h := slog.NewTextHandler(io.MultiWriter(stdout, f), &slog.HandlerOptions{Level: level})
	return slog.New(h), f, nil
}

// maxLog is the size from which a log is put aside at the start.
const maxLog = 20 << 20

// parseLevel reads --debuglevel. Of a list by subsystem the lowest level counts.
func parseLevel(text string) (slog.Level, error) {
	lowest := slog.Level(100)
	for _, part := range strings.Split(text, ",") {
		_, name, ok := strings.Cut(part, "=")
		if !ok {
			name = part
		}
		level, ok := map[string]slog.Level{
			"trace": slog.LevelDebug, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn,
			"error": slog.LevelError, "critical": slog.LevelError, "off": slog.Level(99),
		}[strings.ToLower(strings.TrimSpace(name))]
		if !ok {
			return 0, fmt.Errorf("--debuglevel=%s: want trace, debug, info, warn, error or off", text)
		}
		lowest = min(lowest, level)
	}
	return lowest, nil
}
