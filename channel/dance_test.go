package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// TestOneSignaturePerTurn: B2.commit.1, B2.commit.2: nothing is signed without a
// change, everything of a turn by one signature, with one for each output.
func TestOneSignaturePerTurn(t *testing.T) {
	w := opened(t, nil)
	require.Empty(t, w.a.step(Flush{}).Send)
	for k := range 5 {
		w.a.add(5_000_000, k)
	}
	w.a.add(1000, 6)
	fx := w.a.step(Flush{})
	require.Len(t, fx.Send, 7) // the adds go out with it, in the order of their ids
	for id, g := range fx.Send[:6] {
		require.Equal(t, uint64(id), g[0].(*lnwire.UpdateAddHTLC).ID)
	}
	require.Len(t, fx.Send[6][0].(*lnwire.CommitmentSigned).HTLCSigs, 5)
	require.Empty(t, w.a.add(5_000_000, 7).Send)
	require.Empty(t, w.a.step(Flush{}).Send) // a revocation is owed first
}

// TestCommitmentSignedRefused: B2.commit.3, B2.commit.4, V-02: a wrong number, a
// wrong signature, one of high s: warned, and the state stays.
func TestCommitmentSignedRefused(t *testing.T) {
	highS := func(s *lnwire.Sig) { copy(s[32:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) }
	for why, spoil := range map[string]func(m *lnwire.CommitmentSigned){
		"a signature is wrong":                 func(m *lnwire.CommitmentSigned) { m.Sig[7] ^= 1 },
		"signature is wrong":                   func(m *lnwire.CommitmentSigned) { m.HTLCSigs[1][7] ^= 1 },
		"is wrong":                             func(m *lnwire.CommitmentSigned) { m.HTLCSigs[0], m.HTLCSigs[1] = m.HTLCSigs[1], m.HTLCSigs[0] },
		"1 htlc signatures for 2 outputs":      func(m *lnwire.CommitmentSigned) { m.HTLCSigs = m.HTLCSigs[:1] },
		"3 htlc signatures for 2 outputs":      func(m *lnwire.CommitmentSigned) { m.HTLCSigs = append(m.HTLCSigs, m.Sig) },
		"one that would not relay":             func(m *lnwire.CommitmentSigned) { highS(&m.Sig) },
		"outputs, or one that would not relay": func(m *lnwire.CommitmentSigned) { highS(&m.HTLCSigs[1]) },
		"or one that would not relay":          func(m *lnwire.CommitmentSigned) { m.Sig = lnwire.Sig{} },
	} {
		w := opened(t, nil)
		w.a.add(5_000_000, 1)
		w.a.add(6_000_000, 2)
		w.a.step(Flush{})
		w.b.deliver(2)
		spoil(next[*lnwire.CommitmentSigned](t, w.b))
		w.b.deliver(1)
		requireWarned(t, w.b, why)
		require.Zero(t, w.b.ch.core.LocalN)
		// On a new connection the honest signature is sent again and taken.
		w.disconnect()
		w.connect()
		w.settle()
		require.Len(t, w.b.locked, 2)
	}
}

// TestRevoke: B2.commit.5, B2.revoke.1, B2.revoke.2: a signed commitment is answered
// with the secret of the one before and the point after the next.
func TestRevoke(t *testing.T) {
	w := opened(t, nil)
	root := w.b.ring.Locs(1).Root
	for n := range uint64(3) {
		w.a.add(5_000_000, int(n))
		w.a.step(Flush{})
		w.b.deliver(2)
		require.Len(t, w.b.last.Send, 1)
		m := w.b.last.Send[0][0].(*lnwire.RevokeAndAck)
		require.Equal(t, w.b.ring.Secret(root, n), m.Secret)
		require.Equal(t, w.b.ring.Point(root, n+2), m.NextPoint)
		w.settle()
	}
}

// TestRevokeRefused: B2.revoke.3, B2.revoke.4: a secret that does not fit ends the
// channel, as does one that nobody waits for.
func TestRevokeRefused(t *testing.T) {
	for why, spoil := range map[string]func(m *lnwire.RevokeAndAck){
		"not that of the commitment":   func(m *lnwire.RevokeAndAck) { m.Secret[3] ^= 1 },
		"the secret is not that":       func(m *lnwire.RevokeAndAck) { m.Secret = lnwire.Secret{} },
		"next_per_commitment_point is": func(m *lnwire.RevokeAndAck) { m.NextPoint = lnwire.PubKey{} },
	} {
		w := opened(t, nil)
		w.a.add(5_000_000, 1)
		w.a.step(Flush{})
		w.b.deliver(2)
		spoil(next[*lnwire.RevokeAndAck](t, w.a))
		w.a.deliver(1)
		requireFailed(t, w.a, why)
	}
	w := opened(t, nil)
	w.a.step(Received{Msg: &lnwire.RevokeAndAck{ChannelID: w.a.ch.core.ChannelID}})
	requireFailed(t, w.a, "no revocation is owed")

	// B2.revoke.4: points that were not made by the protocol's tree of secrets.
	w = opened(t, nil)
	for n := range 4 {
		w.a.add(5_000_000, n)
		w.a.step(Flush{})
		w.b.deliver(2)
		m := next[*lnwire.RevokeAndAck](t, w.a)
		if n > 0 {
			m.Secret = w.b.ring.Secret(w.a.ring.Locs(9).Root, uint64(n))
			w.a.ch.core.RemotePoint = w.b.ring.Point(w.a.ring.Locs(9).Root, uint64(n))
		}
		w.a.deliver(1)
		if n == 1 {
			requireFailed(t, w.a, "does not fit those before")
			return
		}
		w.settle()
	}
	t.Fatal("never refused")
}

// TestPublishedIsNewest: B2.revoke.5: what we would publish is never revoked, at any
// step of the dance, in memory or after a restart.
func TestPublishedIsNewest(t *testing.T) {
	w := opened(t, nil)
	check := func() {
		for _, n := range w.nodes() {
			for _, c := range []*Channel{n.ch, Load(n.cfg, n.crypto, n.rows)} {
				tx, ok := c.signedCommitment()
				require.True(t, ok)
				number, ok := c.owner(true).NumberOf(tx)
				require.True(t, ok)
				require.Equal(t, n.ch.core.LocalN, number)
				require.GreaterOrEqual(t, number, n.other.ch.core.RemoteRevoked)
			}
		}
	}
	w.a.add(5_000_000, 1)
	w.b.add(6_000_000, 2)
	for range 12 {
		for _, n := range w.nodes() {
			n.deliver(1)
			check()
			n.step(Flush{})
			check()
		}
	}
	require.Equal(t, uint64(2), max(w.a.ch.core.LocalN, w.b.ch.core.LocalN))
}

// TestRevokedRows: what is kept of a revoked commitment is what it held.
func TestRevokedRows(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.b.add(6_000_000, 2)
	w.settle()
	w.b.fulfill(0, 1)
	w.settle()
	rows := w.a.rows.Revoked
	require.Len(t, rows, int(w.a.ch.core.RemoteRevoked))
	for i, r := range rows {
		require.Equal(t, uint64(i), r.N)
		sum := r.Ours + r.Theirs
		for _, h := range r.HTLCs {
			sum += h.Amount
		}
		require.Equal(t, usual.capacity.MilliSat(), sum)
		_, ok := w.a.ch.secrets.Lookup(r.N)
		require.True(t, ok)
	}
	require.Empty(t, rows[0].HTLCs)
	require.Equal(t, lnwire.MilliSat(700_000_000), rows[0].Ours)
	require.Len(t, rows[1].HTLCs, 1)
}

// TestMalformedOutcome: a failure is told when it is irrevocable, with what the peer
// said, and a preimage at once.
func TestOutcomeTimes(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	w.a.add(6_000_000, 2)
	w.settle()
	w.b.fulfill(0, 1)
	w.b.step(Resolve{Ref: w.b.incoming(1), Resolution: htlc.Resolution{Kind: htlc.Malformed, Code: 0xc005, OnionSHA256: [32]byte{4}}})
	w.a.deliver(2)
	require.Len(t, w.a.outcomes, 1)
	require.Equal(t, preimage(1), w.a.outcomes[0].Resolution.Preimage)
	w.b.step(Flush{})
	w.a.deliver(1)
	w.a.step(Flush{})
	require.Len(t, w.a.outcomes, 1) // the peer could still publish a commitment with it
	w.settle()
	require.Len(t, w.a.outcomes, 2)
	require.Equal(t, htlc.Resolution{Kind: htlc.Malformed, Code: 0xc005, OnionSHA256: [32]byte{4}}, w.a.outcomes[1].Resolution)
	require.Len(t, w.a.outbox, 2)
}

// TestLazy: only a revocation that releases nothing may wait for the next write.
func TestLazy(t *testing.T) {
	w := opened(t, nil)
	w.a.add(5_000_000, 1)
	require.False(t, w.a.step(Flush{}).Delta.Lazy)
	w.b.deliver(2)
	w.a.deliver(1)
	require.True(t, w.a.last.Delta.Lazy)
	// With a signature in the same turn it is not.
	fx := w.a.last
	w.a.add(5_000_000, 2)
	fx.Append(w.a.last)
	require.True(t, fx.Delta.Lazy)
	fx.Append(w.a.step(Flush{}))
	require.False(t, fx.Delta.Lazy)
	fx = Effects{}
	fx.Append(w.b.ch.Step(Block{At: blockRef(500)}))
	require.True(t, fx.Delta.Lazy)
	fx.Append(Effects{Delta: Delta{ChanNum: 1, GoneHTLCs: []htlc.Ref{{}}}})
	require.False(t, fx.Delta.Lazy)
}

// TestFullChannel: 483 HTLCs each way fit into a commitment and its messages, one
// more does not; a restart and a cut in the middle change nothing.
func TestFullChannel(t *testing.T) {
	w := opened(t, func(w *world, o *openOptions) {
		for _, n := range w.nodes() {
			n.side.MaxAccepted, n.side.MaxInFlight = 483, 5_000_000_000
		}
		o.capacity, o.push = 6_000_000, 3_000_000_000
	})
	quiet := func(q bool) { // the reload law would look at a thousand rows a thousand times
		for _, n := range w.nodes() {
			n.quietLaw = q
			n.restore(n.rows)
		}
	}
	quiet(true)
	for k := range 483 {
		w.a.add(1_000_000, k)
		w.b.add(1_000_000, 1000+k)
	}
	require.Empty(t, w.a.refused)
	require.Empty(t, w.b.refused)
	w.a.add(1_000_000, 484)
	requireRefused(t, w.a, htlc.TooMany, "483 htlcs are pending")
	quiet(false)
	w.settle()
	require.Len(t, w.a.locked, 483)
	require.Len(t, w.b.locked, 483)
	require.Len(t, w.a.ch.local.HTLCSigs, 966)
	w.a.crash()
	require.Len(t, w.a.locked, 483)
	w.connect()
	quiet(true)
	for k := range 483 {
		w.b.fulfill(uint64(k), k)
		w.a.fail(uint64(k))
	}
	w.b.step(Flush{})
	quiet(false)
	w.disconnect()
	w.connect()
	w.settle()
	requireBalances(t, w.a, 2_517_000_000, 3_483_000_000)
	require.Len(t, w.a.outcomes, 483)
	require.Len(t, w.b.outcomes, 483)
}
