package channel

import (
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Crypto is what a machine may ask while it steps: whole batches, so that the
// shell can fan out. It is a function of its arguments and of the keys it guards.
type Crypto interface {
	// Sign makes one signature for each job, in their order. ok is false when
	// the signer is away: what is owed stays owed, the next Flush asks again.
	Sign(jobs []commitment.SignJob) (sigs []lnwire.Sig, ok bool)
	// Verify reports whether every check holds.
	Verify(checks []commitment.Check) bool
	// Point is our per-commitment point n of the root; n counts up from 0.
	Point(root commitment.KeyLoc, n uint64) lnwire.PubKey
	// Secret is the secret behind Point. A machine asks for it only to put it
	// into revoke_and_ack, and to see whether a peer that claims to know it does.
	Secret(root commitment.KeyLoc, n uint64) lnwire.Secret
	// Keys is commitment.DeriveKeys of both sides' basepoints and the owner's point.
	Keys(p *commitment.Params, point lnwire.PubKey) (commitment.Keys, error)
	// Soon says that Keys will very likely be asked for, with the same arguments, by
	// one of the next steps. It changes no answer; who has idle processors may begin.
	Soon(p *commitment.Params, point lnwire.PubKey)
}
