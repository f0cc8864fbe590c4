package command

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fulgur-ln/fulgur/cmd/internal/build"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/fulgurrpc"
	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/peersrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/verrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files of testdata anew")

const (
	key1 = "02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	key2 = "03bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	hash = "00000000000000000000000000000000000000000000000000000000000000ff"
	scid = 110<<40 | 2<<16 | 1
)

// wireHash is hash in the order of the wire.
func wireHash() []byte {
	b := make([]byte, 32)
	b[0] = 0xff
	return b
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestMain fixes the zone in which times are shown.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Setenv("TZ", "UTC")
	os.Exit(m.Run())
}

var route = &lnrpc.Route{TotalTimeLock: 200, TotalAmtMsat: 1_500_250, TotalFeesMsat: 250, Hops: []*lnrpc.Hop{
	{ChanId: scid, PubKey: key1, AmtToForwardMsat: 1_500_000, FeeMsat: 250, Expiry: 190},
	{ChanId: scid + 1, PubKey: key2, AmtToForwardMsat: 1_500_000, Expiry: 190},
}}

// conversations are commands with an answer; each is printed as a table and as JSON.
var conversations = []struct {
	name    string
	args    []string
	method  string
	answers []proto.Message
	want    proto.Message // what the daemon must have been asked
}{{
	"getinfo", []string{"getinfo"}, lnrpc.Lightning_GetInfo_FullMethodName,
	[]proto.Message{&lnrpc.GetInfoResponse{
		IdentityPubkey: key1, Alias: "alice\x1b[2J", Version: "0.21.0-beta", BlockHeight: 123456, BlockHash: hash, NumPeers: 3, NumActiveChannels: 2,
		SyncedToChain: true, Chains: []*lnrpc.Chain{{Chain: "bitcoin", Network: "regtest"}}, Uris: []string{key1 + "@127.0.0.1:9735"},
		Features: map[uint32]*lnrpc.Feature{9: {Name: "tlv-onion", IsKnown: true}, 10: {}, 0: {IsRequired: true}},
	}},
	&lnrpc.GetInfoRequest{},
}, {
	"version", []string{"version"}, verrpc.Versioner_GetVersion_FullMethodName,
	[]proto.Message{&verrpc.Version{Version: "0.21.0-beta", GoVersion: "go1.26.8"}}, &verrpc.VersionRequest{},
}, {
	"state", []string{"state"}, lnrpc.State_GetState_FullMethodName,
	[]proto.Message{&lnrpc.GetStateResponse{State: lnrpc.WalletState_LOCKED}}, &lnrpc.GetStateRequest{},
}, {
	"getrecoveryinfo", []string{"getrecoveryinfo"}, lnrpc.Lightning_GetRecoveryInfo_FullMethodName,
	[]proto.Message{&lnrpc.GetRecoveryInfoResponse{RecoveryMode: true, Progress: 0.25}}, &lnrpc.GetRecoveryInfoRequest{},
}, {
	"bakemacaroon", []string{"bakemacaroon", "--root_key_id=5", "--allow_external_permissions", "--ip_address=10.0.0.1", "--ip_range=10.1.2.3/8",
		"--custom_caveat_name=count", "--custom_caveat_condition=3", "info:read", "uri:/lnrpc.Lightning/GetInfo"},
	lnrpc.Lightning_BakeMacaroon_FullMethodName, []proto.Message{&lnrpc.BakeMacaroonResponse{Macaroon: bareMacaroon}},
	&lnrpc.BakeMacaroonRequest{RootKeyId: 5, AllowExternalPermissions: true, Permissions: []*lnrpc.MacaroonPermission{
		{Entity: "info", Action: "read"}, {Entity: "uri", Action: "/lnrpc.Lightning/GetInfo"},
	}},
}, {
	"listmacaroonids", []string{"listmacaroonids"}, lnrpc.Lightning_ListMacaroonIDs_FullMethodName,
	[]proto.Message{&lnrpc.ListMacaroonIDsResponse{RootKeyIds: []uint64{0, 5}}}, &lnrpc.ListMacaroonIDsRequest{},
}, {
	"deletemacaroonid", []string{"deletemacaroonid", "5"}, lnrpc.Lightning_DeleteMacaroonID_FullMethodName,
	[]proto.Message{&lnrpc.DeleteMacaroonIDResponse{Deleted: true}}, &lnrpc.DeleteMacaroonIDRequest{RootKeyId: 5},
}, {
	"listpermissions", []string{"listpermissions"}, lnrpc.Lightning_ListPermissions_FullMethodName,
	[]proto.Message{&lnrpc.ListPermissionsResponse{MethodPermissions: map[string]*lnrpc.MacaroonPermissionList{
		"/lnrpc.Lightning/OpenChannel": {Permissions: []*lnrpc.MacaroonPermission{{Entity: "onchain", Action: "write"}, {Entity: "offchain", Action: "write"}}},
		"/lnrpc.Lightning/GetInfo":     {Permissions: []*lnrpc.MacaroonPermission{{Entity: "info", Action: "read"}}},
	}}}, &lnrpc.ListPermissionsRequest{},
}, {
	"getbudget", []string{"getbudget"}, fulgurrpc.Budgets_GetBudget_FullMethodName,
	[]proto.Message{&fulgurrpc.GetBudgetResponse{
		Budgets: []*fulgurrpc.Budget{{Id: wireHash(), Name: "kiosk", TotalSat: proto.Uint64(50_000), SpentMsat: 20_500, LeftMsat: 49_979_500}}, LeftMsat: proto.Uint64(49_979_500),
	}}, &fulgurrpc.GetBudgetRequest{},
}, {
	"listbudgets", []string{"listbudgets"}, fulgurrpc.Budgets_ListBudgets_FullMethodName,
	[]proto.Message{&fulgurrpc.ListBudgetsResponse{Budgets: []*fulgurrpc.Budget{
		{Id: wireHash(), DaySat: proto.Uint64(1_000), SpentMsat: 1_000_000},
	}}}, &fulgurrpc.ListBudgetsRequest{MaxBudgets: 1000},
}, {
	"signmessage", []string{"signmessage", "hello"}, lnrpc.Lightning_SignMessage_FullMethodName,
	[]proto.Message{&lnrpc.SignMessageResponse{Signature: "rb8m"}}, &lnrpc.SignMessageRequest{Msg: []byte("hello")},
}, {
	"verifymessage", []string{"verifymessage", "hello", "rb8m"}, lnrpc.Lightning_VerifyMessage_FullMethodName,
	[]proto.Message{&lnrpc.VerifyMessageResponse{Valid: true, Pubkey: key1}}, &lnrpc.VerifyMessageRequest{Msg: []byte("hello"), Signature: "rb8m"},
}, {
	"newaddress", []string{"newaddress", "p2tr", "--unused"}, lnrpc.Lightning_NewAddress_FullMethodName,
	[]proto.Message{&lnrpc.NewAddressResponse{Address: "bcrt1p"}}, &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_UNUSED_TAPROOT_PUBKEY},
}, {
	"walletbalance", []string{"walletbalance"}, lnrpc.Lightning_WalletBalance_FullMethodName,
	[]proto.Message{&lnrpc.WalletBalanceResponse{
		TotalBalance: 1_500_000, ConfirmedBalance: 1_000_000, UnconfirmedBalance: 500_000, ReservedBalanceAnchorChan: 10_000,
		AccountBalance: map[string]*lnrpc.WalletAccountBalance{"default": {ConfirmedBalance: 1_000_000}},
	}}, &lnrpc.WalletBalanceRequest{},
}, {
	"updatechanstatus", []string{"updatechanstatus", hash + ":1", "disable"}, routerrpc.Router_UpdateChanStatus_FullMethodName,
	[]proto.Message{&routerrpc.UpdateChanStatusResponse{}},
	&routerrpc.UpdateChanStatusRequest{ChanPoint: &lnrpc.ChannelPoint{FundingTxid: &lnrpc.ChannelPoint_FundingTxidStr{FundingTxidStr: hash}, OutputIndex: 1}, Action: routerrpc.ChanStatusAction_DISABLE},
}, {
	"listaliases", []string{"listaliases"}, lnrpc.Lightning_ListAliases_FullMethodName,
	[]proto.Message{&lnrpc.ListAliasesResponse{AliasMaps: []*lnrpc.AliasMap{{BaseScid: scid, Aliases: []uint64{scid + 7}}}}}, &lnrpc.ListAliasesRequest{},
}, {
	"updatenodeannouncement", []string{"peers", "updatenodeannouncement", "--alias=bob", "--address_add=203.0.113.7", "--feature_bit_remove=17"}, peersrpc.Peers_UpdateNodeAnnouncement_FullMethodName,
	[]proto.Message{&peersrpc.NodeAnnouncementUpdateResponse{Ops: []*lnrpc.Op{{Entity: "alias", Actions: []string{"changed to bob"}}}}},
	&peersrpc.NodeAnnouncementUpdateRequest{Alias: "bob", AddressUpdates: []*peersrpc.UpdateAddressAction{{Address: "203.0.113.7"}},
		FeatureUpdates: []*peersrpc.UpdateFeatureAction{{Action: peersrpc.UpdateAction_REMOVE, FeatureBit: lnrpc.FeatureBit_MPP_OPT}}},
}, {
	"lookuphtlcresolution", []string{"lookuphtlcresolution", "110x2x1", "7"}, lnrpc.Lightning_LookupHtlcResolution_FullMethodName,
	[]proto.Message{&lnrpc.LookupHtlcResolutionResponse{Settled: true}}, &lnrpc.LookupHtlcResolutionRequest{ChanId: scid, HtlcIndex: 7},
}, {
	"getnodemetrics", []string{"getnodemetrics"}, lnrpc.Lightning_GetNodeMetrics_FullMethodName,
	[]proto.Message{&lnrpc.NodeMetricsResponse{BetweennessCentrality: map[string]*lnrpc.FloatMetric{key1: {Value: 2, NormalizedValue: 0.5}, key2: {Value: 4, NormalizedValue: 1}}}},
	&lnrpc.NodeMetricsRequest{Types: []lnrpc.NodeMetricType{lnrpc.NodeMetricType_BETWEENNESS_CENTRALITY}},
}, {
	"deletecanceledinvoice", []string{"deletecanceledinvoice", hash}, lnrpc.Lightning_DeleteCanceledInvoice_FullMethodName,
	[]proto.Message{&lnrpc.DelCanceledInvoiceResp{Status: "gone"}}, &lnrpc.DelCanceledInvoiceReq{InvoiceHash: hash},
}, {
	"querymc", []string{"querymc"}, routerrpc.Router_QueryMissionControl_FullMethodName,
	[]proto.Message{&routerrpc.QueryMissionControlResponse{Pairs: []*routerrpc.PairHistory{{NodeFrom: unhex(key1), NodeTo: unhex(key2),
		History: &routerrpc.PairData{SuccessTime: 1_700_000_000, SuccessAmtMsat: 1_500_000, SuccessAmtSat: 1500}}}}}, &routerrpc.QueryMissionControlRequest{},
}, {
	"resetmc", []string{"resetmc"}, routerrpc.Router_ResetMissionControl_FullMethodName,
	[]proto.Message{&routerrpc.ResetMissionControlResponse{}}, &routerrpc.ResetMissionControlRequest{},
}, {
	"queryprob", []string{"queryprob", key1, key2, "1500"}, routerrpc.Router_QueryProbability_FullMethodName,
	[]proto.Message{&routerrpc.QueryProbabilityResponse{Probability: 0.6, History: &routerrpc.PairData{}}},
	&routerrpc.QueryProbabilityRequest{FromNode: unhex(key1), ToNode: unhex(key2), AmtMsat: 1_500_000},
}, {
	"importmc", []string{"importmc", "--failure", "--force", key1, key2, "1700000000", "1500"}, routerrpc.Router_XImportMissionControl_FullMethodName,
	[]proto.Message{&routerrpc.XImportMissionControlResponse{}},
	&routerrpc.XImportMissionControlRequest{Force: true, Pairs: []*routerrpc.PairHistory{{NodeFrom: unhex(key1), NodeTo: unhex(key2),
		History: &routerrpc.PairData{FailTime: 1_700_000_000, FailAmtMsat: 1500}}}},
}, {
	"getmccfg", []string{"getmccfg"}, routerrpc.Router_GetMissionControlConfig_FullMethodName,
	[]proto.Message{&routerrpc.GetMissionControlConfigResponse{Config: &routerrpc.MissionControlConfig{MaximumPaymentResults: 16384, MinimumFailureRelaxInterval: 60,
		EstimatorConfig: &routerrpc.MissionControlConfig_Apriori{Apriori: &routerrpc.AprioriParameters{HalfLifeSeconds: 3600, HopProbability: 0.6, Weight: 1, CapacityFraction: 0.9999}}}}},
	&routerrpc.GetMissionControlConfigRequest{},
}, {
	"buildroute", []string{"buildroute", "--amt=1500", "--hops=" + key1 + "," + key2, "--outgoing_chan_id=110x2x1", "--payment_addr=" + hash}, routerrpc.Router_BuildRoute_FullMethodName,
	[]proto.Message{&routerrpc.BuildRouteResponse{Route: route}},
	&routerrpc.BuildRouteRequest{AmtMsat: 1_500_000, HopPubkeys: [][]byte{unhex(key1), unhex(key2)}, OutgoingChanId: scid, PaymentAddr: unhex(hash)},
}, {
	"estimateroutefee", []string{"estimateroutefee", "--dest=" + key1, "--amt=1500", "--outgoing_chan_id=110x2x1"}, routerrpc.Router_EstimateRouteFee_FullMethodName,
	[]proto.Message{&routerrpc.RouteFeeResponse{RoutingFeeMsat: 1250, TimeLockDelay: 900}},
	&routerrpc.RouteFeeRequest{Dest: unhex(key1), AmtSat: 1500, OutgoingChanIds: []uint64{scid}},
}, {
	"sendcoins", []string{"sendcoins", "--sat_per_vbyte=2", "--min_confs=0", "--coin_selection_strategy=random", "--utxo=" + hash + ":1", "bcrt1q", "0.001btc"}, lnrpc.Lightning_SendCoins_FullMethodName,
	[]proto.Message{&lnrpc.SendCoinsResponse{Txid: hash}},
	&lnrpc.SendCoinsRequest{Addr: "bcrt1q", Amount: 100_000, SatPerVbyte: 2, SpendUnconfirmed: true, Outpoints: []*lnrpc.OutPoint{{TxidStr: hash, OutputIndex: 1}},
		CoinSelectionStrategy: lnrpc.CoinSelectionStrategy_STRATEGY_RANDOM},
}, {
	"sendmany", []string{"sendmany", `{"a": 5}`}, lnrpc.Lightning_SendMany_FullMethodName,
	[]proto.Message{&lnrpc.SendManyResponse{Txid: hash}}, &lnrpc.SendManyRequest{AddrToAmount: map[string]int64{"a": 5}},
}, {
	"estimatefee", []string{"estimatefee", "--conf_target=6", `{"a": 5}`}, lnrpc.Lightning_EstimateFee_FullMethodName,
	[]proto.Message{&lnrpc.EstimateFeeResponse{FeeSat: 1410, SatPerVbyte: 10}}, &lnrpc.EstimateFeeRequest{AddrToAmount: map[string]int64{"a": 5}, TargetConf: 6},
}, {
	"listchaintxns", []string{"listchaintxns"}, lnrpc.Lightning_GetTransactions_FullMethodName,
	[]proto.Message{&lnrpc.TransactionDetails{Transactions: []*lnrpc.Transaction{
		{TxHash: hash, Amount: -5000, TotalFees: 141}, {TxHash: hash, Amount: 1_000_000, BlockHeight: 110, NumConfirmations: 3, TimeStamp: 1_700_000_000, Label: "wages"},
	}}}, &lnrpc.GetTransactionsRequest{EndHeight: -1},
}, {
	"listunspent", []string{"listunspent", "1", "9"}, lnrpc.Lightning_ListUnspent_FullMethodName,
	[]proto.Message{&lnrpc.ListUnspentResponse{Utxos: []*lnrpc.Utxo{
		{AmountSat: 5, Address: "a", Outpoint: &lnrpc.OutPoint{TxidStr: hash}}, {AmountSat: 1000, Address: "b", Confirmations: 7},
	}}}, &lnrpc.ListUnspentRequest{MinConfs: 1, MaxConfs: 9},
}, {
	"psbt-fund", []string{"wallet", "psbt", "fund", "--sat_per_vbyte=3", "--change_type=p2tr", `--outputs={"a": 5}`, `--inputs=["` + hash + `:1"]`},
	walletrpc.WalletKit_FundPsbt_FullMethodName,
	[]proto.Message{&walletrpc.FundPsbtResponse{FundedPsbt: []byte{1, 2}, ChangeOutputIndex: 1, LockedUtxos: []*walletrpc.UtxoLease{
		{Id: wireHash(), Outpoint: &lnrpc.OutPoint{TxidStr: hash}, Value: 7, PkScript: []byte{0}, Expiration: 1_700_000_000},
	}}},
	&walletrpc.FundPsbtRequest{
		Template: &walletrpc.FundPsbtRequest_Raw{Raw: &walletrpc.TxTemplate{Outputs: map[string]uint64{"a": 5}, Inputs: []*lnrpc.OutPoint{{TxidStr: hash, OutputIndex: 1}}}},
		Fees:     &walletrpc.FundPsbtRequest_SatPerVbyte{SatPerVbyte: 3}, ChangeType: walletrpc.ChangeAddressType_CHANGE_ADDRESS_TYPE_P2TR,
	},
}, {
	"psbt-fundtemplate", []string{"wallet", "psbt", "fundtemplate", "--sat_per_kw=500", "--change_output_index=0", "--coin_selection_strategy=largest", "AQI="},
	walletrpc.WalletKit_FundPsbt_FullMethodName, []proto.Message{&walletrpc.FundPsbtResponse{FundedPsbt: []byte{1, 2}, ChangeOutputIndex: -1}},
	&walletrpc.FundPsbtRequest{
		Template: &walletrpc.FundPsbtRequest_CoinSelect{CoinSelect: &walletrpc.PsbtCoinSelect{
			Psbt: []byte{1, 2}, ChangeOutput: &walletrpc.PsbtCoinSelect_ExistingOutputIndex{},
		}},
		Fees: &walletrpc.FundPsbtRequest_SatPerKw{SatPerKw: 500}, CoinSelectionStrategy: lnrpc.CoinSelectionStrategy_STRATEGY_LARGEST,
	},
}, {
	"psbt-sign", []string{"wallet", "psbt", "sign", "AQI="}, walletrpc.WalletKit_SignPsbt_FullMethodName,
	[]proto.Message{&walletrpc.SignPsbtResponse{SignedPsbt: []byte{1, 2}, SignedInputs: []uint32{0, 2}}}, &walletrpc.SignPsbtRequest{FundedPsbt: []byte{1, 2}},
}, {
	"psbt-finalize", []string{"wallet", "psbt", "finalize", "AQI="}, walletrpc.WalletKit_FinalizePsbt_FullMethodName,
	[]proto.Message{&walletrpc.FinalizePsbtResponse{SignedPsbt: []byte{1, 2}, RawFinalTx: []byte{2, 0}}}, &walletrpc.FinalizePsbtRequest{FundedPsbt: []byte{1, 2}},
}, {
	"accounts-list", []string{"wallet", "accounts", "list", "--address_type=p2tr"}, walletrpc.WalletKit_ListAccounts_FullMethodName,
	[]proto.Message{&walletrpc.ListAccountsResponse{Accounts: []*walletrpc.Account{
		{Name: "cold", AddressType: walletrpc.AddressType_TAPROOT_PUBKEY, ExtendedPublicKey: "tpub", DerivationPath: "m/86'/0'/0'", ExternalKeyCount: 3, WatchOnly: true},
		{Name: "act:1", DerivationPath: "m/1017'/1'/1'"},
	}}}, &walletrpc.ListAccountsRequest{AddressType: walletrpc.AddressType_TAPROOT_PUBKEY},
}, {
	"accounts-import", []string{"wallet", "accounts", "import", "--dry_run", "--birthday=2024-05-31", "--master_key_fingerprint=01020304", "vpub", "cold"},
	walletrpc.WalletKit_ImportAccount_FullMethodName,
	[]proto.Message{&walletrpc.ImportAccountResponse{Account: &walletrpc.Account{Name: "cold"}, DryRunExternalAddrs: []string{"a", "b"}}},
	&walletrpc.ImportAccountRequest{Name: "cold", ExtendedPublicKey: "vpub", MasterKeyFingerprint: []byte{1, 2, 3, 4}, DryRun: true, Birthday: 1717113600},
}, {
	"accounts-import-pubkey", []string{"wallet", "accounts", "import-pubkey", "0203", "np2wkh"}, walletrpc.WalletKit_ImportPublicKey_FullMethodName,
	[]proto.Message{&walletrpc.ImportPublicKeyResponse{Status: "public key 0203 imported"}},
	&walletrpc.ImportPublicKeyRequest{PublicKey: []byte{2, 3}, AddressType: walletrpc.AddressType_NESTED_WITNESS_PUBKEY_HASH},
}, {
	"accounts-create", []string{"wallet", "accounts", "create", "--i_know_what_i_am_doing", "shop"}, walletrpc.WalletKit_XCreateAccount_FullMethodName,
	[]proto.Message{&walletrpc.XCreateAccountResponse{Account: &walletrpc.Account{Name: "shop"}}},
	&walletrpc.XCreateAccountRequest{Name: "shop", IKnowWhatIAmDoing: true},
}, {
	"addresses-list", []string{"wallet", "addresses", "list"}, walletrpc.WalletKit_ListAddresses_FullMethodName,
	[]proto.Message{&walletrpc.ListAddressesResponse{AccountWithAddresses: []*walletrpc.AccountWithAddresses{{
		Name: "default", Addresses: []*walletrpc.AddressProperty{{Address: "a", Balance: 500, DerivationPath: "m/84'/0'/0'/0/0"}},
	}}}}, &walletrpc.ListAddressesRequest{},
}, {
	"addresses-signmessage", []string{"wallet", "addresses", "sign", "a", "hello"}, walletrpc.WalletKit_SignMessageWithAddr_FullMethodName,
	[]proto.Message{&walletrpc.SignMessageWithAddrResponse{Signature: "IMJ="}}, &walletrpc.SignMessageWithAddrRequest{Addr: "a", Msg: []byte("hello")},
}, {
	"addresses-verifymessage", []string{"wallet", "addresses", "verifymessage", "a", "IMJ=", "hello"}, walletrpc.WalletKit_VerifyMessageWithAddr_FullMethodName,
	[]proto.Message{&walletrpc.VerifyMessageWithAddrResponse{Valid: true, Pubkey: []byte{2, 3}}},
	&walletrpc.VerifyMessageWithAddrRequest{Addr: "a", Msg: []byte("hello"), Signature: "IMJ="},
}, {
	"leaseoutput", []string{"wallet", "leaseoutput", "--lockid=" + strings.Repeat("11", 32), "--expiry=60", hash + ":1"}, walletrpc.WalletKit_LeaseOutput_FullMethodName,
	[]proto.Message{&walletrpc.LeaseOutputResponse{Expiration: 1_700_000_000}},
	&walletrpc.LeaseOutputRequest{Id: bytes.Repeat([]byte{0x11}, 32), Outpoint: &lnrpc.OutPoint{TxidStr: hash, OutputIndex: 1}, ExpirationSeconds: 60},
}, {
	"releaseoutput", []string{"wallet", "releaseoutput", "--lockid=" + strings.Repeat("11", 32), hash + ":1"}, walletrpc.WalletKit_ReleaseOutput_FullMethodName,
	[]proto.Message{&walletrpc.ReleaseOutputResponse{Status: "output released"}},
	&walletrpc.ReleaseOutputRequest{Id: bytes.Repeat([]byte{0x11}, 32), Outpoint: &lnrpc.OutPoint{TxidStr: hash, OutputIndex: 1}},
}, {
	"listleases", []string{"wallet", "listleases"}, walletrpc.WalletKit_ListLeases_FullMethodName,
	[]proto.Message{&walletrpc.ListLeasesResponse{LockedUtxos: []*walletrpc.UtxoLease{{Id: wireHash(), Outpoint: &lnrpc.OutPoint{TxidStr: hash}, Value: 7, Expiration: 1_700_000_000}}}},
	&walletrpc.ListLeasesRequest{},
}, {
	"requiredreserve", []string{"wallet", "requiredreserve", "--additional_public_channels=2"}, walletrpc.WalletKit_RequiredReserve_FullMethodName,
	[]proto.Message{&walletrpc.RequiredReserveResponse{RequiredReserve: 20_000}}, &walletrpc.RequiredReserveRequest{AdditionalPublicChannels: 2},
}, {
	"gettx", []string{"wallet", "gettx", hash}, walletrpc.WalletKit_GetTransaction_FullMethodName,
	[]proto.Message{&lnrpc.Transaction{TxHash: hash, Amount: -500, TotalFees: 141, OutputDetails: []*lnrpc.OutputDetail{{Address: "a", Amount: 9, IsOurAddress: true}}}},
	&walletrpc.GetTransactionRequest{Txid: hash},
}, {
	"publishtx", []string{"wallet", "publishtx", "--label=rent", "0200"}, walletrpc.WalletKit_PublishTransaction_FullMethodName,
	[]proto.Message{&walletrpc.PublishResponse{}}, &walletrpc.Transaction{TxHex: []byte{2, 0}, Label: "rent"},
}, {
	"labeltx", []string{"wallet", "labeltx", "--overwrite", hash, "rent"}, walletrpc.WalletKit_LabelTransaction_FullMethodName,
	[]proto.Message{&walletrpc.LabelTransactionResponse{Status: "transaction label 'rent' added"}},
	&walletrpc.LabelTransactionRequest{Txid: wireHash(), Label: "rent", Overwrite: true},
}, {
	"removetx", []string{"wallet", "removetx", hash}, walletrpc.WalletKit_RemoveTransaction_FullMethodName,
	[]proto.Message{&walletrpc.RemoveTransactionResponse{Status: "Successfully removed transaction"}}, &walletrpc.GetTransactionRequest{Txid: hash},
}, {
	"pendingsweeps", []string{"wallet", "pendingsweeps"}, walletrpc.WalletKit_PendingSweeps_FullMethodName,
	[]proto.Message{&walletrpc.PendingSweepsResponse{PendingSweeps: []*walletrpc.PendingSweep{{AmountSat: 9000, WitnessType: walletrpc.WitnessType_COMMITMENT_TIME_LOCK, MaturityHeight: 200}}}},
	&walletrpc.PendingSweepsRequest{},
}, {
	"listsweeps", []string{"wallet", "listsweeps", "--startheight=-1"}, walletrpc.WalletKit_ListSweeps_FullMethodName,
	[]proto.Message{&walletrpc.ListSweepsResponse{Sweeps: &walletrpc.ListSweepsResponse_TransactionIds{
		TransactionIds: &walletrpc.ListSweepsResponse_TransactionIDs{TransactionIds: []string{hash}},
	}}}, &walletrpc.ListSweepsRequest{StartHeight: -1},
}, {
	"listsweeps-verbose", []string{"wallet", "listsweeps", "--verbose"}, walletrpc.WalletKit_ListSweeps_FullMethodName,
	[]proto.Message{&walletrpc.ListSweepsResponse{Sweeps: &walletrpc.ListSweepsResponse_TransactionDetails{
		TransactionDetails: &lnrpc.TransactionDetails{Transactions: []*lnrpc.Transaction{{TxHash: hash, Amount: 5000, TotalFees: 120, BlockHeight: 7}, {TxHash: hash}}},
	}}}, &walletrpc.ListSweepsRequest{Verbose: true},
}, {
	"bumpfee", []string{"wallet", "bumpfee", "--sat_per_vbyte=20", "--budget=900", "--deadline_delta=4", "--immediate", hash + ":3"}, walletrpc.WalletKit_BumpFee_FullMethodName,
	[]proto.Message{&walletrpc.BumpFeeResponse{Status: "Successfully registered rbf-tx with sweeper"}},
	&walletrpc.BumpFeeRequest{Outpoint: &lnrpc.OutPoint{TxidStr: hash, OutputIndex: 3}, SatPerVbyte: 20, Budget: 900, DeadlineDelta: 4, Immediate: true},
}, {
	"bumpforceclosefee", []string{"wallet", "bumpforceclosefee", "--conf_target=2", "--budget=900", hash + ":3"}, walletrpc.WalletKit_BumpForceCloseFee_FullMethodName,
	[]proto.Message{&walletrpc.BumpForceCloseFeeResponse{Status: "done"}},
	&walletrpc.BumpForceCloseFeeRequest{ChanPoint: channelPoint(hash, 3), TargetConf: 2, Budget: 900},
}, {
	"rescue", []string{"rescue"}, fulgurrpc.Closing_Rescue_FullMethodName,
	[]proto.Message{&fulgurrpc.RescueResponse{BlockHeight: 150, Warnings: []string{"the chain backend is away"}, Channels: []*fulgurrpc.ClosingChannel{{
		ChannelPoint: hash + ":1", RemotePubkey: key1, Capacity: 1_000_000, State: "our commitment waits to be mined", Reason: "the operator\x1b[2J closes it",
		ClosingTxid: hash, LimboBalance: 600_000, RecoveredBalance: 5, HomeHeight: 300, Steps: []*fulgurrpc.ClosingStep{
			{What: "our commitment", WaitsFor: "a block", Txid: hash, SatPerVbyte: 10, DeadlineHeight: 160},
			{What: "the child that lifts it", WaitsFor: "a block; it was offered 3 times", UntilHeight: 151, Outpoint: hash + ":0", SatPerVbyte: 30, Budget: 20_330, Advice: "to hasten it: fulgur wallet bumpfee"},
		},
	}, {ChannelPoint: hash + ":2", RemotePubkey: key2}}}}, &fulgurrpc.RescueRequest{},
}, {
	"rescue-one", []string{"rescue", hash + ":1"}, fulgurrpc.Closing_Rescue_FullMethodName,
	[]proto.Message{&fulgurrpc.RescueResponse{BlockHeight: 150}}, &fulgurrpc.RescueRequest{ChanPoint: channelPoint(hash, 1)},
}, {
	"dryrun", []string{"closechannel", "--dry_run", "--force", hash + ":1"}, fulgurrpc.Closing_PlanClose_FullMethodName,
	[]proto.Message{&fulgurrpc.PlanCloseResponse{
		Summary: "closed by force", ClosingFee: 800, LiftBudget: 6000, LiftFee: 150, SweepFee: 99, Balance: 600_000, MinedHeight: 7, HomeHeight: 151, Obstacle: "none\x07",
		Outputs: []*fulgurrpc.PlannedOutput{{What: "our balance", Amount: 599_000, MatureHeight: 151}, {What: "an incoming payment", Amount: 1000, DeadlineHeight: 90}},
	}}, &fulgurrpc.PlanCloseRequest{ChanPoint: channelPoint(hash, 1), Force: true},
}, {
	"estimatefeerate", []string{"wallet", "estimatefeerate", "6"}, walletrpc.WalletKit_EstimateFee_FullMethodName,
	[]proto.Message{&walletrpc.EstimateFeeResponse{SatPerKw: 12500}}, &walletrpc.EstimateFeeRequest{ConfTarget: 6},
}, {
	"connect", []string{"connect", "--perm", key1 + "@127.0.0.1:9735"}, lnrpc.Lightning_ConnectPeer_FullMethodName,
	[]proto.Message{&lnrpc.ConnectPeerResponse{}}, &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: key1, Host: "127.0.0.1:9735"}, Perm: true},
}, {
	"disconnect", []string{"disconnect", key1}, lnrpc.Lightning_DisconnectPeer_FullMethodName,
	[]proto.Message{&lnrpc.DisconnectPeerResponse{}}, &lnrpc.DisconnectPeerRequest{PubKey: key1},
}, {
	"sendcustom", []string{"sendcustom", "--peer=" + key1, "--type=32769", "--data=c0ffee"}, lnrpc.Lightning_SendCustomMessage_FullMethodName,
	[]proto.Message{&lnrpc.SendCustomMessageResponse{Status: "sent"}}, &lnrpc.SendCustomMessageRequest{Peer: unhex(key1), Type: 32769, Data: unhex("c0ffee")},
}, {
	"subscribecustom", []string{"subscribecustom"}, lnrpc.Lightning_SubscribeCustomMessages_FullMethodName,
	[]proto.Message{&lnrpc.CustomMessage{Peer: unhex(key1), Type: 32769, Data: []byte("\x1b[2J")}, &lnrpc.CustomMessage{Peer: unhex(key2), Type: 65535}},
	&lnrpc.SubscribeCustomMessagesRequest{},
}, {
	"sendonionmessage", []string{"sendonionmessage", "--peer=" + key1, "--path_key=" + key2, "--onion=0002"}, lnrpc.Lightning_SendOnionMessage_FullMethodName,
	[]proto.Message{&lnrpc.SendOnionMessageResponse{Status: "sent"}}, &lnrpc.SendOnionMessageRequest{Peer: unhex(key1), PathKey: unhex(key2), Onion: []byte{0, 2}},
}, {
	"subscribeonionmessages", []string{"subscribeonionmessages"}, lnrpc.Lightning_SubscribeOnionMessages_FullMethodName,
	[]proto.Message{
		&lnrpc.OnionMessageUpdate{Peer: unhex(key1), PathKey: unhex(key2), CustomRecords: map[uint64][]byte{66: {1}, 65: {2, 3}}, ReplyPath: &lnrpc.BlindedPath{}},
		&lnrpc.OnionMessageUpdate{Peer: unhex(key2)},
	}, &lnrpc.SubscribeOnionMessagesRequest{},
}, {
	"listpeers", []string{"listpeers"}, lnrpc.Lightning_ListPeers_FullMethodName,
	[]proto.Message{&lnrpc.ListPeersResponse{Peers: []*lnrpc.Peer{{PubKey: key1, Address: "h:1", BytesSent: 1234, PingTime: 1500, Errors: []*lnrpc.TimestampedError{{Timestamp: 1_700_000_000, Error: "no"}}}, {PubKey: key2, Inbound: true}}}},
	&lnrpc.ListPeersRequest{LatestError: true},
}, {
	"batchopenchannel", []string{"batchopenchannel", "--sat_per_vbyte=2", `[{"node_pubkey":"` + key1 + `","local_funding_amount":500000,"private":true},{"local_funding_amount":"7"}]`}, lnrpc.Lightning_BatchOpenChannel_FullMethodName,
	[]proto.Message{&lnrpc.BatchOpenChannelResponse{PendingChannels: []*lnrpc.PendingUpdate{{Txid: make([]byte, 32), OutputIndex: 1}}}},
	&lnrpc.BatchOpenChannelRequest{SatPerVbyte: 2, Channels: []*lnrpc.BatchOpenChannel{
		{NodePubkey: unhex(key1), LocalFundingAmount: 500_000, Private: true}, {LocalFundingAmount: 7},
	}},
}, {
	"abandonchannel", []string{"abandonchannel", hash + ":1"}, lnrpc.Lightning_AbandonChannel_FullMethodName,
	[]proto.Message{&lnrpc.AbandonChannelResponse{Status: "channel abandoned"}},
	&lnrpc.AbandonChannelRequest{ChannelPoint: channelPoint(hash, 1), PendingFundingShimOnly: true},
}, {
	"chain-getblock", []string{"chain", "getblock", strings.Repeat("00", 31) + "07"}, chainrpc.ChainKit_GetBlock_FullMethodName,
	[]proto.Message{&chainrpc.GetBlockResponse{RawBlock: []byte{1, 2}}}, &chainrpc.GetBlockRequest{BlockHash: append([]byte{7}, make([]byte, 31)...)},
}, {
	"chain-getblockheader", []string{"chain", "getblockheader", strings.Repeat("00", 31) + "07"}, chainrpc.ChainKit_GetBlockHeader_FullMethodName,
	[]proto.Message{&chainrpc.GetBlockHeaderResponse{RawBlockHeader: []byte{1, 2}}}, &chainrpc.GetBlockHeaderRequest{BlockHash: append([]byte{7}, make([]byte, 31)...)},
}, {
	"chain-getbestblock", []string{"chain", "getbestblock"}, chainrpc.ChainKit_GetBestBlock_FullMethodName,
	[]proto.Message{&chainrpc.GetBestBlockResponse{BlockHash: make([]byte, 32), BlockHeight: 5}}, &chainrpc.GetBestBlockRequest{},
}, {
	"chain-getblockhash", []string{"chain", "getblockhash", "5"}, chainrpc.ChainKit_GetBlockHash_FullMethodName,
	[]proto.Message{&chainrpc.GetBlockHashResponse{BlockHash: make([]byte, 32)}}, &chainrpc.GetBlockHashRequest{BlockHeight: 5},
}, {
	"openchannel", []string{"openchannel", "--block", "--base_fee_msat=0", key1, "0.01btc", "5000"}, lnrpc.Lightning_OpenChannel_FullMethodName,
	[]proto.Message{
		&lnrpc.OpenStatusUpdate{Update: &lnrpc.OpenStatusUpdate_ChanPending{ChanPending: &lnrpc.PendingUpdate{Txid: wireHash(), OutputIndex: 1}}},
		&lnrpc.OpenStatusUpdate{Update: &lnrpc.OpenStatusUpdate_ChanOpen{ChanOpen: &lnrpc.ChannelOpenUpdate{ChannelPoint: &lnrpc.ChannelPoint{
			FundingTxid: &lnrpc.ChannelPoint_FundingTxidBytes{FundingTxidBytes: wireHash()}, OutputIndex: 1,
		}}}},
	},
	&lnrpc.OpenChannelRequest{NodePubkey: append([]byte{2}, repeat(0xaa, 32)...), LocalFundingAmount: 1_000_000, PushSat: 5000, UseBaseFee: true},
}, {
	"closechannel", []string{"closechannel", "--block", "--sat_per_vbyte=3", hash + ":1"}, lnrpc.Lightning_CloseChannel_FullMethodName,
	[]proto.Message{
		&lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_ClosePending{ClosePending: &lnrpc.PendingUpdate{Txid: wireHash()}}},
		&lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_ChanClose{ChanClose: &lnrpc.ChannelCloseUpdate{ClosingTxid: wireHash(), Success: true}}},
	},
	&lnrpc.CloseChannelRequest{ChannelPoint: channelPoint(hash, 1), SatPerVbyte: 3},
}, {
	"listchannels", []string{"listchannels", "--active_only", "--peer=" + key1}, lnrpc.Lightning_ListChannels_FullMethodName,
	[]proto.Message{&lnrpc.ListChannelsResponse{Channels: []*lnrpc.Channel{
		{Active: true, RemotePubkey: key1, PeerAlias: "bob", ChannelPoint: hash + ":1", ChanId: scid, Capacity: 1_000_000, LocalBalance: 600_000, RemoteBalance: 396_530},
		{RemotePubkey: key2, ChanId: scid + 1, Private: true, Capacity: 20_000},
	}}},
	&lnrpc.ListChannelsRequest{ActiveOnly: true, PeerAliasLookup: true, Peer: append([]byte{2}, repeat(0xaa, 32)...)},
}, {
	"pendingchannels", []string{"pendingchannels"}, lnrpc.Lightning_PendingChannels_FullMethodName,
	[]proto.Message{&lnrpc.PendingChannelsResponse{
		PendingOpenChannels: []*lnrpc.PendingChannelsResponse_PendingOpenChannel{{
			Channel: &lnrpc.PendingChannelsResponse_PendingChannel{RemoteNodePub: key1, Capacity: 5000, LocalBalance: 4000, ChannelPoint: hash + ":0"}, ConfirmationsUntilActive: 3,
		}},
		WaitingCloseChannels: []*lnrpc.PendingChannelsResponse_WaitingCloseChannel{{
			Channel: &lnrpc.PendingChannelsResponse_PendingChannel{RemoteNodePub: key1, Capacity: 5000}, LimboBalance: 3000, ClosingTxid: hash, BlocksTilCloseConfirmed: 2,
		}, {}},
		PendingForceClosingChannels: []*lnrpc.PendingChannelsResponse_ForceClosedChannel{{BlocksTilMaturity: 144, LimboBalance: 77}, {}},
	}}, &lnrpc.PendingChannelsRequest{},
}, {
	"closedchannels", []string{"closedchannels", "--breach"}, lnrpc.Lightning_ClosedChannels_FullMethodName,
	[]proto.Message{&lnrpc.ClosedChannelsResponse{Channels: []*lnrpc.ChannelCloseSummary{{
		ChanId: scid, RemotePubkey: key1, Capacity: 5000, SettledBalance: 1000, TimeLockedBalance: 500, CloseType: lnrpc.ChannelCloseSummary_BREACH_CLOSE, CloseHeight: 200, ClosingTxHash: hash,
	}}}}, &lnrpc.ClosedChannelsRequest{Breach: true},
}, {
	"channelbalance", []string{"channelbalance"}, lnrpc.Lightning_ChannelBalance_FullMethodName,
	[]proto.Message{&lnrpc.ChannelBalanceResponse{LocalBalance: &lnrpc.Amount{Sat: 5, Msat: 5250}, RemoteBalance: &lnrpc.Amount{Sat: 1000, Msat: 1_000_000}}},
	&lnrpc.ChannelBalanceRequest{},
}, {
	"addinvoice", []string{"addinvoice", "--memo=tea", "--private", "1500500msat"}, lnrpc.Lightning_AddInvoice_FullMethodName,
	[]proto.Message{&lnrpc.AddInvoiceResponse{RHash: wireHash(), PaymentRequest: "lnbcrt1"}}, &lnrpc.Invoice{Memo: "tea", Private: true, ValueMsat: 1_500_500},
}, {
	"addholdinvoice", []string{"addholdinvoice", hash, "15"}, invoicesrpc.Invoices_AddHoldInvoice_FullMethodName,
	[]proto.Message{&invoicesrpc.AddHoldInvoiceResp{PaymentRequest: "lnbcrt1"}}, &invoicesrpc.AddHoldInvoiceRequest{Hash: append(repeat(0, 31), 0xff), Value: 15},
}, {
	"settleinvoice", []string{"settleinvoice", hash}, invoicesrpc.Invoices_SettleInvoice_FullMethodName,
	[]proto.Message{&invoicesrpc.SettleInvoiceResp{}}, &invoicesrpc.SettleInvoiceMsg{Preimage: append(repeat(0, 31), 0xff)},
}, {
	"cancelinvoice", []string{"cancelinvoice", hash}, invoicesrpc.Invoices_CancelInvoice_FullMethodName,
	[]proto.Message{&invoicesrpc.CancelInvoiceResp{}}, &invoicesrpc.CancelInvoiceMsg{PaymentHash: append(repeat(0, 31), 0xff)},
}, {
	"lookupinvoice", []string{"lookupinvoice", hash}, lnrpc.Lightning_LookupInvoice_FullMethodName,
	[]proto.Message{&lnrpc.Invoice{Memo: "tea", State: lnrpc.Invoice_SETTLED, ValueMsat: 1_500_000, Value: 1500, AmtPaidMsat: 1_500_000, CreationDate: 1_700_000_000, SettleDate: 1_700_000_060, Expiry: 3600, RHash: wireHash()}},
	&lnrpc.PaymentHash{RHash: append(repeat(0, 31), 0xff)},
}, {
	"listinvoices", []string{"listinvoices", "--max_invoices=2"}, lnrpc.Lightning_ListInvoices_FullMethodName,
	[]proto.Message{&lnrpc.ListInvoiceResponse{Invoices: []*lnrpc.Invoice{{AddIndex: 1, Memo: "x"}, {AddIndex: 2, State: lnrpc.Invoice_ACCEPTED, Value: 12_000}}}},
	&lnrpc.ListInvoiceRequest{NumMaxInvoices: 2, Reversed: true},
}, {
	"decodepayreq", []string{"decodepayreq", "LIGHTNING:lnbcrt1"}, lnrpc.Lightning_DecodePayReq_FullMethodName,
	[]proto.Message{&lnrpc.PayReq{Destination: key1, NumMsat: 1_500_000, Description: "tea", Expiry: 86400, PaymentHash: hash, RouteHints: []*lnrpc.RouteHint{{}}}},
	&lnrpc.PayReqString{PayReq: "lnbcrt1"},
}, {
	"trackpayment", []string{"trackpayment", hash}, routerrpc.Router_TrackPaymentV2_FullMethodName,
	[]proto.Message{
		&lnrpc.Payment{Status: lnrpc.Payment_IN_FLIGHT, Htlcs: []*lnrpc.HTLCAttempt{{Status: lnrpc.HTLCAttempt_FAILED}, {}}},
		&lnrpc.Payment{Status: lnrpc.Payment_SUCCEEDED, ValueMsat: 1_500_000, FeeMsat: 250, PaymentHash: hash, PaymentPreimage: hash, Htlcs: []*lnrpc.HTLCAttempt{{Status: lnrpc.HTLCAttempt_SUCCEEDED, Route: route}}},
	}, &routerrpc.TrackPaymentRequest{PaymentHash: append(repeat(0, 31), 0xff)},
}, {
	"sendpayment", []string{"sendpayment", "--force", "--fee_limit_percent=10", "--outgoing_chan_id=110x2x1", key1, "1500", hash, "40"}, routerrpc.Router_SendPaymentV2_FullMethodName,
	[]proto.Message{&lnrpc.Payment{Status: lnrpc.Payment_SUCCEEDED, ValueMsat: 1_500_000, PaymentHash: hash}},
	&routerrpc.SendPaymentRequest{
		Dest: append([]byte{2}, repeat(0xaa, 32)...), AmtMsat: 1_500_000, PaymentHash: append(repeat(0, 31), 0xff), FinalCltvDelta: 40,
		FeeLimitMsat: 150_000, TimeoutSeconds: 60, MaxParts: 16, OutgoingChanIds: []uint64{scid},
	},
}, {
	"listpayments", []string{"listpayments", "--paginate-forwards"}, lnrpc.Lightning_ListPayments_FullMethodName,
	[]proto.Message{&lnrpc.ListPaymentsResponse{Payments: []*lnrpc.Payment{{PaymentIndex: 1, Status: lnrpc.Payment_IN_FLIGHT, ValueMsat: 1_000_500, CreationTimeNs: 1_700_000_000e9, PaymentHash: hash}}}},
	&lnrpc.ListPaymentsRequest{},
}, {
	"deletepayments", []string{"deletepayments", "--all", "--include_non_failed"}, lnrpc.Lightning_DeleteAllPayments_FullMethodName,
	[]proto.Message{&lnrpc.DeleteAllPaymentsResponse{Status: "3 payments deleted"}}, &lnrpc.DeleteAllPaymentsRequest{AllPayments: true},
}, {
	"queryroutes", []string{"queryroutes", "--fee_limit=5", "--ignore_pair=" + key1 + ":" + key2, key2, "1500"}, lnrpc.Lightning_QueryRoutes_FullMethodName,
	[]proto.Message{&lnrpc.QueryRoutesResponse{Routes: []*lnrpc.Route{route}, SuccessProb: 0.75}},
	&lnrpc.QueryRoutesRequest{
		PubKey: key2, AmtMsat: 1_500_000, FeeLimit: &lnrpc.FeeLimit{Limit: &lnrpc.FeeLimit_FixedMsat{FixedMsat: 5000}},
		IgnoredPairs: []*lnrpc.NodePair{{From: append([]byte{2}, repeat(0xaa, 32)...), To: append([]byte{3}, repeat(0xbb, 32)...)}},
	},
}, {
	"sendtoroute", []string{"sendtoroute", "--payment_hash=" + hash, `{"routes": [{"hops": [{"chan_id": "5", "metadata": "ff"}]}]}`}, routerrpc.Router_SendToRouteV2_FullMethodName,
	[]proto.Message{&lnrpc.HTLCAttempt{Status: lnrpc.HTLCAttempt_SUCCEEDED, Preimage: []byte{1}, Route: route}},
	&routerrpc.SendToRouteRequest{PaymentHash: append(repeat(0, 31), 0xff), Route: &lnrpc.Route{Hops: []*lnrpc.Hop{{ChanId: 5, Metadata: []byte{0xff}}}}},
}, {
	"fwdinghistory", []string{"fwdinghistory", "5", "9", "1", "20"}, lnrpc.Lightning_ForwardingHistory_FullMethodName,
	[]proto.Message{&lnrpc.ForwardingHistoryResponse{ForwardingEvents: []*lnrpc.ForwardingEvent{
		{ChanIdIn: scid, ChanIdOut: scid + 1, AmtInMsat: 250_026_000, AmtOutMsat: 250_000_000, FeeMsat: 26_000, PeerAliasIn: "alice", TimestampNs: 1_700_000_000e9}, {FeeMsat: 1},
	}}}, &lnrpc.ForwardingHistoryRequest{StartTime: 5, EndTime: 9, IndexOffset: 1, NumMaxEvents: 20, PeerAliasLookup: true},
}, {
	"deletefwdhistory", []string{"deletefwdhistory", "--age=-1y", "--force"}, routerrpc.Router_DeleteForwardingHistory_FullMethodName,
	[]proto.Message{&routerrpc.DeleteForwardingHistoryResponse{EventsDeleted: 12, TotalFeeMsat: 34_500, Status: "Successfully deleted 12 forwarding events"}},
	&routerrpc.DeleteForwardingHistoryRequest{TimeSpec: &routerrpc.DeleteForwardingHistoryRequest_DeleteBeforeDuration{DeleteBeforeDuration: "-1y"}},
}, {
	"feereport", []string{"feereport"}, lnrpc.Lightning_FeeReport_FullMethodName,
	[]proto.Message{&lnrpc.FeeReportResponse{ChannelFees: []*lnrpc.ChannelFeeReport{{ChanId: scid, BaseFeeMsat: 1000, FeePerMil: 100, FeeRate: 0.0001, ChannelPoint: hash + ":1"}}, DayFeeSum: 37}},
	&lnrpc.FeeReportRequest{},
}, {
	"updatechanpolicy", []string{"updatechanpolicy", "--min_htlc_msat=0", "1000", "0.0001", "40", hash + ":1"}, lnrpc.Lightning_UpdateChannelPolicy_FullMethodName,
	[]proto.Message{&lnrpc.PolicyUpdateResponse{}},
	&lnrpc.PolicyUpdateRequest{Scope: &lnrpc.PolicyUpdateRequest_ChanPoint{ChanPoint: channelPoint(hash, 1)}, BaseFeeMsat: 1000, FeeRate: 0.0001, TimeLockDelta: 40, MinHtlcMsatSpecified: true},
}, {
	"describegraph", []string{"describegraph"}, lnrpc.Lightning_DescribeGraph_FullMethodName,
	[]proto.Message{&lnrpc.ChannelGraph{
		Nodes: []*lnrpc.LightningNode{{PubKey: key1, Alias: "bob", Addresses: []*lnrpc.NodeAddress{{Network: "tcp", Addr: "h:1"}}}},
		Edges: []*lnrpc.ChannelEdge{{ChannelId: scid, Node1Pub: key1, Node2Pub: key2, Capacity: 1_000_000, Node1Policy: &lnrpc.RoutingPolicy{FeeBaseMsat: 1000, FeeRateMilliMsat: 2500, Disabled: true}}},
	}}, &lnrpc.ChannelGraphRequest{},
}, {
	"getchaninfo", []string{"getchaninfo", "110x2x1"}, lnrpc.Lightning_GetChanInfo_FullMethodName,
	[]proto.Message{&lnrpc.ChannelEdge{ChannelId: scid, Node1Pub: key1, Node2Pub: key2, Capacity: 1_000_000, Node2Policy: &lnrpc.RoutingPolicy{FeeBaseMsat: 1, MinHtlc: 1000, MaxHtlcMsat: 990_000_000, TimeLockDelta: 80}}},
	&lnrpc.ChanInfoRequest{ChanId: scid},
}, {
	"getnodeinfo", []string{"getnodeinfo", "--include_channels", key1}, lnrpc.Lightning_GetNodeInfo_FullMethodName,
	[]proto.Message{&lnrpc.NodeInfo{Node: &lnrpc.LightningNode{PubKey: key1, Alias: "bob"}, NumChannels: 1, TotalCapacity: 5000}}, &lnrpc.NodeInfoRequest{PubKey: key1, IncludeChannels: true},
}, {
	"getnetworkinfo", []string{"getnetworkinfo"}, lnrpc.Lightning_GetNetworkInfo_FullMethodName,
	[]proto.Message{&lnrpc.NetworkInfo{NumNodes: 12_345, AvgOutDegree: 2.5, AvgChannelSize: 1e6}}, &lnrpc.NetworkInfoRequest{},
}, {
	"stop", []string{"stop"}, lnrpc.Lightning_StopDaemon_FullMethodName,
	[]proto.Message{&lnrpc.StopResponse{Status: "ok"}}, &lnrpc.StopRequest{},
}, {
	"debuglevel", []string{"debuglevel", "info,PEER=debug"}, lnrpc.Lightning_DebugLevel_FullMethodName,
	[]proto.Message{&lnrpc.DebugLevelResponse{SubSystems: "LTND=INFO, PEER=DEBUG"}}, &lnrpc.DebugLevelRequest{LevelSpec: "info,PEER=debug"},
}, {
	"getdebuginfo", []string{"getdebuginfo", "--include_log"}, lnrpc.Lightning_GetDebugInfo_FullMethodName,
	[]proto.Message{&lnrpc.GetDebugInfoResponse{Config: map[string]string{"alias": "alice", "btcd.rpcpass": "[redacted]"}, Log: []string{"level=INFO msg=starts"}}},
	&lnrpc.GetDebugInfoRequest{IncludeLog: true},
}, {
	"subscribeinvoices", []string{"subscribeinvoices", "--add_index=3"}, lnrpc.Lightning_SubscribeInvoices_FullMethodName,
	[]proto.Message{&lnrpc.Invoice{RHash: wireHash(), State: lnrpc.Invoice_SETTLED, Value: 5, AmtPaidMsat: 5000, Memo: "tea"}}, &lnrpc.InvoiceSubscription{AddIndex: 3},
}, {
	"subscribechannelevents", []string{"subscribechannelevents"}, lnrpc.Lightning_SubscribeChannelEvents_FullMethodName,
	[]proto.Message{
		&lnrpc.ChannelEventUpdate{Type: lnrpc.ChannelEventUpdate_PENDING_OPEN_CHANNEL, Channel: &lnrpc.ChannelEventUpdate_PendingOpenChannel{PendingOpenChannel: &lnrpc.PendingUpdate{Txid: wireHash()}}},
		&lnrpc.ChannelEventUpdate{Type: lnrpc.ChannelEventUpdate_ACTIVE_CHANNEL, Channel: &lnrpc.ChannelEventUpdate_ActiveChannel{ActiveChannel: channelPoint(hash, 1)}},
	}, &lnrpc.ChannelEventSubscription{},
}, {
	"subscribehtlcevents", []string{"subscribehtlcevents"}, routerrpc.Router_SubscribeHtlcEvents_FullMethodName,
	[]proto.Message{
		&routerrpc.HtlcEvent{Event: &routerrpc.HtlcEvent_SubscribedEvent{}},
		&routerrpc.HtlcEvent{EventType: routerrpc.HtlcEvent_FORWARD, IncomingChannelId: scid, OutgoingChannelId: scid + 1, OutgoingHtlcId: 4, Event: &routerrpc.HtlcEvent_ForwardEvent{ForwardEvent: &routerrpc.ForwardEvent{Info: &routerrpc.HtlcInfo{OutgoingAmtMsat: 1500}}}},
	}, &routerrpc.SubscribeHtlcEventsRequest{},
}, {
	"exportchanbackup", []string{"exportchanbackup", "--all"}, lnrpc.Lightning_ExportAllChannelBackups_FullMethodName,
	[]proto.Message{&lnrpc.ChanBackupSnapshot{
		SingleChanBackups: &lnrpc.ChannelBackups{ChanBackups: []*lnrpc.ChannelBackup{{ChanPoint: channelPoint(hash, 1), ChanBackup: []byte{1, 2}}}},
		MultiChanBackup:   &lnrpc.MultiChanBackup{ChanPoints: []*lnrpc.ChannelPoint{channelPoint(hash, 1)}, MultiChanBackup: []byte{3, 4}},
	}}, &lnrpc.ChanBackupExportRequest{},
}, {
	"exportchanbackup-one", []string{"exportchanbackup", hash + ":1"}, lnrpc.Lightning_ExportChannelBackup_FullMethodName,
	[]proto.Message{&lnrpc.ChannelBackup{ChanPoint: channelPoint(hash, 1), ChanBackup: []byte{1, 2}}},
	&lnrpc.ExportChannelBackupRequest{ChanPoint: channelPoint(hash, 1)},
}, {
	"verifychanbackup", []string{"verifychanbackup", "--multi_backup=0304"}, lnrpc.Lightning_VerifyChanBackup_FullMethodName,
	[]proto.Message{&lnrpc.VerifyChanBackupResponse{ChanPoints: []string{hash + ":1"}}},
	&lnrpc.ChanBackupSnapshot{MultiChanBackup: &lnrpc.MultiChanBackup{MultiChanBackup: []byte{3, 4}}},
}, {
	"restorechanbackup", []string{"restorechanbackup", "--single_backup=0102"}, lnrpc.Lightning_RestoreChannelBackups_FullMethodName,
	[]proto.Message{&lnrpc.RestoreBackupResponse{NumRestored: 1}},
	&lnrpc.RestoreChanBackupRequest{Backup: &lnrpc.RestoreChanBackupRequest_ChanBackups{
		ChanBackups: &lnrpc.ChannelBackups{ChanBackups: []*lnrpc.ChannelBackup{{ChanBackup: []byte{1, 2}}}},
	}},
}, {
	"subscribepeerevents", []string{"subscribepeerevents"}, lnrpc.Lightning_SubscribePeerEvents_FullMethodName,
	[]proto.Message{&lnrpc.PeerEvent{PubKey: key1}, &lnrpc.PeerEvent{PubKey: key1, Type: lnrpc.PeerEvent_PEER_OFFLINE}}, &lnrpc.PeerEventSubscription{},
}, {
	"subscribetransactions", []string{"subscribetransactions"}, lnrpc.Lightning_SubscribeTransactions_FullMethodName,
	[]proto.Message{&lnrpc.Transaction{TxHash: hash, Amount: 5}}, &lnrpc.GetTransactionsRequest{},
}, {
	"subscribegraph", []string{"subscribegraph"}, lnrpc.Lightning_SubscribeChannelGraph_FullMethodName,
	[]proto.Message{&lnrpc.GraphTopologyUpdate{
		NodeUpdates: []*lnrpc.NodeUpdate{{IdentityKey: key1, Alias: "bob"}}, ClosedChans: []*lnrpc.ClosedChannelUpdate{{ChanId: scid, ClosedHeight: 9}},
		ChannelUpdates: []*lnrpc.ChannelEdgeUpdate{{ChanId: scid, AdvertisingNode: key1}},
	}}, &lnrpc.GraphTopologySubscription{},
}, {
	"subscribeblocks", []string{"subscribeblocks"}, chainrpc.ChainNotifier_RegisterBlockEpochNtfn_FullMethodName,
	[]proto.Message{&chainrpc.BlockEpoch{Hash: wireHash(), Height: 110}}, &chainrpc.BlockEpoch{},
}}

