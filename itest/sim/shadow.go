package sim

import (
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// shadow looks at what a message promises, and whether the disk of the node that sends it
// would still know of it after a crash in this moment (I8).
func (w *World) shadow(l *life, m lnwire.Message) {
	var id lnwire.ChannelID
	var holds func(*channel.Rows) bool
	switch m := m.(type) {
	case *lnwire.RevokeAndAck:
		id = m.ChannelID
		holds = func(rows *channel.Rows) bool { return l.revoked(rows, m.Secret) }
	case *lnwire.UpdateFulfillHTLC:
		id = m.ChannelID
		holds = func(rows *channel.Rows) bool { return fulfilled(rows, m.ID) }
	default:
		return
	}
	for _, rows := range l.channels() {
		if rows.Core.ChannelID == id && !holds(&rows) {
			w.fail("I8: %s sends %v, and would not know of it after a crash", l.home.name, m.Type())
		}
	}
}

// revoked: the secret is that of a commitment that the durable state has left behind. Some
// that were revoked since may have become durable together.
func (l *life) revoked(rows *channel.Rows, s lnwire.Secret) bool {
	for n := rows.Core.LocalN; n > 0 && n+8 > rows.Core.LocalN; n-- {
		if l.home.ring.Secret(rows.Terms.Keys.Root, n-1) == s {
			return true
		}
	}
	return false
}

// fulfilled: the incoming HTLC is being removed with its preimage, or gone.
func fulfilled(rows *channel.Rows, id uint64) bool {
	for _, h := range rows.HTLCs {
		if h.Ref.Dir == htlc.Incoming && h.Ref.ID == id {
			return h.Removal != nil && h.Removal.Kind == htlc.Fulfilled
		}
	}
	return true
}
