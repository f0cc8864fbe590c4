package node

import (
	"context"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/routing"
)

// payBlinded pays an invoice over its blinded paths.
func (r *resident) payBlinded(text string) routing.Progress {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	req, err := invoice.Decode(text)
	require.NoError(r.t, err)
	require.NotEmpty(r.t, req.Blinded)
	terms := routing.Terms{Hash: req.Hash, Amount: req.Amount, Features: req.Features, Request: text}
	for _, p := range req.Blinded {
		b := routing.BlindedPath{
			Intro: p.FirstNode, Tail: routing.Tail{PathKey: p.PathKey}, Base: p.FeeBase, PPM: p.FeePPM,
			Delta: p.CLTVDelta, Min: p.HTLCMinimum, Max: p.HTLCMaximum, Features: p.Features,
		}
		for _, h := range p.Hops {
			b.Hops = append(b.Hops, routing.BlindedHop{ID: h.NodeID, Data: h.Data})
		}
		terms.Blinded = append(terms.Blinded, b)
	}
	w, err := r.Pay(ctx, routing.Begin{Terms: terms, Limits: routing.Limits{Fee: req.Amount}})
	require.NoError(r.t, err)
	defer w.Close()
	for {
		p, err := w.Next(ctx)
		require.NoError(r.t, err)
		if p.Payment.Status != routing.InFlight {
			return p
		}
	}
}

// The whole way of a payment whose payer does not know whom it pays: over a peer of the payee, with a dummy hop
// behind it, and its refusal when nobody waits for it any more. Then messages along the same line, and back.
//
// B4.blind.10, B4.bfwd.6, B4.bfinal.4, B4.path.7, B4.msg.13, B4.msg.14, B4.msg.15.
func TestBlindedPaymentAndMessages(t *testing.T) {
	_, alice, bob, carol := lineOf(t)
	alice.open(bob, 1_000_000, 0)
	bob.open(carol, 1_000_000, 0)
	bc := bob.Links()[1].SCID
	for _, r := range []*resident{alice, carol} {
		r.until("bob-carol by gossip", func() bool {
			c, ok := r.Graph().Channel(bc)
			return ok && c.Policies[0] != nil && c.Policies[1] != nil
		})
	}
	inv, err := carol.AddBlindedInvoice(t.Context(), invoice.Terms{Amount: 50_000_000, Memo: "blind"}, DefaultBlinded)
	require.NoError(t, err)
	req, err := invoice.Decode(inv.Request)
	require.NoError(t, err)
	require.NotEqual(t, carol.ID(), req.Payee, "signed by nobody")
	require.Len(t, req.Blinded, 1)
	require.Len(t, req.Blinded[0].Hops, 3, "bob, carol and a dummy")
	require.Equal(t, bob.ID(), req.Blinded[0].FirstNode)
	p := alice.payBlinded(inv.Request)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	got, err := carol.Invoice(inv.Hash)
	require.NoError(t, err)
	require.Equal(t, invoice.Settled, got.State)

	gone, err := carol.AddBlindedInvoice(t.Context(), invoice.Terms{Amount: 10_000_000}, DefaultBlinded)
	require.NoError(t, err)
	_, err = carol.CancelInvoice(t.Context(), gone.Hash)
	require.NoError(t, err)
	p = alice.payBlinded(gone.Request)
	require.Equal(t, routing.Failed, p.Payment.Status)

	// Bob, with whom the path begins, pays over it himself, and nothing to himself.
	near, err := carol.AddBlindedInvoice(t.Context(), invoice.Terms{Amount: 4_000_000}, DefaultBlinded)
	require.NoError(t, err)
	p = bob.payBlinded(near.Request)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	require.Zero(t, p.Attempts[0].Route.Fee())

	self, err := bob.AddBlindedInvoice(t.Context(), invoice.Terms{Amount: 5_000_000},
		BlindedConfig{Hops: 2, MaxPaths: 1, Omit: []lnwire.PubKey{alice.ID(), carol.ID()}})
	require.NoError(t, err)
	p = alice.payBlinded(self.Request)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	_, err = bob.AddBlindedInvoice(t.Context(), invoice.Terms{}, BlindedConfig{MinReal: 1, Hops: 1, MaxPaths: 1, Omit: []lnwire.PubKey{alice.ID(), carol.ID()}})
	require.ErrorContains(t, err, "could not find any routes to self")
	for _, b := range []BlindedConfig{{MinReal: 2, Hops: 2, MaxPaths: 1}, {MinReal: 1, MaxPaths: 1}, {Hops: 5, MaxPaths: 1}, {Hops: 1}} {
		_, err = bob.AddBlindedInvoice(t.Context(), invoice.Terms{}, b)
		require.Error(t, err)
	}
	messages(t, alice, bob, carol)
	flood(t, alice, bob, carol)
	heldOverRestarts(t, alice, bob, carol)
	modifies(t, alice, carol)
	intercepts(t, alice, bob, carol)
	switchedOff(t, alice, bob, carol)
}

