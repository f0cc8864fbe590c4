package lightning

import (
	"context"
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

// NewAddress gives an address to be paid at.
func (s *Service) NewAddress(_ context.Context, req *lnrpc.NewAddressRequest) (*lnrpc.NewAddressResponse, error) {
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
	id, err := s.node.FindAccount(req.Account, kind)
	if err != nil {
		return nil, err
	}
	a, err := s.node.AccountAddress(id, false, unused)
	if err != nil {
		return nil, err
	}
	return &lnrpc.NewAddressResponse{Address: a.Text}, nil
}

// WalletBalance sums the coins.
func (s *Service) WalletBalance(_ context.Context, req *lnrpc.WalletBalanceRequest) (*lnrpc.WalletBalanceResponse, error) {
	if req.MinConfs < 0 {
		return nil, translate.Invalid("min_confs", "must not be negative")
	}
	if _, err := s.node.AccountNumber(req.Account); err != nil {
		return nil, err
	}
	out := &lnrpc.WalletBalanceResponse{AccountBalance: map[string]*lnrpc.WalletAccountBalance{}}
	for _, a := range s.node.Accounts() {
		b := s.node.AccountBalance(a.Number, max(1, uint32(req.MinConfs)))
		if out.AccountBalance[a.Name] != nil {
			continue // those of one name are taken together
		}
		if req.Account != "" && req.Account != a.Name {
			out.LockedBalance += int64(b.Locked) // of all, as in lnd
			continue
		}
		out.AccountBalance[a.Name] = &lnrpc.WalletAccountBalance{ConfirmedBalance: int64(b.Confirmed), UnconfirmedBalance: int64(b.Unconfirmed)}
		out.ConfirmedBalance += int64(b.Confirmed)
		out.UnconfirmedBalance += int64(b.Unconfirmed)
		out.LockedBalance += int64(b.Locked)
	}
	out.TotalBalance = out.ConfirmedBalance + out.UnconfirmedBalance
	_, reserve := s.node.Balance(1)
	out.ReservedBalanceAnchorChan = int64(reserve)
	return out, nil
}

// ListUnspent lists the coins that can be spent.
func (s *Service) ListUnspent(_ context.Context, req *lnrpc.ListUnspentRequest) (*lnrpc.ListUnspentResponse, error) {
	var numbers []uint32
	if req.Account != "" {
		number, err := s.node.AccountNumber(req.Account)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	low, high, err := translate.ConfRange(req.MinConfs, req.MaxConfs)
	if err != nil {
		return nil, err
	}
	out := &lnrpc.ListUnspentResponse{}
	for _, u := range s.node.Unspent(low, high, numbers...) {
		out.Utxos = append(out.Utxos, translate.Utxo(&u))
	}
	return out, nil
}

// SendCoins pays one address.
func (s *Service) SendCoins(ctx context.Context, req *lnrpc.SendCoinsRequest) (*lnrpc.SendCoinsResponse, error) {
	if err := translate.Label(req.Label); err != nil {
		return nil, err
	}
	if req.SendAll && req.Amount != 0 {
		return nil, translate.Mistake("amount set while SendAll is active")
	}
	if !req.SendAll && req.Amount <= 0 {
		return nil, translate.Invalid("amount", "must be above 0")
	}
	send, err := sending(req)
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
		return nil, translate.BudgetError(translate.Unpaid(err))
	}
	return &lnrpc.SendCoinsResponse{Txid: tx.TxHash().String()}, nil
}

// SendMany pays several addresses with one transaction.
func (s *Service) SendMany(ctx context.Context, req *lnrpc.SendManyRequest) (*lnrpc.SendManyResponse, error) {
	if err := translate.Label(req.Label); err != nil {
		return nil, err
	}
	if len(req.AddrToAmount) == 0 {
		return nil, translate.Invalid("AddrToAmount", "must not be empty")
	}
	send, err := sending(req)
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
		return nil, translate.BudgetError(translate.Unpaid(err))
	}
	return &lnrpc.SendManyResponse{Txid: tx.TxHash().String()}, nil
}

// EstimateFee tells what a transaction would cost.
func (s *Service) EstimateFee(_ context.Context, req *lnrpc.EstimateFeeRequest) (*lnrpc.EstimateFeeResponse, error) {
	send, err := sending(req)
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

// spending is what all ways to send coins have in common.
type spending interface {
	GetTargetConf() int32
	GetMinConfs() int32
	GetSpendUnconfirmed() bool
	GetCoinSelectionStrategy() lnrpc.CoinSelectionStrategy
}

// rated names a feerate too.
type rated interface {
	GetSatPerVbyte() uint64
	GetSatPerByte() int64
}

func sending(ask spending) (req node.SendRequest, err error) {
	perVByte, perByte := uint64(0), int64(0)
	if r, ok := ask.(rated); ok {
		perVByte, perByte = r.GetSatPerVbyte(), r.GetSatPerByte()
	}
	if req.FeeRate, req.Target, err = translate.FeeRate(perVByte, perByte, ask.GetTargetConf()); err != nil {
		return req, err
	}
	if req.Strategy, err = translate.Strategy(ask.GetCoinSelectionStrategy()); err != nil {
		return req, err
	}
	req.MinConfs, err = translate.MinConfs(ask.GetMinConfs(), ask.GetSpendUnconfirmed())
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
	number, err := s.node.AccountNumber(req.Account)
	if err != nil {
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
	if req.Account != "" {
		list = s.node.TxsOf(number, list)
	}
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
	number, err := s.node.AccountNumber(req.Account)
	if err != nil {
		return err
	}
	return translate.Follow(out.Context(), s.node.TransactionEvents(), func(row wallet.TxRow) error {
		if req.Account != "" && len(s.node.TxsOf(number, []wallet.TxRow{row})) == 0 {
			return nil
		}
		return out.Send(translate.Transaction(&row, s.node.Tip().Height, s.node))
	})
}
