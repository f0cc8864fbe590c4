package rpc

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/proto/lnrpc"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// decode reads one JSON object.
func decode(t *testing.T, text string) map[string]any {
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &object), text)
	return object
}

// TestRESTForm checks the form that clients parse: names as in the .proto files, zero values present, 64-bit numbers as
// text.
func TestRESTForm(t *testing.T) {
	n := start(t, &lightning{})
	code, body := n.do(n.request("GET", "/v1/getinfo", ""))
	require.Equal(t, http.StatusOK, code)
	info := decode(t, body)
	require.Equal(t, "alice", info["alias"])
	require.Equal(t, "1700000000", info["best_header_timestamp"])
	require.Equal(t, float64(7), info["block_height"])
	require.Equal(t, false, info["synced_to_chain"])
	require.Equal(t, "", info["identity_pubkey"])
	require.Equal(t, []any{}, info["chains"])
	require.Equal(t, "GRAPH_CACHE_STATUS_DISABLED", info["graph_cache_status"])
}

func TestRESTHeaders(t *testing.T) {
	n := start(t, &lightning{})
	for _, name := range []string{"Grpc-Metadata-macaroon", "Grpc-Metadata-Macaroon", "grpc-metadata-macaroon"} {
		r := n.request("GET", "/v1/getinfo", "")
		delete(r.Header, "Grpc-Metadata-Macaroon")
		r.Header[name] = []string{hex.EncodeToString(n.admin())}
		answer, err := n.client.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusOK, answer.StatusCode, name)
		require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	}
}

func TestRESTBytes(t *testing.T) {
	hash := []byte{0xfb, 0xff, 0xbf, 0x01} // its base64 has both characters that base64url replaces
	peer := []byte(nil)
	n := start(t, &lightning{listChannels: func(in *lnrpc.ListChannelsRequest) (*lnrpc.ListChannelsResponse, error) {
		peer = in.Peer
		return &lnrpc.ListChannelsResponse{}, nil
	}})

	body := `{"memo":"m","value":"5","r_preimage":"` + base64.StdEncoding.EncodeToString(hash) + `"}`
	_, answer := n.do(n.request("POST", "/v1/invoices", body))
	require.JSONEq(t, `{"r_hash":"+/+/AQ==","payment_request":"m","add_index":"5","payment_addr":""}`, answer)

	_, answer = n.do(n.request("GET", "/v1/invoice/fbffbf01", ""))
	require.Equal(t, "fbffbf01", decode(t, answer)["memo"])

	_, answer = n.do(n.request("GET", "/v2/invoices/subscribe/"+base64.URLEncoding.EncodeToString(hash), ""))
	require.Equal(t, "+/+/AQ==", decode(t, answer)["result"].(map[string]any)["r_hash"])

	for _, text := range []string{"%2B%2F%2B%2FAQ%3D%3D", "-_-_AQ=="} {
		n.do(n.request("GET", "/v1/channels?peer="+text, ""))
		require.Equal(t, hash, peer, text)
		peer = nil
	}
}

