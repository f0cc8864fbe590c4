package macaroons

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// A spending budget is a caveat
//
//	fulgur-budget total=50000 day=10000 name=kiosk
//
// with a limit in satoshis of what may ever be spent with the macaroon, one for each day in UTC, or both, and a name for
// people. It can be added offline, as any caveat, and of several each must suffice. Which budget is meant follows from the
// macaroon up to the caveat (see budgetID): macaroons that were narrowed further share what the one before them may
// spend, and nobody can spend the budget of a macaroon that they do not hold. Nodes that do not know the caveat refuse
// the macaroon.
const caveatBudget = "fulgur-budget"

var budgetName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// SpendAtMost limits what can be spent with a macaroon, in satoshis; a negative limit is none. The name, which may be
// empty, is of letters, digits, dots, dashes and underscores.
func SpendAtMost(total, day int64, name string) (Caveat, error) {
	text := caveatBudget
	if total >= 0 {
		text += " total=" + strconv.FormatInt(total, 10)
	}
	if day >= 0 {
		text += " day=" + strconv.FormatInt(day, 10)
	}
	if name != "" {
		text += " name=" + name
	}
	_, arg, _ := strings.Cut(text, " ")
	if _, err := readBudget(arg); err != nil {
		return "", err
	}
	return Caveat(text), nil
}

// readBudget reads what follows the caveat's name, in its one form.
func readBudget(arg string) (budget.Limit, error) {
	l := budget.Limit{Total: budget.Unlimited, Day: budget.Unlimited}
	order := 0
	for field := range strings.SplitSeq(arg, " ") {
		key, value, _ := strings.Cut(field, "=")
		var err error
		at := 0
		switch key {
		case "total":
			at = 1
			l.Total, err = readLimit(value)
		case "day":
			at = 2
			l.Day, err = readLimit(value)
		case "name":
			at, l.Name = 3, value
			if !budgetName.MatchString(value) {
				err = errors.New("want up to 64 letters, digits, dots, dashes and underscores")
			}
		default:
			return l, fmt.Errorf("spending budget: %.40q is not understood: want total=, day=, name=, in this order", field)
		}
		if err != nil {
			return l, fmt.Errorf("spending budget: %s: %w", key, err)
		}
		if at <= order {
			return l, fmt.Errorf("spending budget: %s: want total=, day=, name=, each once and in this order", key)
		}
		order = at
	}
	if l.Total == budget.Unlimited && l.Day == budget.Unlimited {
		return l, errors.New("spending budget: neither total= nor day=")
	}
	return l, nil
}

// readLimit reads satoshis.
func readLimit(text string) (lnwire.MilliSat, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || lnwire.Sat(n) > lnwire.MaxSat || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%.40q is no amount in satoshis", text)
	}
	return lnwire.Sat(n).MilliSat(), nil
}

// budgetID names the budget that the last of the caveats sets, in a macaroon with this identifier: the hash of all of
// it. The signature covers it all, so that the name cannot be had without the macaroon.
func budgetID(id []byte, caveats []string) (b budget.ID) {
	h := sha256.New()
	h.Write([]byte(caveatBudget))
	part := func(text []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		h.Write(text)
	}
	part(id)
	for _, c := range caveats {
		part([]byte(c))
	}
	h.Sum(b[:0])
	return b
}

// budgets reads the budgets that a macaroon sets.
func budgets(id []byte, caveats []string) (list []budget.Limit, err error) {
	for i, caveat := range caveats {
		name, arg, _ := strings.Cut(caveat, " ")
		if name != caveatBudget {
			continue
		}
		l, err := readBudget(arg)
		if err != nil {
			return nil, fmt.Errorf("caveat %q not satisfied: %w", caveat, err)
		}
		l.ID = budgetID(id, caveats[:i+1])
		if list = append(list, l); len(list) > budget.MaxPerToken {
			return nil, fmt.Errorf("more than %d spending budgets in one macaroon", budget.MaxPerToken)
		}
	}
	return list, nil
}
