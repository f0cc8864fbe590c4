package btcd

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

// Config says how to reach a btcd and which network it must be on.
type Config struct {
	Host   string           // --btcd.rpchost; without a port the network's usual one
	User   string           // --btcd.rpcuser
	Pass   string           // --btcd.rpcpass
	Cert   []byte           // PEM, see ReadCert; empty: the system's authorities
	Params *chaincfg.Params // the network

	// Fees stands in for the estimates that btcd does not make; nil: DefaultFees.
	Fees chainntnfs.FeeSource
	// CallTimeout bounds each call; default 20 seconds.
	CallTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait between tries to connect; default
	// 100 milliseconds, doubling up to 3 seconds.
	MinBackoff, MaxBackoff time.Duration
	// StaleAfter is the age of a tip that is reported as stale; 0: 2 hours, but
	// never where blocks are made at will. Negative: never.
	StaleAfter time.Duration
	// HealthEvery is the time between looks at the tip's age and at btcd's peers;
	// default 30 seconds.
	HealthEvery time.Duration

	// pingEvery and deadAfter notice a btcd that is gone without a word.
	pingEvery, deadAfter time.Duration
}

const (
	defaultCallTimeout = 20 * time.Second
	defaultMinBackoff  = 100 * time.Millisecond
	defaultMaxBackoff  = 3 * time.Second
	defaultStaleAfter  = 2 * time.Hour
	defaultHealthEvery = 30 * time.Second
	defaultPingEvery   = 10 * time.Second
	defaultDeadAfter   = 30 * time.Second
)

// rpcPorts are btcd's own defaults.
var rpcPorts = map[string]string{
	chaincfg.MainNetParams.Name:       "8334",
	chaincfg.TestNet3Params.Name:      "18334",
	chaincfg.TestNet4Params.Name:      "48334",
	chaincfg.RegressionNetParams.Name: "18334",
	chaincfg.SimNetParams.Name:        "18556",
	chaincfg.SigNetParams.Name:        "38332",
}

// onDemand says that blocks are made at will on a network: their age and their
// price mean nothing.
func onDemand(p *chaincfg.Params) bool {
	return p.Name == chaincfg.RegressionNetParams.Name || p.Name == chaincfg.SimNetParams.Name
}

// DefaultFees is a fixed rate where blocks are made at will. Elsewhere it refuses
// and says that --fee.url is needed.
func DefaultFees(p *chaincfg.Params) chainntnfs.FeeSource {
	if onDemand(p) {
		return chainntnfs.StaticFee(chainntnfs.RegtestFee)
	}
	return chainntnfs.NoFees{}
}

// ReadCert takes the certificate of --btcd.rawrpccert (PEM in hex) or else of the
// file of --btcd.rpccert; with neither there is none.
func ReadCert(path, raw string) ([]byte, error) {
	if raw != "" {
		pem, err := hex.DecodeString(raw)
		if err != nil {
			return nil, fmt.Errorf("btcd.rawrpccert: %w", err)
		}
		return pem, nil
	}
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("btcd.rpccert: %w; btcd makes it at its first start", err)
	}
	if err != nil {
		return nil, fmt.Errorf("btcd.rpccert: %w", err)
	}
	return pem, nil
}

// complete fills in defaults and checks the rest.
func (c *Config) complete() (*x509.CertPool, error) {
	if c.Params == nil || c.Params.GenesisHash == nil {
		return nil, errors.New("btcd: the network is missing")
	}
	if c.Host == "" {
		c.Host = "localhost"
	}
	if _, _, err := net.SplitHostPort(c.Host); err != nil {
		port, ok := rpcPorts[c.Params.Name]
		if !ok {
			return nil, fmt.Errorf("btcd.rpchost %q: no port", c.Host)
		}
		c.Host = net.JoinHostPort(c.Host, port)
	}
	if c.User == "" || c.Pass == "" {
		return nil, errors.New("btcd.rpcuser and btcd.rpcpass are needed")
	}
	var pool *x509.CertPool
	if len(c.Cert) > 0 {
		pool = x509.NewCertPool()
		if !pool.AppendCertsFromPEM(c.Cert) {
			return nil, errors.New("btcd.rpccert: no PEM certificate in it")
		}
	}
	if c.Fees == nil {
		c.Fees = DefaultFees(c.Params)
	}
	if c.StaleAfter == 0 && !onDemand(c.Params) {
		c.StaleAfter = defaultStaleAfter
	}
	byDefault(&c.CallTimeout, defaultCallTimeout)
	byDefault(&c.MinBackoff, defaultMinBackoff)
	byDefault(&c.MaxBackoff, defaultMaxBackoff)
	byDefault(&c.HealthEvery, defaultHealthEvery)
	byDefault(&c.pingEvery, defaultPingEvery)
	byDefault(&c.deadAfter, defaultDeadAfter)
	c.MaxBackoff = max(c.MaxBackoff, c.MinBackoff)
	return pool, nil
}

func byDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}
