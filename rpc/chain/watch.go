package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// settled is how deep something must be to count as final: it ends the streams.
const settled = 144

// errSettled ends a watch whose stream is at its end.
var errSettled = errors.New("nothing can change any more")

// RegisterConfirmationsNtfn waits until a transaction is deep enough.
func (s *Service) RegisterConfirmationsNtfn(req *chainrpc.ConfRequest, out chainrpc.ChainNotifier_RegisterConfirmationsNtfnServer) error {
	w, err := confWatch(req)
	if err != nil {
		return err
	}
	translate.Stands(out.Context())
	c := &confirming{s: s, req: req, ctx: out.Context(), send: out.Send}
	return ended(s.node.WatchChain(out.Context(), w, c.event))
}

// confWatch reads what is waited for.
func confWatch(req *chainrpc.ConfRequest) (w chainntnfs.Watch, err error) {
	if n := len(req.Txid); n != 0 && n != chainhash.HashSize {
		return w, translate.Invalid("txid", "want 32 bytes, got %d", n)
	}
	copy(w.Txid[:], req.Txid)
	switch {
	case len(req.Script) == 0 && w.Txid == (chainhash.Hash{}):
		return w, translate.Mistake("an output script must be provided")
	case req.NumConfs == 0 || req.NumConfs > settled:
		return w, translate.Mistake("number of confirmations must be between 1 and %d", settled)
	case req.HeightHint == 0:
		return w, translate.Mistake("a height hint greater than 0 must be provided")
	}
	w.PkScript, w.From = req.Script, lnwire.Height(req.HeightHint)
	return w, nil
}

// ended is how a stream ends.
func ended(err error) error {
	switch {
	case errors.Is(err, errSettled):
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, node.ErrManyWatchers):
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	return err
}

// confirming is what is known of a wait for confirmations.
type confirming struct {
	s    *Service
	req  *chainrpc.ConfRequest
	ctx  context.Context
	send func(*chainrpc.ConfEvent) error
	in   []chainntnfs.Confirmed // in the chain, in its order
	told *chainhash.Hash        // the transaction that was told; nil: none
}

func (c *confirming) event(ev chainntnfs.Event) error {
	switch ev := ev.(type) {
	case chainntnfs.Confirmed:
		if !slices.ContainsFunc(c.in, func(o chainntnfs.Confirmed) bool { return o.At == ev.At && o.TxIndex == ev.TxIndex }) {
			c.in = append(c.in, ev)
		}
	case chainntnfs.Unconfirmed:
		return c.drop(func(o chainntnfs.Confirmed) bool { return o.Tx.TxHash() == ev.Txid && o.At == ev.Was })
	case chainntnfs.Lost:
		return c.drop(func(o chainntnfs.Confirmed) bool { return o.At.Height > ev.Fork.Height })
	case chainntnfs.Tip:
		return c.tip(ev.At)
	case chainntnfs.Spent, chainntnfs.Unmined:
	}
	return nil
}

// drop takes back what has left the chain.
func (c *confirming) drop(gone func(chainntnfs.Confirmed) bool) error {
	lost := false
	c.in = slices.DeleteFunc(c.in, func(o chainntnfs.Confirmed) bool {
		g := gone(o)
		lost = lost || g && c.told != nil && o.Tx.TxHash() == *c.told
		return g
	})
	if !lost {
		return nil
	}
	c.told = nil
	return c.send(&chainrpc.ConfEvent{Event: &chainrpc.ConfEvent_Reorg{Reorg: &chainrpc.Reorg{}}})
}

// tip looks how deep the first of the transactions is now.
func (c *confirming) tip(at lnwire.BlockRef) error {
	if len(c.in) == 0 {
		return nil
	}
	first := c.in[0]
	depth := depthAt(first.At, at)
	if c.told == nil && depth >= c.req.NumConfs {
		if err := c.tell(first); err != nil {
			return err
		}
		txid := first.Tx.TxHash()
		c.told = &txid
	}
	if c.told != nil && depth >= settled {
		return errSettled
	}
	return nil
}

func depthAt(at, tip lnwire.BlockRef) uint32 {
	if tip.Height < at.Height {
		return 0
	}
	return uint32(tip.Height-at.Height) + 1
}

func (c *confirming) tell(ev chainntnfs.Confirmed) error {
	raw, err := rawTx(ev.Tx)
	if err != nil {
		return err
	}
	d := &chainrpc.ConfDetails{RawTx: raw, BlockHash: ev.At.Hash[:], BlockHeight: uint32(ev.At.Height), TxIndex: ev.TxIndex}
	if c.req.IncludeBlock {
		block, err := c.s.node.Block(c.ctx, ev.At.Hash)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := block.Serialize(&b); err != nil {
			return fmt.Errorf("write the block: %w", err)
		}
		d.RawBlock = b.Bytes()
	}
	return c.send(&chainrpc.ConfEvent{Event: &chainrpc.ConfEvent_Conf{Conf: d}})
}

