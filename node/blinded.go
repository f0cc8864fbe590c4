package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/routing"
)

// BlindedConfig shapes the blinded paths of an invoice.
type BlindedConfig struct {
	MinReal  int // hops that are nodes before us; 0: we may be the introduction node ourselves
	Hops     int // hops in all, dummies included, without our own
	MaxPaths int
	Omit     []lnwire.PubKey         // nodes that no path may use
	Through  []lnwire.ShortChannelID // the channel that every path has to end with; none: any
}

// DefaultBlinded are the paths of an invoice when nothing else was said, as lnd has them.
var DefaultBlinded = BlindedConfig{MinReal: 1, Hops: 2, MaxPaths: 3}

const (
	// maxPathHops is what the field of an invoice holds of nodes, ours included, with
	// their data.
	maxPathHops = 5
	// blockPadding are the blocks that may be found while a payment is on its way. With a
	// blinded path the payer cannot add them.
	blockPadding = 3
	// blockTime is what a block takes on average.
	blockTime = 10 * time.Minute
)

func (b *BlindedConfig) check() error {
	switch {
	case b.Hops < b.MinReal:
		return fmt.Errorf("the minimum number of real hops %d is above the number of hops %d", b.MinReal, b.Hops)
	case b.MinReal > 1:
		return errors.New("blinded paths with more than one real hop before us are not made")
	case b.Hops >= maxPathHops:
		return fmt.Errorf("%d hops do not fit an invoice, at most %d do", b.Hops, maxPathHops-1)
	case b.MaxPaths < 1 || b.MaxPaths > invoice.MaxHints:
		return fmt.Errorf("number of blinded paths must be 1 to %d", invoice.MaxHints)
	case len(b.Through) > 1:
		return errors.New("an incoming channel list of more than one channel is not supported")
	}
	return nil
}

// AddBlindedInvoice is AddInvoice with blinded paths in the place of our id: who pays
// does not learn who we are.
func (n *Node) AddBlindedInvoice(ctx context.Context, t invoice.Terms, b BlindedConfig) (invoice.Invoice, error) {
	if err := b.check(); err != nil {
		return invoice.Invoice{}, mistake.Argument("%w", err)
	}
	rand.Read(t.Secret[:])
	t.FinalDelta = n.finalDelta(t.FinalDelta)
	var err error
	if t.Blinded, err = n.blindedPaths(&t, &b); err != nil {
		return invoice.Invoice{}, err
	}
	nobody, err := btcec.NewPrivateKey()
	if err != nil {
		return invoice.Invoice{}, err
	}
	// The invoice must be signed by somebody, and that would be who we are.
	sign := func(digest [32]byte) [65]byte { return [65]byte(ecdsa.SignCompact(nobody, digest[:], true)) }
	return n.addInvoice(ctx, t, sign)
}

// blindedPaths are paths to us over peers that know how to blind a route, the channels that
// can bring the most first, one for each peer.
func (n *Node) blindedPaths(t *invoice.Terms, b *BlindedConfig) ([]onion.PaymentPath, error) {
	terms := onion.PathTerms{
		HTLCMaximum: lnwire.MaxMilliSat, // of whoever is the only node of its path
		Us:          n.id, PathID: t.Secret[:], FinalDelta: uint16(t.FinalDelta + blockPadding),
		// The path must not end before the invoice does.
		LastHeight: n.height() + lnwire.Height(2*(cmp.Or(t.Expiry, invoice.OurExpiry)/blockTime)+1),
	}
	var paths []onion.PaymentPath
	for _, hop := range n.pathHops(t.Amount, b) {
		if len(paths) == b.MaxPaths {
			break
		}
		terms.Hops, terms.Dummies = []onion.PathHop{hop}, b.Hops-1
		p, err := blindPayment(terms)
		if err != nil {
			n.logs.invoices.Debug("a peer is no good for a blinded path", "peer", hop.Node, "err", err)
			continue
		}
		paths = append(paths, p)
	}
	if len(paths) == 0 && b.MinReal == 0 {
		terms.Hops, terms.Dummies = nil, b.Hops
		p, err := blindPayment(terms)
		return []onion.PaymentPath{p}, err
	}
	if len(paths) == 0 {
		return nil, mistake.State("could not find any routes to self to use for blinded route construction")
	}
	return paths, nil
}

