// Package invoicesrpc is generated from the service Invoices: hold invoices and the life of one invoice. It must never
// know when an invoice may be settled.
//
//	_, err := invoicesrpc.NewInvoicesClient(conn).SettleInvoice(ctx, &invoicesrpc.SettleInvoiceMsg{Preimage: preimage})
package invoicesrpc
