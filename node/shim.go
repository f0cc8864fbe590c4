package node

import (
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node/turn"
	"github.com/fulgur-ln/fulgur/wallet"
)

// Shim says that the funding of a channel comes from elsewhere, as a PSBT: from another
// wallet, or a device that signs. It is named by OpenRequest.TempID. The channel asks
// for it by OpenUpdate.Fund; VerifyFunding takes what will be signed, FinalizeFunding
// what is, and only then the peer is told of it.
type Shim struct {
	// NoPublish: the caller publishes, or another channel that the transaction funds.
	NoPublish bool
}

// FundAsked is what the funding has to pay.
type FundAsked struct {
	Script []byte
	Amount lnwire.Sat
}

var (
	// ErrNoIntent says that no opening of that id waits for its transaction.
	ErrNoIntent      = errors.New("no funding intent found")
	errUserCanceled  = errors.New("user canceled funding")
	errNotNegotiated = mistake.State("the peer has not accepted the channel yet")
)

// shims are the openings that wait for their funding from elsewhere.
//
// Money is lost that a transaction pays to a channel without a signed commitment. So of
// the channels of one transaction at most one publishes it, and the peer hears of its
// funding only when all the others are signed and durable; and no transaction is taken
// that pays to a channel which came to nothing.
type shims struct {
	mu   sync.Mutex
	byID map[lnwire.ChannelID]*shim
	// ended are the openings that are over, oldest first.
	ended []endedShim
}

// maxEndedShims is how many of those are remembered.
const maxEndedShims = 1000

// endedShim is an opening that is over: what is paid to its script is lost, but by the
// transaction that it was signed for.
type endedShim struct {
	script string
	txid   chainhash.Hash // zero: it came to nothing
}

// shim is one of them.
type shim struct {
	n         *Node
	id        lnwire.ChannelID
	noPublish bool
	private   bool
	e         *entry
	ask       uint64      // the machine's question
	out       *wire.TxOut // what it has to pay; nil: not known yet
	verified  *verifiedTx // nil: none yet
	final     *wire.MsgTx // complete; it waits for the others
	answered  bool
}

// add names a new opening. It is false when another has the id.
func (s *shims) add(x *shim) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[x.id] != nil {
		return false
	}
	s.byID[x.id] = x
	return true
}

// asked: the peer has accepted, so that it is known what is to be paid.
func (s *shims) asked(x *shim, ask uint64, q channel.AskFund) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x.ask, x.out = ask, wire.NewTxOut(int64(q.Amount), q.Script)
}

// over: the opening is signed, or it failed.
func (s *shims) over(x *shim, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[x.id] != x {
		return
	}
	delete(s.byID, x.id)
	if x.out != nil {
		end := endedShim{script: string(x.out.PkScript)}
		if !failed && x.final != nil {
			end.txid = x.final.TxHash()
		}
		if s.ended = append(s.ended, end); len(s.ended) > maxEndedShims {
			s.ended = s.ended[1:]
		}
	}
	s.settle()
}

// find is the opening of that id. The caller holds the lock.
func (s *shims) find(id lnwire.ChannelID) (*shim, error) {
	x := s.byID[id]
	switch {
	case x == nil || x.answered:
		return nil, fmt.Errorf("%w for pendingChannelID(%x)", ErrNoIntent, id[:])
	case x.out == nil:
		return nil, errNotNegotiated
	}
	return x, nil
}

// others are the openings besides x that tx pays, and an error when one of them, or one
// that is over, must not be paid. The caller holds the lock.
func (s *shims) others(x *shim, tx *wire.MsgTx) (list []*shim, err error) {
	pays := map[string]bool{}
	for _, out := range tx.TxOut {
		pays[string(out.PkScript)] = true
	}
	txid := tx.TxHash()
	for _, end := range s.ended {
		switch {
		case !pays[end.script] || end.txid == txid:
		case end.txid == chainhash.Hash{}:
			return nil, mistake.Argument("it pays to the funding script %x of a channel that could not be opened: that money would be lost", end.script)
		default:
			return nil, mistake.Argument("it pays to the funding script %x of a channel that is signed for transaction %v: that money would be lost", end.script, end.txid)
		}
	}
	for _, o := range s.byID {
		if o == x || o.out == nil || !pays[string(o.out.PkScript)] {
			continue
		}
		if !o.noPublish && !x.noPublish {
			return nil, mistake.Argument("pending channel %x is funded by it too, and would publish it as well: "+
				"no_publish has to be set for all channels of a transaction but one", o.id[:])
		}
		list = append(list, o)
	}
	return list, nil
}

