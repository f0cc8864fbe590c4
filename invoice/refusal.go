package invoice

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// maxRefusals is how many answers are remembered: more than can be on their way
// to the channels at any time.
const maxRefusals = 4096

// refusals remember the last HTLCs that were failed. A channel that picks itself
// up from its stored state tells its HTLCs again while our answer is still in its
// inbox; by then an invoice may have come that such an HTLC would pay. Failed once
// is failed: otherwise the invoice would be settled and the money not come. Across
// a restart nothing need be remembered: an answer that is not in the channel's
// stored state was never given.
type refusals struct {
	byRef map[htlc.Ref]htlc.Resolution
	ring  []htlc.Ref
	next  int // in ring, once that is full
}

func newRefusals() refusals { return refusals{byRef: map[htlc.Ref]htlc.Resolution{}} }

func (rs *refusals) add(ref htlc.Ref, res htlc.Resolution) {
	if _, known := rs.byRef[ref]; known {
		return
	}
	rs.byRef[ref] = res
	if len(rs.ring) < maxRefusals {
		rs.ring = append(rs.ring, ref)
		return
	}
	delete(rs.byRef, rs.ring[rs.next])
	rs.ring[rs.next] = ref
	rs.next = (rs.next + 1) % maxRefusals
}

// fail answers an HTLC with a failure that only the payer can read; at the end of a
// blinded path it hears only that the path failed (B4.blind.2).
func (r *Registry) fail(ref htlc.Ref, fault htlc.Fault, f onion.Failure, detail htlc.Detail, why string, fx *Effects) {
	r.giveUp(ref, fault.With(f, r.now), detail, why, fx)
	fx.Resolve[len(fx.Resolve)-1].Code = f.Code
}

// giveUp answers an HTLC with anything but the preimage.
func (r *Registry) giveUp(ref htlc.Ref, res htlc.Resolution, detail htlc.Detail, why string, fx *Effects) {
	r.refused.add(ref, res)
	fx.Resolve = append(fx.Resolve, Resolve{Ref: ref, Resolution: res, Detail: detail, Why: why})
}
