// Package tlscert keeps the certificate with which the node's interface proves itself: it makes one when there is none,
// serves it, and renews it before it runs out.
//
// The certificate is self-signed, on P-256, for a leaf (CA:FALSE): whoever gets its key can speak for this node, not
// for others. Clients pin it as their only root, as they do with lnd's. A certificate that the user brought is served
// as it is and never replaced.
//
// It must never know which services are behind the connection.
//
//	keeper, err := tlscert.Open(tlscert.Config{CertPath: "tls.cert", KeyPath: "tls.key"})
//	listener := tls.NewListener(tcp, keeper.TLS("h2"))
package tlscert
