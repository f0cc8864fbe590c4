package translate

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/routing"
)

// Invalid is a mistake of the caller: it begins with the field's name.
func Invalid(field, format string, args ...any) error {
	return status.Error(codes.InvalidArgument, field+": "+fmt.Sprintf(format, args...))
}

// Mistake is a caller's mistake in words that clients know: no field stands before them.
func Mistake(format string, args ...any) error { return invalid{fmt.Errorf(format, args...)} }

type invalid struct{ error }

// Unwrap gives what the words were made of.
func (m invalid) Unwrap() error { return errors.Unwrap(m.error) }

// GRPCStatus is how gRPC tells it.
func (m invalid) GRPCStatus() *status.Status { return status.New(codes.InvalidArgument, m.Error()) }

// Array reads a field of exactly as many bytes as the type has.
func Array[A ~[32]byte](field string, b []byte) (a A, err error) {
	if len(b) != len(a) {
		return a, Invalid(field, "want 32 bytes, got %d", len(b))
	}
	return A(b), nil
}

// Hash reads a payment hash.
func Hash(field string, b []byte) (lnwire.Hash, error) { return Array[lnwire.Hash](field, b) }

// HashHex reads a payment hash in hex.
func HashHex(field, text string) (h lnwire.Hash, err error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return h, Invalid(field, "not hex: %v", err)
	}
	return Hash(field, b)
}

// PubKey reads a node id of 33 bytes.
func PubKey(field string, b []byte) (p lnwire.PubKey, err error) {
	if len(b) != len(p) {
		return p, Invalid(field, "want 33 bytes, got %d", len(b))
	}
	p = lnwire.PubKey(b)
	if _, err := p.Parse(); err != nil {
		return p, Invalid(field, "%v", err)
	}
	return p, nil
}

// PubKeyHex reads a node id of 66 hex digits.
func PubKeyHex(field, text string) (lnwire.PubKey, error) {
	p, err := lnwire.ParsePubKey(text)
	if err != nil {
		return p, Invalid(field, "%v", err)
	}
	return p, nil
}

// Txid reads a transaction id: 32 bytes in the order of the wire, or text.
func Txid(field string, b []byte, text string) (h chainhash.Hash, err error) {
	switch {
	case len(b) > 0 && text != "":
		return h, Invalid(field, "txid_bytes and txid_str cannot both be set")
	case len(b) > 0 && len(b) != len(h):
		return h, Invalid(field, "want 32 bytes, got %d", len(b))
	case len(b) > 0:
		return chainhash.Hash(b), nil
	case len(text) != 2*len(h):
		return h, Invalid(field, "want 64 hex digits, got %d", len(text))
	}
	p, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return h, Invalid(field, "%v", err)
	}
	return *p, nil
}

// ChannelPoint reads the funding output that names a channel.
func ChannelPoint(field string, p *lnrpc.ChannelPoint) (op wire.OutPoint, err error) {
	if p == nil {
		return op, Invalid(field, "must be set")
	}
	var b []byte
	var text string
	switch id := p.FundingTxid.(type) {
	case *lnrpc.ChannelPoint_FundingTxidBytes:
		b = id.FundingTxidBytes
	case *lnrpc.ChannelPoint_FundingTxidStr:
		text = id.FundingTxidStr
	}
	op.Index = p.OutputIndex
	op.Hash, err = Txid(field, b, text)
	return op, err
}

// OutPointText reads txid:index.
func OutPointText(field, text string) (op wire.OutPoint, err error) {
	id, index, ok := strings.Cut(text, ":")
	if !ok {
		return op, Invalid(field, "want txid:index")
	}
	i, err := strconv.ParseUint(index, 10, 32)
	if err != nil {
		return op, Invalid(field, "index: %v", err)
	}
	op.Index = uint32(i)
	op.Hash, err = Txid(field, nil, id)
	return op, err
}

// OutPoints reads outputs of the wallet, none of them twice.
func OutPoints(field string, list []*lnrpc.OutPoint) ([]wire.OutPoint, error) {
	seen := make(map[wire.OutPoint]bool, len(list))
	var out []wire.OutPoint
	for i, p := range list {
		name := fmt.Sprintf("%s[%d]", field, i)
		if p == nil {
			return nil, Invalid(name, "must be set")
		}
		text := p.TxidStr
		if len(p.TxidBytes) > 0 {
			text = "" // lnd takes either, and the bytes first
		}
		id, err := Txid(name, p.TxidBytes, text)
		if err != nil {
			return nil, err
		}
		op := wire.OutPoint{Hash: id, Index: p.OutputIndex}
		if seen[op] {
			return nil, Mistake("selected outpoints contain duplicate outpoints: %v", op)
		}
		seen[op] = true
		out = append(out, op)
	}
	return out, nil
}

// Amount reads an amount that may be given in satoshis or in millisatoshis.
func Amount(field string, sat, msat int64) (lnwire.MilliSat, error) {
	switch {
	case sat != 0 && msat != 0:
		return 0, Invalid(field, "%s and %s_msat are mutually exclusive", field, field)
	case sat < 0 || msat < 0:
		return 0, Invalid(field, "must not be negative")
	case sat > int64(lnwire.MaxSat) || msat > int64(lnwire.MaxMilliSat):
		return 0, Invalid(field, "is above all the money there is")
	case sat != 0:
		return lnwire.Sat(sat).MilliSat(), nil
	}
	return lnwire.MilliSat(msat), nil
}

