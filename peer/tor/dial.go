package tor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/proxy"
)

// Proxy is a Tor daemon's SOCKS5 port.
type Proxy struct {
	SOCKS   string // host:port
	Isolate bool   // each connection gets a circuit of its own
	Direct  bool   // what is no onion service is dialled past Tor: quicker, and it sees our IP address
}

// Dial reaches host:port over TCP; it is a peer.Dialer. A name is resolved by the
// proxy, so that nobody hears the question.
func (p Proxy) Dial(ctx context.Context, address string) (net.Conn, error) {
	var direct net.Dialer
	if p.Direct && !IsOnion(address) {
		return direct.DialContext(ctx, "tcp", address)
	}
	socks, err := proxy.SOCKS5("tcp", p.SOCKS, p.credentials(), &direct)
	if err != nil {
		return nil, fmt.Errorf("tor: %w", err)
	}
	conn, err := socks.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("tor: %w", err)
	}
	return conn, nil
}

// credentials are what Tor takes for the name of a circuit: streams with different
// ones never share it.
func (p Proxy) credentials() *proxy.Auth {
	if !p.Isolate {
		return nil
	}
	return &proxy.Auth{User: rand.Text(), Password: rand.Text()}
}

// Resolver asks the DNS server, host:port over TCP, through the proxy.
func (p Proxy) Resolver(server string) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return p.Dial(ctx, server)
		},
	}
}

// IsOnion reports an address, host:port or a host alone, of an onion service.
func IsOnion(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	return strings.HasSuffix(strings.ToLower(host), ".onion")
}

// NoOnion is a plain dialer that says what is missing when it is asked for an onion
// service; it is a peer.Dialer.
func NoOnion(ctx context.Context, address string) (net.Conn, error) {
	if IsOnion(address) {
		return nil, fmt.Errorf("%s is an onion service: it needs Tor (--tor.active)", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}
