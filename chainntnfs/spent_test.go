package chainntnfs

import (
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
)

func script(t *testing.T, b *txscript.ScriptBuilder) []byte {
	s, err := b.Script()
	require.NoError(t, err)
	return s
}

// What an input shows of what it spends: the five kinds of outputs that are hashes.
func TestSpentScripts(t *testing.T) {
	key, sig, redeem := append([]byte{2}, make([]byte, 32)...), make([]byte, 71), []byte{txscript.OP_1, txscript.OP_DROP}
	new := txscript.NewScriptBuilder
	sum := sha256.Sum256(redeem)
	p2wpkh := script(t, new().AddOp(txscript.OP_0).AddData(address.Hash160(key)))
	p2wsh := script(t, new().AddOp(txscript.OP_0).AddData(sum[:]))
	p2sh := func(redeem []byte) []byte {
		return script(t, new().AddOp(txscript.OP_HASH160).AddData(address.Hash160(redeem)).AddOp(txscript.OP_EQUAL))
	}
	p2pkh := script(t, new().AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(address.Hash160(key)).
		AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG))
	for name, c := range map[string]struct {
		in   wire.TxIn
		want []byte
		not  []byte
	}{
		"a key's":               {in: wire.TxIn{Witness: wire.TxWitness{sig, key}}, want: p2wpkh},
		"a script's":            {in: wire.TxIn{Witness: wire.TxWitness{sig, sig, redeem}}, want: p2wsh},
		"a nested key's":        {in: wire.TxIn{Witness: wire.TxWitness{sig, key}, SignatureScript: script(t, new().AddData(p2wpkh))}, want: p2sh(p2wpkh), not: p2wpkh},
		"an old key's":          {in: wire.TxIn{SignatureScript: script(t, new().AddData(sig).AddData(key))}, want: p2pkh},
		"an old script's":       {in: wire.TxIn{SignatureScript: script(t, new().AddData(sig).AddData(redeem))}, want: p2sh(redeem)},
		"one that shows no key": {in: wire.TxIn{Witness: wire.TxWitness{sig}}, not: p2wpkh},
		"a broken one":          {in: wire.TxIn{SignatureScript: []byte{txscript.OP_PUSHDATA1}}, not: p2sh(nil)},
		"one of nothing":        {not: p2pkh},
	} {
		list := spentScripts(&c.in)
		if c.want != nil {
			require.Contains(t, list, c.want, name)
		}
		if c.not != nil {
			require.NotContains(t, list, c.not, name)
		}
	}
}

// Who watches for spends of a script is told of them and of nothing else, is told when a
// reorganisation takes them back, and no more when it has gone.
func TestTrackerSpendsOfScript(t *testing.T) {
	m, tr := newModel(), NewTracker()
	key := append([]byte{2}, make([]byte, 32)...)
	p2wpkh := script(t, txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(address.Hash160(key)))
	w := Watch{PkScript: p2wpkh, Spends: true}
	tr.Watch(1, w)
	tr.Watch(2, Watch{PkScript: p2wpkh})
	tr.Watch(2, w)
	require.Equal(t, []Watch{{PkScript: p2wpkh}, w}, tr.watches(2))
	tr.Unwatch(2, w)

	paying := pay([]wire.OutPoint{external(1)}, string(p2wpkh))
	spending := pay([]wire.OutPoint{external(2), outpoint(paying, 0)}, "x")
	spending.TxIn[1].Witness = wire.TxWitness{make([]byte, 71), key}
	step := connect(m, paying, spending)
	require.Equal(t, []Notice{
		{2, Confirmed{Tx: paying, At: step.At, TxIndex: 1}},
		{1, Spent{Outpoint: outpoint(paying, 0), Tx: spending, Input: 1, At: step.At, TxIndex: 2}},
	}, tr.Step(step))
	require.Equal(t, []Notice{
		{1, Unconfirmed{spending.TxHash(), step.At}}, {2, Unconfirmed{paying.TxHash(), step.At}},
	}, tr.Step(disconnect(m)))
	tr.Leave(1)
	require.Empty(t, tr.spends)
}
