package lnwire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

func sorted[T interface{ ~uint64 }](list []T) []T {
	slices.Sort(list)
	return list
}

// allTypes are the types of every message that we know.
func allTypes() (types []MsgType) {
	for t := 0; t <= 0xffff; t++ {
		if _, unknown := newMessage(MsgType(t)).(*Unknown); !unknown {
			types = append(types, MsgType(t))
		}
	}
	return types
}

// noise fills b from one drawn number, since drawing byte by byte is slow.
func noise(t *rapid.T, b []byte) {
	seed := rapid.Uint64().Draw(t, "noise")
	for i := 0; i < len(b); i += 32 {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), uint64(i)))
		copy(b[i:], sum[:])
	}
}

func drawKey(t *rapid.T) PubKey {
	var k [32]byte
	noise(t, k[:])
	_, pub := btcec.PrivKeyFromBytes(k[:])
	return NewPubKey(pub)
}

func drawBytes(t *rapid.T, most int) []byte {
	b := make([]byte, rapid.IntRange(0, most).Draw(t, "len"))
	noise(t, b)
	return b
}

func drawAddress(t *rapid.T) Address {
	port := rapid.Uint16Range(1, 0xffff).Draw(t, "port")
	raw := drawBytes(t, 0)
	switch typ := rapid.SampledFrom([]AddressType{AddrIPv4, AddrIPv6, AddrTor3}).Draw(t, "type"); typ {
	case AddrIPv4:
		raw = append(raw, 1, 0, 0, 0, 0)
		noise(t, raw[1:])
	case AddrIPv6:
		raw = append([]byte{2}, make([]byte, 16)...)
		noise(t, raw[1:])
	default:
		raw = append([]byte{4}, make([]byte, torLen)...)
		noise(t, raw[1:])
	}
	a, _, _, err := ReadAddress(appendU16(raw, port))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// drawMessage makes any message of the type that Marshal takes.
func drawMessage(t *rapid.T, typ MsgType) Message {
	m := newMessage(typ)
	v := reflect.ValueOf(m).Elem()
	if v.NumField() == 1 && v.Type().Field(0).Anonymous {
		v = v.Field(0) // such as ClosingTerms
	}
	for i := range v.NumField() {
		drawField(t, v, v.Type().Field(i).Name, v.Field(i))
	}
	return m
}

func drawField(t *rapid.T, msg reflect.Value, name string, v reflect.Value) {
	perChannel := func(make func(n int) any) {
		if rapid.Bool().Draw(t, name) {
			v.Set(reflect.ValueOf(make(msg.FieldByName("SCIDs").Len())))
		}
	}
	switch v.Interface().(type) {
	case ExtraTLVs:
		var extra ExtraTLVs
		for _, rec := range drawRecords(t, 50, 1<<63-1) {
			extra = append(extra, TLV{Type: 2*rec.Type + 1, Value: rec.Value})
		}
		v.Set(reflect.ValueOf(extra))
	case Features:
		v.SetBytes(drawFeatures(t))
	case *Features:
		if rapid.Bool().Draw(t, name) {
			f := drawFeatures(t)
			v.Set(reflect.ValueOf(&f))
		}
	case []ShortChannelID:
		ids := rapid.SliceOfNDistinct(rapid.Uint64(), 0, 5, rapid.ID[uint64]).Draw(t, name)
		for _, id := range sorted(ids) {
			v.Set(reflect.Append(v, reflect.ValueOf(ShortChannelID(id))))
		}
	case []uint64:
		perChannel(func(n int) any { return rapid.SliceOfN(rapid.Uint64(), n, n).Draw(t, name) })
	case []ChannelTimestamps:
		perChannel(func(n int) any { return rapid.SliceOfN(rapid.Make[ChannelTimestamps](), n, n).Draw(t, name) })
	case []ChannelChecksums:
		perChannel(func(n int) any { return rapid.SliceOfN(rapid.Make[ChannelChecksums](), n, n).Draw(t, name) })
	case *PubKey:
		if rapid.Bool().Draw(t, name) {
			k := drawKey(t)
			v.Set(reflect.ValueOf(&k))
		}
	case []Address:
		list := rapid.SliceOfN(rapid.Custom(drawAddress), 0, 4).Draw(t, name)
		if rapid.Bool().Draw(t, "named") {
			list = append(list, Address{Type: AddrDNS, Host: "node.example.com", Port: 9735})
		}
		slices.SortStableFunc(list, func(x, y Address) int { return int(x.Type) - int(y.Type) })
		if len(list) > 0 {
			v.Set(reflect.ValueOf(list))
		}
	case []byte:
		b := drawBytes(t, 300)
		switch name {
		case "RawAddrs": // derived from what Addresses cannot say; see TestAddressList
		case "UpfrontShutdown", "RemoteAddr": // nil is absent, empty is not
			if rapid.Bool().Draw(t, name) {
				v.SetBytes(b)
			}
		default:
			if len(b) > 0 {
				v.SetBytes(b)
			}
		}
	default:
		drawPlain(t, name, v)
	}
}

func drawPlain(t *rapid.T, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Array:
		b := make([]byte, v.Len())
		noise(t, b)
		reflect.Copy(v, reflect.ValueOf(b))
	case reflect.Slice:
		n := rapid.IntRange(0, 4).Draw(t, name)
		if n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range n {
			drawPlain(t, name, v.Index(i))
		}
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Max(1<<v.Type().Bits()-1).Draw(t, name))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, name) {
			v.Set(reflect.New(v.Type().Elem()))
			drawPlain(t, name, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			drawPlain(t, name, v.Field(i))
		}
	default:
		panic(fmt.Sprintf("no generator for %s of kind %s", name, v.Kind()))
	}
}

// drawFeatures makes vectors that a peer may send: some with leading zeros.
func drawFeatures(t *rapid.T) Features {
	b := drawBytes(t, 9)
	if len(b) == 0 {
		return nil
	}
	if rapid.Bool().Draw(t, "padded") {
		b[0] = 0
	}
	return b
}

func TestGeneratorsReachEveryMessage(t *testing.T) {
	if n := len(allTypes()); n != 35 {
		t.Fatalf("%d messages", n)
	}
}
