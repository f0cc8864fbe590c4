package lightning

import (
	"context"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// measuring holds a token for each calculation over all of the map that is under way: one
// takes a processor for many seconds, and the node needs the others.
var measuring = make(chan struct{}, 1)

// GetNodeMetrics tells how central each node is.
func (s *Service) GetNodeMetrics(ctx context.Context, req *lnrpc.NodeMetricsRequest) (*lnrpc.NodeMetricsResponse, error) {
	out := &lnrpc.NodeMetricsResponse{}
	if !slices.Contains(req.Types, lnrpc.NodeMetricType_BETWEENNESS_CENTRALITY) {
		return out, nil
	}
	select {
	case measuring <- struct{}{}:
		defer func() { <-measuring }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := s.node.Graph().Centrality()
	for i := range c.Nodes() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.From(i)
	}
	out.BetweennessCentrality = make(map[string]*lnrpc.FloatMetric, c.Nodes())
	c.Each(func(id lnwire.PubKey, value, normalized float64) {
		out.BetweennessCentrality[id.String()] = &lnrpc.FloatMetric{Value: value, NormalizedValue: normalized}
	})
	return out, nil
}
