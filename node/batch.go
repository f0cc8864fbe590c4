package node

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet"
)

// BatchRequest asks for channels that one transaction of the wallet funds: all of them,
// or none.
type BatchRequest struct {
	Channels []OpenRequest // their rates, depths and coins are those below
	FeeRate  lnwire.SatPerKW
	Target   uint32
	MinConfs uint32
	Label    string // of the transaction
}

// batch is one on its way. Each of its channels keeps the funding back (FundingTx.Batch)
// until all are signed and durable.
type batch struct {
	n     *Node
	req   *BatchRequest
	rate  lnwire.SatPerKW
	mu    sync.Mutex
	nums  []uint64 // of the channels, in the order of the request
	asks  map[uint64]batchAsk
	ready map[uint64]bool // signed and durable
	tx    *wire.MsgTx
	freed bool  // it may go
	err   error // it never will
	done  chan struct{}
}

type batchAsk struct {
	e  *entry
	id uint64
	q  channel.AskFund
}

// OpenBatch opens channels with one transaction, and returns where each is funded once
// all are signed and the transaction is on its way. After an error there is no channel
// and no transaction.
func (n *Node) OpenBatch(ctx context.Context, req BatchRequest) ([]wire.OutPoint, error) {
	if len(req.Channels) == 0 {
		return nil, mistake.Argument("specify at least one channel")
	}
	rate, err := n.feeRate(req.FeeRate, req.Target)
	if err != nil {
		return nil, err
	}
	b := &batch{n: n, req: &req, rate: rate, asks: map[uint64]batchAsk{}, ready: map[uint64]bool{}, done: make(chan struct{})}
	b.nums = make([]uint64, len(req.Channels))
	for i := range req.Channels {
		ask := req.Channels[i]
		ask.FeeRate, ask.batch, ask.place = rate, b, i
		if _, err := n.OpenChannel(ctx, ask); err != nil {
			b.fail(err)
			return nil, err
		}
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		b.fail(ctx.Err())
		<-b.done // it may have been complete in this moment
	case <-n.ctx.Done():
		return nil, errStopping
	}
	return b.points()
}

// points is where the channels are funded.
func (b *batch) points() (list []wire.OutPoint, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	txid := b.tx.TxHash()
	for _, num := range b.nums {
		list = append(list, wire.OutPoint{Hash: txid, Index: b.output(num)})
	}
	return list, nil
}

// output is where the transaction pays a channel.
func (b *batch) output(num uint64) uint32 {
	script := b.asks[num].q.Script
	return uint32(slices.IndexFunc(b.tx.TxOut, func(o *wire.TxOut) bool { return string(o.PkScript) == string(script) }))
}

// joined: the channel of a place in the request has its number. It is false when the
// batch has failed by now.
func (b *batch) joined(place int, num uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.nums[place] = num
	}
	return b.err == nil
}

// asked: a channel of the batch asks for its funding. The last question makes the
// transaction.
func (b *batch) asked(e *entry, id uint64, q channel.AskFund) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		e.runner.Inbox.Put(turn.Item{Event: channel.Answered{ID: id, Answer: channel.Declined{Text: b.err.Error()}}})
		return
	}
	b.asks[e.num] = batchAsk{e, id, q}
	if len(b.asks) < len(b.nums) {
		return
	}
	var outs []*wire.TxOut
	for _, num := range b.nums {
		q := b.asks[num].q
		outs = append(outs, wire.NewTxOut(int64(q.Amount), q.Script))
	}
	tx, err := b.n.purse.fundBatch(b, outs)
	if err != nil {
		b.drop(err)
		return
	}
	b.tx = tx
	for _, num := range b.nums {
		a := b.asks[num]
		a.e.runner.Inbox.Put(turn.Item{Event: channel.Answered{ID: a.id, Answer: channel.Funded{
			Tx: tx, Output: b.output(num), Batch: uint32(len(b.nums)),
		}}})
	}
}

