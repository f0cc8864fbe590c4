package itest

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/proto/lnrpc"
)

var rewriteExamples = flag.Bool("examples.rewrite", false, "write what a node answers into the examples (then: make proto)")

// The examples are made in one place and read in another: docs/api.md holds them.
const (
	examplesSource = "../proto/internal/gen/examples.md"
	apiDocument    = "../docs/api.md"
)

// example is a line with curl and what must come back.
type example struct {
	title, curl string
	status      int
	answer      []string // JSON; of a stream, line by line
}

// readExamples finds the examples of a document: an indented block with curl, and one behind it with the answer.
func readExamples(t *testing.T, text string) (list []example) {
	t.Helper()
	title := ""
	blocks := strings.Split(text[strings.Index(text, "## REST by example"):], "\n\n")
	for _, block := range blocks {
		block = strings.Trim(block, "\n")
		switch {
		case strings.HasPrefix(block, "### "):
			title = block[4:]
		case strings.HasPrefix(block, "    curl "):
			list = append(list, example{title: title, curl: strings.TrimSpace(block)})
		case strings.HasPrefix(block, "    ") && len(list) > 0:
			e := &list[len(list)-1]
			lines := strings.SplitN(strings.ReplaceAll(block[4:], "\n    ", "\n"), "\n", 2)
			_, err := fmt.Sscan(lines[0], &e.status)
			require.NoError(t, err, block)
			d := json.NewDecoder(strings.NewReader(lines[1]))
			for d.More() {
				var one json.RawMessage
				require.NoError(t, d.Decode(&one), block)
				e.answer = append(e.answer, string(one))
			}
		}
	}
	return list
}

// words splits a line as a shell does, as far as the examples need it.
func words(line string, vars map[string]string) (list []string) {
	var word strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case c == '$' && quote != '\'':
			end := i + 1
			for end < len(line) && (line[end] == '_' || 'A' <= line[end] && line[end] <= 'Z' || '0' <= line[end] && line[end] <= '9') {
				end++
			}
			word.WriteString(vars[line[i+1:end]])
			i = end - 1
		case c == ' ' && quote == 0:
			list = append(list, word.String())
			word.Reset()
		default:
			word.WriteByte(c)
		}
	}
	return append(list, word.String())
}

// request makes of a line what curl would send.
func (e *example) request(t *testing.T, web *rig.Web, vars map[string]string) *http.Request {
	t.Helper()
	method, url, body, known := http.MethodGet, "", "", false
	args := words(e.curl, vars)[1:]
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-N", "-k":
		case "-K":
			i, known = i+1, true
		case "-X":
			i++
			method = args[i]
		case "-d":
			i++
			method, body = http.MethodPost, args[i]
		default:
			url = strings.Replace(args[i], "localhost:8080", web.Base, 1)
		}
	}
	r, err := http.NewRequestWithContext(rig.Soon(t), method, url, strings.NewReader(body))
	require.NoError(t, err)
	if known {
		r.Header.Set("Grpc-Metadata-macaroon", web.Macaroon)
	}
	return r
}

// run sends an example and gives the answer, as many lines of it as there must be.
func (e *example) run(t *testing.T, web *rig.Web, vars map[string]string) (status int, answer []string) {
	t.Helper()
	resp, err := web.HTTP.Do(e.request(t, web, vars))
	require.NoError(t, err)
	defer resp.Body.Close()
	for r := bufio.NewReader(resp.Body); len(answer) < max(1, len(e.answer)); {
		line, err := r.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			answer = append(answer, line)
		}
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	return resp.StatusCode, answer
}

// examples runs all examples of the document, as alice. In between the chain goes on, and variables get their values.
func examples(t *testing.T, w *rig.World, alice, bob *rig.Node) {
	path := apiDocument
	if *rewriteExamples {
		path = examplesSource
	}
	document, err := os.ReadFile(path)
	require.NoError(t, err)
	list := readExamples(t, string(document))
	require.Greater(t, len(list), 20)
	address, err := bob.LN.NewAddress(rig.Soon(t), &lnrpc.NewAddressRequest{Type: lnrpc.AddressType_TAPROOT_PUBKEY}) // like the change, wherever that is
	require.NoError(t, err)
	vars := map[string]string{
		"BOB": bob.ID, "BOB_HOST": bob.P2P, "BOBS_INVOICE": bob.Invoice(1_000_000), "BOBS_ADDRESS": address.Address,
	}
	web := alice.Web()
	for i := range list {
		e := &list[i]
		status, answer := e.run(t, web, vars)
		if *rewriteExamples {
			e.status, e.answer = status, trimmed(t, e.answer, answer)
		}
		require.Equal(t, e.status, status, "%s: %s", e.curl, answer)
		require.Len(t, answer, len(e.answer), "%s: %s", e.curl, answer)
		for j := range answer {
			var said, got any
			require.NoError(t, json.Unmarshal([]byte(e.answer[j]), &said))
			require.NoError(t, json.Unmarshal([]byte(answer[j]), &got), answer[j])
			require.NoError(t, alike(said, got, false), "%s: docs/api.md says\n%s\nand the node\n%s", e.curl, e.answer[j], answer[j])
		}
		name, _, _ := strings.Cut(e.title, ":")
		exampleRan(t, w, alice, bob, name, answer[0], vars)
	}
	if *rewriteExamples {
		require.NoError(t, os.WriteFile(examplesSource, rewritten(string(document), list), 0o644))
	}
}

