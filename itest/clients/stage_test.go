package clients

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

// stage is a chain for a program in JavaScript, which asks for nodes and blocks by HTTP.
// All that it asks is done by the test's own goroutine, which may fail the test.
type stage struct {
	w      *rig.World
	daemon func(w *rig.World, name string, options ...string) *rig.Node // that has not been started
	wants  chan want
	http   *httptest.Server
}

// lndWithWallet is an lnd whose wallet is made by whoever starts it.
func lndWithWallet(w *rig.World, name string, options ...string) *rig.Node {
	lnd := rig.Lnd
	lnd.Args = func(n *rig.Node) []string {
		return slices.DeleteFunc(rig.Lnd.Args(n), func(arg string) bool { return arg == "--noseedbackup" })
	}
	return w.NewNodeOf(lnd, name, options...)
}

type want struct {
	do   func() any
	done chan any
}

// request is what the program may say; each path uses some of it.
type request struct {
	Name    string
	Seed    string   // 24 words, for a node with a known wallet
	Options []string // of the daemon
	Wallet  bool     // make one
	Address string   // gets the blocks' rewards
	Count   int      // of blocks
}

// program is the directory of what JavaScript there is.
const program = "js"

func newStage(t testing.TB) *stage {
	rig.NeedNode(t, program, "ln-service")
	s := &stage{w: rig.NewWorld(t), daemon: (*rig.World).NewNode, wants: make(chan want)}
	mux := http.NewServeMux()
	for path, do := range map[string]func(request) any{"/node": s.node, "/mine": s.mine, "/kill": s.kill, "/stop": s.stop, "/made": s.made, "/end": s.end} {
		mux.HandleFunc("POST "+path, func(rw http.ResponseWriter, r *http.Request) {
			var asked request
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				http.Error(rw, err.Error(), http.StatusBadRequest)
				return
			}
			w := want{func() any { return do(asked) }, make(chan any, 1)}
			select {
			case s.wants <- w:
			case <-t.Context().Done():
				return
			}
			select {
			case answer := <-w.done:
				_ = json.NewEncoder(rw).Encode(answer)
			case <-t.Context().Done(): // the test has failed over it
			}
		})
	}
	s.http = httptest.NewServer(mux)
	t.Cleanup(s.http.Close)
	return s
}

// node starts a node and tells where it is.
func (s *stage) node(r request) any {
	n := s.daemon(s.w, r.Name, r.Options...)
	n.Options = append(n.Options, "--externalip="+n.P2P, "--alias=")
	if r.Wallet {
		n.MakeWallet(&lnrpc.InitWalletRequest{CipherSeedMnemonic: strings.Fields(r.Seed)})
	} else {
		n.Launch()
		n.Await(lnrpc.WalletState_NON_EXISTING)
	}
	cert, err := os.ReadFile(filepath.Join(n.Dir, "tls.cert"))
	require.NoError(s.w.T, err)
	answer := map[string]string{"socket": n.RPC, "p2p": n.P2P, "cert": base64.StdEncoding.EncodeToString(cert)}
	if r.Wallet {
		answer["id"], answer["macaroon"] = n.ID, hex.EncodeToString(n.Macaroon("admin"))
	}
	return answer
}

// made waits for a node whose wallet was just made, and gives its macaroon for everything.
func (s *stage) made(r request) any {
	n := s.w.Named(r.Name)
	n.Settle()
	return map[string]string{"macaroon": hex.EncodeToString(n.Macaroon("admin"))}
}

func (s *stage) mine(r request) any {
	if r.Address == "" {
		s.w.Mine(max(r.Count, 1))
		return struct{}{}
	}
	out, err := s.w.Chain.Miner().OutputTo(r.Address, 0)
	require.NoError(s.w.T, err)
	s.w.MineTo(out.PkScript, max(r.Count, 1))
	return struct{}{}
}

func (s *stage) kill(r request) any {
	if n := s.w.Named(r.Name); n.Up() {
		n.Kill()
	}
	return struct{}{}
}

// stop waits for the end of a node that was asked to stop, and starts it again.
func (s *stage) stop(r request) any {
	n := s.w.Named(r.Name)
	require.Zero(s.w.T, n.Proc.Ended(s.w.T))
	n.Launch()
	n.Await(lnrpc.WalletState_LOCKED)
	return struct{}{}
}

// end waits for the end of a node that was asked to stop.
func (s *stage) end(r request) any {
	n := s.w.Named(r.Name)
	n.ExpectEnd = true
	require.Zero(s.w.T, n.Proc.Ended(s.w.T))
	return struct{}{}
}

// play runs a program to its end, doing what it asks for.
func (s *stage) play(file string) (output string, err error) {
	out := new(rig.Output)
	cmd := exec.Command("node", "--test-force-exit", file)
	cmd.Dir, cmd.Stdout, cmd.Stderr = program, out, out
	cmd.Env = append(os.Environ(), "FULGUR_STAGE="+s.http.URL)
	p, err := rig.Spawn(cmd)
	if err != nil {
		return "", err
	}
	defer p.Kill()
	tooLong := time.After(3 * rig.Patience)
	for {
		select {
		case w := <-s.wants:
			w.done <- w.do()
		case <-p.Done:
			return out.String(), p.Err
		case <-tooLong:
			return out.String(), errors.New("does not come to an end")
		}
	}
}
