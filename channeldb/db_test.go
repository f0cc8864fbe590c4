package channeldb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestOpenWriteReopen(t *testing.T) {
	db := open(t)
	order := []int{}
	for i := range 10 {
		db.Queue(Batch{Channels: []*channel.Delta{{
			ChanNum: uint64(i), Core: &channel.Core{LocalN: uint64(i)}, Events: []channel.NoticeKind{channel.NoticeOpen},
		}}}, func(Receipt) { order = append(order, i) })
	}
	require.NoError(t, db.Barrier())
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order)

	db = reopen(t, db)
	n := uint64(0)
	require.NoError(t, db.Channels(func(num uint64, rows channel.Rows) error {
		require.Equal(t, n, num)
		require.Equal(t, n, rows.Core.LocalN)
		n++
		return nil
	}))
	require.Equal(t, uint64(10), n)
	events, err := db.Events(4, 3)
	require.NoError(t, err)
	require.Len(t, events, 3)
	require.Equal(t, uint64(4), events[0].Seq)
	require.Equal(t, uint64(3), events[0].ChanNum)
}

func TestIdentityAndSeal(t *testing.T) {
	db := open(t)
	seal, err := db.Seal()
	require.NoError(t, err)
	require.Nil(t, seal)
	_, ok, err := db.Identity()
	require.NoError(t, err)
	require.False(t, ok)

	_, err = db.Write(Batch{Seal: []byte("sealed")})
	require.NoError(t, err)
	id := lnwire.PubKey{2, 1}
	require.NoError(t, db.SetIdentity(id))
	db = reopen(t, db)
	require.NoError(t, db.SetIdentity(id))
	require.ErrorContains(t, db.SetIdentity(lnwire.PubKey{3}), "another data directory")
	seal, err = db.Seal()
	require.NoError(t, err)
	require.Equal(t, "sealed", string(seal))
}
