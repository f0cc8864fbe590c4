package node

import (
	"context"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// mute is a fee source that does not answer before it is let go.
type mute struct {
	chainntnfs.Backend
	asked, answer chan struct{}
}

func (m *mute) FeeEstimate(context.Context, uint32) (lnwire.SatPerKW, error) {
	select {
	case m.asked <- struct{}{}:
	default:
	}
	<-m.answer
	return 1234, nil
}

// TestHangingFeeSource: claims go to the sweeper while the fee source hangs; when it
// answers, the sweeper decides by that.
func TestHangingFeeSource(t *testing.T) {
	n, _, _ := storeOnly(t)
	m := &mute{asked: make(chan struct{}, 1), answer: make(chan struct{})}
	n.backend, n.ctx = m, t.Context()
	ring, err := keys.NewRing(make([]byte, 16), keys.CoinTest)
	require.NoError(t, err)
	n.purse, n.net, n.ring = newPurse(n), &chaincfg.RegressionNetParams, ring
	require.NoError(t, n.startWallet())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.purse.sweep(nil, nil, nil, nil)
	}()
	for _, c := range []chan struct{}{m.asked, done} {
		select {
		case <-c:
		case <-time.After(patience):
			require.FailNow(t, "the sweep waits for the fee source")
		}
	}
	require.Empty(t, n.lastFees())
	close(m.answer)
	waitUntil(t, "fees", func() bool { return !n.fees.busy.Load() })
	require.Len(t, n.lastFees(), 8)
	require.Equal(t, wallet.FeePoint{Blocks: 1, Rate: 1234}, n.lastFees()[0])
}
