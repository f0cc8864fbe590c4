package node

import (
	"cmp"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// purse drives the wallet and the sweeper: one step at a time, its delta queued
// before the next begins.
type purse struct {
	n *Node

	mu     sync.Mutex
	wallet *wallet.Wallet
	sweeps *wallet.Sweeper
	// held are leases for a funding that wait to be written with their channel's
	// first rows. Whatever the wallet writes earlier takes them along.
	held wallet.Delta
	// labels are for transactions that are still to be published.
	labels map[chainhash.Hash]string
	// charges of the step under way are written with it.
	charges []budget.Change
	// lately is what the last blocks have spent.
	lately lately
	// again is when urgent transactions are offered once more.
	again *alarm
}

func newPurse(n *Node) *purse {
	p := &purse{n: n, labels: map[chainhash.Hash]string{}}
	p.again = n.newAlarm(func() { n.spawn(p.urgent) })
	return p
}

// offerAgain is how often urgent transactions are offered between blocks (V-24).
const offerAgain = time.Minute

// urgent offers what has a deadline again, and keeps doing so while there is any.
func (p *purse) urgent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue(wallet.Effects{Publish: p.sweeps.Urgent()}, nil)
	p.remind()
}

// remind asks for the next time. The caller holds the lock.
func (p *purse) remind() {
	if len(p.sweeps.Urgent()) > 0 {
		p.again.set(p.n.now().Add(offerAgain))
	}
}

// do runs one step and returns once it is durable.
func (p *purse) do(step func(*wallet.Wallet) (wallet.Effects, error)) error {
	done := make(chan struct{})
	p.mu.Lock()
	fx, err := step(p.wallet)
	if err != nil {
		p.mu.Unlock()
		return err
	}
	p.queue(fx, func() { close(done) })
	p.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-p.n.db.Dead():
		select {
		case <-done: // it was among the last
			return nil
		default:
			return errStopping
		}
	}
}

// look runs f, which must change nothing.
func (p *purse) look(f func(*wallet.Wallet)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.wallet)
}

// queue queues a step's delta and lets go of its effects when it is durable. The
// caller holds the lock.
func (p *purse) queue(fx wallet.Effects, done func()) {
	delta := p.held
	delta.Append(fx.Delta)
	p.held = wallet.Delta{}
	p.watch(fx.Watch)
	batch := channeldb.Batch{Budgets: append(p.charges, fx.Returned...)}
	p.n.budgets.settle(fx.Returned)
	p.charges = nil
	if !delta.Empty() {
		batch.Wallet = []*wallet.Delta{&delta}
	}
	p.n.write(batch, func() {
		for _, tx := range fx.Publish {
			p.n.publisher.publish(tx)
		}
		for _, row := range delta.Txs {
			p.n.Transactions.Publish(row)
		}
		for _, t := range fx.Tell {
			p.n.walletNotice(t)
		}
		if done != nil {
			done()
		}
	})
}

// watch looks out for unconfirmed payments to scripts.
func (p *purse) watch(scripts [][]byte) {
	if len(scripts) > 0 {
		p.n.backend.WatchMempool(chainntnfs.MempoolFilter{Scripts: scripts})
	}
}

func (p *purse) height() lnwire.Height {
	at, _ := p.wallet.Tip()
	return at.Height
}

// block takes in a step of the chain.
func (p *purse) block(s chainntnfs.Step) {
	defer p.n.refreshFees()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.Connect {
		p.lately.disconnect(s.Now.Height)
		fx := p.wallet.Disconnect(s.Now)
		fx.Append(p.sweeps.Disconnect(s.Now))
		p.queue(fx, nil)
		return
	}
	b := wallet.Block{At: s.At, Time: s.Block.Header.Timestamp, Txs: s.Block.Transactions}
	p.lately.connect(b.At.Height, b.Txs)
	fx := p.wallet.Connect(b)
	fx.Append(p.sweeps.Connect(b, p.n.lastFees(), p.n.now()))
	fx.Append(p.wallet.Expire(p.n.now()))
	p.queue(fx, nil)
	p.remind()
}

