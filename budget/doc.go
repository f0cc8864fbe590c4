// Package budget is what may be spent with a token that carries less than all the money of the node: limits in total
// and per day, and what was spent of them.
//
// A payment is charged for in the write that begins it, with the most that it can cost, and gets back what it did not
// cost in the write that ends it. So no crash and no number of payments at once spend more than the limit. Of several
// budgets that a token carries, each is charged and each must suffice.
//
// This package owns the arithmetic. It must never know what a token looks like, nor how a payment is made.
//
//	changes, err := budget.Reserve(limits, spent, amount, today) // *Exceeded: nothing was changed
//	row = row.After(changes[0])
package budget
