// Package lightning is the service Lightning: the daily work of a node in the words
// of lnrpc.
//
// It owns the translation of its requests and answers, the order of events in its
// streams, and the pages of its lists. It must never know a business rule, nor where
// anything is stored: it asks a Node.
//
//	err := server.Provide(&lnrpc.Lightning_ServiceDesc, lightning.New(node, lightning.Config{
//		Version: "0.21.0-beta", Stop: stop,
//	}))
package lightning
