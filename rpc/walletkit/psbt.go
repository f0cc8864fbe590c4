package walletkit

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// feeRatio is the most that a fee may be of the outputs when nobody says.
const feeRatio = 0.2

// FundPsbt pays for a template.
func (s *Service) FundPsbt(_ context.Context, req *walletrpc.FundPsbtRequest) (*walletrpc.FundPsbtResponse, error) {
	fund := node.PsbtRequest{LeaseTo: seconds(req.LockExpirationSeconds)}
	if len(req.CustomLockId) > 0 {
		if len(req.CustomLockId) != 32 {
			return nil, translate.Mistake("custom lock ID must be exactly 32 bytes")
		}
		fund.LeaseID = (*[32]byte)(req.CustomLockId)
	}
	var err error
	if fund.Send, err = s.psbtWish(req); err != nil {
		return nil, err
	}
	if fund.Packet, fund.Select, err = s.template(req); err != nil {
		return nil, err
	}
	done, err := s.node.FundPsbt(fund)
	if err != nil {
		return nil, fmt.Errorf("wallet couldn't fund PSBT: %w", err)
	}
	out := &walletrpc.FundPsbtResponse{ChangeOutputIndex: done.Change}
	for i, l := range done.Leases {
		out.LockedUtxos = append(out.LockedUtxos, utxoLease(l, done.Coins[i]))
	}
	out.FundedPsbt, err = written(fund.Packet)
	return out, err
}

// psbtWish reads how a packet is to be paid for.
func (s *Service) psbtWish(req *walletrpc.FundPsbtRequest) (send node.SendRequest, err error) {
	switch fee := req.Fees.(type) {
	case *walletrpc.FundPsbtRequest_TargetConf:
		send.Target = fee.TargetConf
	case *walletrpc.FundPsbtRequest_SatPerVbyte:
		send.FeeRate, _, err = translate.FeeRate(fee.SatPerVbyte, 0, 0)
	case *walletrpc.FundPsbtRequest_SatPerKw:
		if fee.SatPerKw > math.MaxUint32 {
			return send, translate.Invalid("sat_per_kw", "%d is too high", fee.SatPerKw)
		}
		send.FeeRate = lnwire.SatPerKW(fee.SatPerKw)
	}
	if err != nil {
		return send, err
	}
	if send.FeeRate == 0 && send.Target == 0 {
		return send, translate.Mistake("fee definition missing, need to specify either target_conf, sat_per_vbyte or sat_per_kw")
	}
	if send.MinConfs, err = translate.MinConfs(req.MinConfs, req.SpendUnconfirmed); err != nil {
		return send, err
	}
	if send.Strategy, err = translate.Strategy(req.CoinSelectionStrategy); err != nil {
		return send, err
	}
	if send.Number, err = s.node.AccountNumber(req.Account); err != nil {
		return send, err
	}
	taproot := req.ChangeType == walletrpc.ChangeAddressType_CHANGE_ADDRESS_TYPE_P2TR
	if send.Number == 0 || send.Number == keys.Loose {
		kind := keys.P2WKH
		if taproot {
			kind = keys.P2TR
		}
		send.ChangeTo = &kind
	} else if taproot {
		return send, translate.Mistake("couldn't select a custom change type for custom accounts")
	}
	return send, nil
}

// template reads what is to be paid for, and with coin_select how.
func (s *Service) template(req *walletrpc.FundPsbtRequest) (*psbt.Packet, *wallet.PsbtSelect, error) {
	switch t := req.Template.(type) {
	case *walletrpc.FundPsbtRequest_Psbt:
		p, err := packet(t.Psbt)
		if err != nil {
			return nil, nil, translate.Mistake("could not parse PSBT: %w", err)
		}
		return p, nil, nil
	case *walletrpc.FundPsbtRequest_Raw:
		p, err := s.rawTemplate(t.Raw)
		return p, nil, err
	case *walletrpc.FundPsbtRequest_CoinSelect:
		return s.selectTemplate(t.CoinSelect, req.MaxFeeRatio)
	}
	return nil, nil, translate.Mistake("transaction template missing, need to specify either PSBT or raw TX template")
}

