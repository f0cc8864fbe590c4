package btcd

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func hexOf(t testing.TB, v interface{ Serialize(io.Writer) error }) string {
	var b bytes.Buffer
	require.NoError(t, v.Serialize(&b))
	return hex.EncodeToString(b.Bytes())
}

func TestLooksUpTheChain(t *testing.T) {
	ctx := within(t)
	n := startNode(t, ctx, nil)
	b := startBackend(t, ctx, configOf(t, n))
	genesis, err := b.Tip(ctx)
	require.NoError(t, err)
	require.Equal(t, lnwire.BlockRef{Hash: *n.Params().GenesisHash}, genesis)

	require.NoError(t, n.Miner().Mature(ctx))
	tx, err := n.Miner().Pay(ctx, wire.NewTxOut(12_345_678, script(1)), wire.NewTxOut(1_000, script(2)))
	require.NoError(t, err)
	hashes, err := n.Generate(ctx, 3)
	require.NoError(t, err)
	tip, err := b.Tip(ctx)
	require.NoError(t, err)
	require.Equal(t, hashes[2], tip.Hash)
	at := tip.Height - 2
	await(t, ctx, b, "the tip", func(s chainntnfs.State) bool { return s.Tip == tip })

	hash, err := b.BlockHash(ctx, at)
	require.NoError(t, err)
	require.Equal(t, hashes[0], hash)
	block, err := b.Block(ctx, hash)
	require.NoError(t, err)
	require.Len(t, block.Transactions, 2)
	header, err := b.Header(ctx, hash)
	require.NoError(t, err)
	require.Equal(t, block.Header, *header)

	_, err = b.BlockHash(ctx, tip.Height+1)
	require.ErrorIs(t, err, chainntnfs.ErrNoBlock)
	_, err = b.BlockHash(ctx, ^lnwire.Height(0))
	require.Error(t, err)
	_, err = b.Header(ctx, chainhash.Hash{1})
	require.ErrorIs(t, err, chainntnfs.ErrNoBlock)
	_, err = b.Block(ctx, chainhash.Hash{1})
	require.ErrorIs(t, err, chainntnfs.ErrNoBlock)

	// V-01, V-15: script, amount and origin of an output, from the chain itself.
	scid := lnwire.NewShortChannelID(at, 1, 1)
	op, out, err := chainntnfs.FundingOutput(ctx, b, scid)
	require.NoError(t, err)
	require.Equal(t, wire.OutPoint{Hash: tx.TxHash(), Index: 1}, op)
	require.Equal(t, chainntnfs.TxOut{Value: 1_000, PkScript: script(2), Height: at, Confirmations: 3}, out)
	out, err = b.TxOut(ctx, wire.OutPoint{Hash: tx.TxHash()})
	require.NoError(t, err)
	require.Equal(t, lnwire.Sat(12_345_678), out.Value)
	out, err = b.TxOut(ctx, wire.OutPoint{Hash: block.Transactions[0].TxHash()})
	require.NoError(t, err)
	require.True(t, out.Coinbase)

	for _, bad := range []lnwire.ShortChannelID{
		lnwire.NewShortChannelID(at, 2, 0), lnwire.NewShortChannelID(at, 1, 9), lnwire.NewShortChannelID(at+1, 1, 0),
	} {
		_, _, err = chainntnfs.FundingOutput(ctx, b, bad)
		require.ErrorIs(t, err, chainntnfs.ErrNoOutput, "%v", bad)
	}
	_, _, err = chainntnfs.FundingOutput(ctx, b, lnwire.NewShortChannelID(tip.Height+1, 0, 0))
	require.ErrorIs(t, err, chainntnfs.ErrNoBlock)
	_, err = b.TxOut(ctx, tx.TxIn[0].PreviousOutPoint)
	require.ErrorIs(t, err, chainntnfs.ErrNoOutput, "a spent output")

	// Mempools do not count, neither for outputs nor for spends.
	waiting, err := n.Miner().Pay(ctx, wire.NewTxOut(7_000, script(3)))
	require.NoError(t, err)
	_, err = b.TxOut(ctx, wire.OutPoint{Hash: waiting.TxHash()})
	require.ErrorIs(t, err, chainntnfs.ErrNoOutput)
	_, err = b.TxOut(ctx, waiting.TxIn[0].PreviousOutPoint)
	require.NoError(t, err)

	// A block that left the chain is still known, its output is not.
	require.NoError(t, n.InvalidateBlock(ctx, hashes[0]))
	await(t, ctx, b, "the shorter chain", func(s chainntnfs.State) bool { return s.Tip.Height == at-1 })
	stale, err := b.Block(ctx, hashes[0])
	require.NoError(t, err)
	require.Equal(t, block.Header, stale.Header)
	_, err = b.TxOut(ctx, op)
	require.ErrorIs(t, err, chainntnfs.ErrNoOutput)

	rate, err := b.FeeEstimate(ctx, 6)
	require.NoError(t, err)
	require.Equal(t, chainntnfs.RegtestFee, rate)
	relay, err := b.RelayFee(ctx)
	require.NoError(t, err)
	require.Equal(t, lnwire.FeeFloor, relay)

	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = b.Tip(done)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, chainntnfs.ErrUnavailable)
}

