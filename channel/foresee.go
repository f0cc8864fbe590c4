package channel

import (
	"github.com/fulgur-ln/fulgur/channel/onchain"
)

// Foresight is what would follow if our newest commitment were mined in the next block.
type Foresight struct {
	// Outputs are what would be ours, or could become so.
	Outputs []EndOutput
	Claims  []onchain.Claim
	// Anchor would lift the commitment; nil: there is none.
	Anchor *Anchor
}

// Foresee works out a forced close without making it. False: there is no commitment to
// publish.
func (c *Channel) Foresee() (f Foresight, ok bool) {
	if c.terms == nil || c.local == nil || c.core.DataLost || c.core.Spend != nil {
		return f, false
	}
	com, err := c.localCommitment()
	if err != nil {
		return f, false
	}
	next := c.core.Tip.Height + 1
	r := onchain.Resolve(&onchain.Close{
		Whose: onchain.Ours, Commitment: com, Params: c.owner(false), Tx: com.Tx, At: next, Keys: c.terms.Keys,
		TheirSigs: c.local.HTLCSigs, HTLCs: c.unsettled(), Tip: next,
	})
	for i := range r.Outputs {
		f.Outputs = append(f.Outputs, endOutput(&r.Outputs[i]))
	}
	f.Claims = r.Claims
	if s, has := com.OwnerAnchor(c.terms.Keys); has {
		f.Anchor = &Anchor{Spend: s, Weight: com.Weight(), Fee: com.Fee}
		f.Anchor.Deadline, f.Anchor.AtRisk = c.urgent(com)
	}
	return f, true
}