// switchedOff: bob carries nothing blinded any more, and takes no messages.
func switchedOff(t *testing.T, alice, bob, carol *resident) {
	var inv invoice.Invoice
	carol.until("a way to herself", func() bool {
		made, err := carol.AddBlindedInvoice(t.Context(), invoice.Terms{Amount: 2_000_000}, DefaultBlinded)
		inv = made
		return err == nil
	})
	bob.curt = true
	bob.restart()
	for _, r := range []*resident{alice, carol} {
		joined(bob, r)
	}
	require.Equal(t, routing.Failed, alice.payBlinded(inv.Request).Payment.Status)
	p := alice.pay(bob, 1_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	_, err := carol.AddBlindedInvoice(t.Context(), invoice.Terms{}, DefaultBlinded)
	require.ErrorContains(t, err, "could not find any routes to self")
	m := &lnwire.OnionMessage{PathKey: alice.ID(), Packet: make([]byte, onion.MessageLen)}
	require.ErrorContains(t, alice.SendOnionMessage(bob.ID(), m), "does not take onion messages")
	require.ErrorContains(t, bob.SendOnionMessage(carol.ID(), m), "switched off")
}

// heldOverRestarts: what a node of a blinded path needs to know of an HTLC outlives it, at the introduction node and at
// the end, for both ends of a payment (V-54).
func heldOverRestarts(t *testing.T, alice, bob, carol *resident) {
	var held []lnwire.Preimage
	done := make(chan routing.Progress, 2)
	for i := range byte(2) {
		p := lnwire.Preimage{7, i}
		inv, err := carol.AddBlindedInvoice(t.Context(), invoice.Terms{Hash: p.Hash(), Amount: 3_000_000}, DefaultBlinded)
		require.NoError(t, err)
		go func() { done <- alice.payBlinded(inv.Request) }()
		carol.until("held", func() bool {
			got, err := carol.Invoice(p.Hash())
			return err == nil && got.State == invoice.Accepted
		})
		held = append(held, p)
	}
	bob.restart()
	carol.restart()
	carol.until("connected again", func() bool { l := carol.Links(); return len(l) == 1 && l[0].Up })
	_, err := carol.SettleInvoice(t.Context(), held[0])
	require.NoError(t, err)
	_, err = carol.CancelInvoice(t.Context(), held[1].Hash())
	require.NoError(t, err)
	ends := map[routing.Status]int{}
	for range held {
		ends[(<-done).Payment.Status]++
	}
	require.Equal(t, map[routing.Status]int{routing.Succeeded: 1, routing.Failed: 1}, ends)
}

// flood: bob carries no more for alice than she is granted, and goes on with his work (V-44, B4.msg.13).
func flood(t *testing.T, alice, bob, carol *resident) {
	in := carol.OnionMessages()
	defer in.Cancel()
	path, err := onion.MessagePath(newSession(t), []lnwire.PubKey{bob.ID(), carol.ID()}, nil, nil)
	require.NoError(t, err)
	m, err := onion.BuildMessage(newSession(t), path, nil, []lnwire.TLV{{Type: 65, Value: make([]byte, 30_000)}})
	require.NoError(t, err)
	began := time.Now()
	for range 300 {
		alice.messages.pass(bob.ID(), m)
	}
	p := alice.pay(bob, 1_000_000)
	require.Equal(t, routing.Succeeded, p.Payment.Status, p.Payment.Text)
	carried := len(in.C) * len(m.Packet)
	granted := partnerBurst + int(time.Since(began).Seconds()+1)*partnerRate
	require.LessOrEqual(t, carried, granted)
	bob.messages.mu.Lock()
	defer bob.messages.mu.Unlock()
	require.LessOrEqual(t, len(bob.messages.peers), 2)
}

func newSession(t *testing.T) *btcec.PrivateKey {
	k, err := btcec.NewPrivateKey()
	require.NoError(t, err)
	return k
}

// messages go from alice over bob to carol, by the map, by a channel id and along a path of carol's.
func messages(t *testing.T, alice, bob, carol *resident) {
	alice.until("carol's features", func() bool {
		i, ok := alice.Graph().Node(carol.ID())
		return ok && i.Features.HasEither(lnwire.OnionMessagesOptional)
	})
	in := carol.OnionMessages()
	defer in.Cancel()
	answered := make(chan error, 1)
	go func() {
		m := <-in.C
		answered <- carol.Tell(*m.Message.ReplyPath, []lnwire.TLV{{Type: onion.MsgInvoice, Value: []byte("tea")}})
	}()
	path, err := alice.NodePath(carol.ID())
	require.NoError(t, err)
	m, err := alice.Ask(t.Context(), path, []lnwire.TLV{{Type: onion.MsgInvoiceRequest, Value: []byte("coffee?")}})
	require.NoError(t, err)
	require.NoError(t, <-answered)
	require.Equal(t, []lnwire.TLV{{Type: onion.MsgInvoice, Value: []byte("tea")}}, m.Contents)

	// By bob's channel with carol, and first by a step of bob's own, to himself.
	scid, self := bob.Links()[1].SCID, bob.ID()
	encode := func(d onion.RecipientData) []byte {
		b, err := d.Encode()
		require.NoError(t, err)
		return b
	}
	key, err := btcec.NewPrivateKey()
	require.NoError(t, err)
	path, err = onion.Blind(key, []onion.PathNode{
		{Node: bob.ID(), Data: encode(onion.RecipientData{NextNode: &self})}, {Node: bob.ID(), Data: encode(onion.RecipientData{ShortChannelID: &scid})},
		{Node: carol.ID(), Data: encode(onion.RecipientData{PathID: []byte("mine")})},
	})
	require.NoError(t, err)
	require.NoError(t, alice.Tell(path, []lnwire.TLV{{Type: 65, Value: []byte{1}}}))
	got := <-in.C
	require.Equal(t, []byte("mine"), got.Message.PathID)
	require.Equal(t, bob.ID(), got.Peer)
	require.NoError(t, bob.Tell(path, nil), "bob is the first node of it himself")
	require.Equal(t, []byte("mine"), (<-in.C).Message.PathID)
	named := path
	c, _ := alice.Graph().Channel(scid)
	named.FirstNode, named.FirstChannel = lnwire.PubKey{}, &onion.ChannelEnd{SCID: scid, Second: c.Node2 == bob.ID()}
	require.NoError(t, alice.Tell(named, nil))
	require.Equal(t, []byte("mine"), (<-in.C).Message.PathID)

	stranger := lnwire.PubKey{2, 1}
	require.ErrorContains(t, alice.SendOnionMessage(carol.ID(), &lnwire.OnionMessage{}), "is not connected")
	path.FirstNode = stranger
	require.ErrorContains(t, alice.Tell(path, nil), "no way to node")
	named.FirstChannel = &onion.ChannelEnd{SCID: 9}
	require.ErrorContains(t, alice.Tell(named, nil), "is not known")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	path, err = alice.NodePath(bob.ID())
	require.NoError(t, err)
	_, err = alice.Ask(ctx, path, nil)
	require.ErrorContains(t, err, "no answer")
	require.Empty(t, alice.messages.replies.by)
}

// B4.msg.13: a bound in bytes, for each peer and for all.
func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBucket(100, 1000, now)
	require.True(t, b.take(now, 1000))
	require.False(t, b.take(now, 1))
	require.False(t, b.take(now.Add(9*time.Millisecond), 1))
	require.True(t, b.take(now.Add(time.Second), 100))
	require.False(t, b.take(now.Add(time.Second), 1))
	require.False(t, b.take(now, 1), "a clock that goes back gives nothing")
	require.True(t, b.take(now.Add(time.Hour), 1000))
	require.False(t, b.take(now.Add(time.Hour), 1))
}

// B4.msg.15
func TestReplies(t *testing.T) {
	r, now := newReplies(), time.Unix(1000, 0)
	first, ok := r.put(lnwire.Secret{1}, now.Add(time.Minute), now)
	require.True(t, ok)
	require.Nil(t, r.take([]byte{1}, now))
	require.Nil(t, r.take(make([]byte, 32), now))
	id := lnwire.Secret{1}
	to := r.take(id[:], now)
	require.NotNil(t, to)
	to <- onion.Message{}
	<-first
	require.Nil(t, r.take(id[:], now), "once")
	r.put(id, now.Add(time.Minute), now)
	require.Nil(t, r.take(id[:], now.Add(2*time.Minute)), "too late")
	for i := range maxReplies {
		_, ok := r.put(lnwire.Secret{2, byte(i), byte(i >> 8)}, now.Add(time.Minute), now)
		require.True(t, ok)
	}
	_, ok = r.put(lnwire.Secret{3}, now.Add(time.Minute), now)
	require.False(t, ok)
	_, ok = r.put(lnwire.Secret{3}, now.Add(time.Hour), now.Add(2*time.Minute))
	require.True(t, ok)
	require.Len(t, r.by, 1)
}
