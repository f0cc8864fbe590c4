package itest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// asIs sends bytes as they are, and takes answers so.
type asIs struct{}

func (asIs) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (asIs) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (asIs) Name() string                       { return "proto" }

// noise are requests that are no message of the method, or one that no program would make: random bytes, a message that
// is cut off, lengths that lie, fields inside each other without end, the same field ten thousand times, all members of
// every oneof at once.
func noise(r *rand.Rand, in protoreflect.MessageDescriptor) (list [][]byte) {
	random := make([]byte, 1+r.IntN(300))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	list = append(list, random, []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, []byte{0x0a, 0x05, 1})
	var all []byte
	fields := in.Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		var one []byte
		switch f.Kind() {
		case protoreflect.MessageKind, protoreflect.GroupKind:
			deep := []byte{}
			for range 3000 { // more would be refused for its depth by the decoder alone
				deep = protowire.AppendBytes(protowire.AppendTag(nil, f.Number(), protowire.BytesType), deep)
			}
			list = append(list, deep)
			one = protowire.AppendBytes(protowire.AppendTag(nil, f.Number(), protowire.BytesType), nil)
		case protoreflect.StringKind, protoreflect.BytesKind:
			one = protowire.AppendBytes(protowire.AppendTag(nil, f.Number(), protowire.BytesType), []byte{'\xff', 'x'}) // no UTF-8
		case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
			one = protowire.AppendFixed64(protowire.AppendTag(nil, f.Number(), protowire.Fixed64Type), r.Uint64())
		case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
			one = protowire.AppendFixed32(protowire.AppendTag(nil, f.Number(), protowire.Fixed32Type), r.Uint32())
		case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind,
			protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Uint64Kind:
			one = protowire.AppendVarint(protowire.AppendTag(nil, f.Number(), protowire.VarintType), r.Uint64())
		}
		all = append(all, one...)
		if f.IsList() {
			list = append(list, bytes.Repeat(one, 10_000))
		}
	}
	return append(list, all)
}

// strange sends noise to every method. What cannot be decoded is told so, nothing panics, and nothing of worth changes.
func strange(t *testing.T, alice, bob *rig.Node) {
	before := holdings(t, alice)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := map[string]int{}
	room := make(chan struct{}, 8)
	for _, m := range everyMethod() {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			for _, request := range noise(randomOf(m), m.Input()) {
				err := send(alice, m, request)
				decoded := !strings.Contains(fmt.Sprint(err), "unmarshal")
				switch status.Code(err) {
				case codes.Unknown, codes.Unavailable, codes.DeadlineExceeded, codes.DataLoss, codes.Internal:
					if decoded && !lndsWords(err) {
						mu.Lock()
						wrong[fmt.Sprintf("%s: %.120v", m.FullName(), err)]++
						mu.Unlock()
					}
				default:
				}
			}
		})
	}
	wg.Wait()
	require.Empty(t, wrong)
	require.NotContains(t, alice.Log(), "panic in a call")
	require.Equal(t, before, holdings(t, alice))
	alice.Pay(bob.Invoice(1000))
}

// send sends bytes as the request of a method and takes the first answer.
func send(n *rig.Node, m protoreflect.MethodDescriptor, request []byte) error {
	patience := rig.Patience
	if m.IsStreamingServer() || m.IsStreamingClient() {
		patience = 50 * time.Millisecond // a subscription may have nothing to say
	}
	ctx, cancel := context.WithTimeout(n.T.Context(), patience)
	defer cancel()
	path := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	stream, err := n.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path, grpc.ForceCodec(asIs{}))
	if err == nil {
		if err = stream.SendMsg(&request); err == nil {
			err = stream.CloseSend()
		}
	}
	if err == nil || errors.Is(err, io.EOF) {
		var answer []byte
		err = stream.RecvMsg(&answer)
	}
	if errors.Is(err, io.EOF) || status.Code(err) == codes.DeadlineExceeded && patience != rig.Patience {
		return nil
	}
	return err
}
