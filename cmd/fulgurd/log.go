package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/jessevdk/go-flags"

	"github.com/fulgur-ln/fulgur/cmd/fulgurd/internal/logs"
)

// loggingOptions say where the log goes and how it looks there.
type loggingOptions struct {
	NoCommit bool           `long:"no-commit-hash" description:"without effect: no line holds the commit"`
	Console  consoleOptions `group:"logging.console" namespace:"console"`
	File     fileOptions    `group:"logging.file" namespace:"file"`
}

type consoleOptions struct {
	Disable  bool   `long:"disable" description:"write no log to the terminal"`
	NoTime   bool   `long:"no-timestamps" description:"leave the time out, where another program adds it"`
	CallSite string `long:"call-site" default:"off" choice:"off" choice:"short" choice:"long" description:"say where in the source a line comes from"`
}

type fileOptions struct {
	Disable    bool   `long:"disable" description:"write no log to the disk"`
	NoTime     bool   `long:"no-timestamps" description:"leave the time out"`
	CallSite   string `long:"call-site" default:"off" choice:"off" choice:"short" choice:"long" description:"say where in the source a line comes from"`
	Compressor string `long:"compressor" default:"gzip" description:"how full files are compressed: gzip is the one there is"`
	MaxFiles   int    `long:"max-files" default:"10" description:"full files that are kept; 0: one file that is never full"`
	MaxSize    int    `long:"max-file-size" default:"20" description:"megabytes at which a file is full"`
}

// checkLogging checks what is said of the log.
func (c *config) checkLogging() error {
	f := &c.Logging.File
	if c.MaxLogFiles != nil {
		f.MaxFiles = *c.MaxLogFiles
	}
	if c.MaxLogFileSize != nil {
		f.MaxSize = *c.MaxLogFileSize
	}
	switch {
	case f.Compressor != "gzip":
		return fmt.Errorf("--logging.file.compressor=%s: gzip is the only one there is", f.Compressor)
	case f.MaxFiles < 0:
		return fmt.Errorf("--logging.file.max-files=%d: want 0 or more", f.MaxFiles)
	case f.MaxSize < 1:
		return fmt.Errorf("--logging.file.max-file-size=%d: want at least 1 megabyte", f.MaxSize)
	}
	if err := logs.NewLevels().Set(c.DebugLevel); err != nil {
		return fmt.Errorf("--debuglevel=%s: %w", c.DebugLevel, err)
	}
	return nil
}

// showSubsystems prints what --debuglevel can name.
func showSubsystems(w io.Writer) {
	fmt.Fprintln(w, "Subsystems for --debuglevel=SUBSYSTEM=LEVEL,...")
	for _, name := range logs.NewLevels().Names() {
		fmt.Fprintf(w, "  %-5s %s\n", name, logs.Subsystems[name])
	}
}

// openLog makes the log: to the terminal, and to a file that only the owner may read.
// The file is nil when there is none.
func openLog(c *config, stdout io.Writer) (*slog.Logger, *logs.Levels, *logs.File, error) {
	levels := logs.NewLevels()
	if err := levels.Set(c.DebugLevel); err != nil {
		return nil, nil, nil, err
	}
	var sinks []logs.Sink
	if o := c.Logging.Console; !o.Disable {
		sinks = append(sinks, logs.Sink{W: stdout, NoTime: o.NoTime, CallSite: o.CallSite})
	}
	var file *logs.File
	if o := c.Logging.File; !o.Disable {
		var err error
		if file, err = logs.Open(c.logPath(), int64(o.MaxSize)<<20, o.MaxFiles); err != nil {
			return nil, nil, nil, err
		}
		sinks = append(sinks, logs.Sink{W: file, NoTime: o.NoTime, CallSite: o.CallSite})
	}
	return slog.New(logs.NewHandler(levels, sinks...)), levels, file, nil
}

func (c *config) logPath() string {
	return filepath.Join(c.LogDir, "bitcoin", c.network, "fulgurd.log")
}

// sub is the log of a subsystem.
func (d *daemon) sub(name string) *slog.Logger { return d.log.With(logs.Key, name) }

// setLevels changes what is logged while the node runs, and tells the levels after that;
// show only names the subsystems.
func (d *daemon) setLevels(show bool, spec string) (string, error) {
	if show {
		return strings.Join(d.levels.Names(), " "), nil
	}
	if err := d.levels.Set(spec); err != nil {
		return "", err
	}
	d.sub("RPCS").Info("what is logged has changed", "levels", spec)
	return d.levels.String(), nil
}

// tailBytes bounds what of the log is given out.
const tailBytes = 4 << 20

// debugInfo is the configuration without secrets and, if asked for, the end of the log.
func (d *daemon) debugInfo(log bool) (map[string]string, []string, error) {
	settings := d.cfg.settings()
	if !log {
		return settings, nil, nil
	}
	if d.file == nil {
		return nil, nil, errors.New("there is no log file: --logging.file.disable is set")
	}
	lines, err := d.file.Tail(tailBytes)
	return settings, lines, err
}

// secretOptions are those whose values nobody is told. The URL may hold the key of an
// account with whoever estimates fees.
var secretOptions = []string{"btcd.rpcpass", "tor.password", "fee.url"}

// settings are all options by their names, as they are in force.
func (c *config) settings() map[string]string {
	out := map[string]string{"network": c.network}
	eachOption(flags.NewParser(&c.options, flags.None), func(_ *flags.Group, o *flags.Option) {
		text := fmt.Sprint(reflect.Indirect(reflect.ValueOf(o.Value())))
		if text != "" && slices.Contains(secretOptions, o.LongNameWithNamespace()) {
			text = "[redacted]"
		}
		out[o.LongNameWithNamespace()] = text
	})
	return out
}
