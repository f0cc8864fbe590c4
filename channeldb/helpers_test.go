package channeldb

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

var testGenesis = chainhash.Hash{1, 2, 3}

func testOptions(t testing.TB) Options {
	return Options{Genesis: testGenesis, Fatal: func(err error) { t.Errorf("fatal: %v", err) }}
}

func open(t testing.TB) *DB {
	t.Helper()
	return openPath(t, filepath.Join(t.TempDir(), "fulgur.db"))
}

func openPath(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path, testOptions(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func reopen(t testing.TB, db *DB) *DB {
	t.Helper()
	require.NoError(t, db.Close())
	return openPath(t, db.path)
}

// filler makes values of any type out of a seed. Slices and pointers are nil or
// hold something: rows keep no empty slices, but where emptiness means something.
type filler struct{ *rand.Rand }

func fillerOf(seed uint64) filler { return filler{rand.New(rand.NewPCG(seed, 1))} }

func fill[T any](f filler) (v T) {
	f.fill(reflect.ValueOf(&v).Elem())
	return v
}

func (f filler) fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		if f.IntN(4) > 0 {
			v.Set(reflect.ValueOf(time.Unix(0, f.Int64()+1).UTC()))
		}
		return
	case lnwire.TLV: // a record without a value has one of no bytes
		v.Set(reflect.ValueOf(lnwire.TLV{Type: f.Uint64(), Value: append([]byte{}, fill[[]byte](f)...)}))
		return
	case wire.MsgTx:
		v.Set(reflect.ValueOf(*f.tx()))
		return
	case commitment.ShaChain:
		v.Set(reflect.ValueOf(f.chain()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Pointer:
		if f.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Slice:
		if n := f.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				f.fill(v.Index(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString([]string{"", "a", "fünf", "some words"}[f.IntN(4)])
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(f.Uint64() >> (f.IntN(64)) >> (64 - v.Type().Bits()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> f.IntN(64) >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(float64(f.IntN(2001)-1000) / 1000)
	default:
		panic("fill " + v.Type().String())
	}
}

func (f filler) tx() *wire.MsgTx {
	tx := wire.NewMsgTx(int32(f.IntN(3)))
	for range 1 + f.IntN(3) {
		in := &wire.TxIn{PreviousOutPoint: fill[wire.OutPoint](f), SignatureScript: []byte{1, 2}, Sequence: f.Uint32()}
		for range f.IntN(3) {
			in.Witness = append(in.Witness, []byte{byte(f.IntN(256)), 7})
		}
		tx.AddTxIn(in)
	}
	for range 1 + f.IntN(3) {
		tx.AddTxOut(&wire.TxOut{Value: int64(f.IntN(1 << 40)), PkScript: []byte{0, 1, byte(f.IntN(256))}})
	}
	if tx.HasWitness() { // as wire reads it
		for _, in := range tx.TxIn {
			in.Witness = append(wire.TxWitness{}, in.Witness...)
		}
	}
	tx.LockTime = f.Uint32()
	return tx
}

func (f filler) chain() (s commitment.ShaChain) {
	root := fill[[32]byte](f)
	for n := range uint64(f.IntN(20)) {
		s.Insert(n, commitment.SecretFromRoot(root, n))
	}
	return s
}
