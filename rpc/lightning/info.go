package lightning

import (
	"context"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// GetInfo tells who the node is and how far it has come.
func (s *Service) GetInfo(ctx context.Context, _ *lnrpc.GetInfoRequest) (*lnrpc.GetInfoResponse, error) {
	n := s.node
	list, err := n.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	alias, color, addrs := n.Self()
	tip, chain, synced, id := n.Tip(), n.Chain(), n.SyncedToChain(), n.ID()
	network := networkName(n.Net())
	out := &lnrpc.GetInfoResponse{
		Version: s.cfg.Version, CommitHash: s.cfg.Commit, IdentityPubkey: id.String(), Alias: alias.String(), Color: color.String(),
		NumPeers: uint32(len(n.ListPeers())), BlockHeight: uint32(tip.Height), BlockHash: tip.Hash.String(),
		BestHeaderTimestamp: translate.Unix(chain.TipTime), SyncedToChain: synced, SyncedToGraph: n.SyncedToGraph(), WalletSynced: synced,
		Testnet: network == "testnet", Chains: []*lnrpc.Chain{{Chain: "bitcoin", Network: network}},
		StoreFinalHtlcResolutions: n.StoresResolutions(), RequireHtlcInterceptor: n.RequiresInterceptor(),
		Features: translate.Features(n.Features()), GraphCacheStatus: lnrpc.GraphCacheStatus_GRAPH_CACHE_STATUS_LOADED,
	}
	for _, a := range addrs {
		out.Uris = append(out.Uris, id.String()+"@"+a.String())
	}
	for i := range list {
		switch c := &list[i]; {
		case listed(c) && c.Active:
			out.NumActiveChannels++
		case listed(c):
			out.NumInactiveChannels++
		case !over(c) && !(forced(c) && settled(c, tip.Height)):
			out.NumPendingChannels++
		}
	}
	return out, nil
}

// listed: ListChannels shows it; PendingChannels shows the others, unless they are
// over.
func listed(c *channel.Info) bool {
	return c.Core.Phase == channel.Open || c.Core.Phase == channel.ShuttingDown
}

// forced: a commitment is in the chain.
func forced(c *channel.Info) bool {
	return c.Core.Spend != nil && c.Core.Spend.Kind != channel.SpentByMutual
}

// over: ClosedChannels shows it. What is left of a forced close is shown as pending
// until all of it is home.
func over(c *channel.Info) bool {
	return c.Core.Phase == channel.Closed || c.Core.Spend != nil && c.Core.Spend.Reported && !forced(c)
}

// networkName is lnrpc's name of a network.
func networkName(p *chaincfg.Params) string {
	if name, ok := map[string]string{"testnet3": "testnet"}[p.Name]; ok {
		return name
	}
	return p.Name
}

// DebugLevel changes what is logged.
func (s *Service) DebugLevel(_ context.Context, r *lnrpc.DebugLevelRequest) (*lnrpc.DebugLevelResponse, error) {
	text, err := s.cfg.Levels(r.Show, r.LevelSpec)
	if err != nil {
		return nil, translate.Mistake("%w", err)
	}
	return &lnrpc.DebugLevelResponse{SubSystems: text}, nil
}

// GetDebugInfo gives out the configuration and the log.
func (s *Service) GetDebugInfo(_ context.Context, r *lnrpc.GetDebugInfoRequest) (*lnrpc.GetDebugInfoResponse, error) {
	config, lines, err := s.cfg.Debug(r.IncludeLog)
	if err != nil {
		return nil, err
	}
	return &lnrpc.GetDebugInfoResponse{Config: config, Log: lines}, nil
}

// StopDaemon begins the shutdown.
func (s *Service) StopDaemon(context.Context, *lnrpc.StopRequest) (*lnrpc.StopResponse, error) {
	s.cfg.Stop()
	return &lnrpc.StopResponse{Status: "shutdown initiated, check logs for progress"}, nil
}

// GetRecoveryInfo tells how far the search for a restored wallet's coins has come.
func (s *Service) GetRecoveryInfo(context.Context, *lnrpc.GetRecoveryInfoRequest) (*lnrpc.GetRecoveryInfoResponse, error) {
	r := s.node.Recovery()
	return &lnrpc.GetRecoveryInfoResponse{RecoveryMode: r.Asked, RecoveryFinished: r.Finished, Progress: r.Progress}, nil
}
