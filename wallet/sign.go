package wallet

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Signer makes signatures, in batches; keys.Ring is one. ok false: it is away, or a
// job names no key of it.
type Signer interface {
	SignCoins(jobs []keys.CoinJob) (sigs []lnwire.Sig, ok bool)
	Sign(jobs []commitment.SignJob) (sigs []lnwire.Sig, ok bool)
}

// ErrSigner says that the signer is away.
var ErrSigner = errors.New("wallet: no signature, the signer is away")

// prevouts looks up what a transaction spends, as txscript wants it.
func prevouts(coins []CoinRow, spends []commitment.Spend) *txscript.MultiPrevOutFetcher {
	outs := make(map[wire.OutPoint]*wire.TxOut, len(coins)+len(spends))
	for _, c := range coins {
		outs[c.OutPoint] = wire.NewTxOut(int64(c.Value), c.PkScript)
	}
	for i := range spends {
		outs[spends[i].OutPoint] = &spends[i].Output
	}
	return txscript.NewMultiPrevOutFetcher(outs)
}

// signCoins fills in the witnesses of the inputs that spend our coins. spends are
// what the other inputs spend: taproot's signatures cover that too.
func (w *Wallet) signCoins(s Signer, tx *wire.MsgTx, coins []CoinRow, spends []commitment.Spend) error {
	if len(coins) == 0 {
		return nil
	}
	fetch := prevouts(coins, spends)
	hashes := txscript.NewTxSigHashes(tx, fetch)
	of := make(map[wire.OutPoint]*CoinRow, len(coins))
	for i := range coins {
		of[coins[i].OutPoint] = &coins[i]
	}
	var jobs []keys.CoinJob
	var inputs []int
	for i, in := range tx.TxIn {
		c := of[in.PreviousOutPoint]
		if c == nil {
			continue
		}
		digest, err := w.digest(tx, i, c, usualHash(c.Key), hashes, fetch)
		if err != nil {
			return fmt.Errorf("sign input %d: %w", i, err)
		}
		jobs = append(jobs, keys.CoinJob{Key: c.Key, Digest: digest})
		inputs = append(inputs, i)
	}
	sigs, ok := s.SignCoins(jobs)
	if !ok || len(sigs) != len(jobs) {
		return ErrSigner
	}
	for n, i := range inputs {
		if err := w.putWitness(tx.TxIn[i], jobs[n].Key, sigs[n], usualHash(jobs[n].Key)); err != nil {
			return fmt.Errorf("sign input %d: %w", i, err)
		}
	}
	return nil
}

// usualHash is the kind of signature that covers all of a transaction.
func usualHash(at keys.CoinLoc) txscript.SigHashType {
	if form(at) == formP2TR {
		return txscript.SigHashDefault
	}
	return txscript.SigHashAll
}

// digest is what the signature of an input covers: BIP 143 or BIP 341.
func (w *Wallet) digest(tx *wire.MsgTx, i int, c *CoinRow, kind txscript.SigHashType, hashes *txscript.TxSigHashes, fetch txscript.PrevOutputFetcher) (digest [32]byte, err error) {
	var h []byte
	if form(c.Key) == formP2TR {
		h, err = txscript.CalcTaprootSignatureHash(hashes, kind, tx, i, fetch)
	} else {
		key, kerr := w.pubKey(c.Key)
		if kerr != nil {
			return digest, kerr
		}
		h, err = txscript.CalcWitnessSigHash(p2wkhScript(key), hashes, kind, tx, i, int64(c.Value))
	}
	copy(digest[:], h)
	return digest, err
}

// putWitness finishes an input of ours.
func (w *Wallet) putWitness(in *wire.TxIn, at keys.CoinLoc, sig lnwire.Sig, kind txscript.SigHashType) error {
	f := form(at)
	if f == formP2TR {
		in.Witness = wire.TxWitness{taprootSig(&sig, kind)}
		return nil
	}
	key, err := w.pubKey(at)
	if err != nil {
		return err
	}
	in.Witness = wire.TxWitness{append(sig.DER(), byte(kind)), key[:]}
	if f == formNested {
		program := p2wkhScript(key)
		in.SignatureScript = append([]byte{byte(len(program))}, program...)
	}
	return nil
}
