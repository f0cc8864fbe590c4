package chainntnfs

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStaticAndMissingFees(t *testing.T) {
	rate, err := StaticFee(RegtestFee).FeeEstimate(bg, 6)
	require.NoError(t, err)
	require.Equal(t, lnwire.SatPerKW(12_500), rate)
	rate, err = StaticFee(1).FeeEstimate(bg, 6)
	require.NoError(t, err)
	require.Equal(t, lnwire.FeeFloor, rate)
	_, err = NoFees{}.FeeEstimate(bg, 6)
	require.ErrorIs(t, err, ErrNoFeeEstimate)
	require.ErrorContains(t, err, "--fee.url is needed")
	for _, source := range []FeeSource{StaticFee(9999), NoFees{}} {
		relay, err := source.RelayFee(bg)
		require.NoError(t, err)
		require.Equal(t, lnwire.FeeFloor, relay)
	}
}

// feeServer answers with what it holds and tells of every request.
type feeServer struct {
	*httptest.Server
	status atomic.Int32
	body   atomic.Value
	hits   chan struct{}
}

func newFeeServer(t *testing.T, body string) *feeServer {
	s := &feeServer{hits: make(chan struct{})}
	s.body.Store(body)
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.hits <- struct{}{}:
		case <-r.Context().Done():
		}
		w.WriteHeader(int(s.status.Load()))
		fmt.Fprint(w, s.body.Load())
	}))
	t.Cleanup(s.Close)
	return s
}

func TestURLFees(t *testing.T) {
	s := newFeeServer(t, `{"fee_by_block_target": {"2": 40000, "6": 8001, "100": 500}, "min_relay_feerate": 2000, "x": []}`)
	u := &URLFees{URL: s.URL, MinUpdate: time.Millisecond}
	require.NoError(t, u.Start())
	t.Cleanup(u.Stop)

	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err := u.FeeEstimate(ctx, 1)
	require.ErrorIs(t, err, ErrNoFeeEstimate)
	require.ErrorIs(t, err, context.Canceled)

	<-s.hits
	for target, want := range map[uint32]lnwire.SatPerKW{
		1: 10_000, 2: 10_000, 5: 10_000, 6: 2001, 99: 2001, 100: 500, 1008: 500,
	} {
		got, err := u.FeeEstimate(bg, target)
		require.NoError(t, err)
		require.Equal(t, want, got, "target %d", target)
	}
	relay, err := u.RelayFee(bg)
	require.NoError(t, err)
	require.Equal(t, lnwire.SatPerKW(500), relay)

	s.body.Store(`{"fee_by_block_target": {"1": 4000}}`)
	<-s.hits
	<-s.hits
	<-s.hits // the next poll begins after the answer of the last was taken in
	rate, err := u.FeeEstimate(bg, 3)
	require.NoError(t, err)
	require.Equal(t, lnwire.SatPerKW(1000), rate)

	s.status.Store(http.StatusBadGateway)
	<-s.hits
	<-s.hits
	<-s.hits
	rate, err = u.FeeEstimate(bg, 3)
	require.NoError(t, err, "the last good answer counts")
	require.Equal(t, lnwire.SatPerKW(1000), rate)
}

func TestURLFeesSayWhyThereAreNone(t *testing.T) {
	for body, want := range map[string]string{
		``:                                     "unexpected end",
		`[]`:                                   "cannot unmarshal",
		`{}`:                                   "fee_by_block_target is missing",
		`{"fee_by_block_target": {"0": 1}}`:    `target "0"`,
		`{"fee_by_block_target": {"-1": 1}}`:   `target "-1"`,
		`{"fee_by_block_target": {"1": 0}}`:    "target 1: 0 sat/kvB",
		`{"fee_by_block_target": {"1": -5}}`:   "target 1: -5 sat/kvB",
		`{"fee_by_block_target": {"1": 1e10}}`: "target 1: 1e+10 sat/kvB",
		`{"fee_by_block_target": {"1": 1}, "min_relay_feerate": -1}`: "min_relay_feerate",
		strings.Repeat(" ", maxFeeBody+1):                            "longer than",
	} {
		s := newFeeServer(t, body)
		u := &URLFees{URL: s.URL}
		require.NoError(t, u.Start())
		<-s.hits
		_, err := u.FeeEstimate(bg, 1)
		require.ErrorIs(t, err, ErrNoFeeEstimate)
		require.ErrorContains(t, err, want)
		_, err = u.RelayFee(bg)
		require.ErrorContains(t, err, want)
		u.Stop()
	}
	for _, bad := range []string{"", "ftp://x/", "http://", "::"} {
		require.Error(t, (&URLFees{URL: bad}).Start())
	}
	new(URLFees).Stop()
	u := &URLFees{URL: "http://127.0.0.1:1/fees?key=secret"}
	require.NoError(t, u.Start())
	defer u.Stop()
	_, err := u.FeeEstimate(bg, 6)
	require.ErrorContains(t, err, "refused")
	require.NotContains(t, err.Error(), "secret", "whoever may ask for a fee is not told the key")
}

func FuzzParseFees(f *testing.F) {
	f.Add([]byte(`{"fee_by_block_target": {"1": 20000, "6": 8000.5}, "min_relay_feerate": 1000}`))
	f.Add([]byte(`{"fee_by_block_target": {"01": 4, "1": 8}}`))
	f.Add([]byte(`{"fee_by_block_target": {"1": null}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		table, err := parseFees(body)
		if err != nil {
			return
		}
		require.NotEmpty(t, table.targets)
		require.Len(t, table.rates, len(table.targets))
		require.GreaterOrEqual(t, table.relay, lnwire.FeeFloor)
		for i, rate := range table.rates {
			require.NotZero(t, table.targets[i])
			require.NotZero(t, rate)
			require.LessOrEqual(t, rate, maxFeeRate)
		}
	})
}

func TestStatusWakesOnlyForNews(t *testing.T) {
	var s Status
	state, changed := s.Get()
	require.False(t, state.Up)
	s.Update(func(st *State) { st.TipTime = time.Unix(1, 0) })
	select {
	case <-changed:
		require.Fail(t, "only the time has changed")
	default:
	}
	s.Update(func(st *State) { st.Up = true })
	<-changed
	state, again := s.Get()
	require.True(t, state.Up)
	_, same := s.Get()
	require.Equal(t, again, same)
	s.Update(func(st *State) { st.Stale = "late" })
	<-again
	_, again = s.Get()
	s.Update(func(st *State) { st.Why = ErrUnavailable })
	<-again
}

func TestRejectReasonsHaveWords(t *testing.T) {
	for r := RejectOther; r <= RejectNotFinal; r++ {
		err := &RejectError{Reason: r, Text: "text"}
		require.NotContains(t, err.Error(), "reason")
		require.ErrorContains(t, err, "text")
	}
	require.Equal(t, "reason 99", RejectReason(99).String())
}
