package interop

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/itest/rig"
)

// meeting is the nodes of a group of scenarios on a chain of their own. Its helpers fail
// the scenario that runs now.
type meeting struct {
	t     *testing.T
	w     *rig.World
	rate  func(satPerKvB int64) // of the fee estimates that all nodes get
	peers []Peer
	down  map[Peer]bool
}

const usualRate = 10_000 // satoshis per 1000 vbytes

func newMeeting(t *testing.T) *meeting {
	w := rig.NewWorld(t)
	return &meeting{t: t, w: w, rate: w.ServeFees(usualRate), down: map[Peer]bool{}}
}

// join takes a node in.
func (m *meeting) join(p Peer) Peer {
	m.peers = append(m.peers, p)
	return p
}

// ctx bounds one thing that must come.
func (m *meeting) ctx() context.Context { return rig.Soon(m.t) }

// must ends the scenario for an error.
func (m *meeting) must(err error, about ...any) {
	m.t.Helper()
	require.NoError(m.t, err, about...)
}

// until waits until it is so; errors of a node that is coming back are looked over.
func (m *meeting) until(what string, so func(ctx context.Context) (bool, error)) {
	m.t.Helper()
	ctx := m.ctx()
	m.must(until(ctx, func() (bool, error) { return so(ctx) }), "waited in vain: "+what)
}

// stop and start do so with a node.
func (m *meeting) stop(p Peer, kill bool) {
	m.t.Helper()
	m.down[p] = true
	m.must(p.Stop(m.ctx(), kill), p.Name())
}

func (m *meeting) start(p Peer) {
	m.t.Helper()
	m.must(p.Start(m.ctx()), p.Name())
	m.down[p] = false
}

// mine mines blocks and waits until every node has dealt with them.
func (m *meeting) mine(blocks int) {
	m.t.Helper()
	_, err := m.w.Chain.Generate(m.t.Context(), blocks)
	m.must(err)
	m.synced()
}

func (m *meeting) synced() {
	m.t.Helper()
	for _, p := range m.peers {
		if m.down[p] {
			continue
		}
		m.until(p.Name()+" follows the chain", func(ctx context.Context) (bool, error) {
			tip, _, err := m.w.Chain.Tip(ctx)
			if err != nil {
				return false, err
			}
			h, err := p.Height(ctx)
			return h == tip, err
		})
	}
}

// inMempool waits for a transaction.
func (m *meeting) inMempool(txid chainhash.Hash) {
	m.t.Helper()
	m.until("transaction "+txid.String()+" in the mempool", func(ctx context.Context) (bool, error) {
		list, err := m.w.Chain.Mempool(ctx)
		return slices.Contains(list, txid), err
	})
}

// fund gives a node confirmed coins.
func (m *meeting) fund(p Peer, coins int, sat int64) {
	m.t.Helper()
	before := m.wallet(p).Confirmed
	for range coins {
		to, err := p.Address(m.ctx())
		m.must(err)
		_, err = m.w.Chain.Miner().PayAddress(m.t.Context(), to, sat)
		m.must(err)
	}
	m.mine(1)
	m.until(p.Name()+"'s coins", func(ctx context.Context) (bool, error) {
		w, err := p.Wallet(ctx)
		return w.Confirmed == before+int64(coins)*sat, err
	})
}

func (m *meeting) wallet(p Peer) Wallet {
	m.t.Helper()
	w, err := p.Wallet(m.ctx())
	m.must(err, p.Name())
	return w
}

// connect connects two nodes and waits until both know.
func (m *meeting) connect(a, b Peer) { m.connectAt(a, b, b.Addr()) }

