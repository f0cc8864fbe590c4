package scale

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// graphFile is the graph of the main network, beside the project. Its README says
// where it comes from.
const graphFile = "../../../shared/testdata/mainnet-graph.csv.gz"

// plan is a graph without keys: what the file says.
type plan struct {
	nodes    int
	channels []planned
}

type planned struct {
	ends     [2]int
	capacity int64
	policies [2]*lnwire.ChannelUpdate // without id, time and signature; nil: none
}

// mainnet reads the file; nil when it is not there.
func mainnet(t testing.TB) *plan {
	f, err := os.Open(graphFile)
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Scan() // names
	p := &plan{}
	for lines.Scan() {
		v := strings.Split(lines.Text(), ",")
		num := func(i int) uint64 {
			n, err := strconv.ParseUint(v[i], 10, 64)
			require.NoError(t, err)
			return n
		}
		c := planned{ends: [2]int{int(num(0)), int(num(1))}, capacity: int64(num(2))}
		for side, at := range [2]int{3, 8} {
			if v[at] == "" { // disabled, or nothing was told
				c.policies[side] = policy(1000, 1, 40, 1000, uint64(c.capacity)*990)
				c.policies[side].ChannelFlags = lnwire.UpdateDisabled
				continue
			}
			c.policies[side] = policy(num(at), num(at+1), num(at+2), num(at+3), num(at+4))
		}
		p.nodes = max(p.nodes, c.ends[0]+1, c.ends[1]+1)
		p.channels = append(p.channels, c)
	}
	require.NoError(t, lines.Err())
	return p
}

func policy(base, ppm, delta, low, high uint64) *lnwire.ChannelUpdate {
	return &lnwire.ChannelUpdate{
		FeeBase: uint32(base), FeePPM: uint32(ppm), CLTVExpiryDelta: uint16(delta),
		HTLCMinimum: lnwire.MilliSat(low), HTLCMaximum: lnwire.MilliSat(high),
	}
}

// small is a graph of some hundred channels: a ring with chords, of which a part is
// disabled at one end.
func small() *plan {
	p := &plan{nodes: 120}
	for i := range 400 {
		c := planned{ends: [2]int{i % 120, (i + 1 + i/120*7) % 120}, capacity: int64(100_000 + i*1000)}
		c.policies[0] = policy(1000, uint64(i), 80, 1000, uint64(c.capacity)*900)
		if i%5 != 0 {
			c.policies[1] = policy(0, 500, 40, 1, uint64(c.capacity)*1000)
		}
		p.channels = append(p.channels, c)
	}
	return p
}

// key is the private key of a name and a number.
func key(name string, n int) *btcec.PrivateKey {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("fulgur scale "+name), uint64(n)))
	k, _ := btcec.PrivKeyFromBytes(h[:])
	return k
}

// graph is a graph with its keys: all messages that tell of it, as on the wire.
type graph struct {
	ids      []lnwire.ShortChannelID // rising
	channels map[lnwire.ShortChannelID]*told
	nodes    [][]byte // node_announcement, by number
	updates  int
	bytes    int
}

// told is a channel with its messages; an update may be missing.
type told struct {
	announcement []byte
	updates      [2][]byte
	times        [2]uint32
	sums         [2]uint32
	ends         [2]int // numbers of node 1 and node 2
}

// member is a node of the graph.
type member struct {
	key *btcec.PrivateKey
	id  lnwire.PubKey
}

// sides puts the ends of a channel in their order.
func sides(a, b *member) (first, second *member, swapped bool) {
	if string(a.id[:]) < string(b.id[:]) {
		return a, b, false
	}
	return b, a, true
}

// bitcoinKeys are the keys of the funding of the i-th channel, in the order of its ends
// in the plan.
func bitcoinKeys(i int) [2]*btcec.PrivateKey {
	return [2]*btcec.PrivateKey{key("bitcoin", 2*i), key("bitcoin", 2*i+1)}
}

