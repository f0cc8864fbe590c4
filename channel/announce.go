package channel

import (
	"bytes"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// announceable: the channel is public, in use, not about to end, and deep enough
// that no reorg moves it (B2.ann.1).
func (c *Channel) announceable() bool {
	return c.core.Phase == Open && !c.terms.Private && c.depth() >= announceDepth && !c.want.closing
}

// announcement is our channel_announcement, yet without signatures; first reports
// that we are node 1.
func (c *Channel) announcement() (m *lnwire.ChannelAnnouncement, first bool) {
	m = &lnwire.ChannelAnnouncement{
		Features: lnwire.Features{}, ChainHash: c.cfg.Chain, SCID: c.core.SCID,
		NodeID1: c.cfg.NodeID, NodeID2: c.peer,
		BitcoinKey1: c.terms.Ours.Funding, BitcoinKey2: c.terms.Theirs.Funding,
	}
	first = bytes.Compare(c.cfg.NodeID[:], c.peer[:]) < 0
	if !first {
		m.NodeID1, m.NodeID2 = m.NodeID2, m.NodeID1
		m.BitcoinKey1, m.BitcoinKey2 = m.BitcoinKey2, m.BitcoinKey1
	}
	return m, first
}

// announce sends our halves of the announcement: once on each connection until the
// peer's are here (B2.ann.2).
func (c *Channel) announce() {
	known := c.core.PeerAnn != nil && c.core.PeerAnn.SCID == c.core.SCID
	if !c.announceable() || !c.conn.synced || c.conn.annSent || known && !c.conn.annOwed {
		return
	}
	c.sendAnn()
	c.publishAnn()
}

// sendAnn sends announcement_signatures, unless the signer is away.
func (c *Channel) sendAnn() (node, bitcoin lnwire.Sig, ok bool) {
	node, bitcoin, ok = c.signAnn()
	if !ok {
		return node, bitcoin, false
	}
	c.conn.annSent = true
	c.send(&lnwire.AnnouncementSignatures{ChannelID: c.core.ChannelID, SCID: c.core.SCID, NodeSig: node, BitcoinSig: bitcoin})
	return node, bitcoin, true
}

// signAnn makes our two signatures.
func (c *Channel) signAnn() (node, bitcoin lnwire.Sig, ok bool) {
	m, _ := c.announcement()
	digest := m.SignedDigest()
	sigs, ok := c.crypto.Sign([]commitment.SignJob{{Key: c.cfg.NodeKey, Digest: digest}, {Key: c.terms.Keys.Funding, Digest: digest}})
	if !ok || len(sigs) != 2 {
		return node, bitcoin, false
	}
	return sigs[0], sigs[1], true
}

// gotAnn takes the peer's halves. They may come before we see the funding as deep
// as the peer does: then they wait.
func (c *Channel) gotAnn(m *lnwire.AnnouncementSignatures) {
	if c.terms.Private {
		c.send(&lnwire.Warning{ChannelID: c.id(), Data: []byte("announcement_signatures: the channel is not public")})
		return
	}
	if c.core.SCID != 0 && m.SCID != c.core.SCID {
		c.send(&lnwire.Warning{ChannelID: c.id(), Data: []byte("announcement_signatures: short_channel_id is not that of the funding")})
		return
	}
	sigs := AnnSigs{SCID: m.SCID, NodeSig: m.NodeSig, BitcoinSig: m.BitcoinSig}
	if c.core.SCID != 0 && !c.checkAnn(&sigs) { // B2.ann.3
		c.warn("announcement_signatures: a signature is wrong")
		return
	}
	fresh := c.core.PeerAnn == nil || *c.core.PeerAnn != sigs
	if fresh {
		c.core.PeerAnn = &sigs
		c.save()
	}
	switch {
	case !c.announceable():
		c.conn.annOwed = true
	case fresh || !c.conn.annSent: // B2.ann.2
		// Once more if ours went out already: LDK drops those that come before it has seen
		// the block that we have.
		c.sendAnn()
	}
	c.publishAnn()
}

// checkAnn verifies the peer's halves.
func (c *Channel) checkAnn(a *AnnSigs) bool {
	m, _ := c.announcement()
	digest := m.SignedDigest()
	return c.crypto.Verify([]commitment.Check{
		{Key: c.peer, Digest: digest, Sig: a.NodeSig},
		{Key: c.terms.Theirs.Funding, Digest: digest, Sig: a.BitcoinSig},
	})
}

// publishAnn gives the complete announcement to gossip (B2.ann.4).
func (c *Channel) publishAnn() {
	theirs := c.core.PeerAnn
	if theirs == nil || theirs.SCID != c.core.SCID || !c.announceable() || !c.checkAnn(theirs) {
		return
	}
	node, bitcoin, ok := c.signAnn()
	if !ok {
		return
	}
	m, first := c.announcement()
	m.NodeSig1, m.BitcoinSig1, m.NodeSig2, m.BitcoinSig2 = node, bitcoin, theirs.NodeSig, theirs.BitcoinSig
	if !first {
		m.NodeSig1, m.NodeSig2 = m.NodeSig2, m.NodeSig1
		m.BitcoinSig1, m.BitcoinSig2 = m.BitcoinSig2, m.BitcoinSig1
	}
	c.fx.Announce = m
}
