package rpc

import (
	"maps"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// reflectionNeeds are the rights of whoever asks for the description of the interface.
var reflectionNeeds = rights("info:read")

// needs says which rights a method needs; false: nobody has them.
func needs(method string) ([]macaroons.Op, bool) {
	if method == reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName {
		return reflectionNeeds, true
	}
	ops, ok := permissions[method]
	return ops, ok
}

// register makes a service known to gRPC, to be provided later.
func (s *Server) register(desc *grpc.ServiceDesc) {
	l := &late{name: desc.ServiceName, gate: s.admit, enter: s.enter, watch: s.watch, log: s.cfg.Log, life: s.life, calls: &s.calls}
	s.late[l.name] = l
	s.grpc.RegisterService(l.describe(desc), nil)
}

// describeItself serves gRPC's description of the services that there are. It goes through the same gate as all others.
func (s *Server) describeItself() error {
	desc := &reflectionv1.ServerReflection_ServiceDesc
	s.register(desc)
	return s.Provide(desc, reflection.NewServerV1(reflection.ServerOptions{Services: provided{s}}))
}

// provided lists the services that have an implementation.
type provided struct{ *Server }

// GetServiceInfo implements reflection.ServiceInfoProvider.
func (p provided) GetServiceInfo() map[string]grpc.ServiceInfo {
	list := p.grpc.GetServiceInfo()
	maps.DeleteFunc(list, func(name string, _ grpc.ServiceInfo) bool { return p.late[name].impl.Load() == nil })
	return list
}
