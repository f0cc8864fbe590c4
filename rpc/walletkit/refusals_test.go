package walletkit

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/signrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// The words of refusals, before the node is asked anything.
func TestRefusals(t *testing.T) {
	s, ctx := New(&fake{}), t.Context()
	id := make([]byte, 32)
	outs := &walletrpc.FundPsbtRequest_Raw{Raw: &walletrpc.TxTemplate{}}
	rate := &walletrpc.FundPsbtRequest_SatPerVbyte{SatPerVbyte: 2}
	ring, err := keys.NewRing([]byte("sixteen bytes :)"), keys.CoinTest)
	require.NoError(t, err)
	account := ring.Account(keys.P2WKH).ID
	for _, c := range []struct {
		want string
		do   func() error
	}{
		{"id must be 32 random bytes", func() error { _, err := s.LeaseOutput(ctx, &walletrpc.LeaseOutputRequest{Id: id[:31]}); return err }},
		{"id must be 32 random bytes", func() error { _, err := s.LeaseOutput(ctx, &walletrpc.LeaseOutputRequest{Id: id}); return err }},
		{"reserved id cannot be used", func() error {
			_, err := s.LeaseOutput(ctx, &walletrpc.LeaseOutputRequest{Id: wallet.InternalLease[:]})
			return err
		}},
		{"outpoint", func() error { _, err := s.ReleaseOutput(ctx, &walletrpc.ReleaseOutputRequest{Id: id}); return err }},
		{"must provide a transaction hash", func() error { _, err := s.GetTransaction(ctx, &walletrpc.GetTransactionRequest{}); return err }},
		{"must provide a transaction hash", func() error { _, err := s.RemoveTransaction(ctx, &walletrpc.GetTransactionRequest{}); return err }},
		{"must provide a transaction to publish", func() error { _, err := s.PublishTransaction(ctx, &walletrpc.Transaction{}); return err }},
		{"tx_hex", func() error {
			_, err := s.PublishTransaction(ctx, &walletrpc.Transaction{TxHex: []byte{1}})
			return err
		}},
		{"cannot label transaction with empty label", func() error { _, err := s.LabelTransaction(ctx, &walletrpc.LabelTransactionRequest{}); return err }},
		{"label length: 501 exceeds limit of 500", func() error {
			_, err := s.LabelTransaction(ctx, &walletrpc.LabelTransactionRequest{Label: string(make([]byte, 501))})
			return err
		}},
		{"must specify at least one output to create", func() error { _, err := s.SendOutputs(ctx, &walletrpc.SendOutputsRequest{}); return err }},
		{"sat_per_kw", func() error {
			_, err := s.SendOutputs(ctx, &walletrpc.SendOutputsRequest{SatPerKw: -1, Outputs: []*signrpc.TxOut{{}}})
			return err
		}},
		{"fee definition missing", func() error { _, err := s.FundPsbt(ctx, &walletrpc.FundPsbtRequest{Template: outs}); return err }},
		{"transaction template missing", func() error { _, err := s.FundPsbt(ctx, &walletrpc.FundPsbtRequest{Fees: rate}); return err }},
		{"custom lock ID must be exactly 32 bytes", func() error {
			_, err := s.FundPsbt(ctx, &walletrpc.FundPsbtRequest{Template: outs, Fees: rate, CustomLockId: []byte{1}})
			return err
		}},
		{"account name 'x' not found", func() error {
			_, err := s.FundPsbt(ctx, &walletrpc.FundPsbtRequest{Template: outs, Fees: rate, Account: "x"})
			return err
		}},
		{"unknown coin selection strategy", func() error {
			_, err := s.FundPsbt(ctx, &walletrpc.FundPsbtRequest{Template: outs, Fees: rate, CoinSelectionStrategy: 9})
			return err
		}},
		{"could not parse PSBT", func() error {
			_, err := s.FundPsbt(ctx, &walletrpc.FundPsbtRequest{Template: &walletrpc.FundPsbtRequest_CoinSelect{}, Fees: rate})
			return err
		}},
		{"error parsing PSBT", func() error { _, err := s.SignPsbt(ctx, &walletrpc.SignPsbtRequest{}); return err }},
		{"error parsing PSBT", func() error { _, err := s.FinalizePsbt(ctx, &walletrpc.FinalizePsbtRequest{}); return err }},
		{"an address type must be specified", func() error { _, err := s.ImportPublicKey(ctx, &walletrpc.ImportPublicKeyRequest{}); return err }},
		{"address type must be specified for account public key with legacy version", func() error {
			_, err := s.ImportAccount(ctx, &walletrpc.ImportAccountRequest{ExtendedPublicKey: account.Text(tpub)})
			return err
		}},
		{"expected extended public key for current network", func() error {
			_, err := s.ImportAccount(ctx, &walletrpc.ImportAccountRequest{ExtendedPublicKey: account.Text(zpub)})
			return err
		}},
		{"address type mismatch", func() error {
			_, err := s.ImportAccount(ctx, &walletrpc.ImportAccountRequest{ExtendedPublicKey: account.Text(vpub), AddressType: 2})
			return err
		}},
		{"must be of the form m/purpose'/coin_type'/account'", func() error {
			deep := account
			deep.Depth = 4
			_, err := s.ImportAccount(ctx, &walletrpc.ImportAccountRequest{ExtendedPublicKey: deep.Text(vpub)})
			return err
		}},
		{"invalid account key, must be hardened", func() error {
			soft := account
			soft.Child = 5
			_, err := s.ImportAccount(ctx, &walletrpc.ImportAccountRequest{ExtendedPublicKey: soft.Text(vpub)})
			return err
		}},
		{"XCreateAccount is experimental", func() error { _, err := s.XCreateAccount(ctx, &walletrpc.XCreateAccountRequest{Name: "a"}); return err }},
		{"use HYBRID_NESTED_WITNESS_PUBKEY_HASH", func() error {
			_, err := s.XCreateAccount(ctx, &walletrpc.XCreateAccountRequest{Name: "a", IKnowWhatIAmDoing: true, AddressType: 2})
			return err
		}},
		{"invalid address type for next address", func() error { _, err := s.NextAddr(ctx, &walletrpc.AddrRequest{Type: 3}); return err }},
		{"key_family", func() error { _, err := s.DeriveKey(ctx, &signrpc.KeyLocator{KeyFamily: -1}); return err }},
		{"key_family", func() error { _, err := s.DeriveNextKey(ctx, &walletrpc.KeyReq{KeyFamily: -1}); return err }},
		{"unable to decode address", func() error {
			_, err := s.SignMessageWithAddr(ctx, &walletrpc.SignMessageWithAddrRequest{Addr: "x"})
			return err
		}},
		{"malformed base64", func() error {
			_, err := s.VerifyMessageWithAddr(ctx, &walletrpc.VerifyMessageWithAddrRequest{Signature: "%"})
			return err
		}},
		{"unable to recover public key", func() error {
			_, err := s.VerifyMessageWithAddr(ctx, &walletrpc.VerifyMessageWithAddrRequest{Signature: "AQI="})
			return err
		}},
	} {
		require.ErrorContains(t, c.do(), c.want)
	}
}

