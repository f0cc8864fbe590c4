package router

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// youngest is how old a forward must be that can be deleted.
const youngest = time.Hour

// DeleteForwardingHistory deletes what is known of forwards up to a time.
func (s *Service) DeleteForwardingHistory(ctx context.Context, req *routerrpc.DeleteForwardingHistoryRequest) (*routerrpc.DeleteForwardingHistoryResponse, error) {
	now := s.now()
	upTo, err := historyEnd(req, now)
	switch {
	case err != nil:
		return nil, err
	case upTo.Before(time.Unix(0, 0)):
		return nil, translate.Mistake("delete_before_time must not be before the Unix epoch")
	case now.Sub(upTo) < youngest:
		return nil, translate.Mistake("delete_before_time must be at least %v in the past to prevent accidental deletion of recent data (requested: %v, now: %v)",
			youngest, upTo, now)
	}
	n, fees, err := s.node.DeleteForwards(ctx, upTo)
	if err != nil {
		return nil, fmt.Errorf("failed to delete forwarding events: %w", err)
	}
	return &routerrpc.DeleteForwardingHistoryResponse{
		EventsDeleted: n, TotalFeeMsat: int64(fees), Status: fmt.Sprintf("Successfully deleted %d forwarding events", n),
	}, nil
}

// historyEnd reads up to when is to be deleted; the texts of mistakes are lnd's.
func historyEnd(req *routerrpc.DeleteForwardingHistoryRequest, now time.Time) (time.Time, error) {
	switch spec := req.TimeSpec.(type) {
	case *routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeTime:
		return time.Unix(int64(min(spec.DeleteBeforeTime, math.MaxInt32<<8)), 0), nil
	case *routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeDuration:
		d, err := ago(spec.DeleteBeforeDuration)
		if err != nil {
			return time.Time{}, translate.Mistake("invalid duration format: %w", err)
		}
		return now.Add(d), nil
	}
	return time.Time{}, translate.Mistake("time specification required: either delete_before_time or delete_before_duration must be provided")
}

// longUnits are those that time.ParseDuration does not know, in hours.
var longUnits = map[byte]float64{'d': 24, 'w': 7 * 24, 'M': 30.44 * 24, 'y': 365.25 * 24}

// ago reads how long ago: with a minus, in the units of Go, or days, weeks, months or years.
func ago(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		if d >= 0 {
			return 0, errors.New("duration must be negative to indicate time in the past (e.g., -1w, -24h)")
		}
		return d, nil
	}
	switch {
	case len(text) < 2:
		return 0, errors.New("duration too short")
	case text[0] != '-':
		return 0, errors.New("duration must be negative (e.g., -1w, -24h)")
	}
	number, unit := text[1:len(text)-1], text[len(text)-1]
	hours, ok := longUnits[unit]
	if !ok {
		return 0, fmt.Errorf("unknown time unit: %s", strings.TrimLeft(text[1:], "0123456789."))
	}
	n, err := strconv.ParseFloat(number, 64)
	switch limit := float64(math.MaxInt64) / float64(time.Hour); {
	case number == "":
		return 0, errors.New("no numeric value found")
	case err != nil || strings.Trim(number, "0123456789.") != "":
		return 0, fmt.Errorf("invalid numeric value: %q", number)
	case n*hours >= limit:
		return 0, fmt.Errorf("duration %s is out of range", text)
	}
	return -time.Duration(n * hours * float64(time.Hour)), nil
}
