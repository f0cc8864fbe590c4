package commitment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// line is a "key: value" line of a vector file.
type line struct{ key, value string }

// readVectors reads a file of blocks of lines, parted by empty lines.
func readVectors(t *testing.T, path string) (blocks [][]line) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var block []line
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		key, value, ok := strings.Cut(s.Text(), ": ")
		switch {
		case strings.HasPrefix(s.Text(), "#"):
		case ok:
			block = append(block, line{key, value})
		case block != nil:
			blocks = append(blocks, block)
			block = nil
		}
	}
	return append(blocks, block)
}

// vector is one case of Appendix C or F.
type vector struct {
	name             string
	dust             lnwire.Sat
	spec             Spec
	base, actual     lnwire.Sat // fees; 0: not told
	theirs           string
	ours             string // "": not told
	tx               string
	theirHTLC        []string
	htlcTx           []string
	ourHTLC, htlcIDs []string
}

// specOf is the content of a commitment of the vectors: with HTLCs 0 to 4, with 1, 5
// and 6 in the last case, or with none.
func specOf(toLocal, toRemote lnwire.MilliSat, rate lnwire.SatPerKW) Spec {
	all, _ := vectorHTLCs()
	s := Spec{FeeRate: rate, ToOwner: toLocal, ToOther: toRemote}
	switch toLocal {
	case 6988000000:
		s.HTLCs = all[:5]
	case 6987999999:
		s.HTLCs = []HTLC{all[1], all[5], all[6]}
	}
	return s
}

func readAppendixC(t *testing.T) (vs []vector) {
	for _, block := range readVectors(t, "testdata/bolt03-c.txt") {
		v := vector{dust: 546}
		var toLocal, toRemote, rate uint64
		num := func(s string) uint64 {
			n, err := strconv.ParseUint(s, 10, 64)
			require.NoError(t, err)
			return n
		}
		for _, l := range block {
			switch l.key {
			case "name":
				v.name = l.value
			case "to_local_msat":
				toLocal = num(l.value)
			case "to_remote_msat":
				toRemote = num(l.value)
			case "local_feerate_per_kw":
				rate = num(l.value)
			case "base_fee":
				v.base = lnwire.Sat(num(l.value))
			case "actual_fee":
				v.actual = lnwire.Sat(num(l.value))
			case "remote_signature":
				v.theirs = l.value
			case "local_signature":
				v.ours = l.value
			case "commit_tx":
				v.tx = l.value
			case "remote_htlc_signature":
				v.theirHTLC = append(v.theirHTLC, l.value)
			case "local_htlc_signature":
				v.ourHTLC = append(v.ourHTLC, l.value)
			case "htlc_tx":
				id, tx, _ := strings.Cut(l.value, " ")
				v.htlcIDs = append(v.htlcIDs, id)
				v.htlcTx = append(v.htlcTx, tx)
			default:
				t.Fatalf("unknown key %q", l.key)
			}
		}
		v.spec = specOf(lnwire.MilliSat(toLocal), lnwire.MilliSat(toRemote), lnwire.SatPerKW(rate))
		vs = append(vs, v)
	}
	return vs
}

