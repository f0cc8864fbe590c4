package channel

import "fmt"

// A channel without confirmations is used before its funding is mined. Its funder trusts
// itself; the fundee trusts the funder, for a while: what is paid to us over the channel,
// and what we carry onwards because of it, is lost when the funding is never mined or its
// coins are spent otherwise. What we offer over it is only lost to ourselves.

// trusting: HTLCs are taken from the peer though the funding is not in the chain
// (B2.zeroconf.4).
func (c *Channel) trusting() bool {
	t := c.terms
	return t.Kind().ZeroConf && (t.Funder || c.core.Tip.Height < t.OpenedTip.Height+trustFor)
}

// atStake: a trusted funder owes us money, which is ours should the funding confirm
// after all: then the channel is never forgotten.
func (c *Channel) atStake() bool {
	return c.terms.Kind().ZeroConf && (c.core.Ours > 0 || len(c.in)+len(c.out) > 0)
}

// doubt tells the operator of a trusted funding that does not confirm.
func (c *Channel) doubt() {
	t := c.terms
	if t.Funder || !t.Kind().ZeroConf || c.core.Confirmed != nil || c.core.Spend != nil {
		return
	}
	waited := c.core.Tip.Height - min(c.core.Tip.Height, t.OpenedTip.Height)
	if waited != doubtAfter && (waited == 0 || waited%trustFor != 0) {
		return
	}
	more := "the HTLCs that come over it are still taken"
	if !c.trusting() {
		more = "no more HTLCs are taken that come over it"
	}
	c.tell(NoticeUnconfirmed, fmt.Sprintf(
		"the funding is not in the chain after %d blocks: the %v that are ours in it may be lost; %s", waited, c.core.Ours, more))
}
