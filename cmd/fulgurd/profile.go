package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// openProfile serves pprof and counters where --profile says, which must be loopback:
// they show what the node does.
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
	mux.HandleFunc("GET /debug/vars", d.serveCounts)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("pprof ends", "err", err)
		}
	}()
	d.later(func() { _ = server.Close() })
	return nil
}

// counts is what /debug/vars tells, counted since the node was opened: docs/benchmarks.md
// names the fields, `fulgur bench` reads them.
type counts struct {
	Store struct {
		Commits uint64 `json:"commits"` // transactions of the store, two syncs each
		Batches uint64 `json:"batches"` // written by them
		Rows    uint64 `json:"rows"`    // put and deleted
		Bytes   uint64 `json:"bytes"`   // of keys and values put
	} `json:"store"`
	Signatures struct {
		Made     uint64 `json:"made"`
		Verified uint64 `json:"verified"`
	} `json:"signatures"`
}

// serveCounts answers with zeros as long as there is no node.
func (d *daemon) serveCounts(w http.ResponseWriter, _ *http.Request) {
	var c counts
	if n := d.counted.Load(); n != nil {
		now := n.Counts()
		c.Store.Commits, c.Store.Batches, c.Store.Rows, c.Store.Bytes = now.Store.Commits, now.Store.Batches, now.Store.Rows, now.Store.Bytes
		c.Signatures.Made, c.Signatures.Verified = now.Signed, now.Verified
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(&c); err != nil {
		d.log.Debug("counters", "err", err)
	}
}
