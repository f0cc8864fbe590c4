// Package walletkit is the service WalletKit: single coins and their leases, accounts and
// addresses, partially signed transactions, fees, and what is being swept, and faster on
// demand.
//
// It owns the translation. It must never know how coins are chosen or swept; a Node
// does.
//
//	err := server.Provide(&walletrpc.WalletKit_ServiceDesc, walletkit.New(node))
package walletkit

import (
	"context"
	"math"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// Service is the service. Use New.
type Service struct {
	walletrpc.UnimplementedWalletKitServer
	node Node
}

// New makes the service of a node.
func New(n Node) *Service { return &Service{node: n} }

// ListUnspent lists coins.
func (s *Service) ListUnspent(_ context.Context, req *walletrpc.ListUnspentRequest) (*walletrpc.ListUnspentResponse, error) {
	var numbers []uint32
	if req.Account != "" {
		number, err := s.node.AccountNumber(req.Account)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	if req.MaxConfs == 0 && !req.UnconfirmedOnly {
		req.MaxConfs = math.MaxInt32
	}
	low, high, err := translate.ConfRange(req.MinConfs, req.MaxConfs)
	if err != nil {
		return nil, err
	}
	if req.UnconfirmedOnly {
		if req.MinConfs != 0 || req.MaxConfs != 0 {
			return nil, translate.Invalid("min_confs", "min_confs and max_confs must be 0 with unconfirmed_only")
		}
		low, high = 0, 0
	}
	out := &walletrpc.ListUnspentResponse{}
	for _, u := range s.node.Unspent(low, high, numbers...) {
		out.Utxos = append(out.Utxos, translate.Utxo(&u))
	}
	return out, nil
}

// EstimateFee tells the feerate for a number of blocks.
func (s *Service) EstimateFee(_ context.Context, req *walletrpc.EstimateFeeRequest) (*walletrpc.EstimateFeeResponse, error) {
	if req.ConfTarget <= 0 {
		return nil, translate.Invalid("conf_target", "confirmation target must be greater than 0")
	}
	rate, err := s.node.EstimateFee(uint32(req.ConfTarget))
	if err != nil {
		return nil, err
	}
	return &walletrpc.EstimateFeeResponse{SatPerKw: int64(rate), MinRelayFeeSatPerKw: int64(lnwire.FeeFloor)}, nil
}

// witnessType is lnrpc's word for how an output is spent. Seen from us: the owner of
// our commitment are we, of the peer's we are the other. A coin of the wallet has no
// kind but its form.
func witnessType(k commitment.SpendKind, form keys.AccountKind) walletrpc.WitnessType {
	switch k {
	case 0:
		switch form {
		case keys.NestedP2WKH:
			return walletrpc.WitnessType_NESTED_WITNESS_KEY_HASH
		case keys.P2TR:
			return walletrpc.WitnessType_TAPROOT_PUB_KEY_SPEND
		}
		return walletrpc.WitnessType_WITNESS_KEY_HASH
	case commitment.SpendOwnerMain:
		return walletrpc.WitnessType_COMMITMENT_TIME_LOCK
	case commitment.SpendOwnerTimeout:
		return walletrpc.WitnessType_HTLC_OFFERED_TIMEOUT_SECOND_LEVEL_INPUT_CONFIRMED
	case commitment.SpendOwnerSuccess:
		return walletrpc.WitnessType_HTLC_ACCEPTED_SUCCESS_SECOND_LEVEL_INPUT_CONFIRMED
	case commitment.SpendOwnerSecond:
		return walletrpc.WitnessType_HTLC_OFFERED_TIMEOUT_SECOND_LEVEL
	case commitment.SpendOwnerAnchor, commitment.SpendOtherAnchor, commitment.SpendAnyAnchor:
		return walletrpc.WitnessType_COMMITMENT_ANCHOR
	case commitment.SpendOtherMain:
		return walletrpc.WitnessType_COMMITMENT_TO_REMOTE_CONFIRMED
	case commitment.SpendOtherTimeout:
		return walletrpc.WitnessType_HTLC_OFFERED_REMOTE_TIMEOUT
	case commitment.SpendOtherPreimage:
		return walletrpc.WitnessType_HTLC_ACCEPTED_REMOTE_SUCCESS
	case commitment.SpendPunishMain:
		return walletrpc.WitnessType_COMMITMENT_REVOKE
	case commitment.SpendPunishHTLC:
		return walletrpc.WitnessType_HTLC_OFFERED_REVOKE
	case commitment.SpendPunishSecond:
		return walletrpc.WitnessType_HTLC_SECOND_LEVEL_REVOKE
	}
	return walletrpc.WitnessType_UNKNOWN_WITNESS
}
