package onchain

import (
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func (r *resolver) result() Result {
	res := Result{Outputs: r.out, Done: r.depth(r.At) >= irrevocable && !r.blind()}
	for i := range r.out {
		o := &r.out[i]
		res.Done = res.Done && (o.Role == Anchor || r.resolved(o))
		if o.By != nil {
			continue
		}
		if o.Claim != nil {
			res.Claims = append(res.Claims, *o.Claim)
		}
		// The lock time of an HTLC-timeout transaction is the expiry: the next block
		// may hold it once the tip has that height.
		if o.complete != nil && (o.complete.Preimage != nil || r.Tip >= o.Expiry) { // B5.own.3
			res.Publish = append(res.Publish, *o.complete)
		}
	}
	res.Watch = r.others()
	for i := range r.HTLCs {
		h := &r.HTLCs[i]
		if h.Ref.Dir != htlc.Outgoing {
			continue
		}
		if v, ok := r.verdict(h); ok {
			res.Verdicts = append(res.Verdicts, v)
		} else {
			res.Done = false // nobody else would end it
		}
	}
	return res
}

// blind: there is a commitment of which we shall know more.
func (r *resolver) blind() bool { return r.Whose == Revoked && r.Commitment == nil }

// resolved reports that no reorg will give an output back (B5.gen.3). One that only
// a preimage would give us is nobody's concern long after it expired.
func (r *resolver) resolved(o *Output) bool {
	if o.By != nil {
		return r.depth(o.By.At) >= irrevocable
	}
	return o.Claim == nil && o.complete == nil && r.depth(o.Expiry) >= irrevocable
}

// others are outputs of a commitment that we cannot read: any may be an HTLC that the
// peer takes with a preimage. While a revoked state is being loaded they include
// what was spent before.
func (r *resolver) others() (list []Output) {
	if r.Commitment != nil {
		return nil
	}
	add := func(s Spend) {
		txid := s.Tx.TxHash()
		for i, out := range s.Tx.TxOut {
			op := wire.OutPoint{Hash: txid, Index: uint32(i)}
			if _, ok := r.spent[op]; ok || s.Tx == r.Tx {
				list = append(list, Output{OutPoint: op, Value: lnwire.Sat(out.Value), PkScript: out.PkScript, At: s.At})
			}
		}
	}
	add(Spend{Tx: r.Tx, At: r.At})
	for _, s := range r.Spends {
		add(s)
	}
	return list
}

// verdict is the end of an outgoing HTLC; false while it is open. It looks at the
// HTLC's own output, not at others of the same hash (V-10, V-11).
func (r *resolver) verdict(h *HTLC) (Verdict, bool) {
	if r.blind() && h.Preimage == nil && !(r.alone(h) && r.revealed(h)) {
		return Verdict{}, false
	}
	for i := range r.out {
		if o := &r.out[i]; o.Role == FirstStage && o.Ref == h.Ref {
			return r.ended(o, h)
		}
	}
	v := Verdict{Ref: h.Ref, Absent: true}
	if h.Preimage != nil {
		v.Preimage = h.Preimage // B5.absent.1
		return v, true
	}
	if p, ok := r.search(h); ok {
		v.Preimage = &p
		return v, true
	}
	// B5.absent.2, V-05, V-06: not before a reorg to a commitment that has it is out
	// of the question.
	over := r.over(h, r.At)
	if r.Commitment == nil {
		over = over && r.depth(h.Expiry) >= reasonable // it may have an output after all
	}
	return v, over
}

// ended is the verdict on an HTLC that has an output.
func (r *resolver) ended(o *Output, h *HTLC) (Verdict, bool) {
	v := Verdict{Ref: h.Ref}
	if h.Preimage != nil { // V-24: it was seen somewhere, perhaps in what is not mined yet
		v.Preimage = h.Preimage
		return v, true
	}
	if o.By == nil {
		v.GivenUp = r.abandoned(h)
		return v, v.GivenUp
	}
	if p, ok := commitment.PreimageIn(o.By.Tx.TxIn[o.Input].Witness, h.Hash); ok { // B5.own.4, B5.their.4, V-08
		v.Preimage = &p
		return v, true
	}
	return v, r.over(h, o.By.At) // B5.own.7
}

// abandoned: an HTLC that has expired, and whose output lies where it is since nobody takes
// it at a loss, is given up: before the channel upstream would be closed for it, or, when
// it was our own payment, after a while. Should the peer take it after all, that costs
// less than the waiting did (B5.absent.4).
func (r *resolver) abandoned(h *HTLC) bool {
	if !h.Petty || r.Tip < h.Expiry {
		return false
	}
	if h.Upstream != 0 {
		return r.Tip+UpstreamMargin >= h.Upstream
	}
	return r.Tip >= h.Expiry+pettyWait
}

// over: what is mined in the block at, and ends an HTLC without a preimage, counts
// upstream: six deep, or when there is no more time to wait for that (B5.absent.3).
func (r *resolver) over(h *HTLC, at lnwire.Height) bool {
	late := h.Upstream != 0 && r.depth(at) > 0 && r.Tip+UpstreamMargin >= h.Upstream
	return late || r.depth(at) >= reasonable
}

// alone: no other outgoing HTLC has the same hash. Of several, only the commitment tells
// which one a preimage has taken (V-11).
func (r *resolver) alone(h *HTLC) bool {
	for i := range r.HTLCs {
		if o := &r.HTLCs[i]; o.Ref != h.Ref && o.Ref.Dir == htlc.Outgoing && o.Hash == h.Hash {
			return false
		}
	}
	return true
}

func (r *resolver) revealed(h *HTLC) bool {
	_, ok := r.search(h)
	return ok
}

// search looks for the preimage of an HTLC without an output in everything that the
// peer has shown in the chain. What took the output of another HTLC is that one's, not that
// of this one beside it (V-11), unless this one was trimmed: its amount went to the miner, and
// upstream makes up for that.
func (r *resolver) search(h *HTLC) (lnwire.Preimage, bool) {
	others := map[wire.OutPoint]bool{}
	if !r.trimmed(h) {
		for i := range r.out {
			if o := &r.out[i]; o.Role == FirstStage {
				others[o.OutPoint] = true
			}
		}
	}
	for i := range r.Spends {
		for _, in := range r.Spends[i].Tx.TxIn {
			if p, ok := commitment.PreimageIn(in.Witness, h.Hash); ok && !others[in.PreviousOutPoint] {
				return p, true
			}
		}
	}
	return lnwire.Preimage{}, false
}

// trimmed: the commitment in the chain holds the HTLC without an output.
func (r *resolver) trimmed(h *HTLC) bool {
	return r.Commitment != nil && slices.ContainsFunc(r.Commitment.Trimmed, func(t commitment.HTLC) bool { return t.Ref == h.Ref })
}
