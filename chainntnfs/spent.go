package chainntnfs

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// compressedKey is the length of the one kind of key that witness programs know.
const compressedKey = 33

// spentScripts are the scripts of which an input may spend an output, as far as it shows:
// it brings the key, or the script, that such a script is the hash of. An input with a
// witness of a version that is not in use may bring what it likes.
func spentScripts(in *wire.TxIn) (list [][]byte) {
	add := func(b *txscript.ScriptBuilder) {
		if script, err := b.Script(); err == nil {
			list = append(list, script)
		}
	}
	if n := len(in.Witness); n > 0 && len(in.SignatureScript) == 0 {
		last := in.Witness[n-1]
		if n == 2 && len(last) == compressedKey {
			add(txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(address.Hash160(last)))
		}
		sum := sha256.Sum256(last)
		add(txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(sum[:]))
	}
	pushes, err := txscript.PushedData(in.SignatureScript)
	if err != nil || len(pushes) == 0 || !txscript.IsPushOnlyScript(in.SignatureScript) {
		return list
	}
	last := address.Hash160(pushes[len(pushes)-1])
	add(txscript.NewScriptBuilder().AddOp(txscript.OP_HASH160).AddData(last).AddOp(txscript.OP_EQUAL))
	if len(pushes) == 2 && len(in.Witness) == 0 {
		add(txscript.NewScriptBuilder().AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(last).
			AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG))
	}
	return list
}
