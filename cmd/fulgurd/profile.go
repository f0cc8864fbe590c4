package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"runtime"
	rpprof "runtime/pprof"
	"strings"
	"time"
)

// openProfile serves pprof and counters where --profile says, which must be loopback:
// they show what the node does.
func (d *daemon) openProfile(context.Context) error {
	if err := d.recordCPU(); err != nil {
		return err
	}
	addr := cmp.Or(d.cfg.Profile, d.cfg.Pprof.Profile)
	if addr == "" {
		return nil
	}
	runtime.SetBlockProfileRate(d.cfg.Pprof.Blocking)
	runtime.SetMutexProfileFraction(d.cfg.Pprof.Mutex)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/vars", d.serveCounts)
	return d.serveLocally("--profile", withPort(addr, "6060"), mux)
}

// recordCPU begins what --pprof.cpuprofile asks for.
func (d *daemon) recordCPU() error {
	path := expandIf(d.cfg.Pprof.CPUProfile)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--pprof.cpuprofile: %w", err)
	}
	if err := rpprof.StartCPUProfile(f); err != nil {
		return errors.Join(fmt.Errorf("--pprof.cpuprofile: %w", err), f.Close())
	}
	d.later(func() {
		rpprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			d.log.Error("close the profile", "err", err)
		}
	})
	return nil
}

// serveLocally serves plain HTTP on an address that must be loopback, until the end.
func (d *daemon) serveLocally(option, addr string, handler http.Handler) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s=%s: %w", option, addr, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("%s=%s: only loopback addresses are served", option, addr), l.Close())
	}
	server := &http.Server{Handler: noPages(handler), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 5 * time.Minute}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("a local server ends", "option", option, "err", err)
		}
	}()
	d.later(func() { _ = server.Close() })
	return nil
}

// noPages refuses web pages: a browser on this machine opens them, too, and a page can let
// its own name point to 127.0.0.1 to read what is served there.
func noPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		from := r.Header.Get("Sec-Fetch-Site")
		switch {
		case err != nil && strings.Contains(host, ".") && !strings.HasSuffix(strings.ToLower(host), ".localhost"):
			http.Error(w, "call it by its address, or as localhost", http.StatusForbidden)
		case r.Header.Get("Origin") != "", from != "" && from != "none" && from != "same-origin":
			http.Error(w, "not for other web pages", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
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
