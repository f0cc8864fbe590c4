package client

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Networks that a daemon may be on.
var Networks = []string{"mainnet", "testnet", "testnet4", "signet", "simnet", "regtest"}

// DefaultPort is where a daemon listens for gRPC.
const DefaultPort = "10009"

// Target says which daemon is meant and how to prove that we may use it.
type Target struct {
	Server       string        // host[:port]
	Dir          string        // the daemon's directory
	Network      string        // empty: the one that Dir holds, else mainnet
	TLSCert      string        // empty: tls.cert in Dir
	Macaroon     string        // empty: admin.macaroon of the network in Dir
	NoMacaroons  bool          // send none
	MacaroonLife time.Duration // how long what is sent may be used; 0: for ever
	MacaroonIP   string        // only from this address; empty: from any
}

// Fill derives what was left empty.
func (t *Target) Fill() {
	if _, _, err := net.SplitHostPort(t.Server); err != nil {
		t.Server = net.JoinHostPort(strings.Trim(t.Server, "[]"), DefaultPort)
	}
	t.Dir = expand(t.Dir)
	if t.Network == "" {
		t.Network = onlyNetwork(t.Dir)
	}
	if t.TLSCert == "" {
		t.TLSCert = filepath.Join(t.Dir, "tls.cert")
	}
	if t.Macaroon == "" {
		t.Macaroon = filepath.Join(networkDir(t.Dir, t.Network), "admin.macaroon")
	}
	t.TLSCert, t.Macaroon = expand(t.TLSCert), expand(t.Macaroon)
}

// DefaultDir is the daemon's directory unless it is told otherwise.
func DefaultDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".fulgur")
}

func networkDir(dir, network string) string {
	return filepath.Join(dir, "data", "chain", "bitcoin", network)
}

// onlyNetwork is the network that the directory was used for, if it was used for
// just one.
func onlyNetwork(dir string) string {
	found := ""
	for _, n := range Networks {
		if _, err := os.Stat(networkDir(dir, n)); err != nil {
			continue
		}
		if found != "" {
			return "mainnet"
		}
		found = n
	}
	if found == "" {
		return "mainnet"
	}
	return found
}

func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/') {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}
