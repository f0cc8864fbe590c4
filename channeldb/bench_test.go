package channeldb

import (
	"sync"
	"testing"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// commitDelta is what a turn writes that receives an HTLC with its commitment and
// signs it back.
func commitDelta(num, n uint64) *channel.Delta {
	f := fillerOf(n)
	c := &channel.Core{
		Phase: channel.Open, ChannelID: fill[lnwire.ChannelID](f), LocalN: n, RemoteN: n, RemoteRevoked: n,
		Ours: 1e9, Theirs: 2e9, Sent: 1e7, Got: 1e7, NextIn: n, NextOut: n, FeeRate: 253,
		RemotePoint: fill[lnwire.PubKey](f), RemoteNext: fill[lnwire.PubKey](f), SentReady: true, GotReady: true,
		Confirmed: &channel.Place{At: lnwire.BlockRef{Height: 800000, Hash: [32]byte{1}}},
	}
	ref := htlc.Ref{ChanNum: num, ID: n}
	d := &channel.Delta{ChanNum: num, Core: c, Onions: []channel.OnionRow{{Ref: ref, Onion: new([lnwire.OnionLen]byte)}}}
	d.Local = &channel.LocalCommit{N: n, Sig: fill[lnwire.Sig](f), HTLCSigs: make([]lnwire.Sig, 2)}
	for i := range uint64(2) {
		d.HTLCs = append(d.HTLCs, htlc.HTLC{
			Ref: htlc.Ref{ChanNum: num, ID: n + i}, Amount: 1e6, Expiry: 800100, Hash: fill[lnwire.Hash](f), State: htlc.RcvdAddCommit,
		})
	}
	if n > 2 {
		gone := htlc.Ref{ChanNum: num, ID: n - 2}
		d.GoneHTLCs, d.GoneOnions = []htlc.Ref{gone}, []htlc.Ref{gone}
	}
	d.Revoked = []channel.Revoked{{N: n, FeeRate: 253, Ours: 1e9, Theirs: 2e9, HTLCs: make([]channel.RevokedHTLC, 2)}}
	return d
}

func BenchmarkEncodeCommitDelta(b *testing.B) {
	batch := Batch{Channels: []*channel.Delta{commitDelta(1, 1000)}}
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(batch.encode(0).b)
	}
	b.ReportMetric(float64(size), "bytes/delta")
}

func BenchmarkCommit(b *testing.B) {
	db := open(b)
	deltas := someDeltas(1)
	i := 0
	for b.Loop() {
		if _, err := db.Write(Batch{Channels: deltas[i%len(deltas)]}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkCommit50Writers(b *testing.B) {
	db := open(b)
	var all [50][][]*channel.Delta
	for w := range all {
		all[w] = someDeltas(uint64(w + 1))
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range all {
		wg.Go(func() {
			for i := w; i < b.N; i += len(all) {
				if _, err := db.Write(Batch{Channels: all[w][i/len(all)%100]}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	s := db.Stats()
	b.ReportMetric(float64(s.Batches)/float64(s.Commits), "batches/sync")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
}

func someDeltas(num uint64) (list [][]*channel.Delta) {
	for n := range uint64(100) {
		list = append(list, []*channel.Delta{commitDelta(num, n)})
	}
	return list
}

func BenchmarkDecodeCore(b *testing.B) {
	e := &enc{b: []byte{1}}
	encodeCore(e, commitDelta(1, 5).Core)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeCore(e.b); err != nil {
			b.Fatal(err)
		}
	}
}
