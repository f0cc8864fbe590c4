package node

import (
	"testing"
	"time"
	"unicode"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// highS is the same signature with the other s: valid, but no transaction with it is
// relayed (V-02).
func highS(sig lnwire.Sig) lnwire.Sig {
	var s btcec.ModNScalar
	s.SetByteSlice(sig[32:])
	s.Negate()
	b := s.Bytes()
	copy(sig[32:], b[:])
	return sig
}

func badSigs(sig lnwire.Sig) map[string]lnwire.Sig {
	flipped := sig
	flipped[40] ^= 1
	var ones lnwire.Sig
	for i := range ones {
		ones[i] = 0xff
	}
	return map[string]lnwire.Sig{"zero": {}, "ones": ones, "flipped": flipped, "high s": highS(sig)}
}

// TestHostileFundingSignature: nothing comes of an opening whose first signature is
// wrong.
func TestHostileFundingSignature(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(1_000_000)
	for name := range badSigs(lnwire.Sig{}) {
		t.Run(name, func(t *testing.T) {
			d := dealerOf(t, bob, "mallory")
			d.alter = func(m lnwire.Message) []lnwire.Message {
				if f, ok := m.(*lnwire.FundingCreated); ok {
					f.Sig = badSigs(f.Sig)[name]
				}
				return []lnwire.Message{m}
			}
			locs := keys.ChannelLocs(1)
			points, err := d.ring.Basepoints(locs)
			require.NoError(t, err)
			d.step(channel.OpenAsked{
				TempID: idOf("wrong"), Capacity: 100_000, FeeRate: 2500, Format: commitment.Anchors, Private: true,
				Ours: dealerSide(points, 100_000), Keys: locs, MinDepth: 3, Features: bob.Features(), At: bob.Tip(), Now: time.Now(),
			})
			d.pump("the end", func() bool { return d.ch.Phase() == channel.Closed })
			d.forgotten()
		})
	}
	t.Run("of the fundee", func(t *testing.T) { // and our coins are free again
		for name := range badSigs(lnwire.Sig{}) {
			d := dealerOf(t, bob, "mallory")
			d.alter = func(m lnwire.Message) []lnwire.Message {
				if f, ok := m.(*lnwire.FundingSigned); ok {
					f.Sig = badSigs(f.Sig)[name]
				}
				return []lnwire.Message{m}
			}
			updates, err := bob.OpenChannel(t.Context(), OpenRequest{Peer: d.id(), Capacity: 900_000})
			require.NoError(t, err)
			d.pump("the rogue's funding_signed", func() bool { return d.ch.Phase() == channel.AwaitReady })
			u := <-updates
			require.ErrorContains(t, u.Err, "signature is wrong")
			d.forgotten()
			d.nc.Close()
		}
		waitUntil(t, "the coins are free", func() bool {
			list := bob.Unspent(1, 1<<31)
			return len(list) == 1
		})
	})
}

// TestHostileSignatures: a commitment that is not properly signed is not taken, and
// nothing of it is revoked; a wrong secret fails the channel.
func TestHostileSignatures(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(1_000_000)
	const amount = 10_000_000
	expiry := bob.Tip().Height + 100
	add := func(t *testing.T) {
		t.Helper()
		inv := asked(t, bob, invoice.Terms{Amount: amount})
		d.add(wrap(t, inv.Hash, amount, expiry, hop(t, bob.ID(),
			onion.Final{Amount: amount, Expiry: expiry, Secret: &inv.Secret, Total: amount}.Payload())))
	}
	spoil := map[string]func(m *lnwire.CommitmentSigned){
		"no signature of the HTLC": func(m *lnwire.CommitmentSigned) { m.HTLCSigs = nil },
		"one signature too many":   func(m *lnwire.CommitmentSigned) { m.HTLCSigs = append(m.HTLCSigs, m.HTLCSigs...) },
		"hundreds of them":         func(m *lnwire.CommitmentSigned) { m.HTLCSigs = make([]lnwire.Sig, lnwire.MaxHTLCSigs) },
	}
	for name := range badSigs(lnwire.Sig{}) {
		spoil["the commitment's: "+name] = func(m *lnwire.CommitmentSigned) { m.Sig = badSigs(m.Sig)[name] }
		spoil["the HTLC's: "+name] = func(m *lnwire.CommitmentSigned) { m.HTLCSigs[0] = badSigs(m.HTLCSigs[0])[name] }
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			before := d.node().Core
			d.alter = func(m lnwire.Message) []lnwire.Message {
				if c, ok := m.(*lnwire.CommitmentSigned); ok {
					c = &lnwire.CommitmentSigned{ChannelID: c.ChannelID, Sig: c.Sig, HTLCSigs: append([]lnwire.Sig{}, c.HTLCSigs...)}
					f(c)
					m = c
				}
				return []lnwire.Message{m}
			}
			add(t)
			d.pump("the end of the connection", func() bool { return d.gone })
			after := d.node().Core
			require.Equal(t, before.LocalN, after.LocalN)
			require.Equal(t, before.Ours, after.Ours)
			d.alter = nil
			n := len(d.ended)
			d.reconnect()
			d.pump("the HTLC, signed properly", func() bool { return len(d.ended) > n })
			d.pump("settled", func() bool { return len(d.ch.Info().HTLCs) == 0 })
		})
	}
	require.Equal(t, channel.Open, d.node().Core.Phase)
	for name, f := range map[string]func(m *lnwire.RevokeAndAck){
		"a secret of zeros":       func(m *lnwire.RevokeAndAck) { m.Secret = lnwire.Secret{} },
		"a wrong secret":          func(m *lnwire.RevokeAndAck) { m.Secret[5] ^= 1 },
		"a next point of nothing": func(m *lnwire.RevokeAndAck) { m.NextPoint = lnwire.PubKey{} },
	} {
		t.Run(name, func(t *testing.T) {
			d := dealerOf(t, bob, name)
			d.deal(100_000)
			d.alter = func(m lnwire.Message) []lnwire.Message {
				if r, ok := m.(*lnwire.RevokeAndAck); ok {
					f(r)
				}
				return []lnwire.Message{m}
			}
			inv := asked(t, bob, invoice.Terms{Amount: 1_000_000})
			d.add(wrap(t, inv.Hash, 1_000_000, expiry, hop(t, bob.ID(),
				onion.Final{Amount: 1_000_000, Expiry: expiry, Secret: &inv.Secret, Total: 1_000_000}.Payload())))
			d.pump("the error", func() bool {
				_, failed := d.heard[len(d.heard)-1].(*lnwire.Error)
				return failed
			})
			waitUntil(t, "failed", func() bool { return d.node().Core.Phase >= channel.Failed })
			require.Equal(t, invoice.Open, bob.invoiceState(t, inv.Hash))
		})
	}
}

// TestHostileText: what a peer says is shown only after it was made harmless (V-65).
func TestHostileText(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(100_000)
	events := bob.ChannelEvents()
	defer events.Cancel()
	text := "\x1b[2J\x1b]0;owned\a\r\nlevel=ERROR\u202e\u2028\u0000\xff\xfe" + string(make([]byte, 60_000))
	id := d.ch.Info().Core.ChannelID
	d.send(&lnwire.Warning{ChannelID: id, Data: []byte(text)}, &lnwire.Error{ChannelID: id, Data: []byte(text)})
	seen := 0
	for seen < 2 {
		var ev ChannelEvent
		select {
		case ev = <-events.C:
		case <-time.After(patience):
			require.FailNow(t, "no such event")
		}
		if ev.Kind != channel.NoticeWarning && ev.Kind != channel.NoticeError {
			continue
		}
		seen++
		require.Less(t, len(ev.Text), 2000)
		for _, r := range ev.Text {
			require.True(t, unicode.IsPrint(r), "%q", r)
		}
	}
	info := d.node()
	for _, r := range info.Core.Reason {
		require.True(t, unicode.IsPrint(r), "%q", r)
	}
}
