package gossip

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var testChain = chainhash.Hash{9}

// testNow is a moment with whole seconds.
var testNow = time.Unix(1_800_000_000, 0)

// key is the id of an invented node. Keys rise with their numbers.
func key(n int) (k lnwire.PubKey) {
	k[0] = 2
	binary.BigEndian.PutUint64(k[1:], uint64(n))
	return k
}

// sig is an invented signature, which only its key could have made.
func sig(digest [32]byte, k lnwire.PubKey) (s lnwire.Sig) {
	h := sha256.Sum256(append(digest[:], k[:]...))
	copy(s[:], h[:])
	return s
}

func valid(checks []Check) bool {
	return !slices.ContainsFunc(checks, func(c Check) bool { return sig(c.Digest, c.Key) != c.Sig })
}

// box is a machine with a store, a chain and a signer around it, which answer at
// once unless they are stopped.
type box struct {
	t    testing.TB
	m    *Machine
	now  time.Time
	rows map[Key][]byte
	txos map[lnwire.ShortChannelID]txo

	stopped bool // questions are kept in asked
	asked   []Event
	deaf    bool // the signer is away
	choked  map[lnwire.PubKey]bool

	sent     map[lnwire.PubKey][]lnwire.Message
	changes  []Change
	own      []OwnUpdate
	theirs   []PeerUpdate
	dropped  map[lnwire.PubKey]string
	verified int
	lookups  int
	synced   bool
	wake     time.Time
}

type txo struct {
	script   []byte
	op       wire.OutPoint
	capacity lnwire.Sat
	spent    bool
}

func newBox(t testing.TB, change ...func(*Config)) *box {
	cfg := Config{Chain: testChain, Self: key(1000)}
	for _, f := range change {
		f(&cfg)
	}
	m, err := New(cfg)
	require.NoError(t, err)
	return &box{
		t: t, m: m, now: testNow, rows: map[Key][]byte{}, txos: map[lnwire.ShortChannelID]txo{}, choked: map[lnwire.PubKey]bool{},
		sent: map[lnwire.PubKey][]lnwire.Message{}, dropped: map[lnwire.PubKey]string{},
	}
}

// woken is a box whose chain is at height 1000.
func woken(t testing.TB, change ...func(*Config)) *box {
	b := newBox(t, change...)
	b.step(Block{Block: lnwire.BlockRef{Height: 1000}})
	b.step(AtTip{})
	return b
}

// step applies an event and all that answers it.
func (b *box) step(ev Event) {
	queue := []Event{ev}
	for len(queue) > 0 {
		answers := b.carry(b.m.Step(b.now, queue[0]))
		queue = queue[1:]
		if b.stopped {
			b.asked = append(b.asked, answers...)
			continue
		}
		queue = append(queue, answers...)
	}
}

// goOn lets the answers come that were kept.
func (b *box) goOn() {
	b.stopped = false
	asked := b.asked
	b.asked = nil
	for _, ev := range asked {
		b.step(ev)
	}
}

func (b *box) carry(fx Effects) (answers []Event) {
	require.NoError(b.t, Apply(b, fx.Rows))
	b.changes = append(b.changes, fx.Changes...)
	b.own, b.theirs = append(b.own, fx.Own...), append(b.theirs, fx.Theirs...)
	b.wake, b.synced = fx.Wake, b.synced || fx.Synced
	for _, v := range fx.Verify {
		b.verified += len(v.Checks)
		answers = append(answers, Verified{v.ID, valid(v.Checks)})
	}
	for _, l := range fx.LookUp {
		b.lookups++
		answers = append(answers, b.lookUp(l))
	}
	for _, r := range fx.Read {
		v := Values{ID: r.ID}
		require.LessOrEqual(b.t, len(r.Keys), readKeys+5)
		for _, k := range r.Keys {
			v.Values = append(v.Values, b.rows[k])
		}
		answers = append(answers, v)
	}
	for _, s := range fx.Sign {
		answers = append(answers, Signed{s.ID, sig(s.Digest, b.m.cfg.Self), !b.deaf})
	}
	for _, s := range fx.Send {
		for _, msg := range s.Msgs {
			raw, err := lnwire.Marshal(msg)
			require.NoError(b.t, err)
			again, err := lnwire.Unmarshal(raw)
			require.NoError(b.t, err)
			b.sent[s.Peer] = append(b.sent[s.Peer], again)
		}
		if s.Gossip && !b.choked[s.Peer] {
			answers = append(answers, Drained{s.Peer})
		}
	}
	for _, d := range fx.Disconnect {
		b.dropped[d.Peer] = d.Why
	}
	return answers
}

func (b *box) lookUp(l LookUp) Found {
	o, ok := b.txos[l.SCID]
	switch {
	case !ok || o.spent:
		return Found{ID: l.ID, Funding: FundingSpent}
	case string(o.script) != string(l.Script):
		return Found{ID: l.ID, Funding: FundingForeign}
	}
	return Found{ID: l.ID, Funding: FundingGood, OutPoint: o.op, Capacity: o.capacity}
}

// Put and Delete make the box a Graph.
func (b *box) Put(kind Kind, k, value []byte) error {
	b.rows[Key{kind, string(k)}] = slices.Clone(value)
	return nil
}

