package channel

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/channel/onchain"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// peerMoves are the peer's transactions for the next block: it takes what it has the
// preimage of, in time, and what it offered once that has expired.
func (x *truth) peerMoves() (txs []*wire.MsgTx) {
	at, wait := x.l.height()+1, lnwire.Height(2)
	if x.p.hasty {
		wait = 1
	}
	outs, _ := x.l.unspent()
	var batch []int
	for i := range contracts {
		c := &contracts[i]
		op, j, ok := x.s.outPoint(x.col, c)
		takes := c.dir == out && c.taken && at >= x.at+wait || c.dir == in && at >= x.s.tip.Height+truthIn+1
		if !ok || outs[op] == nil || !takes {
			continue
		}
		if x.p.hasty && c.dir == out && x.s.format == commitment.Anchors && x.col != colOwn {
			batch = append(batch, j)
		} else {
			txs = append(txs, x.peerTakes(c, j))
		}
	}
	if len(batch) > 0 {
		txs = append(txs, x.together(batch))
	}
	return txs
}

// peerTakes is the peer's spend of an HTLC's output.
func (x *truth) peerTakes(c *contract, i int) *wire.MsgTx {
	d, b, p := x.s.mined[x.col], x.l.w.b, preimage(c.pre)
	keys := b.ch.terms.Keys
	if x.col == colOwn {
		spend, ok := d.com.OtherHTLC(i, keys, &p)
		require.True(x.t, ok)
		return x.l.sweep(b, onchain.Claim{Spend: spend, Value: lnwire.Sat(spend.Output.Value)})
	}
	if x.s.format == commitment.StaticRemoteKey {
		sigs, ok := b.crypto.Sign(d.com.OwnJobs(keys)[1+i : 2+i])
		require.True(x.t, ok)
		tx, err := d.com.FinishHTLC(i, sigs[0], d.their[i], &p)
		require.NoError(x.t, err)
		return tx
	}
	return x.together([]int{i})
}

// together is one transaction for several HTLCs of the peer's commitment.
func (x *truth) together(list []int) *wire.MsgTx {
	d, b := x.s.mined[x.col], x.l.w.b
	tx, prev := wire.NewMsgTx(2), txscript.NewMultiPrevOutFetcher(nil)
	var spends []commitment.Spend
	for _, i := range list {
		p := x.preimageOf(d.com.HTLCs[i].Hash)
		s, ok := d.com.OwnerHTLC(i, b.ch.terms.Keys, d.their[i], &p)
		require.True(x.t, ok)
		tx.AddTxIn(s.Input())
		tx.AddTxOut(s.Pair)
		tx.LockTime = max(tx.LockTime, s.LockTime)
		prev.AddPrevOut(s.OutPoint, &s.Output)
		spends = append(spends, s)
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i := range spends {
		sigs, ok := b.crypto.Sign([]commitment.SignJob{spends[i].Job(tx, i, hashes)})
		require.True(x.t, ok)
		tx.TxIn[i].Witness = spends[i].Witness(sigs[0])
	}
	return tx
}

func (x *truth) preimageOf(hash lnwire.Hash) lnwire.Preimage {
	for i := range contracts {
		if p := preimage(contracts[i].pre); p.Hash() == hash {
			return p
		}
	}
	require.FailNow(x.t, "no preimage")
	return lnwire.Preimage{}
}

// spends are the inputs in the chain by what they spend.
func (x *truth) spends() map[wire.OutPoint]mined {
	m := map[wire.OutPoint]mined{}
	for i, b := range x.l.blocks {
		for _, tx := range b {
			txid := x.l.txid(tx)
			for j, in := range tx.TxIn {
				m[in.PreviousOutPoint] = mined{tx, txid, j, x.l.refs[i].Height}
			}
		}
	}
	return m
}

type mined struct {
	tx    *wire.MsgTx
	txid  chainhash.Hash
	input int
	at    lnwire.Height
}

// fact is what the chain says of a contract. Who has spent what is seen by where the
// money went, or by the second stage's form.
func (x *truth) fact(c *contract, all map[wire.OutPoint]mined) (fact, wire.OutPoint, wire.OutPoint) {
	f := fact{col: x.col, at: x.at, tip: x.l.height(), expiry: x.s.tip.Height + truthOut, known: x.known[c.name]}
	if c.dir == in {
		f.expiry = x.s.tip.Height + truthIn
	} else {
		f.known = x.shown(c, all)
	}
	op, _, ok := x.s.outPoint(x.col, c)
	if !ok {
		return f, op, wire.OutPoint{}
	}
	m, ok := all[op]
	if !ok {
		return f, op, wire.OutPoint{}
	}
	p := preimage(c.pre)
	f.spent = spent{by: peer, at: m.at, revealed: slices.ContainsFunc(m.tx.TxIn[m.input].Witness, func(item []byte) bool { return bytes.Equal(item, p[:]) })}
	if (c.dir == in) == f.spent.revealed && !x.col.cheat() || x.col.cheat() && x.paysUs(m.tx) {
		f.spent.by = us
	}
	op2 := wire.OutPoint{Hash: m.txid, Index: uint32(m.input)}
	if m, ok := all[op2]; ok {
		f.second = spent{by: us, at: m.at}
	}
	return f, op, op2
}

// shown: the preimage of an HTLC stands in the chain, whatever it was used for.
func (x *truth) shown(c *contract, all map[wire.OutPoint]mined) bool {
	p := preimage(c.pre)
	for _, m := range all {
		for _, item := range m.tx.TxIn[m.input].Witness {
			if bytes.Equal(item, p[:]) {
				return true
			}
		}
	}
	return false
}

func (x *truth) paysUs(tx *wire.MsgTx) bool {
	return slices.ContainsFunc(tx.TxOut, func(o *wire.TxOut) bool { return bytes.Equal(o.PkScript, x.a.script()) })
}
