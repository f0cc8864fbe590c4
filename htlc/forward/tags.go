package forward

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// tags are the onions that were used, kept until the HTLCs that carried them have
// expired: afterwards the onion is worthless, since it commits to that expiry.
type tags struct {
	owner    map[onion.Tag]htlc.Ref
	byExpiry map[lnwire.Height][]onion.Tag
	floor    lnwire.Height
}

func newTags() tags {
	return tags{owner: map[onion.Tag]htlc.Ref{}, byExpiry: map[lnwire.Height][]onion.Tag{}}
}

func (ts *tags) add(t Tag) {
	ts.owner[t.Tag] = t.Owner
	ts.byExpiry[t.Expiry] = append(ts.byExpiry[t.Expiry], t.Tag)
}

// claim makes ref the owner of the onion behind secret. It is false when another
// HTLC used the onion before. Asking again for the same HTLC is fine.
func (ts *tags) claim(secret lnwire.Secret, h htlc.HTLC, fx *Effects) bool {
	tag := onion.ReplayTag(secret)
	if owner, used := ts.owner[tag]; used {
		return owner == h.Ref
	}
	t := Tag{Tag: tag, Expiry: h.Expiry, Owner: h.Ref}
	ts.add(t)
	fx.Delta.Tags = append(fx.Delta.Tags, t)
	return true
}

// forget drops the tags of HTLCs that have expired. It asks for the rows to go
// only now and then: a deletion need not be a write of its own.
func (ts *tags) forget(height lnwire.Height, fx *Effects) {
	for expiry := range ts.byExpiry { // order does not show
		if expiry < height {
			for _, tag := range ts.byExpiry[expiry] {
				delete(ts.owner, tag)
			}
			delete(ts.byExpiry, expiry)
		}
	}
	if height >= ts.floor+144 {
		ts.floor = height
		fx.Delta.ForgetTags = height
	}
}
