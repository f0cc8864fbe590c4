package chain

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/node"
	"github.com/fulgur-ln/fulgur/proto/chainrpc"
)

// fake is a chain of blocks up to a tip.
type fake struct {
	Node
	tip  lnwire.Height
	feed node.Feed[lnwire.BlockRef]
}

func at(h lnwire.Height) lnwire.BlockRef {
	b := lnwire.BlockRef{Height: h}
	b.Hash[0], b.Hash[1] = byte(h), byte(h>>8)
	return b
}

func (f *fake) Tip() lnwire.BlockRef                             { return at(f.tip) }
func (f *fake) BlockEvents() *node.Subscription[lnwire.BlockRef] { return f.feed.Subscribe() }
func (f *fake) BlocksAfter(_ context.Context, b lnwire.BlockRef, limit int) (list []lnwire.BlockRef, err error) {
	for h := b.Height + 1; h <= f.tip && len(list) < limit; h++ {
		list = append(list, at(h))
	}
	return list, nil
}

type stream struct {
	grpc.ServerStream
	ctx  context.Context
	send func(*chainrpc.BlockEpoch) error
}

func (s *stream) Context() context.Context          { return s.ctx }
func (s *stream) Send(b *chainrpc.BlockEpoch) error { return s.send(b) }

var errEnough = errors.New("enough")

// TestBlocks: nothing is missed and nothing told twice, also of what comes meanwhile.
func TestBlocks(t *testing.T) {
	from := at(1)
	for name, c := range map[string]struct {
		req  *chainrpc.BlockEpoch
		want []uint32
	}{
		"the tip first":       {&chainrpc.BlockEpoch{}, []uint32{700, 701}},
		"all since the given": {&chainrpc.BlockEpoch{Hash: from.Hash[:], Height: 698}, []uint32{699, 700, 701}},
	} {
		f := &fake{tip: 700}
		var got []uint32
		err := New(f).RegisterBlockEpochNtfn(c.req, &stream{ctx: t.Context(), send: func(b *chainrpc.BlockEpoch) error {
			if got = append(got, b.Height); len(got) == 1 {
				f.feed.Publish(at(700))
				f.feed.Publish(at(701))
			}
			if b.Height == 701 {
				return errEnough
			}
			return nil
		}})
		require.ErrorIs(t, err, errEnough)
		require.Equal(t, c.want, got, name)
	}
	f := &fake{tip: 1200}
	n := 0
	err := New(f).RegisterBlockEpochNtfn(&chainrpc.BlockEpoch{Hash: from.Hash[:], Height: 1}, &stream{ctx: t.Context(), send: func(b *chainrpc.BlockEpoch) error {
		if n++; b.Height == 1200 {
			return errEnough
		}
		return nil
	}})
	require.ErrorIs(t, err, errEnough)
	require.Equal(t, 1199, n, "several pages")
	err = New(f).RegisterBlockEpochNtfn(&chainrpc.BlockEpoch{Hash: []byte{1}}, &stream{ctx: t.Context()})
	require.ErrorContains(t, err, "hash: want 32 bytes")
}