// heard takes in how a channel of the batch stands. It is told when that is durable.
func (b *batch) heard(num uint64, u OpenUpdate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.freed || b.err != nil {
		return
	}
	if u.Err != nil {
		b.drop(u.Err)
		return
	}
	b.ready[num] = true
	if len(b.ready) == len(b.nums) {
		b.freed = true
		b.n.freeBatch(b.nums)
		close(b.done)
	}
}

// fail ends the batch, unless it is complete.
func (b *batch) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.freed && b.err == nil {
		b.drop(err)
	}
}

// drop ends the batch and frees its coins. The caller holds the lock.
func (b *batch) drop(err error) {
	b.err = err
	b.n.dropBatch(b.nums, b.tx, "another channel of the batch failed: "+err.Error())
	close(b.done)
}

// freeBatch lets the channels of a batch publish their funding.
func (n *Node) freeBatch(nums []uint64) {
	for _, num := range nums {
		n.put(num, channel.FundingFreed{})
	}
}

// dropBatch ends the channels of a batch whose funding tx, if it was made, will never be
// published.
func (n *Node) dropBatch(nums []uint64, tx *wire.MsgTx, text string) {
	for _, num := range nums {
		n.put(num, channel.FundingDropped{Text: text})
	}
	if tx != nil {
		n.purse.unfund(tx)
	}
}

// fundBatch makes the transaction of a batch and leases its coins to the first channel.
func (p *purse) fundBatch(b *batch, outs []*wire.TxOut) (*wire.MsgTx, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	num := b.nums[0]
	f, fx, err := p.wallet.Fund(p.n.ring, wallet.FundRequest{
		Outputs: outs, FeeRate: b.rate, MinConfs: b.req.MinConfs,
		Reserve: wallet.RequiredReserve(p.n.anchorChannels()), Now: p.n.now(),
	}, wallet.LeaseRow{ID: leaseID(num), Owner: wallet.LeasedByChannel, Number: num})
	if err != nil {
		return nil, err
	}
	p.held.Append(fx.Delta)
	p.watch(fx.Watch)
	if b.req.Label != "" {
		p.labels[f.Tx.TxHash()] = b.req.Label
	}
	return f.Tx, nil
}

// keptBack is what the store tells of a batch whose transaction was not let go when the
// process ended.
type keptBack struct {
	tx    *wire.MsgTx
	want  uint32 // channels of the batch
	nums  []uint64
	ready uint32 // of them that are signed
	freed bool   // one of them was let go: all were signed
}

// complete: all of its channels are signed.
func (k *keptBack) complete() bool { return k.freed || k.ready == k.want }

// rememberBatch notes which of the stored channels wait for others.
func (r *restored) rememberBatch(num uint64, rows *channel.Rows) {
	for _, f := range rows.Fundings {
		if f.Tx == nil || !f.Ours {
			continue
		}
		if r.batches == nil {
			r.batches = map[chainhash.Hash]*keptBack{}
		}
		k := r.batches[f.OutPoint.Hash]
		if k == nil {
			k = &keptBack{tx: f.Tx}
			r.batches[f.OutPoint.Hash] = k
		}
		if f.Batch == 0 {
			k.freed = true
			continue
		}
		k.want = f.Batch
		k.nums = append(k.nums, num)
		if rows.Core.Phase >= channel.AwaitReady {
			k.ready++
		}
	}
}

// resumeBatches lets go what all channels of a batch have signed, and drops the rest.
func (n *Node) resumeBatches() {
	for txid, k := range n.restored.batches {
		switch {
		case len(k.nums) == 0:
		case k.complete():
			n.freeBatch(k.nums)
		default:
			n.log.Warn("a batch of channels was not complete when the process ended", "txid", txid, "signed", k.ready, "of", k.want)
			n.dropBatch(k.nums, k.tx, fmt.Sprintf("the process ended when %d of the %d channels of the batch were signed", k.ready, k.want))
		}
	}
}
