package lightning

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// ListChannels lists the open channels.
func (s *Service) ListChannels(ctx context.Context, req *lnrpc.ListChannelsRequest) (*lnrpc.ListChannelsResponse, error) {
	switch {
	case req.ActiveOnly && req.InactiveOnly:
		return nil, translate.Mistake("either `active_only` or `inactive_only` can be set, but not both")
	case req.PublicOnly && req.PrivateOnly:
		return nil, translate.Mistake("either `public_only` or `private_only` can be set, but not both")
	}
	var peer lnwire.PubKey
	if len(req.Peer) > 0 {
		var err error
		if peer, err = translate.PubKey("peer", req.Peer); err != nil {
			return nil, err
		}
	}
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	view := s.newView(list)
	out := &lnrpc.ListChannelsResponse{}
	for i := range list {
		c := &list[i]
		if !listed(c) || req.ActiveOnly && !c.Active || req.InactiveOnly && c.Active ||
			req.PublicOnly && c.Terms.Private || req.PrivateOnly && !c.Terms.Private ||
			!peer.IsZero() && c.Terms.Peer != peer {
			continue
		}
		m := view.channel(c)
		if req.PeerAliasLookup {
			m.PeerAlias = s.alias(c.Terms.Peer)
		}
		out.Channels = append(out.Channels, m)
	}
	return out, nil
}

// alias is what a node calls itself; empty if it has not said.
func (s *Service) alias(id lnwire.PubKey) string {
	info, ok := s.node.Graph().Node(id)
	if !ok || info.Updated == 0 {
		return ""
	}
	return info.Alias.String()
}

// view is what the messages about channels need to know besides the channel itself.
type view struct {
	s       *Service
	since   map[lnwire.PubKey]time.Time // when the peer connected
	other   map[htlc.Ref]htlc.Ref       // the two ends of forwards
	scids   map[uint64]lnwire.ShortChannelID
	aliases map[lnwire.ShortChannelID][]uint64
}

func (s *Service) newView(list []channel.Info) *view {
	v := &view{
		s: s, since: map[lnwire.PubKey]time.Time{}, other: map[htlc.Ref]htlc.Ref{}, scids: map[uint64]lnwire.ShortChannelID{},
		aliases: map[lnwire.ShortChannelID][]uint64{},
	}
	for _, a := range translate.Aliases(s.node.ListAliases()) {
		v.aliases[lnwire.ShortChannelID(a.BaseScid)] = a.Aliases
	}
	for _, p := range s.node.ListPeers() {
		v.since[p.ID] = p.Stats.Since
	}
	for i := range list {
		c := &list[i]
		v.scids[c.Terms.ChanNum] = c.Name()
		for j := range c.HTLCs {
			if h := &c.HTLCs[j]; h.Ref.Dir == htlc.Outgoing && h.Origin.Kind == htlc.FromForward {
				v.other[h.Ref], v.other[h.Origin.Ref] = h.Origin.Ref, h.Ref
			}
		}
	}
	return v
}

// balances are both sides' in our commitment, in satoshis, after what the opener pays
// for it.
func balances(c *channel.Info) (ours, theirs lnwire.Sat) {
	o, t := exact(c)
	return o.Sat(), t.Sat()
}

// commitFee is what the opener pays for our commitment.
func commitFee(c *channel.Info) lnwire.Sat {
	outputs := 0
	for i := range c.HTLCs {
		h := &c.HTLCs[i]
		if h.State.In(htlc.LocalCommit) && !commitment.Trimmed(c.Terms.Format, c.Rate, c.Terms.Ours.DustLimit, h.Amount, h.Ref.Dir == htlc.Outgoing) {
			outputs++
		}
	}
	return commitment.CommitFee(c.Terms.Format, c.Rate, outputs)
}

