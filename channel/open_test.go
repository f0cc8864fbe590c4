package channel

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel/commitment"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// said are the texts of the errors and warnings in fx.
func said(fx Effects) (errors, warnings []string) {
	for _, g := range fx.Send {
		for _, m := range g {
			switch m := m.(type) {
			case *lnwire.Error:
				errors = append(errors, string(m.Data))
			case *lnwire.Warning:
				warnings = append(warnings, string(m.Data))
			}
		}
	}
	return errors, warnings
}

// requireAborted: the opening ended with an error that says why.
func requireAborted(t *testing.T, n *node, why string) {
	t.Helper()
	errors, _ := said(n.last)
	require.Len(t, errors, 1)
	require.Contains(t, errors[0], why)
	require.Equal(t, Closed, n.ch.Phase())
	require.True(t, n.last.Over)
}

// requireWarned: the peer was warned and the connection is to be dropped; nothing
// was written.
func requireWarned(t *testing.T, n *node, why string) {
	t.Helper()
	_, warnings := said(n.last)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], why)
	require.True(t, n.last.Disconnect)
	require.Nil(t, n.last.Delta.Core)
	require.Nil(t, n.last.Delta.Local)
}

// requireFailed: an error to the peer, our commitment to the chain.
func requireFailed(t *testing.T, n *node, why string) {
	t.Helper()
	errors, _ := said(n.last)
	require.Len(t, errors, 1)
	require.Contains(t, errors[0], why)
	require.Equal(t, Failed, n.ch.Phase())
	require.Len(t, n.last.Publish, 1)
}

// next is the oldest message on the wire to n, to be tampered with.
func next[M lnwire.Message](t require.TestingT, n *node) M {
	m, ok := n.inbox[0].(M)
	require.True(t, ok, "%T", n.inbox[0])
	return m
}

func TestOpenChannelRefused(t *testing.T) {
	small := func(m *lnwire.OpenChannel) { m.FundingSat, m.PushMsat, m.ChannelReserve = 4000, 0, 400 }
	for _, c := range []struct {
		id, why string
		spoil   func(m *lnwire.OpenChannel)
	}{
		{"B2.open.3", "push_msat", func(m *lnwire.OpenChannel) { m.PushMsat = m.FundingSat.MilliSat() + 1 }},
		{"B2.open.4", "too low", func(m *lnwire.OpenChannel) { m.FeeratePerKW = 252 }},
		{"B2.open.4", "unreasonably high", func(m *lnwire.OpenChannel) { m.FeeratePerKW = maxFeeRate + 1 }},
		{"B2.open.5", "funding_pubkey", func(m *lnwire.OpenChannel) { m.FundingPubKey = lnwire.PubKey{} }},
		{"B2.open.5", "revocation_basepoint", func(m *lnwire.OpenChannel) { m.RevocationBasepoint[0] = 4 }},
		{"B2.open.5", "payment_basepoint", func(m *lnwire.OpenChannel) { m.PaymentBasepoint = lnwire.PubKey{2} }},
		{"B2.open.5", "delayed_payment_basepoint", func(m *lnwire.OpenChannel) { m.DelayedBasepoint[0] = 0 }},
		{"B2.open.5", "htlc_basepoint", func(m *lnwire.OpenChannel) { m.HTLCBasepoint[0] = 0 }},
		{"B2.open.5", "first_per_commitment_point", func(m *lnwire.OpenChannel) { m.FirstPoint[0] = 0 }},
		{"B2.open.6", "dust_limit_satoshis", func(m *lnwire.OpenChannel) { m.DustLimit = 353 }},
		{"V-20", "dust_limit_satoshis", func(m *lnwire.OpenChannel) { m.DustLimit = 5000 }},
		{"B2.open.7", "below dust_limit", func(m *lnwire.OpenChannel) { m.ChannelReserve = 353 }},
		{"V-22", "below dust_limit", func(m *lnwire.OpenChannel) { m.ChannelReserve = 0 }},
		{"B2.open.8", "first commitment", func(m *lnwire.OpenChannel) { small(m); m.FeeratePerKW = 5000 }},
		{"B2.open.9", "neither side", func(m *lnwire.OpenChannel) { small(m); m.FeeratePerKW = 2500; m.ChannelReserve = 799 }},
		{"B2.open.10", "max_accepted_htlcs", func(m *lnwire.OpenChannel) { m.MaxAcceptedHTLCs = 484 }},
		{"B2.open.11", "to_self_delay", func(m *lnwire.OpenChannel) { m.ToSelfDelay = 2017 }},
		{"", "to_self_delay", func(m *lnwire.OpenChannel) { m.ToSelfDelay = 0 }},
		{"B2.open.14", "chain_hash", func(m *lnwire.OpenChannel) { m.ChainHash = chainhash.Hash{3} }},
		{"B2.open.15", "channel_type is missing", func(m *lnwire.OpenChannel) { m.ChannelType = nil }},
		{"B2.open.16", "not suitable", func(m *lnwire.OpenChannel) { f := lnwire.NewFeatures(12, 22, 34); m.ChannelType = &f }},
		{"", "funding_satoshis", func(m *lnwire.OpenChannel) { m.FundingSat, m.PushMsat = 0, 0 }},
		{"", "funding_satoshis", func(m *lnwire.OpenChannel) { m.FundingSat = ^lnwire.Sat(0) }},
		{"", "fifth", func(m *lnwire.OpenChannel) { m.ChannelReserve = 200_001 }},
		{"", "max_accepted_htlcs", func(m *lnwire.OpenChannel) { m.MaxAcceptedHTLCs = 0 }},
		{"", "htlc_minimum_msat", func(m *lnwire.OpenChannel) { m.HTLCMinimum = 100_000_001 }},
		{"", "htlc_minimum_msat", func(m *lnwire.OpenChannel) { m.MaxHTLCValueInFlight = 0 }},
		{"", "upfront_shutdown_script", func(m *lnwire.OpenChannel) { m.UpfrontShutdown = []byte{1, 2, 3} }},
	} {
		w := newWorld(t)
		w.ask(usual)
		c.spoil(next[*lnwire.OpenChannel](t, w.b))
		w.b.deliver(1)
		requireAborted(t, w.b, c.why)
		w.settle()
		require.Equal(t, Closed, w.a.ch.Phase(), c.id)
		require.Empty(t, w.a.published)
	}
}

