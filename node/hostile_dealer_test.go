package node

import (
	"context"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// dealer is a rogue with a real channel: a machine keeps its books, and what the
// machine says can be altered on its way out.
type dealer struct {
	*rogue
	ch      *channel.Channel
	cfg     channel.Config
	funding wire.OutPoint
	alter   func(lnwire.Message) []lnwire.Message // nil: nothing is altered
	heard   []lnwire.Message
	locked  []htlc.Locked
	ended   []htlc.Outcome
	refused []htlc.Refusal
	gone    bool // the node hung up
}

// dealerOf makes a rogue that waits for a channel.
func dealerOf(t testing.TB, to *resident, name string) *dealer {
	t.Helper()
	d := &dealer{rogue: rogueOf(t, to, name)}
	d.cfg = channel.Config{Chain: *chaincfg.RegressionNetParams.GenesisHash, NodeID: d.id(), NodeKey: keys.KeyLoc{Family: keys.FamilyNode}}
	d.ch = channel.New(&d.cfg, &crypto{signer: d.ring, pool: &pool{}}, 1, d.id())
	return d
}

// deal lets the node open a private channel to the rogue, half of it for each.
func (d *dealer) deal(capacity lnwire.Sat) {
	t, to := d.t, d.to
	t.Helper()
	updates, err := to.OpenChannel(t.Context(), OpenRequest{
		Peer: d.id(), Capacity: capacity, Push: capacity.MilliSat() / 2, Private: true,
	})
	require.NoError(t, err)
	d.pump("the funding", func() bool { return d.ch.Phase() == channel.AwaitReady })
	u := <-updates
	require.NoError(t, u.Err)
	d.funding = u.Funding
	to.unconfirmed(u.Funding.Hash)
	to.mine(6)
	d.confirmed()
}

// fundsIt opens a private channel to the node, with coins of the miner's.
func (d *dealer) fundsIt(capacity lnwire.Sat, push lnwire.MilliSat) {
	t, to := d.t, d.to
	t.Helper()
	locs := keys.ChannelLocs(1)
	points, err := d.ring.Basepoints(locs)
	require.NoError(t, err)
	d.step(channel.OpenAsked{
		TempID: idOf("funded by the rogue"), Capacity: capacity, Push: push, FeeRate: 2500, FundingFeeRate: 1000,
		Format: commitment.Anchors, Private: true, Ours: dealerSide(points, capacity), Keys: locs, MinDepth: 3,
		Features: to.Features(), At: to.Tip(), Now: time.Now(),
	})
	d.pump("the funding", func() bool { return d.ch.Phase() == channel.AwaitReady })
	info := d.ch.Info()
	d.funding = info.Core.Funding
	waitUntil(t, "the opening", func() bool { return to.hasFunded(d.id()) })
	require.True(t, to.isGuest(d.id()), "V-44: nobody has paid for anything")
	require.NoError(t, to.chain.Send(t.Context(), info.FundingTx))
	to.mine(6)
	d.confirmed()
	require.False(t, to.isGuest(d.id()))
}

// confirmed waits until the node sees the funding in a block, tells the rogue's machine
// and waits until both can use the channel.
func (d *dealer) confirmed() {
	t, to := d.t, d.to
	t.Helper()
	var info channel.Info
	waitUntil(t, "funding confirmed", func() (ok bool) {
		info = d.node()
		return info.Core.Confirmed != nil
	})
	place := info.Core.Confirmed
	d.step(channel.Confirmed{Tx: d.fundingTx(place.At.Hash, place.TxIndex), At: place.At, TxIndex: place.TxIndex})
	d.step(channel.Block{At: to.Tip()})
	d.pump("the channel", func() bool { return d.ch.Phase() == channel.Open })
	waitUntil(t, "active", func() bool { return d.node().Active })
}

func (d *dealer) fundingTx(block chainhash.Hash, index uint32) *wire.MsgTx {
	b, err := d.to.chain.Block(d.t.Context(), block)
	require.NoError(d.t, err)
	return b.Transactions[index]
}

// node is the channel as the node sees it.
func (d *dealer) node() channel.Info {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	info, err := d.to.Channel(ctx, d.funding)
	require.NoError(d.t, err)
	return info
}

// step steps the rogue's own machine and says what it wants to say.
func (d *dealer) step(ev channel.Event) {
	d.t.Helper()
	fx := d.ch.Step(ev)
	fx.Append(d.ch.Step(channel.Flush{}))
	for _, ask := range fx.Ask {
		d.step(channel.Answered{ID: ask.ID, Answer: d.answer(ask.Question)})
	}
	d.locked = append(d.locked, fx.LockedIn...)
	d.ended = append(d.ended, fx.Outcomes...)
	d.refused = append(d.refused, fx.Refused...)
	for _, group := range fx.Send {
		for _, m := range group {
			if d.alter == nil {
				d.send(m)
			} else {
				d.send(d.alter(m)...)
			}
		}
	}
}

func (d *dealer) answer(q channel.Question) channel.Answer {
	locs := keys.ChannelLocs(1)
	points, err := d.ring.Basepoints(locs)
	require.NoError(d.t, err)
	switch q := q.(type) {
	case channel.AskAccept:
		return channel.Accepted{Keys: locs, MinDepth: 3, Ours: dealerSide(points, q.Open.FundingSat)}
	case channel.AskOutPoint:
		return channel.Free{}
	case channel.AskBackup:
		return channel.BackedUp{}
	case channel.AskShutdownScript:
		return channel.ShutdownScript{Script: append([]byte{0, 20}, make([]byte, 20)...)}
	case channel.AskFund:
		tx, err := d.to.chain.Miner().Build(d.t.Context(), wire.NewTxOut(int64(q.Amount), q.Script))
		require.NoError(d.t, err)
		return channel.Funded{Tx: tx, Output: 0}
	}
	return channel.Declined{Text: "no"}
}

// dealerSide are terms that an honest node would offer.
func dealerSide(points commitment.Basepoints, capacity lnwire.Sat) channel.Side {
	return channel.Side{
		Basepoints: points, DustLimit: 354, Reserve: capacity / 100, MaxInFlight: capacity.MilliSat(),
		HTLCMinimum: 1, MaxAccepted: 483, ToSelfDelay: 144,
	}
}

// pump feeds what the node says to the machine until ok.
func (d *dealer) pump(what string, ok func() bool) {
	d.t.Helper()
	for !ok() {
		m := d.next(what)
		if m == nil {
			d.gone = true
			require.True(d.t, ok(), "the node hung up, waiting for %s", what)
			return
		}
		d.take(m)
	}
}

func (d *dealer) take(m lnwire.Message) {
	d.t.Helper()
	d.heard = append(d.heard, m)
	d.log(m)
	if cm, ok := m.(lnwire.ChannelMessage); ok {
		ev := channel.Received{Msg: cm, Features: d.to.Features(), At: d.to.Tip(), Now: time.Now()}
		if _, add := m.(*lnwire.UpdateAddHTLC); add {
			ev.Opened = &htlc.Opened{}
		}
		d.step(ev)
	}
}

// reconnect comes back on a new connection.
func (d *dealer) reconnect() {
	d.t.Helper()
	d.again()
	d.gone = false
	d.step(channel.Disconnected{})
	d.step(channel.Connected{Features: d.to.Features()})
}

// offer sends an HTLC with an onion made by hand and waits for its end.
func (d *dealer) offer(o offering) htlc.Resolution {
	d.t.Helper()
	d.add(o)
	n := len(d.ended)
	d.pump("the end of the HTLC", func() bool { return len(d.ended) > n })
	return d.ended[n].Resolution
}

func (d *dealer) add(o offering) {
	d.t.Helper()
	refused := len(d.refused)
	d.step(channel.AddHTLC{Amount: o.amount, Expiry: o.expiry, Hash: o.hash, Onion: &o.packet, Origin: htlc.Attempt(uint64(len(d.ended) + 1))})
	require.Len(d.t, d.refused, refused, "the rogue's own machine does not take it")
}

// offering is an HTLC with its onion.
type offering struct {
	amount  lnwire.MilliSat
	expiry  lnwire.Height
	hash    lnwire.Hash
	packet  onion.Packet
	secrets []lnwire.Secret
}

// wrap makes an offering for hops, whose payloads may say anything.
func wrap(t testing.TB, hash lnwire.Hash, amount lnwire.MilliSat, expiry lnwire.Height, hops ...onion.Hop) offering {
	t.Helper()
	key, err := btcec.NewPrivateKey()
	require.NoError(t, err)
	o := offering{amount: amount, expiry: expiry, hash: hash}
	o.packet, o.secrets, err = onion.Build(key, hops, hash[:])
	require.NoError(t, err)
	return o
}

// hop is a layer for a node.
func hop(t testing.TB, id lnwire.PubKey, p onion.Payload) onion.Hop {
	t.Helper()
	b, err := p.Encode()
	require.NoError(t, err)
	return onion.Hop{PubKey: id, Payload: b}
}

// failure reads who failed an HTLC, and how.
func (o offering) failure(t testing.TB, r htlc.Resolution) (int, onion.Failure) {
	t.Helper()
	require.Equal(t, htlc.Failed, r.Kind)
	at, f, ok := onion.DecodeFailure(o.secrets, r.Reason)
	require.True(t, ok, "the failure cannot be read")
	return at, f
}
