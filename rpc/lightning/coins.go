package lightning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// defaultAccount is the name of the only account there is.
const defaultAccount = "default"

// checkAccount refuses names of accounts that do not exist.
func checkAccount(name string) error {
	if name != "" && name != defaultAccount {
		return fmt.Errorf("account %q not found", name)
	}
	return nil
}

// NewAddress gives an address to be paid at.
func (s *Service) NewAddress(_ context.Context, req *lnrpc.NewAddressRequest) (*lnrpc.NewAddressResponse, error) {
	if err := checkAccount(req.Account); err != nil {
		return nil, err
	}
	kind, unused := keys.P2WKH, false
	switch req.Type {
	case lnrpc.AddressType_WITNESS_PUBKEY_HASH:
	case lnrpc.AddressType_UNUSED_WITNESS_PUBKEY_HASH:
		unused = true
	case lnrpc.AddressType_NESTED_PUBKEY_HASH:
		kind = keys.NestedP2WKH
	case lnrpc.AddressType_UNUSED_NESTED_PUBKEY_HASH:
		kind, unused = keys.NestedP2WKH, true
	case lnrpc.AddressType_TAPROOT_PUBKEY:
		kind = keys.P2TR
	case lnrpc.AddressType_UNUSED_TAPROOT_PUBKEY:
		kind, unused = keys.P2TR, true
	default:
		return nil, translate.Invalid("type", "unknown address type: %v", req.Type)
	}
	a, err := s.node.NewAddress(kind, false, unused)
	if err != nil {
		return nil, err
	}
	return &lnrpc.NewAddressResponse{Address: a.Text}, nil
}

// WalletBalance sums the coins.
func (s *Service) WalletBalance(_ context.Context, req *lnrpc.WalletBalanceRequest) (*lnrpc.WalletBalanceResponse, error) {
	if err := checkAccount(req.Account); err != nil {
		return nil, err
	}
	if req.MinConfs < 0 {
		return nil, translate.Invalid("min_confs", "must not be negative")
	}
	b, reserve := s.node.Balance(max(1, uint32(req.MinConfs)))
	return &lnrpc.WalletBalanceResponse{
		TotalBalance: int64(b.Confirmed + b.Unconfirmed), ConfirmedBalance: int64(b.Confirmed),
		UnconfirmedBalance: int64(b.Unconfirmed), LockedBalance: int64(b.Locked), ReservedBalanceAnchorChan: int64(reserve),
		AccountBalance: map[string]*lnrpc.WalletAccountBalance{
			defaultAccount: {ConfirmedBalance: int64(b.Confirmed), UnconfirmedBalance: int64(b.Unconfirmed)},
		},
	}, nil
}

// ListUnspent lists the coins that can be spent.
func (s *Service) ListUnspent(_ context.Context, req *lnrpc.ListUnspentRequest) (*lnrpc.ListUnspentResponse, error) {
	if err := checkAccount(req.Account); err != nil {
		return nil, err
	}
	low, high, err := translate.ConfRange(req.MinConfs, req.MaxConfs)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.ListUnspentResponse{}
	for _, u := range s.node.Unspent(low, high) {
		out.Utxos = append(out.Utxos, translate.Utxo(&u))
	}
	return out, nil
}

// maxLabel is the longest label of a transaction.
const maxLabel = 500

func checkLabel(label string) error {
	if len(label) > maxLabel {
		return fmt.Errorf("label length: %d exceeds limit of %d", len(label), maxLabel)
	}
	return nil
}

// SendCoins pays one address.
func (s *Service) SendCoins(ctx context.Context, req *lnrpc.SendCoinsRequest) (*lnrpc.SendCoinsResponse, error) {
	if err := checkLabel(req.Label); err != nil {
		return nil, err
	}
	if req.SendAll && req.Amount != 0 {
		return nil, errors.New("amount set while SendAll is active")
	}
	if !req.SendAll && req.Amount <= 0 {
		return nil, translate.Invalid("amount", "must be above 0")
	}
	send, err := sending(req.SatPerVbyte, req.SatPerByte, req.TargetConf, req.MinConfs, req.SpendUnconfirmed)
	if err != nil {
		return nil, err
	}
	send.All, send.Label = req.SendAll, req.Label
	if send.Coins, err = translate.OutPoints("outpoints", req.Outpoints); err != nil {
		return nil, err
	}
	if send.Outputs, err = s.outputs(map[string]int64{req.Addr: req.Amount}, "addr", "amount"); err != nil {
		return nil, err
	}
	send.Budgets = macaroons.BudgetsFrom(ctx)
	tx, err := s.node.SendCoins(send)
	if err != nil {
		return nil, translate.BudgetError(err)
	}
	return &lnrpc.SendCoinsResponse{Txid: tx.TxHash().String()}, nil
}

