package btcdtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	// feeRate is what Pay pays, in satoshi per byte: well above any floor.
	feeRate = 10
	// inputSize, outputSize and baseSize estimate a P2PKH spend, in bytes.
	inputSize  = 148
	outputSize = 43
	baseSize   = 10
	// dustChange is left to the miners of the block instead of being returned.
	dustChange = 1000
	// simnetSegwit is the height from which simnet accepts witnesses.
	simnetSegwit = 300
)

// Coin is an output of the miner's.
type Coin struct {
	Outpoint wire.OutPoint
	Value    int64
}

// Miner owns the key that blocks pay to. Its coins are P2PKH, which every
// network accepts from its first block on. It is safe for concurrent use.
type Miner struct {
	node   *Node
	params *chaincfg.Params
	key    *btcec.PrivateKey
	addr   address.Address
	script []byte

	mu      sync.Mutex
	coins   []Coin
	scanned int32          // coinbases up to this height are in coins, or were
	at      chainhash.Hash // the block at that height
}

func newMiner(n *Node, params *chaincfg.Params) (*Miner, error) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return nil, fmt.Errorf("make miner key: %w", err)
	}
	hash := address.Hash160(key.PubKey().SerializeCompressed())
	addr, err := address.NewAddressPubKeyHash(hash, params)
	if err != nil {
		return nil, fmt.Errorf("make miner address: %w", err)
	}
	script, err := txscript.PayToAddrScript(addr)
	if err != nil {
		return nil, fmt.Errorf("make miner script: %w", err)
	}
	return &Miner{node: n, params: params, key: key, addr: addr, script: script}, nil
}

// Address is where the blocks pay to.
func (m *Miner) Address() string { return m.addr.EncodeAddress() }

// Script is the output script of Address.
func (m *Miner) Script() []byte { return slices.Clone(m.script) }

// Mature mines until the first coinbases can be spent and, on simnet, until
// segwit is active.
func (m *Miner) Mature(ctx context.Context) error {
	height, _, err := m.node.Tip(ctx)
	if err != nil {
		return err
	}
	want := int32(m.params.CoinbaseMaturity) + 10
	if m.params.Name == chaincfg.SimNetParams.Name {
		want = simnetSegwit
	}
	if height >= want {
		return nil
	}
	_, err = m.node.Generate(ctx, int(want-height))
	return err
}

// Pay sends a transaction with these outputs, plus change. It waits for no block.
func (m *Miner) Pay(ctx context.Context, outs ...*wire.TxOut) (*wire.MsgTx, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tx, err := m.build(ctx, outs)
	if err != nil {
		return nil, err
	}
	if err := m.node.Send(ctx, tx); err != nil {
		return nil, err
	}
	if last := len(tx.TxOut) - 1; last >= len(outs) {
		change := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(last)}
		m.coins = append(m.coins, Coin{change, tx.TxOut[last].Value})
	}
	return tx, nil
}

// PayAddress is Pay for one address in its text form.
func (m *Miner) PayAddress(ctx context.Context, to string, sat int64) (*wire.MsgTx, error) {
	out, err := m.OutputTo(to, sat)
	if err != nil {
		return nil, err
	}
	return m.Pay(ctx, out)
}

// OutputTo is an output to an address of the miner's network.
func (m *Miner) OutputTo(to string, sat int64) (*wire.TxOut, error) {
	addr, err := address.DecodeAddress(to, m.params)
	if err != nil {
		return nil, fmt.Errorf("pay to %q: %w", to, err)
	}
	script, err := txscript.PayToAddrScript(addr)
	if err != nil {
		return nil, fmt.Errorf("pay to %q: %w", to, err)
	}
	return wire.NewTxOut(sat, script), nil
}

// Build is Pay without sending; the coins that it takes are the caller's now.
func (m *Miner) Build(ctx context.Context, outs ...*wire.TxOut) (*wire.MsgTx, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.build(ctx, outs)
}

