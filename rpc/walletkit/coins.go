package walletkit

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet"
)

// longest is the longest lease, in seconds: what is more would not fit into a time.
const longest = 100 * 365 * 24 * 3600

// seconds reads for how long a lease is.
func seconds(n uint64) time.Duration { return time.Duration(min(n, longest)) * time.Second }

// leaseID reads the id of a lease.
func leaseID(id []byte) (out [32]byte, err error) {
	if len(id) != len(out) {
		return out, translate.Mistake("id must be 32 random bytes")
	}
	return [32]byte(id), nil
}

// outPoint reads the output that a request names.
func outPoint(op *lnrpc.OutPoint) (wire.OutPoint, error) {
	if op == nil {
		return wire.OutPoint{}, translate.Invalid("outpoint", "must be set")
	}
	list, err := translate.OutPoints("outpoint", []*lnrpc.OutPoint{op})
	if err != nil {
		return wire.OutPoint{}, err
	}
	return list[0], nil
}

// LeaseOutput keeps a coin.
func (s *Service) LeaseOutput(_ context.Context, req *walletrpc.LeaseOutputRequest) (*walletrpc.LeaseOutputResponse, error) {
	id, err := leaseID(req.Id)
	if err != nil {
		return nil, err
	}
	if id == [32]byte{} {
		return nil, translate.Mistake("id must be 32 random bytes")
	}
	if id == wallet.InternalLease {
		return nil, translate.Mistake("reserved id cannot be used")
	}
	op, err := outPoint(req.Outpoint)
	if err != nil {
		return nil, err
	}
	until, err := s.node.LeaseCoin(op, id, seconds(req.ExpirationSeconds))
	if err != nil {
		return nil, err
	}
	return &walletrpc.LeaseOutputResponse{Expiration: uint64(until.Unix())}, nil
}

// ReleaseOutput ends a lease.
func (s *Service) ReleaseOutput(_ context.Context, req *walletrpc.ReleaseOutputRequest) (*walletrpc.ReleaseOutputResponse, error) {
	id, err := leaseID(req.Id)
	if err != nil {
		return nil, err
	}
	op, err := outPoint(req.Outpoint)
	if err != nil {
		return nil, err
	}
	if err := s.node.ReleaseCoin(op, id); err != nil {
		return nil, err
	}
	return &walletrpc.ReleaseOutputResponse{Status: fmt.Sprintf("output %v released", op)}, nil
}

// ListLeases lists what is leased.
func (s *Service) ListLeases(context.Context, *walletrpc.ListLeasesRequest) (*walletrpc.ListLeasesResponse, error) {
	out := &walletrpc.ListLeasesResponse{}
	for _, l := range s.node.Leases() {
		out.LockedUtxos = append(out.LockedUtxos, utxoLease(l.LeaseRow, l.Coin))
	}
	return out, nil
}

func utxoLease(l wallet.LeaseRow, c wallet.CoinRow) *walletrpc.UtxoLease {
	return &walletrpc.UtxoLease{
		Id: l.ID[:], Outpoint: translate.OutPoint(l.OutPoint), Expiration: uint64(l.Expiry / int64(time.Second)),
		PkScript: c.PkScript, Value: uint64(c.Value),
	}
}

// RequiredReserve tells what must stay in the wallet.
func (s *Service) RequiredReserve(_ context.Context, req *walletrpc.RequiredReserveRequest) (*walletrpc.RequiredReserveResponse, error) {
	return &walletrpc.RequiredReserveResponse{RequiredReserve: s.node.Reserve(int(req.AdditionalPublicChannels))}, nil
}

// txid reads a transaction's id.
func txid(text string) (chainhash.Hash, error) {
	if text == "" {
		return chainhash.Hash{}, translate.Mistake("must provide a transaction hash")
	}
	return translate.Txid("txid", nil, text)
}

// GetTransaction gives a transaction.
func (s *Service) GetTransaction(_ context.Context, req *walletrpc.GetTransactionRequest) (*lnrpc.Transaction, error) {
	id, err := txid(req.Txid)
	if err != nil {
		return nil, err
	}
	row, ok := s.node.Tx(id)
	if !ok {
		return nil, translate.Mistake("can not find transaction: txid %v", id)
	}
	return translate.Transaction(&row, s.node.Tip().Height, s.node), nil
}