func blindPayment(terms onion.PathTerms) (onion.PaymentPath, error) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return onion.PaymentPath{}, err
	}
	return onion.BlindPayment(key, terms)
}

// pathHops are the peers that a payment of the amount could come in by, blinded: others
// have to find them in the map.
func (n *Node) pathHops(amount lnwire.MilliSat, b *BlindedConfig) (hops []onion.PathHop) {
	links := n.Links()
	slices.SortStableFunc(links, func(x, y channel.LinkState) int { return cmp.Compare(y.Receivable, x.Receivable) })
	graph := n.gossip.snapshot()
	used := map[lnwire.PubKey]bool{}
	for _, l := range links {
		if l.Ended || !l.Up || l.Hint() == 0 || l.Receivable < max(amount, 1) || used[l.Peer] || slices.Contains(b.Omit, l.Peer) {
			continue
		}
		if len(b.Through) > 0 && !slices.Contains(append(l.Names(), l.SCID), b.Through[0]) {
			continue
		}
		c := n.host.Conn(l.Peer)
		if c == nil || !c.Features().HasEither(lnwire.RouteBlindingOptional) || !graph.Has(l.Peer) {
			continue
		}
		p, ok := n.PeerPolicy(l.ChanNum)
		if !ok || p.Disabled || p.Maximum == 0 || amount != 0 && amount < p.Minimum {
			continue
		}
		used[l.Peer] = true
		hops = append(hops, onion.PathHop{
			Node: l.Peer, SCID: l.Hint(), Relay: onion.PaymentRelay{
				CLTVDelta: uint16(min(more(uint64(p.CLTVDelta)), math.MaxUint16)),
				FeeBase:   uint32(min(more(uint64(p.FeeBase)), math.MaxUint32)),
				FeePPM:    uint32(min(more(uint64(p.FeePPM)), math.MaxUint32)),
			},
			HTLCMinimum: lnwire.MilliSat(more(uint64(p.Minimum))),
			HTLCMaximum: p.Maximum / 10 * 9,
		})
	}
	return hops
}

// more is a tenth more: a path outlives small changes of its nodes' terms, and does not
// show them exactly.
func more(v uint64) uint64 { return v + (v+9)/10 }

// behindUs are blinded paths to pay over, of which those that begin with us are walked up
// to the next node: we need nobody to carry our payment to ourselves.
func (n *Node) behindUs(paths []routing.BlindedPath) []routing.BlindedPath {
	paths = slices.Clone(paths)
	for i := range paths {
		for range ownSteps {
			rest, ok := n.stepInto(&paths[i])
			if !ok {
				break
			}
			paths[i] = rest
		}
	}
	return paths
}

// stepInto opens what the first node of a path was told, if that is us.
func (n *Node) stepInto(p *routing.BlindedPath) (rest routing.BlindedPath, ok bool) {
	if p.Intro != n.id || len(p.Hops) == 0 {
		return rest, false
	}
	b, err := onion.Unblind(n.key, p.PathKey)
	if err != nil {
		return rest, false
	}
	data, err := b.OpenData(p.Hops[0].Data)
	if err != nil || data.Relay == nil {
		return rest, false
	}
	relay := onion.Relay{}
	switch {
	case data.ShortChannelID != nil:
		relay.SCID = *data.ShortChannelID
	case data.NextNode != nil:
		relay.Node = *data.NextNode
	default: // a dummy hop of a path of our own
		return rest, false
	}
	next := n.messages.next(&relay)
	if next.IsZero() {
		return rest, false
	}
	return p.Behind(next, data.Next(b), *data.Relay)
}
