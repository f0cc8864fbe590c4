package translate

import (
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// BlindedConfig reads what the blinded paths of an invoice are to be like.
func BlindedConfig(c *lnrpc.BlindedPathConfig) (node.BlindedConfig, error) {
	b := node.DefaultBlinded
	if c == nil {
		return b, nil
	}
	if c.MinNumRealHops != nil {
		b.MinReal = int(min(c.GetMinNumRealHops(), 1000))
		b.Hops = max(b.Hops, b.MinReal)
	}
	if c.NumHops != nil {
		b.Hops = int(min(c.GetNumHops(), 1000))
	}
	if c.MaxNumPaths != nil {
		b.MaxPaths = int(min(c.GetMaxNumPaths(), 1000))
	}
	for _, id := range c.NodeOmissionList {
		key, err := PubKey("node_omission_list", id)
		if err != nil {
			return b, err
		}
		b.Omit = append(b.Omit, key)
	}
	b.Through = SCIDs(c.IncomingChannelList)
	return b, nil
}

// BlindedPaths are the blinded paths of an invoice as messages.
func BlindedPaths(list []onion.PaymentPath) []*lnrpc.BlindedPaymentPath {
	var out []*lnrpc.BlindedPaymentPath
	for i := range list {
		p := &list[i]
		m := &lnrpc.BlindedPaymentPath{
			BlindedPath: BlindedPath(&p.BlindedPath), BaseFeeMsat: uint64(p.FeeBase), ProportionalFeeRate: p.FeePPM,
			TotalCltvDelta: uint32(p.CLTVDelta), HtlcMinMsat: uint64(p.HTLCMinimum), HtlcMaxMsat: uint64(p.HTLCMaximum),
		}
		for _, bit := range p.Features.Bits() {
			m.Features = append(m.Features, lnrpc.FeatureBit(bit))
		}
		out = append(out, m)
	}
	return out
}

// BlindedPath is a blinded path as a message. Its first node may be named by a channel:
// then introduction_node has the nine bytes of that, as it came.
func BlindedPath(p *onion.BlindedPath) *lnrpc.BlindedPath {
	out := &lnrpc.BlindedPath{IntroductionNode: p.FirstNode[:], BlindingPoint: p.PathKey[:]}
	if p.FirstChannel != nil {
		out.IntroductionNode = p.FirstChannel.Append(nil)
	}
	for i := range p.Hops {
		out.BlindedHops = append(out.BlindedHops, &lnrpc.BlindedHop{BlindedNode: p.Hops[i].NodeID[:], EncryptedData: p.Hops[i].Data})
	}
	return out
}
