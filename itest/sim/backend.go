package sim

import (
	"context"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// backend is the chain as one node sees it. Whoever asks for the State, or publishes,
// waits in a lane: the loops that follow the chain go on one at a time.
type backend struct {
	l       *life
	lane    *lane
	unmined chan *wire.MsgTx
	waits   []chan struct{} // of State
	away    bool
	low     lnwire.Height // the last block that it has read again; 0: all of them
	empty   bool          // it does not know those above low, not even as a branch

	points  map[wire.OutPoint]bool
	scripts map[string]bool
}

func newBackend(l *life) *backend {
	return &backend{
		l: l, lane: l.lane("chain"), unmined: make(chan *wire.MsgTx, 4096),
		points: map[wire.OutPoint]bool{}, scripts: map[string]bool{},
	}
}

// gate waits until the scheduler lets the caller go. It is open for the scheduler.
func (b *backend) gate() {
	if b.l.w.own || b.l.dead {
		return
	}
	through := make(chan struct{})
	b.l.w.push(b.l.lane("gate"), func() { close(through) })
	<-through
}

// changed wakes whoever waits for a change, one at a time.
func (b *backend) changed() {
	w := b.l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range b.waits {
		w.pushLocked(b.l.lane("block"), func() { close(c) })
	}
	b.waits = nil
}

// tell passes an unconfirmed transaction on, if it is of interest.
func (b *backend) tell(tx *wire.MsgTx) {
	interesting := slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return b.points[in.PreviousOutPoint] }) ||
		slices.ContainsFunc(tx.TxOut, func(o *wire.TxOut) bool { return b.scripts[string(o.PkScript)] })
	if interesting {
		b.l.w.push(b.lane, func() { b.unmined <- tx })
	}
}

func (b *backend) off() bool { return b.away || b.l.dead }

// height is that of the tip, as far as the backend has come.
func (b *backend) height() lnwire.Height {
	if top := b.l.w.chain.height(); b.low == 0 || b.low > top {
		return top
	}
	return b.low
}

func (b *backend) tip() lnwire.BlockRef {
	return lnwire.BlockRef{Height: b.height(), Hash: b.l.w.chain.hashes[b.height()]}
}

// Start is chainntnfs.Backend's.
func (b *backend) Start(context.Context) error { return nil }

// Stop is chainntnfs.Backend's.
func (b *backend) Stop() {}

// State is chainntnfs.Backend's.
func (b *backend) State() (chainntnfs.State, <-chan struct{}) {
	b.gate()
	w := b.l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	if !w.own {
		b.waits = append(b.waits, c)
	}
	s := chainntnfs.State{Up: !b.off(), Tip: b.tip(), TipTime: w.chain.blocks[b.height()].Header.Timestamp}
	if !s.Up {
		s.Why = chainntnfs.ErrUnavailable
	}
	return s, c
}

// pause lets others go on between two questions to a backend whose chain grows meanwhile.
func (b *backend) pause() {
	if b.low != 0 {
		b.gate()
	}
}

// Tip is chainntnfs.Source's.
func (b *backend) Tip(context.Context) (lnwire.BlockRef, error) {
	b.pause()
	if b.off() {
		return lnwire.BlockRef{}, chainntnfs.ErrUnavailable
	}
	return b.tip(), nil
}

// BlockHash is chainntnfs.Source's.
func (b *backend) BlockHash(_ context.Context, h lnwire.Height) (chainhash.Hash, error) {
	b.pause()
	c := b.l.w.chain
	switch {
	case b.off():
		return chainhash.Hash{}, chainntnfs.ErrUnavailable
	case h > b.height():
		return chainhash.Hash{}, chainntnfs.ErrNoBlock
	}
	return c.hashes[h], nil
}

// Header is chainntnfs.Source's.
func (b *backend) Header(ctx context.Context, h chainhash.Hash) (*wire.BlockHeader, error) {
	b.pause()
	block, err := b.Block(ctx, h)
	if err != nil {
		return nil, err
	}
	header := block.Header
	return &header, nil
}

// Block is chainntnfs.Source's.
func (b *backend) Block(_ context.Context, h chainhash.Hash) (*wire.MsgBlock, error) {
	if b.off() {
		return nil, chainntnfs.ErrUnavailable
	}
	c := b.l.w.chain
	block := c.known[h]
	if block == nil || b.empty && slices.Contains(c.hashes[b.height()+1:], h) {
		return nil, chainntnfs.ErrNoBlock
	}
	return block, nil
}

