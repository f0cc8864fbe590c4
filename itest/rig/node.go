package rig

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	"github.com/fulgur-ln/fulgur/proto/invoicesrpc"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
)

// Program is a daemon that answers to our proto.
type Program struct {
	Binary   func(testing.TB) string // the path
	Args     func(*Node) []string    // the command line, without the node's own options
	LastWord string                  // what it prints at a good end
}

// fulgurd is the program of the house.
var fulgurd = Program{
	Binary:   func(t testing.TB) string { return Binary(t, "fulgurd") },
	Args:     (*Node).fulgurdArgs,
	LastWord: "Shutdown complete",
}

// Node is one daemon: its directory and addresses stay, its process comes and goes.
type Node struct {
	World          *World
	T              testing.TB
	program        Program
	Name, Dir      string
	RPC, REST, P2P string // host:port
	Options        []string
	ID             string // hex; known after the first start
	Proc           *Process
	ExpectEnd      bool       // the test has ended the process itself
	mu             sync.Mutex // held when the clients change
	Conn           *grpc.ClientConn
	LN             lnrpc.LightningClient
	Router         routerrpc.RouterClient
	Invoices       invoicesrpc.InvoicesClient
	Kit            walletrpc.WalletKitClient
	launches       int
}

func (n *Node) choosePorts() {
	n.RPC, n.REST, n.P2P = FreeAddr(n.T), FreeAddr(n.T), FreeAddr(n.T)
}

// Args is the command line of the daemon.
func (n *Node) Args() []string { return append(n.program.Args(n), n.Options...) }

func (n *Node) fulgurdArgs() []string {
	user, pass := n.World.Chain.Credentials()
	args := []string{
		"--fulgurdir=" + n.Dir, "--alias=" + n.Name, "--bitcoin." + n.World.Network(),
		"--btcd.rpchost=" + n.World.Chain.RPCAddr(), "--btcd.rpcuser=" + user, "--btcd.rpcpass=" + pass,
		"--btcd.rpccert=" + n.World.Chain.CertPath(),
		"--rpclisten=" + n.RPC, "--restlisten=" + n.REST, "--listen=" + n.P2P,
		"--nobootstrap", "--trickledelay=50", "--minbackoff=20ms", "--maxbackoff=300ms", "--maxpendingchannels=10",
		"--debuglevel=debug",
	}
	if n.World.Fees != "" {
		args = append(args, "--fee.url="+n.World.Fees)
	}
	return args
}

// Launch starts the process and waits for nothing.
func (n *Node) Launch() {
	n.T.Helper()
	require.False(n.T, n.Up(), "%s runs already", n.Name)
	n.launches++
	out, err := os.OpenFile(n.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(n.T, err)
	defer out.Close()
	fmt.Fprintf(out, "---- launch %d\n", n.launches)
	cmd := exec.Command(n.program.Binary(n.T), n.Args()...)
	cmd.Stdout, cmd.Stderr = out, out
	n.Proc, err = Spawn(cmd)
	require.NoError(n.T, err)
	n.ExpectEnd = false
}

// LogPath lies outside the node's directory, so that it can be written whatever is
// done to that.
func (n *Node) LogPath() string { return n.Dir + ".log" }

// Log is everything that the processes of the node have printed.
func (n *Node) Log() string {
	text, err := os.ReadFile(n.LogPath())
	require.NoError(n.T, err)
	return string(text)
}

// Start starts the process and waits until every method works and the chain is seen.
func (n *Node) Start() {
	n.T.Helper()
	n.Launch()
	n.Await(lnrpc.WalletState_SERVER_ACTIVE)
	n.ConnectAPI()
	n.Synced()
}

// Up: the process runs.
func (n *Node) Up() bool { return n.Proc != nil && n.Proc.Running() }

// Certificate waits for the TLS certificate that the daemon makes.
func (n *Node) Certificate() *x509.CertPool {
	n.T.Helper()
	pool := x509.NewCertPool()
	Eventually(n.T, n.Name+"'s certificate", func() bool {
		pem, err := os.ReadFile(filepath.Join(n.Dir, "tls.cert"))
		if !n.Up() {
			n.T.Fatalf("%s ended by itself: %v\n%s", n.Name, n.Proc.Err, Tail(n.Log(), 3000))
		}
		return err == nil && pool.AppendCertsFromPEM(pem)
	})
	return pool
}

// Dial connects with a macaroon, or without for nil.
func (n *Node) Dial(macaroon []byte) *grpc.ClientConn {
	n.T.Helper()
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(n.Certificate(), "")),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
		grpc.WithConnectParams(grpc.ConnectParams{ // the daemon is just starting
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.5, MaxDelay: 100 * time.Millisecond},
			MinConnectTimeout: AtOnce,
		}),
	}
	if macaroon != nil {
		options = append(options, grpc.WithPerRPCCredentials(Bearer(macaroon)))
	}
	conn, err := grpc.NewClient(n.RPC, options...)
	require.NoError(n.T, err)
	n.T.Cleanup(func() { conn.Close() })
	return conn
}

// Bearer sends a macaroon with every call.
type Bearer []byte

// GetRequestMetadata: see credentials.PerRPCCredentials.
func (b Bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"macaroon": hex.EncodeToString(b)}, nil
}

// RequireTransportSecurity: see credentials.PerRPCCredentials.
func (b Bearer) RequireTransportSecurity() bool { return true }

// Await follows the stream of states until the wanted one; no macaroon is needed.
func (n *Node) Await(want lnrpc.WalletState) {
	n.T.Helper()
	if err := n.Reach(want); err != nil {
		n.T.Fatalf("%s does not become %v: %v\n%s", n.Name, want, err, Tail(n.Log(), 3000))
	}
}

