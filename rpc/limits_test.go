package rpc

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/proto"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// TestLimits: a caller has its bounds, another its own, and who is gone costs nothing.
func TestLimits(t *testing.T) {
	now := time.Unix(1000, 0)
	l := &limits{callers: map[string]*calls{}, now: func() time.Time { return now }}
	var leave []func()
	for range maxCalls {
		f, err := l.enter("a")
		require.NoError(t, err)
		leave = append(leave, f)
	}
	_, err := l.enter("a")
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	f, err := l.enter("b")
	require.NoError(t, err)
	f()
	leave[0]()
	for range callBurst - maxCalls {
		f, err := l.enter("a")
		require.NoError(t, err)
		f()
	}
	_, err = l.enter("a")
	require.ErrorContains(t, err, "a second")
	now = now.Add(time.Second)
	for range callRate {
		f, err := l.enter("a")
		require.NoError(t, err)
		f()
	}
	now = now.Add(time.Hour)
	for _, f := range leave[1:] {
		f()
	}
	require.Empty(t, l.callers)
}

// TestLimitsForgetCallers: who came for a moment with more than one call is forgotten, too, however many there are.
func TestLimitsForgetCallers(t *testing.T) {
	now := time.Unix(1000, 0)
	l := &limits{callers: map[string]*calls{}, now: func() time.Time { return now }}
	_, err := l.enter("who stays")
	require.NoError(t, err)
	for i := range 10 * minLook {
		now = now.Add(time.Millisecond)
		name := strconv.Itoa(i)
		var leave []func()
		for range 10 {
			f, err := l.enter(name)
			require.NoError(t, err)
			leave = append(leave, f)
		}
		for _, f := range leave {
			f()
		}
		require.LessOrEqual(t, len(l.callers), minLook)
	}
	require.Contains(t, l.callers, "who stays")
}

// TestStrangersHaveAddresses: who has a network of IPv6 is one caller all the same.
func TestStrangersHaveAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"1.2.3.4:5": "1.2.3.4", "[::ffff:1.2.3.4]:5": "1.2.3.4", "[2001:db8:1:2:3:4:5:6]:7": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:7": "2001:db8:1:2::/64", "[2001:db8:1:3::9]:7": "2001:db8:1:3::/64", "[fe80::1%eth0]:7": "fe80::/64", "pipe": "invalid IP",
	} {
		require.Equal(t, want, stranger(addrOf(from)), from)
	}
}

// TestTenThousandStreams: many clients that read nothing are served, a caller with too many streams is told, and when
// they vanish nothing is left of them.
func TestTenThousandStreams(t *testing.T) {
	ended := make(chan struct{}, 3*maxCalls)
	n := start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		defer func() { ended <- struct{}{} }()
		if err := out.SendHeader(nil); err != nil {
			return err
		}
		<-out.Context().Done()
		return out.Context().Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	const each = 3334
	for range 3 {
		conn := n.dial(n.bake(macaroons.Admin))
		client := lnrpc.NewLightningClient(conn)
		for range each {
			stream, err := client.SubscribeInvoices(ctx, &lnrpc.InvoiceSubscription{})
			require.NoError(t, err)
			_, err = stream.Header()
			require.NoError(t, err)
		}
	}
	require.Len(t, n.limits.callers, 3)
	cancel() // all of them are gone
	for range 3 * each {
		<-ended
	}
	require.Eventually(t, func() bool {
		n.limits.mu.Lock()
		defer n.limits.mu.Unlock()
		open := 0
		for _, c := range n.limits.callers {
			open += c.open
		}
		return open == 0
	}, time.Minute, 10*time.Millisecond)
}

// TestDocumentOfREST is served to everybody: it tells what the source tells.
func TestDocumentOfREST(t *testing.T) {
	n := start(t, &lightning{})
	r := n.request("GET", documentPath, "")
	r.Header.Del(headerMacaroon)
	code, body := n.do(r)
	require.Equal(t, 200, code)
	require.Equal(t, string(proto.OpenAPI), body)
	require.Contains(t, decode(t, body)["paths"], "/v1/getinfo")
	r.Host = "rebound.example"
	code, _ = n.do(r)
	require.Equal(t, 403, code)
}