func (f *fake) LeaseCoin(_ wire.OutPoint, _ [32]byte, d time.Duration) (time.Time, error) {
	return time.Unix(1_000, 0).Add(d), nil
}

func (f *fake) Leases() []node.Lease {
	return []node.Lease{{Coin: wallet.CoinRow{Value: 7}}, {LeaseRow: wallet.LeaseRow{Expiry: 5e9}, Coin: wallet.CoinRow{Value: lnwire.Sat(8)}}}
}

// A lease of any length fits into a time, one without an end has none.
func TestLeasesOnTheWire(t *testing.T) {
	s := New(&fake{})
	out, err := s.LeaseOutput(t.Context(), &walletrpc.LeaseOutputRequest{
		Id: append(make([]byte, 31), 1), Outpoint: &lnrpc.OutPoint{TxidBytes: make([]byte, 32)}, ExpirationSeconds: 1 << 63,
	})
	require.NoError(t, err)
	require.EqualValues(t, 1_000+longest, out.Expiration)
	list, err := s.ListLeases(t.Context(), &walletrpc.ListLeasesRequest{})
	require.NoError(t, err)
	require.EqualValues(t, []uint64{0, 5}, []uint64{list.LockedUtxos[0].Expiration, list.LockedUtxos[1].Expiration})
}
