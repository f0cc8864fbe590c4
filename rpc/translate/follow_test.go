package translate

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// teller is a service with one stream.
type teller struct {
	lnrpc.UnimplementedLightningServer
	feed node.Feed[string]
}

func (s *teller) SubscribePeerEvents(_ *lnrpc.PeerEventSubscription, out lnrpc.Lightning_SubscribePeerEventsServer) error {
	return Follow(out.Context(), s.feed.Subscribe(), func(id string) error { return out.Send(&lnrpc.PeerEvent{PubKey: id}) })
}

// TestClientKnowsThatItMissesNothing: the header of a stream comes before any event, and
// all that happens after it is delivered.
func TestClientKnowsThatItMissesNothing(t *testing.T) {
	l := bufconn.Listen(1 << 16)
	s, service := grpc.NewServer(), &teller{}
	lnrpc.RegisterLightningServer(s, service)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	defer func() { s.Stop(); <-done }()
	conn, err := grpc.NewClient("passthrough:test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	require.NoError(t, err)
	defer conn.Close()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := lnrpc.NewLightningClient(conn).SubscribePeerEvents(ctx, &lnrpc.PeerEventSubscription{})
		require.NoError(t, err)
		_, err = stream.Header()
		require.NoError(t, err)
		service.feed.Publish("02")
		ev, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, "02", ev.PubKey)
		cancel()
		_, err = stream.Recv()
		require.Equal(t, codes.Canceled, status.Code(err))
	}
	Stands(t.Context()) // of no call: nothing happens
}
