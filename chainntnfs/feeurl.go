package chainntnfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

const (
	// maxFeeBody bounds what is read of an answer.
	maxFeeBody = 64 << 10
	// maxFeeRate is 10,000 sat/vbyte: what claims more is broken.
	maxFeeRate lnwire.SatPerKW = 2_500_000
	// firstRetry is the wait after a first failure; it doubles up to MinUpdate.
	firstRetry = time.Second
)

// URLFees is the fee source behind --fee.url: a JSON document that is polled,
//
//	{"fee_by_block_target": {"1": 20000, "6": 8000}, "min_relay_feerate": 1000}
//
// in satoshi per 1000 virtual bytes. The last good answer counts until there is
// a newer one. Set the fields before Start.
type URLFees struct {
	URL       string
	MinUpdate time.Duration // least time between polls, default 5 minutes
	MaxUpdate time.Duration // most time between polls, default 20 minutes
	Timeout   time.Duration // of one poll, default 10 seconds
	// Dial reaches the server; nil is TCP, or the proxy that the environment names.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	fees   *feeTable     // nil before the first good answer
	failed error         // of the last poll
	polled chan struct{} // closed when the first poll is done
	stop   context.CancelFunc
	done   chan struct{}
}

// feeTable is an answer in our units, ascending by target.
type feeTable struct {
	targets []uint32
	rates   []lnwire.SatPerKW
	relay   lnwire.SatPerKW
}

// Start begins to poll. It fails for a URL that can never work.
func (u *URLFees) Start() error {
	parsed, err := url.Parse(u.URL)
	if err != nil {
		return fmt.Errorf("fee.url: %w", err)
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return fmt.Errorf("fee.url %q: want http:// or https:// and a host", u.URL)
	}
	if u.MinUpdate <= 0 {
		u.MinUpdate = 5 * time.Minute
	}
	u.MaxUpdate = max(u.MaxUpdate, u.MinUpdate)
	if u.Timeout <= 0 {
		u.Timeout = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	u.stop, u.done, u.polled = cancel, make(chan struct{}), make(chan struct{})
	go u.run(ctx)
	return nil
}

// Stop ends the polling. What was learned stays.
func (u *URLFees) Stop() {
	if u.stop != nil {
		u.stop()
		<-u.done
	}
}

func (u *URLFees) run(ctx context.Context) {
	defer close(u.done)
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if u.Dial != nil {
		transport = &http.Transport{DialContext: u.Dial}
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: u.Timeout}
	retry := firstRetry
	for first := true; ; first = false {
		fees, err := poll(ctx, client, u.URL)
		u.mu.Lock()
		u.failed = err
		if err == nil {
			u.fees = fees
		}
		u.mu.Unlock()
		if first {
			close(u.polled)
		}
		wait := u.MinUpdate + time.Duration(rand.Int64N(int64(u.MaxUpdate-u.MinUpdate)+1))
		if err != nil {
			wait = min(retry, u.MinUpdate)
			retry = min(2*retry, u.MinUpdate)
		} else {
			retry = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// FeeEstimate takes the estimate for the largest target that is not above the one
// asked for, or the smallest there is. Before the first answer it waits for it.
func (u *URLFees) FeeEstimate(ctx context.Context, blocks uint32) (lnwire.SatPerKW, error) {
	fees, err := u.table(ctx)
	if err != nil {
		return 0, err
	}
	i, found := slices.BinarySearch(fees.targets, blocks)
	if !found && i > 0 {
		i--
	}
	return max(fees.rates[i], fees.relay), nil
}

// RelayFee is what the document says, or the customary floor.
func (u *URLFees) RelayFee(ctx context.Context) (lnwire.SatPerKW, error) {
	fees, err := u.table(ctx)
	if err != nil {
		return 0, err
	}
	return fees.relay, nil
}

func (u *URLFees) table(ctx context.Context) (*feeTable, error) {
	select {
	case <-u.polled:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: fee.url has not answered yet: %w", ErrNoFeeEstimate, ctx.Err())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fees == nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFeeEstimate, u.failed)
	}
	return u.fees, nil
}

func poll(ctx context.Context, client *http.Client, address string) (*feeTable, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fee.url: %w", err)
	}
	resp, err := client.Do(req)
	var named *url.Error
	if errors.As(err, &named) { // callers of the API read it, and the URL may hold a key
		err = named.Err
	}
	if err != nil {
		return nil, fmt.Errorf("fee.url: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fee.url: server says %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFeeBody+1))
	if err != nil {
		return nil, fmt.Errorf("fee.url: %w", err)
	}
	if len(body) > maxFeeBody {
		return nil, fmt.Errorf("fee.url: answer longer than %d bytes", maxFeeBody)
	}
	return parseFees(body)
}

func parseFees(body []byte) (*feeTable, error) {
	var doc struct {
		Targets map[string]float64 `json:"fee_by_block_target"`
		Relay   float64            `json:"min_relay_feerate"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("fee.url: %w", err)
	}
	if len(doc.Targets) == 0 {
		return nil, errors.New("fee.url: fee_by_block_target is missing or empty")
	}
	table := &feeTable{relay: lnwire.FeeFloor}
	if doc.Relay != 0 {
		relay, err := perKW(doc.Relay)
		if err != nil {
			return nil, fmt.Errorf("fee.url: min_relay_feerate: %w", err)
		}
		table.relay = max(relay, lnwire.FeeFloor)
	}
	rates := make(map[uint32]lnwire.SatPerKW)
	for text, perKVB := range doc.Targets {
		target, err := strconv.ParseUint(text, 10, 32)
		if err != nil || target == 0 {
			return nil, fmt.Errorf("fee.url: target %q is no number of blocks", text)
		}
		rate, err := perKW(perKVB)
		if err != nil {
			return nil, fmt.Errorf("fee.url: target %s: %w", text, err)
		}
		table.targets = append(table.targets, uint32(target))
		rates[uint32(target)] = rate
	}
	slices.Sort(table.targets)
	for _, target := range table.targets {
		table.rates = append(table.rates, rates[target])
	}
	return table, nil
}

// perKW converts from satoshi per 1000 virtual bytes, rounding up.
func perKW(perKVB float64) (lnwire.SatPerKW, error) {
	rate := math.Ceil(perKVB / 4)
	if !(rate > 0 && rate <= float64(maxFeeRate)) {
		return 0, fmt.Errorf("%v sat/kvB is no fee rate", perKVB)
	}
	return lnwire.SatPerKW(rate), nil
}
