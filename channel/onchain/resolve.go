package onchain

import (
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// resolver walks over what a Close holds.
type resolver struct {
	*Close
	spent map[wire.OutPoint]input
	table map[htlc.Ref]*HTLC
	out   []Output
}

// input is an input of one of Spends.
type input struct {
	by    *Spend
	index int
}

// Resolve derives what is to be done. It is a function of c alone.
func Resolve(c *Close) Result {
	r := resolver{Close: c, spent: map[wire.OutPoint]input{}, table: map[htlc.Ref]*HTLC{}}
	for i := range c.HTLCs {
		r.table[c.HTLCs[i].Ref] = &c.HTLCs[i]
	}
	for i := range c.Spends { // V-04: every input counts
		for j, in := range c.Spends[i].Tx.TxIn {
			r.spent[in.PreviousOutPoint] = input{&c.Spends[i], j}
		}
	}
	switch {
	case c.Whose == Unknown || c.Commitment == nil:
		r.unknown()
	case c.Whose == Ours:
		r.ours()
	case c.Whose == Theirs:
		r.theirs()
	case c.Whose == Revoked:
		r.revoked()
	}
	return r.result()
}

// follow adds an output that lies in the block at.
func (r *resolver) follow(o Output) {
	if in, ok := r.spent[o.OutPoint]; ok {
		o.By, o.Input = in.by, in.index
		o.Taken = r.taken(&o, in.by.Tx.TxIn[in.index].Witness)
	}
	r.out = append(r.out, o)
}

// taken tells by its witness whose a spend in the chain is.
func (r *resolver) taken(o *Output, w wire.TxWitness) Taken {
	var mine bool
	switch {
	case o.Claim != nil && r.Whose == Revoked && o.Claim.Revocation != nil:
		mine = string(flatten(o.Claim.Witness(lnwire.Sig{})[1:])) == string(flatten(w[min(1, len(w)):]))
	case o.Role == FirstStage:
		_, revealed := commitment.PreimageIn(w, o.Hash)
		mine = revealed == (o.Ref.Dir == htlc.Incoming)
		if mine && r.Whose == Ours {
			return ToSecondStage
		}
	case o.Role == Anchor: // after 16 blocks anybody may, without a signature
		mine = len(w) > 0 && len(w[0]) > 0
	default:
		mine = true
	}
	if mine {
		return ByUs
	}
	return ByPeer
}

// flatten joins the items of a witness behind the signature.
func flatten(w wire.TxWitness) (b []byte) {
	for _, item := range w {
		b = append(append(b, byte(len(item))), item...)
	}
	return b
}

// claim is an output with the way in which we spend it.
func (r *resolver) claim(role Role, s commitment.Spend, at, deadline lnwire.Height, ref htlc.Ref) Output {
	c := &Claim{Spend: s, Value: lnwire.Sat(s.Output.Value), At: at, MatureAt: maturity(&s, at), Deadline: deadline, Ref: ref}
	return Output{
		Role: role, OutPoint: s.OutPoint, Value: lnwire.Sat(s.Output.Value), PkScript: s.Output.PkScript, At: at, Ref: ref, Claim: c,
	}
}

// maturity is the height of the first block that may hold the spend of an output of
// the block at.
func maturity(s *commitment.Spend, at lnwire.Height) lnwire.Height {
	first := at
	if s.Sequence&wire.SequenceLockTimeDisabled == 0 {
		first += lnwire.Height(s.Sequence & wire.SequenceLockTimeMask)
	}
	return max(first, lnwire.Height(s.LockTime)+1)
}

func (r *resolver) toRemote(s commitment.Spend, ok bool) {
	if ok {
		r.follow(r.claim(Main, s, r.At, 0, htlc.Ref{}))
	}
}

// unknown is a commitment that we cannot build: a later one of the peer, or one of ours,
// which this node has lost since.
func (r *resolver) unknown() {
	s, ok := commitment.OtherMainOf(r.Params, r.Tx, r.Keys) // B5.lost.1
	if !ok && r.Own != nil {
		s, ok = commitment.OwnerMainOf(r.Own, r.Tx, r.OwnPoint, r.Keys) // B5.lost.2
	}
	r.toRemote(s, ok)
}

// preimage is what lets us claim an incoming HTLC (V-03: only one that was released
// for this HTLC by its name).
func (r *resolver) preimage(ref htlc.Ref) *lnwire.Preimage {
	if h := r.table[ref]; h != nil && ref.Dir == htlc.Incoming {
		return h.Preimage
	}
	return nil
}

// deadline is when a claim of an HTLC should be mined: before the peer's own way
// opens, or before what it carries on expires upstream (V-38: both are expiries of
// HTLCs, nothing else).
func (r *resolver) deadline(h *commitment.HTLCOutput) lnwire.Height {
	if h.Ref.Dir == htlc.Incoming {
		return h.Expiry // B5.their.3
	}
	if t := r.table[h.Ref]; t != nil {
		return t.Upstream
	}
	return 0
}

// ours is our own newest commitment.
func (r *resolver) ours() {
	com := r.Commitment
	if s, ok := com.OwnerMain(r.Keys); ok { // B5.own.1, B5.own.2
		r.follow(r.claim(Main, s, r.At, 0, htlc.Ref{}))
	}
	for i := range com.HTLCs {
		h := &com.HTLCs[i]
		o := r.first(h)
		preimage := r.preimage(h.Ref)
		if s, ok := com.OwnerHTLC(i, r.Keys, r.theirSig(i), preimage); ok { // B5.own.3, B5.own.6, B5.gen.2
			o = r.claim(FirstStage, s, r.At, r.deadline(h), h.Ref)
			o.Expiry, o.Hash = h.Expiry, h.Hash
		} else if com.Params.Format != commitment.Anchors && (h.Offered || preimage != nil) { // B5.gen.1
			o.complete = &Complete{Index: i, OutPoint: o.OutPoint, Preimage: preimage}
		}
		r.follow(o)
		r.second(i)
	}
	r.lifted(com.AnchorOwner)
	r.anchor(com.OwnerAnchor(r.Keys))
}

// anchor is a claim without a deadline, which the sweeper makes when it costs less than
// it brings.
func (r *resolver) anchor(s commitment.Spend, ok bool) {
	if ok {
		r.follow(r.claim(Anchor, s, r.At, 0, htlc.Ref{}))
	}
}

// lifted tells the claims that share a budget with the child on our anchor.
func (r *resolver) lifted(anchor int) {
	if anchor < 0 {
		return
	}
	sum := lnwire.Sat(0)
	for i := range r.Commitment.HTLCs {
		if h := &r.Commitment.HTLCs[i]; r.atRisk(h.Ref) {
			sum += lnwire.Sat(r.Commitment.Tx.TxOut[h.Output].Value)
		}
	}
	for i := range r.out {
		if o := &r.out[i]; o.Role == FirstStage && o.Claim != nil && r.atRisk(o.Ref) {
			o.Claim.Anchor, o.Claim.AtRisk = wire.OutPoint{Hash: r.Commitment.Txid, Index: uint32(anchor)}, sum
		}
	}
}

// atRisk: somebody else may take the HTLC in the end, at our cost.
func (r *resolver) atRisk(ref htlc.Ref) bool {
	h := r.table[ref]
	return h != nil && (ref.Dir == htlc.Incoming && h.Preimage != nil || ref.Dir == htlc.Outgoing && h.Upstream != 0)
}

// theirSig is the peer's signature of our HTLC transaction i.
func (r *resolver) theirSig(i int) lnwire.Sig {
	if i < len(r.TheirSigs) {
		return r.TheirSigs[i]
	}
	return lnwire.Sig{}
}

// first is the output of an HTLC before anything is known about spending it.
func (r *resolver) first(h *commitment.HTLCOutput) Output {
	out := r.Commitment.Tx.TxOut[h.Output]
	return Output{
		Role: FirstStage, OutPoint: wire.OutPoint{Hash: r.Commitment.Txid, Index: uint32(h.Output)},
		Value: lnwire.Sat(out.Value), PkScript: out.PkScript, At: r.At, Ref: h.Ref, Expiry: h.Expiry, Hash: h.Hash,
	}
}

// second follows the output of our HTLC transaction, once that is in the chain. It
// is told from the peer's spend by its output (V-19): what the peer's signature
// covers stands beside the input, whatever else was put into the transaction.
func (r *resolver) second(i int) {
	h := &r.Commitment.HTLCs[i]
	in, ok := r.spent[wire.OutPoint{Hash: r.Commitment.Txid, Index: uint32(h.Output)}]
	if !ok || in.index >= len(in.by.Tx.TxOut) {
		return
	}
	want, have := h.Second.TxOut[0], in.by.Tx.TxOut[in.index]
	if have.Value != want.Value || string(have.PkScript) != string(want.PkScript) {
		return
	}
	op := wire.OutPoint{Hash: in.by.Tx.TxHash(), Index: uint32(in.index)}
	r.follow(r.claim(SecondStage, r.Commitment.OwnerSecond(i, op, r.Keys), in.by.At, 0, h.Ref)) // B5.own.5
}

// theirs is a commitment of the peer that is not revoked.
func (r *resolver) theirs() {
	com := r.Commitment
	r.toRemote(com.OtherMain(r.Keys)) // B5.their.1
	for i := range com.HTLCs {
		h := &com.HTLCs[i]
		o := r.first(h)
		if s, ok := com.OtherHTLC(i, r.Keys, r.preimage(h.Ref)); ok { // B5.their.2, B5.their.3
			o = r.claim(FirstStage, s, r.At, r.deadline(h), h.Ref)
			o.Expiry, o.Hash = h.Expiry, h.Hash
		}
		r.follow(o)
	}
	r.lifted(com.AnchorOther)
	r.anchor(com.OtherAnchor(r.Keys))
}

// revoked takes everything. What the peer moves to a second stage is taken there.
func (r *resolver) revoked() {
	com := r.Commitment
	delay := lnwire.Height(com.Params.ToSelfDelay)
	r.toRemote(com.OtherMain(r.Keys))
	for _, s := range com.Punish(r.Keys, r.Secret) {
		var ref htlc.Ref
		role := Main // B5.rev.1
		if i, ok := com.At(s.OutPoint.Index); ok {
			role, ref = FirstStage, com.HTLCs[i].Ref // B5.rev.2
		}
		r.follow(r.claim(role, s, r.At, r.At+delay, ref))
	}
	for i := range r.Spends {
		by := &r.Spends[i]
		for _, s := range com.PunishSeconds(by.Tx, r.Keys, r.Secret) { // B5.rev.3, V-04
			j, _ := com.At(by.Tx.TxIn[s.OutPoint.Index].PreviousOutPoint.Index)
			r.follow(r.claim(SecondStage, s, by.At, by.At+delay, com.HTLCs[j].Ref))
		}
	}
}