// sign makes all messages of a plan whose channels were given ids by the chain.
func sign(t testing.TB, p *plan, ids []lnwire.ShortChannelID, now time.Time) *graph {
	g := &graph{channels: map[lnwire.ShortChannelID]*told{}, nodes: make([][]byte, p.nodes)}
	members := make([]member, p.nodes)
	spread(p.nodes, func(i int) {
		k := key("node", i)
		members[i] = member{k, lnwire.NewPubKey(k.PubKey())}
		g.nodes[i] = nodeAnnouncement(t, i, &members[i], now)
	})
	list := make([]*told, len(p.channels))
	spread(len(p.channels), func(i int) { list[i] = tell(t, i, &p.channels[i], ids[i], members, now) })
	for i, c := range list {
		g.channels[ids[i]] = c
		g.bytes += len(c.announcement) + len(c.updates[0]) + len(c.updates[1])
		for _, u := range c.updates {
			if u != nil {
				g.updates++
			}
		}
	}
	for _, raw := range g.nodes {
		g.bytes += len(raw)
	}
	g.ids = ids
	return g
}

// spread calls f for every number below n on all processors.
func spread(n int, f func(i int)) {
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

func signature(k *btcec.PrivateKey, digest [32]byte) lnwire.Sig {
	return lnwire.NewSig(ecdsa.Sign(k, digest[:]))
}

func marshal(t testing.TB, m lnwire.Message) []byte {
	raw, err := lnwire.Marshal(m)
	if err != nil {
		t.Error(err)
	}
	return raw
}

// tell makes the messages of a channel.
func tell(t testing.TB, i int, c *planned, id lnwire.ShortChannelID, members []member, now time.Time) *told {
	chain := *chaincfg.RegressionNetParams.GenesisHash
	n1, n2, swapped := sides(&members[c.ends[0]], &members[c.ends[1]])
	b, ends := bitcoinKeys(i), c.ends
	if swapped {
		b[0], b[1] = b[1], b[0]
		ends[0], ends[1] = ends[1], ends[0]
	}
	a := &lnwire.ChannelAnnouncement{
		ChainHash: chain, SCID: id, NodeID1: n1.id, NodeID2: n2.id,
		BitcoinKey1: lnwire.NewPubKey(b[0].PubKey()), BitcoinKey2: lnwire.NewPubKey(b[1].PubKey()),
	}
	h := a.SignedDigest()
	a.NodeSig1, a.NodeSig2, a.BitcoinSig1, a.BitcoinSig2 = signature(n1.key, h), signature(n2.key, h), signature(b[0], h), signature(b[1], h)
	out := &told{announcement: marshal(t, a), ends: ends}
	for side, k := range []*btcec.PrivateKey{n1.key, n2.key} {
		from := side
		if swapped {
			from = 1 - side
		}
		if c.policies[from] == nil {
			continue
		}
		u := *c.policies[from]
		u.ChainHash, u.SCID, u.MessageFlags, u.ChannelFlags = chain, id, lnwire.UpdateMustBeOne, u.ChannelFlags|uint8(side)
		u.Timestamp = uint32(now.Unix()) - uint32(600+(i*7+side)%40_000)
		u.Sig = signature(k, u.SignedDigest())
		out.updates[side], out.times[side], out.sums[side] = marshal(t, &u), u.Timestamp, u.Checksum()
	}
	return out
}

// addresses of a node are of every kind, now and then. Nobody listens there.
func addresses(i int) []lnwire.Address {
	list := []lnwire.Address{{Type: lnwire.AddrIPv4, Host: "203.0.113." + strconv.Itoa(1+i%250), Port: 9735}}
	if i%2 == 0 {
		list = append(list, lnwire.Address{Type: lnwire.AddrTor3, Host: strings.Repeat("a", 55) + "d.onion", Port: 9735})
	}
	if i%50 == 0 {
		list = append(list, lnwire.Address{Type: lnwire.AddrDNS, Host: "node" + strconv.Itoa(i) + ".example.org", Port: 9735})
	}
	return list
}

func nodeAnnouncement(t testing.TB, i int, k *member, now time.Time) []byte {
	alias, err := lnwire.NewAlias("node " + strconv.Itoa(i))
	if err != nil {
		t.Error(err)
	}
	a := &lnwire.NodeAnnouncement{
		Features:  lnwire.NewFeatures(lnwire.DataLossProtectRequired, lnwire.GossipQueriesOptional, lnwire.VarOnionRequired, lnwire.BasicMPPOptional, lnwire.ChannelTypeOptional),
		Timestamp: uint32(now.Unix()) - uint32(600+i%40_000), NodeID: k.id, Alias: alias, RGB: lnwire.RGB{byte(i), 2, 3},
		Addresses: addresses(i),
	}
	a.Sig = signature(k.key, a.SignedDigest())
	return marshal(t, a)
}