func TestParseBTC(t *testing.T) {
	for text, want := range map[string]lnwire.Sat{
		"0": 0, "1": 1_0000_0000, "50": 50_0000_0000, "0.5": 5000_0000, "0.00000001": 1, "1e-08": 1,
		"1.23e-06": 123, "20999999.9769": 20999999_9769_0000, "21000000": lnwire.MaxSat, "1.000000000": 1_0000_0000,
		"2.1E7": lnwire.MaxSat, "10e-8": 10, "0e0": 0, "0.000000000": 0,
	} {
		got, err := parseBTC(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", ".", "-1", "+1", "1e", "1e99", "0.000000001", "21000000.00000001", "NaN", "1_0", "0x1", "1.2.3", " 1", "1e-9",
	} {
		_, err := parseBTC(text)
		require.Error(t, err, text)
	}
}

// Every amount comes back through the float that btcd prints.
func TestParseBTCProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sat := rapid.Uint64Range(0, uint64(lnwire.MaxSat)).Draw(t, "sat")
		text, err := json.Marshal(float64(sat) / 1e8)
		require.NoError(t, err)
		got, err := parseBTC(string(text))
		require.NoError(t, err)
		require.Equal(t, lnwire.Sat(sat), got)
	})
}

// V-33: witnesses of any shape that fits a block are read.
func TestReadsBlocksFullOfWitness(t *testing.T) {
	ctx := within(t)
	f := newFake(t)
	b := startBackend(t, ctx, f.config())
	for _, shape := range []struct{ items, size int }{{1, 100_000}, {1, 3_900_000}, {500_000, 1}, {500_000, 6}} {
		tx := wire.NewMsgTx(2)
		in := wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, nil)
		for range shape.items {
			in.Witness = append(in.Witness, make([]byte, shape.size))
		}
		tx.AddTxIn(in)
		tx.AddTxOut(wire.NewTxOut(1, script(1)))
		block := wire.NewMsgBlock(&wire.BlockHeader{Nonce: rand.Uint32()})
		require.NoError(t, block.AddTransaction(tx))
		f.set("getblock", constant(hexOf(t, block)))
		got, err := b.Block(ctx, block.BlockHash())
		require.NoError(t, err)
		require.Equal(t, tx.WitnessHash(), got.Transactions[0].WitnessHash())
	}
}

func TestDistrustsAnswers(t *testing.T) {
	ctx := within(t)
	f := newFake(t)
	b := startBackend(t, ctx, f.config())
	genesis := chaincfg.RegressionNetParams.GenesisBlock
	f.set("getblock", constant(hexOf(t, genesis)))
	_, err := b.Block(ctx, chainhash.Hash{1})
	require.ErrorContains(t, err, "answered block")
	f.set("getblock", constant(hexOf(t, genesis)+"00"))
	_, err = b.Block(ctx, genesis.BlockHash())
	require.ErrorContains(t, err, "1 bytes too many")
	f.set("getblock", constant("zz"))
	_, err = b.Block(ctx, genesis.BlockHash())
	require.ErrorContains(t, err, "invalid byte")
	f.set("getblock", constant(7))
	_, err = b.Block(ctx, genesis.BlockHash())
	require.ErrorContains(t, err, "read answer to getblock")
	require.NotErrorIs(t, err, chainntnfs.ErrUnavailable)
	f.set("getblock", refusal(-32603, "database is broken"))
	_, err = b.Block(ctx, genesis.BlockHash())
	require.ErrorContains(t, err, "database is broken")
	_, err = b.Txid(ctx, 0, 0)
	require.ErrorIs(t, err, chainntnfs.ErrNoBlock)
	f.set("getblock", constant(map[string]any{"tx": []string{"beef"}}))
	_, err = b.Txid(ctx, 0, 1)
	require.ErrorIs(t, err, chainntnfs.ErrNoOutput)
	_, err = b.Txid(ctx, 0, 0)
	require.NoError(t, err)

	output := func(best string, confirmations int, value any, hex string) {
		f.set("gettxout", constant(map[string]any{
			"bestblock": best, "confirmations": confirmations, "value": value,
			"scriptPubKey": map[string]any{"hex": hex},
		}))
	}
	best := genesis.BlockHash().String()
	for what, set := range map[string]func(){
		"confirmations":     func() { output(best, 2, 1, "00") },
		"0 confirmations":   func() { output(best, 0, 1, "00") },
		"amount":            func() { output(best, 1, -1, "00") },
		"invalid byte":      func() { output(best, 1, 1, "zz") },
		"no amount of bitc": func() { output(best, 1, 21_000_001, "00") },
	} {
		set()
		_, err = b.TxOut(ctx, wire.OutPoint{})
		require.ErrorContains(t, err, what)
	}
	output(best, 1, 1, "51")
	out, err := b.TxOut(ctx, wire.OutPoint{})
	require.NoError(t, err)
	require.Equal(t, chainntnfs.TxOut{Value: 1_0000_0000, PkScript: []byte{0x51}, Confirmations: 1}, out)
}
