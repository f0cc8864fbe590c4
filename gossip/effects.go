package gossip

import (
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Effects is what one step wants from the world. Rows go to the store in order.
// Nothing waits for them: what is lost of the map is learned again. Only a Send of
// our own announcements should not outrun the rows of the same step by a crash, lest
// a timestamp be used twice; timestamps follow the clock, so even that heals.
type Effects struct {
	Rows    []Row
	Changes []Change // for the graph of paths, and for subscribers, in order
	Verify  []Verify
	LookUp  []LookUp
	Read    []Read
	Sign    []Sign
	Send    []Send
	// Own are our newest channel_updates, where they changed: for the switch.
	Own []OwnUpdate
	// Theirs are the updates of our peers for channels with us, also private ones:
	// for route hints.
	Theirs     []PeerUpdate
	Disconnect []Disconnect
	// Synced: a peer was asked for all that it has, and what we lacked of it was judged.
	Synced bool
	Wake   time.Time // when to send Tick; zero: not needed
}

// Append puts what a later step wants behind what earlier ones want.
func (fx *Effects) Append(next Effects) {
	fx.Rows = append(fx.Rows, next.Rows...)
	fx.Changes = append(fx.Changes, next.Changes...)
	fx.Verify = append(fx.Verify, next.Verify...)
	fx.LookUp = append(fx.LookUp, next.LookUp...)
	fx.Read = append(fx.Read, next.Read...)
	fx.Sign = append(fx.Sign, next.Sign...)
	fx.Send = append(fx.Send, next.Send...)
	fx.Own = append(fx.Own, next.Own...)
	fx.Theirs = append(fx.Theirs, next.Theirs...)
	fx.Disconnect = append(fx.Disconnect, next.Disconnect...)
	fx.Synced = fx.Synced || next.Synced
	fx.Wake = next.Wake
}

// Check is one signature: Key's owner must have signed Digest.
type Check struct {
	Digest [32]byte
	Key    lnwire.PubKey
	Sig    lnwire.Sig
}

// OK does the check.
func (c Check) OK() bool { return lnwire.VerifySig(c.Digest, c.Key, c.Sig) }

// Verify asks for a Verified with the same ID.
type Verify struct {
	ID     uint64
	Checks []Check
}

// OK does all the checks.
func (v Verify) OK() bool {
	return !slices.ContainsFunc(v.Checks, func(c Check) bool { return !c.OK() })
}

// LookUp asks for a Found with the same ID: is the output at that place of the
// chain unspent, and is Script its script?
type LookUp struct {
	ID     uint64
	SCID   lnwire.ShortChannelID
	Script []byte
}

// Read asks for a Values with the same ID.
type Read struct {
	ID   uint64
	Keys []Key
}

// Sign asks for a Signed with the same ID, by the key of our node id.
type Sign struct {
	ID     uint64
	Digest [32]byte
}

// Send is an indivisible group of messages for a peer. With Gossip it belongs into
// the connection's lane for gossip, and no other such Send for this peer comes
// before Drained.
type Send struct {
	Peer   lnwire.PubKey
	Msgs   []lnwire.Message
	Gossip bool
}

// OwnUpdate is the newest channel_update that we made for a channel. The message is
// never changed.
type OwnUpdate struct {
	ChanNum uint64
	Update  *lnwire.ChannelUpdate
}

// PeerUpdate is the newest channel_update of the peer for a channel of ours.
type PeerUpdate struct {
	ChanNum uint64
	Policy  Policy
}

// Disconnect asks to drop the connection after what was sent is written.
type Disconnect struct {
	Peer lnwire.PubKey
	Why  string
}
