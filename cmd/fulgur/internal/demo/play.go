package demo

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/local"
)

// indented moves lines to the right.
type indented struct{ w io.Writer }

// Write implements io.Writer.
func (i indented) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Fprint(i.w, "         "+line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'$&;()*?[]\\`!<>|") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// howToPlayOn prints the commands for what is left running.
func (s *story) howToPlayOn() {
	self, err := os.Executable()
	if err != nil {
		self = "fulgur"
	}
	user, pass := s.net.Chain.Credentials()
	cli := func(n *local.Node) string {
		return fmt.Sprintf("%s --rpcserver=%s --fulgurdir=%s --network=regtest", quoted(self), n.RPC, quoted(n.Dir))
	}
	p := func(format string, args ...any) { fmt.Fprintf(s.t.w, format+"\n", args...) }
	s.t.chapter("It is left running, in %s. To play on, put these into a shell:", s.cfg.Dir)
	p("")
	for _, n := range s.net.Nodes {
		p("alias %s=\"%s\"", n.Name, cli(n))
	}
	p(`mine() { curl -s --cacert %s --user %s:%s --data-binary "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"generate\",\"params\":[${1:-1}]}" https://%s/; }`,
		quoted(s.net.Chain.CertPath()), user, pass, s.net.Chain.RPCAddr())
	p("\nThen, for example:\n")
	p("%s getinfo", cli(s.alice))
	p("%s listchannels", cli(s.bob))
	p("%s fwdinghistory", cli(s.bob))
	p("%s addinvoice --memo=tea 1000", cli(s.carol))
	p("%s payinvoice INVOICE", cli(s.bob))
	p("%s openchannel --block %s 1000000   # and in another shell: mine 6", cli(s.alice), s.bob.ID)
	p("\nThe same over REST:\n")
	macaroon := filepath.Clean(s.alice.Target.Macaroon)
	p(`curl -s --cacert %s -H "Grpc-Metadata-macaroon: $(od -An -v -tx1 %s | tr -d ' \n')" https://%s/v1/getinfo`,
		quoted(s.alice.Target.TLSCert), quoted(macaroon), s.alice.REST)
	p(`curl -s --cacert %s -H "Grpc-Metadata-macaroon: $(od -An -v -tx1 %s | tr -d ' \n')" https://%s/v1/balance/channels`,
		quoted(s.bob.Target.TLSCert), quoted(s.bob.Target.Macaroon), s.bob.REST)
	p("\nTo stop everything and remove it:\n")
	p("kill %d", os.Getpid())
}
