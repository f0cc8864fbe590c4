package budget

import (
	"fmt"
	"math"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// ID names a budget. It follows from the token that carries it, and cannot be chosen.
type ID [32]byte

// Unlimited is a limit that is none.
const Unlimited lnwire.MilliSat = math.MaxUint64

// MaxPerToken bounds how many budgets one token may carry.
const MaxPerToken = 8

// Limit is what may be spent of a budget.
type Limit struct {
	ID    ID
	Name  string          // for people
	Total lnwire.MilliSat // ever; Unlimited: no limit
	Day   lnwire.MilliSat // on one day, in UTC; Unlimited: no limit
}

// Day is a day in UTC, counted from 1970.
type Day uint32

// DayOf is the day of a time.
func DayOf(t time.Time) Day { return Day(max(t.Unix(), 0) / (24 * 60 * 60)) }

// Spent is the row of a budget: what was spent of it, with what is reserved for payments under way.
type Spent struct {
	Limit // as it was when it was last charged
	Sum   lnwire.MilliSat
	Last  Day             // the last on which it was charged
	Today lnwire.MilliSat // spent on that day
}

// Charge is what a payment has taken from a budget. It stands in the payment's row.
type Charge struct {
	ID     ID
	Day    Day // on which it was taken
	Amount lnwire.MilliSat
}

// Change is what a write does to the row of a budget: it is added to whatever stands there.
type Change struct {
	Limit Limit // of a settlement, only the ID
	Day   Day
	Add   lnwire.MilliSat // taken
	Sub   lnwire.MilliSat // given back
}

// After is the row after a change. Changes may be applied in any order.
func (s Spent) After(c Change) Spent {
	if c.Limit.Total != 0 || c.Limit.Day != 0 { // a reservation, not a giving back
		s.Limit = c.Limit
	}
	s.ID = c.Limit.ID
	s.Sum = move(s.Sum, c)
	if c.Day > s.Last {
		s.Last, s.Today = c.Day, 0
	}
	if c.Day == s.Last {
		s.Today = move(s.Today, c)
	}
	return s
}

// move adds and takes away, within what a number can hold.
func move(sum lnwire.MilliSat, c Change) lnwire.MilliSat {
	return add(sum, c.Add) - min(add(sum, c.Add), c.Sub)
}

func add(a, b lnwire.MilliSat) lnwire.MilliSat {
	if b > math.MaxUint64-a {
		return math.MaxUint64
	}
	return a + b
}

// Left is what may still be spent of a limit today, and whether it is the day that bounds it.
func (s Spent) Left(l Limit, today Day) (left lnwire.MilliSat, daily bool) {
	left = l.Total
	if l.Total != Unlimited {
		left -= min(left, s.Sum)
	}
	if l.Day == Unlimited {
		return left, false
	}
	day := l.Day
	if s.Last >= today { // a clock that goes back does not bring a day back
		day -= min(day, s.Today)
	}
	if day < left {
		return day, true
	}
	return left, false
}

// Exceeded says that a budget does not suffice.
type Exceeded struct {
	Limit Limit
	Daily bool // of today; else in total
	Left  lnwire.MilliSat
	Need  lnwire.MilliSat
}

// Error names the budget, what is left and what was needed, in satoshis as the limits are.
func (e *Exceeded) Error() string {
	name, of, when := "spending budget", e.Limit.Total, "in total"
	if e.Limit.Name != "" {
		name += fmt.Sprintf(" %q", e.Limit.Name)
	}
	if e.Daily {
		of, when = e.Limit.Day, "for today (UTC)"
	}
	return fmt.Sprintf("%s exceeded: %s sat are left of %s sat %s, up to %s sat are needed", name, sat(e.Left), sat(of), when, sat(e.Need))
}

// sat writes an amount in satoshis, to the millisatoshi.
func sat(m lnwire.MilliSat) string {
	if m%1000 == 0 {
		return fmt.Sprint(uint64(m / 1000))
	}
	return fmt.Sprintf("%d.%03d", m/1000, m%1000)
}

// Tightest is the least that is left of several budgets. spent gives the row of one, the zero value if there is none.
func Tightest(limits []Limit, spent func(ID) Spent, today Day) (left lnwire.MilliSat, by Limit, daily bool) {
	left = Unlimited
	for _, l := range limits {
		if n, d := spent(l.ID).Left(l, today); n < left {
			left, by, daily = n, l, d
		}
	}
	return left, by, daily
}

// Reserve charges every budget with an amount, or fails with *Exceeded.
func Reserve(limits []Limit, spent func(ID) Spent, amount lnwire.MilliSat, today Day) ([]Change, error) {
	left, by, daily := Tightest(limits, spent, today)
	if amount > left {
		return nil, &Exceeded{Limit: by, Daily: daily, Left: left, Need: amount}
	}
	changes := make([]Change, 0, len(limits))
	for _, l := range limits {
		changes = append(changes, Change{Limit: l, Day: max(today, spent(l.ID).Last), Add: amount})
	}
	return changes, nil
}

// Charges are what a payment notes of its reservation.
func Charges(changes []Change) []Charge {
	var list []Charge
	for _, c := range changes {
		list = append(list, Charge{ID: c.Limit.ID, Day: c.Day, Amount: c.Add})
	}
	return list
}

// Settle is what a charge gives back, or takes in addition, when it has cost what it has.
func (c Charge) Settle(cost lnwire.MilliSat) Change {
	change := Change{Limit: Limit{ID: c.ID}, Day: c.Day}
	if cost > c.Amount {
		change.Add = cost - c.Amount
	} else {
		change.Sub = c.Amount - cost
	}
	return change
}
