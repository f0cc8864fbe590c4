package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet/keys"
)

// samples are one message of every kind that belongs to a channel, filled with one
// byte.
func samples(id lnwire.ChannelID, fill byte) []lnwire.Message {
	types := []lnwire.MsgType{
		lnwire.MsgStfu, lnwire.MsgOpenChannel, lnwire.MsgAcceptChannel, lnwire.MsgFundingCreated, lnwire.MsgFundingSigned,
		lnwire.MsgChannelReady, lnwire.MsgShutdown, lnwire.MsgClosingSigned, lnwire.MsgUpdateAddHTLC, lnwire.MsgUpdateFulfillHTLC,
		lnwire.MsgUpdateFailHTLC, lnwire.MsgCommitmentSigned, lnwire.MsgRevokeAndAck, lnwire.MsgUpdateFee,
		lnwire.MsgUpdateFailMalformedHTLC, lnwire.MsgChannelReestablish, lnwire.MsgAnnouncementSignatures,
	}
	var list []lnwire.Message
	for _, typ := range types {
		if m := filled(typ, id, fill); m != nil {
			list = append(list, m)
		}
	}
	return list
}

// filled decodes a message of which every byte behind the channel id is fill; of those
// that hold lengths the shortest that decodes.
func filled(typ lnwire.MsgType, id lnwire.ChannelID, fill byte) lnwire.Message {
	for n := 0; n < 2000; n++ {
		b := binary.BigEndian.AppendUint16(nil, uint16(typ))
		if typ == lnwire.MsgOpenChannel {
			b = append(b, bytes.Repeat([]byte{fill}, 32)...)
		}
		b = append(b, id[:]...)
		b = append(b, bytes.Repeat([]byte{fill}, n)...)
		switch typ { // those with a length in them: none
		case lnwire.MsgCommitmentSigned:
			b = append(b[:min(len(b), 2+32+64)], 0, 0)
		case lnwire.MsgShutdown, lnwire.MsgUpdateFailHTLC:
			b = append(b, 0, 0)
		}
		if m, err := lnwire.Unmarshal(b); err == nil {
			return m
		}
	}
	return nil
}

// opening is an open_channel that is acceptable.
func (g *rogue) opening(name string) *lnwire.OpenChannel {
	g.t.Helper()
	locs := keys.ChannelLocs(1)
	points, err := g.ring.Basepoints(locs)
	require.NoError(g.t, err)
	const capacity = 1_000_000
	s := dealerSide(points, capacity)
	typ := lnwire.NewFeatures(lnwire.StaticRemoteKeyRequired, lnwire.AnchorsRequired)
	return &lnwire.OpenChannel{
		ChainHash: *g.to.Net().GenesisHash, TemporaryChannelID: idOf(name), FundingSat: capacity, DustLimit: s.DustLimit,
		MaxHTLCValueInFlight: s.MaxInFlight, ChannelReserve: s.Reserve, HTLCMinimum: s.HTLCMinimum, FeeratePerKW: 2500,
		ToSelfDelay: s.ToSelfDelay, MaxAcceptedHTLCs: s.MaxAccepted, FundingPubKey: points.Funding,
		RevocationBasepoint: points.Revocation, PaymentBasepoint: points.Payment, DelayedBasepoint: points.Delayed,
		HTLCBasepoint: points.HTLC, FirstPoint: g.ring.Point(locs.Root, 0), ChannelType: &typ,
	}
}

func idOf(name string) (id lnwire.ChannelID) {
	copy(id[:], name)
	return id
}

// forgotten waits until the node holds nothing of the rogue's openings.
func (g *rogue) forgotten() {
	g.t.Helper()
	waitUntil(g.t, "openings are forgotten", func() bool { return len(g.to.channels.of(g.id())) == 0 })
}

