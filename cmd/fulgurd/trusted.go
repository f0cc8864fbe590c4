package main

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// trusted are the peers that may open channels without confirmations.
func (c *config) trusted() ([]lnwire.PubKey, error) {
	if len(c.Protocol.ZeroConfPeer) > 0 && !c.Protocol.ZeroConf {
		return nil, errors.New("--protocol.zero-conf-peer: needs --protocol.zero-conf")
	}
	var list []lnwire.PubKey
	for _, text := range c.Protocol.ZeroConfPeer {
		var id lnwire.PubKey
		b, err := hex.DecodeString(text)
		if err == nil && len(b) != len(id) {
			err = fmt.Errorf("%d bytes, a node id has %d", len(b), len(id))
		}
		if err == nil {
			copy(id[:], b)
			_, err = id.Parse()
		}
		if err != nil {
			return nil, fmt.Errorf("--protocol.zero-conf-peer=%s: %w", text, err)
		}
		list = append(list, id)
	}
	return list, nil
}
