package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/rpc/middleware"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// A late service is registered with gRPC before its implementation exists. Each of its methods, also those with a single
// request, is registered as a stream, which is the same on the wire: gRPC then calls us before it reads the request, and
// a caller who is refused has not made us read anything.
type late struct {
	name string
	impl atomic.Pointer[any]
	gate gate
	// enter counts a call of whoever the context knows; leave is called at its end.
	enter func(ctx context.Context) (leave func(), err error)
	// watch shows the messages of a call to whoever must agree to them. The stream that it gives takes the other's place.
	watch func(stream grpc.ServerStream, service, method string, single bool) (grpc.ServerStream, error)
	log   *slog.Logger
	life  context.Context // ends when the server stops

	calls *Calls
}

// gate decides whether a call may pass; the error is what the caller is told. The context that it gives is the call's
// from there on: it knows who calls.
type gate func(ctx context.Context, service, method string) (context.Context, error)

// describe returns the description under which the service is registered.
func (l *late) describe(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	late := &grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: (*any)(nil), Metadata: desc.Metadata}
	for _, m := range desc.Methods {
		late.Streams = append(late.Streams, grpc.StreamDesc{StreamName: m.MethodName, Handler: l.handler(m.MethodName, true, single(m))})
	}
	for _, s := range desc.Streams {
		s.Handler = l.handler(s.StreamName, false, l.endWithServer(s.Handler))
		late.Streams = append(late.Streams, s)
	}
	return late
}

// provide sets the implementation.
func (l *late) provide(desc *grpc.ServiceDesc, impl any) error {
	want := reflect.TypeOf(desc.HandlerType).Elem()
	if impl == nil || !reflect.TypeOf(impl).Implements(want) {
		return fmt.Errorf("provide %s: %T is not a %v", l.name, impl, want)
	}
	if !l.impl.CompareAndSwap(nil, &impl) {
		return fmt.Errorf("provide %s: provided already", l.name)
	}
	return nil
}

// handler puts everything that all methods have in common around one.
func (l *late) handler(name string, single bool, next grpc.StreamHandler) grpc.StreamHandler {
	method := "/" + l.name + "/" + name
	return func(_ any, stream grpc.ServerStream) (err error) {
		end := l.calls.begin(method, single)
		defer func() { end(err) }()
		defer func() {
			if v := recover(); v != nil {
				l.log.Error("panic in a call", "method", method, "panic", v, "stack", string(debug.Stack()))
				err = status.Error(codes.Internal, "internal error")
			}
		}()
		ctx, err := l.gate(stream.Context(), l.name, method)
		if err != nil {
			l.log.Debug("call refused", "method", method, "err", err)
			return err
		}
		leave, err := l.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		impl := l.impl.Load()
		if impl == nil {
			return status.Error(codes.Unimplemented, "unknown service "+l.name)
		}
		watched, err := l.watch(knownStream{stream, ctx}, l.name, method, single)
		if err != nil {
			return err
		}
		err = middleware.End(watched, translate.Coded(next(*impl, watched)))
		if err != nil && stream.Context().Err() == nil { // who has gone has not failed
			l.log.Info("call failed", "method", method, "err", err)
		}
		return err
	}
}

// single serves a method with one request and one answer over a stream.
func single(m grpc.MethodDesc) grpc.StreamHandler {
	return func(impl any, stream grpc.ServerStream) error {
		answer, err := m.Handler(impl, stream.Context(), stream.RecvMsg, nil)
		if err != nil {
			return err
		}
		return stream.SendMsg(answer)
	}
}

// endWithServer cuts streams when the server stops; they would not end by themselves. Methods with a single request are
// let finish.
func (l *late) endWithServer(next grpc.StreamHandler) grpc.StreamHandler {
	return func(impl any, stream grpc.ServerStream) error {
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		defer context.AfterFunc(l.life, cancel)()
		err := next(impl, knownStream{stream, ctx})
		if err != nil && l.life.Err() != nil {
			return status.Error(codes.Unavailable, "server exiting")
		}
		return err
	}
}

// knownStream is a stream with another context.
type knownStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s knownStream) Context() context.Context { return s.ctx }