// TestHostileMessagesOutOfPlace: every message of a channel, empty and full of ones,
// where there is no such channel, and at each step of an opening. Nothing is left of
// it (V-42, V-58, V-60).
func TestHostileMessagesOutOfPlace(t *testing.T) {
	alice, bob := couple(t)
	var fills []lnwire.Message
	for _, fill := range []byte{0, 0xff} {
		list := samples(idOf("nowhere"), fill)
		require.Len(t, list, 17)
		fills = append(fills, list...)
	}
	t.Run("of no channel", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		for _, m := range fills {
			g.send(m)
			require.Equal(t, idOf("nowhere"), expect[*lnwire.Error](g).ChannelID, "%T", m)
		}
		g.alive()
		g.forgotten()
	})
	t.Run("of no channel, which is called zero", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		for _, m := range samples(lnwire.ChannelID{}, 1) {
			if m.Type() != lnwire.MsgOpenChannel { // which ends the connection
				g.send(m)
			}
		}
		for _, m := range g.alive() {
			if e, ok := m.(*lnwire.Error); ok {
				require.False(t, e.ChannelID.IsZero(), "B2.error.2: an error with an id of zeros is about all channels")
			}
		}
		g.forgotten()
	})
	t.Run("during an opening", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		for i, fill := range []byte{0, 0xff} {
			for _, m := range samples(idOf(fmt.Sprint("opening", i)), fill) {
				if m.Type() == lnwire.MsgOpenChannel {
					continue // the same id twice is for TestHostileOpenings
				}
				g.send(g.opening(fmt.Sprint("opening", i)))
				expect[*lnwire.AcceptChannel](g)
				g.send(m)
				require.Equal(t, idOf(fmt.Sprint("opening", i)), expect[*lnwire.Error](g).ChannelID, "%T", m)
				g.forgotten()
			}
		}
	})
	t.Run("an error ends an opening", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		for range 10 {
			g.send(g.opening("failing"))
			expect[*lnwire.AcceptChannel](g)
			g.send(&lnwire.Error{ChannelID: idOf("failing"), Data: []byte("\x1b[31mred\u2028")})
			g.forgotten()
		}
	})
	t.Run("a lost connection ends an opening", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		for range 10 {
			g.send(g.opening("lost"))
			expect[*lnwire.AcceptChannel](g)
			g.again()
			g.forgotten()
		}
	})
	t.Run("nothing is kept of who comes, opens, complains and goes", func(t *testing.T) {
		p := PeerInfo{ID: ringOf(t, "mallory").Node().ID()}
		bob.conduct.read(&p)
		require.Zero(t, p.Flaps)
		require.Empty(t, p.Errors)
	})
	alice.pays(bob)
	bob.pays(alice)
}

