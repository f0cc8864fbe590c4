package channel

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts of testdata print instead of comparing it")

// TestScripts runs testdata/*.txt: two machines, a and b, driven by the commands in
// front of each ----; what follows is everything that happened. The reload law holds
// after every step.
//
//	open [capacity=] [push=] [rate=] [format=anchors|static] [private] [alias] [zeroconf]
//	confirm [index=] | block [n=] | settle | turn a | deliver a [n=] | flush a
//	add a amount= pre= [blocks=] | fulfill b id= pre= | fail b id= | malformed b id=
//	fee a rate= | close a [force] | drop | connect | crash a | signer a away|back
//	quiesce a | spend a (a's last published transaction confirms) | reorg | lose a (rows of before)
//	state
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { runScript(t, f) })
	}
}

func runScript(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var out strings.Builder
	s := &script{world: newWorld(t)}
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		in, _, isRun := strings.Cut(block, "\n----")
		out.WriteString(in)
		if isRun {
			out.WriteString("\n----\n")
			out.WriteString(s.run(in))
		} else {
			out.WriteString("\n")
		}
		out.WriteString("\n")
	}
	got := strings.TrimSpace(out.String()) + "\n"
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	require.Equal(t, string(text), got)
}

type script struct {
	*world
	old map[*node]Rows // what "save" kept
}

// run executes the commands of one block and gives what they printed.
func (s *script) run(in string) string {
	var out strings.Builder
	s.log = func(format string, args ...any) {
		fmt.Fprintln(&out, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
	for _, line := range strings.Split(in, "\n") {
		if line == "quiet" { // what follows in this block was shown elsewhere
			s.log = nil
			continue
		}
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		s.command(strings.Fields(line))
	}
	s.log = nil
	return out.String()
}

// args are key=value words; a word alone is a flag.
type args map[string]string

func (a args) num(key string, usual int) int {
	if v, ok := a[key]; ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			panic(err)
		}
		return n
	}
	return usual
}

func (s *script) command(words []string) {
	a := args{}
	n := s.a
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		a[key] = value
		if key == "b" {
			n = s.b
		}
	}
	if s.wire(words[0], n, a) || s.update(words[0], n, a) || s.life(words[0], n, a) {
		return
	}
	panic("unknown command " + words[0])
}

// wire are the commands that move messages and connections.
func (s *script) wire(verb string, n *node, a args) bool {
	switch verb {
	case "settle":
		s.settle()
	case "turn":
		n.deliver(-1)
		n.step(Flush{})
	case "deliver":
		n.deliver(a.num("n", -1))
	case "flush":
		n.step(Flush{})
	case "drop":
		s.disconnect()
	case "connect":
		s.connect()
	case "crash":
		n.crash()
	case "save":
		if s.old == nil {
			s.old = map[*node]Rows{}
		}
		s.old[n] = n.rows
	case "lose":
		n.restore(s.old[n])
		n.crash()
	case "signer":
		_, n.away = a["away"]
	case "state":
		s.state()
	default:
		return false
	}
	return true
}

// update are the commands of normal operation.
func (s *script) update(verb string, n *node, a args) bool {
	id := uint64(a.num("id", 0))
	switch verb {
	case "add":
		pre := a.num("pre", 0)
		onion := [lnwire.OnionLen]byte{}
		n.step(AddHTLC{
			Amount: lnwire.MilliSat(a.num("amount", 0)), Expiry: s.tip.Height + lnwire.Height(a.num("blocks", 144)),
			Hash: preimage(pre).Hash(), Onion: &onion, Origin: htlc.Attempt(uint64(pre)), Attempt: &AttemptRow{ID: uint64(pre)},
		})
	case "fulfill":
		n.fulfill(id, a.num("pre", 0))
	case "fail":
		n.fail(id)
	case "malformed":
		n.step(Resolve{Ref: n.incoming(id), Resolution: htlc.Resolution{Kind: htlc.Malformed, Code: 0xc005}})
	case "fee":
		n.step(FeeRate{Rate: lnwire.SatPerKW(a.num("rate", 0))})
	default:
		return false
	}
	return true
}

// life are the commands of opening, chain and closing.
func (s *script) life(verb string, n *node, a args) bool {
	switch verb {
	case "open":
		o := usual
		o.capacity = lnwire.Sat(a.num("capacity", int(o.capacity)))
		o.push = lnwire.MilliSat(a.num("push", int(o.push)))
		o.rate = lnwire.SatPerKW(a.num("rate", int(o.rate)))
		if a["format"] == "static" {
			o.format = commitment.StaticRemoteKey
		}
		_, o.private = a["private"]
		_, o.alias = a["alias"]
		_, o.zeroConf = a["zeroconf"]
		if o.alias || o.zeroConf {
			s.a.alias, s.b.alias, s.b.trusts = 16_000_001<<40, 16_000_002<<40, true
		}
		s.ask(o)
	case "ready":
		s.settle()
		s.confirm(5)
		s.blocks(2)
		s.settle()
	case "confirm":
		s.confirm(uint32(a.num("index", 5)))
	case "block":
		s.blocks(a.num("n", 1))
	case "close":
		_, force := a["force"]
		n.step(CloseAsked{Force: force, FeeRate: lnwire.SatPerKW(a.num("rate", 0))})
	case "quiesce":
		n.step(QuiesceAsked{})
	case "spend":
		tx := n.published[len(n.published)-1]
		s.tip = blockRef(s.tip.Height + 1)
		for _, n := range s.nodes() {
			n.step(Block{At: s.tip})
			n.step(Spent{OutPoint: n.ch.core.Funding, Tx: tx, At: s.tip})
			n.step(Flush{})
		}
	case "reorg":
		tx := n.published[len(n.published)-1]
		for _, n := range s.nodes() {
			n.step(Unconfirmed{Txid: tx.TxHash()})
		}
	default:
		return false
	}
	return true
}

// state prints both machines.
func (s *script) state() {
	for _, n := range s.nodes() {
		i := n.info()
		s.logf("%s %s ours=%v theirs=%v local=%d remote=%d revoked=%d rate=%d", n.name, i.Core.Phase, i.Core.Ours, i.Core.Theirs,
			i.Core.LocalN, i.Core.RemoteN, i.Core.RemoteRevoked, i.Rate)
		for _, h := range i.HTLCs {
			s.logf("  %s/%d %v %s", h.Ref.Dir, h.Ref.ID, h.Amount, h.State)
		}
	}
}
