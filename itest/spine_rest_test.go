package itest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// restPayment and restInvoice are read as clients of REST read them: names
// with underscores, 64-bit numbers as text, bytes as base64.
type restPayment struct {
	Status   string
	Preimage string `json:"payment_preimage"`
	Hash     string `json:"payment_hash"`
	Fee      int64  `json:"fee_msat,string"`
	Reason   string `json:"failure_reason"`
}

type restInvoice struct {
	State   string
	Settled bool
	RHash   []byte `json:"r_hash"`
	Request string `json:"payment_request"`
	Index   uint64 `json:"add_index,string"`
	Paid    int64  `json:"amt_paid_msat,string"`
}

// TestSpineByREST does the steps of the demo as curl would, with a payment as a stream
// of lines and a subscription over a WebSocket.
func TestSpineByREST(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, bob := w.node("alice"), w.node("bob")
	a, b := alice.web(), bob.web()

	var address struct{ Address string }
	a.call(&address, http.MethodGet, "/v1/newaddress", nil)
	_, err := w.chain.Miner().PayAddress(t.Context(), address.Address, 3_000_000)
	require.NoError(t, err)
	w.mine(1)
	var purse struct {
		Confirmed int64 `json:"confirmed_balance,string"`
	}
	a.call(&purse, http.MethodGet, "/v1/balance/blockchain", nil)
	require.Equal(t, int64(3_000_000), purse.Confirmed)

	a.call(nil, http.MethodPost, "/v1/peers", map[string]any{"addr": map[string]any{"pubkey": bob.id, "host": bob.p2p}})
	require.Contains(t, a.refused(http.MethodPost, "/v1/peers", map[string]any{"addr": map[string]any{"pubkey": bob.id, "host": bob.p2p}}),
		"already connected to peer")
	point := restOpens(t, w, a, alice, bob)

	var made restInvoice
	b.call(nil, http.MethodPost, "/v1/invoices", map[string]any{"value": "1"})
	b.call(&made, http.MethodPost, "/v1/invoices", map[string]any{"value": "2"})
	socket := b.socket(soon(t), "/v1/invoices/subscribe?method=GET&add_index=1", map[string]any{})
	var told streamed[restInvoice]
	require.NoError(t, socket.ReadJSON(&told), "what was missed comes first")
	require.Equal(t, made.RHash, told.Result.RHash)
	b.call(&made, http.MethodPost, "/v1/invoices", map[string]any{"value_msat": "2500001", "memo": "over REST"})
	require.NoError(t, socket.ReadJSON(&told))
	require.Equal(t, "OPEN", told.Result.State)
	require.Equal(t, made.RHash, told.Result.RHash)

	paid := restPays(t, a, made.Request)
	require.NoError(t, socket.ReadJSON(&told))
	require.Equal(t, "SETTLED", told.Result.State)
	require.True(t, told.Result.Settled)
	require.Equal(t, int64(2_500_001), told.Result.Paid)

	// the forms in which clients ask again
	hash64 := base64.URLEncoding.EncodeToString(made.RHash)
	tracked := a.lines(http.MethodGet, "/v2/router/track/"+hash64, nil)
	var again streamed[restPayment]
	require.NoError(t, json.Unmarshal([]byte(tracked[len(tracked)-1]), &again))
	require.Equal(t, paid.Preimage, again.Result.Preimage)
	var looked restInvoice
	b.call(&looked, http.MethodGet, "/v1/invoice/"+paid.Hash, nil)
	require.Equal(t, "SETTLED", looked.State)
	require.Len(t, b.lines(http.MethodGet, "/v2/invoices/subscribe/"+hash64, nil), 1)
	var history map[string]any
	a.call(&history, http.MethodPost, "/v1/switch", map[string]any{})
	require.Contains(t, history, "forwarding_events", "empty lists are written out")
	restCloses(t, w, a, bob, point)
}

// restOpens opens a channel by REST.
func restOpens(t *testing.T, w *world, a *web, alice, bob *node) chanPoint {
	t.Helper()
	var opened struct {
		Txid  []byte `json:"funding_txid_bytes"`
		Index uint32 `json:"output_index"`
	}
	a.call(&opened, http.MethodPost, "/v1/channels", map[string]any{
		"node_pubkey": base64.StdEncoding.EncodeToString(unhex(t, bob.id)), "local_funding_amount": "800000", "push_sat": "100000",
		"sat_per_vbyte": "2",
	})
	point := pointOf(opened.Txid, opened.Index)
	w.inMempool(w.fundingTx(point))
	w.mine(6)
	alice.active(point)
	bob.active(point)
	var list struct {
		Channels []struct {
			Point  string `json:"channel_point"`
			Active bool
		}
	}
	a.call(&list, http.MethodGet, "/v1/channels?active_only=true", nil)
	require.Len(t, list.Channels, 1)
	require.Equal(t, string(point), list.Channels[0].Point)
	return point
}

// restPays pays as LNbits does: the answer is one document in one line.
func restPays(t *testing.T, a *web, request string) *restPayment {
	t.Helper()
	lines := a.lines(http.MethodPost, "/v2/router/send", map[string]any{
		"payment_request": request, "timeout_seconds": 60, "fee_limit_msat": "9223372036854775807", "no_inflight_updates": true,
	})
	require.Len(t, lines, 1)
	var end streamed[restPayment]
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &end))
	require.Equal(t, "SUCCEEDED", end.Result.Status)
	require.Equal(t, "FAILURE_REASON_NONE", end.Result.Reason)
	require.Len(t, end.Result.Preimage, 64)
	require.Zero(t, end.Result.Fee)
	// the same again is refused, with the payment as it is
	resp := a.do(http.MethodPost, "/v2/router/send", map[string]any{"payment_request": request, "timeout_seconds": 60, "fee_limit_msat": "1000"})
	defer resp.Body.Close()
	var refusal struct {
		Error struct{ Message string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&refusal))
	require.Contains(t, refusal.Error.Message, "already paid")
	return end.Result
}

// restCloses closes the channel by REST, reading the stream.
func restCloses(t *testing.T, w *world, a *web, bob *node, point chanPoint) {
	t.Helper()
	resp := a.do(http.MethodDelete, "/v1/channels/"+strings.Replace(string(point), ":", "/", 1)+"?sat_per_vbyte=2", nil)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	type closing struct {
		Pending *struct {
			Txid []byte
		} `json:"close_pending"`
		Closed *struct {
			Success bool
		} `json:"chan_close"`
	}
	d := json.NewDecoder(resp.Body)
	var line streamed[closing]
	require.NoError(t, d.Decode(&line))
	require.NotNil(t, line.Result.Pending)
	w.mempool(1)
	w.mine(6)
	require.NoError(t, d.Decode(&line))
	require.NotNil(t, line.Result.Closed)
	require.True(t, line.Result.Closed.Success)
	eventually(t, "bob reports the close", func() bool { return len(bob.closed()) == 1 })
}
