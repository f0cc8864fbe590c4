package lightning

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// busy is a node that carried more payments than any page holds.
type busy struct {
	fake
	read int
}

func (b *busy) Forwards(q node.ForwardQuery) ([]node.Forward, error) {
	b.read += q.Limit
	return make([]node.Forward, q.Limit), nil
}

// TestAllForwards: a wallet that asks for ten million events means all, and gets a page as
// large as there is.
func TestAllForwards(t *testing.T) {
	for _, asked := range []uint32{maxForwards + 1, 10_000_000, math.MaxUint32} {
		b := &busy{}
		got, err := New(b, Config{}).ForwardingHistory(context.Background(), &lnrpc.ForwardingHistoryRequest{NumMaxEvents: asked})
		require.NoError(t, err)
		require.Len(t, got.ForwardingEvents, maxForwards)
		require.EqualValues(t, maxForwards, got.LastOffsetIndex)
		require.Equal(t, maxForwards, b.read, "no more is read than fits")
	}
}
