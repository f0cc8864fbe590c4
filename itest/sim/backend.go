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
	s := chainntnfs.State{Up: !b.off(), Tip: w.chain.tip(), TipTime: w.chain.blocks[w.chain.height()].Header.Timestamp}
	if !s.Up {
		s.Why = chainntnfs.ErrUnavailable
	}
	return s, c
}

// Tip is chainntnfs.Source's.
func (b *backend) Tip(context.Context) (lnwire.BlockRef, error) {
	if b.off() {
		return lnwire.BlockRef{}, chainntnfs.ErrUnavailable
	}
	return b.l.w.chain.tip(), nil
}

// BlockHash is chainntnfs.Source's.
func (b *backend) BlockHash(_ context.Context, h lnwire.Height) (chainhash.Hash, error) {
	c := b.l.w.chain
	switch {
	case b.off():
		return chainhash.Hash{}, chainntnfs.ErrUnavailable
	case h > c.height():
		return chainhash.Hash{}, chainntnfs.ErrNoBlock
	}
	return c.hashes[h], nil
}

// Header is chainntnfs.Source's.
func (b *backend) Header(ctx context.Context, h chainhash.Hash) (*wire.BlockHeader, error) {
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
	if block := b.l.w.chain.known[h]; block != nil {
		return block, nil
	}
	return nil, chainntnfs.ErrNoBlock
}

// TxOut is chainntnfs.Backend's.
func (b *backend) TxOut(_ context.Context, op wire.OutPoint) (chainntnfs.TxOut, error) {
	if b.off() {
		return chainntnfs.TxOut{}, chainntnfs.ErrUnavailable
	}
	u, ok := b.l.w.chain.coins[op]
	if !ok {
		return chainntnfs.TxOut{}, chainntnfs.ErrNoOutput
	}
	return chainntnfs.TxOut{
		Value: lnwire.Sat(u.out.Value), PkScript: u.out.PkScript, Height: u.height,
		Confirmations: uint32(b.l.w.chain.height()-u.height) + 1,
	}, nil
}

// Txid is chainntnfs.Backend's.
func (b *backend) Txid(_ context.Context, h lnwire.Height, i uint32) (chainhash.Hash, error) {
	c := b.l.w.chain
	switch {
	case b.off():
		return chainhash.Hash{}, chainntnfs.ErrUnavailable
	case h > c.height():
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
	err := b.l.w.chain.publish(tx)
	b.l.w.say("%s publishes %s: %v", b.l.home.name, tx.TxHash(), err)
	return err
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
