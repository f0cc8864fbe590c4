package command

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

func TestLndConnect(t *testing.T) {
	d := startDaemon(t)
	out := typist{d: d, term: true}.types("lndconnect", "--host=mynode.local", "--rest", "--qr").out
	link, code, _ := strings.Cut(out, "\n")
	require.Contains(t, code, "█")
	u, err := url.Parse(link)
	require.NoError(t, err)
	require.Equal(t, "lndconnect", u.Scheme)
	require.Equal(t, "mynode.local:8080", u.Host)
	secret, err := os.ReadFile(d.macaroonPath())
	require.NoError(t, err)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(secret), u.Query().Get("macaroon"))
	text, err := os.ReadFile(filepath.Join(d.dir, "tls.cert"))
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(block.Bytes), u.Query().Get("cert"))

	require.NotContains(t, typist{d: d, term: true}.types("lndconnect", "--nocert").out, "cert=")
	require.Contains(t, typist{d: d, term: true}.types("lndconnect", "--btcpay=text").out, "type=lnd-rest;server=https://127.0.0.1:8080/;macaroon=")
	require.Equal(t, exitUsage, typist{d: d}.types("lndconnect", "--btcpay=stone").code)
}

// TestContents: every command stands in the help and in the manual, in a group that both know.
func TestContents(t *testing.T) {
	a := &App{}
	root := a.root()
	help := contents(root)
	var page strings.Builder
	r := &roff{w: &page}
	r.page(root)
	require.NoError(t, r.err)
	for _, c := range root.Commands {
		if c.Name == "help" || c.Name == "completion" {
			continue
		}
		require.Contains(t, groups, c.Category, c.Name)
		require.Contains(t, help, "  "+c.Name+" ")
		require.True(t, strings.Contains(page.String(), ".SS \""+escape("fulgur "+c.Name)), "%s is not in the manual", c.Name)
	}
	require.False(t, strings.Contains(page.String(), "\n'"), "a line that roff would obey")
}