// TestHostileOpenings: open_channel with one thing wrong is refused in words, and
// leaves nothing behind.
func TestHostileOpenings(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.mine(1)
	full := bytes.Repeat([]byte{0xff}, 33)
	for field, spoil := range map[string]func(*lnwire.OpenChannel){
		"chain_hash":                 func(m *lnwire.OpenChannel) { m.ChainHash[3] ^= 1 },
		"funding_satoshis":           func(m *lnwire.OpenChannel) { m.FundingSat = 0 },
		"out of range":               func(m *lnwire.OpenChannel) { m.FundingSat = 1<<64 - 1 },
		"option_support_large":       func(m *lnwire.OpenChannel) { m.FundingSat = 1 << 24 },
		"below min chan size":        func(m *lnwire.OpenChannel) { m.FundingSat, m.ChannelReserve = 19_000, 1000 },
		"push_msat":                  func(m *lnwire.OpenChannel) { m.PushMsat = m.FundingSat.MilliSat() + 1 },
		"of 18446744073709551":       func(m *lnwire.OpenChannel) { m.PushMsat = 1<<64 - 1 },
		"feerate_per_kw":             func(m *lnwire.OpenChannel) { m.FeeratePerKW = 0 },
		"unreasonably high":          func(m *lnwire.OpenChannel) { m.FeeratePerKW = 1<<32 - 1 },
		"dust_limit_satoshis":        func(m *lnwire.OpenChannel) { m.DustLimit = 0 },
		"dust_limit_satoshis of":     func(m *lnwire.OpenChannel) { m.DustLimit = 1 << 63 },
		"channel_reserve_satoshis":   func(m *lnwire.OpenChannel) { m.ChannelReserve = 0 },
		"is below dust":              func(m *lnwire.OpenChannel) { m.DustLimit, m.ChannelReserve = 1000, 900 },
		"above a fifth":              func(m *lnwire.OpenChannel) { m.ChannelReserve = 1<<64 - 1 },
		"max_accepted_htlcs of 484":  func(m *lnwire.OpenChannel) { m.MaxAcceptedHTLCs = 484 },
		"max_accepted_htlcs of 0":    func(m *lnwire.OpenChannel) { m.MaxAcceptedHTLCs = 0 },
		"to_self_delay of":           func(m *lnwire.OpenChannel) { m.ToSelfDelay = 65535 },
		"to_self_delay is 0":         func(m *lnwire.OpenChannel) { m.ToSelfDelay = 0 },
		"htlc_minimum_msat":          func(m *lnwire.OpenChannel) { m.HTLCMinimum = 1<<64 - 1 },
		"channel_type is missing":    func(m *lnwire.OpenChannel) { m.ChannelType = nil },
		"channel_type is not":        func(m *lnwire.OpenChannel) { m.ChannelType = &lnwire.Features{0xff, 0xff, 0xff} },
		"funding_pubkey":             func(m *lnwire.OpenChannel) { m.FundingPubKey = lnwire.PubKey{} },
		"revocation_basepoint":       func(m *lnwire.OpenChannel) { m.RevocationBasepoint = lnwire.PubKey(full) },
		"payment_basepoint":          func(m *lnwire.OpenChannel) { m.PaymentBasepoint = lnwire.PubKey{4} },
		"delayed_payment_basepoint":  func(m *lnwire.OpenChannel) { m.DelayedBasepoint = lnwire.PubKey{} },
		"htlc_basepoint":             func(m *lnwire.OpenChannel) { m.HTLCBasepoint = lnwire.PubKey(full) },
		"first_per_commitment_point": func(m *lnwire.OpenChannel) { m.FirstPoint = lnwire.PubKey{} },
		"shutdown":                   func(m *lnwire.OpenChannel) { m.UpfrontShutdown = bytes.Repeat([]byte{0x6a}, 10_000) },
	} {
		t.Run(field, func(t *testing.T) {
			g := rogueOf(t, bob, "mallory")
			m := g.opening("wrong")
			spoil(m)
			g.send(m)
			require.Contains(t, expect[*lnwire.Error](g).Text(), field)
			g.forgotten()
		})
	}
	t.Run("an id of zeros", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		m := g.opening("wrong")
		m.TemporaryChannelID, m.FundingSat = lnwire.ChannelID{}, 0
		g.send(m)
		for _, m := range g.closed() {
			if e, ok := m.(*lnwire.Error); ok {
				require.False(t, e.ChannelID.IsZero(), "B2.error.2")
			}
		}
		g.forgotten()
	})
	t.Run("the same id twice", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		g.send(g.opening("twice"))
		expect[*lnwire.AcceptChannel](g)
		g.send(g.opening("twice"))
		require.Contains(t, expect[*lnwire.Error](g).Text(), "in use")
		require.Len(t, bob.channels.of(g.id()), 1, "the first goes on")
	})
	t.Run("a wrong signature in funding_created", func(t *testing.T) {
		g := rogueOf(t, bob, "mallory")
		g.forgotten()
		g.send(g.opening("sig"))
		expect[*lnwire.AcceptChannel](g)
		m := &lnwire.FundingCreated{TemporaryChannelID: idOf("sig")}
		m.FundingTxid[0] = 1
		g.send(m)
		require.Contains(t, expect[*lnwire.Error](g).Text(), "signature is wrong")
		g.forgotten()
	})
}