func repeat(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func TestConversations(t *testing.T) {
	d := startDaemon(t)
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			d.answer(c.method, c.answers...)
			table := typist{d: d, term: true}.types(c.args...)
			require.Equal(t, exitOK, table.code, table.err)
			golden(t, c.name+".txt", table.out)
			require.True(t, proto.Equal(c.want, d.request(c.method)), "asked: %v", d.request(c.method))

			piped := typist{d: d}.types(c.args...)
			require.Equal(t, exitOK, piped.code, piped.err)
			golden(t, c.name+".json", piped.out)
			forced := typist{d: d, term: true}.types(append([]string{"--json"}, c.args...)...)
			require.Equal(t, piped.out, forced.out)
			after := typist{d: d, term: true}.types(append(c.args, "--json")...)
			require.Equal(t, piped.out, after.out)
		})
	}
}

// TestEveryCommandIsTried keeps the list above complete.
func TestEveryCommandIsTried(t *testing.T) {
	elsewhere := map[string]bool{"create": true, "unlock": true, "payinvoice": true, "closeallchannels": true, "completion": true, "wallet": true,
		"changepassword": true, "constrainmacaroon": true, "printmacaroon": true, "setmccfg": true,
		"lndconnect": true, "profile": true, "chain": true, "peers": true, "man": true, "report": true, "watch": true}
	tried := map[string]bool{}
	for _, c := range conversations {
		tried[c.name] = true
	}
	for _, c := range (&App{}).root().Commands {
		require.True(t, tried[c.Name] || elsewhere[c.Name], "no test types %s", c.Name)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(c *cli.Command, path string)
	walk = func(c *cli.Command, path string) {
		require.NotEmpty(t, c.Usage, path)
		if len(c.Commands) > 0 {
			for _, sub := range c.Commands {
				walk(sub, path+" "+sub.Name)
			}
			return
		}
		require.Contains(t, c.Description, "Example: fulgur "+strings.TrimSpace(path), path)
	}
	for _, c := range (&App{}).root().Commands {
		require.NotEmpty(t, c.Category, c.Name)
		walk(c, c.Name)
	}
	help := typist{}.types("--help")
	require.Equal(t, exitOK, help.code)
	golden(t, "help.txt", strings.ReplaceAll(help.out, homeDir(t), "HOME"))
	version := typist{}.types("--version")
	require.Equal(t, exitOK, version.code)
	require.Equal(t, "fulgur version "+build.Text()+"\n", version.out)
}

func homeDir(t *testing.T) string {
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	return home
}

func TestUsageErrors(t *testing.T) {
	d := startDaemon(t)
	for _, args := range [][]string{
		{"getinf"}, {"getinfo", "--nonsense"}, {"getinfo", "more"}, {"wallet", "nothing"}, {"--network=moonnet", "getinfo"},
		{"newaddress", "p2pk"}, {"sendcoins"}, {"sendcoins", "addr"}, {"sendcoins", "addr", "10k"}, {"sendcoins", "addr", "-5"}, {"sendcoins", "--sweepall", "addr", "5"},
		{"sendcoins", "--utxo=xyz", "addr", "5"}, {"sendcoins", "--conf_target=2", "--sat_per_vbyte=2", "a", "5"}, {"sendmany", "nonsense"},
		{"listunspent", "x"}, {"wallet", "estimatefeerate"}, {"wallet", "bumpfee"}, {"wallet", "bumpfee", "x"}, {"wallet", "bumpfee", "--conf_target=-1", hash + ":1"},
		{"wallet", "bumpforceclosefee"}, {"wallet", "bumpforceclosefee", "--conf_target=1", "--sat_per_vbyte=1", hash + ":1"}, {"rescue", "x"}, {"connect"}, {"connect", "02aa"}, {"connect", "02aa@host"}, {"connect", key1 + "@"},
		{"openchannel"}, {"openchannel", key1}, {"openchannel", "02", "5"}, {"openchannel", key1, "5", "x"}, {"openchannel", "--channel_type=odd", key1, "5"}, {"openchannel", key1, "5", "6", "7"},
		{"closechannel"}, {"closechannel", "nonsense"}, {"closechannel", hash + ":x"}, {"closechannel", "--chan_point=x"}, {"closeallchannels", "--inactive_only"},
		{"addinvoice", "x"}, {"addinvoice", "5", "00"}, {"addinvoice", "--amt_msat=5", "5"}, {"addinvoice", "--description_hash=00"}, {"addholdinvoice"},
		{"settleinvoice", "00"}, {"cancelinvoice"}, {"lookupinvoice", "zz"}, {"decodepayreq"},
		{"sendpayment", key1, "5"}, {"sendpayment", key1, "5", hash}, {"sendpayment", "--pay_req=x", "more"}, {"payinvoice"}, {"payinvoice", "--timeout=0s", "x"},
		{"payinvoice", "--last_hop=1", "x"}, {"payinvoice", "--outgoing_chan_id=x", "x"}, {"sendpayment", "-f", "--fee_limit=1", "--fee_limit_percent=1", key1, "5", hash},
		{"sendpayment", "-f", "--fee_limit_percent=101", key1, "5", hash}, {"trackpayment", "0"}, {"deletepayments"}, {"deletepayments", "--all", "--payment_hash=" + hash},
		{"queryroutes", key1}, {"queryroutes", "--ignore_pair=x", key1, "5"}, {"sendtoroute"}, {"sendtoroute", "--payment_hash=" + hash, "{"}, {"sendtoroute", "--payment_hash=" + hash, `{"routes":[]}`},
		{"fwdinghistory", "--start_time=-5y"}, {"fwdinghistory", "--start_time=-"}, {"fwdinghistory", "x"}, {"deletefwdhistory"}, {"deletefwdhistory", "--age=-1d", "--before=5"}, {"updatechanpolicy"}, {"updatechanpolicy", "1", "x", "40"},
		{"updatechanpolicy", "--fee_rate=1", "--fee_rate_ppm=5", "1", "40"}, {"getchaninfo"}, {"getchaninfo", "x"}, {"getchaninfo", "x:1"}, {"getnodeinfo"},
	} {
		got := typist{d: d, term: true}.types(args...)
		require.Equal(t, exitUsage, got.code, "%v: %s", args, got.err)
		require.Contains(t, got.err, "see: fulgur", "%v", args)
		require.Empty(t, got.out, "%v", args)
	}
	require.Empty(t, d.asked, "what was typed wrong must not reach the daemon")
}

func TestFailures(t *testing.T) {
	d := startDaemon(t)
	d.fail(lnrpc.Lightning_GetInfo_FullMethodName, errors.New("permission denied"))
	got := typist{d: d}.types("getinfo")
	require.Equal(t, exitError, got.code)
	require.Equal(t, "fulgur: permission denied\n        this macaroon does not allow it: use admin.macaroon, or another one with --macaroonpath\n", got.err)

	got = typist{d: d}.types("walletbalance")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "unknown method")

	require.Contains(t, typist{d: d}.types("--no-macaroons", "getinfo").err, "expected 1 macaroon")
	require.Contains(t, typist{d: d}.types("--macaroontimeout=0", "getinfo").err, "not limited in time")

	d.writeMacaroon([]byte("another key"))
	got = typist{d: d}.types("getinfo")
	require.Contains(t, got.err, "verification failed")
	require.Contains(t, got.err, "--macaroonpath")

	require.NoError(t, os.Remove(d.macaroonPath()))
	for state, want := range map[lnrpc.WalletState]string{
		lnrpc.WalletState_NON_EXISTING: "fulgur create", lnrpc.WalletState_LOCKED: "fulgur unlock", lnrpc.WalletState_SERVER_ACTIVE: "--macaroonpath",
	} {
		d.answer(lnrpc.State_GetState_FullMethodName, &lnrpc.GetStateResponse{State: state})
		got = typist{d: d}.types("getinfo")
		require.Equal(t, exitError, got.code)
		require.Contains(t, got.err, want)
	}
	d.addr = "127.0.0.1:1"
	got = typist{d: d}.types("state")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "no daemon answers at 127.0.0.1:1")
	require.Contains(t, got.err, "fulgurd --bitcoin.regtest")
}