// TestRESTErrors checks form, code and HTTP status of refusals.
func TestRESTErrors(t *testing.T) {
	n := start(t, &lightning{})
	for _, tc := range []struct {
		name, method, path, body string
		macaroon                 []byte
		status                   int
		answer                   string
	}{
		{"no macaroon", "GET", "/v1/getinfo", "", nil, 500, `{"code":2,"message":"expected 1 macaroon, got 0","details":[]}`},
		{"no right", "GET", "/v1/getinfo", "", n.bake(macaroons.Invoice), 500, `{"code":2,"message":"permission denied","details":[]}`},
		{"no macaroon, stream", "GET", "/v1/invoices/subscribe", "", nil, 500, `{"error":{"code":2,"message":"expected 1 macaroon, got 0","details":[]}}`},
		{"not implemented", "GET", "/v1/fees", "", n.admin(), 501, `{"code":12,"message":"method FeeReport not implemented","details":[]}`},
		{"not provided", "GET", "/v2/versioner/version", "", n.admin(), 501, `{"code":12,"message":"unknown service verrpc.Versioner","details":[]}`},
		{"no such path", "GET", "/v1/nothing", "", n.admin(), 404, `{"code":5,"message":"Not Found","details":[]}`},
		{"wrong verb", "DELETE", "/v1/getinfo", "", n.admin(), 501, `{"code":12,"message":"Method Not Allowed","details":[]}`},
		{"fails at once, stream", "GET", "/v2/router/track/AA==", "", n.admin(), 404, `{"error":{"code":5,"message":"payment isn't initiated","details":[]}}`},
		{"unlocker too late", "GET", "/v1/genseed", "", nil, 500, `{"code":2,"message":"wallet already unlocked, WalletUnlocker service is no longer available","details":[]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := n.request(tc.method, tc.path, tc.body)
			r.Header.Del(headerMacaroon)
			if tc.macaroon != nil {
				r.Header.Set(headerMacaroon, hex.EncodeToString(tc.macaroon))
			}
			status, answer := n.do(r)
			require.JSONEq(t, tc.answer, answer)
			require.Equal(t, tc.status, status)
		})
	}
}

// TestRESTBodyIsReadForNoStranger sends what cannot be decoded: a stranger learns only that a macaroon is missing.
func TestRESTBodyIsReadForNoStranger(t *testing.T) {
	n := start(t, &lightning{})
	r := n.request("POST", "/v1/invoices", "{broken")
	status, answer := n.do(r)
	require.Equal(t, 400, status)
	require.Equal(t, float64(3), decode(t, answer)["code"])

	r = n.request("POST", "/v1/invoices", "{broken")
	r.Header.Set(headerMacaroon, hex.EncodeToString(n.bake(macaroons.Admin, "colour blue")))
	_, answer = n.do(r)
	require.Equal(t, `caveat "colour blue" not satisfied: caveat not recognized`, decode(t, answer)["message"])

	status, answer = n.do(n.request("POST", "/v1/invoices", `{"memo":"`+strings.Repeat("x", maxRequest)+`"}`))
	require.Equal(t, 400, status)
	require.Equal(t, "http: request body too large", decode(t, answer)["message"])
}

// TestRESTUnknownField is refused: to ignore it could be to ignore a limit.
func TestRESTUnknownField(t *testing.T) {
	n := start(t, &lightning{})
	status, answer := n.do(n.request("POST", "/v2/router/send", `{"outgoing_chan_id":"5"}`))
	require.Equal(t, 400, status)
	require.Contains(t, decode(t, answer)["message"], `unknown field "outgoing_chan_id"`)
}

// TestRESTClientAddress: a macaroon bound to an address is checked against that of the REST client.
func TestRESTClientAddress(t *testing.T) {
	n := start(t, &lightning{})
	for addr, want := range map[string]int{"127.0.0.1": 200, "1.1.1.1": 500} {
		r := n.request("GET", "/v1/getinfo", "")
		r.Header.Set(headerMacaroon, hex.EncodeToString(n.bake(macaroons.Admin, macaroons.OnlyFrom(netip.MustParseAddr(addr)))))
		status, _ := n.do(r)
		require.Equal(t, want, status, addr)
	}
}

// TestRESTStream reads a stream line by line while it is open: every event is sent at once, as one line.
func TestRESTStream(t *testing.T) {
	next := make(chan uint64)
	n := start(t, &lightning{subscribe: func(_ *lnrpc.InvoiceSubscription, out grpc.ServerStreamingServer[lnrpc.Invoice]) error {
		for i := range next {
			if err := out.Send(&lnrpc.Invoice{AddIndex: i}); err != nil {
				return err
			}
		}
		return nil
	}})
	answers := make(chan *http.Response)
	go func() {
		answer, err := n.client.Do(n.request("GET", "/v1/invoices/subscribe", ""))
		if err != nil {
			close(answers)
			return
		}
		answers <- answer
	}()
	next <- 1
	answer := <-answers
	require.NotNil(t, answer)
	defer answer.Body.Close()
	require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
	lines := bufio.NewScanner(answer.Body)
	for i, want := range []string{"1", "2", "3"} {
		if i > 0 {
			next <- uint64(i + 1)
		}
		require.True(t, lines.Scan())
		require.Equal(t, want, decode(t, lines.Text())["result"].(map[string]any)["add_index"])
	}
	close(next)
	require.False(t, lines.Scan())
	require.NoError(t, lines.Err())
}

// TestRESTStreamThatFails ends with an error line.
func TestRESTStreamThatFails(t *testing.T) {
	n := start(t, &lightning{})
	status, answer := n.do(n.request("POST", "/v2/router/send", `{"payment_request":"lnbcrt"}`))
	require.Equal(t, http.StatusOK, status)
	lines := strings.SplitAfter(answer, "\n")
	require.Len(t, lines, 3)
	require.Equal(t, "IN_FLIGHT", decode(t, lines[0])["result"].(map[string]any)["status"])
	require.JSONEq(t, `{"error":{"code":5,"message":"gone wrong","details":[]}}`, lines[1])
	require.Empty(t, lines[2])
}

func TestStateOverRESTNeedsNoMacaroon(t *testing.T) {
	n := start(t, &lightning{})
	r := n.request("GET", "/v1/state", "")
	r.Header.Del(headerMacaroon)
	status, answer := n.do(r)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"state":"SERVER_ACTIVE"}`, answer)
}

func TestCORS(t *testing.T) {
	ask := func(n *node, method, origin string) *http.Response {
		r := n.request(method, "/v1/getinfo", "")
		r.Header.Set("Origin", origin)
		answer, err := n.client.Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		return answer
	}
	n := start(t, &lightning{}, func(c *Config) { c.CORS = []string{"https://good.example"} })
	answer := ask(n, "OPTIONS", "https://good.example")
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, "https://good.example", answer.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "Content-Type, Accept, Grpc-Metadata-Macaroon", answer.Header.Get("Access-Control-Allow-Headers"))
	require.Equal(t, "GET, POST, DELETE", answer.Header.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "https://good.example", ask(n, "GET", "https://good.example").Header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, ask(n, "GET", "https://evil.example").Header.Get("Access-Control-Allow-Origin"))

	any := start(t, &lightning{}, func(c *Config) { c.CORS = []string{"*"} })
	require.Equal(t, "https://any.example", ask(any, "GET", "https://any.example").Header.Get("Access-Control-Allow-Origin"))

	none := start(t, &lightning{})
	answer = ask(none, "OPTIONS", "https://good.example")
	require.Equal(t, 501, answer.StatusCode)
	require.Empty(t, answer.Header.Get("Access-Control-Allow-Origin"))
}

