package commitment

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// tb is what testing.T and rapid.T have in common.
type tb interface {
	require.TestingT
	Helper()
}

// party is one side with its private keys; it signs as a wallet would.
type party struct {
	priv map[KeyLoc]*btcec.PrivateKey
	root [32]byte
	locs KeyLocs
	base Basepoints
}

var testLocs = KeyLocs{
	Funding: KeyLoc{0, 7}, Revocation: KeyLoc{1, 7}, HTLC: KeyLoc{2, 7},
	Payment: KeyLoc{3, 7}, Delayed: KeyLoc{4, 7}, Root: KeyLoc{5, 7},
}

// newParty makes a side from five private keys, in the order of Basepoints.
func newParty(root [32]byte, keys [5][32]byte) *party {
	p := &party{priv: map[KeyLoc]*btcec.PrivateKey{}, root: root, locs: testLocs}
	add := func(loc KeyLoc, key [32]byte) lnwire.PubKey {
		priv, pub := btcec.PrivKeyFromBytes(key[:])
		p.priv[loc] = priv
		return lnwire.NewPubKey(pub)
	}
	p.base = Basepoints{
		Funding:    add(testLocs.Funding, keys[0]),
		Revocation: add(testLocs.Revocation, keys[1]),
		Payment:    add(testLocs.Payment, keys[2]),
		Delayed:    add(testLocs.Delayed, keys[3]),
		HTLC:       add(testLocs.HTLC, keys[4]),
	}
	return p
}

// seededParty derives all keys of a side from one number.
func seededParty(seed uint64) *party {
	var keys [5][32]byte
	for i := range keys {
		keys[i] = chainhash.HashH(binary.BigEndian.AppendUint64([]byte{byte(i)}, seed))
	}
	return newParty(chainhash.HashH(binary.BigEndian.AppendUint64([]byte{9}, seed)), keys)
}

func (p *party) point(n uint64) lnwire.PubKey {
	point, _ := PointOf(SecretFromRoot(p.root, n))
	return point
}

func (p *party) sign(job SignJob) lnwire.Sig {
	key := p.priv[job.Key]
	if job.Tweak != nil {
		key = TweakPriv(key, *job.Tweak)
	}
	if job.Revocation != nil {
		key = RevocationPriv(key, *job.Revocation)
	}
	return lnwire.NewSig(ecdsa.Sign(key, job.Digest[:]))
}

func (p *party) signAll(jobs []SignJob) []lnwire.Sig {
	sigs := make([]lnwire.Sig, len(jobs))
	for i, j := range jobs {
		sigs[i] = p.sign(j)
	}
	return sigs
}

func verify(c Check) bool { return lnwire.VerifySig(c.Digest, c.Key, c.Sig) }

// engine runs Bitcoin's script engine over input idx of tx, which spends prev, with
// all rules of standard transactions.
func engine(tx *wire.MsgTx, idx int, prev *wire.TxOut, prevs txscript.PrevOutputFetcher) error {
	hashes := txscript.NewTxSigHashes(tx, prevs)
	vm, err := txscript.NewEngine(prev.PkScript, tx, idx, txscript.StandardVerifyFlags, nil, hashes, prev.Value, prevs)
	if err != nil {
		return err
	}
	return vm.Execute()
}

// spendsOnly is engine for a transaction with one input.
func spendsOnly(tx *wire.MsgTx, prev *wire.TxOut) error {
	return engine(tx, 0, prev, txscript.NewCannedPrevOutputFetcher(prev.PkScript, prev.Value))
}

// fundingOut is the output that all commitments of p spend.
func fundingOut(p *Params) *wire.TxOut {
	_, pk := FundingScript(p.Owner.Funding, p.Other.Funding)
	return &wire.TxOut{Value: int64(p.Capacity), PkScript: pk}
}

// spendTx is a transaction that spends one Spend alone, with its witness.
func spendTx(s *Spend, by *party) *wire.MsgTx { return spendTxWith(s, by, s.Sequence, s.LockTime) }