func TestPayInvoice(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_DecodePayReq_FullMethodName, &lnrpc.PayReq{NumMsat: 100_000_000, Destination: key1})
	d.answer(routerrpc.Router_SendPaymentV2_FullMethodName, &lnrpc.Payment{Status: lnrpc.Payment_SUCCEEDED, ValueMsat: 100_000_000})
	send := routerrpc.Router_SendPaymentV2_FullMethodName

	got := typist{d: d}.types("payinvoice", "lnbcrt1")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "--force")
	got = typist{d: d, term: true, ask: true, in: "no\n"}.types("payinvoice", "lnbcrt1")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "Pay 100,000 sat, and at most 5,000 sat for the way?")
	require.Nil(t, d.request(send), "paid without consent")

	got = typist{d: d, term: true, ask: true, in: "yes\n"}.types("payinvoice", "lnbcrt1")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.out, "paid         100,000 sat")
	require.EqualValues(t, 5_000_000, d.request(send).(*routerrpc.SendPaymentRequest).FeeLimitMsat)
	require.Equal(t, "lnbcrt1", d.request(send).(*routerrpc.SendPaymentRequest).PaymentRequest)

	got = typist{d: d}.types("payinvoice", "-f", "--amt=5", "lnbcrt1")
	require.Equal(t, exitUsage, got.code, "the invoice says its amount")

	d.answer(lnrpc.Lightning_DecodePayReq_FullMethodName, &lnrpc.PayReq{})
	require.Equal(t, exitUsage, typist{d: d}.types("payinvoice", "-f", "lnbcrt1").code, "no amount")
	got = typist{d: d}.types("sendpayment", "-f", "--pay_req=lnbcrt1", "--amt=700")
	require.Equal(t, exitOK, got.code, got.err)
	req := d.request(send).(*routerrpc.SendPaymentRequest)
	require.EqualValues(t, 700_000, req.AmtMsat)
	require.EqualValues(t, 700_000, req.FeeLimitMsat, "small payments may cost as much again")
}

