// Package signrpc is generated from the service Signer: signatures, shared keys and MuSig2 with the keys of the wallet.
// It must never know what the signatures are for.
//
//	sig, err := signrpc.NewSignerClient(conn).SignMessage(ctx, &signrpc.SignMessageReq{Msg: msg, KeyLoc: loc})
package signrpc