func spendTxWith(s *Spend, by *party, sequence, lockTime uint32) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.LockTime = lockTime
	in := s.Input()
	in.Sequence = sequence
	tx.AddTxIn(in)
	if s.Pair != nil {
		tx.AddTxOut(s.Pair)
	} else {
		tx.AddTxOut(&wire.TxOut{Value: s.Output.Value, PkScript: payToScript([]byte{txscript.OP_TRUE})})
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(s.Output.PkScript, s.Output.Value))
	var sig lnwire.Sig
	if s.NeedsSig() {
		sig = by.sign(s.Job(tx, 0, hashes))
	}
	tx.TxIn[0].Witness = s.Witness(sig)
	return tx
}

func unhex(t tb, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func unhex32(t tb, s string) (out [32]byte) {
	t.Helper()
	require.Equal(t, 32, copy(out[:], unhex(t, s)))
	return out
}

func pubKey(t tb, s string) lnwire.PubKey {
	t.Helper()
	k, err := lnwire.ParsePubKey(s)
	require.NoError(t, err)
	return k
}

func derSig(t tb, s string) lnwire.Sig {
	t.Helper()
	sig, err := lnwire.SigFromDER(unhex(t, s))
	require.NoError(t, err)
	return sig
}

func txHex(t tb, tx *wire.MsgTx) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, tx.Serialize(&b))
	return hex.EncodeToString(b.Bytes())
}

// vectorHTLCs are the seven HTLCs of BOLT 3, Appendix C, with their preimages.
func vectorHTLCs() (htlcs []HTLC, preimages []*lnwire.Preimage) {
	for i, v := range []struct {
		offered bool
		amount  lnwire.MilliSat
		expiry  lnwire.Height
		fill    byte
	}{
		{false, 1000000, 500, 0}, {false, 2000000, 501, 1}, {true, 2000000, 502, 2}, {true, 3000000, 503, 3},
		{false, 4000000, 504, 4}, {true, 5000000, 506, 5}, {true, 5000001, 505, 5},
	} {
		p := lnwire.Preimage(bytes.Repeat([]byte{v.fill}, 32))
		dir := htlc.Incoming
		if v.offered {
			dir = htlc.Outgoing
		}
		preimages = append(preimages, &p)
		htlcs = append(htlcs, HTLC{
			Ref:     htlc.Ref{ChanNum: 1, Dir: dir, ID: uint64(i)},
			Offered: v.offered, Amount: v.amount, Expiry: v.expiry, Hash: p.Hash(),
		})
	}
	return htlcs, preimages
}

// vectorSides are both sides of BOLT 3, Appendix C, and what is fixed for the
// commitments of local, who funded the channel.
func vectorSides(t tb, f Format, dust lnwire.Sat) (local, remote *party, p *Params) {
	t.Helper()
	fill := func(b byte) [32]byte { return [32]byte(bytes.Repeat([]byte{b}, 32)) }
	local = newParty(fill(0), [5][32]byte{
		unhex32(t, "30ff4956bbdd3222d44cc5e8a1261dab1e07957bdac5ae88fe3261ef321f3749"),
		fill(0x99), fill(0x11), fill(0x33), fill(0x11),
	})
	remote = newParty(fill(0), [5][32]byte{
		unhex32(t, "1552dfba4f6cf29a62a0af13c8d6981d36d0ef8d61ba10fb0fe90da7634d7e13"),
		fill(0x22), fill(0x44), fill(0x98), fill(0x44),
	})
	hash, err := chainhash.NewHashFromStr("8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be")
	require.NoError(t, err)
	return local, remote, &Params{
		Format: f, Funding: wire.OutPoint{Hash: *hash}, Capacity: 10_000_000, OwnerIsFunder: true,
		Owner: local.base, Other: remote.base, DustLimit: dust, ToSelfDelay: 144,
	}
}

// vectorPoint is the per-commitment point of BOLT 3, Appendix C.
const vectorPoint = "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486"

func mustBuild(t tb, p *Params, number uint64, point lnwire.PubKey, s Spec) *Commitment {
	t.Helper()
	c, err := Build(p, number, point, s)
	require.NoError(t, err)
	return c
}

var _ tb = (*testing.T)(nil)
