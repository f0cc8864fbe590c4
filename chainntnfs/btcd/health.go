package btcd

import (
	"context"
	"fmt"
	"time"

	"github.com/fulgur-ln/fulgur/chainntnfs"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// aheadBy is how many blocks most peers must be ahead for btcd to count as stuck.
const aheadBy = 2

// lag remembers at which tip most peers were seen ahead: a block that is just
// being checked is no fault.
type lag struct {
	at   lnwire.Height
	seen bool
}

// judge asks btcd for its peers and tells whether the tip can be trusted to be
// the network's (V-27, V-33).
func (b *Backend) judge(ctx context.Context, c *conn) {
	var peers []struct {
		Height int64 `json:"currentheight"`
	}
	if err := b.bounded(c)(ctx, &peers, "getpeerinfo"); err != nil {
		return // a connection in trouble is noticed elsewhere
	}
	heights := make([]int64, len(peers))
	for i, p := range peers {
		heights[i] = p.Height
	}
	state, _ := b.status.Get()
	behind := peersAhead(state.Tip.Height, heights)
	again := behind && b.lagging.seen && b.lagging.at == state.Tip.Height
	b.lagging = lag{at: state.Tip.Height, seen: behind}

	stale := b.old(state.Tip.Height, state.TipTime)
	if again {
		stale = fmt.Sprintf("btcd stands at block %d while most of its peers are ahead", state.Tip.Height)
	}
	b.status.Update(func(s *chainntnfs.State) {
		if s.Tip == state.Tip {
			s.Stale = stale
		}
	})
}

// old says why a tip of that time may not be the network's; empty: it may be.
func (b *Backend) old(height lnwire.Height, when time.Time) string {
	if b.cfg.StaleAfter == 0 || time.Since(when) <= b.cfg.StaleAfter {
		return ""
	}
	return fmt.Sprintf("the last block, %d, is of %s", height, when.UTC().Format(time.DateTime))
}

// peersAhead says whether most peers claim a clearly longer chain: a single one
// among several may lie.
func peersAhead(tip lnwire.Height, peers []int64) bool {
	ahead := 0
	for _, height := range peers {
		if height >= int64(tip)+aheadBy {
			ahead++
		}
	}
	return 2*ahead > len(peers)
}
