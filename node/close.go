package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/mistake"
	"github.com/fulgur-ln/fulgur/node/turn"
)

// CloseRequest asks for the end of a channel.
type CloseRequest struct {
	Funding wire.OutPoint
	Force   bool
	Script  []byte          // where our money goes; empty: upfront script or fresh address
	FeeRate lnwire.SatPerKW // 0: by Target
	MaxRate lnwire.SatPerKW // most that we pay as funder; 0: three times FeeRate
	Target  uint32
}

// CloseUpdate is a step of a close: the transaction was published, then it is
// confirmed deep enough, or an error, which is always the last.
type CloseUpdate struct {
	Tx     *wire.MsgTx // published
	Closed bool
	Err    error
}

// closes are the closes that somebody waits for.
type closes struct {
	mu    sync.Mutex
	waits map[uint64][]chan CloseUpdate
}

// tell passes u on to those whom a notice concerns; with last they are told nothing
// more. A refusal is for the latest wish: those before it are under way.
func (c *closes) tell(num uint64, kind channel.NoticeKind, u CloseUpdate, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := c.waits[num]
	if n := len(waits) - 1; kind == channel.NoticeCloseRefused && n > 0 {
		c.waits[num], waits = waits[:n:n], waits[n:]
	} else if last {
		delete(c.waits, num)
	}
	for _, w := range waits {
		select {
		case w <- u:
		default:
		}
		if last {
			close(w)
		}
	}
}

// ErrNoChannel says that no channel has the outpoint.
var ErrNoChannel = errors.New("channel not found")

// CloseChannel ends a channel. The updates end with Closed or Err; the close goes on
// whether or not somebody still listens.
func (n *Node) CloseChannel(ctx context.Context, req CloseRequest) (<-chan CloseUpdate, error) {
	e := n.channels.funding(req.Funding)
	if e == nil {
		return nil, fmt.Errorf("%w: %v", ErrNoChannel, req.Funding)
	}
	link := e.link.Load()
	if !req.Force && link != nil && !link.Up && !link.Ended {
		return nil, mistake.State("unable to gracefully close channel while peer is offline (try force closing it instead): %s", link.Why)
	}
	rate := req.FeeRate
	if !req.Force {
		var err error
		if rate, err = n.feeRate(req.FeeRate, req.Target); err != nil {
			return nil, err
		}
	}
	updates := make(chan CloseUpdate, 4)
	n.closes.mu.Lock()
	n.closes.waits[e.num] = append(n.closes.waits[e.num], updates)
	n.closes.mu.Unlock()
	e.runner.Inbox.Put(turn.Item{Event: channel.CloseAsked{
		Force: req.Force, Script: req.Script, FeeRate: rate, MaxFeeRate: req.MaxRate,
	}})
	if n.channels.num(e.num) == nil { // it went in this moment
		n.closeNotice(channel.Notice{ChanNum: e.num, Kind: channel.NoticeForgotten})
	}
	return updates, nil
}

// closeNotice tells whoever waits for a close how it stands.
func (n *Node) closeNotice(t channel.Notice) {
	u := CloseUpdate{}
	last := true
	switch t.Kind {
	case channel.NoticeClosePublished:
		u.Tx, last = t.Tx, false
	case channel.NoticeClosed:
		u.Closed = true
	case channel.NoticeCloseRefused, channel.NoticeDataLost:
		u.Err = mistake.State("%s", t.Text)
	case channel.NoticeForgotten:
		u.Err = mistake.State("the channel is gone")
	default:
		return
	}
	n.closes.tell(t.ChanNum, t.Kind, u, last)
}
