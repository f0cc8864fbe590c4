package local

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs/btcdtest"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// stopTime is how long a child may take to end in good order.
const stopTime = 10 * time.Second

// Config says what to run and where.
type Config struct {
	Dir     string // of everything; it has to exist
	Btcd    string // binary; empty: beside our own, else as btcdtest.Find
	Fulgurd string // binary; empty: beside our own, else in PATH
}

// Net is a chain and nodes on it.
type Net struct {
	Chain *btcdtest.Node
	Dir   string
	Nodes []*Node

	fulgurd string
	once    sync.Once
}

// Start runs the chain and mines until its first coins can be spent.
func Start(ctx context.Context, cfg Config) (*Net, error) {
	fulgurd, err := findFulgurd(cfg.Fulgurd)
	if err != nil {
		return nil, err
	}
	btcd := cfg.Btcd
	if btcd == "" {
		btcd = beside("btcd")
	}
	if btcd, err = btcdtest.Find(ctx, btcd); err != nil {
		return nil, fmt.Errorf("%w (say where it is with --btcd=PATH)", err)
	}
	chain, err := btcdtest.Start(ctx, btcdtest.Config{Binary: btcd, Dir: filepath.Join(cfg.Dir, "btcd")})
	if err != nil {
		return nil, err
	}
	n := &Net{Chain: chain, Dir: cfg.Dir, fulgurd: fulgurd}
	if err := chain.Miner().Mature(ctx); err != nil {
		n.Stop()
		return nil, err
	}
	return n, nil
}

// Stop ends everything: first the nodes, at the same time, then the chain.
func (n *Net) Stop() {
	n.once.Do(func() {
		var all sync.WaitGroup
		for _, node := range n.Nodes {
			all.Go(node.stop)
		}
		all.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if n.Chain.Stop(ctx) != nil {
			n.Chain.Kill()
		}
	})
}

// beside is a binary next to our own; empty if there is none.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(self), name)
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return ""
	}
	return path
}

func findFulgurd(path string) (string, error) {
	if path == "" {
		path = beside("fulgurd")
	}
	if path == "" {
		path = "fulgurd"
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return "", fmt.Errorf("find fulgurd: %w (build it beside fulgur, or say where it is with --fulgurd=PATH)", err)
	}
	return filepath.Abs(found)
}

// freeAddrs finds so many free loopback addresses, all different.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // after all have been found
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// Tx is a transaction of the chain or the mempool.
func (n *Net) Tx(ctx context.Context, txid chainhash.Hash) (*wire.MsgTx, error) {
	var text string
	if err := n.Chain.Call(ctx, &text, "getrawtransaction", txid.String(), 0); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read transaction %s: %w", txid, err)
	}
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("read transaction %s: %w", txid, err)
	}
	return tx, nil
}

// Fee is what a transaction pays to the miners: its inputs less its outputs.
func (n *Net) Fee(ctx context.Context, tx *wire.MsgTx) (int64, error) {
	fee := int64(0)
	for _, in := range tx.TxIn {
		from, err := n.Tx(ctx, in.PreviousOutPoint.Hash)
		if err != nil {
			return 0, err
		}
		if int(in.PreviousOutPoint.Index) >= len(from.TxOut) {
			return 0, errors.New("read transaction: an input spends what is not there")
		}
		fee += from.TxOut[in.PreviousOutPoint.Index].Value
	}
	for _, out := range tx.TxOut {
		fee -= out.Value
	}
	return fee, nil
}

// Confirm waits until the transactions are in the mempool, mines, and waits until every node
// has taken the blocks in: one that is still on its way refuses channels.
func (n *Net) Confirm(ctx context.Context, blocks int, txids ...chainhash.Hash) error {
	err := Until(ctx, func() (bool, error) {
		pool, err := n.Chain.Mempool(ctx)
		if err != nil {
			return false, err
		}
		there := map[chainhash.Hash]bool{}
		for _, h := range pool {
			there[h] = true
		}
		for _, txid := range txids {
			if !there[txid] {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait for transactions in the mempool: %w", err)
	}
	mined, err := n.Chain.Generate(ctx, blocks)
	if err != nil || len(mined) == 0 {
		return err
	}
	tip := mined[len(mined)-1].String()
	for _, node := range n.Nodes {
		err := Until(ctx, func() (bool, error) {
			info, err := node.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{})
			return err == nil && info.SyncedToChain && info.BlockHash == tip, err
		})
		if err != nil {
			return fmt.Errorf("wait until %s has seen block %s: %w", node.Name, tip, err)
		}
	}
	return nil
}

// Until looks again and again until it is so, or ctx ends.
func Until(ctx context.Context, so func() (bool, error)) error {
	for {
		yes, err := so()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
}
