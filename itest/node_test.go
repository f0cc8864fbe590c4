package itest

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

// node is one fulgurd: its directory and addresses stay, its process comes and goes.
type node struct {
	w              *world
	t              testing.TB
	name, dir      string
	rpc, rest, p2p string // host:port
	options        []string
	id             string // hex; known after the first start
	proc           *process
	expectEnd      bool       // the test has ended the process itself
	mu             sync.Mutex // held when the clients change
	conn           *grpc.ClientConn
	ln             lnrpc.LightningClient
	router         routerrpc.RouterClient
	invoices       invoicesrpc.InvoicesClient
	kit            walletrpc.WalletKitClient
	launches       int
}

func (n *node) choosePorts() {
	n.rpc, n.rest, n.p2p = freeAddr(n.t), freeAddr(n.t), freeAddr(n.t)
}

// args is the command line of the daemon.
func (n *node) args() []string {
	user, pass := n.w.chain.Credentials()
	args := []string{
		"--fulgurdir=" + n.dir, "--alias=" + n.name, "--bitcoin." + n.w.network(),
		"--btcd.rpchost=" + n.w.chain.RPCAddr(), "--btcd.rpcuser=" + user, "--btcd.rpcpass=" + pass,
		"--btcd.rpccert=" + n.w.chain.CertPath(),
		"--rpclisten=" + n.rpc, "--restlisten=" + n.rest, "--listen=" + n.p2p,
		"--nobootstrap", "--trickledelay=50", "--minbackoff=20ms", "--maxbackoff=300ms", "--maxpendingchannels=10",
		"--debuglevel=debug",
	}
	if n.w.fees != "" {
		args = append(args, "--fee.url="+n.w.fees)
	}
	return append(args, n.options...)
}

// launch starts the process and waits for nothing.
func (n *node) launch() {
	n.t.Helper()
	require.False(n.t, n.up(), "%s runs already", n.name)
	n.launches++
	out, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(n.t, err)
	defer out.Close()
	fmt.Fprintf(out, "---- launch %d\n", n.launches)
	cmd := exec.Command(binary(n.t, "fulgurd"), n.args()...)
	cmd.Stdout, cmd.Stderr = out, out
	n.proc, err = spawn(cmd)
	require.NoError(n.t, err)
	n.expectEnd = false
}

// logPath lies outside the node's directory, so that it can be written whatever is
// done to that.
func (n *node) logPath() string { return n.dir + ".log" }

// log is everything that the processes of the node have printed.
func (n *node) log() string {
	text, err := os.ReadFile(n.logPath())
	require.NoError(n.t, err)
	return string(text)
}

// start starts the process and waits until every method works and the chain is seen.
func (n *node) start() {
	n.t.Helper()
	n.launch()
	n.await(lnrpc.WalletState_SERVER_ACTIVE)
	n.connectAPI()
	n.synced()
}

// up: the process runs.
func (n *node) up() bool { return n.proc != nil && n.proc.running() }

// certificate waits for the TLS certificate that the daemon makes.
func (n *node) certificate() *x509.CertPool {
	n.t.Helper()
	pool := x509.NewCertPool()
	eventually(n.t, n.name+"'s certificate", func() bool {
		pem, err := os.ReadFile(filepath.Join(n.dir, "tls.cert"))
		if !n.up() {
			n.t.Fatalf("%s ended by itself: %v\n%s", n.name, n.proc.err, tail(n.log(), 3000))
		}
		return err == nil && pool.AppendCertsFromPEM(pem)
	})
	return pool
}

// dial connects with a macaroon, or without for nil.
func (n *node) dial(macaroon []byte) *grpc.ClientConn {
	n.t.Helper()
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(n.certificate(), "")),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
		grpc.WithConnectParams(grpc.ConnectParams{ // the daemon is just starting
			Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.5, MaxDelay: 100 * time.Millisecond},
			MinConnectTimeout: atOnce,
		}),
	}
	if macaroon != nil {
		options = append(options, grpc.WithPerRPCCredentials(bearer(macaroon)))
	}
	conn, err := grpc.NewClient(n.rpc, options...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { conn.Close() })
	return conn
}

// bearer sends a macaroon with every call.
type bearer []byte

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"macaroon": hex.EncodeToString(b)}, nil
}
func (b bearer) RequireTransportSecurity() bool { return true }

