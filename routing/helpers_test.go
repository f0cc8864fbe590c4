package routing

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/fulgur-ln/fulgur/lnwire"
)

var t0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// key is the id of node n: a real point, since onions are made for it.
func key(n int) lnwire.PubKey { return lnwire.NewPubKey(privKey(n).PubKey()) }

func privKey(n int) *btcec.PrivateKey {
	var b [32]byte
	binary.BigEndian.PutUint64(b[24:], uint64(n)+1)
	k, _ := btcec.PrivKeyFromBytes(b[:])
	return k
}

// fake is an id that is no point, for graphs that no onion is made for.
func fake(n int) (id lnwire.PubKey) {
	id[0] = 2
	binary.BigEndian.PutUint64(id[25:], uint64(n)+1)
	return id
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// link adds a channel from a to b; with the policies of a and of b.
func link(t fataler, g *Graph, scid int, a, b lnwire.PubKey, capacity lnwire.Sat, pa, pb *Policy) {
	t.Helper()
	c := Channel{SCID: lnwire.ShortChannelID(scid), Node1: a, Node2: b, Capacity: capacity, Policies: [2]*Policy{pa, pb}}
	if string(a[:]) > string(b[:]) {
		c.Node1, c.Node2, c.Policies = b, a, [2]*Policy{pb, pa}
	}
	if err := g.AddChannel(c); err != nil {
		t.Fatalf("add channel %d: %v", scid, err)
	}
}

func flat(base, ppm uint32, delta uint16) *Policy {
	return &Policy{Base: base, PPM: ppm, Delta: delta, Min: 1, Max: 1 << 40}
}

// testdata is the folder of the real graph; "" when it is not there.
func testdata() string {
	dir := os.Getenv("FULGUR_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "testdata")
	}
	if _, err := os.Stat(filepath.Join(dir, "mainnet-graph.csv.gz")); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return dir
}

// readMainnet reads the channels of the real network; nil when the file is absent.
func readMainnet(t testing.TB) []Channel {
	t.Helper()
	dir := testdata()
	if dir == "" {
		return nil
	}
	f, err := os.Open(filepath.Join(dir, "mainnet-graph.csv.gz"))
	if err != nil {
		t.Fatalf("open graph: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("read graph: %v", err)
	}
	var out []Channel
	num := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("read graph: %v", err)
		}
		return n
	}
	lines := bufio.NewScanner(z)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		w := strings.Split(lines.Text(), ",")
		c := Channel{SCID: lnwire.ShortChannelID(len(out) + 1), Capacity: lnwire.Sat(num(w[2]))}
		ends := [2]lnwire.PubKey{fake(int(num(w[0]))), fake(int(num(w[1])))}
		for side := range 2 {
			p := w[3+5*side:]
			if p[0] != "" {
				c.Policies[side] = &Policy{Base: uint32(num(p[0])), PPM: uint32(num(p[1])), Delta: uint16(num(p[2])),
					Min: lnwire.MilliSat(num(p[3])), Max: lnwire.MilliSat(num(p[4]))}
			}
		}
		if string(ends[0][:]) > string(ends[1][:]) {
			ends[0], ends[1] = ends[1], ends[0]
			c.Policies[0], c.Policies[1] = c.Policies[1], c.Policies[0]
		}
		c.Node1, c.Node2 = ends[0], ends[1]
		out = append(out, c)
	}
	return out
}

func readPairs(t testing.TB, name string) (pairs [][2]lnwire.PubKey) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata(), name))
	if err != nil {
		t.Fatalf("read pairs: %v", err)
	}
	for _, line := range strings.Fields(string(b))[1:] {
		a, c, _ := strings.Cut(line, ",")
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(c)
		pairs = append(pairs, [2]lnwire.PubKey{fake(x), fake(y)})
	}
	return pairs
}

func load(t testing.TB, channels []Channel) *Graph {
	t.Helper()
	g := NewGraph()
	for _, c := range channels {
		if err := g.AddChannel(c); err != nil {
			t.Fatalf("add channel: %v", err)
		}
	}
	return g
}
