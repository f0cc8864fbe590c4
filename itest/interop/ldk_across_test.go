package interop

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// across is one of us between two nodes of LDK: a, with a public channel, and b, which
// the world does not know: its only channel, with us, is private.
type across struct {
	*meeting
	we    *spoken
	a, b  *ldkNode
	right string // we - b
}

// TestLDKAcross plays what two nodes of LDK do with each other over us, beyond what every
// implementation does.
func TestLDKAcross(t *testing.T) {
	t.Parallel()
	needLDK(t)
	m := newMeeting(t)
	x := &across{meeting: m}
	x.we = m.join(ours(m.w, "ours", Setup{})).(*spoken)
	x.a = m.join(startLDK(m.w, "a", Setup{})).(*ldkNode)
	x.b = m.join(startLDK(m.w, "b", Setup{})).(*ldkNode)
	m.fund(x.a, 2, 10_000_000)
	m.fund(x.we, 2, 10_000_000)
	m.connect(x.a, x.we)
	m.connect(x.b, x.we)
	m.open(x.a, x.we, Opening{Capacity: 5_000_000, Push: 2_000_000, Type: Anchors})
	x.right = m.open(x.we, x.b, Opening{Capacity: 4_000_000, Push: 2_000_000, Type: Anchors, Private: true})
	for _, sc := range []struct {
		name string
		play func(*across)
	}{
		{"payments both ways, by invoice and by keysend", (*across).payments},
		{"onion messages", (*across).mail},
		{"an offer of LDK is paid by another LDK", (*across).offers},
	} {
		t.Run(sc.name, func(t *testing.T) {
			defer func(outer *testing.T) { m.t = outer }(m.t)
			m.t = t
			sc.play(x)
		})
	}
}

// fee is what we ask for carrying an amount with the usual policy.
func fee(msat int64) int64 { return 1000 + msat/1_000_000 }

func (x *across) payments() {
	x.inGraphs(x.a.mustChannels(x)[0].SCID, []Peer{x.a, x.we}, []Peer{x.a, x.we})
	for _, d := range [][2]*ldkNode{{x.a, x.b}, {x.b, x.a}} {
		for _, msat := range []int64{1_000, 400_000_000} {
			before := x.owns(x.we)
			p := x.pays(d[0], d[1], msat)
			require.Equal(x.t, fee(msat), p.FeeMsat)
			require.Equal(x.t, 1, p.Parts)
			x.settled(x.we, before+fee(msat))
		}
	}
	// Without an invoice there is no hint how b is reached, so only a can be.
	p, err := x.b.Keysend(x.ctx(), x.a.ID(), 77_777)
	x.must(err)
	require.Equal(x.t, Succeeded, p.State, p.Reason)
	require.Equal(x.t, fee(77_777), p.FeeMsat)
}

// settled waits until a node owns so much, and nothing is under way.
func (x *across) settled(p Peer, msat int64) {
	x.t.Helper()
	x.until(fmt.Sprintf("%s owns %d msat", p.Name(), msat), func(ctx context.Context) (bool, error) {
		owns, err := p.Owns(ctx)
		if err != nil || !near(owns, msat) {
			return false, err
		}
		list, err := p.Channels(ctx)
		for _, c := range list {
			if c.HTLCs > 0 {
				return false, err
			}
		}
		return true, err
	})
}

// mail sends onion messages along a path through us, which we cannot read.
func (x *across) mail() {
	for _, d := range [][2]*ldkNode{{x.a, x.b}, {x.b, x.a}} {
		data := hex.EncodeToString([]byte("from " + d[0].name))
		x.must(d[0].ask(x.ctx(), "message", fields{"path": []string{x.we.ID(), d[1].id}, "type": 4242, "data": data}, nil))
		x.until(d[1].name+" has the message", func(ctx context.Context) (bool, error) {
			var got []struct {
				Type int
				Data string
			}
			err := d[1].ask(ctx, "messages", nil, &got)
			for _, m := range got {
				if m.Type == 4242 && m.Data == data {
					return true, nil
				}
			}
			return false, err
		})
	}
	in := x.we.inbox(x.meeting)
	x.must(x.a.ask(x.ctx(), "message", fields{"path": []string{x.we.ID()}, "type": 4245, "data": hex.EncodeToString([]byte("to us"))}, nil))
	got, err := in.Recv()
	x.must(err)
	require.Equal(x.t, []byte("to us"), got.CustomRecords[4245])
}

