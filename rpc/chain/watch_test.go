package chain

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
)

// events is a node that tells events, and has one block.
type events struct {
	Node
	watch chainntnfs.Watch
	list  []chainntnfs.Event
	end   error
	block *wire.MsgBlock
}

func (e *events) WatchChain(_ context.Context, w chainntnfs.Watch, each func(chainntnfs.Event) error) error {
	e.watch = w
	for _, ev := range e.list {
		if err := each(ev); err != nil {
			return err
		}
	}
	return e.end
}

func (e *events) Block(_ context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	if e.block == nil {
		return nil, chainntnfs.ErrNoBlock
	}
	return e.block, nil
}

func (e *events) BlockHeader(_ context.Context, hash chainhash.Hash) (*wire.BlockHeader, error) {
	if e.block == nil {
		return nil, chainntnfs.ErrNoBlock
	}
	return &e.block.Header, nil
}

func (e *events) BlockHash(_ context.Context, h lnwire.Height) (chainhash.Hash, error) {
	if h > 5 {
		return chainhash.Hash{}, chainntnfs.ErrNoBlock
	}
	return at(h).Hash, nil
}

func (e *events) BestBlock(context.Context) (lnwire.BlockRef, error) { return at(5), nil }

type streamOf[T any] struct {
	grpc.ServerStream
	ctx context.Context
	got []*T
}

func (s *streamOf[T]) Context() context.Context     { return s.ctx }
func (s *streamOf[T]) SendHeader(metadata.MD) error { return nil }
func (s *streamOf[T]) Send(m *T) error {
	s.got = append(s.got, m)
	return nil
}

func someTx(lock uint32) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{})
	tx.LockTime = lock
	return tx
}

// TestConfirmations: told when deep enough, taken back by a reorg, told again, and over
// when nothing can change.
func TestConfirmations(t *testing.T) {
	tx := someTx(1)
	id := tx.TxHash()
	n := &events{block: wire.NewMsgBlock(&wire.BlockHeader{}), list: []chainntnfs.Event{
		chainntnfs.Confirmed{Tx: tx, At: at(10), TxIndex: 3},
		chainntnfs.Tip{At: at(10)}, // one deep
		chainntnfs.Unconfirmed{Txid: id, Was: at(10)},
		chainntnfs.Confirmed{Tx: tx, At: at(11), TxIndex: 4},
		chainntnfs.Tip{At: at(12)},
		chainntnfs.Tip{At: at(13)},
		chainntnfs.Unconfirmed{Txid: id, Was: at(11)},
		chainntnfs.Tip{At: at(12)},
		chainntnfs.Confirmed{Tx: tx, At: at(13)},
		chainntnfs.Lost{Fork: at(12)},
		chainntnfs.Confirmed{Tx: tx, At: at(14)},
		chainntnfs.Confirmed{Tx: someTx(2), At: at(15)}, // another one that pays the script
		chainntnfs.Tip{At: at(14 + settled - 1)},
		chainntnfs.Tip{At: at(1000)},
	}}
	out := &streamOf[chainrpc.ConfEvent]{ctx: t.Context()}
	err := New(n).RegisterConfirmationsNtfn(&chainrpc.ConfRequest{Txid: id[:], Script: []byte{1}, NumConfs: 2, HeightHint: 7, IncludeBlock: true}, out)
	require.NoError(t, err)
	require.Equal(t, chainntnfs.Watch{Txid: id, PkScript: []byte{1}, From: 7}, n.watch)
	var heights []uint32
	for _, ev := range out.got {
		heights = append(heights, ev.GetConf().GetBlockHeight()) // 0: a reorg
	}
	require.Equal(t, []uint32{11, 0, 14}, heights)
	require.NotEmpty(t, out.got[0].GetConf().RawBlock)
	require.Equal(t, uint32(4), out.got[0].GetConf().TxIndex)

	n.end = node.ErrManyWatchers
	n.list = nil
	require.ErrorContains(t, New(n).RegisterConfirmationsNtfn(&chainrpc.ConfRequest{Script: []byte{1}, NumConfs: 1, HeightHint: 1}, out), "ResourceExhausted")
	for want, req := range map[string]*chainrpc.ConfRequest{
		"txid":                   {Txid: []byte{1}},
		"an output script must":  {NumConfs: 1, HeightHint: 1},
		"between 1 and 144":      {Script: []byte{1}, HeightHint: 1},
		"a height hint greater":  {Script: []byte{1}, NumConfs: 144},
		"must be between 1 and ": {Script: []byte{1}, NumConfs: 145, HeightHint: 1},
	} {
		require.ErrorContains(t, New(n).RegisterConfirmationsNtfn(req, out), want)
	}
}

