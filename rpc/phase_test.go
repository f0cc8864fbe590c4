package rpc

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// TestPhases walks through the start of a node and tries four methods in each state.
func TestPhases(t *testing.T) {
	n := starting(t)
	n.provide(&lightning{})
	conn := n.dial(n.admin())
	lightning, unlock, state := lnrpc.NewLightningClient(conn), lnrpc.NewWalletUnlockerClient(n.dial(nil)), lnrpc.NewStateClient(n.dial(nil))
	const (
		waiting  = "waiting to start, RPC services not available"
		none     = "wallet not created, create one to enable full RPC access"
		locked   = "wallet locked, unlock it to enable full RPC access"
		unlocked = "wallet already unlocked, WalletUnlocker service is no longer available"
		early    = "the RPC server is in the process of starting up, but not yet ready to accept calls"
	)
	for _, tc := range []struct {
		state                 lnrpc.WalletState
		unlocker, info, stops string // "": allowed
	}{
		{lnrpc.WalletState_WAITING_TO_START, waiting, waiting, waiting},
		{lnrpc.WalletState_NON_EXISTING, "", none, none},
		{lnrpc.WalletState_LOCKED, "", locked, locked},
		{lnrpc.WalletState_UNLOCKED, unlocked, early, ""},
		{lnrpc.WalletState_RPC_ACTIVE, unlocked, "", ""},
		{lnrpc.WalletState_SERVER_ACTIVE, unlocked, "", ""},
	} {
		require.NoError(t, n.SetState(tc.state))
		require.NoError(t, n.SetState(tc.state), "to stay is no error")
		expect := func(text string, err error) {
			t.Helper()
			if text == "" {
				require.NoError(t, err)
				return
			}
			requireStatus(t, err, uint32(codes.Unknown), text)
		}
		answer, err := state.GetState(t.Context(), &lnrpc.GetStateRequest{})
		require.NoError(t, err)
		require.Equal(t, tc.state, answer.State)
		_, err = unlock.GenSeed(t.Context(), &lnrpc.GenSeedRequest{})
		expect(tc.unlocker, err)
		_, err = lightning.GetInfo(t.Context(), &lnrpc.GetInfoRequest{})
		expect(tc.info, err)
		_, err = lightning.StopDaemon(t.Context(), &lnrpc.StopRequest{})
		expect(tc.stops, err)
	}
	require.EqualError(t, n.SetState(lnrpc.WalletState_LOCKED), "set state: cannot go from SERVER_ACTIVE to LOCKED")
}

// TestEarlyRESTCalls shows the same refusals over REST; the unlocker's request is read without a macaroon.
func TestEarlyRESTCalls(t *testing.T) {
	n := starting(t)
	n.provide(&lightning{})
	r := n.request("GET", "/v1/getinfo", "")
	status, body := n.do(r)
	require.Equal(t, 500, status)
	require.JSONEq(t, `{"code":2,"message":"waiting to start, RPC services not available","details":[]}`, body)

	require.NoError(t, n.SetState(lnrpc.WalletState_LOCKED))
	r = n.request("POST", "/v1/unlockwallet", `{"wallet_password":"not base64!"}`)
	r.Header.Del("Grpc-Metadata-macaroon")
	status, body = n.do(r)
	require.Equal(t, 400, status)
	require.Contains(t, body, "invalid value for bytes field walletPassword")
	r = n.request("POST", "/v1/unlockwallet", `{"wallet_password":"d2hlcmUgZnJvbT8="}`)
	r.Header.Del("Grpc-Metadata-macaroon")
	_, body = n.do(r)
	require.Contains(t, body, `"127.0.0.1"`, "the address of the REST client")
	_, err := lnrpc.NewWalletUnlockerClient(n.dial(nil)).UnlockWallet(t.Context(), &lnrpc.UnlockWalletRequest{WalletPassword: []byte("where from?")})
	require.ErrorContains(t, err, "127.0.0.1")
	r = n.request("GET", "/v1/genseed?aezeed_passphrase=cGFzcw==", "")
	r.Header.Del("Grpc-Metadata-macaroon")
	status, body = n.do(r)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"cipher_seed_mnemonic":["pass"],"enciphered_seed":""}`, body)

	require.NoError(t, n.SetState(lnrpc.WalletState_UNLOCKED))
	status, body = n.do(n.request("POST", "/v1/stop", "{}"))
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"status":"stopping"}`, body)
}

// TestSubscribeState delivers the current state at once and every later one, also to a client that does not listen.
func TestSubscribeState(t *testing.T) {
	n := starting(t)
	require.NoError(t, n.SetState(lnrpc.WalletState_NON_EXISTING))
	stream, err := lnrpc.NewStateClient(n.dial(nil)).SubscribeState(t.Context(), &lnrpc.SubscribeStateRequest{})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, lnrpc.WalletState_NON_EXISTING, first.State)

	rest := []lnrpc.WalletState{lnrpc.WalletState_UNLOCKED, lnrpc.WalletState_RPC_ACTIVE, lnrpc.WalletState_SERVER_ACTIVE}
	for _, state := range rest {
		require.NoError(t, n.SetState(state))
	}
	for _, state := range rest {
		update, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, state, update.State)
	}
	n.stop()
	_, err = stream.Recv()
	requireStatus(t, err, uint32(codes.Unavailable), "server exiting")
}

func TestTooManyWatchers(t *testing.T) {
	n := starting(t)
	client := lnrpc.NewStateClient(n.dial(nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := func() error {
		stream, err := client.SubscribeState(ctx, &lnrpc.SubscribeStateRequest{})
		require.NoError(t, err)
		_, err = stream.Recv()
		return err
	}
	for range maxWatchers {
		require.NoError(t, watch())
	}
	requireStatus(t, watch(), uint32(codes.ResourceExhausted), "too many subscriptions: at most 100")
	_, err := client.GetState(t.Context(), &lnrpc.GetStateRequest{})
	require.NoError(t, err, "asking still works")
}
