package show

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Parse reads a message from JSON as JSON prints it, bytes in hex.
func Parse(text []byte, into proto.Message) error {
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if err := rewrite(tree, into.ProtoReflect().Descriptor()); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if err := protojson.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}

// rewrite turns the hex of all byte fields below a message into the base64 that
// protobuf's own JSON wants.
func rewrite(tree any, md protoreflect.MessageDescriptor) error {
	object, ok := tree.(map[string]any)
	if !ok {
		return nil // null, or nonsense that protojson refuses with better words
	}
	for name, v := range object {
		fd := md.Fields().ByTextName(name)
		if fd == nil {
			continue
		}
		var err error
		switch {
		case fd.IsMap():
			if inner, ok := v.(map[string]any); ok {
				err = rewriteEach(inner, fd.MapValue())
			}
		case fd.IsList():
			if items, ok := v.([]any); ok {
				for i := range items {
					if items[i], err = rewriteOne(items[i], fd); err != nil {
						break
					}
				}
			}
		default:
			object[name], err = rewriteOne(v, fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func rewriteEach(inner map[string]any, fd protoreflect.FieldDescriptor) (err error) {
	for k := range inner {
		if inner[k], err = rewriteOne(inner[k], fd); err != nil {
			return err
		}
	}
	return nil
}

func rewriteOne(v any, fd protoreflect.FieldDescriptor) (any, error) {
	if fd.Message() != nil {
		return v, rewrite(v, fd.Message())
	}
	text, ok := v.(string)
	if !ok || fd.Kind() != protoreflect.BytesKind {
		return v, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}
