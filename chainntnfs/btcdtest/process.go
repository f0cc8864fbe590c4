package btcdtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
)

// Config says which btcd to run and where.
type Config struct {
	Binary     string           // path of btcd, see Find
	Dir        string           // its own directory: configuration, chain, certificate, logs
	Params     *chaincfg.Params // regtest (default) or simnet
	MiningAddr string           // where blocks pay to; empty: the node's Miner
	Connect    []string         // peers (P2PAddr of another node)
	Args       []string         // further lines of the configuration file, such as "rejectnonstd=1"
}

// Node is one btcd. Its lifecycle methods are for one goroutine at a time; calls
// may be made from several.
type Node struct {
	cfg     Config
	rpcAddr string
	p2pAddr string
	user    string
	pass    string
	miner   *Miner
	proc    *process
	rpc     *client
}

// startTries covers the moment in which another process may take a port that we
// found free.
const startTries = 3

// Start runs btcd and waits until its RPC answers.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Params == nil {
		cfg.Params = &chaincfg.RegressionNetParams
	}
	if cfg.Params.Name != chaincfg.RegressionNetParams.Name && cfg.Params.Name != chaincfg.SimNetParams.Name {
		return nil, fmt.Errorf("start btcd: network %s is neither regtest nor simnet", cfg.Params.Name)
	}
	if cfg.Dir == "" {
		return nil, errors.New("start btcd: a directory is needed")
	}
	n := &Node{cfg: cfg, user: rand.Text(), pass: rand.Text()}
	miner, err := newMiner(n, cfg.Params)
	if err != nil {
		return nil, err
	}
	n.miner = miner
	if n.cfg.MiningAddr == "" {
		n.cfg.MiningAddr = miner.Address()
	}
	for range startTries {
		if err = n.choosePorts(); err != nil {
			return nil, err
		}
		if err = n.run(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Restart starts a stopped node again, on the same ports and directory.
func (n *Node) Restart(ctx context.Context) error {
	if n.proc != nil && n.proc.running() {
		return errors.New("restart btcd: it is still running")
	}
	return n.run(ctx)
}

// Stop asks btcd to end and waits for it; when ctx ends first it is killed.
func (n *Node) Stop(ctx context.Context) error {
	if n.proc == nil || !n.proc.running() {
		return nil
	}
	n.rpc.close()
	n.proc.wake() // a paused process cannot hear
	if n.proc.signal(os.Interrupt) != nil && n.proc.running() {
		_ = n.Call(ctx, nil, "stop") // an answer may not come any more
	}
	select {
	case <-n.proc.done:
		return nil
	case <-ctx.Done():
		n.Kill()
		return fmt.Errorf("stop btcd: %w", ctx.Err())
	}
}

// Kill ends btcd at once, as a power cut would.
func (n *Node) Kill() {
	if n.proc == nil {
		return
	}
	n.rpc.close()
	n.proc.kill()
}

// RPCAddr is the host and port of the RPC server.
func (n *Node) RPCAddr() string { return n.rpcAddr }

// P2PAddr is the host and port for other nodes.
func (n *Node) P2PAddr() string { return n.p2pAddr }

// Credentials are the RPC user and password.
func (n *Node) Credentials() (user, pass string) { return n.user, n.pass }

// CertPath is the PEM file of the RPC server's certificate.
func (n *Node) CertPath() string { return filepath.Join(n.cfg.Dir, "rpc.cert") }

// Params is the network that the node runs.
func (n *Node) Params() *chaincfg.Params { return n.cfg.Params }

// Miner is the owner of the coins that Generate makes, unless the configuration
// sent them elsewhere.
func (n *Node) Miner() *Miner { return n.miner }

func (n *Node) choosePorts() (err error) {
	if n.rpcAddr, err = FreeAddr(); err != nil {
		return err
	}
	n.p2pAddr, err = FreeAddr()
	return err
}

// writeConfig keeps the password out of the process list.
func (n *Node) writeConfig() (string, error) {
	dir := n.cfg.Dir
	lines := []string{
		"[Application Options]",
		n.cfg.Params.Name + "=1",
		"datadir=" + filepath.Join(dir, "data"),
		"logdir=" + filepath.Join(dir, "logs"),
		"rpclisten=" + n.rpcAddr,
		"listen=" + n.p2pAddr,
		"rpcuser=" + n.user,
		"rpcpass=" + n.pass,
		"rpccert=" + n.CertPath(),
		"rpckey=" + filepath.Join(dir, "rpc.key"),
		"miningaddr=" + n.cfg.MiningAddr,
		"txindex=1",
		"nodnsseed=1",
		"nobanning=1",
		"norelaypriority=1",
		"trickleinterval=100ms",
		"rpcmaxclients=100",
		"rpcmaxwebsockets=100",
	}
	for _, peer := range n.cfg.Connect {
		lines = append(lines, "addpeer="+peer)
	}
	lines = append(lines, n.cfg.Args...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("start btcd: %w", err)
	}
	path := filepath.Join(dir, "btcd.conf")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("start btcd: %w", err)
	}
	return path, nil
}

func (n *Node) run(ctx context.Context) error {
	conf, err := n.writeConfig()
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(n.cfg.Dir, "output.log"))
	if err != nil {
		return fmt.Errorf("start btcd: %w", err)
	}
	defer out.Close()
	n.proc, err = spawn(n.cfg.Binary, []string{"--configfile=" + conf}, n.cfg.Dir, out)
	if err != nil {
		return fmt.Errorf("start btcd: %w", err)
	}
	if err := n.ready(ctx); err != nil {
		n.proc.kill()
		return fmt.Errorf("start btcd: %w\n%s", err, tail(out.Name()))
	}
	return nil
}

// ready polls until the RPC server answers: btcd has no other sign.
func (n *Node) ready(ctx context.Context) error {
	for {
		var err error
		if n.rpc, err = newClient(n.rpcAddr, n.user, n.pass, n.CertPath()); err == nil {
			if _, _, err = n.Tip(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-n.proc.done:
			return fmt.Errorf("it ended by itself: %w", n.proc.err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail is the end of the child's output, for an error message.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const keep = 2000
	if info, err := f.Stat(); err == nil && info.Size() > keep {
		if _, err := f.Seek(-keep, io.SeekEnd); err != nil {
			return ""
		}
	}
	b, _ := io.ReadAll(io.LimitReader(f, keep))
	return string(b)
}

// process is a child that ends with us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // why it ended, valid after done
}

// spawn runs the child from a goroutine that holds on to its thread: the kernel
// ties the death signal to the thread that forked, not to the process.
func spawn(bin string, args []string, dir string, out *os.File) (*process, error) {
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	tieToParent(p.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			if p.err == nil {
				p.err = errors.New("exit status 0")
			}
		}
		close(p.done)
	}()
	return p, <-started
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// kill waits for the end, also of a process that had ended already.
func (p *process) kill() {
	_ = p.signal(os.Kill)
	<-p.done
}