func TestFailedPayment(t *testing.T) {
	d := startDaemon(t)
	d.answer(routerrpc.Router_TrackPaymentV2_FullMethodName, &lnrpc.Payment{Status: lnrpc.Payment_FAILED, FailureReason: lnrpc.PaymentFailureReason_FAILURE_REASON_NO_ROUTE})
	got := typist{d: d}.types("trackpayment", hash)
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.out, "FAILURE_REASON_NO_ROUTE")
	require.Contains(t, got.err, "there is no way to the payee")
	require.Len(t, failureWords, len(lnrpc.PaymentFailureReason_name), "a word for every reason")

	d.answer(routerrpc.Router_TrackPaymentV2_FullMethodName, []proto.Message{}...)
	d.fail(routerrpc.Router_TrackPaymentV2_FullMethodName, status.Error(codes.NotFound, "payment isn't initiated"))
	require.Equal(t, exitError, typist{d: d}.types("trackpayment", hash).code)

	d.answer(routerrpc.Router_SendToRouteV2_FullMethodName, &lnrpc.HTLCAttempt{Status: lnrpc.HTLCAttempt_FAILED, Failure: &lnrpc.Failure{Code: lnrpc.Failure_UNKNOWN_NEXT_PEER}, Route: route})
	got = typist{d: d, in: `{"hops":[]}`}.types("sendtoroute", "--payment_hash="+hash, "-")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "UNKNOWN_NEXT_PEER")
}

