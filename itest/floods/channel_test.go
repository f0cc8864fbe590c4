package floods

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/channeltest"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/itest/rig"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// party is a stranger who opens a channel to the node, with a machine that keeps its
// books.
type party struct {
	v        *voice
	ring     *channeltest.Ring
	ch       *channel.Channel
	features lnwire.Features // that both offer
	tip      lnwire.BlockRef
	fund     func(amount lnwire.Sat, script []byte) (*wire.MsgTx, error)
	said     int // messages of the machine
}

const partyCapacity = 1_000_000

// words makes every party's keys its own.
var words atomic.Int64

// newParty takes a connection whose init is exchanged.
func newParty(v *voice, hello *lnwire.Init, tip lnwire.BlockRef, word string) *party {
	p := &party{v: v, ring: channeltest.NewRing(word), tip: tip}
	theirs := hello.AllFeatures()
	for _, bit := range features.Bits() {
		if theirs.HasEither(bit) {
			p.features = p.features.With(bit)
		}
	}
	id := lnwire.NewPubKey(v.key.PubKey())
	cfg := &channel.Config{Chain: chainHash, NodeID: id, NodeKey: channeltest.NodeKey}
	p.ch = channel.New(cfg, channeltest.Real{Ring: p.ring}, 1, lnwire.NewPubKey(v.to.id))
	return p
}

// partyKey is the node key of a party's connection.
func partyKey(word string) *btcec.PrivateKey {
	return channeltest.NewRing(word).Priv(channeltest.NodeKey)
}

// opens asks for the channel and goes on until the node has signed its funding.
func (p *party) opens(push lnwire.MilliSat) error {
	locs := p.ring.Locs(1)
	temp := lnwire.ChannelID{1}
	binary.BigEndian.PutUint64(temp[8:], uint64(words.Add(1)))
	err := p.step(channel.OpenAsked{
		TempID: temp, Capacity: partyCapacity, Push: push, FeeRate: 2500, FundingFeeRate: 1000,
		Format: commitment.Anchors, Private: true, Ours: channel.Side{
			Basepoints: p.ring.Basepoints(locs), DustLimit: 354, Reserve: partyCapacity / 100, MaxInFlight: partyCapacity * 1000,
			HTLCMinimum: 1, MaxAccepted: 483, ToSelfDelay: 144,
		},
		Keys: locs, MinDepth: 3, Features: p.features, At: p.tip, Now: time.Now(),
	})
	if err != nil {
		return err
	}
	return p.until(func() bool { return p.ch.Phase() == channel.AwaitReady })
}

