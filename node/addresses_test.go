package node

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestAddressesThatAreAnnounced: every kind of address is, and what nobody could use is
// refused where it is said.
func TestAddressesThatAreAnnounced(t *testing.T) {
	ip4 := lnwire.Address{Type: lnwire.AddrIPv4, Host: "203.0.113.9", Port: 9735}
	ip6 := lnwire.Address{Type: lnwire.AddrIPv6, Host: "2001:db8::1", Port: 9735}
	onion := lnwire.Address{Type: lnwire.AddrTor3, Host: strings.Repeat("b", 56) + ".onion", Port: 9735}
	name := lnwire.Address{Type: lnwire.AddrDNS, Host: "node.example.org", Port: 9735}
	require.NoError(t, checkAddresses([]lnwire.Address{name, onion, ip6, ip4, ip4}))
	for why, list := range map[string][]lnwire.Address{
		"a second host name": {name, {Type: lnwire.AddrDNS, Host: "other.example.org", Port: 1}},
		"port 0":             {{Type: lnwire.AddrIPv4, Host: "203.0.113.9"}},
		"not a host name":    {{Type: lnwire.AddrDNS, Host: "nöde.example.org", Port: 1}},
		"version 3":          {{Type: lnwire.AddrTor3, Host: "short.onion", Port: 1}},
	} {
		require.ErrorContains(t, checkAddresses(list), why)
	}
}