// TestLargeChannel: B2.open.2, both ways.
func TestLargeChannel(t *testing.T) {
	big := usual
	big.capacity = 1 << 24
	w := newWorld(t)
	w.a.features = everything.Without(lnwire.SupportLargeChannelOptional)
	w.ask(big)
	require.Contains(t, w.a.last.Tell[0].Text, "option_support_large_channel")
	require.Empty(t, w.b.inbox)

	w = newWorld(t)
	w.b.features = everything.Without(lnwire.SupportLargeChannelOptional)
	w.ask(big)
	w.b.deliver(1)
	requireAborted(t, w.b, "option_support_large_channel")

	w = newWorld(t)
	w.open(big)
}

// TestOpenMessage: B2.open.1, B2.open.12, B2.open.13.
func TestOpenMessage(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	m := next[*lnwire.OpenChannel](t, w.b)
	require.Equal(t, w.a.cfg.Chain, m.ChainHash)
	require.NotNil(t, m.UpfrontShutdown)
	require.Empty(t, m.UpfrontShutdown)
	require.Equal(t, lnwire.NewFeatures(12, 22), *m.ChannelType)
	require.Equal(t, lnwire.AnnounceChannel, m.Flags)
	w.b.deliver(1)
	a := next[*lnwire.AcceptChannel](t, w.a)
	require.Equal(t, m.TemporaryChannelID, a.TemporaryChannelID) // B2.accept.4
	require.Equal(t, *m.ChannelType, *a.ChannelType)             // B2.accept.1
	require.NotNil(t, a.UpfrontShutdown)
}