// offers lets a pay an offer of b: the request, the invoice and the payment all go over
// us, on paths that b made and that begin with us.
func (x *across) offers() {
	var made struct{ Offer string }
	x.must(x.b.ask(x.ctx(), "offer", nil, &made))
	for _, msat := range []int64{5_000_000, 123_456_789} {
		p, err := x.a.send(x.ctx(), "payoffer", fields{"offer": made.Offer, "msat": msat})
		x.must(err)
		require.Equal(x.t, Succeeded, p.State, p.Reason)
		require.Positive(x.t, p.FeeMsat, "we carried it")
		x.receives(x.b, p.Hash, msat)
	}
	x.agree(x.right, x.we, x.b)
}

func (n *ldkNode) mustChannels(x *across) []Channel {
	x.t.Helper()
	list, err := n.Channels(x.ctx())
	x.must(err)
	return list
}

// TestLDKKinds opens the kinds of channels that need more than the usual.
func TestLDKKinds(t *testing.T) {
	t.Parallel()
	needLDK(t)
	m := newMeeting(t)
	them := m.join(startLDK(m.w, "ldk", Setup{})).(*ldkNode)
	we := &spoken{usual: Anchors, n: m.w.Node("ours", "--bitcoin.defaultchanconfs=3",
		"--protocol.option-scid-alias", "--protocol.zero-conf", "--protocol.zero-conf-peer="+them.id)}
	m.join(we)
	m.must(them.ask(m.ctx(), "trust", fields{"id": we.ID()}, nil))
	m.fund(we, 3, 10_000_000)
	m.fund(them, 3, 10_000_000)
	m.connect(them, we)
	both := func(point string) {
		m.t.Helper()
		m.active(point, we, them)
		m.pays(we, them, 30_000_000)
		m.pays(them, we, 20_000_000)
		m.agree(point, we, them)
	}
	for _, private := range []bool{true, false} {
		name := "we open without confirmations, public"
		if private {
			name = "we open without confirmations, private"
		}
		t.Run(name, func(t *testing.T) {
			defer func(outer *testing.T) { m.t = outer }(m.t)
			m.t = t
			point, err := we.Open(m.ctx(), them.ID(), Opening{Capacity: 1_000_000, Push: 300_000, Type: Anchors, Private: private, ZeroConf: true, Alias: private})
			m.must(err)
			both(point)
			m.inMempool(m.w.FundingTx(rig.ChanPoint(point)))
			m.mine(1) // LDK forgets announcement_signatures that come before it knows any block with the funding
			m.mine(5)
			both(point)
			if !private {
				m.until("its real short channel id is announced", func(ctx context.Context) (bool, error) {
					c, err := find(ctx, them, point)
					if err != nil || c == nil {
						return false, err
					}
					e, err := we.Edge(ctx, c.SCID)
					return e != nil && len(e.Policies) == 2, err
				})
			}
			m.must(them.Close(m.ctx(), point, false))
			m.gone(point, we, them)
		})
	}
	for _, opener := range []Peer{we, them} {
		t.Run(opener.Name()+" opens a private one with aliases", func(t *testing.T) {
			defer func(outer *testing.T) { m.t = outer }(m.t)
			m.t = t
			other := Peer(them)
			if opener == other {
				other = we
			}
			point := m.open(opener, other, Opening{Capacity: 1_000_000, Push: 300_000, Type: Anchors, Private: true, Alias: true})
			both(point)
			m.must(opener.Close(m.ctx(), point, false))
			m.gone(point, we, them)
		})
	}
}

// gone mines until a channel is over for both.
func (m *meeting) gone(point string, ends ...Peer) {
	m.t.Helper()
	m.until("a closing transaction", func(ctx context.Context) (bool, error) {
		list, err := m.w.Chain.Mempool(ctx)
		return len(list) > 0, err
	})
	m.mine(6)
	for _, p := range ends {
		m.until(p.Name()+" lists "+point+" no more", func(ctx context.Context) (bool, error) {
			c, err := find(ctx, p, point)
			return c == nil, err
		})
	}
}