func (m *meeting) connectAt(a, b Peer, addr string) {
	m.t.Helper()
	// The two may be finding or losing each other by themselves at this moment.
	m.until(a.Name()+" connects to "+b.Name(), func(ctx context.Context) (bool, error) {
		one, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := a.Connect(one, b.ID(), addr); err != nil {
			return false, err
		}
		for _, p := range [][2]Peer{{a, b}, {b, a}} {
			if ok, err := p[0].Connected(one, p[1].ID()); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// open opens a channel, mines, and waits until both can use it.
func (m *meeting) open(a, b Peer, o Opening) string {
	m.t.Helper()
	point, err := a.Open(m.ctx(), b.ID(), o)
	m.must(err, "%s opens to %s", a.Name(), b.Name())
	m.inMempool(m.w.FundingTx(rig.ChanPoint(point)))
	m.mine(6)
	m.active(point, a, b)
	if !o.Private && a.Offers(Graph) && b.Offers(Graph) && a.Offers(Announces) && b.Offers(Announces) {
		m.inGraphs(m.channel(a, point).SCID, []Peer{a, b}, []Peer{a, b})
	}
	return point
}

// channel is a channel as one end lists it; nil when it does not.
func (m *meeting) channel(p Peer, point string) *Channel {
	m.t.Helper()
	c, err := find(m.ctx(), p, point)
	m.must(err, p.Name())
	return c
}

func find(ctx context.Context, p Peer, point string) (*Channel, error) {
	list, err := p.Channels(ctx)
	for i := range list {
		if list[i].Point == point {
			return &list[i], nil
		}
	}
	return nil, err
}

// active waits until both ends can use a channel.
func (m *meeting) active(point string, ends ...Peer) {
	m.t.Helper()
	for _, p := range ends {
		m.until(p.Name()+"'s channel "+point+" is active", func(ctx context.Context) (bool, error) {
			c, err := find(ctx, p, point)
			return c != nil && c.Active, err
		})
	}
}

// agree waits until nothing is under way in a channel and both ends say the same.
func (m *meeting) agree(point string, a, b Peer) {
	m.t.Helper()
	var ca, cb *Channel
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s: %+v\n%s: %+v", a.Name(), ca, b.Name(), cb)
		}
	}()
	m.until("the ends of "+point+" agree", func(ctx context.Context) (bool, error) {
		var err1, err2 error
		ca, err1 = find(ctx, a, point)
		cb, err2 = find(ctx, b, point)
		if err1 != nil || err2 != nil || ca == nil || cb == nil {
			return false, fmt.Errorf("%v, %v", err1, err2)
		}
		return ca.HTLCs == 0 && cb.HTLCs == 0 && near(ca.LocalMsat, cb.RemoteMsat) && near(ca.RemoteMsat, cb.LocalMsat) &&
			near(ca.LocalMsat+ca.RemoteMsat, ca.Capacity*1000) && ca.Capacity == cb.Capacity && ca.Type == cb.Type && ca.Opener != cb.Opener, nil
	})
}

// near: the same, as far as satoshis can tell.
func near(a, b int64) bool { return max(a-b, b-a) < 2000 }

// owns is what a node has in its channels.
func (m *meeting) owns(p Peer) int64 {
	m.t.Helper()
	msat, err := p.Owns(m.ctx())
	m.must(err, p.Name())
	return msat
}

func (m *meeting) invoice(p Peer, msat int64) Invoice {
	m.t.Helper()
	inv, err := p.Invoice(m.ctx(), msat, "interop")
	m.must(err, p.Name())
	return inv
}

// pay lets an invoice be paid and gives the end, whatever it is.
func (m *meeting) pay(a Peer, inv Invoice, o Paying) Payment {
	m.t.Helper()
	p, err := a.Pay(m.ctx(), inv.Bolt11, o)
	m.must(err, "%s pays", a.Name())
	return p
}

// pays lets a pay b, which must succeed, and looks at both ends of it.
func (m *meeting) pays(a, b Peer, msat int64) Payment {
	m.t.Helper()
	inv := m.invoice(b, msat)
	p := m.pay(a, inv, Paying{})
	require.Equal(m.t, Succeeded, p.State, "%s pays %s %d msat: %s %v", a.Name(), b.Name(), msat, p.Reason, p.Failures)
	require.Equal(m.t, inv.Hash, sha256.Sum256(p.Preimage[:]))
	m.receives(b, inv.Hash, msat)
	return p
}

// receives waits until an invoice is settled, and looks what for.
func (m *meeting) receives(p Peer, hash [32]byte, msat int64) {
	m.t.Helper()
	m.until(p.Name()+" has settled", func(ctx context.Context) (bool, error) {
		r, err := p.Received(ctx, hash)
		return r.State == Settled && r.Msat == msat, err
	})
}

// sent is what became of a payment, waited for.
func (m *meeting) sent(p Peer, hash [32]byte) Payment {
	m.t.Helper()
	var end Payment
	m.until(fmt.Sprintf("%s's payment %x ends", p.Name(), hash), func(ctx context.Context) (bool, error) {
		var err error
		end, err = p.Sent(ctx, hash)
		return err == nil && end.State != InFlight, err
	})
	return end
}

// held is a payment that waits at its payee.
type held struct {
	m        *meeting
	from, to Peer
	msat     int64
	preimage [32]byte
	hash     [32]byte
}

// hold lets a payment be made that b holds.
func (m *meeting) hold(a, b Peer, msat int64) *held {
	m.t.Helper()
	h := &held{m: m, from: a, to: b, msat: msat}
	_, _ = rand.Read(h.preimage[:])
	h.hash = sha256.Sum256(h.preimage[:])
	inv, err := b.Hold(m.ctx(), msat, h.hash)
	m.must(err, b.Name())
	ctx := m.t.Context()
	ended := make(chan string, 1)
	go func() { // asked for by hash, over restarts
		p, err := a.Pay(ctx, inv.Bolt11, Paying{})
		ended <- fmt.Sprintf("%s %s %v %v", p.State, p.Reason, p.Failures, err)
	}()
	defer func() {
		if m.t.Failed() && len(ended) > 0 {
			m.t.Logf("%s's payment has ended: %s", a.Name(), <-ended)
		}
	}()
	h.is(Held)
	return h
}

// is waits until the invoice is so.
func (h *held) is(want State) {
	h.m.t.Helper()
	h.m.until(fmt.Sprintf("%s's invoice of %d msat is %s", h.to.Name(), h.msat, want), func(ctx context.Context) (bool, error) {
		r, err := h.to.Received(ctx, h.hash)
		return r.State == want, err
	})
}

// settle takes what is held; the payer must learn it.
func (h *held) settle() {
	h.m.t.Helper()
	h.m.must(h.to.Settle(h.m.ctx(), h.preimage))
	p := h.m.sent(h.from, h.hash)
	require.Equal(h.m.t, Succeeded, p.State, p.Reason)
	require.Equal(h.m.t, h.preimage, p.Preimage)
	h.is(Settled)
}

// cancel gives it back; the payer must learn why.
func (h *held) cancel() {
	h.m.t.Helper()
	h.m.must(h.to.Cancel(h.m.ctx(), h.hash))
	p := h.m.sent(h.from, h.hash)
	require.Equal(h.m.t, Failed, p.State)
	if h.from.Offers(Names) {
		require.Contains(h.m.t, p.Failures, unknownDetails)
	}
	h.is(Canceled)
}

// What nodes say, by BOLT 4.
const (
	unknownDetails   = "incorrect_or_unknown_payment_details"
	temporaryFailure = "temporary_channel_failure"
	feeInsufficient  = "fee_insufficient"
	wrongExpiry      = "incorrect_cltv_expiry"
	belowMinimum     = "amount_below_minimum"
)
