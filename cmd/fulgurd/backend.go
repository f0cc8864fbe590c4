package main

import (
	"context"
	"fmt"
	"net"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/chainntnfs/btcd"
)

// openBackend connects to the chain backend. One that is away is waited for: the
// node runs meanwhile and says so.
func (d *daemon) openBackend(ctx context.Context) error {
	c := d.cfg
	cert, err := btcd.ReadCert(expandIf(c.Btcd.Cert), c.Btcd.RawCert)
	if err != nil {
		return err
	}
	cfg := btcd.Config{Host: c.Btcd.Host, User: c.Btcd.User, Pass: c.Btcd.Pass, Cert: cert, Params: d.net}
	if c.Fee.URL != "" {
		fees := &chainntnfs.URLFees{URL: c.Fee.URL, MinUpdate: c.Fee.MinUpdate, MaxUpdate: c.Fee.MaxUpdate}
		if c.Tor.Active {
			fees.Dial = func(ctx context.Context, _, address string) (net.Conn, error) { return c.proxy().Dial(ctx, address) }
		}
		if err := fees.Start(); err != nil {
			return fmt.Errorf("--fee.url: %w", err)
		}
		d.later(fees.Stop)
		cfg.Fees = fees
	}
	b, err := btcd.New(cfg)
	if err != nil {
		return err
	}
	if err := b.Start(ctx); err != nil {
		return err
	}
	d.backend = b
	d.later(b.Stop)
	return nil
}

// expandIf is expand, but leaves an empty path empty.
func expandIf(path string) string {
	if path == "" {
		return ""
	}
	return expand(path)
}
