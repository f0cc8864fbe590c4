package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/routing"
)

// asked is an invoice of the node's.
func asked(t *testing.T, r *resident, terms invoice.Terms) invoice.Invoice {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	inv, err := r.AddInvoice(ctx, terms)
	require.NoError(t, err)
	return inv
}

// state is how an invoice stands.
func (r *resident) invoiceState(t *testing.T, h lnwire.Hash) invoice.State {
	t.Helper()
	inv, err := r.Invoice(h)
	require.NoError(t, err)
	return inv.State
}

// TestHostileFinalHop: HTLCs that end at the node and are not what its invoice asks for.
// Each is failed with the code of BOLT 4, none is paid out, none ends the channel.
func TestHostileFinalHop(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(1_000_000)
	const amount = 10_000_000
	height := bob.Tip().Height
	expiry := height + 100

	for name, c := range map[string]struct {
		code onion.Code
		bend func(h *offering, f *onion.Final, p *onion.Payload) // p is made of f when it is nil
	}{
		"less than the onion says": {onion.FinalIncorrectHTLCAmount, func(h *offering, f *onion.Final, _ *onion.Payload) { h.amount-- }},
		"less than the invoice asks": {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) {
			h.amount, f.Amount, f.Total = amount-1, amount-1, amount-1
		}},
		"more than twice": {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) {
			h.amount, f.Amount, f.Total = 2*amount+1, 2*amount+1, 2*amount+1
		}},
		"a total of all ones":        {onion.InvalidOnionPayload, func(h *offering, f *onion.Final, _ *onion.Payload) { f.Total = 1<<64 - 1 }},
		"a total of more than twice": {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) { f.Total = 2*amount + 1 }},
		"a total below the amount": {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) {
			f.Total = 1
		}},
		"an expiry below the onion's": {onion.FinalIncorrectCLTVExpiry, func(h *offering, f *onion.Final, _ *onion.Payload) { h.expiry-- }},
		"an expiry too soon": {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) {
			h.expiry, f.Expiry = height+2, height+2
		}},
		"an expiry of all ones in the onion": {onion.FinalIncorrectCLTVExpiry, func(h *offering, f *onion.Final, _ *onion.Payload) { f.Expiry = 1<<32 - 1 }},
		"a wrong secret":                     {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) { f.Secret = new(lnwire.Secret) }},
		"no secret":                          {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) { f.Secret = nil }},
		"another hash":                       {onion.IncorrectOrUnknownPaymentDetails, func(h *offering, f *onion.Final, _ *onion.Payload) { h.hash[0] ^= 1 }},
		"no amount": {onion.InvalidOnionPayload, func(h *offering, f *onion.Final, p *onion.Payload) {
			*p = f.Payload()
			p.AmtToForward = nil
		}},
		"no expiry": {onion.InvalidOnionPayload, func(h *offering, f *onion.Final, p *onion.Payload) {
			*p = f.Payload()
			p.OutgoingCLTV = nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inv := asked(t, bob, invoice.Terms{Amount: amount})
			h := offering{amount: amount, expiry: expiry, hash: inv.Hash}
			f := onion.Final{Amount: amount, Expiry: expiry, Secret: &inv.Secret, Total: amount}
			var p onion.Payload
			c.bend(&h, &f, &p)
			if p.AmtToForward == nil && p.OutgoingCLTV == nil {
				p = f.Payload()
			}
			o := wrap(t, h.hash, h.amount, h.expiry, hop(t, bob.ID(), p))
			_, failure := o.failure(t, d.offer(o))
			require.Equal(t, c.code, failure.Code, "%v", failure.Code)
			require.Equal(t, invoice.Open, bob.invoiceState(t, inv.Hash))
		})
	}
	final := func(inv invoice.Invoice) onion.Hop {
		return hop(t, bob.ID(), onion.Final{Amount: amount, Expiry: expiry, Secret: &inv.Secret, Total: amount}.Payload())
	}
	details := func(t *testing.T, o offering) {
		t.Helper()
		_, failure := o.failure(t, d.offer(o))
		require.Equal(t, onion.IncorrectOrUnknownPaymentDetails, failure.Code)
	}
	t.Run("an invoice that was cancelled", func(t *testing.T) {
		inv := asked(t, bob, invoice.Terms{Amount: amount})
		_, err := bob.CancelInvoice(t.Context(), inv.Hash)
		require.NoError(t, err)
		details(t, wrap(t, inv.Hash, amount, expiry, final(inv)))
	})
	t.Run("an invoice that has expired", func(t *testing.T) {
		inv := asked(t, bob, invoice.Terms{Amount: amount, Expiry: time.Second})
		waitUntil(t, "expired", func() bool { return bob.invoiceState(t, inv.Hash) == invoice.Canceled })
		details(t, wrap(t, inv.Hash, amount, expiry, final(inv)))
	})
	t.Run("an invoice that is paid, and its onion once more", func(t *testing.T) {
		inv := asked(t, bob, invoice.Terms{Amount: amount})
		o := wrap(t, inv.Hash, amount, expiry, final(inv))
		r := d.offer(o)
		require.Equal(t, htlc.Fulfilled, r.Kind)
		require.Equal(t, inv.Hash, r.Preimage.Hash())
		_, failure := o.failure(t, d.offer(o))
		require.Equal(t, onion.TemporaryNodeFailure, failure.Code, "B4.replay.1")
		details(t, wrap(t, inv.Hash, amount, expiry, final(inv)))
		o.amount = 2 * amount
		_, failure = o.failure(t, d.offer(o))
		require.Equal(t, onion.TemporaryNodeFailure, failure.Code, "with another amount it is still the same onion")
	})
	t.Run("the onion of another payment", func(t *testing.T) {
		inv := asked(t, bob, invoice.Terms{Amount: amount})
		o := wrap(t, inv.Hash, amount, expiry, final(inv))
		o.hash[31] ^= 1
		r := d.offer(o)
		require.Equal(t, htlc.Malformed, r.Kind)
		require.Equal(t, uint16(onion.InvalidOnionHMAC), r.Code)
	})
	t.Run("onions that are none", func(t *testing.T) {
		for code, spoil := range map[onion.Code]func(p *onion.Packet){
			onion.InvalidOnionVersion: func(p *onion.Packet) { p[0] = 1 },
			onion.InvalidOnionKey:     func(p *onion.Packet) { p[1] = 7 },
			onion.InvalidOnionHMAC:    func(p *onion.Packet) { p[500] ^= 1 },
		} {
			o := wrap(t, lnwire.Hash{1}, amount, expiry, final(invoice.Invoice{}))
			spoil(&o.packet)
			r := d.offer(o)
			require.Equal(t, htlc.Malformed, r.Kind)
			require.Equal(t, uint16(code), r.Code)
			require.Equal(t, sha256.Sum256(o.packet[:]), r.OnionSHA256)
		}
	})
	t.Run("payloads that are none", func(t *testing.T) {
		unknown, err := onion.Final{Amount: amount, Expiry: expiry, Total: amount, Secret: &lnwire.Secret{}}.Payload().Encode()
		require.NoError(t, err)
		unknown = append(unknown, 100, 0)
		for _, p := range [][]byte{unknown, {2, 9}, {2, 9, 1}, {0xff, 0xff}, bytes.Repeat([]byte{0}, 100), append([]byte{4, 1, 0}, make([]byte, 900)...)} {
			o := wrap(t, lnwire.Hash{2}, amount, expiry, onion.Hop{PubKey: bob.ID(), Payload: p})
			_, failure := o.failure(t, d.offer(o))
			require.Equal(t, onion.InvalidOnionPayload, failure.Code)
		}
	})
	t.Run("parts that contradict each other", func(t *testing.T) {
		inv := asked(t, bob, invoice.Terms{Amount: amount})
		part := func(total lnwire.MilliSat) offering {
			return wrap(t, inv.Hash, amount/2, expiry, hop(t, bob.ID(),
				onion.Final{Amount: amount / 2, Expiry: expiry, Secret: &inv.Secret, Total: total}.Payload()))
		}
		n := len(d.ended)
		one, two := part(amount), part(amount+1)
		d.add(one)
		d.add(two)
		d.pump("both are failed", func() bool { return len(d.ended) == n+2 })
		for _, o := range d.ended[n:] {
			require.Equal(t, htlc.Failed, o.Resolution.Kind)
		}
		d.add(part(amount))
		d.add(part(amount))
		d.pump("both are paid", func() bool { return len(d.ended) == n+4 })
		for _, o := range d.ended[n+2:] {
			require.Equal(t, htlc.Fulfilled, o.Resolution.Kind)
		}
	})
	t.Run("amounts that no channel holds", func(t *testing.T) {
		for _, amount := range []lnwire.MilliSat{0, 1 << 63, 1<<64 - 1, 1_000_000_000} {
			d.alter = func(m lnwire.Message) []lnwire.Message {
				if add, ok := m.(*lnwire.UpdateAddHTLC); ok {
					add.Amount = amount
				}
				return []lnwire.Message{m}
			}
			d.add(wrap(t, lnwire.Hash{3}, 1_000_000, expiry, final(invoice.Invoice{})))
			d.pump("the end of the connection", func() bool { return d.gone })
			d.alter = nil
			d.reconnect()
			d.pump("again", func() bool { return d.ch.Info().Active })
			d.pump("the end of the HTLC as it was signed", func() bool { return len(d.ch.Info().HTLCs) == 0 })
		}
	})
	t.Run("an expiry too far", func(t *testing.T) { // V-37
		d.step(channel.Block{At: lnwire.BlockRef{Height: height + 1000}}) // the rogue's own machine has the same limit
		for _, expiry := range []lnwire.Height{height + 2017, height + 2500} {
			o := wrap(t, lnwire.Hash{4}, amount, expiry, final(invoice.Invoice{}))
			_, failure := o.failure(t, d.offer(o))
			require.Equal(t, onion.ExpiryTooFar, failure.Code)
		}
	})
	require.Equal(t, channel.Open, d.node().Core.Phase)
	require.Empty(t, d.node().HTLCs)
}