// RemoveTransaction forgets an unconfirmed one.
func (s *Service) RemoveTransaction(_ context.Context, req *walletrpc.GetTransactionRequest) (*walletrpc.RemoveTransactionResponse, error) {
	id, err := txid(req.Txid)
	if err != nil {
		return nil, err
	}
	row, ok := s.node.Tx(id)
	if !ok {
		return nil, translate.Mistake("transaction with txid=%v not found in the internal wallet store", id)
	}
	if row.At != (lnwire.BlockRef{}) {
		return nil, mistake.State("transaction with txid=%v is already confirmed (numConfs=%d) cannot be removed",
			id, int64(s.node.Tip().Height)-int64(row.At.Height)+1)
	}
	if err := s.node.RemoveTx(id); err != nil {
		return nil, err
	}
	return &walletrpc.RemoveTransactionResponse{Status: "Successfully removed transaction"}, nil
}

// LabelTransaction names one.
func (s *Service) LabelTransaction(_ context.Context, req *walletrpc.LabelTransactionRequest) (*walletrpc.LabelTransactionResponse, error) {
	if req.Label == "" {
		return nil, translate.Mistake("cannot label transaction with empty label")
	}
	if err := translate.Label(req.Label); err != nil {
		return nil, err
	}
	id, err := translate.Array[chainhash.Hash]("txid", req.Txid)
	if err != nil {
		return nil, err
	}
	if err := s.node.LabelTx(id, req.Label, req.Overwrite); err != nil {
		return nil, err
	}
	return &walletrpc.LabelTransactionResponse{Status: fmt.Sprintf("transaction label '%s' added", req.Label)}, nil
}

// PublishTransaction gives one to the network.
func (s *Service) PublishTransaction(ctx context.Context, req *walletrpc.Transaction) (*walletrpc.PublishResponse, error) {
	if len(req.TxHex) == 0 {
		return nil, translate.Mistake("must provide a transaction to publish")
	}
	tx := new(wire.MsgTx)
	if err := tx.Deserialize(bytes.NewReader(req.TxHex)); err != nil {
		return nil, translate.Invalid("tx_hex", "%v", err)
	}
	if err := translate.Label(req.Label); err != nil {
		return nil, err
	}
	if err := s.node.PublishTx(ctx, tx, orExternal(req.Label)); err != nil {
		return nil, err
	}
	return &walletrpc.PublishResponse{}, nil
}

// orExternal is the label of what has none.
func orExternal(label string) string {
	if label == "" {
		return "external"
	}
	return label
}

// SendOutputs makes and publishes one.
func (s *Service) SendOutputs(_ context.Context, req *walletrpc.SendOutputsRequest) (*walletrpc.SendOutputsResponse, error) {
	if len(req.Outputs) == 0 {
		return nil, translate.Mistake("must specify at least one output to create")
	}
	send := node.SendRequest{Label: orExternal(req.Label)}
	var err error
	if send.MinConfs, err = translate.MinConfs(req.MinConfs, req.SpendUnconfirmed); err != nil {
		return nil, err
	}
	if send.Strategy, err = translate.Strategy(req.CoinSelectionStrategy); err != nil {
		return nil, err
	}
	if err := translate.Label(req.Label); err != nil {
		return nil, err
	}
	if send.FeeRate, err = perKW(req.SatPerKw); err != nil {
		return nil, err
	}
	for _, o := range req.Outputs {
		send.Outputs = append(send.Outputs, wire.NewTxOut(o.GetValue(), o.GetPkScript()))
	}
	tx, err := s.node.SendCoins(send)
	if err != nil {
		return nil, translate.Unpaid(err)
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return nil, err
	}
	return &walletrpc.SendOutputsResponse{RawTx: raw.Bytes()}, nil
}

// perKW reads a feerate, which has to be named.
func perKW(rate int64) (lnwire.SatPerKW, error) {
	if rate <= 0 || rate > math.MaxUint32 {
		return 0, translate.Invalid("sat_per_kw", "%d is out of range", rate)
	}
	return lnwire.SatPerKW(rate), nil
}
