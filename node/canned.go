package node

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Canned is a funding output that both operators have agreed upon elsewhere, with its keys,
// before the channel is opened: of a transaction that they make together, say. Nobody here
// publishes it. The funder brings it with OpenRequest, the other side by RegisterFunding.
type Canned struct {
	Funding  wire.OutPoint
	Amount   lnwire.Sat // 0: whatever the funder says
	Local    keys.KeyLoc
	LocalKey lnwire.PubKey // the key at Local, as the caller knows it
	Remote   lnwire.PubKey
	Thaw     uint32 // channel.Terms.Thaw
}

// canned are those that wait for the peer to open their channel.
type canned struct {
	mu   sync.Mutex
	byID map[lnwire.ChannelID]*Canned
}

// maxCanned is how many may wait.
const maxCanned = 1000

// checkCanned refuses what could never be a channel of ours.
func (n *Node) checkCanned(c *Canned) error {
	key, err := n.ring.PubKey(c.Local)
	switch {
	case err != nil:
		return mistake.Argument("local_key: %w", err)
	case key != c.LocalKey:
		return mistake.Argument("KeyLocator does not match attached raw pubkey")
	case c.Funding.Hash == chainhash.Hash{} || c.Funding.Index > 0xffff:
		return mistake.Argument("chan_point: no transaction can fund a channel at %v", c.Funding)
	case n.channels.funding(c.Funding) != nil || n.backups.lost(c.Funding):
		return mistake.Twice("chan_point: %v is the funding of another channel", c.Funding)
	}
	if _, err := c.Remote.Parse(); err != nil {
		return mistake.Argument("remote_key: %w", err)
	}
	return nil
}

// RegisterFunding expects a peer to open a channel under a temporary id on an output that
// was agreed upon. It is forgotten when the node ends.
func (n *Node) RegisterFunding(id lnwire.ChannelID, c Canned) error {
	if err := n.checkCanned(&c); err != nil {
		return err
	}
	s := &n.opens.canned
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byID[id] != nil:
		return mistake.Twice("duplicate pending channel ID: %x", id[:])
	case len(s.byID) >= maxCanned:
		return mistake.TooMuch("%d fundings are registered already: cancel what is not needed any more", maxCanned)
	case s.byID == nil:
		s.byID = map[lnwire.ChannelID]*Canned{}
	}
	s.byID[id] = &c
	return nil
}

func (s *canned) get(id lnwire.ChannelID) *Canned {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// drop forgets one; false when there is none.
func (s *canned) drop(id lnwire.ChannelID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.byID[id]
	delete(s.byID, id)
	return ok
}

// fund answers the funder's machine: the output has to be that of the keys which it and the
// peer have said.
func (c *Canned) fund(n *Node, e *entry, q channel.AskFund) channel.Answer {
	_, script := commitment.FundingScript(c.LocalKey, c.Remote)
	switch {
	case !bytes.Equal(script, q.Script):
		return channel.Declined{Text: "the peer's funding key is not the remote_key of the shim"}
	case !n.channels.fund(e, c.Funding):
		return channel.Declined{Text: "the funding output is that of another channel"}
	}
	return channel.Funded{At: &c.Funding}
}

// refuses says why a peer's open_channel is not what was registered; "" when it is.
func (c *Canned) refuses(m *lnwire.OpenChannel) string {
	switch {
	case m.FundingPubKey != c.Remote:
		return "funding_pubkey is not the one that was agreed upon"
	case c.Amount != 0 && m.FundingSat != c.Amount:
		return fmt.Sprintf("funding_satoshis of %d are not the %d that were agreed upon", m.FundingSat, c.Amount)
	}
	return ""
}
