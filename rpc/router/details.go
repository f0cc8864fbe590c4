package router

import (
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

var failureDetails = map[htlc.Detail]routerrpc.FailureDetail{
	htlc.NoDetail:            routerrpc.FailureDetail_NO_DETAIL,
	htlc.LinkNotEligible:     routerrpc.FailureDetail_LINK_NOT_ELIGIBLE,
	htlc.ExceedsMax:          routerrpc.FailureDetail_HTLC_EXCEEDS_MAX,
	htlc.InsufficientBalance: routerrpc.FailureDetail_INSUFFICIENT_BALANCE,
	htlc.AddFailed:           routerrpc.FailureDetail_HTLC_ADD_FAILED,
	htlc.ForwardsDisabled:    routerrpc.FailureDetail_FORWARDS_DISABLED,
	htlc.InvoiceCanceled:     routerrpc.FailureDetail_INVOICE_CANCELED,
	htlc.InvoiceUnderpaid:    routerrpc.FailureDetail_INVOICE_UNDERPAID,
	htlc.InvoiceExpirySoon:   routerrpc.FailureDetail_INVOICE_EXPIRY_TOO_SOON,
	htlc.InvoiceNotOpen:      routerrpc.FailureDetail_INVOICE_NOT_OPEN,
	htlc.SetTimeout:          routerrpc.FailureDetail_MPP_INVOICE_TIMEOUT,
	htlc.WrongAddress:        routerrpc.FailureDetail_ADDRESS_MISMATCH,
	htlc.SetTotalMismatch:    routerrpc.FailureDetail_SET_TOTAL_MISMATCH,
	htlc.SetTotalTooLow:      routerrpc.FailureDetail_SET_TOTAL_TOO_LOW,
	htlc.SetOverpaid:         routerrpc.FailureDetail_SET_OVERPAID,
	htlc.UnknownInvoice:      routerrpc.FailureDetail_UNKNOWN_INVOICE,
	htlc.InvalidKeysend:      routerrpc.FailureDetail_INVALID_KEYSEND,
	htlc.ModifierRefused:     routerrpc.FailureDetail_EXTERNAL_VALIDATION_FAILED,
}

func failureDetail(d htlc.Detail) routerrpc.FailureDetail { return failureDetails[d] }
