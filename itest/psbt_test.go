package itest

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// TestPsbt: the owner of a seed pays by a packet; a node that watches the owner's account
// finds what happened before it was told, and spends its coins by the owner's signature.
// What is leased stays so over a crash, and what is watched is never spent otherwise.
func TestPsbt(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	owner, watcher := w.Node("owner"), w.Node("watcher")
	owner.Fund(500_000)
	owner.Fund(300_000)

	// Alone: fund, crash, sign, finalize, publish.
	to := w.Chain.Miner().Address()
	funded := fundPsbt(owner, "", map[string]uint64{to: 600_000})
	require.Len(t, funded.LockedUtxos, 2)
	owner.Kill()
	owner.Start()
	leases, err := owner.Kit.ListLeases(rig.Soon(t), &walletrpc.ListLeasesRequest{})
	require.NoError(t, err)
	require.Len(t, leases.LockedUtxos, 2)
	require.EqualValues(t, 800_000, owner.Wallet().LockedBalance)
	_, err = owner.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: to, Amount: 10_000, SatPerVbyte: 2})
	require.ErrorContains(t, err, "insufficient funds available to construct transaction")
	signed, err := owner.Kit.SignPsbt(rig.Soon(t), &walletrpc.SignPsbtRequest{FundedPsbt: funded.FundedPsbt})
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 1}, signed.SignedInputs)
	first := publishPsbt(w, owner, signed.SignedPsbt, "by packet")
	w.Mine(1)
	require.Equal(t, "by packet", transaction(owner, first.TxHash().String()).Label)
	left := 200_000 - w.MinersFee(first.TxHash())
	require.Equal(t, left, owner.Wallet().ConfirmedBalance)

	// The change went to the owner's account of BIP 84: it is found although it is old.
	accounts, err := owner.Kit.ListAccounts(rig.Soon(t), &walletrpc.ListAccountsRequest{Name: "default", AddressType: walletrpc.AddressType_WITNESS_PUBKEY_HASH})
	require.NoError(t, err)
	_, err = watcher.Kit.ImportAccount(rig.Soon(t), &walletrpc.ImportAccountRequest{
		Name: "cold", ExtendedPublicKey: accounts.Accounts[0].ExtendedPublicKey, AddressType: walletrpc.AddressType_WITNESS_PUBKEY_HASH, Birthday: 1,
	})
	require.NoError(t, err)
	rig.Eventually(t, "the old coin is found", func() bool {
		return watcher.Wallet().AccountBalance["cold"].GetConfirmedBalance() == left
	})
	watcher.Fund(50_000)
	_, err = watcher.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: to, Amount: 100_000, SatPerVbyte: 2})
	require.ErrorContains(t, err, "insufficient funds", "the default account does not take what is watched")
	packet := fundPsbt(watcher, "cold", map[string]uint64{to: 70_000})
	none, err := watcher.Kit.SignPsbt(rig.Soon(t), &walletrpc.SignPsbtRequest{FundedPsbt: packet.FundedPsbt})
	require.NoError(t, err)
	require.Empty(t, none.SignedInputs)
	_, err = watcher.Kit.FinalizePsbt(rig.Soon(t), &walletrpc.FinalizePsbtRequest{FundedPsbt: packet.FundedPsbt, Account: "cold"})
	require.ErrorContains(t, err, "error finalizing PSBT")
	signed, err = owner.Kit.SignPsbt(rig.Soon(t), &walletrpc.SignPsbtRequest{FundedPsbt: packet.FundedPsbt})
	require.NoError(t, err)
	second := publishPsbt(w, watcher, signed.SignedPsbt, "")
	w.Mine(1)
	left -= 70_000 + w.MinersFee(second.TxHash())
	for _, balance := range []int64{owner.Wallet().ConfirmedBalance, watcher.Wallet().AccountBalance["cold"].ConfirmedBalance} {
		require.Equal(t, left, balance)
	}
	require.EqualValues(t, 50_000, watcher.Wallet().AccountBalance["default"].ConfirmedBalance)
	watcher.Stop()
	watcher.Start()
	require.Equal(t, left, watcher.Wallet().AccountBalance["cold"].ConfirmedBalance)
}

func fundPsbt(n *rig.Node, account string, outputs map[string]uint64) *walletrpc.FundPsbtResponse {
	n.World.T.Helper()
	out, err := n.Kit.FundPsbt(rig.Soon(n.World.T), &walletrpc.FundPsbtRequest{
		Template: &walletrpc.FundPsbtRequest_Raw{Raw: &walletrpc.TxTemplate{Outputs: outputs}},
		Fees:     &walletrpc.FundPsbtRequest_SatPerVbyte{SatPerVbyte: 3}, Account: account,
	})
	require.NoError(n.World.T, err)
	return out
}

// publishPsbt finishes a packet and waits for its transaction in the mempool.
func publishPsbt(w *rig.World, n *rig.Node, packet []byte, label string) *wire.MsgTx {
	w.T.Helper()
	final, err := n.Kit.FinalizePsbt(rig.Soon(w.T), &walletrpc.FinalizePsbtRequest{FundedPsbt: packet})
	require.NoError(w.T, err)
	_, err = n.Kit.PublishTransaction(rig.Soon(w.T), &walletrpc.Transaction{TxHex: final.RawFinalTx, Label: label})
	require.NoError(w.T, err)
	tx := new(wire.MsgTx)
	require.NoError(w.T, tx.Deserialize(bytes.NewReader(final.RawFinalTx)))
	w.InMempool(tx.TxHash())
	return tx
}