func TestChannelByShortID(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_ListChannels_FullMethodName, &lnrpc.ListChannelsResponse{Channels: []*lnrpc.Channel{{ChanId: scid, ChannelPoint: hash + ":7"}}})
	d.answer(lnrpc.Lightning_CloseChannel_FullMethodName, &lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_ClosePending{ClosePending: &lnrpc.PendingUpdate{Txid: wireHash()}}})
	for _, args := range [][]string{{"110x2x1"}, {hash, "7"}, {"--funding_txid=" + hash, "--output_index=7"}, {"--chan_point=" + hash + ":7"}} {
		got := typist{d: d}.types(append([]string{"closechannel", "--force"}, args...)...)
		require.Equal(t, exitOK, got.code, got.err)
		require.JSONEq(t, `{"closing_txid": "`+hash+`"}`, got.out)
		want := &lnrpc.CloseChannelRequest{ChannelPoint: channelPoint(hash, 7), Force: true}
		require.True(t, proto.Equal(want, d.request(lnrpc.Lightning_CloseChannel_FullMethodName)))
	}
	got := typist{d: d}.types("closechannel", "1x1x1")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "there is no open channel 1x1x1")
}

func TestCloseAllChannels(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_ListChannels_FullMethodName, &lnrpc.ListChannelsResponse{Channels: []*lnrpc.Channel{{ChannelPoint: hash + ":0", RemotePubkey: key1}, {ChannelPoint: "odd"}}})
	d.answer(lnrpc.Lightning_CloseChannel_FullMethodName, &lnrpc.CloseStatusUpdate{Update: &lnrpc.CloseStatusUpdate_ClosePending{ClosePending: &lnrpc.PendingUpdate{Txid: wireHash()}}})
	require.Equal(t, exitUsage, typist{d: d}.types("closeallchannels").code, "nobody confirmed")
	require.Equal(t, exitError, typist{d: d, ask: true, in: "n\n"}.types("closeallchannels").code)
	require.Nil(t, d.request(lnrpc.Lightning_CloseChannel_FullMethodName))
	got := typist{d: d, ask: true, in: "y\n"}.types("closeallchannels")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "1 of 2 channels could not be closed")
	require.Contains(t, got.out, `"closing_txid": "`+hash+`"`)
}

