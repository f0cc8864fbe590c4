package middleware

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// Call is what is known of a call before its first message.
type Call struct {
	Method string // full name
	Stream bool   // the caller or the node may send more than one message
	Token  macaroons.Token
}

// errorType stands for the type of a message where there is an error instead.
const errorType = "error"

// A watched call shows its messages to the middlewares that it concerns.
type watched struct {
	grpc.ServerStream
	call     Call
	id       uint64
	concerns []concern
	md       map[string]*lnrpc.MetadataValues
	refused  atomic.Bool // a middleware has ended the call
}

// A concern is a middleware with the condition under which it sees the call; empty for one that only looks.
type concern struct {
	*link
	condition string
}

// Watch begins to show a call to the middlewares that it concerns, if any. The stream that it gives is to be used in
// place of the other. An error is their refusal.
func (r *Registry) Watch(stream grpc.ServerStream, call Call) (grpc.ServerStream, error) {
	concerns, err := r.concerned(call.Token.Custom)
	if err != nil || len(concerns) == 0 {
		return stream, err
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	w := &watched{ServerStream: stream, call: call, id: r.calls.Add(1), concerns: concerns, md: map[string]*lnrpc.MetadataValues{}}
	for key, values := range md {
		w.md[key] = &lnrpc.MetadataValues{Values: values}
	}
	if !call.Stream {
		return w, nil
	}
	return w, w.show(func(m *lnrpc.RPCMiddlewareRequest) {
		m.InterceptType = &lnrpc.RPCMiddlewareRequest_StreamAuth{StreamAuth: &lnrpc.StreamAuth{MethodFullUri: call.Method}}
	}, func(*lnrpc.InterceptFeedback) error { return nil })
}

// concerned lists the middlewares that must see a call, in the order of their registration. One whose caveat stands in
// the macaroon several times is asked about each: every caveat must hold.
// It fails if one has gone since the macaroon was found good.
func (r *Registry) concerned(caveats []macaroons.CustomCaveat) (list []concern, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	held := 0
	for _, l := range r.links {
		if l.readOnly {
			list = append(list, concern{l, ""})
			continue
		}
		for _, c := range caveats {
			if c.Name == l.caveat {
				list = append(list, concern{l, c.Condition})
				held++
			}
		}
	}
	if held < len(caveats) {
		return nil, errGone
	}
	return list, nil
}

// show asks one middleware after the other. fill makes the message, changed takes in what one of them puts in its place.
func (w *watched) show(fill func(*lnrpc.RPCMiddlewareRequest), changed func(*lnrpc.InterceptFeedback) error) error {
	for _, c := range w.concerns {
		m := &lnrpc.RPCMiddlewareRequest{RequestId: w.id, RawMacaroon: w.call.Token.Raw, CustomCaveatCondition: c.condition, MetadataPairs: w.md}
		fill(m)
		feedback, err := c.ask(w.Context(), m)
		switch {
		case err != nil:
		case feedback.Error != "":
			err = errors.New(feedback.Error)
		case feedback.ReplaceResponse && !c.readOnly:
			err = changed(feedback)
		}
		if err != nil {
			w.refused.Store(true)
			return err
		}
	}
	return nil
}

// message shows a message and gives the one that goes on.
func (w *watched) message(m proto.Message, response bool) (proto.Message, error) {
	return m, w.show(func(out *lnrpc.RPCMiddlewareRequest) {
		raw, _ := proto.Marshal(m) // a message that came or goes over the wire can be
		shown := &lnrpc.RPCMessage{
			MethodFullUri: w.call.Method, StreamRpc: w.call.Stream, TypeName: string(proto.MessageName(m)), Serialized: raw,
		}
		if response {
			out.InterceptType = &lnrpc.RPCMiddlewareRequest_Response{Response: shown}
		} else {
			out.InterceptType = &lnrpc.RPCMiddlewareRequest_Request{Request: shown}
		}
	}, func(f *lnrpc.InterceptFeedback) error { return replace(m, f.ReplacementSerialized) })
}

// replace reads a replacement into a message of the same type, all or nothing.
func replace(m proto.Message, raw []byte) error {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(proto.MessageName(m)))
	if err != nil {
		return err
	}
	other := kind.New().Interface()
	if err := proto.Unmarshal(raw, other); err != nil {
		return fmt.Errorf("replacement of %s: %w", proto.MessageName(m), err)
	}
	proto.Reset(m)
	proto.Merge(m, other)
	return nil
}

// RecvMsg implements grpc.ServerStream.
func (w *watched) RecvMsg(m any) error {
	if err := w.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if msg, ok := m.(proto.Message); ok {
		_, err := w.message(msg, false)
		return err
	}
	return nil
}

// SendMsg implements grpc.ServerStream. What is shown, and may be changed, is a copy: the service may send its message
// to others, too.
func (w *watched) SendMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return w.ServerStream.SendMsg(m)
	}
	msg, err := w.message(proto.Clone(msg), true)
	if err != nil {
		return err
	}
	return w.ServerStream.SendMsg(msg)
}

// End shows how a call has ended, if it was with an error that no middleware has made, and gives the error that the
// caller is told.
func End(stream grpc.ServerStream, end error) error {
	w, ok := stream.(*watched)
	if !ok || end == nil || w.refused.Load() || errors.Is(end, context.Canceled) {
		return end
	}
	err := w.show(func(m *lnrpc.RPCMiddlewareRequest) {
		m.InterceptType = &lnrpc.RPCMiddlewareRequest_Response{Response: &lnrpc.RPCMessage{
			MethodFullUri: w.call.Method, StreamRpc: w.call.Stream, TypeName: errorType, Serialized: []byte(end.Error()), IsError: true,
		}}
	}, func(f *lnrpc.InterceptFeedback) error { end = errors.New(string(f.ReplacementSerialized)); return nil })
	if err != nil {
		return err
	}
	return end
}
