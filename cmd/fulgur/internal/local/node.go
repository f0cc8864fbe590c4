package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/proto/routerrpc"
)

// startTries covers the moment in which another process may take a port that we
// found free.
const startTries = 3

// NodeConfig is what differs between nodes.
type NodeConfig struct {
	Name string
	// Lines are further lines of the section [Bitcoin] of the configuration file.
	Lines []string
	// Counts: the node serves its counters.
	Counts bool
}

// Node is one fulgurd.
type Node struct {
	Name, Dir      string
	RPC, REST, P2P string // host:port
	Debug          string // host:port of the counters, if it serves them
	ID             string // hex
	Target         client.Target

	Lightning lnrpc.LightningClient
	Router    routerrpc.RouterClient

	proc *process
	conn *grpc.ClientConn
}

// AddNode starts a node and waits until it answers everything.
func (n *Net) AddNode(ctx context.Context, cfg NodeConfig) (*Node, error) {
	node := &Node{Name: cfg.Name, Dir: filepath.Join(n.Dir, cfg.Name)}
	if err := os.MkdirAll(node.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Name, err)
	}
	var err error
	for range startTries {
		if err = node.start(ctx, n, cfg); err == nil || ctx.Err() != nil {
			break
		}
		node.stop()
	}
	if err != nil {
		node.stop()
		return nil, fmt.Errorf("start %s: %w\n%s", cfg.Name, err, node.Tail())
	}
	n.Nodes = append(n.Nodes, node)
	return node, nil
}

func (node *Node) start(ctx context.Context, n *Net, cfg NodeConfig) error {
	addrs, err := freeAddrs(4)
	if err != nil {
		return err
	}
	node.RPC, node.REST, node.P2P = addrs[0], addrs[1], addrs[2]
	if cfg.Counts {
		node.Debug = addrs[3]
	}
	conf, err := node.writeConfig(n, cfg)
	if err != nil {
		return err
	}
	out, err := os.Create(node.logPath())
	if err != nil {
		return err
	}
	defer out.Close()
	node.proc, err = spawn(n.fulgurd, []string{"--fulgurdir=" + node.Dir, "--configfile=" + conf}, node.Dir, out)
	if err != nil {
		return err
	}
	return node.ready(ctx)
}

// writeConfig keeps the password of the chain's RPC out of the process list.
func (node *Node) writeConfig(n *Net, cfg NodeConfig) (string, error) {
	user, pass := n.Chain.Credentials()
	lines := []string{
		"[Application Options]",
		"alias=" + node.Name,
		"noseedbackup=true",
		"listen=" + node.P2P,
		"rpclisten=" + node.RPC,
		"restlisten=" + node.REST,
		"trickledelay=100",
		"nobootstrap=true",
	}
	if node.Debug != "" {
		lines = append(lines, "profile="+node.Debug)
	}
	lines = append(lines, "[Bitcoin]", "bitcoin.regtest=true", "bitcoin.node=btcd")
	lines = append(lines, cfg.Lines...)
	lines = append(lines,
		"[btcd]",
		"btcd.rpchost="+n.Chain.RPCAddr(),
		"btcd.rpcuser="+user,
		"btcd.rpcpass="+pass,
		"btcd.rpccert="+n.Chain.CertPath(),
	)
	path := filepath.Join(node.Dir, "fulgur.conf")
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// ready waits until the node says that every method works, and connects to it.
func (node *Node) ready(ctx context.Context) error {
	node.Target = client.Target{Server: node.RPC, Dir: node.Dir, Network: "regtest"}
	node.Target.Fill()
	if err := node.active(ctx); err != nil {
		return err
	}
	conn, err := client.Dial(ctx, node.Target)
	if err != nil {
		return err
	}
	node.conn = conn
	node.Lightning, node.Router = lnrpc.NewLightningClient(conn), routerrpc.NewRouterClient(conn)
	info, err := node.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	if err != nil {
		return err
	}
	node.ID = info.IdentityPubkey
	return nil
}

func (node *Node) active(ctx context.Context) error {
	return Until(ctx, func() (bool, error) {
		select {
		case <-node.proc.done:
			return false, fmt.Errorf("fulgurd ended by itself: %w", node.proc.err)
		default:
		}
		conn, err := client.DialOpen(node.Target)
		if err != nil {
			return false, nil // no certificate yet
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		answer, err := lnrpc.NewStateClient(conn).GetState(ctx, &lnrpc.GetStateRequest{})
		return err == nil && answer.State == lnrpc.WalletState_SERVER_ACTIVE, nil
	})
}

// Address is how others connect to the node.
func (node *Node) Address() *lnrpc.LightningAddress {
	return &lnrpc.LightningAddress{Pubkey: node.ID, Host: node.P2P}
}

// Connect connects to another node.
func (node *Node) Connect(ctx context.Context, to *Node) error {
	_, err := node.Lightning.ConnectPeer(ctx, &lnrpc.ConnectPeerRequest{Addr: to.Address()})
	if err != nil {
		return fmt.Errorf("connect %s to %s: %w", node.Name, to.Name, err)
	}
	return nil
}

// PID is the process.
func (node *Node) PID() int { return node.proc.cmd.Process.Pid }

func (node *Node) logPath() string { return filepath.Join(node.Dir, "output.log") }

// Tail is the end of what the process printed.
func (node *Node) Tail() string {
	text, err := os.ReadFile(node.logPath())
	if err != nil {
		return ""
	}
	const keep = 2000
	if len(text) > keep {
		text = text[len(text)-keep:]
	}
	return string(text)
}

// stop ends the process in good order if it can, and by force if it must.
func (node *Node) stop() {
	if node.conn != nil {
		node.conn.Close()
		node.conn = nil
	}
	if node.proc == nil {
		return
	}
	if err := node.proc.end(stopTime); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintf(os.Stderr, "stop %s: %v\n", node.Name, err)
	}
}