func rawTx(tx *wire.MsgTx) ([]byte, error) {
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		return nil, fmt.Errorf("write the transaction: %w", err)
	}
	return b.Bytes(), nil
}

// RegisterSpendNtfn waits until an output is spent.
func (s *Service) RegisterSpendNtfn(req *chainrpc.SpendRequest, out chainrpc.ChainNotifier_RegisterSpendNtfnServer) error {
	w, err := spendWatch(req)
	if err != nil {
		return err
	}
	translate.Stands(out.Context())
	sp := &spending{send: out.Send}
	return ended(s.node.WatchChain(out.Context(), w, sp.event))
}

// spendWatch reads what is waited for: the spend of an output or, without one, the first
// of any output with the script.
func spendWatch(req *chainrpc.SpendRequest) (w chainntnfs.Watch, err error) {
	n := len(req.GetOutpoint().GetHash())
	if n != 0 && n != chainhash.HashSize {
		return w, translate.Invalid("outpoint.hash", "want 32 bytes, got %d", n)
	}
	w.PkScript, w.From = req.Script, lnwire.Height(req.HeightHint)
	if n != 0 {
		w.Outpoint = wire.OutPoint{Hash: chainhash.Hash(req.Outpoint.Hash), Index: req.Outpoint.Index}
	}
	w.Spends = w.Outpoint == (wire.OutPoint{})
	switch class := txscript.GetScriptClass(req.Script); {
	case w.Spends && len(req.Script) == 0:
		return w, translate.Mistake("an output script must be provided")
	case req.HeightHint == 0:
		return w, translate.Mistake("a height hint greater than 0 must be provided")
	case w.Spends && class == txscript.WitnessV1TaprootTy: // its spends do not show it
		return w, translate.Mistake("cannot register witness v1 spend request without outpoint")
	case w.Spends && !slices.Contains(hashed, class):
		return w, translate.Mistake("unsupported script type")
	}
	return w, nil
}

// hashed are the kinds of scripts that an input shows which spends one: they are hashes of
// what it brings.
var hashed = []txscript.ScriptClass{
	txscript.PubKeyHashTy, txscript.ScriptHashTy, txscript.WitnessV0PubKeyHashTy, txscript.WitnessV0ScriptHashTy,
}

// spending is what is known of a wait for a spend. Of a script there can be many: the
// first counts, until it leaves the chain.
type spending struct {
	send func(*chainrpc.SpendEvent) error
	in   []chainntnfs.Spent // in the chain, in its order; the first is told
}

// maxSpends bounds what is kept of a script that is used again and again.
const maxSpends = 100

func (s *spending) event(ev chainntnfs.Event) error {
	switch ev := ev.(type) {
	case chainntnfs.Spent:
		same := func(o chainntnfs.Spent) bool { return o.Outpoint == ev.Outpoint }
		switch again := slices.IndexFunc(s.in, same); {
		case again >= 0 && s.in[again].At == ev.At || len(s.in) == maxSpends:
			return nil
		case again >= 0: // another block has it now
			s.in = slices.Delete(s.in, again, again+1)
		}
		if s.in = append(s.in, ev); len(s.in) == 1 {
			return s.tell(ev)
		}
	case chainntnfs.Unconfirmed:
		return s.drop(func(o chainntnfs.Spent) bool { return o.Tx.TxHash() == ev.Txid && o.At == ev.Was })
	case chainntnfs.Lost:
		return s.drop(func(o chainntnfs.Spent) bool { return o.At.Height > ev.Fork.Height })
	case chainntnfs.Tip:
		if len(s.in) > 0 && depthAt(s.in[0].At, ev.At) >= settled {
			return errSettled
		}
	case chainntnfs.Confirmed, chainntnfs.Unmined:
	}
	return nil
}

// drop takes back what has left the chain. If that was told, the next one takes its place.
func (s *spending) drop(gone func(chainntnfs.Spent) bool) error {
	if len(s.in) == 0 {
		return nil
	}
	told := s.in[0]
	s.in = slices.DeleteFunc(s.in, gone)
	if !gone(told) {
		return nil
	}
	err := s.send(&chainrpc.SpendEvent{Event: &chainrpc.SpendEvent_Reorg{Reorg: &chainrpc.Reorg{}}})
	if err == nil && len(s.in) > 0 {
		err = s.tell(s.in[0])
	}
	return err
}

func (s *spending) tell(ev chainntnfs.Spent) error {
	raw, err := rawTx(ev.Tx)
	if err != nil {
		return err
	}
	txid := ev.Tx.TxHash()
	return s.send(&chainrpc.SpendEvent{Event: &chainrpc.SpendEvent_Spend{Spend: &chainrpc.SpendDetails{
		SpendingOutpoint: &chainrpc.Outpoint{Hash: ev.Outpoint.Hash[:], Index: ev.Outpoint.Index},
		RawSpendingTx:    raw, SpendingTxHash: txid[:], SpendingInputIndex: ev.Input, SpendingHeight: uint32(ev.At.Height),
	}}})
}
