package keys

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func fixChecksum(sealed *[sealedSize]byte) {
	binary.BigEndian.PutUint32(sealed[crcOffset:], crc32.Checksum(sealed[:crcOffset], castagnoli))
}

// testAddress shows a key of an account as lnd does: change of BIP49 is P2WPKH.
func testAddress(t testing.TB, kind AccountKind, b Branch, key lnwire.PubKey, net *chaincfg.Params) string {
	t.Helper()
	if kind == P2TR {
		pub, err := key.Parse()
		require.NoError(t, err)
		out := txscript.ComputeTaprootKeyNoScript(pub)
		a, err := address.NewAddressTaproot(schnorr.SerializePubKey(out), net)
		require.NoError(t, err)
		return a.EncodeAddress()
	}
	a, err := address.NewAddressWitnessPubKeyHash(address.Hash160(key[:]), net)
	require.NoError(t, err)
	if kind == P2WKH || b == Internal {
		return a.EncodeAddress()
	}
	script, err := txscript.PayToAddrScript(a)
	require.NoError(t, err)
	nested, err := address.NewAddressScriptHash(script, net)
	require.NoError(t, err)
	return nested.EncodeAddress()
}
