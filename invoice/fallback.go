package invoice

import (
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// The versions of a fallback besides those of witness programs, 0 to 16.
const (
	versionP2PKH = 17
	versionP2SH  = 18
)

// Fallback is an on-chain address for a payer that finds no route.
type Fallback struct {
	Version byte   // 0 to 16: of a witness program; 17: P2PKH; 18: P2SH
	Program []byte // the witness program, or the hash of 20 bytes
}

// NewFallback reads an address of the network.
func NewFallback(text string, n Network) (Fallback, error) {
	params := n.Params()
	if params == nil {
		return Fallback{}, fmt.Errorf("network %q: not known", string(n))
	}
	addr, err := address.DecodeAddress(text, params)
	if err != nil {
		return Fallback{}, fmt.Errorf("invalid fallback address: %w", err)
	}
	if !addr.IsForNet(params) {
		return Fallback{}, fmt.Errorf("fallback address is not for %s", params.Name)
	}
	switch a := addr.(type) {
	case *address.AddressPubKeyHash:
		return Fallback{versionP2PKH, a.ScriptAddress()}, nil
	case *address.AddressScriptHash:
		return Fallback{versionP2SH, a.ScriptAddress()}, nil
	case interface {
		WitnessVersion() byte
		WitnessProgram() []byte
	}:
		return Fallback{a.WitnessVersion(), a.WitnessProgram()}, nil
	}
	return Fallback{}, fmt.Errorf("fallback address %q: want P2PKH, P2SH or segwit", text)
}

// valid reports a version that we know with a program of a length it can have
// (B11.field.7).
func (f Fallback) valid() bool {
	n := len(f.Program)
	switch {
	case f.Version == versionP2PKH || f.Version == versionP2SH:
		return n == 20
	case f.Version == 0:
		return n == 20 || n == 32
	case f.Version <= 16:
		return n >= 2 && n <= 40
	}
	return false
}

func (f Fallback) groups() ([]byte, error) {
	if !f.valid() {
		return nil, fmt.Errorf("fallback address: %d bytes for version %d", len(f.Program), f.Version)
	}
	return append([]byte{f.Version}, toGroups(f.Program)...), nil
}

// readFallback is false for a field that is to be skipped (B11.read.1).
func readFallback(groups []byte) (Fallback, bool) {
	if len(groups) == 0 {
		return Fallback{}, false
	}
	program, ok := toBytes(groups[1:])
	f := Fallback{groups[0], program}
	return f, ok && f.valid()
}

// Script is the output script to pay to.
func (f Fallback) Script() ([]byte, error) {
	if !f.valid() {
		return nil, fmt.Errorf("fallback address: %d bytes for version %d", len(f.Program), f.Version)
	}
	b := txscript.NewScriptBuilder()
	switch f.Version {
	case versionP2PKH:
		b.AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(f.Program).
			AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG)
	case versionP2SH:
		b.AddOp(txscript.OP_HASH160).AddData(f.Program).AddOp(txscript.OP_EQUAL)
	default:
		b.AddInt64(int64(f.Version)).AddData(f.Program)
	}
	return b.Script()
}

// Address is the address's text on the network; empty when it has none there, as
// with witness programs of versions that nobody uses yet.
func (f Fallback) Address(n Network) string {
	script, err := f.Script()
	if err != nil || n.Params() == nil {
		return ""
	}
	_, addrs, _, err := txscript.ExtractPkScriptAddrs(script, n.Params())
	if err != nil || len(addrs) != 1 {
		return ""
	}
	return addrs[0].EncodeAddress()
}