// Reach is Await for who can go on without it: the error says what came instead.
func (n *Node) Reach(want lnrpc.WalletState) error {
	n.T.Helper()
	state := lnrpc.NewStateClient(n.Dial(nil))
	ctx, cancel := context.WithTimeout(n.T.Context(), Patience)
	defer cancel()
	go func(p *Process) {
		select {
		case <-p.Done:
			cancel()
		case <-ctx.Done():
		}
	}(n.Proc)
	stream, err := state.SubscribeState(ctx, &lnrpc.SubscribeStateRequest{}, grpc.WaitForReady(true))
	for err == nil {
		var s *lnrpc.SubscribeStateResponse
		if s, err = stream.Recv(); err == nil && s.State == want {
			return nil
		}
	}
	return err
}

// Macaroon is one of the macaroon files.
func (n *Node) Macaroon(name string) []byte {
	n.T.Helper()
	raw, err := os.ReadFile(filepath.Join(n.ChainDir(), name+".macaroon"))
	require.NoError(n.T, err)
	return raw
}

// ChainDir is where the node keeps its wallet and its macaroons.
func (n *Node) ChainDir() string {
	return filepath.Join(n.Dir, "data", "chain", "bitcoin", n.World.Network())
}

// ConnectAPI connects the clients with the admin macaroon.
func (n *Node) ConnectAPI() {
	n.T.Helper()
	n.mu.Lock()
	n.Conn = n.Dial(n.Macaroon("admin"))
	n.LN, n.Router = lnrpc.NewLightningClient(n.Conn), routerrpc.NewRouterClient(n.Conn)
	n.Invoices, n.Kit = invoicesrpc.NewInvoicesClient(n.Conn), walletrpc.NewWalletKitClient(n.Conn)
	n.mu.Unlock()
	n.ID = n.Info().IdentityPubkey
}

// Clients are the clients of the latest start, for goroutines other than the test's.
func (n *Node) Clients() (lnrpc.LightningClient, routerrpc.RouterClient) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.LN, n.Router
}

// API is the connection of the latest start, for goroutines other than the test's.
func (n *Node) API() *grpc.ClientConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Conn
}

// Info is what GetInfo answers.
func (n *Node) Info() *lnrpc.GetInfoResponse {
	n.T.Helper()
	info, err := n.LN.GetInfo(Soon(n.T), &lnrpc.GetInfoRequest{}, grpc.WaitForReady(true))
	require.NoError(n.T, err, n.Name)
	return info
}

// Synced waits until the node is where the chain is.
func (n *Node) Synced() {
	n.T.Helper()
	Eventually(n.T, n.Name+" follows the chain", func() bool {
		height, hash, err := n.World.Chain.Tip(n.T.Context())
		require.NoError(n.T, err)
		i := n.Info()
		return i.SyncedToChain && i.BlockHeight == uint32(height) && i.BlockHash == hash.String()
	})
}

// Stop ends the process as an operator would, and holds it to a good end.
func (n *Node) Stop() {
	n.T.Helper()
	n.ExpectEnd = true
	require.NoError(n.T, n.Proc.Cmd.Process.Signal(syscall.SIGTERM))
	code := n.Proc.Ended(n.T)
	require.Zero(n.T, code, "%s ends with status %d\n%s", n.Name, code, Tail(n.Log(), 3000))
	require.Contains(n.T, LastLine(n.Log()), n.program.LastWord)
	n.HangUp()
}

// Kill ends the process as a power cut would.
func (n *Node) Kill() {
	n.T.Helper()
	require.True(n.T, n.Up(), "%s ended by itself: %v\n%s", n.Name, n.Proc.Err, Tail(n.Log(), 3000))
	n.ExpectEnd = true
	n.Proc.Kill()
	n.HangUp()
}

// HangUp closes the connection of the clients.
func (n *Node) HangUp() {
	if n.Conn != nil {
		n.Conn.Close()
	}
}

// Restart is stop and start on the same directory.
func (n *Node) Restart() {
	n.T.Helper()
	n.Stop()
	n.Start()
}

// cleanup ends the process with the test, and shows what it printed if that failed.
func (n *Node) cleanup() {
	switch {
	case n.Proc == nil:
		return
	case n.Up():
		n.HangUp()
		_ = n.Proc.Cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-n.Proc.Done:
			if n.Proc.Err != nil || !strings.Contains(LastLine(n.Log()), n.program.LastWord) {
				n.T.Errorf("%s does not end well: %v", n.Name, n.Proc.Err)
			}
		case <-time.After(Patience):
			_ = n.Proc.Cmd.Process.Signal(syscall.SIGQUIT) // shows where it hangs
			select {
			case <-n.Proc.Done:
			case <-time.After(AtOnce):
				n.Proc.Kill()
			}
			n.T.Errorf("%s does not end on SIGTERM", n.Name)
		}
	case !n.ExpectEnd:
		n.T.Errorf("%s ended by itself: %v", n.Name, n.Proc.Err)
	}
	if n.T.Failed() {
		n.T.Logf("what %s printed last:\n%s", n.Name, Tail(n.Log(), 12_000))
		if keep := os.Getenv("FULGUR_ITEST_LOGS"); keep != "" {
			path := filepath.Join(keep, filepath.Base(n.T.Name())+"-"+n.Name+".log")
			_ = os.WriteFile(path, []byte(n.Log()), 0o600)
		}
	}
}

// LastLine is the last line that is not empty.
func LastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
