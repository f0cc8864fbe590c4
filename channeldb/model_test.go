package channeldb

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func someRef(f filler, num uint64) htlc.Ref {
	return htlc.Ref{ChanNum: num, Dir: htlc.Direction(f.IntN(2)), ID: uint64(f.IntN(4)) << (8 * f.IntN(3))}
}

// someDelta is a delta of channel num; n counts its revoked commitments.
func someDelta(f filler, num uint64, n *uint64) *channel.Delta {
	d := &channel.Delta{
		ChanNum: num, Terms: fill[*channel.Terms](f), Core: fill[*channel.Core](f), Policy: fill[*channel.Policy](f),
		Local: fill[*channel.LocalCommit](f),
	}
	if f.IntN(2) == 0 {
		s := f.chain()
		d.Secrets = &s
	}
	for range f.IntN(3) {
		h := fill[htlc.HTLC](f)
		h.Ref = someRef(f, num)
		if !slices.ContainsFunc(d.HTLCs, func(o htlc.HTLC) bool { return o.Ref == h.Ref }) {
			d.HTLCs = append(d.HTLCs, h)
		}
		o := channel.OnionRow{Ref: someRef(f, num), Onion: &[lnwire.OnionLen]byte{byte(f.IntN(256))}}
		if !slices.ContainsFunc(d.Onions, func(p channel.OnionRow) bool { return p.Ref == o.Ref }) {
			d.Onions = append(d.Onions, o)
		}
		d.GoneHTLCs = append(d.GoneHTLCs, someRef(f, num))
		d.GoneOnions = append(d.GoneOnions, someRef(f, num))
	}
	for range f.IntN(3) {
		d.Revoked = append(d.Revoked, channel.Revoked{N: *n, Ours: lnwire.MilliSat(f.IntN(1000))})
		*n++
	}
	if f.IntN(2) == 0 {
		d.Fundings = append(d.Fundings, fill[channel.FundingTx](f))
		d.Fundings[0].OutPoint.Index = uint32(f.IntN(3))
	}
	if f.IntN(12) == 0 {
		c := fill[channel.ClosedRow](f)
		c.ChanNum = num
		d.Closed = &c
	}
	d.Forget = f.IntN(20) == 0
	return d
}

// TestStoreIsTheModel: the store does with a delta what channel.Apply does.
func TestStoreIsTheModel(t *testing.T) {
	dir := t.TempDir()
	db := openPath(t, filepath.Join(dir, "db"))
	next := uint64(1)
	rapid.Check(t, func(t *rapid.T) {
		f := fillerOf(rapid.Uint64().Draw(t, "seed"))
		nums := []uint64{next, next + 1}
		next += 2
		models, revoked := map[uint64]channel.Rows{}, map[uint64]*uint64{}
		for range 1 + f.IntN(8) {
			num := nums[f.IntN(2)]
			if revoked[num] == nil {
				revoked[num] = new(uint64)
			}
			d := someDelta(f, num, revoked[num])
			models[num] = channel.Apply(models[num], *d)
			db.Queue(Batch{Channels: []*channel.Delta{d}}, nil)
			if d.Forget {
				nums = []uint64{next, next} // a number is never used again
				next++
			}
		}
		require.NoError(t, db.Barrier())
		for num, want := range models {
			got, err := db.Channel(num)
			require.NoError(t, err)
			for n := range *revoked[num] {
				rev, ok, err := db.Revoked(num, n)
				require.NoError(t, err)
				if ok {
					got.Revoked = append(got.Revoked, rev)
				}
			}
			normal(&want)
			normal(&got)
			require.Equal(t, want, got)
		}
	})
}

// normal puts into order what has none, and forgets empty slices.
func normal(r *channel.Rows) {
	slices.SortFunc(r.Fundings, func(a, b channel.FundingTx) int {
		if c := bytes.Compare(a.OutPoint.Hash[:], b.OutPoint.Hash[:]); c != 0 {
			return c
		}
		return int(a.OutPoint.Index) - int(b.OutPoint.Index)
	})
	if len(r.Fundings) == 0 {
		r.Fundings = nil
	}
	if len(r.HTLCs) == 0 {
		r.HTLCs = nil
	}
	if len(r.Onions) == 0 {
		r.Onions = nil
	}
	if len(r.Revoked) == 0 {
		r.Revoked = nil
	}
}

// TestForgottenChannelsArePurged: millions of rows go a few at a time, and never
// show meanwhile.
func TestForgottenChannelsArePurged(t *testing.T) {
	db := open(t)
	d := &channel.Delta{ChanNum: 5, Core: &channel.Core{}}
	for n := range uint64(2*maxPurge + 10) {
		d.Revoked = append(d.Revoked, channel.Revoked{N: n})
	}
	_, err := db.Write(Batch{Channels: []*channel.Delta{d, {ChanNum: 6, Revoked: []channel.Revoked{{N: 1}}}}})
	require.NoError(t, err)
	_, ok, err := db.Revoked(5, 2*maxPurge)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = db.Write(Batch{Channels: []*channel.Delta{{ChanNum: 5, Forget: true}}})
	require.NoError(t, err)
	_, ok, err = db.Revoked(5, 2*maxPurge)
	require.NoError(t, err)
	require.False(t, ok)
	db = reopen(t, db)
	for range 4 {
		_, err = db.Write(core(7))
		require.NoError(t, err)
	}
	left := []uint64{}
	require.NoError(t, db.scan(inRevoked, nil, func(key, _ []byte) (bool, error) {
		left = append(left, number(key))
		return true, nil
	}))
	require.Equal(t, []uint64{6}, left)
	purges := 0
	require.NoError(t, db.scan(inPurge, nil, func(_, _ []byte) (bool, error) { purges++; return true, nil }))
	require.Zero(t, purges)
}
