package itest

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/verrpc"
)

// TestWhatClientsReadFirst: what wallets and tools look at before anything else.
func TestWhatClientsReadFirst(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	n := w.Node("alice", "--color=#123456", "--externalip=203.0.113.7:9999")
	i := n.Info()
	require.Regexp(t, `^\d+\.\d+\.\d+-`, i.Version)
	require.Equal(t, "regtest", i.Chains[0].Network)
	require.Equal(t, []string{"alice", "#123456", i.IdentityPubkey + "@203.0.113.7:9999"}, []string{i.Alias, i.Color, i.Uris[0]})
	v, err := verrpc.NewVersionerClient(n.Conn).GetVersion(rig.Soon(t), &verrpc.VersionRequest{})
	require.NoError(t, err)
	for _, tag := range []string{"walletrpc", "chainrpc", "invoicesrpc", "routerrpc"} {
		require.Contains(t, v.BuildTags, tag)
	}
	require.Contains(t, []int{0, 40}, len(v.CommitHash))
	for _, name := range []string{"admin", "readonly", "invoice", "invoices", "router", "walletkit", "chainnotifier"} {
		require.NotEmpty(t, n.Macaroon(name), name)
	}
	blocks, err := chainrpc.NewChainNotifierClient(n.Conn).RegisterBlockEpochNtfn(rig.Soon(t), &chainrpc.BlockEpoch{})
	require.NoError(t, err)
	for range 2 { // the one that is, and the next
		b, err := blocks.Recv()
		require.NoError(t, err)
		height, hash, err := w.Chain.Tip(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint32(height), b.Height)
		require.Equal(t, hash[:], b.Hash)
		w.Mine(1)
	}
	_, err = n.LN.StopDaemon(rig.Soon(t), &lnrpc.StopRequest{})
	require.NoError(t, err)
	n.ExpectEnd = true
	require.Zero(t, n.Proc.Ended(t))
	require.Contains(t, rig.LastLine(n.Log()), "Shutdown complete")
}

// TestTexts: the words by which clients tell refusals apart.
func TestTexts(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob")
	err := alice.Conn.Invoke(rig.Soon(t), "/towerrpc.Tower/Climb", &lnrpc.GetInfoRequest{}, &lnrpc.GetInfoResponse{})
	require.Equal(t, "unknown service towerrpc.Tower", status.Convert(err).Message())
	require.Equal(t, codes.Unimplemented, status.Code(err))
	err = alice.Conn.Invoke(rig.Soon(t), "/lnrpc.Lightning/Climb", &lnrpc.GetInfoRequest{}, &lnrpc.GetInfoResponse{})
	require.Equal(t, "unknown method Climb for service lnrpc.Lightning", status.Convert(err).Message())
	alice.Connect(bob)
	for words, ask := range map[string]func() error{
		"already connected to peer": func() error {
			_, err := alice.LN.ConnectPeer(rig.Soon(t), &lnrpc.ConnectPeerRequest{Addr: &lnrpc.LightningAddress{Pubkey: bob.ID, Host: bob.P2P}})
			return err
		},
		"unable to find node": func() error {
			_, err := alice.LN.GetNodeInfo(rig.Soon(t), &lnrpc.NodeInfoRequest{PubKey: bob.ID})
			return err
		},
		"edge not found": func() error {
			_, err := alice.LN.GetChanInfo(rig.Soon(t), &lnrpc.ChanInfoRequest{ChanId: 1})
			return err
		},
		"unable to locate invoice": func() error {
			_, err := alice.LN.LookupInvoice(rig.Soon(t), &lnrpc.PaymentHash{RHash: make([]byte, 32)})
			return err
		},
		"payment isn't initiated": func() error { _, err := alice.TrackOr(make([]byte, 32)); return err },
		"is not connected": func() error {
			_, err := alice.LN.DisconnectPeer(rig.Soon(t), &lnrpc.DisconnectPeerRequest{PubKey: strings.Repeat("02", 33)})
			return err
		},
		"insufficient funds available to construct transaction": func() error {
			_, err := alice.LN.SendCoins(rig.Soon(t), &lnrpc.SendCoinsRequest{Addr: bob.Address(), Amount: 5000})
			return err
		},
	} {
		require.ErrorContains(t, ask(), words)
	}
}

// TestRubbish throws at every door of the node what does not belong there. It must hurt
// nobody else.
func TestRubbish(t *testing.T) {
	t.Parallel()
	w := rig.NewWorld(t)
	alice, bob, point := w.Pair()
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for _, addr := range []string{alice.P2P, alice.RPC, alice.REST} {
		for _, rubbish := range [][]byte{nil, {0}, random, []byte("GET / HTTP/1.1\r\n\r\n"), []byte(strings.Repeat("\x00", 50)), random[:49]} {
			conn, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			_, _ = conn.Write(rubbish) // the node may hang up before it is all out
			require.NoError(t, conn.Close())
		}
	}
	var open []net.Conn
	for range 50 { // and says nothing
		conn, err := net.Dial("tcp", alice.P2P)
		require.NoError(t, err)
		open = append(open, conn)
	}
	alice.Pay(bob.Invoice(1_000_000))
	require.True(t, alice.Channel(point).Active)
	w.Node("carol").Connect(alice)
	for _, conn := range open {
		require.NoError(t, conn.Close())
	}

	web := alice.Web()
	for path, body := range map[string]any{
		"/v1/invoices":    map[string]any{"valu": "5"},
		"/v1/channels":    map[string]any{"local_funding_amount": "a lot"},
		"/v2/router/send": []int{1, 2},
		"/v1/peers":       "peer",
	} {
		require.NotEmpty(t, web.Refused(http.MethodPost, path, body), path)
	}
	resp := web.Do(http.MethodGet, "/v1/nowhere", nil)
	resp.Body.Close()
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	request, err := http.NewRequestWithContext(rig.Soon(t), http.MethodPost, "https://"+alice.REST+"/v1/invoices", io.LimitReader(endless{}, 1<<30))
	require.NoError(t, err)
	if resp, err := web.HTTP.Do(request); err == nil { // without a macaroon nobody reads that
		require.NotEqual(t, http.StatusOK, resp.StatusCode)
		resp.Body.Close()
	}
	foreignPages(t, alice, web)
	mistakes(t, alice, bob)
	strange(t, alice, bob)
	alice.Pay(bob.Invoice(1_000_000))
}

// endless is a body that does not end by itself.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '['
	}
	return len(p), nil
}

// foreignPages: a page of somebody else in the user's browser gets no WebSocket, and
// without a macaroon nothing under a name that was bent to this machine.
func foreignPages(t *testing.T, n *rig.Node, web *rig.Web) {
	t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: n.Certificate()}}
	_, resp, err := dialer.DialContext(rig.Soon(t), "wss://"+n.REST+"/v1/invoices/subscribe?method=GET",
		http.Header{"Origin": {"https://evil.example"}, "Grpc-Metadata-Macaroon": {web.Macaroon}})
	require.Error(t, err)
	require.NotEqual(t, http.StatusSwitchingProtocols, resp.StatusCode)
	resp.Body.Close()
	request, err := http.NewRequestWithContext(rig.Soon(t), http.MethodGet, "https://"+n.REST+"/v1/state", nil)
	require.NoError(t, err)
	request.Host = "evil.example"
	resp, err = web.HTTP.Do(request)
	require.NoError(t, err)
	require.NotEqual(t, http.StatusOK, resp.StatusCode)
	resp.Body.Close()
}
