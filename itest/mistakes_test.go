package itest

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	_ "github.com/fulgur-ln/fulgur/rpc" // all services
)

var mistakeSeed = flag.Uint64("mistakes.seed", 1, "which requests that make no sense are made")

// mistaken makes requests that make no sense: numbers at the edges, bytes of wrong lengths, ids that nobody knows,
// fields that contradict each other.
type mistaken struct{ *rand.Rand }

func (r mistaken) message(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(5) < 2 || depth > 3 {
			continue
		}
		switch {
		case f.IsMap():
			entries := m.Mutable(f).Map()
			value := entries.NewValue()
			if f.MapValue().Message() == nil {
				value = r.scalar(f.MapValue())
			}
			entries.Set(r.scalar(f.MapKey()).MapKey(), value)
		case f.IsList():
			list := m.Mutable(f).List()
			for range []int{0, 1, 1, 2, 40}[r.IntN(5)] {
				if f.Message() != nil {
					r.message(list.AppendMutable().Message(), depth+1)
				} else {
					list.Append(r.scalar(f))
				}
			}
		case f.Message() != nil:
			r.message(m.Mutable(f).Message(), depth+1)
		default:
			m.Set(f, r.scalar(f))
		}
	}
}

func (r mistaken) number() uint64 {
	edges := []uint64{0, 1, 2, 5, 144, 1000, 546, 100_000, 1 << 24, 21e14, 21e14 + 1, math.MaxInt32, math.MaxUint32, math.MaxInt64, 1 << 63, math.MaxUint64}
	if r.IntN(6) == 0 {
		return r.Uint64()
	}
	return edges[r.IntN(len(edges))]
}

func (r mistaken) bytes() []byte {
	b := make([]byte, []int{0, 1, 4, 20, 31, 32, 32, 32, 33, 33, 34, 64, 65, 100, 5000}[r.IntN(15)])
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if len(b) == 33 {
		b[0] = 2 + b[0]%2
	}
	return b
}

func (r mistaken) text() string {
	words := []string{"", " ", "x", "0x00", "-1", "1e9", "default", "imported", "ünsinn \u0000 \u202e", "127.0.0.1:1", "lnbcrt1", "m/84'/0'/0'", "*", strings.Repeat("a", 10_000)}
	if n := r.IntN(2 * len(words)); n < len(words) {
		return words[n]
	}
	return hex.EncodeToString(r.bytes())
}

func (r mistaken) scalar(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum([]protoreflect.EnumNumber{values.Get(r.IntN(values.Len())).Number(), 99, -1}[max(0, r.IntN(5)-2)])
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(r.number()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(r.number()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(r.number()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(r.number())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{0, -1, 1e30, float32(math.NaN()), float32(math.Inf(1)), 0.5}[r.IntN(6)])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, -1, 1e300, math.NaN(), math.Inf(1), 0.000001, 0.5}[r.IntN(7)])
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(r.text())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(r.bytes())
	case protoreflect.MessageKind, protoreflect.GroupKind:
	}
	panic("a message is no scalar")
}

// spared are methods whose purpose is what the test must not do.
var spared = map[protoreflect.FullName]string{
	"lnrpc.Lightning.StopDaemon":      "it would stop",
	"walletrpc.WalletKit.SendOutputs": "it pays to whatever script it is given",
}

// asInLnd are words that come with lnd's code, or as in lnd with none, since clients may look at it.
var asInLnd = []string{"WalletUnlocker service is no longer available", "cannot lookup with flag --store-final-htlc-resolutions=false"}

func lndsWords(err error) bool {
	return slices.ContainsFunc(asInLnd, func(words string) bool { return strings.Contains(err.Error(), words) })
}

// everyMethod are the methods of all services that are linked in.
func everyMethod() (list []protoreflect.MethodDescriptor) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				if pkg := string(f.Package()); strings.HasSuffix(pkg, "rpc") && spared[s.Methods().Get(j).FullName()] == "" {
					list = append(list, s.Methods().Get(j))
				}
			}
		}
		return true
	})
	return list
}

// randomOf is what is random of a method: the same in each run, in whatever order the methods come.
func randomOf(m protoreflect.MethodDescriptor) *rand.Rand {
	name := fnv.New64a()
	_, _ = name.Write([]byte(m.FullName())) // never fails
	return rand.New(rand.NewPCG(*mistakeSeed, name.Sum64()))
}

// ask sends one request and takes the first answer.
func ask(n *rig.Node, m protoreflect.MethodDescriptor, request, answer *dynamicpb.Message) error {
	path := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	patience := rig.Patience
	if m.IsStreamingServer() || m.IsStreamingClient() {
		patience = 300 * time.Millisecond // a subscription may have nothing to say
	}
	ctx, cancel := context.WithTimeout(n.T.Context(), patience)
	defer cancel()
	if !m.IsStreamingServer() && !m.IsStreamingClient() {
		return n.Conn.Invoke(ctx, path, request, answer)
	}
	err := first(ctx, n, m, path, request, answer)
	if errors.Is(err, io.EOF) || status.Code(err) == codes.DeadlineExceeded {
		return nil
	}
	return err
}

// first is what a stream says first to the request.
func first(ctx context.Context, n *rig.Node, m protoreflect.MethodDescriptor, path string, request, answer *dynamicpb.Message) error {
	stream, err := n.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !m.IsStreamingClient() {
		if err := stream.CloseSend(); err != nil {
			return err
		}
	}
	return stream.RecvMsg(answer)
}

// mistakes calls every method of every service with requests that make no sense. Each must be answered with a status that
// says whose mistake it is, and nothing of worth may change.
func mistakes(t *testing.T, alice, bob *rig.Node) {
	before := holdings(t, alice)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := map[string]int{}
	room := make(chan struct{}, 8)
	for _, m := range everyMethod() {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			r, rounds := mistaken{randomOf(m)}, 30
			if m.IsStreamingServer() {
				rounds = 8
			}
			for range rounds {
				request, answer := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
				r.message(request, 0)
				err := ask(alice, m, request, answer)
				switch status.Code(err) {
				case codes.Unknown, codes.Internal, codes.Unavailable, codes.DeadlineExceeded, codes.DataLoss:
					if lndsWords(err) {
						continue
					}
					mu.Lock()
					wrong[fmt.Sprintf("%s: %.120v", m.FullName(), err)]++
					mu.Unlock()
				default:
				}
			}
		})
	}
	wg.Wait()
	require.Empty(t, wrong, "no code that says whose mistake it is") // packages mistake and rpc/translate give one
	require.NotContains(t, alice.Log(), "panic in a call")
	require.Equal(t, before, holdings(t, alice))
	alice.Pay(bob.Invoice(1000))
}

// holdings is what must not change by a mistake.
func holdings(t *testing.T, n *rig.Node) []any {
	coins, err := n.LN.WalletBalance(rig.Soon(t), &lnrpc.WalletBalanceRequest{})
	require.NoError(t, err)
	channels, err := n.LN.ChannelBalance(rig.Soon(t), &lnrpc.ChannelBalanceRequest{})
	require.NoError(t, err)
	pending, err := n.LN.PendingChannels(rig.Soon(t), &lnrpc.PendingChannelsRequest{})
	require.NoError(t, err)
	txs, err := n.LN.GetTransactions(rig.Soon(t), &lnrpc.GetTransactionsRequest{})
	require.NoError(t, err)
	return []any{
		coins.TotalBalance, channels.LocalBalance.Msat, channels.RemoteBalance.Msat, len(n.Channels()), len(pending.PendingOpenChannels),
		len(pending.WaitingCloseChannels), len(txs.Transactions),
	}
}
