package node

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
)

// explainerOf is one that knows of these sweeps at block 150.
func explainerOf(sweeps ...wallet.PendingSweep) *explainer {
	x := &explainer{
		tip: 150, sweeps: map[wire.OutPoint]wallet.PendingSweep{},
		refusal: func(chainhash.Hash) string { return "" }, own: func(s []byte) bool { return len(s) == 1 },
	}
	for _, s := range sweeps {
		x.sweeps[s.OutPoint] = s
	}
	return x
}

func at(i uint32) wire.OutPoint { return wire.OutPoint{Hash: chainhash.Hash{9}, Index: i} }

// Every state of a close has its words: what is waited for, until when, what it pays and
// what can be done.
func TestRescueWords(t *testing.T) {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{})
	tx.AddTxOut(wire.NewTxOut(600_000, []byte{1}))
	terms := channel.Terms{Capacity: 601_000}
	base := func(p channel.Phase) *channel.Info {
		return &channel.Info{Terms: terms, Core: channel.Core{Phase: p}, LocalOurs: 600_000_000, CommitFee: 1000, CommitWeight: 1000}
	}
	with := func(p channel.Phase, change func(*channel.Info)) *channel.Info {
		i := base(p)
		change(i)
		return i
	}
	ended := func(kind channel.SpendKind, ends ...channel.EndOutput) *channel.Info {
		return with(channel.Closing, func(i *channel.Info) {
			i.Core.Spend = &channel.Spend{Tx: tx, Kind: kind, Place: channel.Place{At: lnwire.BlockRef{Height: 140}}}
			i.Ends = ends
		})
	}
	open := func(kind channel.ResolutionKind, mature, expiry lnwire.Height) channel.EndOutput {
		return channel.EndOutput{
			Resolution: channel.Resolution{Kind: kind, End: channel.EndOpen, OutPoint: at(1), Value: 5000}, Mature: mature, Expiry: expiry,
			Ref: htlc.Ref{ID: 3, Dir: htlc.Outgoing},
		}
	}
	anchor := at(1)
	refuses := explainerOf()
	refuses.refusal = func(chainhash.Hash) string { return "fee too low: under the required amount" }

	for _, c := range []struct {
		name  string
		x     *explainer
		info  *channel.Info
		words string // of the state and the steps, joined
		home  lnwire.Height
	}{
		{"peer away", explainerOf(), base(channel.ShuttingDown), "by agreement|the peer, which is not connected|--force", 0},
		{"payments", explainerOf(), with(channel.ShuttingDown, func(i *channel.Info) {
			i.Connected, i.HTLCs = true, []htlc.HTLC{{State: htlc.SentAddAckRevocation}}
		}), "1 payments under way", 0},
		{"agreed", explainerOf(), with(channel.MutualClose, func(i *channel.Info) { i.Core.CloseTx = tx }),
			"the closing transaction waits to be mined|a block|fulgur wallet bumpfee", 0},
		{"lost", explainerOf(), with(channel.Failed, func(i *channel.Info) { i.Core.DataLost = true }), "older than the peer's|Never publish", 0},
		{"refused", refuses, base(channel.Failed), "our commitment waits|refuses it: fee too low|takes no packages|minrelaytxfee", 0},
		{"lifted", explainerOf(wallet.PendingSweep{OutPoint: anchor, Txid: chainhash.Hash{7}, Rate: 2500, Attempts: 2, Budget: 900, Deadline: 160, Lifts: true}),
			with(channel.Failed, func(i *channel.Info) { i.Anchor = &anchor }), "our commitment|the child that lifts it|a block; it was offered 2 times|to hasten it", 0},
		{"poor", explainerOf(wallet.PendingSweep{OutPoint: anchor, Held: "insufficient funds available", Lifts: true}),
			with(channel.Failed, func(i *channel.Info) { i.Anchor = &anchor }), "better times: insufficient funds|bumpforceclosefee --budget", 0},
		{"rival", explainerOf(), with(channel.Failed, func(i *channel.Info) { i.Rival = chainhash.Hash{4} }), "the peer's commitment waits to be mined", 0},
		{"delay", explainerOf(), ended(channel.SpentByUs, open(channel.ResolvedBalance, 284, 0)), "by our commitment, in block 140|block 284, before which", 284},
		{"ripe", explainerOf(wallet.PendingSweep{OutPoint: at(1), Txid: chainhash.Hash{7}, Attempts: 1, Maturity: 149}),
			ended(channel.SpentByThem, open(channel.ResolvedBalance, 149, 0)), "by the peer's commitment|a block; it was offered 1 times", 151},
		{"dear", explainerOf(wallet.PendingSweep{OutPoint: at(1), Held: "it costs more than its budget", Maturity: 149}),
			ended(channel.SpentByUs, open(channel.ResolvedBalance, 149, 0)), "better times: it costs more than its budget", 0},
		{"refused sweep", explainerOf(wallet.PendingSweep{OutPoint: at(1), Txid: chainhash.Hash{7}, Held: "the backend does not have it", Maturity: 149}),
			ended(channel.SpentByUs, open(channel.ResolvedBalance, 149, 0)), "the chain backend: the backend does not have it", 0},
		{"no preimage", explainerOf(), ended(channel.SpentByUs, open(channel.ResolvedIncoming, 0, 200)), "an incoming payment|its preimage, until block 200", 200},
		{"preimage never came", explainerOf(), ended(channel.SpentByUs, open(channel.ResolvedIncoming, 0, 120)), "the peer, who may take it", 151},
		{"timeout", explainerOf(), ended(channel.SpentByThem, open(channel.ResolvedOutgoing, 201, 200)), "an outgoing payment|block 201", 201},
		{"breach", explainerOf(), ended(channel.SpentByRevoked), "had revoked: all of it is taken|everything is settled", 0},
		{"dust", explainerOf(), with(channel.Closing, func(i *channel.Info) {
			*i = *ended(channel.SpentByThem)
			i.HTLCs = []htlc.HTLC{{Ref: htlc.Ref{Dir: htlc.Outgoing}, State: htlc.SentAddAckRevocation, Amount: 3000}}
		}), "an outgoing payment without an output|6 blocks deep", 146},
		{"claimed", explainerOf(), ended(channel.SpentByUs, channel.EndOutput{Resolution: channel.Resolution{Kind: channel.ResolvedBalance, End: channel.EndClaimed, Value: 7}}),
			"it is home|everything is settled", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.x.explain(c.info)
			text := got.State
			for _, s := range got.Steps {
				text += " " + s.What + " " + s.WaitsFor + " " + s.Advice
			}
			for _, want := range strings.Split(c.words, "|") {
				require.Contains(t, text, want)
			}
			require.Equal(t, c.home, got.HomeAt)
		})
	}
	lifted := explainerOf(wallet.PendingSweep{OutPoint: anchor, Txid: chainhash.Hash{7}, Rate: 2500, Budget: 900, Deadline: 160}).explain(
		with(channel.Failed, func(i *channel.Info) { i.Anchor = &anchor }))
	require.EqualValues(t, 160, lifted.Steps[0].Deadline)
	require.EqualValues(t, 4, lifted.Steps[0].Rate.SatPerVByte())
	require.EqualValues(t, 10, lifted.Steps[1].Rate.SatPerVByte())
	require.EqualValues(t, 600_000, lifted.Limbo)
}
