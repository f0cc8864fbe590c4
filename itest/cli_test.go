package itest

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cli is what a run of the command line printed.
type cli struct {
	code     int
	out, err string
}

// runCLI runs fulgur with these arguments and answers on its standard input.
func runCLI(t testing.TB, stdin string, args ...string) cli {
	t.Helper()
	var out, errs output
	cmd := exec.Command(binary(t, "fulgur"), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	p, err := spawn(cmd)
	require.NoError(t, err)
	code := p.ended(t)
	return cli{code, out.String(), errs.String()}
}

// fulgur runs a command against the node.
func (n *node) fulgur(stdin string, args ...string) cli {
	n.t.Helper()
	return runCLI(n.t, stdin, append([]string{"--rpcserver=" + n.rpc, "--fulgurdir=" + n.dir, "--network=" + n.w.network()}, args...)...)
}

// ask runs a command that must succeed and reads its JSON.
func (n *node) ask(answer any, args ...string) {
	n.t.Helper()
	c := n.fulgur("", append([]string{"--json"}, args...)...)
	require.Zero(n.t, c.code, "fulgur %v: %s", args, c.err)
	if answer != nil {
		require.NoError(n.t, json.Unmarshal([]byte(c.out), answer), c.out)
	}
}
