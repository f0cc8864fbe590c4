package rig

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// CLI is what a run of the command line printed.
type CLI struct {
	Code     int
	Out, Err string
}

// RunCLI runs fulgur with these arguments and answers on its standard input.
func RunCLI(t testing.TB, stdin string, args ...string) CLI {
	t.Helper()
	var out, errs Output
	cmd := exec.Command(Binary(t, "fulgur"), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	p, err := Spawn(cmd)
	require.NoError(t, err)
	code := p.Ended(t)
	return CLI{code, out.String(), errs.String()}
}

// Fulgur runs a command against the node.
func (n *Node) Fulgur(stdin string, args ...string) CLI {
	n.T.Helper()
	return RunCLI(n.T, stdin, append([]string{"--rpcserver=" + n.RPC, "--fulgurdir=" + n.Dir, "--network=" + n.World.Network()}, args...)...)
}

// Ask runs a command that must succeed and reads its JSON.
func (n *Node) Ask(answer any, args ...string) {
	n.T.Helper()
	c := n.Fulgur("", append([]string{"--json"}, args...)...)
	require.Zero(n.T, c.Code, "fulgur %v: %s", args, c.Err)
	if answer != nil {
		require.NoError(n.T, json.Unmarshal([]byte(c.Out), answer), c.Out)
	}
}