// exampleRan does what the next examples need, and notes what they refer to.
func exampleRan(t *testing.T, w *rig.World, alice, bob *rig.Node, name, answer string, vars map[string]string) {
	t.Helper()
	var a struct {
		RHash     []byte `json:"r_hash"`
		Signature string
		Txid      []byte `json:"funding_txid_bytes"`
		Index     uint32 `json:"output_index"`
		Channels  []struct {
			ID string `json:"chan_id"`
		}
		Result struct {
			Hash string `json:"payment_hash"`
		}
	}
	_ = json.Unmarshal([]byte(answer), &a) // answers of other forms have none of these
	switch name {
	case "SendCoins":
		w.Mempool(1)
		w.Mine(1)
	case "OpenChannelSync":
		point := rig.PointOf(a.Txid, a.Index)
		vars["TXID"], vars["INDEX"], _ = strings.Cut(string(point), ":")
		w.InMempool(w.FundingTx(point))
		w.Mine(6)
		alice.Active(point)
		bob.Active(point)
		alice.Knows(point)
		rig.Eventually(t, "alice has heard of bob", func() bool {
			n, err := alice.LN.GetNodeInfo(rig.Soon(t), &lnrpc.NodeInfoRequest{PubKey: bob.ID})
			return err == nil && n.Node.Alias != ""
		})
	case "ListChannels":
		vars["CHAN_ID"] = a.Channels[0].ID
	case "AddInvoice":
		vars["HASH"] = hex.EncodeToString(a.RHash)
	case "SendPaymentV2":
		vars["HASH64"] = base64.URLEncoding.EncodeToString(rig.Unhex(t, a.Result.Hash))
	case "SignMessage and VerifyMessage":
		if a.Signature != "" {
			vars["SIGNATURE"] = a.Signature
		}
	case "CloseChannel":
		w.Mempool(1)
		w.Mine(6)
		rig.Eventually(t, "both report the close", func() bool { return len(alice.Closed()) == 1 && len(bob.Closed()) == 1 })
	}
}

// kinds of text. What is of one kind here must be so there.
var textKinds = []struct {
	kind *regexp.Regexp
	same func(said, got string) bool
}{
	{regexp.MustCompile(`^$`), func(_, got string) bool { return got == "" }},
	{regexp.MustCompile(`^-?[0-9]+$`), nil},
	{regexp.MustCompile(`^[A-Z][A-Z_0-9]+$`), func(said, got string) bool { return said == got }}, // the name of an enum
	{regexp.MustCompile(`^[0-9a-f]{64}:[0-9]+$`), nil},
	{regexp.MustCompile(`^([0-9a-f]{2})+(\.\.\.)?$`), nil},
	{regexp.MustCompile(`^lnbcrt`), nil},
	{regexp.MustCompile(`^bcrt1`), nil},
	{regexp.MustCompile(`^([A-Za-z0-9+/]{4}){6,}[A-Za-z0-9+/=]*=$`), nil},
	{regexp.MustCompile(` `), func(said, got string) bool { return strings.Fields(said)[0] == strings.Fields(got)[0] }},
}

// alike says where an answer has another form than the document says; loose: whatever the texts are.
func alike(said, got any, loose bool) error {
	if reflect.TypeOf(said) != reflect.TypeOf(got) {
		return fmt.Errorf("%v is no %T", got, said)
	}
	switch said := said.(type) {
	case map[string]any:
		got := got.(map[string]any)
		_, some := said["..."]
		if !some && len(said) != len(got) {
			return fmt.Errorf("fields %q, not %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(said)))
		}
		for name, value := range said {
			has, ok := got[name]
			if name == "..." {
				continue
			}
			if !ok {
				return fmt.Errorf("no field %s", name)
			}
			if err := alike(value, has, loose); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	case []any:
		got := got.([]any)
		if len(said) > 0 != (len(got) > 0) {
			return fmt.Errorf("%d elements, not %d", len(got), len(said))
		}
		for i, one := range got { // those behind the first may be of other kinds, of the same form
			if err := alike(said[0], one, loose || i > 0); err != nil {
				return err
			}
		}
	case string:
		got := got.(string)
		for _, k := range textKinds {
			if !loose && k.kind.MatchString(said) {
				if !k.kind.MatchString(got) || k.same != nil && !k.same(said, got) {
					return fmt.Errorf("%q is not like %q", got, said)
				}
				break
			}
		}
	}
	return nil
}
