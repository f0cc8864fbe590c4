// Package tor reaches peers through Tor and lets them reach us: a dialer over a
// SOCKS5 proxy, a resolver whose questions go the same way, and an onion service
// that a Tor daemon offers for us.
//
// It owns what may be told to whom: with Tor on, neither an address nor a name
// reaches the system's network past the proxy, unless the operator said so.
//
// It must never know what is said on a connection, nor who the peers are.
//
//	dial := tor.Proxy{SOCKS: "127.0.0.1:9050", Isolate: true}.Dial // a peer.Dialer
//	service, err := tor.Open(ctx, tor.ServiceConfig{Control: "127.0.0.1:9051", ...})
//	announce(service.Address())
//	defer service.Close()
package tor
