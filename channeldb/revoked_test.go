package channeldb

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// revokedSize is what a revoked commitment with some HTLCs takes in the store, its key
// included: one of a channel that has carried a million of them.
func revokedSize(htlcs int) int {
	r := channel.Revoked{N: 1_500_000, FeeRate: 2500, Ours: 300_000_000, Theirs: 600_000_000}
	for i := range uint64(htlcs) {
		r.HTLCs = append(r.HTLCs, channel.RevokedHTLC{
			Ref: htlc.Ref{ChanNum: 7, Dir: htlc.Direction(i & 1), ID: 1_000_000 + i}, Amount: 50_000_000, Expiry: 900_000, Hash: lnwire.Hash{byte(i)},
		})
	}
	size := func(list ...channel.Revoked) int {
		batch := Batch{Channels: []*channel.Delta{{ChanNum: 7, Revoked: list}}}
		return len(batch.encode(0).b)
	}
	return size(r) - size()
}

// TestRevokedRowsAreSmall: these rows are by far the most.
func TestRevokedRowsAreSmall(t *testing.T) {
	empty := revokedSize(0)
	require.LessOrEqual(t, empty, 45)
	require.LessOrEqual(t, revokedSize(100), empty+3+100*45)
}

func BenchmarkRevokedRow(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("%d htlcs", n), func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = revokedSize(n)
			}
			b.ReportMetric(float64(size), "bytes/row")
		})
	}
}