func (v *view) channel(c *channel.Info) *lnrpc.Channel {
	ours, theirs := balances(c)
	out := &lnrpc.Channel{
		Active: c.Active, RemotePubkey: c.Terms.Peer.String(), ChannelPoint: c.Core.Funding.String(), ChanId: uint64(c.Name()),
		Capacity: int64(c.Terms.Capacity), LocalBalance: int64(ours), RemoteBalance: int64(theirs),
		CommitFee: int64(commitFee(c)), CommitWeight: c.CommitWeight, FeePerKw: int64(c.Rate),
		TotalSatoshisSent: int64(c.Core.Sent.Sat()), TotalSatoshisReceived: int64(c.Core.Got.Sat()), NumUpdates: c.Core.RemoteN,
		Private: c.Terms.Private, Initiator: c.Terms.Funder, ChanStatusFlags: statusFlags(c),
		CommitmentType: commitmentType(c.Terms.Format), StaticRemoteKey: c.Terms.Format == commitment.StaticRemoteKey,
		PushAmountSat: uint64(c.Terms.Push.Sat()), PeerScidAlias: uint64(c.Core.PeerAlias), Memo: c.Terms.Memo,
		ThawHeight: c.Terms.Thaw, AliasScids: v.aliases[c.Name()],
		// What the peer demands of us, and the other way round.
		LocalConstraints:     constraints(&c.Terms.Ours, &c.Terms.Theirs),
		RemoteConstraints:    constraints(&c.Terms.Theirs, &c.Terms.Ours),
		CsvDelay:             uint32(c.Terms.Theirs.ToSelfDelay),
		LocalChanReserveSat:  int64(c.Terms.Theirs.Reserve),
		RemoteChanReserveSat: int64(c.Terms.Ours.Reserve),
	}
	if c.Terms.Kind().ZeroConf {
		out.ZeroConf, out.ZeroConfConfirmedScid = true, uint64(c.Core.SCID)
	}
	out.CloseAddress = translate.ScriptAddress(c.Terms.Ours.Upfront, v.s.node.Net())
	var pending lnwire.MilliSat
	for i := range c.HTLCs {
		if h := &c.HTLCs[i]; !h.State.Gone() {
			pending += h.Amount
			out.PendingHtlcs = append(out.PendingHtlcs, v.htlc(h))
		}
	}
	out.UnsettledBalance = int64(pending.Sat())
	from := v.s.node.Born()
	if c.Terms.OpenedAt.After(from) {
		from = c.Terms.OpenedAt
	}
	out.Lifetime = seconds(from)
	if since, ok := v.since[c.Terms.Peer]; ok {
		if since.Before(from) {
			since = from
		}
		out.Uptime = min(out.Lifetime, seconds(since))
	}
	return out
}

// seconds is how long ago a time was.
func seconds(t time.Time) int64 { return max(0, int64(time.Since(t)/time.Second)) }

// constraints are the limits of a side: what it asked of itself, and what the other
// side asked of it.
func constraints(self, other *channel.Side) *lnrpc.ChannelConstraints {
	return &lnrpc.ChannelConstraints{
		CsvDelay: uint32(other.ToSelfDelay), ChanReserveSat: uint64(other.Reserve), DustLimitSat: uint64(self.DustLimit),
		MaxPendingAmtMsat: uint64(other.MaxInFlight), MinHtlcMsat: uint64(other.HTLCMinimum), MaxAcceptedHtlcs: uint32(other.MaxAccepted),
	}
}

func (v *view) htlc(h *htlc.HTLC) *lnrpc.HTLC {
	out := &lnrpc.HTLC{
		Incoming: h.Ref.Dir == htlc.Incoming, Amount: int64(h.Amount.Sat()), HashLock: h.Hash[:], ExpirationHeight: uint32(h.Expiry),
		HtlcIndex: h.Ref.ID, LockedIn: h.State.Irrevocable(),
	}
	if other, ok := v.other[h.Ref]; ok {
		out.ForwardingChannel, out.ForwardingHtlcIndex = uint64(v.scids[other.ChanNum]), other.ID
	}
	return out
}

