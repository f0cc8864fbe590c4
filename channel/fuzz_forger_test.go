package channel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// FuzzForger is a peer that keeps to no rule but holds all its keys: whatever b would
// accept, it signs; it revokes what it has signed for, or something else; it makes up
// HTLCs, fees, ends, closes and silences. Nothing may panic, leak a secret that is not
// durable, break the reload law, tell an end twice, or make or lose money.
func FuzzForger(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 100, 1, 2, 0, 13, 40, 2, 0, 1, 2, 0, 3, 0, 1, 2, 0, 16, 1, 1, 14, 0, 1})
	f.Add([]byte{2, 15, 0, 100, 7, 0, 9, 20, 0, 1, 10, 2, 9, 40, 3, 2, 15, 0, 200, 10, 2, 18, 0, 7, 0, 9, 80, 0, 0})
	f.Add([]byte{2, 0, 0, 50, 100, 1, 2, 0, 8, 0, 14, 0, 1, 15, 1, 8, 0, 12, 0, 1, 2, 0, 6, 30, 1, 2, 0, 18, 0, 17, 4})
	f.Add([]byte{0, 13, 90, 2, 0, 1, 7, 1, 3, 0, 1, 2, 0, 1, 2, 0, 11, 50, 11, 51, 11, 52, 16, 5, 1})
	f.Add([]byte{10, 0, 0, 80, 100, 1, 2, 0, 15, 1, 8, 1, 16, 70, 0, 0, 14, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 200 {
			return
		}
		z := &forger{fuzzer: fuzzer{T: t, w: newWorld(t), in: in}}
		z.w.a.quietLaw = true
		z.run()
	})
}

type forger struct{ fuzzer }

func (z *forger) run() {
	how := z.byte()
	o := usual
	o.private, o.zeroConf = how&4 != 0, how&8 != 0
	w := z.w
	for _, n := range w.nodes() {
		n.alias, n.trusts = aliasOfA, true
		if how&2 != 0 {
			n.features = n.features.With(lnwire.SimpleCloseOptional)
		}
	}
	if o.zeroConf {
		w.ask(o)
		w.settle()
	} else {
		w.open(o)
	}
	for len(z.in) > 0 && w.b.ch.Phase() < Failed {
		z.act()
		w.a.inbox = nil
		z.judge()
		if w.b.drop || !w.up {
			w.disconnect()
			z.meet()
		}
	}
}

// meet connects anew, mostly with a true channel_reestablish.
func (z *forger) meet() {
	z.w.up = true
	z.w.b.step(Connected{Features: z.w.b.features})
	if off := z.byte(); off < 250 {
		z.greet(0)
	} else {
		z.greet(off)
	}
}

// act is one move of the forger, or of b's own.
func (z *forger) act() {
	b := z.w.b
	c, id := b.ch, b.ch.core.ChannelID
	pick := z.byte() % 20
	switch pick {
	case 0:
		z.pre++
		z.say(&lnwire.UpdateAddHTLC{
			ChannelID: id, ID: c.nextIn() + uint64(z.byte()/255), Amount: lnwire.MilliSat(z.byte()) * 1_000_000,
			Expiry: z.w.tip.Height + lnwire.Height(z.byte()), Hash: preimage(z.pre % 4).Hash(),
		})
	case 1:
		z.commit()
	case 2:
		z.revoke()
	case 3, 4, 5:
		z.remove(pick)
	case 6:
		z.say(&lnwire.UpdateFee{ChannelID: id, FeeratePerKW: lnwire.SatPerKW(z.byte()) * 100})
	case 7:
		z.say(&lnwire.Shutdown{ChannelID: id, Script: z.script()})
	case 8:
		z.say(&lnwire.Stfu{ChannelID: id, Initiator: z.byte()&1 == 0})
	case 9, 10, 11:
		z.close(pick)
	case 12:
		z.greet(z.byte())
	case 13, 14, 15, 16:
		z.own(pick)
	case 17:
		alias := lnwire.ShortChannelID(z.byte())
		z.say(&lnwire.ChannelReady{ChannelID: id, SecondPoint: z.point(1), Alias: &alias})
	case 18:
		b.crash()
		z.meet()
	case 19:
		z.say(&lnwire.AnnouncementSignatures{ChannelID: id, SCID: c.core.SCID + lnwire.ShortChannelID(z.byte()&1)})
	}
	if z.w.b.ch.Phase() != Closed {
		b.step(Flush{})
	}
}

// own are b's own moves.
func (z *forger) own(pick byte) {
	b := z.w.b
	switch pick {
	case 13:
		z.pre++
		b.add(lnwire.MilliSat(z.byte())*1_000_000, z.pre)
	case 14:
		z.resolve()
	case 15:
		switch z.byte() % 3 {
		case 0:
			b.step(CloseAsked{FeeRate: lnwire.SatPerKW(z.byte()) * 30})
		case 1:
			b.step(QuiesceAsked{})
		case 2:
			b.step(FeeRate{Rate: lnwire.SatPerKW(z.byte()) * 100})
		}
	case 16:
		b.step(Tick{Mono: b.ch.mono + time.Duration(z.byte())*time.Second})
		z.w.tip = blockRef(z.w.tip.Height + lnwire.Height(z.byte()%8))
		b.step(Block{At: z.w.tip})
	}
}