// Limit is Amount for limits: what is above all the money means no limit.
func Limit(field string, sat, msat int64) (lnwire.MilliSat, error) {
	sat, msat = min(sat, int64(lnwire.MaxSat)), min(msat, int64(lnwire.MaxMilliSat))
	return Amount(field, sat, msat)
}

// Sats reads an amount in satoshis.
func Sats(field string, v int64) (lnwire.Sat, error) {
	m, err := Amount(field, v, 0)
	return m.Sat(), err
}

// FeeRate reads a wish for a feerate: in sat/vbyte (two fields that mean the same), or
// as a number of blocks. Both zero leave it to the node.
func FeeRate(perVByte uint64, perByte int64, target int32) (rate lnwire.SatPerKW, blocks uint32, err error) {
	switch {
	case perByte < 0:
		return 0, 0, Invalid("sat_per_byte", "must not be negative")
	case target < 0:
		return 0, 0, Invalid("target_conf", "must not be negative")
	case perByte != 0 && perVByte != 0:
		return 0, 0, Invalid("sat_per_vbyte", "either sat_per_byte or sat_per_vbyte should be set, but not both")
	}
	perVByte = max(perVByte, uint64(perByte))
	switch {
	case perVByte != 0 && target != 0:
		return 0, 0, Invalid("sat_per_vbyte", "either sat_per_vbyte or target_conf should be set, but not both")
	case perVByte > math.MaxUint32/250:
		return 0, 0, Invalid("sat_per_vbyte", "%d is too high", perVByte)
	}
	rate = lnwire.SatPerKW(perVByte * 250)
	if perVByte == 1 {
		rate = lnwire.FeeFloor
	}
	return rate, uint32(target), nil
}

// MinConfs reads how deep the coins must be that are spent.
func MinConfs(minConfs int32, unconfirmed bool) (uint32, error) {
	switch {
	case minConfs < 0:
		return 0, Invalid("min_confs", "must not be negative")
	case minConfs > 0 && unconfirmed:
		return 0, Invalid("min_confs", "must be 0 with spend_unconfirmed")
	case unconfirmed:
		return 0, nil
	}
	return max(1, uint32(minConfs)), nil
}

// Script reads an address of the network as the script that it stands for.
func Script(field, text string, net *chaincfg.Params) ([]byte, error) {
	a, err := address.DecodeAddress(text, net)
	if err != nil {
		return nil, Invalid(field, "%q: %v", text, err)
	}
	if !a.IsForNet(net) {
		return nil, Invalid(field, "address %s is not valid for this network: %s", text, net.Name)
	}
	if _, bare := a.(*address.AddressPubKey); bare { // most likely a node's id
		return nil, Mistake("cannot send coins to pubkeys")
	}
	script, err := txscript.PayToAddrScript(a)
	if err != nil {
		return nil, Invalid(field, "%v", err)
	}
	return script, nil
}

// SCIDs reads short channel ids.
func SCIDs(list []uint64) []lnwire.ShortChannelID {
	var out []lnwire.ShortChannelID
	for _, id := range list {
		out = append(out, lnwire.ShortChannelID(id))
	}
	return out
}

// minCustom is the first type of records that are the users' own (BOLT 1).
const minCustom = 65536

// Records reads custom records, ascending.
func Records(field string, m map[uint64][]byte) ([]lnwire.TLV, error) {
	var out []lnwire.TLV
	for _, typ := range sortedKeys(m) {
		if typ < minCustom {
			return nil, Invalid(field, "no custom records with types below 65536 allowed, got %d", typ)
		}
		out = append(out, lnwire.TLV{Type: typ, Value: bytes.Clone(m[typ])})
	}
	return out, nil
}

// maxWire is how many bytes of records for the next node's update_add_htlc are taken:
// as many as are kept of those that come.
const maxWire = 4096

// WireRecords reads custom records for update_add_htlc, ascending.
func WireRecords(field string, m map[uint64][]byte) (lnwire.ExtraTLVs, error) {
	list, err := Records(field, m)
	size := 0
	for _, r := range list {
		if size += 16 + len(r.Value); size > maxWire {
			return nil, Invalid(field, "more than %d bytes", maxWire)
		}
		if r.Type%2 == 0 {
			return nil, Invalid(field, "type %d is even: a peer that does not know it would have to fail", r.Type)
		}
	}
	return list, err
}

// Bits reads feature bits.
func Bits(field string, bits []lnrpc.FeatureBit) (lnwire.Features, error) {
	f := lnwire.NewFeatures()
	for _, b := range bits {
		if b < 0 || b > math.MaxUint16/8 {
			return nil, Invalid(field, "there is no feature bit %d", b)
		}
		f = f.With(lnwire.Bit(b))
	}
	return f, nil
}

// CLTVLimit holds the most blocks that a route may lock money for against what the routes
// of this node may at all, and what the last hop needs; 0: the caller does not say. The texts
// of mistakes are lnd's.
func CLTVLimit(limit, final uint32) error {
	switch {
	case limit > routing.MaxCLTV:
		return Mistake("total time lock of %v exceeds max allowed %v", limit, uint32(routing.MaxCLTV))
	case limit != 0 && limit <= final:
		return Mistake("cltv limit %v should be greater than %v", limit, final)
	}
	return nil
}
