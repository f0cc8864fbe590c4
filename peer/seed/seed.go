package seed

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/address/v2/bech32"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Resolver is the part of *net.Resolver that is needed.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// Node is a node that a seed names.
type Node struct {
	ID      lnwire.PubKey
	Address string // host:port; the host is the seed's own name for the node, to be resolved when it is dialled
}

// Most is how many answers are looked at: seeds give 25 unless asked otherwise.
const Most = 100

// Ask asks a seed for nodes, by its root domain. The answer may be empty.
//
// B10.ask.1: nothing is taken from it but pairs of a node id and a place; whether
// such a node fits, or exists, shows when it is dialled.
func Ask(ctx context.Context, r Resolver, root string) ([]Node, error) {
	_, records, err := r.LookupSRV(ctx, "nodes", "tcp", root)
	if err != nil && len(records) == 0 { // with records, some others were malformed
		return nil, fmt.Errorf("ask DNS seed %s: %w", root, err)
	}
	var found []Node
	for _, srv := range records[:min(len(records), Most)] {
		id, err := nodeID(srv.Target)
		if err != nil || srv.Port == 0 {
			continue
		}
		host := strings.TrimSuffix(srv.Target, ".")
		found = append(found, Node{ID: id, Address: net.JoinHostPort(host, strconv.Itoa(int(srv.Port)))})
	}
	return found, nil
}

// nodeID reads the first label of a virtual host name: the node id in bech32.
func nodeID(host string) (id lnwire.PubKey, err error) {
	label, _, _ := strings.Cut(host, ".")
	hrp, data, err := bech32.Decode(label)
	if err != nil {
		return id, err
	}
	if hrp != "ln" {
		return id, fmt.Errorf("prefix %q", hrp)
	}
	raw, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil {
		return id, err
	}
	if len(raw) != len(id) {
		return id, fmt.Errorf("%d bytes", len(raw))
	}
	copy(id[:], raw)
	_, err = id.Parse()
	return id, err
}