// seen takes in an unconfirmed transaction, unless a block has outrun it.
func (p *purse) seen(tx *wire.MsgTx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.lately.outruns(tx) {
		p.queue(p.wallet.Seen(tx, p.n.now()), nil)
	}
}

// fund answers a channel that asks for its funding transaction.
func (p *purse) fund(num uint64, ask channel.AskFund, req *OpenRequest) channel.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	fr := wallet.FundRequest{
		Outputs: []*wire.TxOut{wire.NewTxOut(int64(ask.Amount), ask.Script)},
		FeeRate: ask.FeeRate, MinConfs: req.MinConfs, Coins: req.Coins,
		Reserve: wallet.RequiredReserve(p.n.anchorChannels()), Now: p.n.now(),
	}
	f, fx, err := p.wallet.Fund(p.n.ring, fr, wallet.LeaseRow{ID: leaseID(num), Owner: wallet.LeasedByChannel, Number: num})
	if err != nil {
		return channel.Declined{Text: err.Error()}
	}
	p.held.Append(fx.Delta)
	p.watch(fx.Watch)
	return channel.Funded{Tx: f.Tx, Output: f.Outputs[0]}
}

// commitFirst queues the first rows of a channel together with the leases that its
// funding took.
func (p *purse) commitFirst(d *channel.Delta, release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := channeldb.Batch{Channels: []*channel.Delta{d}}
	if !p.held.Empty() {
		held := p.held
		p.held = wallet.Delta{}
		batch.Wallet = []*wallet.Delta{&held}
	}
	p.n.write(batch, release)
}

// unfund frees the coins of a funding that will not be.
func (p *purse) unfund(tx *wire.MsgTx) {
	in := map[wire.OutPoint]bool{}
	for _, i := range tx.TxIn {
		in[i.PreviousOutPoint] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.labels, tx.TxHash())
	p.queue(p.wallet.ReleaseIf(func(l wallet.LeaseRow) bool {
		return l.Owner == wallet.LeasedByChannel && in[l.OutPoint]
	}), nil)
}

// publish sends a channel's transaction. What it spends of the wallet's, and what it
// pays to it, the wallet knows from here on, and it sends it again with every block
// until it is mined.
func (p *purse) publish(tx *wire.MsgTx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	txid := tx.TxHash()
	fx, err := p.wallet.Publish(wallet.Publication{Tx: tx, Label: cmp.Or(p.labels[txid], "channel"), Now: p.n.now()})
	delete(p.labels, txid)
	if err != nil {
		p.n.logs.wallet.Debug("transaction is not published", "txid", tx.TxHash(), "err", err)
		return
	}
	p.queue(fx, nil)
}

// outdone forgets what the wallet holds against transactions that channels found in blocks.
func (p *purse) outdone(list []channel.Mined) {
	if len(list) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var fx wallet.Effects
	for _, m := range list {
		fx.Append(p.wallet.Outdone(m.Tx, m.Place.At))
	}
	p.queue(fx, nil)
}

// address gives out a fresh address, durable first.
func (p *purse) address(id wallet.AccountID, branch keys.Branch, unused bool) (a wallet.Address, err error) {
	err = p.do(func(w *wallet.Wallet) (fx wallet.Effects, err error) {
		if unused {
			a, fx, err = w.UnusedAddress(id, branch)
		} else {
			a, fx, err = w.NextAddress(id, branch)
		}
		return fx, err
	})
	return a, err
}

// leaseID is the lease's id for a channel's funding.
func leaseID(num uint64) (id [32]byte) {
	copy(id[:], "channel funding")
	for i := range 8 {
		id[31-i] = byte(num >> (8 * i))
	}
	return id
}
