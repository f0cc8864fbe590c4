package backup

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// lndBackup is what a real lnd exported, and what it says of its channels.
type lndBackup struct {
	BaseKey  string   `json:"base_key"`
	Singles  []string `json:"singles"`
	Multi    string   `json:"multi"`
	Channels []struct {
		Point     string `json:"point"`
		Peer      string `json:"peer"`
		Capacity  lnwire.Sat
		Initiator bool
		SCID      uint64 `json:"scid"`
		OurDelay  uint16 `json:"our_delay"`
		PeerDelay uint16 `json:"peer_delay"`
	}
}

func fromLnd(t *testing.T) (v lndBackup, key Key) {
	b, err := os.ReadFile("testdata/lnd.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &v))
	base, err := lnwire.ParsePubKey(v.BaseKey)
	require.NoError(t, err)
	return v, NewKey(base)
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// TestReadsLnd: what lnd wrote is read, and written again is the same.
func TestReadsLnd(t *testing.T) {
	v, key := fromLnd(t)
	plain, err := Open(key, unhex(t, v.Multi))
	require.NoError(t, err)
	list, err := ParseMulti(plain)
	require.NoError(t, err)
	again, err := PlainMulti(list)
	require.NoError(t, err)
	require.Equal(t, plain, again)

	require.Len(t, list, len(v.Channels))
	for _, want := range v.Channels {
		var s *Single
		for i := range list {
			if list[i].Funding.String() == want.Point {
				s = &list[i]
			}
		}
		require.NotNil(t, s, want.Point)
		require.Equal(t, VersionAnchors, s.Version)
		require.Equal(t, want.Peer, s.Peer.String())
		require.Equal(t, want.Capacity, s.Capacity)
		require.Equal(t, want.Initiator, s.Funder)
		require.Equal(t, lnwire.ShortChannelID(want.SCID), s.SCID)
		require.Equal(t, want.OurDelay, s.OurDelay)
		require.Equal(t, want.PeerDelay, s.PeerDelay)
		require.NotEmpty(t, s.Addresses)
		require.Equal(t, uint32(5), s.Keys.Root.Family)
		require.NotNil(t, s.Close)
		require.Equal(t, s.Funding, s.Close.Tx.TxIn[0].PreviousOutPoint)
	}
	for _, text := range v.Singles {
		plain, err := Open(key, unhex(t, text))
		require.NoError(t, err)
		s, err := ParseSingle(plain)
		require.NoError(t, err)
		again, err := PlainSingle(&s)
		require.NoError(t, err)
		require.Equal(t, plain, again)
	}
}

func TestWrongKeyAndDamage(t *testing.T) {
	v, key := fromLnd(t)
	sealed := unhex(t, v.Multi)
	other := key
	other[0] ^= 1
	_, err := Open(other, sealed)
	require.ErrorIs(t, err, ErrKey)
	for _, at := range []int{0, 23, 24, len(sealed) - 1} {
		sealed[at] ^= 1
		_, err := Open(key, sealed)
		require.ErrorIs(t, err, ErrKey)
		sealed[at] ^= 1
	}
	_, err = Open(key, sealed[:Overhead-1])
	require.ErrorIs(t, err, ErrKey)
}

// TestCutOff: a plaintext that ends anywhere is refused.
func TestCutOff(t *testing.T) {
	v, key := fromLnd(t)
	plain, err := Open(key, unhex(t, v.Multi))
	require.NoError(t, err)
	for n := range len(plain) {
		_, err := ParseMulti(plain[:n])
		require.Error(t, err, n)
	}
	single, err := Open(key, unhex(t, v.Singles[0]))
	require.NoError(t, err)
	for n := range len(single) {
		_, err := ParseSingle(single[:n])
		require.Error(t, err, n)
	}
	_, err = ParseSingle(append(single, 0))
	require.ErrorContains(t, err, "1 bytes too many")
}

// anySingle draws backups of every version.
func anySingle(t *rapid.T, key lnwire.PubKey) Single {
	place := func(what string) commitment.KeyLoc {
		return commitment.KeyLoc{Family: rapid.Uint32().Draw(t, what), Index: rapid.Uint32().Draw(t, what)}
	}
	s := Single{
		Version:  Version(rapid.IntRange(0, int(numVersions)-1).Draw(t, "version")),
		Funder:   rapid.Bool().Draw(t, "funder"),
		Funding:  wire.OutPoint{Hash: chainhash.Hash{7}, Index: uint32(rapid.Uint16().Draw(t, "index"))},
		SCID:     lnwire.ShortChannelID(rapid.Uint64().Draw(t, "scid")),
		Peer:     key,
		Capacity: lnwire.Sat(rapid.Uint64Range(0, uint64(lnwire.MaxSat)).Draw(t, "capacity")),
		OurDelay: rapid.Uint16().Draw(t, "delay"), PeerDelay: rapid.Uint16().Draw(t, "delay"),
		Keys: commitment.KeyLocs{
			Funding: place("funding"), Revocation: place("revocation"), Payment: place("payment"),
			Delayed: place("delayed"), HTLC: place("htlc"), Root: place("root"),
		},
		PeerKeys: commitment.Basepoints{Funding: key, Revocation: key, Payment: key, Delayed: key, HTLC: key},
	}
	if rapid.Bool().Draw(t, "address") {
		s.Addresses = []lnwire.Address{
			{Type: lnwire.AddrIPv4, Host: "203.0.113.9", Port: 9735}, {Type: lnwire.AddrDNS, Host: "node.example", Port: 1},
		}
	}
	if rapid.Bool().Draw(t, "root") {
		s.RootPoint = &key
	}
	if s.Version == VersionLease {
		s.Expiry = lnwire.Height(rapid.Uint32().Draw(t, "expiry"))
	}
	if rapid.Bool().Draw(t, "close") {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: s.Funding, SignatureScript: []byte{}})
		tx.AddTxOut(&wire.TxOut{Value: 1, PkScript: []byte{0x51}})
		s.Close = &CloseTx{Tx: tx, Sig: rapid.SliceOfN(rapid.Byte(), 1, 72).Draw(t, "sig")}
		if s.Version.taproot() {
			s.Close.Number = rapid.Uint64().Draw(t, "number")
		}
		if s.Version == VersionTapscript {
			s.Close.Root = chainhash.Hash{9}
		}
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	v, key := fromLnd(t)
	point, err := lnwire.ParsePubKey(v.BaseKey)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		list := make([]Single, rapid.IntRange(0, 4).Draw(t, "channels"))
		for i := range list {
			list[i] = anySingle(t, point)
		}
		plain, err := PlainMulti(list)
		require.NoError(t, err)
		const size = 65531
		sealed := Seal(key, Nonce{1, 2, 3}, Pad(plain, size-Overhead))
		require.Len(t, sealed, size)
		back, err := Open(key, sealed)
		require.NoError(t, err)
		got, err := ParseMulti(back)
		require.NoError(t, err)
		if len(list) == 0 {
			require.Empty(t, got)
			return
		}
		require.Equal(t, list, got)
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0x83, 0, 3, 1, 2, 3})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := ParseMulti(b); err == nil {
			if _, err := PlainMulti(list); err != nil {
				t.Fatal(err)
			}
		}
		ParseSingle(b)
	})
}
