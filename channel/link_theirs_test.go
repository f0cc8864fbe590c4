package channel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Of a channel that ends the peer's commitments are told: the one that it has, and the one
// that was signed for it and may be there before it has revoked the other.
func TestTheirCommitmentsAreTold(t *testing.T) {
	w := opened(t, nil)
	w.a.add(50_000_000, 1)
	w.settle()
	require.Zero(t, w.a.info().Theirs, "nobody asks while it lives")
	before := w.b.info()
	w.a.add(60_000_000, 2)
	w.a.step(Flush{}) // signed, and not answered
	w.a.step(CloseAsked{Force: true})
	i := w.a.info()
	require.Equal(t, Theirs{Txid: before.CommitTxid, Fee: before.CommitFee}, i.Theirs)
	require.NotZero(t, i.TheirNext)
	require.NotEqual(t, i.Theirs.Txid, i.TheirNext.Txid)
	require.Greater(t, i.TheirNext.Fee, i.Theirs.Fee)
}
