package itest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
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
	w := rig.NewWorld(t)
	alice, bob := w.Node("alice"), w.Node("bob")
	a, b := alice.Web(), bob.Web()

	var address struct{ Address string }
	a.Call(&address, http.MethodGet, "/v1/newaddress", nil)
	_, err := w.Chain.Miner().PayAddress(t.Context(), address.Address, 3_000_000)
	require.NoError(t, err)
	w.Mine(1)
	var purse struct {
		Confirmed int64 `json:"confirmed_balance,string"`
	}
	a.Call(&purse, http.MethodGet, "/v1/balance/blockchain", nil)
	require.Equal(t, int64(3_000_000), purse.Confirmed)

	examples(t, w, alice, bob) // they are connected from here on
	require.Contains(t, a.Refused(http.MethodPost, "/v1/peers", map[string]any{"addr": map[string]any{"pubkey": bob.ID, "host": bob.P2P}}),
		"already connected to peer")
	point := restOpens(t, w, a, alice, bob)

	var made restInvoice
	var first restInvoice
	b.Call(&first, http.MethodPost, "/v1/invoices", map[string]any{"value": "1"})
	b.Call(&made, http.MethodPost, "/v1/invoices", map[string]any{"value": "2"})
	socket := b.Socket(rig.Soon(t), fmt.Sprintf("/v1/invoices/subscribe?method=GET&add_index=%d", first.Index), map[string]any{})
	var told rig.Streamed[restInvoice]
	require.NoError(t, socket.ReadJSON(&told), "what was missed comes first")
	require.Equal(t, made.RHash, told.Result.RHash)
	b.Call(&made, http.MethodPost, "/v1/invoices", map[string]any{"value_msat": "2500001", "memo": "over REST"})
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
	tracked := a.Lines(http.MethodGet, "/v2/router/track/"+hash64, nil)
	var again rig.Streamed[restPayment]
	require.NoError(t, json.Unmarshal([]byte(tracked[len(tracked)-1]), &again))
	require.Equal(t, paid.Preimage, again.Result.Preimage)
	var looked restInvoice
	b.Call(&looked, http.MethodGet, "/v1/invoice/"+paid.Hash, nil)
	require.Equal(t, "SETTLED", looked.State)
	require.Len(t, b.Lines(http.MethodGet, "/v2/invoices/subscribe/"+hash64, nil), 1)
	var history map[string]any
	a.Call(&history, http.MethodPost, "/v1/switch", map[string]any{})
	require.Contains(t, history, "forwarding_events", "empty lists are written out")
	restCloses(t, w, a, bob, point)
}

// restOpens opens a channel by REST.
func restOpens(t *testing.T, w *rig.World, a *rig.Web, alice, bob *rig.Node) rig.ChanPoint {
	t.Helper()
	var opened struct {
		Txid  []byte `json:"funding_txid_bytes"`
		Index uint32 `json:"output_index"`
	}
	a.Call(&opened, http.MethodPost, "/v1/channels", map[string]any{
		"node_pubkey": base64.StdEncoding.EncodeToString(rig.Unhex(t, bob.ID)), "local_funding_amount": "800000", "push_sat": "100000",
		"sat_per_vbyte": "2",
	})
	point := rig.PointOf(opened.Txid, opened.Index)
	w.InMempool(w.FundingTx(point))
	w.Mine(6)
	alice.Active(point)
	bob.Active(point)
	var list struct {
		Channels []struct {
			Point  string `json:"channel_point"`
			Active bool
		}
	}
	a.Call(&list, http.MethodGet, "/v1/channels?active_only=true", nil)
	require.Len(t, list.Channels, 1)
	require.Equal(t, string(point), list.Channels[0].Point)
	return point
}

// restPays pays as LNbits does: the answer is one document in one line.
func restPays(t *testing.T, a *rig.Web, request string) *restPayment {
	t.Helper()
	lines := a.Lines(http.MethodPost, "/v2/router/send", map[string]any{
		"payment_request": request, "timeout_seconds": 60, "fee_limit_msat": "9223372036854775807", "no_inflight_updates": true,
	})
	require.Len(t, lines, 1)
	var end rig.Streamed[restPayment]
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &end))
	require.Equal(t, "SUCCEEDED", end.Result.Status)
	require.Equal(t, "FAILURE_REASON_NONE", end.Result.Reason)
	require.Len(t, end.Result.Preimage, 64)
	require.Zero(t, end.Result.Fee)
	// the same again is refused, with the payment as it is
	resp := a.Do(http.MethodPost, "/v2/router/send", map[string]any{"payment_request": request, "timeout_seconds": 60, "fee_limit_msat": "1000"})
	defer resp.Body.Close()
	var refusal struct {
		Error struct{ Message string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&refusal))
	require.Contains(t, refusal.Error.Message, "already paid")
	return end.Result
}

// restCloses closes the channel by REST, reading the stream.
func restCloses(t *testing.T, w *rig.World, a *rig.Web, bob *rig.Node, point rig.ChanPoint) {
	t.Helper()
	closed := len(bob.Closed())
	resp := a.Do(http.MethodDelete, "/v1/channels/"+strings.Replace(string(point), ":", "/", 1)+"?sat_per_vbyte=2", nil)
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
	var line rig.Streamed[closing]
	require.NoError(t, d.Decode(&line))
	require.NotNil(t, line.Result.Pending)
	w.Mempool(1)
	w.Mine(6)
	for line.Result.Closed == nil { // the other's own transaction is told of too
		line.Result.Pending = nil
		require.NoError(t, d.Decode(&line))
		require.True(t, line.Result.Pending != nil || line.Result.Closed != nil)
	}
	require.True(t, line.Result.Closed.Success)
	rig.Eventually(t, "bob reports the close", func() bool { return len(bob.Closed()) == closed+1 })
}