func commitmentType(f commitment.Format) lnrpc.CommitmentType {
	switch f {
	case commitment.StaticRemoteKey:
		return lnrpc.CommitmentType_STATIC_REMOTE_KEY
	case commitment.Anchors:
		return lnrpc.CommitmentType_ANCHORS
	}
	return lnrpc.CommitmentType_UNKNOWN_COMMITMENT_TYPE
}

// statusFlags are the words for what is the matter with a channel.
func statusFlags(c *channel.Info) string {
	var words []string
	add := func(on bool, word string) {
		if on {
			words = append(words, word)
		}
	}
	coop := c.Core.CloseTx != nil || c.Core.PeerCloseTx != nil || c.Core.Spend != nil && c.Core.Spend.Kind == channel.SpentByMutual
	forced := !coop && (c.Core.Phase == channel.Failed || c.Core.Spend != nil && c.Core.Spend.Kind == channel.SpentByUs)
	closing := coop || forced || c.Core.Spend != nil
	add(forced && !c.Core.DataLost, "ChanStatusCommitBroadcasted")
	add(c.Core.DataLost && !c.Terms.Restored, "ChanStatusLocalDataLoss")
	add(c.Terms.Restored, "ChanStatusRestored")
	add(coop, "ChanStatusCoopBroadcasted")
	add(closing && c.Core.WeClosed, "ChanStatusLocalCloseInitiator")
	add(closing && !c.Core.WeClosed, "ChanStatusRemoteCloseInitiator")
	if len(words) == 0 {
		return "ChanStatusDefault"
	}
	return strings.Join(words, "|")
}

// ChannelBalance sums the channels.
func (s *Service) ChannelBalance(ctx context.Context, _ *lnrpc.ChannelBalanceRequest) (*lnrpc.ChannelBalanceResponse, error) {
	list, err := s.node.ListChannels(ctx)
	if err != nil {
		return nil, err
	}
	var local, remote, inFlight, outFlight, pendingLocal, pendingRemote lnwire.MilliSat
	for i := range list {
		c := &list[i]
		ours, theirs := exact(c)
		switch {
		case listed(c):
			local, remote = local+ours, remote+theirs
			for j := range c.HTLCs {
				h := &c.HTLCs[j]
				switch {
				case h.State.Gone():
				case h.Ref.Dir == htlc.Incoming:
					inFlight += h.Amount
				default:
					outFlight += h.Amount
				}
			}
		case c.Core.Phase == channel.AwaitReady:
			pendingLocal, pendingRemote = pendingLocal+ours, pendingRemote+theirs
		}
	}
	return &lnrpc.ChannelBalanceResponse{
		Balance: int64(local.Sat()), PendingOpenBalance: int64(pendingLocal.Sat()),
		LocalBalance: translate.Both(local), RemoteBalance: translate.Both(remote),
		UnsettledLocalBalance: translate.Both(inFlight), UnsettledRemoteBalance: translate.Both(outFlight),
		PendingOpenLocalBalance: translate.Both(pendingLocal), PendingOpenRemoteBalance: translate.Both(pendingRemote),
	}, nil
}

// exact is balances to the millisatoshi.
func exact(c *channel.Info) (ours, theirs lnwire.MilliSat) {
	ours, theirs = c.LocalOurs, c.LocalTheirs
	cost := commitFee(c)
	if c.Terms.Format == commitment.Anchors {
		cost += 2 * commitment.AnchorValue
	}
	if c.Terms.Funder {
		return ours - min(ours, cost.MilliSat()), theirs
	}
	return ours, theirs - min(theirs, cost.MilliSat())
}

// initiator is who did something, as far as it can be us or the peer.
func initiator(we bool) lnrpc.Initiator {
	if we {
		return lnrpc.Initiator_INITIATOR_LOCAL
	}
	return lnrpc.Initiator_INITIATOR_REMOTE
}

// blocksTil is how many blocks a height is away; negative: it is past.
func blocksTil(height, tip lnwire.Height) int32 {
	return int32(min(max(int64(height)-int64(tip), math.MinInt32), math.MaxInt32))
}
