package onion

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	sphinx "github.com/lightningnetwork/lightning-onion"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// nodeKey is the key of a node in tests; it counts how often it is used.
type nodeKey struct {
	*btcec.PrivateKey
	used int
}

func (k *nodeKey) ECDH(p *btcec.PublicKey) ([32]byte, error) {
	k.used++
	return sharedSecret(p, &k.Key), nil
}

func (k *nodeKey) pub() lnwire.PubKey { return lnwire.NewPubKey(k.PubKey()) }

// router is the same node as lightning-onion plays it.
func (k *nodeKey) router() *sphinx.Router {
	return sphinx.NewRouter(&sphinx.PrivKeyECDH{PrivKey: k.PrivateKey}, sphinx.NewNoOpReplayLog())
}

// lostKey is a key whose signer is away.
type lostKey struct{}

var errLost = errors.New("signer away")

func (lostKey) ECDH(*btcec.PublicKey) ([32]byte, error) { return [32]byte{}, errLost }

func newKey(fill byte) *nodeKey {
	return keyOf(bytes.Repeat([]byte{fill}, 32))
}

func keyOf(b []byte) *nodeKey {
	priv, _ := btcec.PrivKeyFromBytes(b)
	return &nodeKey{PrivateKey: priv}
}

// newRoute makes n nodes and a hop for each, with payloads of the given lengths
// in turn.
func newRoute(n int, lengths ...int) ([]*nodeKey, []Hop) {
	keys, hops := make([]*nodeKey, n), make([]Hop, n)
	for i := range n {
		keys[i] = newKey(byte(i + 1))
		hops[i] = Hop{PubKey: keys[i].pub(), Payload: bytes.Repeat([]byte{byte(i + 1)}, lengths[i%len(lengths)])}
	}
	return keys, hops
}

func mustBuild(t testing.TB, hops []Hop, assoc []byte) (Packet, []lnwire.Secret) {
	t.Helper()
	packet, secrets, err := Build(newKey(0x41).PrivateKey, hops, assoc)
	require.NoError(t, err)
	return packet, secrets
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func pubOf(t testing.TB, s string) lnwire.PubKey {
	t.Helper()
	p, err := lnwire.ParsePubKey(s)
	require.NoError(t, err)
	return p
}

func packetOf(t testing.TB, s string) *Packet {
	t.Helper()
	b := unhex(t, s)
	require.Len(t, b, lnwire.OnionLen)
	return (*Packet)(b)
}

// readVector reads a file of testdata into v.
func readVector(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, v))
}

func ptr[T any](v T) *T { return &v }
