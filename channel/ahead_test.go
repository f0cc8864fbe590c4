package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// foreseen is a Crypto that knows which keys were announced, and how many were asked
// for without.
type foreseen struct {
	Crypto
	soon       map[lnwire.PubKey]bool
	asked, new int
}

func (f *foreseen) Keys(p *commitment.Params, point lnwire.PubKey) (commitment.Keys, error) {
	f.asked++
	if !f.soon[point] {
		f.new++
	}
	return f.Crypto.Keys(p, point)
}

func (f *foreseen) Soon(_ *commitment.Params, point lnwire.PubKey) { f.soon[point] = true }

// TestKeysAreAnnounced: from the moment the channel is open, or open again, the keys of
// every commitment are announced before they are needed.
func TestKeysAreAnnounced(t *testing.T) {
	w := newWorld(t)
	var all []*foreseen
	for _, n := range w.nodes() {
		f := &foreseen{Crypto: n.crypto, soon: map[lnwire.PubKey]bool{}}
		n.crypto = f
		all = append(all, f)
	}
	w.open(usual)
	pay := func(id uint64) {
		w.a.add(5_000_000, int(id))
		w.a.step(Flush{})
		w.settle()
		w.b.fulfill(id, int(id))
		w.b.step(Flush{})
		w.settle()
	}
	payments := func(from uint64) {
		for _, f := range all {
			f.asked, f.new = 0, 0
		}
		for id := range uint64(3) {
			pay(from + id)
		}
		for _, f := range all {
			require.GreaterOrEqual(t, f.asked, 12)
			require.Zero(t, f.new)
		}
	}
	payments(0)
	for _, f := range all {
		clear(f.soon)
	}
	w.disconnect()
	w.connect()
	w.settle()
	payments(3)
}
