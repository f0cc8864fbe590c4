package router

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// Node is what the service needs of the node. Of makes one.
type Node interface {
	ID() lnwire.PubKey
	Net() *chaincfg.Params
	Pay(context.Context, routing.Begin, ...budget.Limit) (Watch, error)
	SendToRoute(context.Context, routing.Begin, ...budget.Limit) (w Watch, attempt uint64, err error)
	TrackPayment(lnwire.Hash) (Watch, error)
	TrackPayments() Watch
	CancelPayment(lnwire.Hash)
	PaymentRow(lnwire.Hash) (*node.Payment, error)
	HTLCEvents() *node.Subscription[forward.Notice]
	InvoiceEvents() *node.Subscription[invoice.Notice]
	Intercept() (Interception, error)
	SetPolicy(context.Context, *wire.OutPoint, func(channel.LinkState) (channel.Policy, error)) ([]wire.OutPoint, error)
	Graph() *routing.Snapshot
	Capacities() func(lnwire.ShortChannelID) lnwire.Sat
	FindRoute(routing.Query) (routing.Route, error)
	BuildRoute(routing.Build) (routing.Route, error)
	DeleteForwards(ctx context.Context, upTo time.Time) (n uint64, fees lnwire.MilliSat, err error)
	ListAliases() []node.Aliases
	AddAliases([]node.Aliases) error
	DeleteAliases([]node.Aliases) error
	AliasBase(lnwire.ShortChannelID) (lnwire.ShortChannelID, error)
	Learned() []routing.PairHistory
	ForgetLearned()
	MergeLearned(rows []routing.PairHistory, all bool)
	Learning() (routing.Memory, routing.Params)
	SetLearning(routing.Memory, routing.Params)
	PairProbability(from, to lnwire.PubKey, amount lnwire.MilliSat) (float64, routing.PairHistory)
}

// Interception is the place of whoever decides about forwards. node.Interception is one.
type Interception interface {
	// Next waits for an HTLC to decide about.
	Next(context.Context) (forward.Intercepted, error)
	Decide(node.CircuitKey, forward.Verdict) error
	Close()
}

// Watch follows payments.
type Watch interface {
	// Next waits for the next progress.
	Next(context.Context) (routing.Progress, error)
	Close()
}

// Of is a node as the service needs it.
func Of(n *node.Node) Node { return wrapped{n} }

type wrapped struct{ *node.Node }

func (w wrapped) Pay(ctx context.Context, b routing.Begin, budgets ...budget.Limit) (Watch, error) {
	p, err := w.Node.Pay(ctx, b, budgets...)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (w wrapped) SendToRoute(ctx context.Context, b routing.Begin, budgets ...budget.Limit) (Watch, uint64, error) {
	p, id, err := w.Node.SendToRoute(ctx, b, budgets...)
	if err != nil {
		return nil, 0, err
	}
	return p, id, nil
}

func (w wrapped) TrackPayment(h lnwire.Hash) (Watch, error) {
	p, err := w.Node.TrackPayment(h)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (w wrapped) Intercept() (Interception, error) {
	i, err := w.Node.Intercept()
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (w wrapped) TrackPayments() Watch { return w.Node.TrackPayments() }

// Service is the service. Use New.
type Service struct {
	routerrpc.UnimplementedRouterServer
	node Node
	now  func() time.Time
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n, now: time.Now} }
