package lightning

import (
	"context"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// ListAliases tells the aliases of our channels.
func (s *Service) ListAliases(context.Context, *lnrpc.ListAliasesRequest) (*lnrpc.ListAliasesResponse, error) {
	out := &lnrpc.ListAliasesResponse{}
	for _, l := range s.node.Links() {
		if l.Alias != 0 && !l.Ended {
			out.AliasMaps = append(out.AliasMaps, &lnrpc.AliasMap{BaseScid: uint64(l.Name()), Aliases: []uint64{uint64(l.Alias)}})
		}
	}
	return out, nil
}
