package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestExternalHosts: what a name server says is announced as far as others could dial
// it, and stays while it says nothing.
func TestExternalHosts(t *testing.T) {
	c, err := load(t, "--bitcoin.regtest", "--externalhosts=node.example.org", "--externalhosts=other.example.org:9000")
	require.NoError(t, err)
	hosts, err := c.externalHosts()
	require.NoError(t, err)
	require.Len(t, hosts, 2)
	require.Equal(t, uint16(9735), hosts[0].port)
	require.Equal(t, uint16(9000), hosts[1].port)

	h := &hosts[1]
	say := func(ips []string, fail error) error {
		return h.refresh(t.Context(), func(_ context.Context, network, host string) (list []netip.Addr, err error) {
			require.Equal(t, "ip", network)
			require.Equal(t, "other.example.org", host)
			for _, ip := range ips {
				list = append(list, netip.MustParseAddr(ip))
			}
			return list, fail
		})
	}
	require.NoError(t, say([]string{"203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", "0.0.0.0", "127.0.0.1", "ff02::1", "fe80::1%eth0"}, nil))
	want := []lnwire.Address{{Type: lnwire.AddrIPv4, Host: "203.0.113.9", Port: 9000}, {Type: lnwire.AddrIPv6, Host: "2001:db8::1", Port: 9000}}
	require.ElementsMatch(t, want, h.last)
	require.Error(t, say(nil, errors.New("no name server")))
	require.Len(t, h.last, 2)
	require.NoError(t, say([]string{"1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5", "1.1.1.6"}, nil))
	require.Len(t, h.last, hostIPs)

	for _, bad := range []string{"203.0.113.9", "a b", "name:0"} {
		_, err := load(t, "--bitcoin.regtest", "--externalhosts="+bad)
		require.ErrorContains(t, err, "--externalhosts="+bad)
	}
	_, err = load(t, "--bitcoin.regtest", "--externalhosts=node.example.org", "--tor.active")
	require.ErrorContains(t, err, "outside of Tor")
}

// TestExternalAddress: what may be announced by --externalip, and an onion service with
// a wrong letter, which may not. The good one is the Tor project's.
func TestExternalAddress(t *testing.T) {
	const good = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
	for text, want := range map[string]lnwire.AddressType{
		"203.0.113.9": lnwire.AddrIPv4, "[2001:db8::1]:9000": lnwire.AddrIPv6, good: lnwire.AddrTor3, good + ":80": lnwire.AddrTor3,
		"node.example.org": lnwire.AddrDNS,
	} {
		a, err := externalAddress(text)
		require.NoError(t, err)
		require.Equal(t, want, a.Type)
	}
	for bad, why := range map[string]string{
		"3" + good[1:]: "checksum", good[:55] + "e.onion": "version 3", "203.0.113.9:0": "port 0", "expyuzz4wqqyqhjn.onion": "version 3",
	} {
		_, err := externalAddress(bad)
		require.ErrorContains(t, err, why)
	}
}
