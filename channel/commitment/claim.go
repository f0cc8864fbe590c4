package commitment

import (
	"crypto/sha256"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// spend is the common part of all spends of output i of the commitment.
func (c *Commitment) spend(kind SpendKind, i int, script []byte) Spend {
	return Spend{
		Kind:          kind,
		OutPoint:      wire.OutPoint{Hash: c.Txid, Index: uint32(i)},
		Output:        *c.Tx.TxOut[i],
		WitnessScript: script,
	}
}

// OwnerMain spends our to_local, when we are the owner. False: there is none.
func (c *Commitment) OwnerMain(keys KeyLocs) (Spend, bool) {
	if c.ToOwner < 0 {
		return Spend{}, false
	}
	s := c.spend(SpendOwnerMain, c.ToOwner, c.delayed)
	c.asOwner(&s, keys)
	return s.weighed(), true
}

// OwnerMainOf finds and spends our to_local in a commitment of ours of which nothing but
// its per-commitment point is known, as after a loss of our state. False: there is none.
func OwnerMainOf(p *Params, tx *wire.MsgTx, point lnwire.PubKey, keys KeyLocs) (Spend, bool) {
	k, err := DeriveKeys(p.Owner, p.Other, point)
	if err != nil {
		return Spend{}, false
	}
	c := &Commitment{Params: *p, Tx: tx, Txid: tx.TxHash(), Keys: k, delayed: delayedScript(&k, p.ToSelfDelay)}
	pk := payToScript(c.delayed)
	c.ToOwner = slices.IndexFunc(tx.TxOut, func(o *wire.TxOut) bool { return string(o.PkScript) == string(pk) })
	return c.OwnerMain(keys)
}

// OwnerSecond spends the output of our HTLC transaction of HTLCs[i], when we are
// the owner. The output lies at op: with anchors other inputs and outputs may have
// been added to the transaction.
func (c *Commitment) OwnerSecond(i int, op wire.OutPoint, keys KeyLocs) Spend {
	s := Spend{Kind: SpendOwnerSecond, OutPoint: op, Output: *c.HTLCs[i].Second.TxOut[0], WitnessScript: c.delayed}
	c.asOwner(&s, keys)
	return s.weighed()
}

// asOwner lets the owner spend a delayed output.
func (c *Commitment) asOwner(s *Spend, keys KeyLocs) {
	tweak := LocalTweak(c.Keys.Point, c.Params.Owner.Delayed)
	s.Sequence = uint32(c.Params.ToSelfDelay) // B3.out.1
	s.Key, s.Tweak, s.PubKey = keys.Delayed, &tweak, c.Keys.OwnerDelayed
}

// OwnerHTLC spends HTLCs[i] by our HTLC transaction as a part of one that pays its
// fee, when we are the owner: as HTLC-timeout if we offered the HTLC, else as
// HTLC-success, with preimage. It is false without the preimage, and for a format
// whose HTLC transactions are complete: publish what FinishHTLC makes.
func (c *Commitment) OwnerHTLC(i int, keys KeyLocs, theirSig lnwire.Sig, preimage *lnwire.Preimage) (Spend, bool) {
	h := &c.HTLCs[i]
	if c.Params.Format != Anchors || h.needs(preimage) != nil {
		return Spend{}, false
	}
	s := c.spend(SpendOwnerTimeout, h.Output, h.Script)
	if !h.Offered {
		s.Kind, s.Preimage = SpendOwnerSuccess, preimage
	}
	tweak := LocalTweak(c.Keys.Point, c.Params.Owner.HTLC)
	s.Sequence, s.LockTime = c.htlcSequence(), h.Second.LockTime
	s.Key, s.Tweak, s.PubKey = keys.HTLC, &tweak, c.Keys.OwnerHTLC
	s.TheirSig, s.Pair = theirSig, h.Second.TxOut[0]
	return s.weighed(), true
}

// OtherMain spends our to_remote, when we are the other. False: there is none.
func (c *Commitment) OtherMain(keys KeyLocs) (Spend, bool) {
	return OtherMainOf(&c.Params, c.Tx, keys)
}

// OtherMainOf finds and spends our to_remote in a commitment of the owner of which
// nothing else is known, as after a loss of our state. False: there is none.
func OtherMainOf(p *Params, tx *wire.MsgTx, keys KeyLocs) (Spend, bool) {
	pk := otherMainPkScript(p.Format, p.Other.Payment)
	i := slices.IndexFunc(tx.TxOut, func(o *wire.TxOut) bool { return string(o.PkScript) == string(pk) })
	if i < 0 {
		return Spend{}, false
	}
	s := Spend{
		Kind:          SpendOtherMain,
		OutPoint:      wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)},
		Output:        *tx.TxOut[i],
		WitnessScript: otherMainScript(p.Format, p.Other.Payment),
		Key:           keys.Payment,
		PubKey:        p.Other.Payment,
	}
	if p.Format == Anchors {
		s.Sequence = 1
	}
	return s.weighed(), true
}

