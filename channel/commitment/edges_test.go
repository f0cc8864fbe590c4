package commitment

import (
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestFullCommitment: 483 HTLCs each way make transactions that relay, and all of
// them can be punished in a single one (BOLT 5).
func TestFullCommitment(t *testing.T) {
	const maxStandardWeight = 400_000
	local, remote, p := vectorSides(t, Anchors, 354)
	s := Spec{FeeRate: 253, ToOwner: p.Capacity.MilliSat() / 2, ToOther: p.Capacity.MilliSat() / 2}
	for i := range uint64(966) {
		h := HTLC{
			Ref: htlc.Ref{Dir: htlc.Direction(i % 2), ID: i / 2}, Offered: i%2 == 1,
			Amount: lnwire.MilliSat(1_000_000 + i), Expiry: lnwire.Height(900_000 + i), Hash: lnwire.Preimage{byte(i)}.Hash(),
		}
		if h.Offered {
			s.ToOwner -= h.Amount
		} else {
			s.ToOther -= h.Amount
		}
		s.HTLCs = append(s.HTLCs, h)
	}
	c := mustBuild(t, p, 1, local.point(1), s)
	require.Len(t, c.Tx.TxOut, 966+4)
	require.Less(t, c.Weight(), int64(maxStandardWeight))
	total := 4*(10+43) + 2
	punish := c.Punish(remote.locs, SecretFromRoot(local.root, 1))
	require.Len(t, punish, 967)
	for i := range punish {
		total += punish[i].InputWeight()
	}
	require.Less(t, total, maxStandardWeight)
}

// TestLongestScript: the room that Build sets aside is enough for any expiry.
func TestLongestScript(t *testing.T) {
	scripts := newHTLCScripts(Anchors, &Keys{})
	require.Len(t, scripts.append(nil, &HTLC{Expiry: 1<<32 - 1}), maxHTLCScript)
	require.Less(t, len(scripts.append(nil, &HTLC{Offered: true, Expiry: 1<<32 - 1})), maxHTLCScript)
}

// TestPushInt: numbers in scripts have the one form that is standard.
func TestPushInt(t *testing.T) {
	check := func(t tb, n uint32) {
		want, err := txscript.NewScriptBuilder().AddInt64(int64(n)).Script()
		require.NoError(t, err)
		require.Equal(t, want, pushInt(nil, n))
	}
	for _, n := range []uint32{0, 1, 16, 17, 127, 128, 144, 255, 256, 32767, 32768, 65535, 1<<23 - 1, 1 << 23, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		check(t, n)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Uint32().Draw(t, "n")) })
}

// TestPointsAtInfinityAreNoKeys: the one case in which a derivation has no result.
func TestPointsAtInfinityAreNoKeys(t *testing.T) {
	var points [2]btcec.JacobianPoint
	btcec.GeneratorJacobian(&points[0])
	var keys [2]lnwire.PubKey
	require.ErrorIs(t, serialise(points[:], keys[:]), errInfinity)
	require.NoError(t, serialise(points[:1], keys[:1]))
	require.Equal(t, pubKey(t, "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"), keys[0])
}

// TestPointOfRefuses: what no honest peer sends as a secret has no point.
//
// B3.key.6
func TestPointOfRefuses(t *testing.T) {
	order := lnwire.Secret(unhex32(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
	for _, secret := range []lnwire.Secret{{}, order} {
		_, ok := PointOf(secret)
		require.False(t, ok)
	}
	order[31]--
	_, ok := PointOf(order)
	require.True(t, ok)
}

// FuzzBuild: whatever a peer made the channel believe, Build answers with an error or
// with a transaction that gives out no more than there is.
func FuzzBuild(f *testing.F) {
	f.Add(uint8(2), true, uint32(253), uint64(5_000_000_000), uint64(0), []byte(nil))
	f.Add(uint8(1), false, uint32(1<<32-1), uint64(10_000_000_000), uint64(0), make([]byte, 26))
	f.Add(uint8(2), false, uint32(0), uint64(1), uint64(1<<64-1), []byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	local, remote := seededParty(1), seededParty(2)
	keys, err := DeriveKeys(local.base, remote.base, local.point(0))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, format uint8, ownerFunds bool, rate uint32, toOwner, number uint64, htlcs []byte) {
		p := &Params{
			Format: Format(format), Capacity: 10_000_000, OwnerIsFunder: ownerFunds,
			Owner: local.base, Other: remote.base, DustLimit: lnwire.Sat(number & 0xfff), ToSelfDelay: uint16(number),
		}
		s := Spec{FeeRate: lnwire.SatPerKW(rate), ToOwner: lnwire.MilliSat(toOwner)}
		left := p.Capacity.MilliSat() - s.ToOwner
		for ; len(htlcs) >= 9 && len(s.HTLCs) < 20; htlcs = htlcs[9:] {
			h := HTLC{
				Offered: htlcs[0]&1 == 1,
				Amount:  lnwire.MilliSat(binary.BigEndian.Uint32(htlcs[1:])),
				Expiry:  lnwire.Height(binary.BigEndian.Uint32(htlcs[5:])),
			}
			if htlcs[0] == 0xff {
				h.Amount <<= 32
			}
			left -= h.Amount
			s.HTLCs = append(s.HTLCs, h)
		}
		s.ToOther = left
		c, err := BuildWith(p, number, keys, s)
		if err != nil {
			return
		}
		var sum lnwire.Sat
		for _, o := range c.Tx.TxOut {
			require.GreaterOrEqual(t, o.Value, int64(0))
			sum += lnwire.Sat(o.Value)
		}
		require.Equal(t, p.Capacity, sum+c.Fee)
		for _, h := range c.HTLCs {
			require.GreaterOrEqual(t, h.Second.TxOut[0].Value, int64(p.DustLimit))
			require.LessOrEqual(t, h.Second.TxOut[0].Value, c.Tx.TxOut[h.Output].Value)
		}
		c.SignJobs(remote.locs)
	})
}
