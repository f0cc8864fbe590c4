// Package budgets is the service fulgurrpc.Budgets: what may still be spent with macaroons that carry a spending budget.
//
// It translates. It must never know how a budget is charged: the node does that.
//
//	err := server.Provide(&fulgurrpc.Budgets_ServiceDesc, budgets.New(node))
package budgets

import (
	"context"
	"math"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// Node is what the service needs of the node; node.Node is one.
type Node interface {
	Budget(budget.ID) budget.Spent
	Budgets(after budget.ID, limit int) []budget.Spent
	Today() budget.Day
}

var _ Node = (*node.Node)(nil)

// Service is the service. Use New.
type Service struct {
	fulgurrpc.UnimplementedBudgetsServer
	node Node
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n} }

// Sizes of a page.
const (
	usualPage = 100
	maxPage   = 1000
)

// GetBudget tells what is left to the caller.
func (s *Service) GetBudget(ctx context.Context, _ *fulgurrpc.GetBudgetRequest) (*fulgurrpc.GetBudgetResponse, error) {
	out, today := &fulgurrpc.GetBudgetResponse{}, s.node.Today()
	tightest := uint64(math.MaxUint64)
	for _, l := range macaroons.BudgetsFrom(ctx) {
		b := message(s.node.Budget(l.ID), l, today)
		tightest = min(tightest, b.LeftMsat)
		out.Budgets = append(out.Budgets, b)
	}
	if len(out.Budgets) > 0 {
		out.LeftMsat = &tightest
	}
	return out, nil
}

// ListBudgets lists the budgets of all macaroons.
func (s *Service) ListBudgets(_ context.Context, req *fulgurrpc.ListBudgetsRequest) (*fulgurrpc.ListBudgetsResponse, error) {
	var after budget.ID
	if len(req.AfterId) > 0 {
		if len(req.AfterId) != len(after) {
			return nil, translate.Invalid("after_id", "must be %d bytes, is %d", len(after), len(req.AfterId))
		}
		after = budget.ID(req.AfterId)
	}
	limit := min(req.MaxBudgets, maxPage)
	if limit == 0 {
		limit = usualPage
	}
	out, today := &fulgurrpc.ListBudgetsResponse{}, s.node.Today()
	for _, row := range s.node.Budgets(after, int(limit)) {
		out.Budgets = append(out.Budgets, message(row, row.Limit, today))
	}
	return out, nil
}

// message is a budget as it stands, with the limits that its token sets.
func message(row budget.Spent, l budget.Limit, today budget.Day) *fulgurrpc.Budget {
	left, _ := row.Left(l, today)
	return &fulgurrpc.Budget{
		Id: l.ID[:], Name: l.Name, TotalSat: limit(l.Total), DaySat: limit(l.Day), SpentMsat: uint64(row.Sum),
		SpentDayMsat: uint64(row.Today), SpentDay: uint32(row.Last), LeftMsat: uint64(left),
	}
}

// limit is one in satoshis; nil if it is none.
func limit(m lnwire.MilliSat) *uint64 {
	if m == budget.Unlimited {
		return nil
	}
	sat := uint64(m / 1000)
	return &sat
}
