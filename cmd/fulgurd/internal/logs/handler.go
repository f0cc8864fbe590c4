package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
)

// Sink is a place that lines go to.
type Sink struct {
	W        io.Writer
	NoTime   bool   // lines without the time
	CallSite string // "short", "long": lines with the place in the source, and its file's name or path
}

// handler gives lines to all sinks, if their subsystem's level lets them through.
type handler struct {
	levels *Levels
	level  *slog.LevelVar // of the subsystem
	plain  []slog.Handler // one for each sink
	kept   []slog.Attr    // of the logger, without the subsystem
	full   []slog.Handler // plain with all attributes, the subsystem first
}

// NewHandler makes the handler behind all loggers.
func NewHandler(levels *Levels, sinks ...Sink) slog.Handler {
	h := &handler{levels: levels}
	for _, s := range sinks {
		h.plain = append(h.plain, slog.NewTextHandler(s.W, &slog.HandlerOptions{
			Level: LevelTrace, AddSource: s.CallSite == "short" || s.CallSite == "long",
			ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				switch {
				case len(groups) > 0:
				case a.Key == slog.TimeKey && s.NoTime:
					return slog.Attr{}
				case a.Key == slog.SourceKey && s.CallSite == "short":
					if src, ok := a.Value.Any().(*slog.Source); ok {
						a.Value = slog.StringValue(fmt.Sprintf("%s:%d", filepath.Base(src.File), src.Line))
					}
				case a.Key == slog.LevelKey:
					if level, ok := a.Value.Any().(slog.Level); ok {
						a.Value = slog.StringValue(levelName(level))
					}
				}
				return a
			},
		}))
	}
	return h.of(Main)
}

// of is the handler of a subsystem.
func (h *handler) of(name string) *handler {
	out := *h
	out.level = h.levels.level(name)
	out.full = nil
	for _, p := range h.plain {
		out.full = append(out.full, p.WithAttrs(append([]slog.Attr{slog.String(Key, name)}, h.kept...)))
	}
	return &out
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// Handle implements slog.Handler. A sink that cannot be written does not keep the others
// from the line.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	switch {
	case r.Level >= slog.LevelError:
		h.levels.errs.Add(1)
	case r.Level >= slog.LevelWarn:
		h.levels.warnings.Add(1)
	}
	var errs []error
	for _, f := range h.full {
		errs = append(errs, f.Handle(ctx, r))
	}
	return errors.Join(errs...)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.full = nil
	name := ""
	out.kept = append([]slog.Attr{}, h.kept...)
	for _, a := range attrs {
		if a.Key == Key {
			name = a.Value.String()
			continue
		}
		out.kept = append(out.kept, a)
	}
	if name != "" {
		return out.of(name)
	}
	for _, f := range h.full {
		out.full = append(out.full, f.WithAttrs(attrs))
	}
	return &out
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	out := *h
	out.full = nil
	for _, f := range h.full {
		out.full = append(out.full, f.WithGroup(name))
	}
	return &out
}