// TestHostileForwards: HTLCs that ask to be forwarded and must not be; and a next node
// that does not answer as it should.
func TestHostileForwards(t *testing.T) {
	chain := chainOf(t)
	bob, carol := residentOf(t, chain, "bob"), residentOf(t, chain, "carol")
	bob.fund(10_000_000)
	bob.connect(carol)
	bob.open(carol, 1_000_000, 100_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(2_000_000)
	scid := bob.Links()[0].SCID
	const amount, fee = 10_000_000, 1010
	height := bob.Tip().Height
	last := height + 100
	first := last + 80

	type bent struct {
		h offering
		f onion.Forward
	}
	for name, c := range map[string]struct {
		code onion.Code
		bend func(b *bent)
	}{
		"a fee too low":            {onion.FeeInsufficient, func(b *bent) { b.h.amount-- }},
		"less than is asked on":    {onion.FeeInsufficient, func(b *bent) { b.h.amount = amount - 1 }},
		"all ones to go on":        {onion.InvalidOnionPayload, func(b *bent) { b.f.Amount = 1<<64 - 1 }},
		"nothing to go on":         {onion.AmountBelowMinimum, func(b *bent) { b.f.Amount = 0 }},
		"below the minimum":        {onion.AmountBelowMinimum, func(b *bent) { b.f.Amount = 999 }},
		"above the maximum":        {onion.TemporaryChannelFailure, func(b *bent) { b.f.Amount = 1_000_000_001 }},
		"more than there is":       {onion.TemporaryChannelFailure, func(b *bent) { b.f.Amount, b.h.amount = 900_000_000, 905_000_000 }},
		"a delta too small":        {onion.IncorrectCLTVExpiry, func(b *bent) { b.h.expiry-- }},
		"an expiry of all ones":    {onion.IncorrectCLTVExpiry, func(b *bent) { b.f.Expiry = 1<<32 - 1 }},
		"an expiry in the past":    {onion.ExpiryTooSoon, func(b *bent) { b.f.Expiry = 1 }},
		"an expiry too soon":       {onion.ExpiryTooSoon, func(b *bent) { b.f.Expiry = height + 1 }},
		"a channel that is none":   {onion.UnknownNextPeer, func(b *bent) { b.f.SCID = 1 }},
		"a channel of all ones":    {onion.UnknownNextPeer, func(b *bent) { b.f.SCID = 1<<64 - 1 }},
		"a channel that is called": {onion.UnknownNextPeer, func(b *bent) { b.f.SCID = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			b := bent{offering{amount: amount + fee, expiry: first, hash: lnwire.Hash{byte(len(name))}}, onion.Forward{Amount: amount, Expiry: last, SCID: scid}}
			c.bend(&b)
			o := wrap(t, b.h.hash, b.h.amount, b.h.expiry, hop(t, bob.ID(), b.f.Payload()), hop(t, carol.ID(), onion.Final{}.Payload()))
			at, failure := o.failure(t, d.offer(o))
			require.Equal(t, c.code, failure.Code, "%v", failure.Code)
			require.Zero(t, at, "the node itself fails it")
		})
	}
	through := func(inv invoice.Invoice) offering {
		return wrap(t, inv.Hash, amount+fee, first,
			hop(t, bob.ID(), onion.Forward{Amount: amount, Expiry: last, SCID: scid}.Payload()),
			hop(t, carol.ID(), onion.Final{Amount: amount, Expiry: last, Secret: &inv.Secret, Total: amount}.Payload()))
	}
	t.Run("a good one, and its onion once more", func(t *testing.T) {
		inv := asked(t, carol, invoice.Terms{Amount: amount})
		o := through(inv)
		require.Equal(t, htlc.Fulfilled, d.offer(o).Kind)
		at, failure := o.failure(t, d.offer(o))
		require.Equal(t, onion.TemporaryNodeFailure, failure.Code)
		require.Zero(t, at)
		forwards, err := bob.Forwards(channeldb.ForwardQuery{Limit: 10})
		require.NoError(t, err)
		require.Len(t, forwards, 1)
	})
	t.Run("one with the hash of an invoice of ours", func(t *testing.T) { // V-03
		inv := asked(t, bob, invoice.Terms{Amount: amount})
		o := wrap(t, inv.Hash, amount+fee, first,
			hop(t, bob.ID(), onion.Forward{Amount: amount, Expiry: last, SCID: scid}.Payload()),
			hop(t, carol.ID(), onion.Final{Amount: amount, Expiry: last, Secret: &inv.Secret, Total: amount}.Payload()))
		at, failure := o.failure(t, d.offer(o))
		require.Equal(t, 1, at, "it went on and was refused there")
		require.Equal(t, onion.IncorrectOrUnknownPaymentDetails, failure.Code)
		require.Equal(t, invoice.Open, bob.invoiceState(t, inv.Hash))
	})
	t.Run("one that is failed further on", func(t *testing.T) {
		inv := asked(t, carol, invoice.Terms{Amount: amount})
		inv.Secret[0] ^= 1
		o := through(inv)
		at, failure := o.failure(t, d.offer(o))
		require.Equal(t, 1, at)
		require.Equal(t, onion.IncorrectOrUnknownPaymentDetails, failure.Code)
	})
	t.Run("one that comes back to where it is from", func(t *testing.T) {
		alias := bob.Links()[1].SCID
		preimage := lnwire.Preimage{5}
		o := wrap(t, preimage.Hash(), amount+fee, first,
			hop(t, bob.ID(), onion.Forward{Amount: amount, Expiry: last, SCID: alias}.Payload()), hop(t, d.id(), onion.Final{}.Payload()))
		before := d.node()
		n, locked := len(d.ended), len(d.locked)
		d.add(o)
		d.pump("it came back", func() bool { return len(d.locked) > locked || len(d.ended) > n })
		if len(d.ended) == n {
			d.step(channel.Resolve{Ref: d.locked[locked].HTLC.Ref, Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage}})
			d.pump("its end", func() bool { return len(d.ended) > n })
			d.pump("settled", func() bool { return len(d.ch.Info().HTLCs) == 0 })
			waitUntil(t, "settled", func() bool { return len(d.node().HTLCs) == 0 })
			require.Equal(t, before.LocalOurs+fee, d.node().LocalOurs)
		}
	})
	d.pump("settled", func() bool { return len(d.ch.Info().HTLCs) == 0 })
	waitUntil(t, "settled", func() bool { return len(d.node().HTLCs) == 0 })
	require.Equal(t, channel.Open, d.node().Core.Phase)
}

