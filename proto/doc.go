// Package proto is the interface that fulgur offers to wallets, tools and its own command line: .proto files, the REST
// path of every method, and the code generated from both.
//
// Package names, messages, fields, numbers and paths are those of lnd's lnrpc, so that what was written for lnd works
// unchanged; a service lists only the methods that fulgur implements, so that any other is answered as gRPC answers an
// unknown method. Comments are ours and say units, encodings and errors.
//
// It owns no behaviour and imports nothing of the house. After a change of a .proto file or of rest.yaml:
//
//	make proto
//
// The sub-packages are lnrpc (Lightning, State, WalletUnlocker), routerrpc, invoicesrpc, walletrpc, signrpc, chainrpc,
// peersrpc and verrpc; fulgurrpc is what lnd has no place for. fulgur.swagger.json describes the REST side of all of them.
package proto

import _ "embed"

// OpenAPI is fulgur.swagger.json.
//
//go:embed fulgur.swagger.json
var OpenAPI []byte
