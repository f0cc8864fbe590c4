package rpc

import (
	"maps"
	"slices"
	"strings"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// unguarded lists the services that need no macaroon: one must answer before there can be any, the other tells no secret.
var unguarded = map[string]bool{
	lnrpc.State_ServiceDesc.ServiceName:          true,
	lnrpc.WalletUnlocker_ServiceDesc.ServiceName: true,
}

// permissions says which rights each method needs, all of them: the same as in lnd, so that a macaroon baked for a
// purpose there serves it here. A method that is not listed is refused to everybody.
var permissions = map[string][]macaroons.Op{
	"/lnrpc.Lightning/GetInfo":                 rights("info:read"),
	"/lnrpc.Lightning/StopDaemon":              rights("info:write"),
	"/lnrpc.Lightning/DebugLevel":              rights("info:write"),
	"/lnrpc.Lightning/GetDebugInfo":            rights("info:read", "offchain:read", "onchain:read", "peers:read"),
	"/lnrpc.Lightning/SignMessage":             rights("message:write"),
	"/lnrpc.Lightning/VerifyMessage":           rights("message:read"),
	"/lnrpc.Lightning/NewAddress":              rights("address:write"),
	"/lnrpc.Lightning/WalletBalance":           rights("onchain:read"),
	"/lnrpc.Lightning/ListUnspent":             rights("onchain:read"),
	"/lnrpc.Lightning/EstimateFee":             rights("onchain:read"),
	"/lnrpc.Lightning/SendCoins":               rights("onchain:write"),
	"/lnrpc.Lightning/SendMany":                rights("onchain:write"),
	"/lnrpc.Lightning/GetTransactions":         rights("onchain:read"),
	"/lnrpc.Lightning/SubscribeTransactions":   rights("onchain:read"),
	"/lnrpc.Lightning/ConnectPeer":             rights("peers:write"),
	"/lnrpc.Lightning/DisconnectPeer":          rights("peers:write"),
	"/lnrpc.Lightning/ListPeers":               rights("peers:read"),
	"/lnrpc.Lightning/SubscribePeerEvents":     rights("peers:read"),
	"/lnrpc.Lightning/SendCustomMessage":       rights("offchain:write"),
	"/lnrpc.Lightning/SubscribeCustomMessages": rights("offchain:read"),
	"/lnrpc.Lightning/SendOnionMessage":        rights("offchain:write"),
	"/lnrpc.Lightning/SubscribeOnionMessages":  rights("offchain:read"),
	"/lnrpc.Lightning/OpenChannel":             rights("onchain:write", "offchain:write"),
	"/lnrpc.Lightning/OpenChannelSync":         rights("onchain:write", "offchain:write"),
	"/lnrpc.Lightning/BatchOpenChannel":        rights("onchain:write", "offchain:write"),
	"/lnrpc.Lightning/FundingStateStep":        rights("onchain:write", "offchain:write"),
	"/lnrpc.Lightning/ChannelAcceptor":         rights("onchain:write", "offchain:write"),
	"/lnrpc.Lightning/AbandonChannel":          rights("offchain:write"),
	"/lnrpc.Lightning/ListChannels":            rights("offchain:read"),
	"/lnrpc.Lightning/PendingChannels":         rights("offchain:read"),
	"/lnrpc.Lightning/ClosedChannels":          rights("offchain:read"),
	"/lnrpc.Lightning/CloseChannel":            rights("onchain:write", "offchain:write"),
	"/lnrpc.Lightning/ChannelBalance":          rights("offchain:read"),
	"/lnrpc.Lightning/SubscribeChannelEvents":  rights("offchain:read"),
	"/lnrpc.Lightning/ExportChannelBackup":     rights("offchain:read"),
	"/lnrpc.Lightning/ExportAllChannelBackups": rights("offchain:read"),
	"/lnrpc.Lightning/VerifyChanBackup":        rights("offchain:read"),
	"/lnrpc.Lightning/RestoreChannelBackups":   rights("offchain:write"),
	"/lnrpc.Lightning/SubscribeChannelBackups": rights("offchain:read"),
	"/lnrpc.Lightning/AddInvoice":              rights("invoices:write"),
	"/lnrpc.Lightning/LookupInvoice":           rights("invoices:read"),
	"/lnrpc.Lightning/ListInvoices":            rights("invoices:read"),
	"/lnrpc.Lightning/SubscribeInvoices":       rights("invoices:read"),
	"/lnrpc.Lightning/DecodePayReq":            rights("offchain:read"),
	"/lnrpc.Lightning/DeleteCanceledInvoice":   rights("invoices:write"),
	"/lnrpc.Lightning/ListAliases":             rights("offchain:read"),
	"/lnrpc.Lightning/LookupHtlcResolution":    rights("offchain:read"),
	"/lnrpc.Lightning/GetNodeMetrics":          rights("info:read"),
	"/lnrpc.Lightning/ListPayments":            rights("offchain:read"),
	"/lnrpc.Lightning/DeletePayment":           rights("offchain:write"),
	"/lnrpc.Lightning/DeleteAllPayments":       rights("offchain:write"),
	"/lnrpc.Lightning/QueryRoutes":             rights("info:read"),
	"/lnrpc.Lightning/FeeReport":               rights("offchain:read"),
	"/lnrpc.Lightning/UpdateChannelPolicy":     rights("offchain:write"),
	"/lnrpc.Lightning/ForwardingHistory":       rights("offchain:read"),
	"/lnrpc.Lightning/DescribeGraph":           rights("info:read"),
	"/lnrpc.Lightning/GetChanInfo":             rights("info:read"),
	"/lnrpc.Lightning/GetNodeInfo":             rights("info:read"),
	"/lnrpc.Lightning/GetNetworkInfo":          rights("info:read"),
	"/lnrpc.Lightning/SubscribeChannelGraph":   rights("info:read"),

	"/lnrpc.Lightning/GetRecoveryInfo":          rights("info:read"),
	"/lnrpc.Lightning/BakeMacaroon":             rights("macaroon:generate"),
	"/lnrpc.Lightning/ListMacaroonIDs":          rights("macaroon:read"),
	"/lnrpc.Lightning/DeleteMacaroonID":         rights("macaroon:write"),
	"/lnrpc.Lightning/ListPermissions":          rights("info:read"),
	"/lnrpc.Lightning/CheckMacaroonPermissions": rights("macaroon:read"),
	"/lnrpc.Lightning/RegisterRPCMiddleware":    rights("macaroon:write"),

	"/routerrpc.Router/SendPaymentV2":           rights("offchain:write"),
	"/routerrpc.Router/TrackPaymentV2":          rights("offchain:read"),
	"/routerrpc.Router/TrackPayments":           rights("offchain:read"),
	"/routerrpc.Router/SendToRouteV2":           rights("offchain:write"),
	"/routerrpc.Router/SubscribeHtlcEvents":     rights("offchain:read"),
	"/routerrpc.Router/HtlcInterceptor":         rights("offchain:write"),
	"/routerrpc.Router/EstimateRouteFee":        rights("offchain:read"),
	"/routerrpc.Router/QueryMissionControl":     rights("offchain:read"),
	"/routerrpc.Router/ResetMissionControl":     rights("offchain:write"),
	"/routerrpc.Router/DeleteForwardingHistory": rights("offchain:write"),
	"/routerrpc.Router/XAddLocalChanAliases":    rights("offchain:write"),
	"/routerrpc.Router/XDeleteLocalChanAliases": rights("offchain:write"),
	"/routerrpc.Router/XFindBaseLocalChanAlias": rights("offchain:read"),
	"/routerrpc.Router/XImportMissionControl":   rights("offchain:write"),
	"/routerrpc.Router/GetMissionControlConfig": rights("offchain:read"),
	"/routerrpc.Router/SetMissionControlConfig": rights("offchain:write"),
	"/routerrpc.Router/QueryProbability":        rights("offchain:read"),
	"/routerrpc.Router/BuildRoute":              rights("offchain:read"),
	"/routerrpc.Router/UpdateChanStatus":        rights("offchain:write"),

	"/invoicesrpc.Invoices/AddHoldInvoice":         rights("invoices:write"),
	"/invoicesrpc.Invoices/SettleInvoice":          rights("invoices:write"),
	"/invoicesrpc.Invoices/CancelInvoice":          rights("invoices:write"),
	"/invoicesrpc.Invoices/SubscribeSingleInvoice": rights("invoices:read"),
	"/invoicesrpc.Invoices/LookupInvoiceV2":        rights("invoices:write"),
	"/invoicesrpc.Invoices/HtlcModifier":           rights("invoices:write"),

	"/walletrpc.WalletKit/ListUnspent":           rights("onchain:read"),
	"/walletrpc.WalletKit/NextAddr":              rights("address:read"),
	"/walletrpc.WalletKit/EstimateFee":           rights("onchain:read"),
	"/walletrpc.WalletKit/PendingSweeps":         rights("onchain:read"),
	"/walletrpc.WalletKit/ListSweeps":            rights("onchain:read"),
	"/walletrpc.WalletKit/BumpFee":               rights("onchain:write"),
	"/walletrpc.WalletKit/BumpForceCloseFee":     rights("onchain:write"),
	"/walletrpc.WalletKit/DeriveNextKey":         rights("address:read"),
	"/walletrpc.WalletKit/DeriveKey":             rights("address:read"),
	"/walletrpc.WalletKit/GetTransaction":        rights("onchain:read"),
	"/walletrpc.WalletKit/PublishTransaction":    rights("onchain:write"),
	"/walletrpc.WalletKit/SendOutputs":           rights("onchain:write"),
	"/walletrpc.WalletKit/LabelTransaction":      rights("onchain:write"),
	"/walletrpc.WalletKit/LeaseOutput":           rights("onchain:write"),
	"/walletrpc.WalletKit/ReleaseOutput":         rights("onchain:write"),
	"/walletrpc.WalletKit/ListLeases":            rights("onchain:read"),
	"/walletrpc.WalletKit/ListAddresses":         rights("onchain:read"),
	"/walletrpc.WalletKit/SignMessageWithAddr":   rights("onchain:write"),
	"/walletrpc.WalletKit/VerifyMessageWithAddr": rights("onchain:write"),
	"/walletrpc.WalletKit/FundPsbt":              rights("onchain:write"),
	"/walletrpc.WalletKit/SignPsbt":              rights("onchain:write"),
	"/walletrpc.WalletKit/FinalizePsbt":          rights("onchain:write"),
	"/walletrpc.WalletKit/ListAccounts":          rights("onchain:read"),
	"/walletrpc.WalletKit/XCreateAccount":        rights("onchain:write"),
	"/walletrpc.WalletKit/RequiredReserve":       rights("onchain:read"),
	"/walletrpc.WalletKit/ImportAccount":         rights("onchain:write"),
	"/walletrpc.WalletKit/ImportPublicKey":       rights("onchain:write"),
	"/walletrpc.WalletKit/ImportTapscript":       rights("onchain:write"),
	"/walletrpc.WalletKit/SubmitPackage":         rights("onchain:write"),
	"/walletrpc.WalletKit/RemoveTransaction":     rights("onchain:write"),

	"/fulgurrpc.Closing/Rescue":    rights("offchain:read", "onchain:read"),
	"/fulgurrpc.Closing/PlanClose": rights("offchain:read", "onchain:read"),

	"/chainrpc.ChainNotifier/RegisterConfirmationsNtfn": rights("onchain:read"),
	"/chainrpc.ChainNotifier/RegisterSpendNtfn":         rights("onchain:read"),
	"/chainrpc.ChainNotifier/RegisterBlockEpochNtfn":    rights("onchain:read"),
	"/chainrpc.ChainKit/GetBlock":                       rights("onchain:read"),
	"/chainrpc.ChainKit/GetBlockHeader":                 rights("onchain:read"),
	"/chainrpc.ChainKit/GetBestBlock":                   rights("onchain:read"),
	"/chainrpc.ChainKit/GetBlockHash":                   rights("onchain:read"),

	"/signrpc.Signer/SignOutputRaw":               rights("signer:generate"),
	"/signrpc.Signer/ComputeInputScript":          rights("signer:generate"),
	"/signrpc.Signer/SignMessage":                 rights("signer:generate"),
	"/signrpc.Signer/VerifyMessage":               rights("signer:read"),
	"/signrpc.Signer/DeriveSharedKey":             rights("signer:generate"),
	"/signrpc.Signer/MuSig2CombineKeys":           rights("signer:read"),
	"/signrpc.Signer/MuSig2CreateSession":         rights("signer:generate"),
	"/signrpc.Signer/MuSig2RegisterNonces":        rights("signer:generate"),
	"/signrpc.Signer/MuSig2RegisterCombinedNonce": rights("signer:generate"),
	"/signrpc.Signer/MuSig2GetCombinedNonce":      rights("signer:read"),
	"/signrpc.Signer/MuSig2Sign":                  rights("signer:generate"),
	"/signrpc.Signer/MuSig2CombineSig":            rights("signer:generate"),
	"/signrpc.Signer/MuSig2Cleanup":               rights("signer:generate"),
	"/fulgurrpc.Budgets/GetBudget":                rights("self:read"),
	"/fulgurrpc.Budgets/ListBudgets":              rights("macaroon:read"),

	"/peersrpc.Peers/UpdateNodeAnnouncement": rights("peers:write"),

	"/verrpc.Versioner/GetVersion": rights("info:read"),
}

// underBudget lists what a macaroon with a spending budget may do besides reading: what the budget is charged for, and
// what cannot cost anything. All else is refused to it, whatever its rights, also what is added to the table above
// later: a way to move money past the budget, or to get a macaroon without one, must not open by itself.
var underBudget = map[string]bool{
	"/routerrpc.Router/SendPaymentV2": true,
	"/routerrpc.Router/SendToRouteV2": true,
	"/lnrpc.Lightning/SendCoins":      true,
	"/lnrpc.Lightning/SendMany":       true,

	"/lnrpc.Lightning/NewAddress":                  true,
	"/lnrpc.Lightning/AddInvoice":                  true,
	"/lnrpc.Lightning/ConnectPeer":                 true,
	"/invoicesrpc.Invoices/AddHoldInvoice":         true,
	"/invoicesrpc.Invoices/SettleInvoice":          true,
	"/invoicesrpc.Invoices/CancelInvoice":          true,
	"/invoicesrpc.Invoices/SubscribeSingleInvoice": true,
	"/invoicesrpc.Invoices/LookupInvoiceV2":        true,
}

// allowedUnderBudget reports whether a macaroon with a spending budget may call a method.
func allowedUnderBudget(method string, needs []macaroons.Op) bool {
	return underBudget[method] || !slices.ContainsFunc(needs, func(op macaroons.Op) bool { return op.Action != "read" })
}

// Permissions returns which rights each method needs, for those who make macaroons.
func Permissions() map[string][]macaroons.Op { return maps.Clone(permissions) }

// rights reads entity:action pairs.
func rights(pairs ...string) []macaroons.Op {
	var ops []macaroons.Op
	for _, pair := range pairs {
		entity, action, _ := strings.Cut(pair, ":")
		ops = append(ops, macaroons.Op{Entity: entity, Action: action})
	}
	return ops
}