func TestRefusedPolicy(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_UpdateChannelPolicy_FullMethodName, &lnrpc.PolicyUpdateResponse{FailedUpdates: []*lnrpc.FailedUpdate{{UpdateError: "not found"}}})
	got := typist{d: d, term: true}.types("updatechanpolicy", "--fee_rate_ppm=7", "1", "40")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.out, "not found")
	want := &lnrpc.PolicyUpdateRequest{Scope: &lnrpc.PolicyUpdateRequest_Global{Global: true}, BaseFeeMsat: 1, FeeRatePpm: 7, TimeLockDelta: 40}
	require.True(t, proto.Equal(want, d.request(lnrpc.Lightning_UpdateChannelPolicy_FullMethodName)))
}

func TestCreateAndUnlock(t *testing.T) {
	d := startDaemon(t)
	require.NoError(t, os.Remove(d.macaroonPath()))
	words := strings.Fields(strings.Repeat("abandon ", 24))
	d.answer(lnrpc.WalletUnlocker_GenSeed_FullMethodName, &lnrpc.GenSeedResponse{CipherSeedMnemonic: words})
	d.answer(lnrpc.WalletUnlocker_InitWallet_FullMethodName, &lnrpc.InitWalletResponse{AdminMacaroon: []byte{0xab}})
	d.answer(lnrpc.WalletUnlocker_UnlockWallet_FullMethodName, &lnrpc.UnlockWalletResponse{})
	d.answer(lnrpc.State_SubscribeState_FullMethodName,
		&lnrpc.SubscribeStateResponse{State: lnrpc.WalletState_UNLOCKED}, &lnrpc.SubscribeStateResponse{State: lnrpc.WalletState_RPC_ACTIVE})
	asked := func() *lnrpc.InitWalletRequest {
		return d.request(lnrpc.WalletUnlocker_InitWallet_FullMethodName).(*lnrpc.InitWalletRequest)
	}

	got := typist{d: d, in: "password\npassword\nno\nsalt\nyes\n"}.types("create")
	require.Equal(t, exitOK, got.code, got.err)
	require.Contains(t, got.err, "24. abandon")
	require.NotContains(t, got.out, "abandon")
	require.True(t, proto.Equal(&lnrpc.InitWalletRequest{WalletPassword: []byte("password"), CipherSeedMnemonic: words, AezeedPassphrase: []byte("salt")}, asked()))

	got = typist{d: d, in: "password\npassword\nyes\n" + strings.Join(words, "  ") + "\n\n\n"}.types("create", "--stateless_init")
	require.Equal(t, exitOK, got.code, got.err)
	require.JSONEq(t, `{"admin_macaroon": "ab"}`, got.out)
	require.True(t, proto.Equal(&lnrpc.InitWalletRequest{WalletPassword: []byte("password"), CipherSeedMnemonic: words, RecoveryWindow: 2500, StatelessInit: true}, asked()))

	file := filepath.Join(t.TempDir(), "channel.backup")
	require.NoError(t, os.WriteFile(file, []byte("sealed"), 0o600))
	got = typist{d: d, in: "password\npassword\n" + strings.Join(words, " ") + "\n\n50\n"}.types("create", "--multi_file="+file)
	require.Equal(t, exitOK, got.code, got.err)
	require.True(t, proto.Equal(&lnrpc.InitWalletRequest{
		WalletPassword: []byte("password"), CipherSeedMnemonic: words, RecoveryWindow: 50,
		ChannelBackups: &lnrpc.ChanBackupSnapshot{MultiChanBackup: &lnrpc.MultiChanBackup{MultiChanBackup: []byte("sealed")}},
	}, asked()))
	require.Equal(t, exitError, typist{d: d}.types("create", "--multi_file="+file+"x").code, "no such file")
	require.Equal(t, exitUsage, typist{d: d}.types("restorechanbackup").code)
	require.Equal(t, exitUsage, typist{d: d}.types("verifychanbackup", "--multi_file="+file, "--single_backup=aa").code)
	require.Contains(t, typist{d: d}.types("exportchanbackup").err, "or --all")

	for _, in := range []string{"", "short\nshort\n", "password\npassword2\n", "password\npassword\nyes\nonly three words\n", "password\npassword\nno\n\nno\n"} {
		require.Equal(t, exitError, typist{d: d, in: in}.types("create").code, "%q", in)
	}

	got = typist{d: d, in: "password\nrest"}.types("unlock", "--stdin", "--recovery_window=5")
	require.Equal(t, exitOK, got.code, got.err)
	want := &lnrpc.UnlockWalletRequest{WalletPassword: []byte("password"), RecoveryWindow: 5}
	require.True(t, proto.Equal(want, d.request(lnrpc.WalletUnlocker_UnlockWallet_FullMethodName)))
	require.Equal(t, exitError, typist{d: d}.types("unlock").code, "no password")

	// A daemon that ends before it answers: nobody is told that all is well.
	d.answer(lnrpc.State_SubscribeState_FullMethodName, &lnrpc.SubscribeStateResponse{State: lnrpc.WalletState_UNLOCKED})
	got = typist{d: d, in: "password\n"}.types("unlock", "--stdin")
	require.Equal(t, exitError, got.code)
	require.Contains(t, got.err, "has not started")
	got = typist{d: d, in: "password\npassword\nyes\n" + strings.Join(words, "  ") + "\n\n\n"}.types("create", "--stateless_init")
	require.Equal(t, exitError, got.code)
	require.JSONEq(t, `{"admin_macaroon": "ab"}`, got.out, "it is shown this once")
}

