package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/peer"
	"github.com/fulgur-ln/fulgur/peer/seed"
	"github.com/fulgur-ln/fulgur/peer/tor"
	"github.com/fulgur-ln/fulgur/rpc/atomicfile"
)

type torOptions struct {
	Active   bool   `long:"active" description:"reach peers through Tor"`
	SOCKS    string `long:"socks" default:"localhost:9050" description:"host:port of Tor's SOCKS5 proxy"`
	DNS      string `long:"dns" default:"soa.nodes.lightning.wiki:53" description:"host:port of the DNS server that seeds are asked through, over TCP"`
	Isolate  bool   `long:"streamisolation" description:"a circuit of its own for every connection"`
	Direct   bool   `long:"skip-proxy-for-clearnet-targets" description:"only onion services go through Tor: quicker, and peers see this machine's IP address"`
	V3       bool   `long:"v3" description:"let Tor offer an onion service for this node, and announce it"`
	Control  string `long:"control" default:"localhost:9051" description:"host:port of Tor's controller"`
	Password string `long:"password" default-mask:"-" description:"password of Tor's controller; without it, its cookie file"`
	Target   string `long:"targetipaddress" description:"IP address at which Tor reaches this node, when it runs elsewhere"`
	KeyPath  string `long:"privatekeypath" description:"where the onion service's key is kept"`
}

// servicePort is what our onion service is announced with.
const servicePort = 9735

// torPatience bounds the wait for Tor's controller at the start.
const torPatience = 30 * time.Second

func (c *config) checkTor() error {
	switch t := &c.Tor; {
	case !t.V3:
		return nil
	case !t.Active:
		return errors.New("--tor.v3 needs --tor.active")
	case c.NoListen:
		return errors.New("--tor.v3: an onion service leads to a listener, and --nolisten forbids them")
	}
	return nil
}

// dialer is how peers are reached.
func (c *config) dialer() peer.Dialer {
	if !c.Tor.Active {
		return tor.NoOnion
	}
	return c.proxy().Dial
}

func (c *config) proxy() tor.Proxy {
	return tor.Proxy{SOCKS: c.Tor.SOCKS, Isolate: c.Tor.Isolate, Direct: c.Tor.Direct}
}

// seeds are the DNS seeds of each network.
var seeds = map[string][]string{
	"mainnet":  {"nodes.lightning.wiki", "lseed.bitcoinstats.com"},
	"testnet":  {"test.nodes.lightning.wiki"},
	"testnet4": {"test4.nodes.lightning.wiki"},
	"signet":   {"signet.nodes.lightning.wiki"},
}

// seeds asks the network's DNS seeds, or those that were named; nil when there are
// none or nobody is to be looked for.
func (c *config) seeds() func(context.Context) ([]node.Contact, error) {
	roots := c.Bitcoin.DNSSeeds
	if len(roots) == 0 {
		roots = seeds[c.network]
	}
	if c.NoBoot || len(roots) == 0 {
		return nil
	}
	resolver := net.DefaultResolver
	if c.Tor.Active {
		resolver = c.proxy().Resolver(c.Tor.DNS)
	}
	return func(ctx context.Context) (contacts []node.Contact, err error) {
		for _, root := range roots {
			found, e := seed.Ask(ctx, resolver, root)
			err = errors.Join(err, e)
			for _, f := range found {
				contacts = append(contacts, node.Contact{ID: f.ID, Address: f.Address})
			}
		}
		return contacts, err
	}
}

// onion makes Tor offer a service that leads to the first listener.
func (d *daemon) onion(ctx context.Context, listener net.Addr) (lnwire.Address, error) {
	t := &d.cfg.Tor
	_, portText, err := net.SplitHostPort(listener.String())
	if err != nil {
		return lnwire.Address{}, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return lnwire.Address{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, torPatience)
	defer cancel()
	s, err := tor.Open(ctx, tor.ServiceConfig{
		Control: t.Control, Password: t.Password, Target: t.Target, Port: servicePort, Listen: uint16(port),
		Key: keyFile(t.KeyPath), Log: d.sub("TORC"),
	})
	if err != nil {
		return lnwire.Address{}, fmt.Errorf("--tor.v3: %w", err)
	}
	d.later(s.Close)
	d.log.Info("reachable through Tor", "address", s.Address())
	return s.Address(), nil
}

// keyFile is a tor.Store in a file that only its owner can read.
type keyFile string

func (f keyFile) PrivateKey() ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, os.ErrNotExist) {
		return nil, tor.ErrNoKey
	}
	return b, err
}

func (f keyFile) StorePrivateKey(key []byte) error { return atomicfile.Write(string(f), key, 0o600) }
func (f keyFile) DeletePrivateKey() error          { return os.Remove(string(f)) }
