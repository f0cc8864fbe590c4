package lightning

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestBlindedTarget: a recipient that hides itself is asked for by its paths alone, and
// the room that they take in the onion is counted.
func TestBlindedTarget(t *testing.T) {
	_, k := btcec.PrivKeyFromBytes([]byte{1})
	key := lnwire.NewPubKey(k)
	paths := []*lnrpc.BlindedPaymentPath{{BlindedPath: &lnrpc.BlindedPath{IntroductionNode: key[:], BlindingPoint: key[:],
		BlindedHops: []*lnrpc.BlindedHop{{BlindedNode: key[:], EncryptedData: make([]byte, 100)}, {BlindedNode: key[:], EncryptedData: make([]byte, 100)}}}}}
	s := New(&fake{}, Config{})
	q, err := s.query(&lnrpc.QueryRoutesRequest{BlindedPaymentPaths: paths, AmtMsat: 5, TimePref: 0.5})
	require.NoError(t, err)
	require.Len(t, q.Blinded, 1)
	require.True(t, q.Target.IsZero())
	require.Zero(t, q.FinalDelta)
	require.Greater(t, q.FinalLen, 200)
	require.Equal(t, 0.5, q.TimePref)
	require.NotNil(t, q.Scores, "without mission control nothing that was learned counts")

	for want, req := range map[string]*lnrpc.QueryRoutesRequest{
		"pub_key":          {PubKey: key.String()},
		"final_cltv_delta": {FinalCltvDelta: 9},
		"dest_features":    {DestFeatures: []lnrpc.FeatureBit{9}},
		"last_hop_pubkey":  {LastHopPubkey: key[:]},
		"route_hints":      {RouteHints: []*lnrpc.RouteHint{{}}},
	} {
		req.BlindedPaymentPaths, req.AmtMsat = paths, 5
		_, err := s.query(req)
		require.ErrorContains(t, err, want+" and blinded_payment_paths cannot appear together")
	}
	for limit, want := range map[uint32]string{2017: "total time lock of 2017 exceeds max allowed 2016", 80: "cltv limit 80 should be greater than 80"} {
		_, err = s.query(&lnrpc.QueryRoutesRequest{PubKey: key.String(), AmtMsat: 5, CltvLimit: limit})
		require.EqualError(t, err, want)
	}
	q, err = s.query(&lnrpc.QueryRoutesRequest{PubKey: key.String(), AmtMsat: 5, UseMissionControl: true})
	require.NoError(t, err)
	require.Nil(t, q.Scores)
}