// TestNothingTypedForNothing: whether the wallet can be made or opened is found out before
// anybody is asked for a password.
func TestNothingTypedForNothing(t *testing.T) {
	d := startDaemon(t)
	for _, c := range []struct {
		command, text, hint string
		state               lnrpc.WalletState
	}{
		{"create", "wallet already exists", "fulgur unlock", lnrpc.WalletState_LOCKED},
		{"create", "wallet already exists", "fulgur getinfo", lnrpc.WalletState_SERVER_ACTIVE},
		{"unlock", "there is no wallet yet", "fulgur create", lnrpc.WalletState_NON_EXISTING},
		{"unlock", "wallet already unlocked", "restart", lnrpc.WalletState_RPC_ACTIVE},
		{"changepassword", "there is no wallet yet", "fulgur create", lnrpc.WalletState_NON_EXISTING},
		{"changepassword", "wallet already unlocked", "restart", lnrpc.WalletState_UNLOCKED},
	} {
		d.answer(lnrpc.State_GetState_FullMethodName, &lnrpc.GetStateResponse{State: c.state})
		got := typist{d: d, in: "password\n"}.types(c.command)
		require.Equal(t, exitError, got.code, c.command)
		require.Contains(t, got.err, c.text)
		require.Contains(t, got.err, c.hint)
		require.NotContains(t, got.err, "password:", "nobody was asked")
	}
	d.addr = "127.0.0.1:1"
	for _, command := range []string{"create", "unlock", "changepassword"} {
		got := typist{d: d, in: "password\n"}.types(command)
		require.Contains(t, got.err, "no daemon answers", command)
	}
}

