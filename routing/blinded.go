package routing

import (
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// BlindedHop is one node of a blinded path: its blinded id and what only it can read.
type BlindedHop struct {
	ID   lnwire.PubKey
	Data []byte // encrypted_recipient_data
}

// Tail is the part of a route that its maker, the recipient, has blinded. Its first
// node is the introduction node, which we know by its real id.
type Tail struct {
	PathKey lnwire.PubKey // first_path_key
	Hops    []BlindedHop
}

// ID is the blinded id of the recipient, by which a route names it.
func (t *Tail) ID() lnwire.PubKey {
	if len(t.Hops) == 0 {
		return lnwire.PubKey{}
	}
	return t.Hops[len(t.Hops)-1].ID
}

// BlindedPath is a way to a recipient that hides itself (BOLT 4, Route Blinding), with
// what the whole of it costs (blinded_payinfo). It is used like one channel from Intro
// to the recipient.
type BlindedPath struct {
	Intro lnwire.PubKey // the introduction node
	Tail
	Base     uint32          // fee_base_msat
	PPM      uint32          // fee_proportional_millionths
	Delta    uint16          // cltv_expiry_delta, with what the recipient wants
	Min, Max lnwire.MilliSat // htlc_minimum_msat, htlc_maximum_msat
	Features lnwire.Features
}

// usable: a path with a node in it that does not require what we do not know. One
// that begins with ourselves is none that we could walk.
//
// B4.origin.14: a blinded path that requires an unknown feature is not used.
func (b *BlindedPath) usable(self lnwire.PubKey) bool {
	return len(b.Hops) > 0 && !b.Intro.IsZero() && b.Intro != self && len(b.Features.UnknownRequired(lnwire.InBlindedPath)) == 0
}

// Behind is the path from its second node on, for a payer who is its first node and has
// opened what it was told there: the next node and its path key, and its own terms for
// carrying the payment on. Those it asks for no more; as BOLT 4 folds fees into one sum,
// those of the rest come out exactly. The next node is found by its real id, and so takes
// the part of the introduction node.
func (b BlindedPath) Behind(next, pathKey lnwire.PubKey, own onion.PaymentRelay) (rest BlindedPath, ok bool) {
	if len(b.Hops) < 2 || b.Base < own.FeeBase || b.PPM < own.FeePPM || b.Delta < own.CLTVDelta {
		return rest, false
	}
	const million = 1_000_000
	scale := func(v uint32) uint32 { return uint32(uint64(v) * million / (million + uint64(own.FeePPM))) }
	rest = b
	rest.Intro, rest.PathKey, rest.Hops = next, pathKey, b.Hops[1:]
	rest.Base, rest.PPM, rest.Delta = scale(b.Base-own.FeeBase), scale(b.PPM-own.FeePPM), b.Delta-own.CLTVDelta
	return rest, true
}

// blinded adds the paths to a hidden recipient, each like a channel. What a path did
// not carry before it does not carry now.
func (f *Finder) blinded() error {
	any := false
	for i := range f.q.Blinded {
		b := &f.q.Blinded[i]
		if !b.usable(f.q.Source) {
			continue
		}
		any = true
		p := Policy{Base: b.Base, PPM: b.PPM, Delta: b.Delta, Min: b.Min, Max: b.Max}
		id := b.ID()
		for _, o := range f.q.Failed {
			if o.From == b.Intro && o.To == id {
				p.Max = min(p.Max, max(o.Amount, 1)-1)
			}
		}
		f.extras = append(f.extras, extra{from: f.index(b.Intro), to: f.target, path: b, policy: p})
		f.at(f.target).marks |= markExtra
	}
	if !any && len(f.q.Blinded) > 0 {
		return noRoute("none of the recipient's %d blinded paths can be used: they begin with ourselves, are empty or require what this node does not know", len(f.q.Blinded))
	}
	return nil
}

// TailLen is the room that the longest of the blinded paths takes in an onion.
func TailLen(paths []BlindedPath, final onion.Final) (int, error) {
	most := 0
	for i := range paths {
		r := Route{Tail: &paths[i].Tail, Hops: make([]Hop, 2)}
		if len(r.Tail.Hops) == 0 {
			continue
		}
		r.Hops[1] = Hop{Forward: final.Amount, Expiry: final.Expiry}
		hops, err := BuildPayloads(&r, final)
		if err != nil {
			return 0, err
		}
		sum := 0
		for _, h := range hops {
			sum += onion.HopLen(len(h.Payload))
		}
		most = max(most, sum)
	}
	return most, nil
}

// intro is the index of the hop with which the blinded part begins; the number of
// hops when there is none.
func (r *Route) intro() int {
	if r.Tail == nil {
		return len(r.Hops)
	}
	return max(len(r.Hops)-2, 0)
}

// tailPayloads are those of the blinded part: amounts and channels are in what the
// recipient encrypted, only itself is told what is paid.
//
// B4.origin.15: the introduction node is given the path key, every blinded node its encrypted data, and only the last one amount, expiry and total.
func (r *Route) tailPayloads(final onion.Final) []onion.Payload {
	out := make([]onion.Payload, len(r.Tail.Hops))
	for i := range r.Tail.Hops {
		out[i].EncryptedRecipientData = r.Tail.Hops[i].Data
		if out[i].EncryptedRecipientData == nil {
			out[i].EncryptedRecipientData = []byte{}
		}
	}
	key, end := r.Tail.PathKey, r.Hops[len(r.Hops)-1]
	out[0].CurrentPathKey = &key
	last := &out[len(out)-1]
	total := final.Total
	last.AmtToForward, last.OutgoingCLTV, last.TotalAmount, last.Custom = &end.Forward, &end.Expiry, &total, final.Custom
	return out
}

// inside reads that something inside a blinded path went wrong: nobody but the
// recipient is to know what, so that the whole path is to blame, for this payment.
//
// B4.origin.16: a failure from inside a blinded path is charged to the whole path.
func (d *reading) inside(code onion.Code) verdict {
	d.passed(d.r.intro() + 1)
	if code == onion.IncorrectOrUnknownPaymentDetails {
		d.v.end = ReasonIncorrectDetails
	} else if code != onion.MPPTimeout {
		d.v.path = d.path()
	}
	return d.v
}

// path says that a blinded path did not carry what it should.
func (d *reading) path() *Observation {
	last := len(d.r.Hops) - 1
	return &Observation{From: d.r.Hops[d.r.intro()].Node, To: d.r.Hops[last].Node, Amount: d.r.carried(last)}
}
