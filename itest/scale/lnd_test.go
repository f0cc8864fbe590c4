package scale

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// lnd is a process of LND_BIN.
type lnd struct {
	t    *testing.T
	args []string
	dir  string
	rpc  string
	proc *rig.Process
	conn *grpc.ClientConn
	ln   lnrpc.LightningClient
}

// startLnd starts an lnd with its own directory, which ends with the test.
func startLnd(t *testing.T, w *rig.World, options ...string) *lnd {
	t.Helper()
	l := &lnd{t: t, dir: filepath.Join(w.Dir, "lnd"+strings.Join(options, "")), rpc: rig.FreeAddr(t)}
	user, pass := w.Chain.Credentials()
	l.args = append([]string{
		"--lnddir=" + l.dir, "--noseedbackup", "--bitcoin.active", "--bitcoin.regtest", "--bitcoin.node=btcd",
		"--btcd.rpchost=" + w.Chain.RPCAddr(), "--btcd.rpcuser=" + user, "--btcd.rpcpass=" + pass,
		"--btcd.rpccert=" + w.Chain.CertPath(), "--rpclisten=" + l.rpc, "--norest", "--nolisten",
		"--nobootstrap", "--no-macaroons", "--debuglevel=info",
	}, options...)
	l.start()
	t.Cleanup(func() {
		if l.proc.Running() {
			l.proc.Kill()
		}
	})
	return l
}

func (l *lnd) pid() int { return l.proc.Cmd.Process.Pid }

// start runs the process and waits until it follows the chain.
func (l *lnd) start() {
	l.t.Helper()
	var err error
	cmd := exec.Command(os.Getenv("LND_BIN"), l.args...)
	out, err := os.OpenFile(l.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(l.t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	l.proc, err = rig.Spawn(cmd)
	require.NoError(l.t, err)
	rig.Eventually(l.t, "lnd's certificate", func() bool {
		_, err := os.Stat(filepath.Join(l.dir, "tls.cert"))
		return err == nil
	})
	cert, err := credentials.NewClientTLSFromFile(filepath.Join(l.dir, "tls.cert"), "")
	require.NoError(l.t, err)
	l.conn, err = grpc.NewClient(l.rpc, grpc.WithTransportCredentials(cert))
	require.NoError(l.t, err)
	l.ln = lnrpc.NewLightningClient(l.conn)
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		i, err := l.ln.GetInfo(rig.Soon(l.t), &lnrpc.GetInfoRequest{}, grpc.WaitForReady(true))
		if err == nil && i.SyncedToChain {
			return
		}
		require.True(l.t, time.Now().Before(end), "lnd does not follow the chain: %v", err)
		require.True(l.t, l.proc.Running(), "lnd ended by itself")
	}
}

// stop ends the process as an operator would.
func (l *lnd) stop() {
	l.t.Helper()
	l.conn.Close()
	require.NoError(l.t, l.proc.Cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(l.t, l.proc.Ended(l.t))
}