// TestForeignPages: without a macaroon the page that calls, and the name by which it found us, decide.
func TestForeignPages(t *testing.T) {
	n := start(t, &lightning{}, func(c *Config) { c.CORS = []string{"https://good.example"} })
	self := n.RESTAddrs()[0].String()
	for _, tc := range []struct {
		origin, host string
		macaroon     bool
		ok           bool
	}{
		{"", self, false, true},
		{"https://" + self, self, false, true},
		{"https://good.example", self, false, true},
		{"https://evil.example", self, false, false},
		{"null", self, false, false},
		{"https://evil.example", self, true, true}, // it knows the macaroon
		{"https://rebound.example:8080", "rebound.example:8080", false, false},
		{"", "rebound.example", false, false},
		{"", "rebound.example", true, true}, // behind a proxy of the user's
		{"", "node.example:8080", false, true},
		{"", "NODE.example", false, true},
		{"", "localhost:8080", false, true},
		{"", "lnd:8080", false, true},
		{"", "umbrel.local", false, true},
		{"", "abcdef.onion:8080", false, true},
		{"", "[2001:db8::1]:8080", false, true},
		{"", "127.0.0.1.evil.example", false, false},
	} {
		r := n.request("GET", "/v1/state", "")
		if !tc.macaroon {
			r.Header.Del(headerMacaroon)
		}
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		r.Host = tc.host
		status, answer := n.do(r)
		if tc.ok {
			require.Equal(t, 200, status, "%+v: %s", tc, answer)
			continue
		}
		require.Equal(t, 403, status, "%+v", tc)
		require.Equal(t, float64(7), decode(t, answer)["code"])
	}
}

func FuzzREST(f *testing.F) {
	n := start(f, &lightning{listChannels: func(*lnrpc.ListChannelsRequest) (*lnrpc.ListChannelsResponse, error) {
		return &lnrpc.ListChannelsResponse{}, nil
	}})
	admin := hex.EncodeToString(n.admin())
	f.Add("GET", "/v1/channels?peer=AA==&active_only=true", "")
	f.Add("POST", "/v1/invoices", `{"value":"5","route_hints":[{"hop_hints":[{"chan_id":"1"}]}]}`)
	f.Add("DELETE", "/v1/channels/aa/0?force=true", "")
	f.Add("GET", "/v1/graph/routes/02aa/5?fee_limit.fixed=1", "")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // some paths are streams without end
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, "https://localhost"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.RemoteAddr = "127.0.0.1:5"
		r.Header.Set(headerMacaroon, admin)
		w := &discard{header: make(http.Header)}
		n.rest.Handler.ServeHTTP(w, r)
	})
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Flush()                      {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
