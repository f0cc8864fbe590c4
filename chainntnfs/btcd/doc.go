// Package btcd is the chain backend that speaks to a btcd node: JSON-RPC over a
// websocket over TLS.
//
// It owns the connection (kept up for ever, with growing waits between tries),
// the translation between btcd's answers and chainntnfs's types, the check that
// btcd follows our network, and the judgement whether its tip is stale. While
// btcd is away every call fails at once with chainntnfs.ErrUnavailable. It must
// never know who asks, or keep anything that a restart would miss.
//
// btcd makes no fee estimates, so a FeeSource stands beside it. It deletes its
// regtest chain whenever it starts, which chainntnfs.Walker copes with.
//
//	cert, err := btcd.ReadCert("/home/me/.btcd/rpc.cert", "")
//	b, err := btcd.New(btcd.Config{
//		Host: "127.0.0.1:18556", User: "me", Pass: "secret", Cert: cert,
//		Params: &chaincfg.SimNetParams, Fees: chainntnfs.StaticFee(12_500),
//	})
//	err = b.Start(ctx) // wrong password, wrong network: an error now
//	defer b.Stop()
package btcd