// TestHostileRecords: an unknown odd record changes nothing, an unknown even one ends
// the connection.
func TestHostileRecords(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	for _, m := range samples(idOf("nowhere"), 0) {
		plain, err := lnwire.Marshal(m)
		require.NoError(t, err)
		record := func(typ byte, n int) []byte { // the standard's types are below 100 there
			return append(append(bytes.Clone(plain), typ, byte(n)), bytes.Repeat([]byte{0xee}, n)...)
		}
		g := rogueOf(t, bob, "mallory")
		g.sendPlain(record(201, 100))
		require.Equal(t, idOf("nowhere"), expect[*lnwire.Error](g).ChannelID, "%T", m)
		g.sendPlain(record(200, 1))
		require.NotEmpty(t, g.closed(), "%T: a warning at least", m)
		g = rogueOf(t, bob, "mallory")
		g.sendPlain(record(201, 100)[:len(plain)+50])
		require.NotEmpty(t, g.closed(), "%T: a warning at least", m)
	}
	rogueOf(t, bob, "mallory").forgotten()
}

// TestHostileMessagesInChannel: every message of a channel, empty and full of ones, to
// a channel that is open. Either the connection starts over or the channel fails; the
// node stays what it is.
func TestHostileMessagesInChannel(t *testing.T) {
	alice, bob := couple(t)
	bob.fund(10_000_000)
	d := dealerOf(t, bob, "mallory")
	d.deal(1_000_000)
	for _, fill := range []byte{0, 0xff} {
		for _, m := range samples(lnwire.ChannelID{}, fill) {
			switch m.Type() {
			case lnwire.MsgRevokeAndAck, lnwire.MsgChannelReestablish, lnwire.MsgOpenChannel:
				continue // they end the channel, or open another
			}
			d.send(filled(m.Type(), d.ch.Info().Core.ChannelID, fill))
			switch m.Type() {
			case lnwire.MsgChannelReady, lnwire.MsgAnnouncementSignatures:
				d.alive() // a second one is harmless, one of a private channel too
				continue
			}
			if m.Type() == lnwire.MsgStfu && fill != 0 { // quiescence is asked for, and ends with the connection
				waitUntil(t, "quiescent", func() bool { return d.node().Quiescent })
			} else {
				d.pump(fmt.Sprintf("the end of the connection after %T", m), func() bool { return d.gone })
			}
			d.reconnect()
			d.pump("again", func() bool { return d.ch.Info().Active })
			waitUntil(t, "active again", func() bool { return d.node().Active })
		}
	}
	require.Equal(t, channel.Open, d.node().Core.Phase)
	d.send(&lnwire.RevokeAndAck{ChannelID: d.ch.Info().Core.ChannelID})
	waitUntil(t, "failed", func() bool { return d.node().Core.Phase >= channel.Failed })
	alice.pays(bob)
	bob.pays(alice)
}

// TestHostileReestablish: absurd numbers in channel_reestablish fail the channel, or
// leave it to the peer to close; nothing revoked is ever published.
func TestHostileReestablish(t *testing.T) {
	chain := chainOf(t)
	bob := residentOf(t, chain, "bob")
	bob.fund(10_000_000)
	for name, spoil := range map[string]func(*lnwire.ChannelReestablish){
		"zero":             func(m *lnwire.ChannelReestablish) { m.NextCommitment = 0 },
		"the last":         func(m *lnwire.ChannelReestablish) { m.NextCommitment = 1<<64 - 1 },
		"from the future":  func(m *lnwire.ChannelReestablish) { m.NextCommitment += 2 },
		"all ones":         func(m *lnwire.ChannelReestablish) { m.NextCommitment, m.NextRevocation = 1<<64-1, 1<<64-1 },
		"a claimed secret": func(m *lnwire.ChannelReestablish) { m.NextRevocation, m.LastSecret = 1000, lnwire.Secret{1} },
	} {
		t.Run(name, func(t *testing.T) {
			d := dealerOf(t, bob, name)
			d.deal(100_000)
			d.alter = func(m lnwire.Message) []lnwire.Message {
				if r, ok := m.(*lnwire.ChannelReestablish); ok {
					spoil(r)
				}
				return []lnwire.Message{m}
			}
			d.reconnect()
			waitUntil(t, "failed", func() bool { return d.node().Core.Phase == channel.Failed })
			require.False(t, d.node().Core.DataLost, "the rogue has proved nothing")
		})
	}
}