func (b *box) Delete(kind Kind, k []byte) error {
	delete(b.rows, Key{kind, string(k)})
	return nil
}

// restart makes a new machine of what is stored.
func (b *box) restart() *box {
	c := newBox(b.t, func(cfg *Config) { *cfg = b.m.cfg })
	c.now, c.txos = b.now, b.txos
	for _, kind := range Kinds {
		var keys []Key
		for k := range b.rows {
			if k.Kind == kind {
				keys = append(keys, k)
			}
		}
		slices.SortFunc(keys, func(x, y Key) int { return slices.Compare([]byte(x.Key), []byte(y.Key)) })
		for _, k := range keys {
			c.rows[k] = b.rows[k]
			c.carry(c.m.Restore(Row{k, b.rows[k]}))
		}
	}
	return c
}

// open connects a peer that offers gossip_queries.
func (b *box) open(n int) lnwire.PubKey {
	b.step(Opened{Peer: key(n), Features: lnwire.NewFeatures(lnwire.GossipQueriesOptional)})
	return key(n)
}

func (b *box) got(n int, msg lnwire.Message) { b.step(Received{key(n), msg}) }

// heard takes what a peer was sent of a type.
func heard[T lnwire.Message](b *box, n int) (list []T) {
	for _, msg := range b.sent[key(n)] {
		if m, ok := msg.(T); ok {
			list = append(list, m)
		}
	}
	return list
}

func (b *box) later(d time.Duration) {
	b.now = b.now.Add(d)
	b.step(Tick{})
}

// scid is a channel id deep enough for a chain of 1000 blocks.
func scid(n int) lnwire.ShortChannelID {
	return lnwire.NewShortChannelID(lnwire.Height(1+n/1000%900), uint32(n%1000), 0)
}

// announcement of a channel between two nodes, whose output is put into the chain.
func (b *box) announcement(id lnwire.ShortChannelID, n1, n2 int) *lnwire.ChannelAnnouncement {
	a := announcement(id, n1, n2)
	op := wire.OutPoint{Index: uint32(id.Output())}
	binary.BigEndian.PutUint64(op.Hash[:], uint64(id))
	b.txos[id] = txo{fundingScript(a.BitcoinKey1, a.BitcoinKey2), op, 1_000_000, false}
	return a
}

func announcement(id lnwire.ShortChannelID, n1, n2 int) *lnwire.ChannelAnnouncement {
	n1, n2 = min(n1, n2), max(n1, n2)
	a := &lnwire.ChannelAnnouncement{
		ChainHash: testChain, SCID: id, NodeID1: key(n1), NodeID2: key(n2),
		BitcoinKey1: key(1_000_000 + n1), BitcoinKey2: key(1_000_000 + n2),
	}
	signChannel(a)
	return a
}

func signChannel(a *lnwire.ChannelAnnouncement) {
	h := a.SignedDigest()
	a.NodeSig1, a.NodeSig2 = sig(h, a.NodeID1), sig(h, a.NodeID2)
	a.BitcoinSig1, a.BitcoinSig2 = sig(h, a.BitcoinKey1), sig(h, a.BitcoinKey2)
}

// update of a side, signed by node n, made some time from testNow.
func update(id lnwire.ShortChannelID, side, n int, from time.Duration, change ...func(*lnwire.ChannelUpdate)) *lnwire.ChannelUpdate {
	u := &lnwire.ChannelUpdate{
		ChainHash: testChain, SCID: id, Timestamp: uint32(testNow.Add(from).Unix()), MessageFlags: lnwire.UpdateMustBeOne,
		ChannelFlags: uint8(side), CLTVExpiryDelta: 40, HTLCMinimum: 1000, FeeBase: 1000, FeePPM: uint32(from/time.Second) + 100_000, HTLCMaximum: 900_000_000,
	}
	for _, f := range change {
		f(u)
	}
	u.Sig = sig(u.SignedDigest(), key(n))
	return u
}

func nodeAnn(n int, from time.Duration, change ...func(*lnwire.NodeAnnouncement)) *lnwire.NodeAnnouncement {
	alias, _ := lnwire.NewAlias("node")
	a := &lnwire.NodeAnnouncement{
		Timestamp: uint32(testNow.Add(from).Unix()), NodeID: key(n), Alias: alias,
	}
	for _, f := range change {
		f(a)
	}
	a.Sig = sig(a.SignedDigest(), a.NodeID)
	return a
}

// filterAll is a filter that lets everything through.
var filterAll = &lnwire.GossipTimestampFilter{ChainHash: testChain, TimestampRange: 1<<32 - 1}

// channelBetween makes a whole channel known, told by peer 1.
func (b *box) channelBetween(id lnwire.ShortChannelID, n1, n2 int) {
	b.got(1, b.announcement(id, n1, n2))
	b.got(1, update(id, 0, min(n1, n2), -time.Hour))
	b.got(1, update(id, 1, max(n1, n2), -time.Hour))
	c, ok := b.m.Channel(id)
	require.True(b.t, ok)
	require.NotNil(b.t, c.Policies[0])
	require.NotNil(b.t, c.Policies[1])
}
