package node

import (
	"maps"
	"slices"
	"sync"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// budgets knows what was spent of every budget, ahead of the disk: what is reserved here
// is queued for writing before anything is paid, and a restart finds what was written.
type budgets struct {
	mu   sync.Mutex
	rows map[budget.ID]budget.Spent
}

func (n *Node) startBudgets() error {
	rows, err := n.db.Budgets()
	if err != nil {
		return err
	}
	n.budgets.rows = map[budget.ID]budget.Spent{}
	for _, row := range rows {
		n.budgets.rows[row.ID] = row
	}
	return nil
}

// spent is the row of a budget. The caller holds the lock.
func (b *budgets) spent(id budget.ID) budget.Spent { return b.rows[id] }

// apply changes rows as the store will. The caller holds the lock.
func (b *budgets) apply(changes []budget.Change) {
	for _, c := range changes {
		b.rows[c.Limit.ID] = b.rows[c.Limit.ID].After(c)
	}
}

// settle takes in what a payment gives back.
func (b *budgets) settle(changes []budget.Change) {
	if len(changes) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.apply(changes)
}

// reserve takes an amount from every budget, or fails with *budget.Exceeded. The changes
// are to be written, or to be undone.
func (b *budgets) reserve(limits []budget.Limit, amount lnwire.MilliSat, today budget.Day) ([]budget.Change, error) {
	if len(limits) == 0 {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	changes, err := budget.Reserve(limits, b.spent, amount, today)
	if err != nil {
		return nil, err
	}
	b.apply(changes)
	return changes, nil
}

// undo gives back what was reserved for something that is not begun.
func (b *budgets) undo(changes []budget.Change) {
	var back []budget.Change
	for _, c := range budget.Charges(changes) {
		back = append(back, c.Settle(0))
	}
	b.settle(back)
}

// reservePayment takes the most that a payment can cost. A limit of its fees that is more
// than what is left becomes what is left: callers who set none must not be refused for it.
func (b *budgets) reservePayment(begin *routing.Begin, limits []budget.Limit, today budget.Day) error {
	if len(limits) == 0 {
		return nil
	}
	if begin.Route != nil {
		begin.Limits.Fee = begin.Route.Fee()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	left, _, _ := budget.Tightest(limits, b.spent, today)
	if begin.Route == nil {
		begin.Limits.Fee = min(begin.Limits.Fee, left-min(left, begin.Terms.Amount))
	}
	changes, err := budget.Reserve(limits, b.spent, begin.Terms.Amount+begin.Limits.Fee, today)
	if err != nil {
		return err
	}
	begin.Reserve = changes
	b.apply(changes)
	return nil
}

// Budget is what was spent of a budget; the zero value when nothing ever was.
func (n *Node) Budget(id budget.ID) budget.Spent {
	n.budgets.mu.Lock()
	defer n.budgets.mu.Unlock()
	return n.budgets.rows[id]
}

// Today is the day that budgets count.
func (n *Node) Today() budget.Day { return budget.DayOf(n.now()) }

// Budgets lists budgets of which anything was ever spent, by ID, those after one.
func (n *Node) Budgets(after budget.ID, limit int) []budget.Spent {
	n.budgets.mu.Lock()
	defer n.budgets.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(n.budgets.rows), func(a, b budget.ID) int { return slices.Compare(a[:], b[:]) })
	var list []budget.Spent
	for _, id := range ids {
		if slices.Compare(id[:], after[:]) > 0 && len(list) < limit {
			list = append(list, n.budgets.rows[id])
		}
	}
	return list
}