// until feeds what the node says to the machine.
func (p *party) until(ok func() bool) error {
	for !ok() {
		m, err := p.v.read()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *lnwire.Error:
			return errors.New(m.Text())
		case *lnwire.Ping:
			if err := p.v.say(plain(&lnwire.Pong{Padding: make([]byte, m.NumPongBytes)})); err != nil {
				return err
			}
		case lnwire.ChannelMessage:
			if err := p.step(channel.Received{Msg: m, Features: p.features, At: p.tip, Now: time.Now()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// step steps the machine and says what it says.
func (p *party) step(ev channel.Event) error {
	fx := p.ch.Step(ev)
	fx.Append(p.ch.Step(channel.Flush{}))
	for _, group := range fx.Send {
		for _, m := range group {
			p.said++
			if err := p.v.say(plain(m)); err != nil {
				return err
			}
		}
	}
	for _, ask := range fx.Ask {
		a := channel.Answer(channel.Declined{Text: "no"})
		switch q := ask.Question.(type) {
		case channel.AskFund:
			tx, err := p.fund(q.Amount, q.Script)
			if err != nil {
				return err
			}
			a = channel.Funded{Tx: tx}
		case channel.AskOutPoint:
			a = channel.Free{}
		case channel.AskBackup:
			a = channel.BackedUp{}
		}
		if err := p.step(channel.Answered{ID: ask.ID, Answer: a}); err != nil {
			return err
		}
	}
	return nil
}

// noFunding is a transaction that spends nothing that there is.
func noFunding(amount lnwire.Sat, script []byte) (*wire.MsgTx, error) {
	tx := wire.NewMsgTx(2)
	var from chainhash.Hash
	binary.BigEndian.PutUint64(from[:], uint64(words.Add(1)))
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: from}, Witness: wire.TxWitness{{1}}})
	tx.AddTxOut(wire.NewTxOut(int64(amount), script))
	return tx, nil
}

// openings come from fresh keys: half of them only ask, half go on until the node waits
// for a funding that never comes.
func openings(s *scene) flooding {
	tip := s.tip()
	return func(ctx context.Context, to *target) {
		to.gather(ctx, 100, func(ctx context.Context, nth int) error {
			word := "opener " + time.Now().Format(time.RFC3339Nano)
			v, err := to.dial(ctx, partyKey(word))
			if err != nil {
				return err
			}
			defer v.close()
			if err := v.greet(); err != nil {
				return err
			}
			hello, err := v.meet()
			if err != nil {
				return err
			}
			p := newParty(v, hello, tip, word)
			p.fund = noFunding
			if nth%2 == 0 {
				p.fund = func(lnwire.Sat, []byte) (*wire.MsgTx, error) { return nil, errOver }
			}
			err = p.opens(0)
			pause(ctx, 100*time.Millisecond)
			return err
		})
	}
}

// feeUpdates go on without end in a channel that is open, and are never signed for.
func feeUpdates(s *scene) flooding {
	word := "mallory"
	ctx, cancel := context.WithCancel(s.t.Context())
	to := targetOf(s.t, s.bob, s.g)
	v, err := to.dial(ctx, partyKey(word))
	s.must(err)
	s.must(v.greet())
	hello, err := v.meet()
	s.must(err)
	p := newParty(v, hello, s.tip(), word)
	p.fund = func(amount lnwire.Sat, script []byte) (*wire.MsgTx, error) {
		return s.w.Chain.Miner().Build(ctx, wire.NewTxOut(int64(amount), script))
	}
	s.must(p.opens(400_000_000))
	funding := p.ch.Info().FundingTx
	s.must(s.w.Chain.Send(ctx, funding))
	blocks, err := s.w.Chain.Generate(ctx, 6)
	s.must(err)
	s.w.Synced()
	block, err := s.w.Chain.Block(ctx, blocks[0])
	s.must(err)
	index := -1
	for i, tx := range block.Transactions {
		if tx.TxHash() == funding.TxHash() {
			index = i
		}
	}
	s.must(p.step(channel.Confirmed{
		Tx: funding, TxIndex: uint32(index), At: lnwire.BlockRef{Height: s.height() - 5, Hash: blocks[0]},
	}))
	s.must(p.step(channel.Block{At: s.tip()}))
	s.must(p.until(func() bool { return p.ch.Phase() == channel.Open }))
	id := p.ch.Info().Core.ChannelID
	list := make([][]byte, 2)
	for i := range list {
		list[i] = plain(&lnwire.UpdateFee{ChannelID: id, FeeratePerKW: lnwire.SatPerKW(2500 + i)})
	}
	return func(flood context.Context, shown *target) {
		defer cancel()
		context.AfterFunc(flood, cancel)
		v.to = shown
		shown.dials.Add(1)
		shown.met.Add(1)
		shown.most.Store(1)
		_ = hearing(inTurn(100, list))(v, 0)
	}
}

func (s *scene) tip() lnwire.BlockRef {
	height, hash, err := s.w.Chain.Tip(s.t.Context())
	s.must(err)
	return lnwire.BlockRef{Height: lnwire.Height(height), Hash: hash}
}

func (s *scene) height() lnwire.Height { return s.tip().Height }

// id is the flooded node's.
func (s *scene) id() (id lnwire.PubKey) {
	copy(id[:], rig.Unhex(s.t, s.bob.ID))
	return id
}
