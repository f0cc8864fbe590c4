package router

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// historian notes what it is to delete.
type historian struct {
	Node
	upTo []time.Time
}

func (h *historian) DeleteForwards(_ context.Context, upTo time.Time) (uint64, lnwire.MilliSat, error) {
	h.upTo = append(h.upTo, upTo)
	return 3, 1500, nil
}

func TestDeleteForwardingHistory(t *testing.T) {
	h := &historian{}
	s := New(h)
	now := time.Unix(1_800_000_000, 0)
	s.now = func() time.Time { return now }
	before := func(d string) *routerrpc.DeleteForwardingHistoryRequest {
		return &routerrpc.DeleteForwardingHistoryRequest{TimeSpec: &routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeDuration{DeleteBeforeDuration: d}}
	}
	at := func(n uint64) *routerrpc.DeleteForwardingHistoryRequest {
		return &routerrpc.DeleteForwardingHistoryRequest{TimeSpec: &routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeTime{DeleteBeforeTime: n}}
	}
	for _, req := range []*routerrpc.DeleteForwardingHistoryRequest{at(1_700_000_000), before("-1h"), before("-1.5d"), before("-1w"), before("-1M"), before("-2y")} {
		out, err := s.DeleteForwardingHistory(t.Context(), req)
		require.NoError(t, err)
		require.EqualValues(t, 3, out.EventsDeleted)
		require.EqualValues(t, 1500, out.TotalFeeMsat)
		require.Equal(t, "Successfully deleted 3 forwarding events", out.Status)
	}
	const day = 24 * time.Hour
	require.Equal(t, []time.Time{
		time.Unix(1_700_000_000, 0), now.Add(-time.Hour), now.Add(-36 * time.Hour), now.Add(-7 * day), now.Add(-time.Duration(30.44 * float64(day))), now.Add(-time.Duration(730.5 * float64(day))),
	}, h.upTo)

	for text, req := range map[string]*routerrpc.DeleteForwardingHistoryRequest{
		"time specification required": {}, "at least 1h0m0s in the past": at(1_800_000_000), "must be at least": at(1<<64 - 1),
		"must not be before the Unix epoch": before("-90y"), "duration must be negative to": before("24h"), "duration too short": before("d"),
		"duration must be negative (": before("1d"), "unknown time unit: q": before("-5q"), "no numeric value found": before("-d"),
		"invalid numeric value": before("-1.2.3d"), "out of range": before("-999999999999y"), "": before("-infd"),
	} {
		_, err := s.DeleteForwardingHistory(t.Context(), req)
		require.ErrorContains(t, err, text)
	}
	require.Len(t, h.upTo, 6)
}
