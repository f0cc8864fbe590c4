package walletkit

import (
	"context"
	"math"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

type fake struct {
	Node      // what a test does not expect panics
	bumped    wire.OutPoint
	wish      node.BumpRequest
	known     bool
	err       error
	from      lnwire.Height
	to        lnwire.Height
	low, high uint32
	kind      keys.AccountKind
	change    bool
}

func (f *fake) Unspent(low, high uint32, _ ...uint32) []wallet.Unspent {
	f.low, f.high = low, high
	return nil
}
func (f *fake) AccountNumber(name string) (uint32, error) {
	if name != "" {
		return 0, wallet.ErrNoAccount{Name: name}
	}
	return 0, nil
}
func (f *fake) FindAccount(name string, kind keys.AccountKind) (wallet.AccountID, error) {
	_, err := f.AccountNumber(name)
	return wallet.AccountID{Kind: kind}, err
}
func (f *fake) AccountAddress(id wallet.AccountID, change, _ bool) (wallet.Address, error) {
	f.kind, f.change = id.Kind, change
	return wallet.Address{Text: "bcrt1"}, nil
}
func (f *fake) EstimateFee(uint32) (lnwire.SatPerKW, error) { return 12_500, nil }
func (f *fake) Sweeps() []wallet.PendingSweep {
	return []wallet.PendingSweep{{Kind: commitment.SpendOwnerMain, Value: 5, Rate: 1000, Maturity: 9}}
}

func (f *fake) Txs(from, to lnwire.Height, _ bool) []wallet.TxRow {
	f.from, f.to = from, to
	tx := wire.NewMsgTx(2)
	return []wallet.TxRow{{Txid: chainhash.Hash{1}, Tx: tx, Sweep: true}, {Txid: chainhash.Hash{2}, Tx: tx}, {Txid: chainhash.Hash{3}, Tx: tx, Sweep: true}}
}
func (f *fake) OwnScript([]byte) bool { return false }
func (f *fake) Net() *chaincfg.Params { return &chaincfg.RegressionNetParams }
func (f *fake) Tip() lnwire.BlockRef  { return lnwire.BlockRef{Height: 9} }
func (f *fake) BumpFee(op wire.OutPoint, req node.BumpRequest) (bool, error) {
	f.bumped, f.wish = op, req
	return f.known, f.err
}
func (f *fake) BumpForceClose(_ context.Context, funding wire.OutPoint, req node.BumpRequest) error {
	f.bumped, f.wish = funding, req
	return f.err
}

func TestListSweeps(t *testing.T) {
	f := &fake{}
	out, err := New(f).ListSweeps(t.Context(), &walletrpc.ListSweepsRequest{StartHeight: 4})
	require.NoError(t, err)
	require.Equal(t, []string{chainhash.Hash{1}.String(), chainhash.Hash{3}.String()}, out.GetTransactionIds().TransactionIds)
	require.EqualValues(t, 4, f.from)
	out, err = New(f).ListSweeps(t.Context(), &walletrpc.ListSweepsRequest{StartHeight: -1, Verbose: true})
	require.NoError(t, err)
	require.Len(t, out.GetTransactionDetails().Transactions, 2)
	require.Less(t, f.to, f.from, "unconfirmed ones only")
	_, err = New(f).ListSweeps(t.Context(), &walletrpc.ListSweepsRequest{StartHeight: -2})
	require.ErrorContains(t, err, "start_height")
}

func TestBumpFee(t *testing.T) {
	op := &lnrpc.OutPoint{TxidStr: chainhash.Hash{7}.String(), OutputIndex: 3}
	for _, c := range []struct {
		req *walletrpc.BumpFeeRequest
		err string
	}{
		{&walletrpc.BumpFeeRequest{}, "outpoint"},
		{&walletrpc.BumpFeeRequest{Outpoint: op, SatPerByte: 1, SatPerVbyte: 2}, "either SatPerByte or SatPerVbyte should be set, but not both"},
		{&walletrpc.BumpFeeRequest{Outpoint: op, TargetConf: 1, SatPerVbyte: 2}, "either TargetConf or SatPerVbyte should be set"},
		{&walletrpc.BumpFeeRequest{Outpoint: op, Force: true, Immediate: true}, "either Force or Immediate should be set, but not both"},
		{&walletrpc.BumpFeeRequest{Outpoint: op, DeadlineDelta: 4}, "budget must be set if deadline-delta is set"},
		{&walletrpc.BumpFeeRequest{Outpoint: op, Budget: math.MaxUint64}, "budget"},
		{&walletrpc.BumpFeeRequest{Outpoint: op, SatPerVbyte: math.MaxUint64}, "sat_per_vbyte"},
	} {
		_, err := New(&fake{}).BumpFee(t.Context(), c.req)
		require.ErrorContains(t, err, c.err)
	}
	f := &fake{known: true}
	out, err := New(f).BumpFee(t.Context(), &walletrpc.BumpFeeRequest{Outpoint: op, SatPerVbyte: 20, Immediate: true, Budget: 900, DeadlineDelta: 5})
	require.NoError(t, err)
	require.Equal(t, "Successfully registered rbf-tx with sweeper", out.Status)
	require.Equal(t, wire.OutPoint{Hash: chainhash.Hash{7}, Index: 3}, f.bumped)
	require.Equal(t, node.BumpRequest{Rate: 5000, Within: 5, Budget: 900, Alone: true}, f.wish)
	out, err = New(&fake{}).BumpFee(t.Context(), &walletrpc.BumpFeeRequest{Outpoint: op, TargetConf: 3})
	require.NoError(t, err)
	require.Equal(t, "Successfully registered CPFP-tx with the sweeper", out.Status)
	_, err = New(&fake{err: wallet.ErrNoSweep}).BumpFee(t.Context(), &walletrpc.BumpFeeRequest{Outpoint: op})
	require.EqualError(t, err, "the passed output does not belong to the wallet")
}

func TestBumpForceCloseFee(t *testing.T) {
	_, err := New(&fake{}).BumpForceCloseFee(t.Context(), &walletrpc.BumpForceCloseFeeRequest{})
	require.EqualError(t, err, "no chan_point provided")
	point := &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: chainhash.Hash{7}.String()}, OutputIndex: 1}
	f := &fake{}
	_, err = New(f).BumpForceCloseFee(t.Context(), &walletrpc.BumpForceCloseFeeRequest{ChanPoint: point, StartingFeerate: 8, Budget: 5000, DeadlineDelta: 3})
	require.NoError(t, err)
	require.Equal(t, node.BumpRequest{Rate: 2000, Within: 3, Budget: 5000}, f.wish)
	require.EqualValues(t, 1, f.bumped.Index)
	_, err = New(&fake{err: node.ErrNoChannel}).BumpForceCloseFee(t.Context(), &walletrpc.BumpForceCloseFeeRequest{ChanPoint: point})
	require.EqualError(t, err, "channel not found")
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
	_, err := New(&fake{}).EstimateFee(t.Context(), &walletrpc.EstimateFeeRequest{ConfTarget: 0})
	require.ErrorContains(t, err, "confirmation target must be greater than 0")
	fee, err := New(&fake{}).EstimateFee(t.Context(), &walletrpc.EstimateFeeRequest{ConfTarget: 2})
	require.NoError(t, err)
	require.EqualValues(t, 12_500, fee.SatPerKw)
	list, err := New(&fake{}).PendingSweeps(t.Context(), &walletrpc.PendingSweepsRequest{})
	require.NoError(t, err)
	require.Equal(t, walletrpc.WitnessType_COMMITMENT_TIME_LOCK, list.PendingSweeps[0].WitnessType)
	require.EqualValues(t, 4, list.PendingSweeps[0].SatPerVbyte)
	for k := commitment.SpendOwnerMain; k <= commitment.SpendAnyAnchor; k++ {
		require.NotEqual(t, walletrpc.WitnessType_UNKNOWN_WITNESS, witnessType(k, 0))
	}
}