func readAppendixF(t *testing.T) (vs []vector) {
	var file struct {
		Cases []struct {
			Name                        string
			LocalBalance, RemoteBalance lnwire.MilliSat
			DustLimitSatoshis           lnwire.Sat
			FeePerKw                    lnwire.SatPerKW
			HtlcDescs                   []struct{ RemoteSigHex, ResolutionTxHex string }
			ExpectedCommitmentTxHex     string
			RemoteSigHex                string
		}
	}
	data, err := os.ReadFile("testdata/bolt03-f.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &file))
	for _, c := range file.Cases {
		v := vector{
			name: c.Name, dust: c.DustLimitSatoshis, theirs: c.RemoteSigHex, tx: c.ExpectedCommitmentTxHex,
			spec: specOf(c.LocalBalance, c.RemoteBalance, c.FeePerKw),
		}
		for _, h := range c.HtlcDescs {
			v.theirHTLC = append(v.theirHTLC, h.RemoteSigHex)
			v.htlcTx = append(v.htlcTx, h.ResolutionTxHex)
		}
		vs = append(vs, v)
	}
	return vs
}

// TestVectors: BOLT 3, Appendix C (static_remotekey) and F (anchors): every
// commitment and every HTLC transaction to the byte, with both sides' signatures.
//
// B3.tx.1 B3.tx.2 B3.tx.3 B3.tx.4 B3.tx.5 B3.order.1 B3.order.2 B3.order.3
// B3.out.2 B3.out.3 B3.out.4 B3.out.5 B3.out.7 B3.fee.1 B3.fee.2 B3.fee.3 B3.fee.4
// B3.fee.5 B3.htlctx.1 B3.htlctx.2 B3.htlctx.3 B3.htlctx.4 B3.htlctx.5 B3.htlctx.6
// B3.htlctx.7 B3.anchor.1 B3.anchor.2 B3.anchor.3
func TestVectors(t *testing.T) {
	for _, set := range []struct {
		format Format
		cases  []vector
		want   int
	}{
		{StaticRemoteKey, readAppendixC(t), 16},
		{Anchors, readAppendixF(t), 9},
	} {
		require.Len(t, set.cases, set.want)
		for _, v := range set.cases {
			t.Run(v.name, func(t *testing.T) { v.check(t, set.format) })
		}
	}
}

func (v *vector) check(t *testing.T, f Format) {
	local, remote, p := vectorSides(t, f, v.dust)
	c := mustBuild(t, p, 42, pubKey(t, vectorPoint), v.spec)

	theirs := remote.signAll(c.SignJobs(remote.locs))
	require.Equal(t, derSig(t, v.theirs), theirs[0])
	ours := local.signAll(c.OwnJobs(local.locs))
	if v.ours != "" {
		require.Equal(t, derSig(t, v.ours), ours[0])
	}
	if v.actual != 0 {
		require.Equal(t, v.actual, c.Fee)
		require.Equal(t, v.base, CommitFee(f, v.spec.FeeRate, len(c.HTLCs)))
	}
	require.Equal(t, v.tx, txHex(t, c.Finish(ours[0], theirs[0])))

	checks, ok := c.Checks(theirs[0], theirs[1:])
	require.True(t, ok)
	for _, check := range checks {
		require.True(t, verify(check))
	}

	require.Len(t, c.HTLCs, len(v.htlcTx))
	require.Len(t, c.Trimmed, len(v.spec.HTLCs)-len(v.htlcTx))
	_, preimages := vectorHTLCs()
	for i, h := range c.HTLCs {
		require.Equal(t, derSig(t, v.theirHTLC[i]), theirs[1+i])
		if v.ourHTLC != nil {
			require.Equal(t, derSig(t, v.ourHTLC[i]), ours[1+i])
			require.Equal(t, v.htlcIDs[i], strconv.FormatUint(h.Ref.ID, 10))
		}
		tx, err := c.FinishHTLC(i, ours[1+i], theirs[1+i], preimages[h.Ref.ID])
		require.NoError(t, err)
		require.Equal(t, v.htlcTx[i], txHex(t, tx))
	}
}

// TestFundingVector: BOLT 3, Appendix B: the funding script.
//
// B3.fund.1
func TestFundingVector(t *testing.T) {
	a := pubKey(t, "023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb")
	b := pubKey(t, "030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c1")
	want := unhex(t, "5221023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb21030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c152ae")
	script, pk := FundingScript(a, b)
	require.Equal(t, want, script)
	require.Equal(t, payToScript(want), pk)
	script, _ = FundingScript(b, a)
	require.Equal(t, want, script)
}

// TestObscuringVector: BOLT 3, Appendix C: the factor that hides the number.
//
// B3.tx.5
func TestObscuringVector(t *testing.T) {
	_, _, p := vectorSides(t, StaticRemoteKey, 546)
	require.Equal(t, uint64(0x2bb038521914), p.obscurer())
	p.Owner, p.Other, p.OwnerIsFunder = p.Other, p.Owner, false
	require.Equal(t, uint64(0x2bb038521914), p.obscurer(), "the same from the other side")
}

// TestKeyVectors: BOLT 3, Appendix E, and the derived keys of Appendix C.
//
// B3.key.1 B3.key.2 B3.key.3 B3.key.4 B3.key.5 B3.key.6
func TestKeyVectors(t *testing.T) {
	const baseSecret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	secret := lnwire.Secret(unhex32(t, "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"))
	base := pubKey(t, "036d6caac248af96f6afa7f904f550253a0f3ef3f5aa2fe6838a95b216691468e2")
	point := pubKey(t, vectorPoint)

	got, ok := PointOf(secret)
	require.True(t, ok)
	require.Equal(t, point, got)

	key, err := DerivePubKey(base, point)
	require.NoError(t, err)
	require.Equal(t, pubKey(t, "0235f2dbfaa89b57ec7b055afe29849ef7ddfeb1cefdb9ebdc43f5494984db29e5"), key)
	rev, err := RevocationPubKey(base, point)
	require.NoError(t, err)
	require.Equal(t, pubKey(t, "02916e326636d19c33f13e8c0c3a03dd157f332f3e99c317c141dd865eb01f8ff0"), rev)

	priv := newParty([32]byte{}, [5][32]byte{unhex32(t, baseSecret)}).priv[testLocs.Funding]
	require.Equal(t, unhex(t, "cbced912d3b21bf196a766651e436aff192362621ce317704ea2f75d87e7be0f"),
		TweakPriv(priv, LocalTweak(point, base)).Serialize())
	require.Equal(t, unhex(t, "d09ffff62ddb2297ab000cc85bcb4283fdeb6aa052affbc9dddcf33b61078110"),
		RevocationPriv(priv, secret).Serialize())

	_, _, p := vectorSides(t, Anchors, 546)
	keys, err := DeriveKeys(p.Owner, p.Other, point)
	require.NoError(t, err)
	require.Equal(t, Keys{
		Point:        point,
		OwnerDelayed: pubKey(t, "03fd5960528dc152014952efdb702a88f71e3c1653b2314431701ec77e57fde83c"),
		OwnerHTLC:    pubKey(t, "030d417a46946384f88d5f3337267c5e579765875dc4daca813e21734b140639e7"),
		OtherHTLC:    pubKey(t, "0394854aa6eab5b2a8122cc726e9dded053a2184d88256816826d6231c068d4a5b"),
		OtherPayment: pubKey(t, "032c0b7cf95324a07d05398b240174dc0c2be444d96b159aa6c7f7b1e668680991"),
		Revocation:   pubKey(t, "0212a140cd0c6539d07cd08dfe09984dec3251ea808b892efeac3ede9402bf2b19"),
	}, keys)
}
