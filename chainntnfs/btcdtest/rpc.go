package btcdtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Error is a refusal by btcd.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error shows the code and the text.
func (e *Error) Error() string { return fmt.Sprintf("btcd: %d: %s", e.Code, e.Message) }

// maxAnswer bounds what is read of an answer: a full block in hex and more.
const maxAnswer = 64 << 20

type client struct {
	url, user, pass string
	http            *http.Client
}

func newClient(addr, user, pass, cert string) (*client, error) {
	pem, err := os.ReadFile(cert)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("read certificate: no PEM in it yet")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return &client{url: "https://" + addr, user: user, pass: pass, http: &http.Client{Transport: transport}}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// Call makes one JSON-RPC call; result may be nil.
func (n *Node) Call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.rpc.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	req.SetBasicAuth(n.rpc.user, n.rpc.pass)
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.rpc.http.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("call %s: %s: %w", method, resp.Status, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("call %s: %w", method, answer.Error)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	return nil
}

// Tip is the height and hash of the best block.
func (n *Node) Tip(ctx context.Context) (height int32, hash chainhash.Hash, err error) {
	var best struct {
		Hash   string `json:"hash"`
		Height int32  `json:"height"`
	}
	if err := n.Call(ctx, &best, "getbestblock"); err != nil {
		return 0, hash, err
	}
	hash, err = parseHash(best.Hash)
	return best.Height, hash, err
}

// Generate mines blocks on top of the best one and gives their hashes.
func (n *Node) Generate(ctx context.Context, blocks int) ([]chainhash.Hash, error) {
	var texts []string
	if err := n.Call(ctx, &texts, "generate", blocks); err != nil {
		return nil, err
	}
	hashes := make([]chainhash.Hash, len(texts))
	for i, text := range texts {
		var err error
		if hashes[i], err = parseHash(text); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// InvalidateBlock takes a block and all above it out of the best chain; their
// transactions return to the mempool.
func (n *Node) InvalidateBlock(ctx context.Context, hash chainhash.Hash) error {
	return n.Call(ctx, nil, "invalidateblock", hash.String())
}

// ReconsiderBlock takes an InvalidateBlock back.
func (n *Node) ReconsiderBlock(ctx context.Context, hash chainhash.Hash) error {
	return n.Call(ctx, nil, "reconsiderblock", hash.String())
}

// BlockHash is the hash of the main chain's block at a height.
func (n *Node) BlockHash(ctx context.Context, height int32) (chainhash.Hash, error) {
	var text string
	if err := n.Call(ctx, &text, "getblockhash", height); err != nil {
		return chainhash.Hash{}, err
	}
	return parseHash(text)
}

// Block is the block of that hash.
func (n *Node) Block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	var text string
	if err := n.Call(ctx, &text, "getblock", hash.String(), 0); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read block: %w", err)
	}
	block := new(wire.MsgBlock)
	if err := block.Deserialize(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("read block: %w", err)
	}
	return block, nil
}

// Mempool lists the transactions that wait for a block.
func (n *Node) Mempool(ctx context.Context) ([]chainhash.Hash, error) {
	var texts []string
	if err := n.Call(ctx, &texts, "getrawmempool"); err != nil {
		return nil, err
	}
	hashes := make([]chainhash.Hash, len(texts))
	for i, text := range texts {
		var err error
		if hashes[i], err = parseHash(text); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// Send gives a transaction to the mempool.
func (n *Node) Send(ctx context.Context, tx *wire.MsgTx) error {
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return fmt.Errorf("send transaction: %w", err)
	}
	return n.Call(ctx, nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes()))
}

func parseHash(text string) (chainhash.Hash, error) {
	h, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return chainhash.Hash{}, fmt.Errorf("read hash %q: %w", text, err)
	}
	return *h, nil
}