func TestSpends(t *testing.T) {
	op := wire.OutPoint{Hash: chainhash.Hash{9}, Index: 2}
	spend := func(h lnwire.Height) chainntnfs.Event {
		return chainntnfs.Spent{Outpoint: op, Tx: someTx(1), Input: 1, At: at(h)}
	}
	id := someTx(1).TxHash()
	n := &events{list: []chainntnfs.Event{
		spend(10), spend(10), chainntnfs.Tip{At: at(10)}, chainntnfs.Unconfirmed{Txid: id, Was: at(10)}, chainntnfs.Unconfirmed{Txid: id, Was: at(10)},
		spend(11), chainntnfs.Lost{Fork: at(10)}, spend(12), chainntnfs.Tip{At: at(12 + settled)},
	}}
	out := &streamOf[chainrpc.SpendEvent]{ctx: t.Context()}
	require.NoError(t, New(n).RegisterSpendNtfn(&chainrpc.SpendRequest{Outpoint: &chainrpc.Outpoint{Hash: op.Hash[:], Index: 2}, HeightHint: 3}, out))
	require.Equal(t, chainntnfs.Watch{Outpoint: op, From: 3}, n.watch)
	var heights []uint32
	for _, ev := range out.got {
		heights = append(heights, ev.GetSpend().GetSpendingHeight())
	}
	require.Equal(t, []uint32{10, 0, 11, 0, 12}, heights)
	require.Equal(t, id[:], out.got[0].GetSpend().SpendingTxHash)
	for want, req := range map[string]*chainrpc.SpendRequest{
		"unsupported script type":           {HeightHint: 1, Script: []byte{1}},
		"outpoint.hash":                     {HeightHint: 1, Outpoint: &chainrpc.Outpoint{Hash: []byte{1}}},
		"an output script must be provided": {HeightHint: 1, Outpoint: &chainrpc.Outpoint{Hash: make([]byte, 32)}},
		"a height hint":                     {Outpoint: &chainrpc.Outpoint{Hash: op.Hash[:]}},
		"cannot register witness v1 spend request without outpoint": {HeightHint: 1, Script: append([]byte{0x51, 32}, make([]byte, 32)...)},
	} {
		require.ErrorContains(t, New(n).RegisterSpendNtfn(req, out), want)
	}
}

// Without an outpoint the first spend of the script is told, and the next one when the first
// has left the chain.
func TestSpendsOfScript(t *testing.T) {
	script := append([]byte{0, 20}, make([]byte, 20)...)
	spend := func(n uint32, h lnwire.Height) chainntnfs.Spent {
		tx := wire.NewMsgTx(2)
		tx.LockTime = n
		return chainntnfs.Spent{Outpoint: wire.OutPoint{Index: n}, Tx: tx, At: at(h)}
	}
	first, second := spend(1, 10), spend(2, 11)
	n := &events{list: []chainntnfs.Event{
		first, first, second, chainntnfs.Unconfirmed{Txid: second.Tx.TxHash(), Was: second.At}, second,
		chainntnfs.Unconfirmed{Txid: first.Tx.TxHash(), Was: first.At}, spend(1, 12), chainntnfs.Tip{At: at(10 + settled)},
	}}
	out := &streamOf[chainrpc.SpendEvent]{ctx: t.Context()}
	require.NoError(t, New(n).RegisterSpendNtfn(&chainrpc.SpendRequest{Script: script, HeightHint: 3}, out))
	require.Equal(t, chainntnfs.Watch{PkScript: script, From: 3, Spends: true}, n.watch)
	var told []uint32
	for _, ev := range out.got {
		told = append(told, ev.GetSpend().GetSpendingHeight(), ev.GetSpend().GetSpendingOutpoint().GetIndex())
	}
	require.Equal(t, []uint32{10, 1, 0, 0, 11, 2}, told)
}

func TestKit(t *testing.T) {
	hash := at(3).Hash
	k := NewKit(&events{block: wire.NewMsgBlock(&wire.BlockHeader{Nonce: 7})})
	b, err := k.GetBlock(t.Context(), &chainrpc.GetBlockRequest{BlockHash: hash[:]})
	require.NoError(t, err)
	h, err := k.GetBlockHeader(t.Context(), &chainrpc.GetBlockHeaderRequest{BlockHash: hash[:]})
	require.NoError(t, err)
	require.Len(t, h.RawBlockHeader, 80)
	require.Equal(t, h.RawBlockHeader, b.RawBlock[:80])
	best, err := k.GetBestBlock(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, int32(5), best.BlockHeight)
	at3, err := k.GetBlockHash(t.Context(), &chainrpc.GetBlockHashRequest{BlockHeight: 3})
	require.NoError(t, err)
	require.Equal(t, hash[:], at3.BlockHash)
	for _, height := range []int64{-1, 6, 1 << 40} {
		_, err = k.GetBlockHash(t.Context(), &chainrpc.GetBlockHashRequest{BlockHeight: height})
		require.EqualError(t, err, "-1: Block number out of range")
	}
	none := NewKit(&events{})
	_, err = none.GetBlock(t.Context(), &chainrpc.GetBlockRequest{BlockHash: hash[:]})
	require.EqualError(t, err, "-5: Block not found")
	_, err = none.GetBlockHeader(t.Context(), &chainrpc.GetBlockHeaderRequest{BlockHash: hash[:]})
	require.EqualError(t, err, "-5: Block not found")
	_, err = none.GetBlock(t.Context(), &chainrpc.GetBlockRequest{})
	require.ErrorContains(t, err, "block_hash")
}