// await follows the stream of states until the wanted one; no macaroon is needed.
func (n *node) await(want lnrpc.WalletState) {
	n.t.Helper()
	state := lnrpc.NewStateClient(n.dial(nil))
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	go func(p *process) {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}(n.proc)
	stream, err := state.SubscribeState(ctx, &lnrpc.SubscribeStateRequest{}, grpc.WaitForReady(true))
	for err == nil {
		var s *lnrpc.SubscribeStateResponse
		if s, err = stream.Recv(); err == nil && s.State == want {
			return
		}
	}
	n.t.Fatalf("%s does not become %v: %v\n%s", n.name, want, err, tail(n.log(), 3000))
}

// macaroon is one of the macaroon files.
func (n *node) macaroon(name string) []byte {
	n.t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.chainDir(), name+".macaroon"))
	require.NoError(n.t, err)
	return raw
}

func (n *node) chainDir() string {
	return filepath.Join(n.dir, "data", "chain", "bitcoin", n.w.network())
}

// connectAPI connects the clients with the admin macaroon.
func (n *node) connectAPI() {
	n.t.Helper()
	n.mu.Lock()
	n.conn = n.dial(n.macaroon("admin"))
	n.ln, n.router = lnrpc.NewLightningClient(n.conn), routerrpc.NewRouterClient(n.conn)
	n.invoices, n.kit = invoicesrpc.NewInvoicesClient(n.conn), walletrpc.NewWalletKitClient(n.conn)
	n.mu.Unlock()
	n.id = n.info().IdentityPubkey
}

// clients are the clients of the latest start, for goroutines other than the test's.
func (n *node) clients() (lnrpc.LightningClient, routerrpc.RouterClient) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ln, n.router
}

func (n *node) info() *lnrpc.GetInfoResponse {
	n.t.Helper()
	info, err := n.ln.GetInfo(soon(n.t), &lnrpc.GetInfoRequest{}, grpc.WaitForReady(true))
	require.NoError(n.t, err, n.name)
	return info
}

// synced waits until the node is where the chain is.
func (n *node) synced() {
	n.t.Helper()
	eventually(n.t, n.name+" follows the chain", func() bool {
		height, hash, err := n.w.chain.Tip(n.t.Context())
		require.NoError(n.t, err)
		i := n.info()
		return i.SyncedToChain && i.BlockHeight == uint32(height) && i.BlockHash == hash.String()
	})
}

// stop ends the process as an operator would, and holds it to a good end.
func (n *node) stop() {
	n.t.Helper()
	n.expectEnd = true
	require.NoError(n.t, n.proc.cmd.Process.Signal(syscall.SIGTERM))
	code := n.proc.ended(n.t)
	require.Zero(n.t, code, "%s ends with status %d\n%s", n.name, code, tail(n.log(), 3000))
	require.Contains(n.t, lastLine(n.log()), "Shutdown complete")
	n.hangUp()
}

// kill ends the process as a power cut would.
func (n *node) kill() {
	n.t.Helper()
	require.True(n.t, n.up(), "%s ended by itself: %v\n%s", n.name, n.proc.err, tail(n.log(), 3000))
	n.expectEnd = true
	n.proc.kill()
	n.hangUp()
}

func (n *node) hangUp() {
	if n.conn != nil {
		n.conn.Close()
	}
}

// restart is stop and start on the same directory.
func (n *node) restart() {
	n.t.Helper()
	n.stop()
	n.start()
}

// cleanup ends the process with the test, and shows what it printed if that failed.
func (n *node) cleanup() {
	switch {
	case n.proc == nil:
		return
	case n.up():
		n.hangUp()
		_ = n.proc.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-n.proc.done:
			if n.proc.err != nil || !strings.Contains(lastLine(n.log()), "Shutdown complete") {
				n.t.Errorf("%s does not end well: %v", n.name, n.proc.err)
			}
		case <-time.After(patience):
			_ = n.proc.cmd.Process.Signal(syscall.SIGQUIT) // shows where it hangs
			select {
			case <-n.proc.done:
			case <-time.After(atOnce):
				n.proc.kill()
			}
			n.t.Errorf("%s does not end on SIGTERM", n.name)
		}
	case !n.expectEnd:
		n.t.Errorf("%s ended by itself: %v", n.name, n.proc.err)
	}
	if n.t.Failed() {
		n.t.Logf("what %s printed last:\n%s", n.name, tail(n.log(), 12_000))
		if keep := os.Getenv("FULGUR_ITEST_LOGS"); keep != "" {
			path := filepath.Join(keep, filepath.Base(n.t.Name())+"-"+n.name+".log")
			_ = os.WriteFile(path, []byte(n.log()), 0o600)
		}
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