// OtherHTLC spends HTLCs[i] directly, when we are the other: after its expiry if we
// offered it, else at once with preimage. It is false when a preimage is needed and
// missing or wrong.
func (c *Commitment) OtherHTLC(i int, keys KeyLocs, preimage *lnwire.Preimage) (Spend, bool) {
	h := &c.HTLCs[i]
	s := c.spend(SpendOtherTimeout, h.Output, h.Script)
	if h.Offered {
		if preimage == nil || preimage.Hash() != h.Hash {
			return Spend{}, false
		}
		s.Kind, s.Preimage = SpendOtherPreimage, preimage
	} else {
		s.LockTime = uint32(h.Expiry)
	}
	tweak := LocalTweak(c.Keys.Point, c.Params.Other.HTLC)
	s.Sequence = c.htlcSequence() // B3.out.6
	s.Key, s.Tweak, s.PubKey = keys.HTLC, &tweak, c.Keys.OtherHTLC
	return s.weighed(), true
}

// OwnerAnchor spends our anchor, when we are the owner. False: there is none.
func (c *Commitment) OwnerAnchor(keys KeyLocs) (Spend, bool) {
	return c.anchor(SpendOwnerAnchor, c.AnchorOwner, c.Params.Owner.Funding, keys.Funding)
}

// OtherAnchor spends our anchor, when we are the other. False: there is none.
func (c *Commitment) OtherAnchor(keys KeyLocs) (Spend, bool) {
	return c.anchor(SpendOtherAnchor, c.AnchorOther, c.Params.Other.Funding, keys.Funding)
}

func (c *Commitment) anchor(kind SpendKind, i int, key lnwire.PubKey, loc KeyLoc) (Spend, bool) {
	if i < 0 {
		return Spend{}, false
	}
	s := c.spend(kind, i, anchorScript(key))
	s.Key, s.PubKey = loc, key
	return s.weighed(), true
}

// AnyAnchors spends the anchors without a key, AnchorDelay blocks after the
// commitment.
func (c *Commitment) AnyAnchors() []Spend {
	var spends []Spend
	for _, a := range []struct {
		i   int
		key lnwire.PubKey
	}{{c.AnchorOwner, c.Params.Owner.Funding}, {c.AnchorOther, c.Params.Other.Funding}} {
		if s, ok := c.anchor(SpendAnyAnchor, a.i, a.key, KeyLoc{}); ok {
			s.PubKey, s.Sequence = lnwire.PubKey{}, AnchorDelay
			spends = append(spends, s.weighed())
		}
	}
	return spends
}

// Punish spends everything that the owner could still claim of this revoked
// commitment: to_local and every HTLC, when we are the other. It is nil when secret
// is not that of the commitment's point.
func (c *Commitment) Punish(keys KeyLocs, secret lnwire.Secret) []Spend {
	if point, ok := PointOf(secret); !ok || point != c.Keys.Point {
		return nil
	}
	spends := make([]Spend, 0, 1+len(c.HTLCs))
	if c.ToOwner >= 0 {
		spends = append(spends, c.revoked(c.spend(SpendPunishMain, c.ToOwner, c.delayed), keys, &secret))
	}
	for i := range c.HTLCs {
		h := &c.HTLCs[i]
		spends = append(spends, c.revoked(c.spend(SpendPunishHTLC, h.Output, h.Script), keys, &secret))
	}
	return spends
}

// PunishSeconds spends every output with which tx, of the owner, moved HTLCs of this
// revoked commitment to their second stage, when we are the other. One transaction
// may move many (V-04): each input that spends an HTLC has its output beside it. It
// is nil when secret is not that of the commitment's point.
func (c *Commitment) PunishSeconds(tx *wire.MsgTx, keys KeyLocs, secret lnwire.Secret) []Spend {
	txid, pk := tx.TxHash(), payToScript(c.delayed)
	var spends []Spend
	for i, in := range tx.TxIn {
		if in.PreviousOutPoint.Hash != c.Txid || i >= len(tx.TxOut) || string(tx.TxOut[i].PkScript) != string(pk) {
			continue
		}
		if _, ok := c.At(in.PreviousOutPoint.Index); !ok {
			continue
		}
		spends = append(spends, c.revoked(Spend{
			Kind:          SpendPunishSecond,
			OutPoint:      wire.OutPoint{Hash: txid, Index: uint32(i)},
			Output:        *tx.TxOut[i],
			WitnessScript: c.delayed,
		}, keys, &secret))
	}
	if len(spends) == 0 {
		return nil
	}
	if point, ok := PointOf(secret); !ok || point != c.Keys.Point {
		return nil
	}
	return spends
}

// revoked lets the other spend s with the revocation key.
func (c *Commitment) revoked(s Spend, keys KeyLocs, secret *lnwire.Secret) Spend {
	// B3.out.8
	s.Key, s.Revocation, s.PubKey = keys.Revocation, secret, c.Keys.Revocation
	return s.weighed()
}

// PreimageIn finds the preimage of hash among the items of a witness, wherever the
// spender of an HTLC put it.
func PreimageIn(witness wire.TxWitness, hash lnwire.Hash) (lnwire.Preimage, bool) {
	for _, item := range witness {
		if len(item) == 32 && sha256.Sum256(item) == hash {
			return lnwire.Preimage(item), true
		}
	}
	return lnwire.Preimage{}, false
}