// TxOut is chainntnfs.Backend's.
func (b *backend) TxOut(_ context.Context, op wire.OutPoint) (chainntnfs.TxOut, error) {
	if b.off() {
		return chainntnfs.TxOut{}, chainntnfs.ErrUnavailable
	}
	u, ok := b.coin(op)
	if !ok {
		return chainntnfs.TxOut{}, chainntnfs.ErrNoOutput
	}
	return chainntnfs.TxOut{
		Value: lnwire.Sat(u.out.Value), PkScript: u.out.PkScript, Height: u.height,
		Confirmations: uint32(b.height()-u.height) + 1,
	}, nil
}

// coin is an output that no block up to the tip spends.
func (b *backend) coin(op wire.OutPoint) (coin, bool) {
	c := b.l.w.chain
	if b.height() == c.height() {
		u, ok := c.coins[op]
		return u, ok
	}
	at, ok := c.txs[op.Hash]
	if !ok || at > b.height() {
		return coin{}, false
	}
	var u coin
	for h := at; h <= b.height(); h++ {
		for _, tx := range c.blocks[h].Transactions {
			if h == at && tx.TxHash() == op.Hash && int(op.Index) < len(tx.TxOut) {
				u = coin{tx.TxOut[op.Index], at}
			}
			if slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == op }) {
				return coin{}, false
			}
		}
	}
	return u, u.out != nil
}

// Txid is chainntnfs.Backend's.
func (b *backend) Txid(_ context.Context, h lnwire.Height, i uint32) (chainhash.Hash, error) {
	c := b.l.w.chain
	switch {
	case b.off():
		return chainhash.Hash{}, chainntnfs.ErrUnavailable
	case h > b.height():
		return chainhash.Hash{}, chainntnfs.ErrNoBlock
	case int(i) >= len(c.blocks[h].Transactions):
		return chainhash.Hash{}, chainntnfs.ErrNoOutput
	}
	return c.blocks[h].Transactions[i].TxHash(), nil
}

// Publish is chainntnfs.Backend's.
func (b *backend) Publish(_ context.Context, tx *wire.MsgTx) error {
	b.gate()
	if b.off() {
		return chainntnfs.ErrUnavailable
	}
	err := b.orphan(tx)
	if err == nil {
		err = b.l.w.chain.publish(tx)
	}
	b.l.w.say("%s publishes %s: %v", b.l.home.name, tx.TxHash(), err)
	return err
}

// orphan refuses what spends an output of a block that was not read again yet.
func (b *backend) orphan(tx *wire.MsgTx) error {
	c := b.l.w.chain
	for _, in := range tx.TxIn {
		if at, mined := c.txs[in.PreviousOutPoint.Hash]; mined && at > b.height() {
			return reject(chainntnfs.RejectMissingInputs, "input %v", in.PreviousOutPoint)
		}
	}
	return nil
}

// WatchMempool is chainntnfs.Backend's.
func (b *backend) WatchMempool(f chainntnfs.MempoolFilter) {
	b.l.w.mu.Lock()
	defer b.l.w.mu.Unlock()
	for _, op := range f.Outpoints {
		b.points[op] = true
	}
	for _, s := range f.Scripts {
		b.scripts[string(s)] = true
	}
}

// UnwatchMempool is chainntnfs.Backend's.
func (b *backend) UnwatchMempool(f chainntnfs.MempoolFilter) {
	b.l.w.mu.Lock()
	defer b.l.w.mu.Unlock()
	for _, op := range f.Outpoints {
		delete(b.points, op)
	}
	for _, s := range f.Scripts {
		delete(b.scripts, string(s))
	}
}

// Unmined is chainntnfs.Backend's.
func (b *backend) Unmined() <-chan *wire.MsgTx { return b.unmined }

// FeeEstimate is chainntnfs.FeeSource's.
func (b *backend) FeeEstimate(_ context.Context, blocks uint32) (lnwire.SatPerKW, error) {
	if b.off() {
		return 0, chainntnfs.ErrUnavailable
	}
	rate := b.l.w.chain.market * 2
	if blocks > 6 {
		rate = b.l.w.chain.market
	}
	return max(rate, b.l.w.chain.floor, lnwire.FeeFloor), nil
}

// RelayFee is chainntnfs.FeeSource's.
func (b *backend) RelayFee(context.Context) (lnwire.SatPerKW, error) {
	if b.off() {
		return 0, chainntnfs.ErrUnavailable
	}
	return b.l.w.chain.floor, nil
}
