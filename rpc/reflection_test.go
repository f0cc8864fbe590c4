package rpc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// described asks for the description of the interface.
func (n *node) described(macaroon []byte, ask *reflectionv1.ServerReflectionRequest) (*reflectionv1.ServerReflectionResponse, error) {
	stream, err := reflectionv1.NewServerReflectionClient(n.dial(macaroon)).ServerReflectionInfo(n.t.Context())
	require.NoError(n.t, err)
	_ = stream.Send(ask) // whoever is refused may be told before; Recv says why
	_ = stream.CloseSend()
	return stream.Recv()
}

// TestReflection: the interface is described to those who may read info, when it is wanted, and what is not there is not.
func TestReflection(t *testing.T) {
	list := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	plain := start(t, &lightning{})
	_, err := plain.described(plain.admin(), list)
	requireStatus(t, err, uint32(codes.Unimplemented), "unknown service grpc.reflection.v1.ServerReflection")

	n := start(t, &lightning{}, func(c *Config) { c.Reflection = true })
	_, err = n.described(nil, list)
	requireStatus(t, err, uint32(codes.Unknown), "expected 1 macaroon, got 0")
	_, err = n.described(n.bake([]macaroons.Op{{Entity: "invoices", Action: "read"}}), list)
	requireStatus(t, err, uint32(codes.Unknown), "permission denied")
	reader := n.bake([]macaroons.Op{{Entity: "info", Action: "read"}})
	answer, err := n.described(reader, list)
	require.NoError(t, err)
	var names []string
	for _, s := range answer.GetListServicesResponse().Service {
		names = append(names, s.Name)
	}
	require.ElementsMatch(t, []string{
		"grpc.reflection.v1.ServerReflection", "invoicesrpc.Invoices", "lnrpc.Lightning", "lnrpc.State", "lnrpc.WalletUnlocker", "routerrpc.Router",
	}, names)

	answer, err = n.described(reader, &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "routerrpc.Router"},
	})
	require.NoError(t, err)
	found := false
	for _, raw := range answer.GetFileDescriptorResponse().FileDescriptorProto {
		var f descriptorpb.FileDescriptorProto
		require.NoError(t, proto.Unmarshal(raw, &f))
		found = found || strings.HasSuffix(f.GetName(), "router.proto") && f.Service[0].GetName() == "Router"
	}
	require.True(t, found)
}
