package rpc

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/budgets"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// purse is a node of which 300 sat were spent of every budget today.
type purse struct{}

func (purse) Budget(id budget.ID) budget.Spent {
	return budget.Spent{Limit: budget.Limit{ID: id, Name: "as it was", Total: 1000_000, Day: budget.Unlimited}, Sum: 900_000, Last: 7, Today: 300_000}
}

func (p purse) Budgets(after budget.ID, limit int) (list []budget.Spent) {
	for i := after[0] + 1; len(list) < limit && i < 10; i++ {
		list = append(list, p.Budget(budget.ID{i}))
	}
	return list
}

func (purse) Today() budget.Day { return 7 }

// TestWhatABudgetAllows: with a macaroon that has a spending budget, money moves only where the budget is charged,
// whatever its rights; no other way out may open with a new method.
func TestWhatABudgetAllows(t *testing.T) {
	spends := map[string]bool{
		"/routerrpc.Router/SendPaymentV2": true, "/routerrpc.Router/SendToRouteV2": true,
		"/lnrpc.Lightning/SendCoins": true, "/lnrpc.Lightning/SendMany": true,
	}
	free := []string{"invoices", "address", "peers"} // what needs only these costs nothing
	for method, needs := range permissions {
		if !allowedUnderBudget(method, needs) || spends[method] {
			continue
		}
		for _, need := range needs {
			require.True(t, need.Action == "read" || strings.Contains(strings.Join(free, " "), need.Entity), "%s needs %v", method, need)
		}
	}
	for method := range underBudget {
		require.Contains(t, permissions, method)
	}

	n := start(t, &lightning{})
	caveat, err := macaroons.SpendAtMost(1000, -1, "kiosk")
	require.NoError(t, err)
	everything := n.bake(append([]macaroons.Op{{Entity: "uri", Action: "/lnrpc.Lightning/StopDaemon"}}, macaroons.Admin...), caveat)
	conn := n.dial(everything)
	_, err = lnrpc.NewLightningClient(conn).GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
	require.NoError(t, err)
	for _, method := range []string{
		"/lnrpc.Lightning/OpenChannel", "/lnrpc.Lightning/CloseChannel", "/lnrpc.Lightning/BakeMacaroon", "/lnrpc.Lightning/StopDaemon",
		"/lnrpc.Lightning/UpdateChannelPolicy", "/walletrpc.WalletKit/BumpFee", "/lnrpc.Lightning/SendCustomMessage",
	} {
		err := conn.Invoke(t.Context(), method, &lnrpc.GetInfoRequest{}, &lnrpc.GetInfoResponse{}, grpc.WaitForReady(true))
		require.ErrorContains(t, err, fmt.Sprintf("permission denied: %s cannot be called with a macaroon that has a spending budget", method))
	}
	pay, err := routerrpc.NewRouterClient(conn).SendPaymentV2(t.Context(), &routerrpc.SendPaymentRequest{PaymentRequest: "x"})
	require.NoError(t, err)
	_, err = pay.Recv()
	require.NoError(t, err)
}

// TestTellsWhatIsLeft: any macaroon may ask about itself.
func TestTellsWhatIsLeft(t *testing.T) {
	n := start(t, &lightning{})
	require.NoError(t, n.Provide(&fulgurrpc.Budgets_ServiceDesc, budgets.New(purse{})))
	caveat := func(total, day int64) macaroons.Caveat {
		c, err := macaroons.SpendAtMost(total, day, "")
		require.NoError(t, err)
		return c
	}
	addresses := []macaroons.Op{{Entity: "address", Action: "write"}}
	client := fulgurrpc.NewBudgetsClient(n.dial(n.bake(addresses, caveat(2000, 400), caveat(1000, -1), caveat(0, -1))))
	got, err := client.GetBudget(t.Context(), &fulgurrpc.GetBudgetRequest{})
	require.NoError(t, err)
	require.Len(t, got.Budgets, 3)
	require.EqualValues(t, 100_000, got.Budgets[0].LeftMsat, "of the day")
	require.EqualValues(t, 400, *got.Budgets[0].DaySat)
	require.EqualValues(t, 100_000, got.Budgets[1].LeftMsat, "of all")
	require.Nil(t, got.Budgets[1].DaySat)
	require.Zero(t, *got.Budgets[2].TotalSat)
	require.Zero(t, *got.LeftMsat)
	_, err = client.ListBudgets(t.Context(), &fulgurrpc.ListBudgetsRequest{})
	require.ErrorContains(t, err, "permission denied")

	client = fulgurrpc.NewBudgetsClient(n.dial(n.bake(macaroons.ReadOnly)))
	got, err = client.GetBudget(t.Context(), &fulgurrpc.GetBudgetRequest{})
	require.NoError(t, err)
	require.Empty(t, got.Budgets)
	require.Nil(t, got.LeftMsat)
	list, err := client.ListBudgets(t.Context(), &fulgurrpc.ListBudgetsRequest{MaxBudgets: math.MaxUint32})
	require.NoError(t, err)
	require.Len(t, list.Budgets, 9)
	require.Equal(t, "as it was", list.Budgets[0].Name)
	list, err = client.ListBudgets(t.Context(), &fulgurrpc.ListBudgetsRequest{AfterId: list.Budgets[7].Id, MaxBudgets: 5})
	require.NoError(t, err)
	require.Len(t, list.Budgets, 1)
	_, err = client.ListBudgets(t.Context(), &fulgurrpc.ListBudgetsRequest{AfterId: []byte{1}})
	require.ErrorContains(t, err, "after_id")
}
