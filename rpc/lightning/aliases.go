package lightning

import (
	"context"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// ListAliases tells the aliases of our channels.
func (s *Service) ListAliases(context.Context, *lnrpc.ListAliasesRequest) (*lnrpc.ListAliasesResponse, error) {
	return &lnrpc.ListAliasesResponse{AliasMaps: translate.Aliases(s.node.ListAliases())}, nil
}