func (m *Miner) build(ctx context.Context, outs []*wire.TxOut) (*wire.MsgTx, error) {
	if len(outs) == 0 {
		return nil, errors.New("pay: no outputs")
	}
	need := int64(0)
	for _, out := range outs {
		need += out.Value
	}
	var coins []Coin
	have := int64(0)
	size := baseSize + outputSize*(len(outs)+1)
	for have < need+int64(size)*feeRate {
		coin, err := m.take(ctx)
		if err != nil {
			return nil, err
		}
		coins = append(coins, coin)
		have += coin.Value
		size += inputSize
	}
	outs = slices.Clone(outs)
	if change := have - need - int64(size)*feeRate; change >= dustChange {
		outs = append(outs, wire.NewTxOut(change, m.script))
	}
	return m.Spend(coins, outs...)
}

// Take hands out coins of at least that many satoshi together; they are the
// caller's to spend.
func (m *Miner) Take(ctx context.Context, sat int64) ([]Coin, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var coins []Coin
	for have := int64(0); have < sat; {
		coin, err := m.take(ctx)
		if err != nil {
			return nil, err
		}
		coins = append(coins, coin)
		have += coin.Value
	}
	return coins, nil
}

// Spend signs a transaction over exactly these coins and outputs; what the
// outputs leave is the fee.
func (m *Miner) Spend(coins []Coin, outs ...*wire.TxOut) (*wire.MsgTx, error) {
	tx := wire.NewMsgTx(2)
	for _, coin := range coins {
		tx.AddTxIn(wire.NewTxIn(&coin.Outpoint, nil, nil))
	}
	for _, out := range outs {
		tx.AddTxOut(out)
	}
	if err := m.Sign(tx); err != nil {
		return nil, err
	}
	return tx, nil
}

// Sign signs every input of tx as a spend of the miner's script; for callers
// that choose versions, sequences or lock times themselves.
func (m *Miner) Sign(tx *wire.MsgTx) error {
	for i := range tx.TxIn {
		sig, err := txscript.SignatureScript(tx, i, m.script, txscript.SigHashAll, m.key, true)
		if err != nil {
			return fmt.Errorf("sign input %d: %w", i, err)
		}
		tx.TxIn[i].SignatureScript = sig
	}
	return nil
}

// take gives the next coin that the chain or the mempool still knows. A reorg
// may have undone some.
func (m *Miner) take(ctx context.Context) (Coin, error) {
	for {
		for len(m.coins) > 0 {
			coin := m.coins[0]
			m.coins = m.coins[1:]
			ok, err := m.exists(ctx, coin.Outpoint)
			if err != nil {
				return Coin{}, err
			}
			if ok {
				return coin, nil
			}
		}
		if err := m.scan(ctx); err != nil {
			return Coin{}, err
		}
	}
}

func (m *Miner) exists(ctx context.Context, op wire.OutPoint) (bool, error) {
	var out *struct{}
	err := m.node.Call(ctx, &out, "gettxout", op.Hash.String(), op.Index, true)
	return out != nil, err
}

// scan adds the coinbase of the next height that is mature.
func (m *Miner) scan(ctx context.Context) error {
	tip, _, err := m.node.Tip(ctx)
	if err != nil {
		return err
	}
	if err := m.rewind(ctx, tip); err != nil {
		return err
	}
	next := m.scanned + 1
	if next+int32(m.params.CoinbaseMaturity) > tip+1 {
		return fmt.Errorf("pay: the miner has no mature coin at height %d", tip)
	}
	hash, err := m.node.BlockHash(ctx, next)
	if err != nil {
		return err
	}
	block, err := m.node.Block(ctx, hash)
	if err != nil {
		return err
	}
	coinbase := block.Transactions[0]
	for i, out := range coinbase.TxOut {
		if slices.Equal(out.PkScript, m.script) && out.Value > 0 {
			op := wire.OutPoint{Hash: coinbase.TxHash(), Index: uint32(i)}
			m.coins = append(m.coins, Coin{op, out.Value})
		}
	}
	m.scanned, m.at = next, hash
	return nil
}

// rewind starts anew when the chain that was scanned is gone, as it is after a
// restart on regtest.
func (m *Miner) rewind(ctx context.Context, tip int32) error {
	if m.scanned == 0 {
		return nil
	}
	if m.scanned <= tip {
		hash, err := m.node.BlockHash(ctx, m.scanned)
		if err != nil {
			return err
		}
		if hash == m.at {
			return nil
		}
	}
	m.scanned, m.at, m.coins = 0, chainhash.Hash{}, nil
	return nil
}