// TestInterruptedPrompt: a prompt ends with the interrupt, not with the next line.
func TestInterruptedPrompt(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_ListChannels_FullMethodName, &lnrpc.ListChannelsResponse{Channels: []*lnrpc.Channel{{ChannelPoint: hash + ":0", RemotePubkey: key1}}})
	for _, args := range [][]string{{"create"}, {"unlock"}, {"unlock", "--stdin"}, {"closeallchannels"}} {
		ctx, cancel := context.WithCancel(context.Background())
		never := make(chan struct{})
		block := func() { cancel(); <-never }
		var errs strings.Builder
		app := &App{In: stuck(block), InTerm: true, Out: io.Discard, Err: &errs, Secret: func(string) ([]byte, error) { block(); return nil, io.EOF }}
		code := app.Run(ctx, append([]string{"fulgur", "--rpcserver=" + d.addr, "--fulgurdir=" + d.dir, "--network=regtest"}, args...))
		close(never)
		require.Equal(t, exitError, code)
		require.Contains(t, errs.String(), "interrupted", args)
	}
}

// stuck is a terminal at which nobody types.
type stuck func()

func (s stuck) Read([]byte) (int, error) { s(); return 0, io.EOF }

func TestQRIsForEyes(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_NewAddress_FullMethodName, &lnrpc.NewAddressResponse{Address: "bcrt1q"})
	require.Contains(t, typist{d: d, term: true}.types("newaddress", "--qr").out, "█")
	piped := typist{d: d}.types("newaddress", "--qr")
	require.NotContains(t, piped.out, "█")
	require.Contains(t, piped.err, "█")
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := typist{}.types("completion", shell)
		require.Equal(t, exitOK, got.code, got.err)
		require.Contains(t, got.out, "fulgur")
		require.Contains(t, got.out, "--generate-shell-completion")
	}
	require.True(t, strings.HasPrefix(typist{}.types("completion", "bash").out, "declare -F _get_comp_words_by_ref"), "bash alone lacks it")
	require.NotEqual(t, exitOK, typist{}.types("completion", "tcsh").code)
	// The library looks at the process's own arguments to find the word to complete.
	old := os.Args
	defer func() { os.Args = old }()
	for want, args := range map[string][]string{"closechannel:": nil, "--force:": {"closechannel", "--f"}} {
		args = append(args, "--generate-shell-completion")
		os.Args = append([]string{"fulgur"}, args...)
		require.Contains(t, typist{}.types(args...).out, want)
	}
}

func TestInterrupt(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_GetInfo_FullMethodName, &lnrpc.GetInfoResponse{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var errs strings.Builder
	app := &App{In: strings.NewReader(""), Out: io.Discard, Err: &errs}
	code := app.Run(ctx, []string{"fulgur", "--rpcserver=" + d.addr, "--fulgurdir=" + d.dir, "getinfo"})
	require.Equal(t, exitError, code)
	require.Contains(t, errs.String(), "interrupted")
}