// settle gives the fundings to the machines that need to wait no longer. The caller
// holds the lock.
func (s *shims) settle() {
	for _, x := range s.byID {
		if x.final == nil || x.answered {
			continue
		}
		others, err := s.others(x, x.final)
		switch {
		case err != nil:
			x.answer(channel.Declined{Text: err.Error()})
		case x.noPublish || len(others) == 0:
			x.answer(channel.Funded{Tx: x.final, Output: x.output(x.final), Extern: x.noPublish})
		}
	}
}

// answer gives the machine what it asked for, once.
func (x *shim) answer(a channel.Answer) {
	x.answered = true
	x.e.runner.Inbox.Put(turn.Item{Event: channel.Answered{ID: x.ask, Answer: a}})
}

// output is where tx pays the channel.
func (x *shim) output(tx *wire.MsgTx) uint32 {
	for i, out := range tx.TxOut {
		if psbt.TxOutsEqual(out, x.out) {
			return uint32(i)
		}
	}
	return uint32(len(tx.TxOut)) // the machine refuses it
}

// VerifyFunding checks a PSBT that is to fund a pending channel and is not signed yet.
// With skipFinalize, for channels that do not publish, the peer is told of it at once:
// the transaction must not change any more.
func (n *Node) VerifyFunding(id lnwire.ChannelID, p *psbt.Packet, skipFinalize bool) error {
	s := &n.opens.shims
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(id)
	if err != nil {
		return err
	}
	if skipFinalize && !x.noPublish {
		return mistake.Argument("cannot set skip_finalize for channel that did not set no_publish")
	}
	if x.final != nil {
		return mistake.State("error verifying PSBT: the funding is final")
	}
	v, err := verifyPacket(p, x.out)
	if err == nil {
		_, err = s.others(x, v.tx)
	}
	if err != nil {
		return fmt.Errorf("error verifying PSBT: %w", err)
	}
	if err := n.leaveReserve(x, v.tx); err != nil {
		return err
	}
	x.verified = v
	if skipFinalize {
		x.final = v.tx
		s.settle()
	}
	return nil
}

// leaveReserve refuses a funding that takes from the wallet what the anchors of public
// channels need, or what another channel is funded with.
func (n *Node) leaveReserve(x *shim, tx *wire.MsgTx) (err error) {
	n.purse.look(func(w *wallet.Wallet) {
		taken := map[wire.OutPoint]bool{}
		for _, l := range w.Leases() {
			taken[l.OutPoint] = l.Owner == wallet.LeasedByChannel
		}
		for _, in := range tx.TxIn {
			if taken[in.PreviousOutPoint] {
				err = mistake.Argument("error verifying PSBT: input %v is for the funding of another channel", in.PreviousOutPoint)
				return
			}
		}
		if x.e.anchors.Load() && !x.private {
			err = w.CheckReserve(tx, wallet.RequiredReserve(n.anchorChannels()), n.now())
		}
	})
	return err
}

// FinalizeFunding takes the signed form of what VerifyFunding has seen: a PSBT, or the
// transaction itself.
func (n *Node) FinalizeFunding(id lnwire.ChannelID, p *psbt.Packet, raw *wire.MsgTx) error {
	s := &n.opens.shims
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(id)
	if err != nil {
		return err
	}
	what := "raw TX"
	if p != nil {
		what = "PSBT"
		if raw, err = signedTx(p); err != nil {
			return fmt.Errorf("error finalizing PSBT: %w", err)
		}
	}
	switch {
	case x.verified == nil:
		return mistake.State("error finalizing %s: PSBT was not verified first", what)
	case x.final != nil:
		return mistake.State("error finalizing %s: the funding is final", what)
	}
	err = x.verified.check(raw)
	if err == nil {
		_, err = s.others(x, raw)
	}
	if err != nil {
		return fmt.Errorf("error finalizing %s: %w", what, err)
	}
	x.final = raw
	s.settle()
	return nil
}

// CancelFunding ends an opening whose funding is not given to the peer yet, or one that a
// peer was to begin (RegisterFunding).
func (n *Node) CancelFunding(id lnwire.ChannelID) error {
	if n.opens.canned.drop(id) {
		return nil
	}
	s := &n.opens.shims
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byID[id]
	if x == nil || x.answered {
		return fmt.Errorf("%w for pendingChannelID(%x)", ErrNoIntent, id[:])
	}
	if x.out == nil {
		x.e.runner.Inbox.Put(turn.Item{Event: channel.FundingDropped{Text: errUserCanceled.Error()}})
		return nil
	}
	x.answer(channel.Declined{Text: errUserCanceled.Error()})
	return nil
}

// newShim names the opening of req.
func (n *Node) newShim(req *OpenRequest, e *entry) (*shim, error) {
	x := &shim{n: n, id: req.TempID, noPublish: req.Shim.NoPublish, private: req.Private, e: e}
	if !n.opens.shims.add(x) {
		return nil, mistake.Twice("pending channel ID %x is in use", req.TempID[:])
	}
	return x, nil
}
