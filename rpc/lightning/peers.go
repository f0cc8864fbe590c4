package lightning

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// dialTimeout is how long a connection may take to come about if the caller does not
// say.
const dialTimeout = 30 * time.Second

// ConnectPeer dials a node.
func (s *Service) ConnectPeer(ctx context.Context, req *lnrpc.ConnectPeerRequest) (*lnrpc.ConnectPeerResponse, error) {
	if req.Addr == nil {
		return nil, translate.Invalid("addr", "need: lnc pubkeyhash@hostname")
	}
	id, err := translate.PubKeyHex("addr.pubkey", req.Addr.Pubkey)
	if err != nil {
		return nil, err
	}
	if req.Addr.Host == "" {
		return nil, translate.Invalid("addr.host", "must be set")
	}
	timeout := dialTimeout
	if req.Timeout > 0 {
		timeout = time.Duration(min(req.Timeout, math.MaxInt32)) * time.Second
	}
	if err := s.node.ConnectPeer(ctx, id, req.Addr.Host, req.Perm, timeout); err != nil {
		return nil, err
	}
	return &lnrpc.ConnectPeerResponse{Status: "connection to " + id.String() + "@" + req.Addr.Host + " initiated"}, nil
}

// DisconnectPeer hangs up.
func (s *Service) DisconnectPeer(_ context.Context, req *lnrpc.DisconnectPeerRequest) (*lnrpc.DisconnectPeerResponse, error) {
	id, err := translate.PubKeyHex("pub_key", req.PubKey)
	if err != nil {
		return nil, err
	}
	if err := s.node.DisconnectPeer(id); err != nil {
		return nil, err
	}
	return &lnrpc.DisconnectPeerResponse{Status: "disconnect initiated"}, nil
}

// ListPeers lists the connections.
func (s *Service) ListPeers(ctx context.Context, req *lnrpc.ListPeersRequest) (*lnrpc.ListPeersResponse, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	sent, got := map[lnwire.PubKey]lnwire.MilliSat{}, map[lnwire.PubKey]lnwire.MilliSat{}
	for i := range list {
		sent[list[i].Terms.Peer] += list[i].Core.Sent
		got[list[i].Terms.Peer] += list[i].Core.Got
	}
	sources, err := s.node.GossipSources(ctx)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.ListPeersResponse{}
	for _, p := range s.node.ListPeers() {
		sync := lnrpc.Peer_PASSIVE_SYNC
		if slices.Contains(sources, p.ID) {
			sync = lnrpc.Peer_ACTIVE_SYNC
		}
		m := &lnrpc.Peer{
			PubKey: p.ID.String(), Address: p.Addr, BytesSent: p.Stats.BytesSent, BytesRecv: p.Stats.BytesRead,
			SatSent: int64(sent[p.ID].Sat()), SatRecv: int64(got[p.ID].Sat()), Inbound: p.Inbound,
			PingTime: p.Stats.PingTime.Microseconds(), Features: translate.Features(p.Features), SyncType: sync,
			FlapCount: int32(p.Flaps), LastFlapNs: translate.UnixNano(p.LastFlap), LastPingPayload: p.Stats.PingPayload,
		}
		for i, e := range p.Errors {
			if !req.LatestError || i == len(p.Errors)-1 {
				m.Errors = append(m.Errors, &lnrpc.TimestampedError{Timestamp: uint64(translate.Unix(e.At)), Error: e.Text})
			}
		}
		out.Peers = append(out.Peers, m)
	}
	return out, nil
}

// SubscribePeerEvents tells which peers come and go.
func (s *Service) SubscribePeerEvents(_ *lnrpc.PeerEventSubscription, out lnrpc.Lightning_SubscribePeerEventsServer) error {
	return translate.Follow(out.Context(), s.node.PeerEvents(), func(e node.PeerEvent) error {
		t := lnrpc.PeerEvent_PEER_OFFLINE
		if e.Online {
			t = lnrpc.PeerEvent_PEER_ONLINE
		}
		return out.Send(&lnrpc.PeerEvent{PubKey: e.Peer.String(), Type: t})
	})
}
