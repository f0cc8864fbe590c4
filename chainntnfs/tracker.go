package chainntnfs

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Tracker matches blocks against what clients watch, and remembers what it told
// so that a reorg can take it back. It is pure: no clock, no IO, and the same
// calls give the same notices in the same order. Use NewTracker.
type Tracker struct {
	outpoints map[wire.OutPoint][]Client
	txids     map[chainhash.Hash][]Client
	scripts   map[string][]Client
	spends    map[string][]Client // by the script of what is spent
	clients   map[Client]map[watched]Watch
	told      map[lnwire.Height][]sighting
}

// watched is one thing to look for: exactly one of the first three fields is set.
type watched struct {
	outpoint wire.OutPoint
	txid     chainhash.Hash
	script   string
	spends   bool // of the script
}

// sighting is a transaction that a client was told of.
type sighting struct {
	client  Client
	txid    chainhash.Hash
	at      lnwire.BlockRef
	txIndex uint32
}

// NewTracker makes one that watches nothing.
func NewTracker() *Tracker {
	return &Tracker{
		outpoints: make(map[wire.OutPoint][]Client),
		txids:     make(map[chainhash.Hash][]Client),
		scripts:   make(map[string][]Client),
		spends:    make(map[string][]Client),
		clients:   make(map[Client]map[watched]Watch),
		told:      make(map[lnwire.Height][]sighting),
	}
}

// remembered is how many blocks back a reorg can be taken back from memory.
const remembered = 2016

// things lists what a watch looks for.
func (w Watch) things() []watched {
	var list []watched
	if w.Outpoint != (wire.OutPoint{}) {
		list = append(list, watched{outpoint: w.Outpoint})
	}
	if w.Txid != (chainhash.Hash{}) {
		list = append(list, watched{txid: w.Txid})
	}
	if len(list) == 0 && len(w.PkScript) > 0 {
		list = append(list, watched{script: string(w.PkScript), spends: w.Spends})
	}
	return list
}

// Watch adds a watch from the next block on. Adding it twice changes nothing.
func (t *Tracker) Watch(c Client, w Watch) {
	for _, k := range w.things() {
		t.add(c, k, w)
	}
}

// Join adds a client that may watch nothing yet.
func (t *Tracker) Join(c Client) {
	if t.clients[c] == nil {
		t.clients[c] = make(map[watched]Watch)
	}
}

func (t *Tracker) add(c Client, k watched, w Watch) {
	t.Join(c)
	t.clients[c][k] = w
	switch {
	case k.spends:
		t.spends[k.script] = with(t.spends[k.script], c)
	case k.script != "":
		t.scripts[k.script] = with(t.scripts[k.script], c)
	case k.txid != (chainhash.Hash{}):
		t.txids[k.txid] = with(t.txids[k.txid], c)
	default:
		t.outpoints[k.outpoint] = with(t.outpoints[k.outpoint], c)
	}
}

// Unwatch removes a watch. What was told of it can still be taken back.
func (t *Tracker) Unwatch(c Client, w Watch) {
	for _, k := range w.things() {
		t.remove(c, k)
	}
}

func (t *Tracker) remove(c Client, k watched) {
	delete(t.clients[c], k)
	switch {
	case k.spends:
		without(t.spends, k.script, c)
	case k.script != "":
		without(t.scripts, k.script, c)
	case k.txid != (chainhash.Hash{}):
		without(t.txids, k.txid, c)
	default:
		without(t.outpoints, k.outpoint, c)
	}
}

// Leave removes a client with everything it watched and was told.
func (t *Tracker) Leave(c Client) {
	for k := range t.clients[c] {
		t.remove(c, k)
	}
	delete(t.clients, c)
	for height, list := range t.told {
		list = slices.DeleteFunc(list, func(s sighting) bool { return s.client == c })
		if len(list) == 0 {
			delete(t.told, height)
		} else {
			t.told[height] = list
		}
	}
}

// Adopt takes over everything that another tracker watches and told. Both must
// stand on the same block.
func (t *Tracker) Adopt(other *Tracker) {
	for c, set := range other.clients {
		t.Join(c)
		for k, w := range set {
			t.add(c, k, w)
		}
	}
	for _, list := range other.told {
		for _, s := range list {
			t.remember(s)
		}
	}
}

// Clients lists who joined or watched and did not leave, in order.
func (t *Tracker) Clients() []Client {
	list := make([]Client, 0, len(t.clients))
	for c := range t.clients {
		list = append(list, c)
	}
	slices.Sort(list)
	return list
}

// Step goes over a block that joins or leaves the chain.
//
// When it joins, in the order of its transactions, each client is told the
// spends of every input that it watches (V-04), then that the transaction itself
// is confirmed. When it leaves, everything told of blocks above Now is taken
// back, last first; the block itself, where it is still to be had, is looked
// through as well: clients may know of it from before they joined.
func (t *Tracker) Step(s Step) []Notice {
	if s.Connect {
		return t.connect(s.At, s.Block)
	}
	if s.Block != nil {
		t.match(s.At, s.Block, func(s sighting, _ Event) { t.remember(s) })
	}
	return t.takeBack(s.Now.Height)
}

