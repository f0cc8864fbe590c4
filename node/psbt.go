package node

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// leaseTime is how long coins are leased when nobody says.
const leaseTime = 10 * time.Minute

// PsbtRequest asks for coins for the outputs of a packet.
type PsbtRequest struct {
	Packet *psbt.Packet
	Send   SendRequest // how: rate, depth, account and strategy
	// Select keeps the inputs of the packet and adds to them; nil: they are all, if there
	// are any.
	Select  *wallet.PsbtSelect
	LeaseID *[32]byte     // nil: wallet.InternalLease
	LeaseTo time.Duration // 0: ten minutes
}

// FundPsbt chooses and leases coins; it is durable when this returns.
func (n *Node) FundPsbt(req PsbtRequest) (done wallet.PsbtFunded, err error) {
	if err := n.inSight(); err != nil {
		return done, err
	}
	fund, err := n.fundRequest(&req.Send)
	if err != nil {
		return done, err
	}
	f := wallet.PsbtFunding{Packet: req.Packet, Fund: fund, Lease: wallet.LeaseRow{ID: wallet.InternalLease}}
	if req.LeaseID != nil {
		f.Lease.ID = *req.LeaseID
	}
	f.Lease.Expiry = n.leaseEnd(req.LeaseTo)
	err = n.purse.do(func(w *wallet.Wallet) (fx wallet.Effects, err error) {
		if req.Select != nil {
			done, fx, err = w.SelectPsbt(f, *req.Select)
		} else {
			done, fx, err = w.FundPsbt(f)
		}
		return fx, err
	})
	return done, err
}

// leaseEnd is when a lease ends that begins now.
func (n *Node) leaseEnd(d time.Duration) int64 {
	if d == 0 {
		d = leaseTime
	}
	return n.now().Add(d).UnixNano()
}

// fundRequest says to the wallet what a caller asks.
func (n *Node) fundRequest(req *SendRequest) (f wallet.FundRequest, err error) {
	rate, err := n.feeRate(req.FeeRate, req.Target)
	if err != nil {
		return f, err
	}
	f = wallet.FundRequest{
		Outputs: req.Outputs, All: req.All, FeeRate: rate, MinConfs: req.MinConfs, Coins: req.Coins,
		Number: req.Number, ChangeTo: req.ChangeTo, Strategy: req.Strategy, Now: n.now(),
	}
	if req.Number == 0 {
		f.Reserve = wallet.RequiredReserve(n.anchorChannels())
	}
	if req.Strategy == wallet.Shuffled {
		if _, err := rand.Read(f.Seed[:]); err != nil {
			return f, err
		}
	}
	return f, nil
}

// SignPsbt signs the inputs of a packet whose paths lead to our keys, and tells which.
func (n *Node) SignPsbt(p *psbt.Packet) (signed []uint32, err error) {
	n.purse.look(func(w *wallet.Wallet) { err = w.CheckPsbt(p) })
	if err != nil {
		return nil, err
	}
	return wallet.SignPsbt(n.ring, p)
}

// FinalizePsbt signs for our coins and gives the transaction.
func (n *Node) FinalizePsbt(p *psbt.Packet) (tx *wire.MsgTx, err error) {
	n.purse.look(func(w *wallet.Wallet) { tx, err = w.FinalizePsbt(n.ring, p) })
	return tx, err
}

// PublishTx gives a transaction to the network, and if it is the wallet's keeps it and
// offers it again until it is mined. The backend is asked first: what it refuses must not
// take the place of what the wallet has. The error is its answer, or says that an input is
// spent for good.
func (n *Node) PublishTx(ctx context.Context, tx *wire.MsgTx, label string) error {
	if err := n.backend.Publish(ctx, tx); err != nil {
		return err
	}
	return n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) {
		return w.Publish(wallet.Publication{Tx: tx, Label: label, Now: n.now()})
	})
}

// RemoveTx forgets an unconfirmed transaction and what rests on it; the coins that it
// spent are free again. Those of channels and sweeps have their owners, and stay.
func (n *Node) RemoveTx(txid chainhash.Hash) error {
	row, ok := n.Tx(txid)
	if ok && row.Sweep {
		return mistake.State("transaction with txid=%v is a sweep: raise its fee instead", txid)
	}
	if ok {
		for i := range row.Tx.TxOut {
			if n.channels.funding(wire.OutPoint{Hash: txid, Index: uint32(i)}) != nil {
				return mistake.State("transaction with txid=%v funds a channel: abandon that instead", txid)
			}
		}
		for _, in := range row.Tx.TxIn {
			if n.channels.funding(in.PreviousOutPoint) != nil {
				return mistake.State("transaction with txid=%v closes a channel: it cannot be removed", txid)
			}
		}
	}
	return n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.Abandon(txid) })
}

// LabelTx names a transaction.
func (n *Node) LabelTx(txid chainhash.Hash, label string, overwrite bool) error {
	return n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.Label(txid, label, overwrite) })
}

// LeaseCoin keeps a coin for whoever knows the id, for ten minutes if d is 0, and tells
// until when.
func (n *Node) LeaseCoin(op wire.OutPoint, id [32]byte, d time.Duration) (until time.Time, err error) {
	end := n.leaseEnd(d)
	err = n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) {
		return w.Lease(wallet.LeaseRow{OutPoint: op, ID: id, Expiry: end}, n.now())
	})
	return time.Unix(0, end), err
}

// ReleaseCoin ends a lease.
func (n *Node) ReleaseCoin(op wire.OutPoint, id [32]byte) error {
	return n.purse.do(func(w *wallet.Wallet) (wallet.Effects, error) { return w.Release(op, id) })
}

// Lease is a lease with the coin that it keeps.
type Lease struct {
	wallet.LeaseRow
	Coin wallet.CoinRow
}

// Leases lists what is leased now.
func (n *Node) Leases() (list []Lease) {
	now := n.now().UnixNano()
	n.purse.look(func(w *wallet.Wallet) {
		for _, l := range w.Leases() {
			if c, ok := w.Coin(l.OutPoint); ok && (l.Expiry == 0 || l.Expiry > now) {
				list = append(list, Lease{l, c})
			}
		}
	})
	return list
}

// AddressKey is the private key of one of our addresses: it signs messages. The error says
// that it is not ours to sign with.
func (n *Node) AddressKey(at keys.CoinLoc) (*keys.Key, error) { return n.ring.CoinKey(at) }

// Reserve is what has to stay in the wallet with so many channels more.
func (n *Node) Reserve(more int) int64 {
	return int64(wallet.RequiredReserve(n.anchorChannels() + more))
}