// say gives b a message, through its bytes.
func (z *forger) say(m lnwire.Message) {
	raw, err := lnwire.Marshal(m)
	require.NoError(z, err)
	back, err := lnwire.Unmarshal(raw)
	require.NoError(z, err)
	ev := Received{Msg: back}
	if _, ok := m.(*lnwire.UpdateAddHTLC); ok {
		ev.Opened = &htlc.Opened{Final: true}
	}
	z.w.b.step(ev)
}

func (z *forger) locs() commitment.KeyLocs { return z.w.a.ring.Locs(1) }

func (z *forger) point(n uint64) lnwire.PubKey { return z.w.a.crypto.Point(z.locs().Root, n) }

// commit signs what b's next commitment would be.
func (z *forger) commit() {
	c := z.w.b.ch
	com, err := c.buildLocal(c.core.LocalN+1, c.spec(true, holds(htlc.LocalNext)))
	if err != nil {
		return
	}
	sigs, _ := z.w.a.crypto.Sign(com.SignJobs(z.locs()))
	z.say(&lnwire.CommitmentSigned{ChannelID: c.core.ChannelID, Sig: sigs[0], HTLCSigs: sigs[1:]})
}

// revoke gives up what b has signed, or now and then something else.
func (z *forger) revoke() {
	c := z.w.b.ch
	n := c.core.RemoteRevoked
	if z.byte() == 255 {
		n++
	}
	z.say(&lnwire.RevokeAndAck{ChannelID: c.core.ChannelID, Secret: z.w.a.crypto.Secret(z.locs().Root, n), NextPoint: z.point(n + 2)})
}

func (z *forger) remove(pick byte) {
	c := z.w.b.ch
	id := uint64(z.byte()) % 8
	switch pick {
	case 3:
		p := lnwire.Preimage{}
		for k := range 64 {
			if e, ok := find(c.out, id); ok && preimage(k).Hash() == e.Hash {
				p = preimage(k)
			}
		}
		z.say(&lnwire.UpdateFulfillHTLC{ChannelID: c.core.ChannelID, ID: id, Preimage: p})
	case 4:
		z.say(&lnwire.UpdateFailHTLC{ChannelID: c.core.ChannelID, ID: id})
	case 5:
		z.say(&lnwire.UpdateFailMalformedHTLC{ChannelID: c.core.ChannelID, ID: id, FailureCode: badOnion})
	}
}

func (z *forger) script() []byte {
	n := z.byte()
	switch n % 3 {
	case 0:
		return z.w.a.script()
	case 1:
		return burning
	}
	return append([]byte{0x51, 2}, n, n)
}

// close are the messages of both ways to close, with signatures that hold.
func (z *forger) close(pick byte) {
	c := z.w.b.ch
	if c.core.OurShutdown == nil || c.core.TheirShutdown == nil {
		return
	}
	p := c.closing()
	fee := lnwire.Sat(z.byte()) * 100
	sign := func(tx *commitment.ClosingTx, err error) *lnwire.Sig {
		if err != nil {
			return nil
		}
		sigs, _ := z.w.a.crypto.Sign([]commitment.SignJob{tx.Job(z.locs())})
		return &sigs[0]
	}
	shapes := []commitment.ClosingShape{commitment.CloserOnly, commitment.CloseeOnly, commitment.BothOutputs}
	switch pick {
	case 9:
		m := &lnwire.ClosingComplete{ClosingTerms: lnwire.ClosingTerms{
			ChannelID: c.core.ChannelID, CloserScript: z.script(), CloseeScript: c.core.OurShutdown, Fee: fee, LockTime: uint32(z.byte()),
		}}
		p.WeFund, p.TheirScript = false, m.CloserScript
		for _, s := range shapes {
			*sigOf(&m.ClosingTerms, s) = sign(commitment.BuildSimpleClosing(p, offerOf(&m.ClosingTerms, s)))
		}
		z.say(m)
	case 10:
		sent := c.conn.simple.sent
		if sent == nil {
			return
		}
		m := &lnwire.ClosingSig{ClosingTerms: lnwire.ClosingTerms{
			ChannelID: c.core.ChannelID, CloserScript: sent.CloserScript, CloseeScript: sent.CloseeScript, Fee: sent.Fee, LockTime: sent.LockTime,
		}}
		p.WeFund, p.OurScript, p.TheirScript = true, sent.CloserScript, sent.CloseeScript
		s := shapes[z.byte()%3]
		*sigOf(&m.ClosingTerms, s) = sign(commitment.BuildSimpleClosing(p, offerOf(&m.ClosingTerms, s)))
		z.say(m)
	case 11:
		variants, err := commitment.ClosingVariants(p, fee)
		if err != nil {
			return
		}
		sig := sign(variants[int(fee/100)%len(variants)], nil)
		z.say(&lnwire.ClosingSigned{ChannelID: c.core.ChannelID, Fee: fee, Sig: *sig})
	}
}

// greet is channel_reestablish, true but for what the fuzzer changes.
func (z *forger) greet(how byte) {
	c := z.w.b.ch
	off := uint64(how)
	m := &lnwire.ChannelReestablish{
		ChannelID: c.core.ChannelID, NextCommitment: c.core.RemoteN + 1 - off&1, NextRevocation: c.core.LocalN - off>>1&1, CurrentPoint: z.point(c.core.RemoteN),
	}
	if n := m.NextRevocation; n > 0 {
		m.LastSecret = z.w.b.crypto.Secret(c.terms.Keys.Root, n-1)
	}
	z.say(m)
}