// watches lists what a client watches, in an order of its own.
func (t *Tracker) watches(c Client) []Watch {
	set := t.clients[c]
	keys := make([]watched, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b watched) int {
		if a.script == b.script && a.spends != b.spends {
			if b.spends {
				return -1
			}
			return 1
		}
		return cmp.Or(
			bytes.Compare(a.outpoint.Hash[:], b.outpoint.Hash[:]),
			cmp.Compare(a.outpoint.Index, b.outpoint.Index),
			bytes.Compare(a.txid[:], b.txid[:]),
			cmp.Compare(a.script, b.script),
		)
	})
	list := make([]Watch, len(keys))
	for i, k := range keys {
		list[i] = set[k]
	}
	return list
}

func (t *Tracker) connect(at lnwire.BlockRef, block *wire.MsgBlock) []Notice {
	delete(t.told, at.Height-min(at.Height, remembered))
	var notices []Notice
	t.match(at, block, func(s sighting, ev Event) {
		t.remember(s)
		notices = append(notices, Notice{s.client, ev})
	})
	return notices
}

func (t *Tracker) takeBack(above lnwire.Height) []Notice {
	var gone []sighting
	for height, list := range t.told {
		if height > above {
			gone = append(gone, list...)
			delete(t.told, height)
		}
	}
	slices.SortFunc(gone, func(a, b sighting) int {
		return cmp.Or(
			cmp.Compare(b.at.Height, a.at.Height),
			cmp.Compare(b.txIndex, a.txIndex),
			cmp.Compare(a.client, b.client),
		)
	})
	notices := make([]Notice, len(gone))
	for i, s := range gone {
		notices[i] = Notice{s.client, Unconfirmed{Txid: s.txid, Was: s.at}}
	}
	return notices
}

// concerned lists whose watches an unconfirmed transaction touches.
func (t *Tracker) concerned(tx *wire.MsgTx) []Client {
	var clients []Client
	for _, in := range tx.TxIn {
		for _, c := range t.outpoints[in.PreviousOutPoint] {
			clients = with(clients, c)
		}
	}
	for _, c := range t.confirms(tx, tx.TxHash()) {
		clients = with(clients, c)
	}
	return clients
}

// match finds everything in a block that anybody watches.
func (t *Tracker) match(at lnwire.BlockRef, block *wire.MsgBlock, found func(sighting, Event)) {
	for i, tx := range block.Transactions {
		index := uint32(i)
		txid := tx.TxHash()
		for j, in := range tx.TxIn {
			for _, c := range t.spenders(in) {
				found(sighting{c, txid, at, index}, Spent{
					Outpoint: in.PreviousOutPoint, Tx: tx, Input: uint32(j), At: at, TxIndex: index,
				})
			}
		}
		for _, c := range t.confirms(tx, txid) {
			found(sighting{c, txid, at, index}, Confirmed{Tx: tx, At: at, TxIndex: index})
		}
	}
}

// spenders lists whoever watches what an input spends, each once.
func (t *Tracker) spenders(in *wire.TxIn) []Client {
	clients := t.outpoints[in.PreviousOutPoint]
	if len(t.spends) == 0 {
		return clients
	}
	for _, script := range spentScripts(in) {
		for _, c := range t.spends[string(script)] {
			clients = with(clients, c)
		}
	}
	return clients
}

// confirms lists whoever watches the transaction itself or a script that it
// pays, each once.
func (t *Tracker) confirms(tx *wire.MsgTx, txid chainhash.Hash) []Client {
	clients := t.txids[txid]
	if len(t.scripts) == 0 {
		return clients
	}
	for _, out := range tx.TxOut {
		for _, c := range t.scripts[string(out.PkScript)] {
			clients = with(clients, c)
		}
	}
	return clients
}

func (t *Tracker) remember(s sighting) {
	list := t.told[s.at.Height]
	if !slices.Contains(list, s) {
		t.told[s.at.Height] = append(list, s)
	}
}

// with adds a client to a sorted list, without touching the old list's array.
func with(list []Client, c Client) []Client {
	i, ok := slices.BinarySearch(list, c)
	if ok {
		return list
	}
	return slices.Insert(slices.Clip(list), i, c)
}

// without takes a client out of the list at a key.
func without[K comparable](index map[K][]Client, key K, c Client) {
	list := index[key]
	i, ok := slices.BinarySearch(list, c)
	switch {
	case !ok:
	case len(list) == 1:
		delete(index, key)
	default:
		index[key] = slices.Concat(list[:i], list[i+1:])
	}
}
