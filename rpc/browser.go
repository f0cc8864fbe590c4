package rpc

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
)

// A web page must not use the node behind its reader's back. Where a macaroon comes along that is settled: no browser
// adds one by itself. Without one, as for the unlocker, the guard looks at where the page comes from (Origin) and under
// which name it found us (Host: a page can let its own name point to 127.0.0.1, "DNS rebinding").

// cors lets web pages of the allowed origins read the answers.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.cfg.CORS) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Headers", "Content-Type, Accept, Grpc-Metadata-Macaroon")
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		if s.listed(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == http.MethodOptions {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guard refuses calls of foreign web pages: those without macaroon, and every WebSocket, which no CORS protects.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bare := s.cfg.NoMacaroons || len(macaroonsOf(r)) == 0
		origin := r.Header.Get("Origin")
		if (bare || isUpgrade(r)) && origin != "" && !sameHost(origin, r.Host) && !s.listed(origin) {
			forbid(w, "origin "+origin+" is not allowed: see --restcors")
			return
		}
		if bare && !s.ourName(r.Host) {
			forbid(w, "host "+r.Host+" is not a name of this node: see --tlsextradomain")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// listed reports whether an origin is among the allowed ones.
func (s *Server) listed(origin string) bool {
	return slices.Contains(s.cfg.CORS, "*") || slices.Contains(s.cfg.CORS, origin)
}

// sameHost reports whether a page was loaded from the host that it now calls.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// ourName reports whether a Host header names this node in a way that no stranger can have arranged: by address, by a
// name that is not in the public DNS, or by a name in the certificate.
func (s *Server) ourName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return true
	}
	for _, private := range []string{".localhost", ".local", ".onion", ".internal", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, private) {
			return true
		}
	}
	return slices.ContainsFunc(s.cfg.Certificate.Names(), func(name string) bool { return strings.EqualFold(name, host) })
}

func forbid(w http.ResponseWriter, message string) {
	refuseFor(w, http.StatusForbidden, codes.PermissionDenied, message)
}

// refuseFor answers in the form of all other errors.
func refuseFor(w http.ResponseWriter, status int, code codes.Code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message, "details": []any{}}) // the client may be gone
}
