package translate

import (
	"fmt"
	"math"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// maxBlinded bounds the blinded paths of a request, and the nodes of each.
const maxBlinded = 20

// PathsToPay are those of an invoice as routes are made of them. One whose first node
// is named by a channel cannot be used.
func PathsToPay(list []onion.PaymentPath) []routing.BlindedPath {
	var out []routing.BlindedPath
	for i := range list {
		p := &list[i]
		b := routing.BlindedPath{
			Intro: p.FirstNode, Base: p.FeeBase, PPM: p.FeePPM, Delta: p.CLTVDelta,
			Min: p.HTLCMinimum, Max: bound(p.HTLCMaximum), Features: p.Features,
		}
		b.PathKey = p.PathKey
		for _, h := range p.Hops {
			b.Hops = append(b.Hops, routing.BlindedHop{ID: h.NodeID, Data: h.Data})
		}
		out = append(out, b)
	}
	return out
}

// bound: 0 says that there is none.
func bound(most lnwire.MilliSat) lnwire.MilliSat {
	if most == 0 {
		return math.MaxUint64
	}
	return most
}

// ReadBlindedPaths reads blinded paths to be paid over.
func ReadBlindedPaths(field string, list []*lnrpc.BlindedPaymentPath) ([]routing.BlindedPath, error) {
	if len(list) > maxBlinded {
		return nil, Invalid(field, "%d paths, at most %d are looked at", len(list), maxBlinded)
	}
	var out []routing.BlindedPath
	for i, p := range list {
		b, err := readBlinded(fmt.Sprintf("%s[%d]", field, i), p)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func readBlinded(name string, p *lnrpc.BlindedPaymentPath) (b routing.BlindedPath, err error) {
	hops := p.GetBlindedPath().GetBlindedHops()
	switch {
	case len(hops) == 0 || len(hops) > maxBlinded:
		return b, Invalid(name+".blinded_hops", "%d nodes, want 1 to %d", len(hops), maxBlinded)
	case p.BaseFeeMsat > math.MaxUint32:
		return b, Invalid(name+".base_fee_msat", "%d is out of range", p.BaseFeeMsat)
	case p.TotalCltvDelta > math.MaxUint16:
		return b, Invalid(name+".total_cltv_delta", "%d is above 65535", p.TotalCltvDelta)
	case p.HtlcMaxMsat != 0 && p.HtlcMaxMsat < p.HtlcMinMsat:
		return b, Invalid(name+".htlc_max_msat", "%d is below htlc_min_msat %d", p.HtlcMaxMsat, p.HtlcMinMsat)
	}
	b = routing.BlindedPath{
		Base: uint32(p.BaseFeeMsat), PPM: p.ProportionalFeeRate, Delta: uint16(p.TotalCltvDelta),
		Min: lnwire.MilliSat(p.HtlcMinMsat), Max: bound(lnwire.MilliSat(p.HtlcMaxMsat)),
	}
	if b.Intro, err = PubKey(name+".introduction_node", p.BlindedPath.IntroductionNode); err != nil {
		return b, err
	}
	if b.PathKey, err = PubKey(name+".blinding_point", p.BlindedPath.BlindingPoint); err != nil {
		return b, err
	}
	for j, h := range hops {
		id, err := PubKey(fmt.Sprintf("%s.blinded_hops[%d].blinded_node", name, j), h.GetBlindedNode())
		if err != nil {
			return b, err
		}
		b.Hops = append(b.Hops, routing.BlindedHop{ID: id, Data: h.GetEncryptedData()})
	}
	b.Features, err = Bits(name+".features", p.Features)
	return b, err
}

// tailHops are the hops of a route from its introduction node on: what the recipient
// encrypted for each, and amounts for the last one only.
func tailHops(r *routing.Route, t *routing.Terms) []*lnrpc.Hop {
	end := len(r.Hops) - 1
	intro, last := r.Hops[end-1], r.Hops[end]
	var out []*lnrpc.Hop
	for i, h := range r.Tail.Hops {
		hop := &lnrpc.Hop{PubKey: h.ID.String(), EncryptedData: h.Data, TlvPayload: true}
		if i == 0 {
			hop.PubKey, hop.ChanId, hop.BlindingPoint = intro.Node.String(), uint64(intro.SCID), r.Tail.PathKey[:]
			hop.Fee, hop.FeeMsat = int64(intro.Fee.Sat()), int64(intro.Fee)
		}
		if i == len(r.Tail.Hops)-1 {
			hop.AmtToForward, hop.AmtToForwardMsat, hop.Expiry = int64(last.Forward.Sat()), int64(last.Forward), uint32(last.Expiry)
			if t != nil {
				hop.TotalAmtMsat, hop.CustomRecords = uint64(t.Amount), Custom(t.Custom)
			}
		}
		out = append(out, hop)
	}
	return out
}

// readTail reads the hops of a route from the introduction node on, as tailHops wrote
// them.
func readTail(field string, hops []*lnrpc.Hop, first int, amount lnwire.MilliSat, expiry lnwire.Height) (list []routing.Hop, tail *routing.Tail, err error) {
	last := hops[len(hops)-1]
	end := routing.Hop{Expiry: lnwire.Height(last.Expiry)}
	if end.Forward, err = Amount(fmt.Sprintf("%s.hops[%d].amt_to_forward", field, first+len(hops)-1), 0, or(last.AmtToForwardMsat, last.AmtToForward)); err != nil {
		return nil, nil, err
	}
	tail = new(routing.Tail)
	for i, h := range hops {
		name := fmt.Sprintf("%s.hops[%d]", field, first+i)
		id, err := PubKeyHex(name+".pub_key", h.PubKey)
		switch {
		case err != nil:
			return nil, nil, err
		case len(h.EncryptedData) == 0:
			return nil, nil, Invalid(name+".encrypted_data", "must be set: it is behind the introduction node")
		case i > 0 && len(h.BlindingPoint) > 0:
			return nil, nil, Invalid(name+".blinding_point", "belongs to the introduction node only")
		case h.MppRecord != nil:
			return nil, nil, Invalid(name+".mpp_record", "a blinded path has none; total_amt_msat takes its place")
		}
		tail.Hops = append(tail.Hops, routing.BlindedHop{ID: id, Data: h.EncryptedData})
	}
	if tail.PathKey, err = PubKey(fmt.Sprintf("%s.hops[%d].blinding_point", field, first), hops[0].BlindingPoint); err != nil {
		return nil, nil, err
	}
	intro := routing.Hop{Node: tail.Hops[0].ID, SCID: lnwire.ShortChannelID(hops[0].ChanId), Forward: end.Forward, Expiry: min(end.Expiry, expiry)}
	intro.Fee = amount - min(amount, end.Forward)
	end.Node = tail.ID()
	return []routing.Hop{intro, end}, tail, nil
}
