package translate

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/budget"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Aliases are channels with their aliases.
func Aliases(list []node.Aliases) []*lnrpc.AliasMap {
	out := make([]*lnrpc.AliasMap, len(list))
	for i, a := range list {
		out[i] = &lnrpc.AliasMap{BaseScid: uint64(a.Base)}
		for _, id := range a.Aliases {
			out[i].Aliases = append(out[i].Aliases, uint64(id))
		}
	}
	return out
}

// Features are feature bits by their numbers, never nil.
func Features(f lnwire.Features) map[uint32]*lnrpc.Feature {
	out := map[uint32]*lnrpc.Feature{}
	for _, b := range f.Bits() {
		out[uint32(b)] = &lnrpc.Feature{Name: b.Name(), IsRequired: b%2 == 0, IsKnown: b.IsKnown()}
	}
	return out
}

// Point is a funding output as a message.
func Point(op wire.OutPoint) *lnrpc.ChannelPoint {
	return &lnrpc.ChannelPoint{
		FundingTxid: &lnrpc.ChannelPoint_FundingTxidBytes{FundingTxidBytes: op.Hash[:]}, OutputIndex: op.Index,
	}
}

// OutPoint is an output as a message.
func OutPoint(op wire.OutPoint) *lnrpc.OutPoint {
	return &lnrpc.OutPoint{TxidBytes: op.Hash[:], TxidStr: op.Hash.String(), OutputIndex: op.Index}
}

// Both is an amount in both units.
func Both(m lnwire.MilliSat) *lnrpc.Amount {
	return &lnrpc.Amount{Sat: uint64(m.Sat()), Msat: uint64(m)}
}

// Unix is a time in seconds; 0 for none.
func Unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// UnixNano is a time in nanoseconds; 0 for none.
func UnixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Custom are records by their types; nil for none.
func Custom(list []lnwire.TLV) map[uint64][]byte {
	if len(list) == 0 {
		return nil
	}
	out := make(map[uint64][]byte, len(list))
	for _, r := range list {
		out[r.Type] = r.Value
	}
	return out
}

// Addresses are places at which a node can be reached.
func Addresses(list []lnwire.Address) []*lnrpc.NodeAddress {
	var out []*lnrpc.NodeAddress
	for _, a := range list {
		out = append(out, &lnrpc.NodeAddress{Network: "tcp", Addr: a.String()})
	}
	return out
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// BudgetError gives the refusal of a spending budget its code, RESOURCE_EXHAUSTED. Other errors stay as they are.
func BudgetError(err error) error {
	if e := (*budget.Exceeded)(nil); errors.As(err, &e) {
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	return err
}
