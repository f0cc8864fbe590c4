package main

import (
	"bytes"
	"context"
	"crypto/sha3"
	"encoding/base32"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

const (
	// hostsEvery is how often the names of --externalhosts are looked up.
	hostsEvery = 90 * time.Second
	// hostsWait is how long an answer is waited for.
	hostsWait = 20 * time.Second
	// hostIPs is how many addresses of one name are announced.
	hostIPs = 4
)

// externalAddress reads --externalip. Of an onion service the checksum is looked at:
// nobody could reach it under a name with a wrong letter.
func externalAddress(text string) (lnwire.Address, error) {
	a, err := lnwire.ParseAddress(text, 9735)
	if err != nil || a.Type != lnwire.AddrTor3 {
		return a, err
	}
	const keyLen, version = 32, 3
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimSuffix(a.Host, ".onion")))
	if err != nil || len(raw) != keyLen+3 || raw[keyLen+2] != version {
		return a, fmt.Errorf("%s is no onion service of version 3", a.Host)
	}
	sum := sha3.Sum256(slices.Concat([]byte(".onion checksum"), raw[:keyLen], []byte{version}))
	if !bytes.Equal(sum[:2], raw[keyLen:keyLen+2]) {
		return a, fmt.Errorf("%s is mistyped: its checksum is wrong", a.Host)
	}
	return a, nil
}

// externalHost is a name whose addresses are announced as they are now.
type externalHost struct {
	name string
	port uint16
	last []lnwire.Address // of the last answer
}

// externalHosts reads --externalhosts.
func (c *config) externalHosts() (list []externalHost, err error) {
	for _, text := range c.ExternalHosts {
		a, err := lnwire.ParseAddress(text, 9735)
		if err == nil && a.Type != lnwire.AddrDNS {
			err = fmt.Errorf("%s is no name; --externalip is for addresses", a.Host)
		}
		if err != nil {
			return nil, fmt.Errorf("--externalhosts=%s: %w", text, err)
		}
		list = append(list, externalHost{name: a.Host, port: a.Port})
	}
	return list, nil
}

// lookup asks for the addresses of a name.
type lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// refresh looks a name up. While there is no answer the last one stays.
func (h *externalHost) refresh(ctx context.Context, ask lookup) error {
	ctx, cancel := context.WithTimeout(ctx, hostsWait)
	defer cancel()
	ips, err := ask(ctx, "ip", h.name)
	if err != nil {
		return fmt.Errorf("look up %s: %w", h.name, err)
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	var found []lnwire.Address
	for _, ip := range slices.Compact(ips) {
		if !ip.IsGlobalUnicast() || ip.Zone() != "" || len(found) == hostIPs {
			continue
		}
		a, err := lnwire.ParseAddress(netip.AddrPortFrom(ip, h.port).String(), h.port)
		if err != nil {
			continue // nobody could dial it
		}
		found = append(found, a)
	}
	h.last = found
	return nil
}

// followHosts announces the addresses of --externalhosts beside the fixed ones, for as
// long as the daemon runs.
func (d *daemon) followHosts(ctx context.Context, fixed []lnwire.Address) error {
	hosts, err := d.cfg.externalHosts()
	if err != nil || len(hosts) == 0 {
		return err
	}
	go func() {
		for tick := time.NewTicker(hostsEvery); ; {
			all := slices.Clone(fixed)
			for i := range hosts {
				if err := hosts[i].refresh(ctx, net.DefaultResolver.LookupNetIP); err != nil {
					d.log.Warn("an external host has no address now", "err", err)
				}
				all = append(all, hosts[i].last...)
			}
			if err := d.node.SetAddresses(all); err != nil {
				d.log.Warn("cannot announce our addresses", "err", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
	return nil
}
