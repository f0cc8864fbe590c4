package macaroons

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/budget"
)

func spendAtMost(t testing.TB, total, day int64, name string) Caveat {
	c, err := SpendAtMost(total, day, name)
	require.NoError(t, err)
	return c
}

func budgetsOf(t testing.TB, raw []byte) []budget.Limit {
	token, err := testBakery().Verify(raw, loopback)
	require.NoError(t, err)
	return token.Budgets
}

func TestBudgetOfAMacaroon(t *testing.T) {
	require.Equal(t, Caveat("fulgur-budget total=50000 day=10000 name=kiosk"), spendAtMost(t, 50_000, 10_000, "kiosk"))
	require.Equal(t, Caveat("fulgur-budget day=0"), spendAtMost(t, -1, 0, ""))
	base := restrict(t, bake(t, Admin...), spendAtMost(t, 50_000, -1, ""))
	one := budgetsOf(t, base)
	require.Len(t, one, 1)
	require.EqualValues(t, 50_000_000, one[0].Total)
	require.Equal(t, budget.Unlimited, one[0].Day)

	// Who holds it may hand out narrower ones; all of them share what it may spend.
	alice := restrict(t, base, ExpiresAt(noon.Add(time.Hour)), spendAtMost(t, 100, 10, "alice"))
	bob := restrict(t, base, spendAtMost(t, 100, 10, "bob"))
	ofAlice, ofBob := budgetsOf(t, alice), budgetsOf(t, bob)
	require.Equal(t, one[0], ofAlice[0])
	require.Equal(t, one[0], ofBob[0])
	require.Equal(t, "alice", ofAlice[1].Name)
	require.NotEqual(t, ofAlice[1].ID, ofBob[1].ID)

	// A caveat that is sent along with a call, such as a time, leaves the budget what it is.
	require.Equal(t, ofBob, budgetsOf(t, restrict(t, bob, ExpiresAt(noon.Add(time.Minute)))))
	// The same words in another macaroon are another budget.
	other := restrict(t, bake(t, Admin...), spendAtMost(t, 50_000, -1, ""))
	require.NotEqual(t, one[0].ID, budgetsOf(t, other)[0].ID)
	require.Empty(t, budgetsOf(t, bake(t, Admin...)))
}

func TestBudgetsThatAreNotUnderstood(t *testing.T) {
	for _, text := range []string{
		"", "total", "total=", "total=-1", "total=01", "total=1.5", "total=2100000000000001", "total=99999999999999999999", "day=x", "name=kiosk",
		"total=1 total=2", "day=1 total=1", "total=1  day=1", "total=1 colour=blue", "total=1 name=", "total=1 name=a\tb", "total=1 ",
		"total=1 name=" + strings.Repeat("x", 65),
	} {
		_, err := testBakery().Verify(restrict(t, bake(t, Admin...), Caveat("fulgur-budget "+text)), loopback)
		require.ErrorContains(t, err, "not satisfied: spending budget", text)
	}
	_, err := testBakery().Verify(restrict(t, bake(t, Admin...), "fulgur-budget"), loopback)
	require.Error(t, err)
	_, err = SpendAtMost(-1, -1, "x")
	require.Error(t, err)
	_, err = SpendAtMost(1, -1, "a b")
	require.Error(t, err)

	many := bake(t, Admin...)
	for range budget.MaxPerToken {
		many = restrict(t, many, spendAtMost(t, 1, -1, ""))
	}
	require.Len(t, budgetsOf(t, many), budget.MaxPerToken)
	_, err = testBakery().Verify(restrict(t, many, spendAtMost(t, 1, -1, "")), loopback)
	require.EqualError(t, err, "more than 8 spending budgets in one macaroon")
}

func FuzzReadBudget(f *testing.F) {
	f.Add("total=50000 day=10000 name=kiosk")
	f.Add("day=0")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := readBudget(text)
		if err != nil {
			return
		}
		limit := func(n uint64) int64 {
			if n == uint64(budget.Unlimited) {
				return -1
			}
			return int64(n / 1000)
		}
		c, err := SpendAtMost(limit(uint64(l.Total)), limit(uint64(l.Day)), l.Name)
		if err != nil || string(c) != caveatBudget+" "+text {
			t.Fatalf("%q was read as %q: %v", text, c, err)
		}
	})
}
