package router

import (
	"context"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// XAddLocalChanAliases gives channels more aliases.
func (s *Service) XAddLocalChanAliases(_ context.Context, req *routerrpc.AddAliasesRequest) (*routerrpc.AddAliasesResponse, error) {
	if err := s.node.AddAliases(aliasesOf(req.AliasMaps)); err != nil {
		return nil, err
	}
	return &routerrpc.AddAliasesResponse{AliasMaps: translate.Aliases(s.node.ListAliases())}, nil
}

// XDeleteLocalChanAliases takes such aliases away.
func (s *Service) XDeleteLocalChanAliases(_ context.Context, req *routerrpc.DeleteAliasesRequest) (*routerrpc.DeleteAliasesResponse, error) {
	if err := s.node.DeleteAliases(aliasesOf(req.AliasMaps)); err != nil {
		return nil, err
	}
	return &routerrpc.DeleteAliasesResponse{AliasMaps: translate.Aliases(s.node.ListAliases())}, nil
}

// XFindBaseLocalChanAlias finds the channel of an alias.
func (s *Service) XFindBaseLocalChanAlias(_ context.Context, req *routerrpc.FindBaseAliasRequest) (*routerrpc.FindBaseAliasResponse, error) {
	base, err := s.node.AliasBase(lnwire.ShortChannelID(req.Alias))
	if err != nil {
		return nil, err
	}
	return &routerrpc.FindBaseAliasResponse{Base: uint64(base)}, nil
}

func aliasesOf(maps []*lnrpc.AliasMap) []node.Aliases {
	list := make([]node.Aliases, len(maps))
	for i, m := range maps {
		list[i].Base = lnwire.ShortChannelID(m.GetBaseScid())
		for _, id := range m.GetAliases() {
			list[i].Aliases = append(list[i].Aliases, lnwire.ShortChannelID(id))
		}
	}
	return list
}
