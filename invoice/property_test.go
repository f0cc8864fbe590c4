package invoice

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// check holds what must be true after every step: a settled invoice has claimed
// every part of a set that is whole, nothing else was ever claimed, and the memory
// is what a restart would find in the store.
func (w *world) check() {
	claimed := map[htlc.Ref]lnwire.Preimage{}
	var live []Invoice
	for _, row := range w.rows {
		var forward, amount, total lnwire.MilliSat
		for _, p := range row.Parts {
			switch p.State {
			case Held:
				require.False(w.t, row.State.Final(), "%s with a part that is held", row.State)
			case Claimed:
				require.Equal(w.t, Settled, row.State)
				claimed[p.Ref] = *row.Preimage
				forward, amount, total = forward+p.ToForward, amount+p.Amount, p.Total
			case Returned:
				require.NotZero(w.t, p.Code)
			}
		}
		if row.State == Settled {
			require.Equal(w.t, row.Hash, row.Preimage.Hash())
			require.GreaterOrEqual(w.t, forward, total) // never a partial set
			require.GreaterOrEqual(w.t, total, row.Amount)
			require.Equal(w.t, amount, row.Paid)
			require.NotZero(w.t, row.SettleIndex)
		} else {
			require.Zero(w.t, row.SettleIndex)
		}
		if !row.State.Final() {
			live = append(live, row)
		}
	}
	for ref, res := range w.done {
		preimage, ok := claimed[ref]
		require.Equal(w.t, ok, res.Kind == htlc.Fulfilled, ref)
		if ok {
			require.Equal(w.t, preimage, res.Preimage)
		}
	}
	for ref := range claimed {
		_, done := w.done[ref]
		_, queued := w.outbox[ref]
		require.True(w.t, done || queued, "claimed, and the answer is lost")
	}
	slices.SortFunc(live, func(a, b Invoice) int { return int(a.AddIndex) - int(b.AddIndex) })
	require.Len(w.t, w.r.Rows(), len(live))
	for i, row := range w.r.Rows() {
		require.Equal(w.t, live[i], row)
	}
}

// crash steps an event of which only the write, or not even that, came through.
func (w *world) crash(ev Event, written bool) {
	fx := w.r.Step(w.now, ev)
	if written {
		w.write(fx.Delta)
	}
	w.restart()
}

// Whatever happens in whatever order, with crashes before and after the write:
// all parts or none, one answer for each HTLC, none forgotten (B4.final.14,
// B4.final.15, B4.final.16, B4.final.17).
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.slow = true
		w.cfg.AcceptKeysend = rapid.Bool().Draw(t, "keysend")
		w.restart()
		preimages := []lnwire.Preimage{{1}, {2}, {3}}
		pick := func() lnwire.Preimage { return rapid.SampledFrom(preimages).Draw(t, "preimage") }
		// happen steps an event, now and then with a crash instead of its effects.
		happen := func(ev Event) {
			switch rapid.IntRange(0, 9).Draw(t, "crash") {
			case 0:
				w.crash(ev, false)
			case 1:
				w.crash(ev, true)
			default:
				w.step(ev)
			}
		}
		arrive := func(o offer) {
			ref := htlc.Ref{ChanNum: 3, Dir: htlc.Incoming, ID: w.nextID}
			w.nextID++
			expiry := w.height + o.delta
			f := onion.Final{Amount: o.amount, Expiry: expiry, Secret: &o.secret, Total: o.total, Custom: o.custom}
			p := f.Payload()
			w.locked[ref] = htlc.Locked{
				HTLC:   htlc.HTLC{Ref: ref, Amount: o.amount, Expiry: expiry, Hash: o.hash, State: htlc.RcvdAddAckRevocation},
				Opened: htlc.Opened{Payload: &p, Final: true, Secret: lnwire.Secret{byte(ref.ID), 5}},
			}
			happen(Arrived{HTLC: w.locked[ref]})
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { w.check() },
			"add": func(t *rapid.T) {
				p := pick()
				tm := Terms{Preimage: &p, Hash: p.Hash(), Secret: lnwire.Secret{p[0]}, Amount: 10, Expiry: 10 * time.Minute}
				if rapid.Bool().Draw(t, "hold") {
					tm.Preimage = nil
				}
				inv, err := Draft(Regtest, tm, w.now, func([32]byte) [65]byte { return [65]byte{31} })
				require.NoError(t, err)
				happen(Add{Invoice: inv})
			},
			"arrive": func(t *rapid.T) {
				p := pick()
				o := offer{
					hash: p.Hash(), secret: lnwire.Secret{p[0]}, total: rapid.SampledFrom([]lnwire.MilliSat{10, 10, 10, 11}).Draw(t, "total"),
					amount: lnwire.MilliSat(rapid.IntRange(1, 10).Draw(t, "amount")), delta: lnwire.Height(rapid.IntRange(75, 120).Draw(t, "delta")),
				}
				if rapid.IntRange(0, 9).Draw(t, "keysend") == 0 {
					o.custom = []lnwire.TLV{{Type: KeysendType, Value: p[:]}}
					o.total = o.amount
				}
				arrive(o)
			},
			"again": func(t *rapid.T) {
				if refs := w.open(); len(refs) > 0 {
					happen(Arrived{HTLC: w.locked[rapid.SampledFrom(refs).Draw(t, "ref")]})
				}
			},
			"fetch":  func(*rapid.T) { w.fetch() },
			"settle": func(*rapid.T) { happen(Settle{Preimage: pick()}) },
			"cancel": func(*rapid.T) { p := pick(); happen(Cancel{Hash: p.Hash()}) },
			"delete": func(*rapid.T) { p := pick(); happen(Delete{Hash: p.Hash()}) },
			"tick": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
				happen(Tick{})
			},
			"block": func(t *rapid.T) {
				w.height += lnwire.Height(rapid.IntRange(1, 40).Draw(t, "blocks"))
				happen(Block{w.height})
			},
			"restart": func(*rapid.T) { w.restart() },
		})

		w.slow = false
		w.restart()
		w.now = w.now.Add(time.Hour)
		w.step(Tick{})
		w.height += 2016
		w.step(Block{w.height})
		w.check()
		require.Empty(t, w.open(), "an HTLC was never answered")
		require.Empty(t, w.outbox)
		indexes := map[uint64]bool{}
		for row := range maps.Values(w.rows) {
			require.False(t, indexes[row.AddIndex])
			indexes[row.AddIndex] = true
			require.LessOrEqual(t, row.AddIndex, w.counters.AddIndex)
		}
	})
}