func TestAcceptChannelRefused(t *testing.T) {
	for _, c := range []struct {
		id, why string
		spoil   func(m *lnwire.AcceptChannel)
	}{
		{"B2.accept.1", "channel_type", func(m *lnwire.AcceptChannel) { m.ChannelType = nil }},
		{"B2.accept.1", "channel_type", func(m *lnwire.AcceptChannel) { f := lnwire.NewFeatures(12); m.ChannelType = &f }},
		{"B2.accept.2", "dust_limit_satoshis", func(m *lnwire.AcceptChannel) { m.ChannelReserve = 360 }},
		{"B2.accept.3 V-23", "dust_limit_satoshis", func(m *lnwire.AcceptChannel) { m.DustLimit, m.ChannelReserve = 700, 1000 }},
		{"", "minimum_depth", func(m *lnwire.AcceptChannel) { m.MinimumDepth = 145 }},
		{"", "first_per_commitment_point", func(m *lnwire.AcceptChannel) { m.FirstPoint = lnwire.PubKey{} }},
		{"", "htlc_basepoint", func(m *lnwire.AcceptChannel) { m.HTLCBasepoint = lnwire.PubKey{} }},
	} {
		w := newWorld(t)
		w.a.side.DustLimit = 400
		w.a.side.Reserve = 600
		w.ask(usual)
		w.b.side.Reserve = 10_000
		w.b.deliver(1)
		c.spoil(next[*lnwire.AcceptChannel](t, w.a))
		w.a.deliver(1)
		requireAborted(t, w.a, c.why)
	}
}

// TestFundingSignatures: a signature that is wrong, or of the high s that does not
// relay (V-02), ends the opening on either side: B2.funding.2. The funding is not
// published before the peer has signed: B2.funding.3.
func TestFundingSignatures(t *testing.T) {
	high := lnwire.Sig{31: 1, 32: 0xff, 63: 1}
	for _, spoil := range []func(s *lnwire.Sig){func(s *lnwire.Sig) { s[5] ^= 1 }, func(s *lnwire.Sig) { *s = high }, func(s *lnwire.Sig) { *s = lnwire.Sig{} }} {
		w := newWorld(t)
		w.ask(usual)
		w.b.deliver(1)
		w.a.deliver(1)
		m := next[*lnwire.FundingCreated](t, w.b)
		require.Equal(t, lnwire.ChannelID{9, 9}, m.TemporaryChannelID) // B2.funding.1
		spoil(&m.Sig)
		w.b.deliver(1)
		requireAborted(t, w.b, "signature is wrong")

		w = newWorld(t)
		w.ask(usual)
		w.b.deliver(1)
		w.a.deliver(1)
		w.b.deliver(1)
		require.Empty(t, w.a.published)
		s := next[*lnwire.FundingSigned](t, w.a)
		require.Equal(t, lnwire.ChannelIDFrom(w.b.ch.core.Funding), s.ChannelID) // B2.funding.4
		spoil(&s.Sig)
		w.a.deliver(1)
		requireAborted(t, w.a, "signature is wrong")
		require.Empty(t, w.a.published)
		require.Len(t, w.a.unfunded, 1)
	}
}

// TestOutPointInUse: V-31.
func TestOutPointInUse(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.b.deliver(1)
	w.a.deliver(1)
	w.b.declines = true
	w.b.deliver(1)
	requireAborted(t, w.b, "already in use")
}

// TestOpeningForgotten: B2.reest.7: an opening does not outlive its connection, nor
// the process, until the funding is signed by both; the coins are free again.
// TestAnswerAfterTheOpening: what the peer has answered may reach a machine whose opening ended on
// its way, and is nothing to be told of.
func TestAnswerAfterTheOpening(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.b.deliver(1)
	accept := next[*lnwire.AcceptChannel](t, w.a)
	w.a.step(Disconnected{})
	require.Equal(t, Closed, w.a.ch.Phase())
	told := len(w.a.notices)
	fx := w.a.step(Received{Msg: accept})
	require.Empty(t, fx.Send)
	require.Empty(t, fx.Tell)
	require.Len(t, w.a.notices, told)
}

func TestOpeningForgotten(t *testing.T) {
	for k := range 3 {
		for _, crash := range []bool{false, true} {
			w := newWorld(t)
			w.ask(usual)
			for range k {
				w.b.deliver(1)
				w.a.deliver(1)
			}
			if k == 2 {
				require.Equal(t, AwaitReady, w.a.ch.Phase())
				continue
			}
			funded := w.a.ch.Phase() == Funding
			if crash {
				w.a.crash()
			} else {
				w.disconnect()
			}
			require.Nil(t, w.a.rows.Terms)
			require.Equal(t, funded, len(w.a.unfunded) == 1)
			require.Empty(t, w.a.published)
		}
	}
}

