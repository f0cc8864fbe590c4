package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// openProfile serves pprof where --profile says, which must be loopback: a profile
// shows what the node does.
func (d *daemon) openProfile(context.Context) error {
	addr := d.cfg.Profile
	if addr == "" {
		addr = d.cfg.PprofProfile
	}
	if addr == "" {
		return nil
	}
	addr = withPort(addr, "6060")
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("--profile=%s: %w", addr, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("--profile=%s: only loopback addresses are served", addr), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("pprof ends", "err", err)
		}
	}()
	d.later(func() { _ = server.Close() })
	return nil
}