func TestProfiles(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_GetInfo_FullMethodName, &lnrpc.GetInfoResponse{Alias: "far away"})
	run := func(args ...string) (string, int) {
		var out, errs strings.Builder
		code := (&App{Out: &out, Err: &errs}).Run(t.Context(), append([]string{"fulgur"}, args...))
		return out.String() + errs.String(), code
	}
	_, code := run("--rpcserver="+d.addr, "profile", "add", "far", "--fulgurdir="+d.dir, "--network=regtest")
	require.Zero(t, code)
	out, code := run("--profile=far", "getinfo")
	require.Zero(t, code, out)
	require.Contains(t, out, "far away")
	out, code = run("--profile=near", "getinfo")
	require.Equal(t, exitUsage, code)
	require.Contains(t, out, "no such profile")

	_, code = run("profile", "setdefault", "far")
	require.Zero(t, code)
	_, code = run("getinfo")
	require.Zero(t, code)
	_, code = run("--rpcserver=127.0.0.1:1", "getinfo")
	require.Equal(t, exitError, code, "what is typed counts")
	out, _ = run("profile", "list")
	require.Contains(t, out, `"default": "far"`)
	info, err := os.Stat(filepath.Join(home, ".fulgur", "profiles.json"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	_, code = run("profile", "remove", "far")
	require.Zero(t, code)
	out, _ = run("profile", "list")
	require.NotContains(t, out, "far")
	for _, wrong := range [][]string{{"profile", "remove", "far"}, {"profile", "setdefault", "far"}, {"profile", "add"}, {"profile", "add", "x"}} {
		_, code = run(wrong...)
		require.Equal(t, exitUsage, code, wrong)
	}
}

func TestReport(t *testing.T) {
	d := startDaemon(t)
	d.answer(lnrpc.Lightning_ListChannels_FullMethodName, &lnrpc.ListChannelsResponse{Channels: []*lnrpc.Channel{
		{ChanId: scid, RemotePubkey: key1, PeerAlias: "bob", Capacity: 1_000_000, LocalBalance: 750_000, RemoteBalance: 250_000},
		{ChanId: scid + 1, RemotePubkey: key2, Capacity: 500_000, LocalBalance: 0, RemoteBalance: 500_000},
	}})
	d.answer(lnrpc.Lightning_FeeReport_FullMethodName, &lnrpc.FeeReportResponse{ChannelFees: []*lnrpc.ChannelFeeReport{
		{ChanId: scid, BaseFeeMsat: 1000, FeePerMil: 100}, {ChanId: scid + 1, BaseFeeMsat: 0, FeePerMil: 5, InboundFeePerMil: -3},
	}})
	d.answer(lnrpc.Lightning_ForwardingHistory_FullMethodName, &lnrpc.ForwardingHistoryResponse{LastOffsetIndex: 0, ForwardingEvents: []*lnrpc.ForwardingEvent{
		{ChanIdIn: scid + 1, ChanIdOut: scid, AmtInMsat: 101_000, AmtOutMsat: 100_000, FeeMsat: 1000},
		{ChanIdIn: 7, ChanIdOut: scid, AmtInMsat: 50_500, AmtOutMsat: 50_000, FeeMsat: 500},
	}})
	out := typist{d: d, term: true}.types("report", "--start_time=1700000000").out
	golden(t, "report.txt", out)
	require.Contains(t, typist{d: d}.types("report").out, `"earned_by_what_went_out_msat": "1500"`)
}

func TestWatch(t *testing.T) {
	d := startDaemon(t)
	for _, wrong := range [][]string{{"watch", "paint"}, {"watch", "--every=1ms"}, {"watch", "--json"}} {
		require.Equal(t, exitUsage, typist{d: d, term: true}.types(wrong...).code, wrong)
	}
	d.answer(lnrpc.Lightning_GetInfo_FullMethodName, &lnrpc.GetInfoResponse{Alias: "alice", BlockHeight: 800_000})
	d.answer(lnrpc.Lightning_ListPayments_FullMethodName, &lnrpc.ListPaymentsResponse{Payments: []*lnrpc.Payment{
		{PaymentHash: hash, ValueMsat: 1000, Status: lnrpc.Payment_FAILED, FailureReason: lnrpc.PaymentFailureReason_FAILURE_REASON_TIMEOUT},
	}})
	d.answer(lnrpc.Lightning_ListChannels_FullMethodName, &lnrpc.ListChannelsResponse{})
	d.answer(lnrpc.Lightning_ForwardingHistory_FullMethodName, &lnrpc.ForwardingHistoryResponse{})
	conn, err := client.Dial(t.Context(), client.Target{Server: d.addr, Dir: d.dir, TLSCert: filepath.Join(d.dir, "tls.cert"), Macaroon: d.macaroonPath(), MacaroonLife: time.Minute})
	require.NoError(t, err)
	defer conn.Close()
	ln := lnrpc.NewLightningClient(conn)
	var screen strings.Builder
	require.NoError(t, drawAll(t.Context(), ln, &screen, views))
	for _, want := range []string{"alice  block 800,000", "channels\nnone", "failed: no attempt got through in time", "forwards\nnone"} {
		require.Contains(t, screen.String(), want)
	}
}

// TestOpenFromElsewhere: a channel is funded in a conversation; what goes wrong cancels it.
func TestOpenFromElsewhere(t *testing.T) {
	d := startDaemon(t)
	id := bytes.Repeat([]byte{7}, 32)
	fund := &lnrpc.OpenStatusUpdate{PendingChanId: id, Update: &lnrpc.OpenStatusUpdate_PsbtFund{PsbtFund: &lnrpc.ReadyForPsbtFunding{
		FundingAddress: "bcrt1qaddress", FundingAmount: 50_000, Psbt: []byte("psbt"),
	}}}
	pending := &lnrpc.OpenStatusUpdate{Update: &lnrpc.OpenStatusUpdate_ChanPending{ChanPending: &lnrpc.PendingUpdate{Txid: make([]byte, 32)}}}
	d.answer(lnrpc.Lightning_OpenChannel_FullMethodName, fund, pending)
	d.answer(lnrpc.Lightning_FundingStateStep_FullMethodName, &lnrpc.FundingStateStepResp{})
	out := typist{d: d, in: "ZnVuZGVk\n0200\n"}.types("openchannel", "--psbt", "--no_publish", key1, "50000")
	require.Equal(t, exitOK, out.code, out.err)
	require.Contains(t, out.err, "bcrt1qaddress")
	asked := d.request(lnrpc.Lightning_OpenChannel_FullMethodName).(*lnrpc.OpenChannelRequest)
	require.Len(t, asked.GetFundingShim().GetPsbtShim().GetPendingChanId(), 32)
	require.True(t, asked.GetFundingShim().GetPsbtShim().NoPublish)
	step := d.request(lnrpc.Lightning_FundingStateStep_FullMethodName).(*lnrpc.FundingTransitionMsg)
	require.Equal(t, []byte{2, 0}, step.GetPsbtFinalize().GetFinalRawTx())
	require.Equal(t, id, step.GetPsbtFinalize().GetPendingChanId())

	out = typist{d: d, in: "no base64!\n"}.types("openchannel", "--psbt", key1, "50000")
	require.Equal(t, exitUsage, out.code)
	step = d.request(lnrpc.Lightning_FundingStateStep_FullMethodName).(*lnrpc.FundingTransitionMsg)
	require.Equal(t, id, step.GetShimCancel().GetPendingChanId())
	require.Equal(t, exitUsage, typist{d: d}.types("openchannel", "--no_publish", key1, "50000").code)
}
