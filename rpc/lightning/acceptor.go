package lightning

import (
	"context"
	"io"
	"math"
	"sync"

	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Acceptors decide on the channels that peers want to open.
type Acceptors interface {
	AddAcceptor(node.Acceptor) (remove func())
}

// acceptor is one stream: questions go out, answers come in, in any order.
type acceptor struct {
	s     *Service
	out   lnrpc.Lightning_ChannelAcceptorServer
	done  context.Context // of the stream
	asks  chan accepting
	mu    sync.Mutex
	waits map[lnwire.ChannelID]accepting
}

// accepting is a question that waits for its answer.
type accepting struct {
	q      *channel.AskAccept
	answer chan node.Verdict
}

// ChannelAcceptor lets the caller decide.
func (s *Service) ChannelAcceptor(out lnrpc.Lightning_ChannelAcceptorServer) error {
	ctx, cancel := context.WithCancel(out.Context())
	defer cancel()
	a := &acceptor{s: s, out: out, done: ctx, asks: make(chan accepting), waits: map[lnwire.ChannelID]accepting{}}
	remove := s.node.AddAcceptor(a.decide)
	defer remove()
	translate.Stands(out.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.receive() }()
	for {
		select {
		case ask := <-a.asks:
			if err := out.Send(acceptRequest(ask.q)); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-out.Context().Done():
			return status.FromContextError(out.Context().Err()).Err()
		}
	}
}

// decide asks the caller about a channel. Who is not there any more refuses.
func (a *acceptor) decide(ctx context.Context, q *channel.AskAccept) node.Verdict {
	ask := accepting{q: q, answer: make(chan node.Verdict, 1)}
	id := q.Open.TemporaryChannelID
	if !a.wait(id, ask) {
		return node.Verdict{}
	}
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.waits[id].answer == ask.answer {
			delete(a.waits, id)
		}
	}()
	select {
	case a.asks <- ask:
	case <-ctx.Done():
		return node.Verdict{}
	case <-a.done.Done():
		return node.Verdict{}
	}
	select {
	case v := <-ask.answer:
		return v
	case <-ctx.Done():
	case <-a.done.Done():
	}
	return node.Verdict{}
}

// wait enters a question. It is false while another with the same id waits: ids are the
// choice of peers, and an answer names nothing else.
func (a *acceptor) wait(id lnwire.ChannelID, ask accepting) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, taken := a.waits[id]; taken {
		return false
	}
	a.waits[id] = ask
	return true
}

// receive takes in the answers until the caller ends the stream.
func (a *acceptor) receive() error {
	for {
		m, err := a.out.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var id lnwire.ChannelID
		copy(id[:], m.PendingChanId)
		a.mu.Lock()
		ask, ok := a.waits[id]
		delete(a.waits, id)
		a.mu.Unlock()
		if ok {
			ask.answer <- a.s.verdict(m, ask.q)
		}
	}
}

// maxRefusal is the longest text for a peer.
const maxRefusal = 500

// verdict reads an answer. One that makes no sense refuses the channel: that is logged by
// nobody, so the peer is told in general words only.
func (s *Service) verdict(m *lnrpc.ChannelAcceptResponse, q *channel.AskAccept) node.Verdict {
	var closing []byte
	if m.UpfrontShutdown != "" {
		var err error
		if closing, err = translate.Script("upfront_shutdown", m.UpfrontShutdown, s.node.Net()); err != nil {
			return node.Verdict{}
		}
	}
	switch {
	case m.MaxHtlcCount > maxHTLCs, m.CsvDelay > math.MaxUint16, m.MinAcceptDepth > math.MaxUint16,
		m.ReserveSat != 0 && lnwire.Sat(m.ReserveSat) < q.Open.DustLimit, len(m.Error) > maxRefusal, m.Accept && m.Error != "":
		return node.Verdict{}
	}
	return node.Verdict{
		Accept: m.Accept, Text: m.Error, Close: closing, ToDelay: uint16(m.CsvDelay), Reserve: lnwire.Sat(m.ReserveSat),
		InFlight: lnwire.MilliSat(m.InFlightMaxMsat), MaxHTLCs: uint16(m.MaxHtlcCount), MinHTLC: lnwire.MilliSat(m.MinHtlcIn),
		MinDepth: m.MinAcceptDepth, ZeroConf: m.ZeroConf,
	}
}

func acceptRequest(q *channel.AskAccept) *lnrpc.ChannelAcceptRequest {
	o := q.Open
	m := &lnrpc.ChannelAcceptRequest{
		NodePubkey: q.Peer[:], ChainHash: o.ChainHash[:], PendingChanId: o.TemporaryChannelID[:], FundingAmt: uint64(o.FundingSat),
		PushAmt: uint64(o.PushMsat), DustLimit: uint64(o.DustLimit), MaxValueInFlight: uint64(o.MaxHTLCValueInFlight),
		ChannelReserve: uint64(o.ChannelReserve), MinHtlc: uint64(o.HTLCMinimum), FeePerKw: uint64(o.FeeratePerKW),
		CsvDelay: uint32(o.ToSelfDelay), MaxAcceptedHtlcs: uint32(o.MaxAcceptedHTLCs), ChannelFlags: uint32(o.Flags),
		WantsZeroConf: q.Kind.ZeroConf, WantsScidAlias: q.Kind.ScidAlias,
	}
	switch q.Kind.Format {
	case commitment.Anchors:
		m.CommitmentType = lnrpc.CommitmentType_ANCHORS
	case commitment.StaticRemoteKey:
		m.CommitmentType = lnrpc.CommitmentType_STATIC_REMOTE_KEY
	}
	return m
}