func (s *Service) rawTemplate(t *walletrpc.TxTemplate) (*psbt.Packet, error) {
	var outs []*wire.TxOut
	for _, text := range slices.Sorted(maps.Keys(t.Outputs)) {
		script, err := translate.Script("outputs", text, s.node.Net())
		if err != nil {
			return nil, err
		}
		if t.Outputs[text] > uint64(lnwire.MaxSat) {
			return nil, translate.Invalid("outputs", "%d is more than all the money there is", t.Outputs[text])
		}
		outs = append(outs, wire.NewTxOut(int64(t.Outputs[text]), script))
	}
	ops, err := translate.OutPoints("inputs", t.Inputs)
	if err != nil {
		return nil, err
	}
	ins, sequences := make([]*wire.OutPoint, len(ops)), make([]uint32, len(ops))
	for i := range ops {
		ins[i] = &ops[i]
	}
	p, err := psbt.New(ins, outs, 2, 0, sequences)
	if err != nil {
		return nil, translate.Mistake("could not create PSBT: %w", err)
	}
	return p, nil
}

func (s *Service) selectTemplate(t *walletrpc.PsbtCoinSelect, ratio float64) (*psbt.Packet, *wallet.PsbtSelect, error) {
	p, err := packet(t.GetPsbt())
	if err != nil {
		return nil, nil, translate.Mistake("could not parse PSBT: %w", err)
	}
	outs, sum := p.UnsignedTx.TxOut, int64(0)
	if len(outs) == 0 {
		return nil, nil, translate.Mistake("no outputs specified in template")
	}
	for _, o := range outs {
		if o.Value > 0 && o.Value <= int64(lnwire.MaxSat) {
			sum += o.Value
		}
	}
	if sum <= 0 {
		return nil, nil, translate.Mistake("output sum must be positive")
	}
	how := &wallet.PsbtSelect{Change: -1, FeeRatio: feeRatio}
	if ratio != 0 {
		how.FeeRatio = ratio
	}
	switch c := t.ChangeOutput.(type) {
	case *walletrpc.PsbtCoinSelect_ExistingOutputIndex:
		how.Change = c.ExistingOutputIndex
		if how.Change < 0 || int(how.Change) >= len(outs) {
			return nil, nil, translate.Mistake("change output index out of range: %d", how.Change)
		}
	case *walletrpc.PsbtCoinSelect_Add:
	default:
		return nil, nil, translate.Mistake("unknown change output type")
	}
	return p, how, nil
}

// packet reads BIP 174's form.
func packet(raw []byte) (*psbt.Packet, error) {
	return psbt.NewFromRawBytes(bytes.NewReader(raw), false)
}

func written(p *psbt.Packet) ([]byte, error) {
	var b bytes.Buffer
	if err := p.Serialize(&b); err != nil {
		return nil, fmt.Errorf("error serializing PSBT: %w", err)
	}
	return b.Bytes(), nil
}

// SignPsbt signs what it can.
func (s *Service) SignPsbt(_ context.Context, req *walletrpc.SignPsbtRequest) (*walletrpc.SignPsbtResponse, error) {
	p, err := packet(req.FundedPsbt)
	if err != nil {
		return nil, translate.Mistake("error parsing PSBT: %w", err)
	}
	signed, err := s.node.SignPsbt(p)
	if err != nil {
		return nil, fmt.Errorf("error signing PSBT: %w", err)
	}
	out := &walletrpc.SignPsbtResponse{SignedInputs: signed}
	out.SignedPsbt, err = written(p)
	return out, err
}

// FinalizePsbt gives the transaction.
func (s *Service) FinalizePsbt(_ context.Context, req *walletrpc.FinalizePsbtRequest) (*walletrpc.FinalizePsbtResponse, error) {
	p, err := packet(req.FundedPsbt)
	if err != nil {
		return nil, translate.Mistake("error parsing PSBT: %w", err)
	}
	if p.IsComplete() {
		return nil, translate.Mistake("PSBT is already fully signed")
	}
	if _, err := s.node.AccountNumber(req.Account); err != nil {
		return nil, err
	}
	tx, err := s.node.FinalizePsbt(p)
	if err != nil {
		return nil, fmt.Errorf("error finalizing PSBT: %w", err)
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return nil, fmt.Errorf("error serializing final TX: %w", err)
	}
	out := &walletrpc.FinalizePsbtResponse{RawFinalTx: raw.Bytes()}
	out.SignedPsbt, err = written(p)
	return out, err
}
