package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// ldkNode is one process of ldk/peer.mjs, asked over its control address.
type ldkNode struct {
	w            *rig.World
	name, dir    string
	p2p, control string // host:port
	setup        Setup
	id, version  string
	mu           sync.Mutex // held while the process changes
	proc         *rig.Process
	launches     int
	http         http.Client
}

// ldkProgram is the directory of the JavaScript program.
const ldkProgram = "ldk"

// needLDK skips a test that cannot have LDK.
func needLDK(t testing.TB) {
	t.Helper()
	rig.NeedNode(t, ldkProgram, "lightningdevkit")
}

func startLDK(w *rig.World, name string, s Setup) Peer {
	w.T.Helper()
	needLDK(w.T)
	n := &ldkNode{w: w, name: name, dir: filepath.Join(w.Dir, name), p2p: rig.FreeAddr(w.T), control: rig.FreeAddr(w.T), setup: s}
	w.T.Cleanup(n.cleanup)
	require.NoError(w.T, n.Start(rig.Soon(w.T)))
	for _, id := range s.Trust {
		require.NoError(w.T, n.ask(rig.Soon(w.T), "trust", fields{"id": id}, nil))
	}
	return n
}

// Start starts the process and waits until it answers.
func (n *ldkNode) Start(ctx context.Context) error {
	if err := n.launch(); err != nil {
		return err
	}
	var info struct{ ID, Version string }
	err := until(ctx, func() (bool, error) {
		if !n.up() {
			return true, nil
		}
		err := n.ask(ctx, "sync", nil, &info)
		return err == nil, err
	})
	if err == nil && !n.up() {
		err = fmt.Errorf("%s ended by itself:\n%s", n.name, rig.Tail(n.log(), 3000))
	}
	n.id, n.version = info.ID, info.Version
	return err
}

func (n *ldkNode) launch() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	out, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	n.launches++
	fmt.Fprintf(out, "---- launch %d\n", n.launches)
	user, pass := n.w.Chain.Credentials()
	args := []string{
		filepath.Join(ldkProgram, "peer.mjs"), "--dir", n.dir, "--alias", n.name, "--listen", n.p2p, "--control", n.control,
		"--rpc", n.w.Chain.RPCAddr(), "--rpcuser", user, "--rpcpass", pass, "--rpccert", n.w.Chain.CertPath(),
		"--delay", strconv.Itoa(n.setup.Delay),
	}
	if n.w.Fees != "" {
		args = append(args, "--fees", n.w.Fees)
	}
	if n.setup.Type != "" {
		args = append(args, "--type", string(n.setup.Type))
	}
	cmd := exec.Command("node", args...)
	cmd.Stdout, cmd.Stderr = out, out
	n.proc, err = rig.Spawn(cmd)
	return err
}

func (n *ldkNode) process() *rig.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

func (n *ldkNode) up() bool { p := n.process(); return p != nil && p.Running() }

// Stop ends the process by SIGTERM, or by SIGKILL.
func (n *ldkNode) Stop(ctx context.Context, kill bool) error {
	p := n.process()
	if !p.Running() {
		return fmt.Errorf("%s ended by itself: %v\n%s", n.name, p.Err, rig.Tail(n.log(), 3000))
	}
	defer n.http.CloseIdleConnections()
	if kill {
		p.Kill()
		return nil
	}
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done:
		return p.Err
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", n.name, ctx.Err())
	}
}

func (n *ldkNode) logPath() string { return n.dir + ".log" }

func (n *ldkNode) log() string {
	text, _ := os.ReadFile(n.logPath())
	return string(text)
}

// cleanup ends the process with the test and shows what it printed if that failed.
func (n *ldkNode) cleanup() {
	t := n.w.T
	if n.up() {
		ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
		defer cancel()
		if err := n.Stop(ctx, false); err != nil {
			n.process().Kill()
			t.Errorf("%s does not end well: %v", n.name, err)
		}
	}
	if !t.Failed() {
		return
	}
	t.Logf("the end of %s's log:\n%s", n.name, rig.Tail(n.log(), 6000))
	if dir := os.Getenv("FULGUR_ITEST_LOGS"); dir != "" {
		file := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+n.name+".log")
		if err := os.WriteFile(file, []byte(n.log()), 0o600); err != nil {
			t.Logf("keep the log: %v", err)
		}
	}
}

type fields map[string]any

// ask asks for a verb of ldk/verbs.mjs.
func (n *ldkNode) ask(ctx context.Context, verb string, in fields, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.control+"/"+verb, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := n.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
			return fmt.Errorf("%s: status %d", verb, resp.StatusCode)
		}
		return fmt.Errorf("%s: %s", verb, refusal.Error)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
