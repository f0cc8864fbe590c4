package walletkit

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

type fake struct {
	low, high uint32
	kind      keys.AccountKind
	change    bool
}

func (f *fake) Unspent(low, high uint32) []wallet.Unspent { f.low, f.high = low, high; return nil }
func (f *fake) NewAddress(kind keys.AccountKind, change, _ bool) (wallet.Address, error) {
	f.kind, f.change = kind, change
	return wallet.Address{Text: "bcrt1"}, nil
}
func (f *fake) EstimateFee(uint32) (lnwire.SatPerKW, error) { return 12_500, nil }
func (f *fake) Sweeps() []wallet.PendingSweep {
	return []wallet.PendingSweep{{Kind: commitment.SpendOwnerMain, Value: 5, Rate: 1000, Maturity: 9}}
}

func TestListUnspent(t *testing.T) {
	for _, c := range []struct {
		req       *walletrpc.ListUnspentRequest
		low, high uint32
		err       string
	}{
		{&walletrpc.ListUnspentRequest{}, 0, math.MaxInt32, ""},
		{&walletrpc.ListUnspentRequest{MinConfs: 1, MaxConfs: 6}, 1, 6, ""},
		{&walletrpc.ListUnspentRequest{UnconfirmedOnly: true}, 0, 0, ""},
		{&walletrpc.ListUnspentRequest{UnconfirmedOnly: true, MinConfs: 1, MaxConfs: 2}, 0, 0, "unconfirmed_only"},
		{&walletrpc.ListUnspentRequest{MinConfs: 2, MaxConfs: 1}, 0, 0, "max_confs"},
		{&walletrpc.ListUnspentRequest{Account: "x"}, 0, 0, "account"},
	} {
		f := &fake{}
		_, err := New(f).ListUnspent(t.Context(), c.req)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, [2]uint32{c.low, c.high}, [2]uint32{f.low, f.high})
	}
}

func TestNextAddr(t *testing.T) {
	f := &fake{}
	_, err := New(f).NextAddr(t.Context(), &walletrpc.AddrRequest{Type: walletrpc.AddressType_TAPROOT_PUBKEY, Change: true})
	require.NoError(t, err)
	require.Equal(t, keys.P2TR, f.kind)
	require.True(t, f.change)
	_, err = New(f).NextAddr(t.Context(), &walletrpc.AddrRequest{})
	require.NoError(t, err)
	require.Equal(t, keys.P2WKH, f.kind)
	_, err = New(f).NextAddr(t.Context(), &walletrpc.AddrRequest{Type: 99})
	require.ErrorContains(t, err, "type")
}

func TestFeesAndSweeps(t *testing.T) {
	_, err := New(&fake{}).EstimateFee(t.Context(), &walletrpc.EstimateFeeRequest{ConfTarget: 1})
	require.ErrorContains(t, err, "confirmation target must be greater than 1")
	fee, err := New(&fake{}).EstimateFee(t.Context(), &walletrpc.EstimateFeeRequest{ConfTarget: 2})
	require.NoError(t, err)
	require.EqualValues(t, 12_500, fee.SatPerKw)
	list, err := New(&fake{}).PendingSweeps(t.Context(), &walletrpc.PendingSweepsRequest{})
	require.NoError(t, err)
	require.Equal(t, walletrpc.WitnessType_COMMITMENT_TIME_LOCK, list.PendingSweeps[0].WitnessType)
	require.EqualValues(t, 4, list.PendingSweeps[0].SatPerVbyte)
	for k := commitment.SpendOwnerMain; k <= commitment.SpendAnyAnchor; k++ {
		require.NotEqual(t, walletrpc.WitnessType_UNKNOWN_WITNESS, witnessType(k))
	}
}
