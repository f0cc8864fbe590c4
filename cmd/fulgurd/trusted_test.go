package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTrusted: who may open channels that are used at once is written out in full, and
// only where such channels are allowed.
func TestTrusted(t *testing.T) {
	const id = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	c, err := load(t, "--bitcoin.regtest", "--protocol.zero-conf", "--protocol.zero-conf-peer="+id)
	require.NoError(t, err)
	p := c.policies()
	require.True(t, p.ZeroConf)
	require.Len(t, p.Trusted, 1)
	require.Equal(t, id, p.Trusted[0].String())
	for want, args := range map[string][]string{
		"needs --protocol.zero-conf": {"--protocol.zero-conf-peer=" + id},
		"32 bytes":                   {"--protocol.zero-conf", "--protocol.zero-conf-peer=" + id[2:]},
		"zero-conf-peer=xyz":         {"--protocol.zero-conf", "--protocol.zero-conf-peer=xyz"},
		"zero-conf-peer=05":          {"--protocol.zero-conf", "--protocol.zero-conf-peer=05" + id[2:]},
	} {
		_, err := load(t, append(args, "--bitcoin.regtest")...)
		require.ErrorContains(t, err, want)
	}
}
