package translate

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/node"
)

// ErrLagged ends a stream whose reader could not keep up.
var ErrLagged = status.Error(codes.ResourceExhausted, "subscriber is too slow, events were lost")

// Stands tells the client, by sending the header of the stream, that its subscription
// stands: it misses nothing that happens from here on. It does no harm when the header
// went out before, with a message.
func Stands(ctx context.Context) { _ = grpc.SendHeader(ctx, metadata.MD{}) }

// Follow gives every event to each until an error or the end of the call, and ends the
// subscription. The client is told at once that it stands.
func Follow[T any](ctx context.Context, s *node.Subscription[T], each func(T) error) error {
	return FollowTimed(ctx, s, each, nil, nil)
}

// FollowTimed calls due whenever a timer rings, too.
func FollowTimed[T any](ctx context.Context, s *node.Subscription[T], each func(T) error, timer <-chan time.Time, due func() error) error {
	defer s.Cancel()
	Stands(ctx)
	for {
		select {
		case <-timer:
			if err := due(); err != nil {
				return err
			}
		case v, ok := <-s.C:
			if !ok {
				return ErrLagged
			}
			if err := each(v); err != nil {
				return err
			}
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}