// FuzzArrived: any payload that a payer can write is answered or kept, never a
// panic and never the preimage for less than was asked.
func FuzzArrived(f *testing.F) {
	p := onion.Final{Amount: 10_000, Expiry: 800_100, Secret: &teaSecret, Total: 10_000}.Payload()
	good, err := p.Encode()
	require.NoError(f, err)
	f.Add(good, uint64(10_000), uint32(800_100))
	f.Add([]byte{}, uint64(0), uint32(0))
	f.Fuzz(func(t *testing.T, payload []byte, amount uint64, expiry uint32) {
		w := newWorld(t)
		w.cfg.AcceptKeysend = true
		w.restart()
		w.addTea()
		parsed, bad := onion.DecodePayload(payload)
		in := htlc.Locked{
			HTLC:   htlc.HTLC{Ref: htlc.Ref{ID: 1}, Amount: lnwire.MilliSat(amount), Expiry: lnwire.Height(expiry), Hash: tea.Hash()},
			Opened: htlc.Opened{Payload: &parsed, Final: true, Invalid: bad},
		}
		w.step(Arrived{HTLC: in})
		if w.done[in.HTLC.Ref].Kind == htlc.Fulfilled {
			require.GreaterOrEqual(t, amount, uint64(10_000))
			require.Equal(t, teaSecret, parsed.PaymentData.Secret)
		}
		w.tick(2 * time.Minute)
		require.Contains(t, w.done, in.HTLC.Ref)
	})
}

func BenchmarkPay(b *testing.B) {
	w := newWorld(b)
	inv, err := Draft(Regtest, terms(), w.now, specSign)
	require.NoError(b, err)
	f := onion.Final{Amount: 10_000, Expiry: 800_100, Secret: &teaSecret, Total: 10_000}.Payload()
	for b.Loop() {
		w.r.Step(w.now, Add{Invoice: inv})
		w.r.Step(w.now, Fetched{Hash: inv.Hash})
		fx := w.r.Step(w.now, Arrived{HTLC: htlc.Locked{
			HTLC:   htlc.HTLC{Ref: htlc.Ref{ID: 1}, Amount: 10_000, Expiry: 800_100, Hash: inv.Hash},
			Opened: htlc.Opened{Payload: &f, Final: true},
		}})
		if len(fx.Delta.Outbox) != 1 {
			b.Fatal("not paid")
		}
	}
}
