// Package translate says what the node says in the words of lnrpc, and reads what
// callers say: amounts in both units, hashes and keys in hex and bytes, outpoints,
// features, invoices, payments, routes.
//
// It owns forms and their mistakes: every error names the field and is
// InvalidArgument. It must never know a business rule, nor ask the node for anything.
//
//	hash, err := translate.Hash("payment_hash", req.PaymentHash)
//	...
//	return translate.Payment(progress, index), nil
package translate