// TestOpeningPatience: V-40: an opening whose other side stops talking ends in time, at
// every step of it, with the connection up; the coins are free again.
func TestOpeningPatience(t *testing.T) {
	for k := range 4 { // messages that arrive
		w := newWorld(t)
		w.ask(usual)
		for i := range k {
			[]*node{w.b, w.a}[i%2].deliver(1)
		}
		for _, n := range w.nodes() {
			if n.ch == nil || n.ch.Phase() > Funding {
				continue
			}
			fx := n.step(Tick{Mono: time.Hour})
			require.Equal(t, time.Hour+openingPatience, fx.Wake, "%s after %d messages", n.name, k)
			fx = n.step(Tick{Mono: fx.Wake - 1})
			require.NotZero(t, fx.Wake)
			funded := n.ch.Phase() == Funding
			n.step(Tick{Mono: fx.Wake})
			requireAborted(t, n, "too long")
			require.False(t, n.last.Disconnect)
			require.Equal(t, funded, len(n.unfunded) == 1)
			require.Nil(t, n.rows.Terms)
		}
	}
	w := newWorld(t) // the clock starts with the opening when the time is known
	w.a.ch = New(w.a.cfg, w.a.crypto, 1, w.b.ring.NodeID())
	w.a.ch.Step(Tick{Mono: time.Hour})
	fx := w.a.ch.Step(OpenAsked{
		TempID: lnwire.ChannelID{9}, Capacity: usual.capacity, FeeRate: usual.rate, Format: usual.format, Ours: w.a.side,
		Keys: w.a.ring.Locs(1), MinDepth: 3, Features: w.a.features, At: w.tip,
	})
	require.Equal(t, time.Hour+openingPatience, fx.Wake)
}

// TestFundingRowsTravelWithLease: the first rows of the channel and the wallet's
// lease are one batch, before funding_created leaves.
func TestFundingRowsTravelWithLease(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.b.deliver(1)
	fx := w.a.ch.Step(Received{Msg: next[*lnwire.AcceptChannel](t, w.a)})
	require.Len(t, fx.Ask, 1)
	q := fx.Ask[0].Question.(AskFund)
	require.Equal(t, usual.capacity, q.Amount)
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(&wire.TxOut{Value: int64(q.Amount), PkScript: q.Script})
	lease := Rider{Kind: 4, Key: []byte("lease")}
	fx = w.a.ch.Step(Answered{ID: fx.Ask[0].ID, Answer: Funded{Tx: tx, With: []Rider{lease}}})
	require.Equal(t, []Rider{lease}, fx.Delta.Riders)
	require.NotNil(t, fx.Delta.Terms)
	require.Len(t, fx.Delta.Fundings, 1)
	require.Len(t, fx.Send, 1)
	require.Empty(t, fx.Publish)
}

// TestFundingTransactionOfWallet: an answer that does not fund the channel is our own
// mistake, not the peer's.
func TestFundingTransactionOfWallet(t *testing.T) {
	w := newWorld(t)
	w.ask(usual)
	w.b.deliver(1)
	fx := w.a.ch.Step(Received{Msg: next[*lnwire.AcceptChannel](t, w.a)})
	fx = w.a.ch.Step(Answered{ID: fx.Ask[0].ID, Answer: Funded{Tx: w.a.fundingLike()}})
	require.Equal(t, NoticeBug, fx.Tell[0].Kind)
	require.Equal(t, Closed, w.a.ch.Phase())
}

// TestBothFormats: each channel type carries a payment, with signatures of the curve.
func TestBothFormats(t *testing.T) {
	for _, f := range []commitment.Format{commitment.Anchors, commitment.StaticRemoteKey} {
		w := newWorld(t)
		w.useReal()
		o := usual
		o.format = f
		w.open(o)
		w.a.add(5e7, 1)
		w.a.add(353_000, 2)
		w.settle()
		w.b.fulfill(0, 1)
		w.b.fulfill(1, 2)
		w.settle()
		requireBalances(t, w.a, 649_647_000, 350_353_000)
		require.Equal(t, time.Unix(1_700_000_000, 0), w.b.info().Terms.OpenedAt)
	}
}