// TestHostileAnswers: a peer that we pay answers with rubbish. The payment fails with
// words, or the connection starts over; what is owed stays owed.
func TestHostileAnswers(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(1_000_000)
	preimage := lnwire.Preimage{0}
	pay := func(t *testing.T) *PaymentWatch {
		t.Helper()
		preimage[0]++
		secret := lnwire.Secret{1}
		w, err := bob.Pay(t.Context(), routing.Begin{
			Terms: routing.Terms{
				Hash: preimage.Hash(), Amount: 5_000_000, Payee: d.id(), FinalDelta: 40, Secret: &secret,
				Features: lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired),
			},
			Limits: routing.Limits{Fee: 10_000},
		})
		require.NoError(t, err)
		n := len(d.locked)
		d.pump("the payment", func() bool { return len(d.locked) > n })
		return w
	}
	ended := func(t *testing.T, w *PaymentWatch) routing.Payment {
		t.Helper()
		defer w.Close()
		for {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			p, err := w.Next(ctx)
			cancel()
			require.NoError(t, err)
			if p.Payment.Status != routing.InFlight {
				return p.Payment
			}
		}
	}
	answer := func(r htlc.Resolution) {
		d.step(channel.Resolve{Ref: d.locked[len(d.locked)-1].HTLC.Ref, Resolution: r})
	}
	settled := func() { d.pump("settled", func() bool { return len(d.ch.Info().HTLCs) == 0 }) }

	for name, reason := range map[string][]byte{
		"no reason": {}, "one byte": {1}, "all ones": bytes.Repeat([]byte{0xff}, 292), "a huge reason": make([]byte, 60_000),
	} {
		t.Run(name, func(t *testing.T) {
			w := pay(t)
			answer(htlc.Resolution{Kind: htlc.Failed, Reason: reason})
			settled()
			p := ended(t, w)
			require.Equal(t, routing.Failed, p.Status)
			require.NotEmpty(t, p.Text)
		})
	}
	t.Run("malformed with a code of its own", func(t *testing.T) {
		w := pay(t)
		answer(htlc.Resolution{Kind: htlc.Malformed, Code: 0xffff})
		settled()
		require.Equal(t, routing.Failed, ended(t, w).Status)
	})
	t.Run("answers that are none, then the right one", func(t *testing.T) {
		w := pay(t)
		in := d.locked[len(d.locked)-1].HTLC
		id := d.ch.Info().Core.ChannelID
		for _, m := range []lnwire.Message{
			&lnwire.UpdateFulfillHTLC{ChannelID: id, ID: in.Ref.ID, Preimage: lnwire.Preimage{0xff}},
			&lnwire.UpdateFulfillHTLC{ChannelID: id, ID: in.Ref.ID + 1, Preimage: preimage},
			&lnwire.UpdateFulfillHTLC{ChannelID: id, ID: 1<<64 - 1, Preimage: preimage},
			&lnwire.UpdateFailMalformedHTLC{ChannelID: id, ID: in.Ref.ID, FailureCode: 1},
			&lnwire.UpdateFailHTLC{ChannelID: id, ID: 1<<64 - 1},
		} {
			d.send(m)
			d.pump("the end of the connection", func() bool { return d.gone })
			d.reconnect()
			d.pump("again", func() bool { return d.ch.Info().Active })
		}
		answer(htlc.Resolution{Kind: htlc.Fulfilled, Preimage: preimage})
		settled()
		p := ended(t, w)
		require.Equal(t, routing.Succeeded, p.Status)
		require.Equal(t, preimage, p.Preimage)
	})
	t.Run("a preimage, and a failure of the same after it", func(t *testing.T) { // V-05
		w := pay(t)
		in := d.locked[len(d.locked)-1].HTLC
		id := d.ch.Info().Core.ChannelID
		d.send(&lnwire.UpdateFulfillHTLC{ChannelID: id, ID: in.Ref.ID, Preimage: preimage})
		d.send(&lnwire.UpdateFailHTLC{ChannelID: id, ID: in.Ref.ID})
		d.pump("the end of the connection", func() bool { return d.gone })
		require.Equal(t, routing.Succeeded, ended(t, w).Status, "known is known")
		d.reconnect()
		d.pump("again", func() bool { return d.ch.Info().Active })
		answer(htlc.Resolution{Kind: htlc.Failed, Reason: make([]byte, 292)})
		settled()
		p, err := bob.Payment(preimage.Hash())
		require.NoError(t, err)
		require.Equal(t, routing.Succeeded, p.Payment.Status)
	})
	require.Equal(t, channel.Open, d.node().Core.Phase)
}
