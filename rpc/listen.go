package rpc

import (
	"fmt"
	"net"
	"net/netip"
)

// listen opens all addresses, or none.
func listen(addrs []string) ([]net.Listener, error) {
	var open []net.Listener
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// safe refuses to do without macaroons on addresses that can be reached from elsewhere.
func (s *Server) safe(listeners []net.Listener) error {
	if !s.cfg.NoMacaroons {
		return nil
	}
	for _, l := range listeners {
		addr, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil || !addr.Addr().Unmap().IsLoopback() && !addr.Addr().Unmap().IsPrivate() {
			return fmt.Errorf("detected RPC server listening on publicly reachable interface %v with authentication disabled! "+
				"Refusing to start with --no-macaroons specified", l.Addr())
		}
	}
	return nil
}