// SendMany pays several addresses with one transaction.
func (s *Service) SendMany(ctx context.Context, req *lnrpc.SendManyRequest) (*lnrpc.SendManyResponse, error) {
	if err := checkLabel(req.Label); err != nil {
		return nil, err
	}
	if len(req.AddrToAmount) == 0 {
		return nil, translate.Invalid("AddrToAmount", "must not be empty")
	}
	send, err := sending(req.SatPerVbyte, req.SatPerByte, req.TargetConf, req.MinConfs, req.SpendUnconfirmed)
	if err != nil {
		return nil, err
	}
	send.Label = req.Label
	if send.Outputs, err = s.outputs(req.AddrToAmount, "AddrToAmount", "AddrToAmount"); err != nil {
		return nil, err
	}
	send.Budgets = macaroons.BudgetsFrom(ctx)
	tx, err := s.node.SendCoins(send)
	if err != nil {
		return nil, translate.BudgetError(err)
	}
	return &lnrpc.SendManyResponse{Txid: tx.TxHash().String()}, nil
}

// EstimateFee tells what a transaction would cost.
func (s *Service) EstimateFee(_ context.Context, req *lnrpc.EstimateFeeRequest) (*lnrpc.EstimateFeeResponse, error) {
	send, err := sending(0, 0, req.TargetConf, req.MinConfs, req.SpendUnconfirmed)
	if err != nil {
		return nil, err
	}
	if len(req.AddrToAmount) == 0 {
		return nil, translate.Invalid("AddrToAmount", "must not be empty")
	}
	if send.Coins, err = translate.OutPoints("inputs", req.Inputs); err != nil {
		return nil, err
	}
	if send.Outputs, err = s.outputs(req.AddrToAmount, "AddrToAmount", "AddrToAmount"); err != nil {
		return nil, err
	}
	f, rate, err := s.node.PlanSend(send)
	if err != nil {
		return nil, err
	}
	perVByte := rate.SatPerVByte()
	out := &lnrpc.EstimateFeeResponse{FeeSat: int64(f.Fee), SatPerVbyte: perVByte, FeerateSatPerByte: int64(perVByte)}
	for _, c := range f.Coins {
		out.Inputs = append(out.Inputs, translate.OutPoint(c.OutPoint))
	}
	return out, nil
}

// sending is what all ways to send coins have in common.
func sending(perVByte uint64, perByte int64, target, minConfs int32, unconfirmed bool) (req node.SendRequest, err error) {
	if req.FeeRate, req.Target, err = translate.FeeRate(perVByte, perByte, target); err != nil {
		return req, err
	}
	req.MinConfs, err = translate.MinConfs(minConfs, unconfirmed)
	return req, err
}

// outputs are the outputs of a transaction to addresses, in the order of the texts.
func (s *Service) outputs(to map[string]int64, addrField, amountField string) ([]*wire.TxOut, error) {
	var out []*wire.TxOut
	for _, text := range slices.Sorted(maps.Keys(to)) {
		script, err := translate.Script(addrField, text, s.node.Net())
		if err != nil {
			return nil, err
		}
		amount, err := translate.Sats(amountField, to[text])
		if err != nil {
			return nil, err
		}
		out = append(out, wire.NewTxOut(int64(amount), script))
	}
	return out, nil
}

// GetTransactions lists the wallet's transactions, newest first.
func (s *Service) GetTransactions(_ context.Context, req *lnrpc.GetTransactionsRequest) (*lnrpc.TransactionDetails, error) {
	if err := checkAccount(req.Account); err != nil {
		return nil, err
	}
	from, to, unconfirmed := req.StartHeight, req.EndHeight, false
	if to == 0 || to == -1 {
		to, unconfirmed = math.MaxInt32, true
	}
	if from < 0 || to < 0 {
		return nil, translate.Invalid("start_height", "heights must not be negative")
	}
	oldestFirst := from > to
	if oldestFirst {
		from, to = to, from
	}
	list := s.node.Txs(lnwire.Height(from), lnwire.Height(to), unconfirmed)
	if !oldestFirst {
		slices.Reverse(list)
	}
	out := &lnrpc.TransactionDetails{}
	first := min(uint64(req.IndexOffset), uint64(len(list)))
	end := uint64(len(list))
	if req.MaxTransactions > 0 {
		end = min(end, first+uint64(req.MaxTransactions))
	}
	if first == end {
		return out, nil
	}
	tip := s.node.Tip().Height
	for i := range list[first:end] {
		out.Transactions = append(out.Transactions, translate.Transaction(&list[first:end][i], tip, s.node))
	}
	out.FirstIndex, out.LastIndex = first, end-1
	return out, nil
}

// SubscribeTransactions delivers transactions when they are seen and when they confirm.
func (s *Service) SubscribeTransactions(req *lnrpc.GetTransactionsRequest, out lnrpc.Lightning_SubscribeTransactionsServer) error {
	if err := checkAccount(req.Account); err != nil {
		return err
	}
	return translate.Follow(out.Context(), s.node.TransactionEvents(), func(row wallet.TxRow) error {
		return out.Send(translate.Transaction(&row, s.node.Tip().Height, s.node))
	})
}
