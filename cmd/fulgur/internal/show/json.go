package show

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// indent is one level, as lncli indents.
const indent = "    "

// backwards are the fields that hold a hash in the order of the wire and have no
// text form beside them: people know such hashes reversed.
var backwards = map[protoreflect.FullName]bool{
	"lnrpc.PendingUpdate.txid":              true,
	"lnrpc.ChannelCloseUpdate.closing_txid": true,
	"lnrpc.ChannelPoint.funding_txid_bytes": true,
	"chainrpc.BlockEpoch.hash":              true,
}

// JSON prints a message with all its fields, also those that are empty.
func JSON(w io.Writer, m proto.Message) error {
	text := appendMessage(nil, m.ProtoReflect(), 0)
	_, err := w.Write(append(text, '\n'))
	return err
}

// Line prints a message on one line, for streams that programs read.
func Line(w io.Writer, m proto.Message) error {
	var line bytes.Buffer
	if err := json.Compact(&line, appendMessage(nil, m.ProtoReflect(), 0)); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	line.WriteByte('\n')
	_, err := w.Write(line.Bytes())
	return err
}

// Value prints anything that encoding/json can, in the same layout.
func Value(w io.Writer, v any) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print answer: %w", err)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

func newline(b []byte, depth int) []byte {
	b = append(b, '\n')
	return append(b, strings.Repeat(indent, depth)...)
}

func appendMessage(b []byte, m protoreflect.Message, depth int) []byte {
	fields := m.Descriptor().Fields()
	b = append(b, '{')
	first := true
	for i := range fields.Len() {
		fd := fields.Get(i)
		// A member of a oneof, and an optional scalar, is there or it is not.
		if fd.ContainingOneof() != nil && !m.Has(fd) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = newline(b, depth+1)
		b = appendText(b, string(fd.Name()))
		b = append(b, ": "...)
		b = appendField(b, fd, m, depth+1)
	}
	if !first {
		b = newline(b, depth)
	}
	return append(b, '}')
}

func appendField(b []byte, fd protoreflect.FieldDescriptor, m protoreflect.Message, depth int) []byte {
	v := m.Get(fd)
	switch {
	case fd.IsMap():
		return appendMap(b, fd, v.Map(), depth)
	case fd.IsList():
		return appendList(b, fd, v.List(), depth)
	case fd.Message() != nil && !m.Has(fd):
		return append(b, "null"...)
	}
	return appendValue(b, fd, v, depth)
}

func appendList(b []byte, fd protoreflect.FieldDescriptor, l protoreflect.List, depth int) []byte {
	if l.Len() == 0 {
		return append(b, "[]"...)
	}
	b = append(b, '[')
	for i := range l.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = newline(b, depth+1)
		b = appendValue(b, fd, l.Get(i), depth+1)
	}
	return append(newline(b, depth), ']')
}

func appendMap(b []byte, fd protoreflect.FieldDescriptor, m protoreflect.Map, depth int) []byte {
	if m.Len() == 0 {
		return append(b, "{}"...)
	}
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	sort.Slice(keys, func(i, j int) bool { return mapKeyLess(fd.MapKey().Kind(), keys[i], keys[j]) })
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = newline(b, depth+1)
		b = appendText(b, k.String())
		b = append(b, ": "...)
		b = appendValue(b, fd.MapValue(), m.Get(k), depth+1)
	}
	return append(newline(b, depth), '}')
}

// mapKeyLess orders keys; the interface has maps by number and by text only.
func mapKeyLess(kind protoreflect.Kind, a, b protoreflect.MapKey) bool {
	switch kind {
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return a.Uint() < b.Uint()
	default:
		return a.String() < b.String()
	}
}

// appendValue knows the kinds that the interface uses.
func appendValue(b []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) []byte {
	switch x := v.Interface().(type) {
	case bool:
		return strconv.AppendBool(b, x)
	case int32:
		return strconv.AppendInt(b, int64(x), 10)
	case uint32:
		return strconv.AppendUint(b, uint64(x), 10)
	case int64, uint64: // as text: JavaScript's numbers do not hold them
		return fmt.Appendf(b, `"%d"`, x)
	case float64:
		return strconv.AppendFloat(b, x, 'g', -1, 64)
	case string:
		return appendText(b, x)
	case []byte:
		if backwards[fd.FullName()] {
			x = slices.Clone(x)
			slices.Reverse(x)
		}
		return appendText(b, hex.EncodeToString(x))
	case protoreflect.EnumNumber:
		if d := fd.Enum().Values().ByNumber(x); d != nil {
			return appendText(b, string(d.Name()))
		}
		return strconv.AppendInt(b, int64(x), 10)
	case protoreflect.Message:
		return appendMessage(b, x, depth)
	}
	return appendText(b, v.String())
}

func appendText(b []byte, text string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if e.Encode(strings.ToValidUTF8(text, "\uFFFD")) != nil {
		return append(b, `""`...)
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}
