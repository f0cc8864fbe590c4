package main

import (
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// upfrontScript is what --upfront-shutdown-address says, as a script; nil without it.
func (c *config) upfrontScript() ([]byte, error) {
	if c.UpfrontShutdown == "" {
		return nil, nil
	}
	net := networks[c.network]
	a, err := address.DecodeAddress(c.UpfrontShutdown, net)
	if err == nil && !a.IsForNet(net) {
		err = fmt.Errorf("not an address of %s", c.network)
	}
	if err != nil {
		return nil, fmt.Errorf("--upfront-shutdown-address=%s: %w", c.UpfrontShutdown, err)
	}
	return txscript.PayToAddrScript(a)
}
