package btcd

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/chainntnfs"
)

const (
	// unminedBuffer is how many transactions may wait for a reader.
	unminedBuffer = 1000
	// filterChunk bounds one request about watched things.
	filterChunk = 1000
	// scanLimit is the size of a mempool up to which it is looked through for
	// payments to scripts that are newly watched.
	scanLimit = 500
)

// mempool is what is watched in btcd's mempool. btcd has a filter per connection,
// to which new things are added and which is loaded anew after a reconnect.
type mempool struct {
	params  *chaincfg.Params
	out     chan *wire.MsgTx
	changed chan struct{} // fresh is not empty

	mu        sync.Mutex
	outpoints map[wire.OutPoint]struct{}
	scripts   map[string]struct{}
	fresh     chainntnfs.MempoolFilter // not yet told to btcd
}

func (m *mempool) init(params *chaincfg.Params) {
	m.params = params
	m.out = make(chan *wire.MsgTx, unminedBuffer)
	m.changed = make(chan struct{}, 1)
	m.outpoints = make(map[wire.OutPoint]struct{})
	m.scripts = make(map[string]struct{})
}

func (m *mempool) watch(f chainntnfs.MempoolFilter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, op := range f.Outpoints {
		m.outpoints[op] = struct{}{}
	}
	for _, script := range f.Scripts {
		m.scripts[string(script)] = struct{}{}
	}
	m.fresh.Outpoints = append(m.fresh.Outpoints, f.Outpoints...)
	m.fresh.Scripts = append(m.fresh.Scripts, f.Scripts...)
	m.signal()
}

// unwatch leaves btcd's filter alone until the next connection: what it still
// reports is dropped here.
func (m *mempool) unwatch(f chainntnfs.MempoolFilter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, op := range f.Outpoints {
		delete(m.outpoints, op)
	}
	for _, script := range f.Scripts {
		delete(m.scripts, string(script))
	}
}

// reload makes everything fresh, for a new connection.
func (m *mempool) reload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh = chainntnfs.MempoolFilter{}
	for op := range m.outpoints {
		m.fresh.Outpoints = append(m.fresh.Outpoints, op)
	}
	for script := range m.scripts {
		m.fresh.Scripts = append(m.fresh.Scripts, []byte(script))
	}
	m.signal()
}

func (m *mempool) signal() {
	if len(m.fresh.Outpoints)+len(m.fresh.Scripts) == 0 {
		return
	}
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// take gives at most a chunk of what is fresh.
func (m *mempool) take() (chunk chainntnfs.MempoolFilter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(m.fresh.Outpoints), filterChunk)
	chunk.Outpoints, m.fresh.Outpoints = m.fresh.Outpoints[:n], m.fresh.Outpoints[n:]
	n = min(len(m.fresh.Scripts), filterChunk)
	chunk.Scripts, m.fresh.Scripts = m.fresh.Scripts[:n], m.fresh.Scripts[n:]
	m.signal()
	return chunk
}

// load adds a chunk to btcd's filter, then looks for what was there before.
func (m *mempool) load(ctx context.Context, call caller) error {
	chunk := m.take()
	type outpoint struct {
		Hash  string `json:"hash"`
		Index uint32 `json:"index"`
	}
	outpoints, addresses := []outpoint{}, []string{}
	for _, op := range chunk.Outpoints {
		outpoints = append(outpoints, outpoint{op.Hash.String(), op.Index})
	}
	for _, script := range chunk.Scripts {
		_, addrs, _, err := txscript.ExtractPkScriptAddrs(script, m.params)
		if err == nil && len(addrs) == 1 { // btcd's filter knows only addresses
			addresses = append(addresses, addrs[0].EncodeAddress())
		}
	}
	if err := call(ctx, nil, "loadtxfilter", false, addresses, outpoints); err != nil {
		return err
	}
	if err := m.spenders(ctx, call, chunk.Outpoints); err != nil {
		return err
	}
	if len(chunk.Scripts) > 0 {
		return m.scan(ctx, call)
	}
	return nil
}

// spenders reports what in the mempool spends newly watched outpoints.
func (m *mempool) spenders(ctx context.Context, call caller, ops []wire.OutPoint) error {
	if len(ops) == 0 {
		return nil
	}
	type output struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"vout"`
	}
	var outputs []output
	for _, op := range ops {
		outputs = append(outputs, output{op.Hash.String(), op.Index})
	}
	var spends []struct {
		Spender string `json:"spendingtxid"`
	}
	if err := call(ctx, &spends, "gettxspendingprevout", outputs); err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, s := range spends {
		if s.Spender == "" || told[s.Spender] {
			continue
		}
		told[s.Spender] = true
		if err := m.fetch(ctx, call, s.Spender); err != nil {
			return err
		}
	}
	return nil
}

// scan looks through a small mempool.
func (m *mempool) scan(ctx context.Context, call caller) error {
	var txids []string
	if err := call(ctx, &txids, "getrawmempool"); err != nil {
		return err
	}
	if len(txids) > scanLimit {
		return nil
	}
	for _, txid := range txids {
		if err := m.fetch(ctx, call, txid); err != nil {
			return err
		}
	}
	return nil
}

func (m *mempool) fetch(ctx context.Context, call caller, txid string) error {
	var text string
	err := call(ctx, &text, "getrawtransaction", txid, 0)
	if refused(err) { // it has left the mempool meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	m.tell(text)
	return nil
}

// accepted takes a notification.
func (m *mempool) accepted(params []json.RawMessage) {
	var text string
	if len(params) == 1 && json.Unmarshal(params[0], &text) == nil {
		m.tell(text)
	}
}

// tell reports a transaction if it is of interest and there is room.
func (m *mempool) tell(text string) {
	tx := new(wire.MsgTx)
	if decodeHex(text, tx.Deserialize) != nil || !m.touches(tx) {
		return
	}
	select {
	case m.out <- tx:
	default:
	}
}

func (m *mempool) touches(tx *wire.MsgTx) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range tx.TxIn {
		if _, ok := m.outpoints[in.PreviousOutPoint]; ok {
			return true
		}
	}
	for _, out := range tx.TxOut {
		if _, ok := m.scripts[string(out.PkScript)]; ok {
			return true
		}
	}
	return false
}
