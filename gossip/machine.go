package gossip

import (
	"errors"
)

// Machine is all of gossip. It is driven by one caller at a time; what it gives out
// is never changed by it. Its methods are
//
//	func (m *Machine) Restore(row Row) Effects  // only Changes, Own, Theirs; bad rows: Rows deleting them
//	func (m *Machine) Step(now time.Time, ev Event) Effects
//	func (m *Machine) OwnUpdate(num uint64) *lnwire.ChannelUpdate
//	func (m *Machine) Tip() lnwire.BlockRef
//	func (m *Machine) Channel(scid) (Channel, bool)
//	func (m *Machine) ChannelAt(op wire.OutPoint) (Channel, bool)
//	func (m *Machine) Channels(after lnwire.ShortChannelID, limit int) []Channel
//	func (m *Machine) PrivateChannels() []Channel
//	func (m *Machine) Node(id) (node *Node, channels []ShortChannelID, ok bool)
//	func (m *Machine) Nodes(after PubKey, limit int) []*Node
//	func (m *Machine) Info() Info
type Machine struct {
	cfg Config
}

// New makes a Machine that knows nothing. Restore follows for every row of the
// store, then the first Step.
func New(cfg Config) (*Machine, error) {
	if cfg.Self.IsZero() {
		return nil, errors.New("make gossip: our node id is not set")
	}
	cfg.fill()
	return &Machine{cfg: cfg}, nil
}
