package invoice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// modifiable is a world with a modifier.
func modifiable(t *testing.T) *world {
	w := newWorld(t)
	w.step(Modifying{Present: true})
	return w
}

func (w *world) rule(ref htlc.Ref, r Ruling) Effects { return w.step(Modified{Ref: ref, Ruling: r}) }

func TestModifierIsAsked(t *testing.T) {
	w := modifiable(t)
	w.addTea()
	ref := w.arrive(part(10_000, 0))
	require.Len(t, w.last.Modify, 1)
	q := w.last.Modify[0]
	require.Equal(t, tea.Hash(), q.Invoice.Hash)
	require.Equal(t, ref, q.HTLC.Ref)
	require.Equal(t, lnwire.ShortChannelID(7), q.SCID)
	require.Equal(t, w.height, q.Height)
	require.Empty(t, w.done)
	require.Empty(t, w.step(Arrived{HTLC: w.locked[ref], SCID: 7}).Modify, "told again: it was asked")
	w.rule(htlc.Ref{ID: 99}, Ruling{CancelSet: true}) // about nothing
	w.rule(ref, Ruling{})
	require.Equal(t, htlc.Fulfilled, w.done[ref].Kind)
	w.rule(ref, Ruling{CancelSet: true}) // too late

	wrong := part(10_000, 0)
	wrong.secret = lnwire.Secret{9}
	w.arrive(wrong)
	require.Empty(t, w.last.Modify, "it pays nothing")
}

// TestModifiedAmount: what an HTLC counts for makes its set whole, and is what was paid.
func TestModifiedAmount(t *testing.T) {
	w := modifiable(t)
	w.addTea()
	first, second := w.arrive(part(300, 10_000)), w.arrive(part(300, 10_000))
	w.rule(second, Ruling{Amount: 4_000})
	require.Empty(t, w.done)
	w.restart()
	require.Empty(t, w.done, "the first was told again, and nobody is there to be asked")
	w.step(Modifying{Present: true})
	third := w.arrive(part(300, 10_000))
	w.rule(third, Ruling{Amount: 6_000})
	require.Equal(t, htlc.Fulfilled, w.done[first].Kind)
	require.Equal(t, lnwire.MilliSat(10_300), w.rows[tea.Hash()].Paid)
	require.Equal(t, lnwire.MilliSat(6_000), w.rows[tea.Hash()].Parts[2].Paid())
	require.Equal(t, lnwire.MilliSat(300), w.rows[tea.Hash()].Parts[2].Amount)
}

// TestCancelSet: the set is failed, the invoice stays open.
func TestCancelSet(t *testing.T) {
	w := modifiable(t)
	w.addTea()
	first, second := w.arrive(part(5_000, 10_000)), w.arrive(part(5_000, 10_000))
	w.rule(first, Ruling{})
	w.rule(second, Ruling{CancelSet: true})
	require.Equal(t, htlc.Failed, w.done[first].Kind)
	require.Equal(t, htlc.Failed, w.done[second].Kind)
	require.Equal(t, Open, w.rows[tea.Hash()].State)
	w.restart()
	ref := w.arrive(part(10_000, 0))
	require.Equal(t, htlc.Fulfilled, w.done[ref].Kind)
}

// TestModifierDoesNotHoldUp: what it does not decide goes on when it leaves, is looked at
// anew, and is failed before it expires.
func TestModifierDoesNotHoldUp(t *testing.T) {
	w := modifiable(t)
	w.addTea()
	ref := w.arrive(part(10_000, 0))
	w.step(Modifying{})
	require.Equal(t, htlc.Fulfilled, w.done[ref].Kind)

	w = modifiable(t)
	w.addTea()
	ref = w.arrive(part(10_000, 0))
	w.step(Cancel{ID: 5, Hash: tea.Hash()})
	w.rule(ref, Ruling{Amount: 10_000})
	require.Equal(t, htlc.Failed, w.done[ref].Kind, "the invoice was canceled meanwhile")

	w = modifiable(t)
	w.addTea()
	ref = w.arrive(part(10_000, 0))
	w.height += 79
	w.step(Block{Height: w.height})
	require.Empty(t, w.done)
	w.height++
	w.step(Block{Height: w.height})
	require.Equal(t, htlc.Failed, w.done[ref].Kind)
	w.now = w.now.Add(time.Hour)
	require.Empty(t, w.rule(ref, Ruling{}).Resolve)
}

func TestModifiedKeysend(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		w := modifiable(t)
		w.cfg.AcceptKeysend = true
		w.restart()
		w.step(Modifying{Present: true})
		ref := w.arrive(offer{hash: tea.Hash(), noSecret: true, amount: 500, custom: []lnwire.TLV{{Type: KeysendType, Value: tea[:]}}})
		require.True(t, w.last.Modify[0].Invoice.Keysend)
		w.rule(ref, Ruling{Amount: 700, CancelSet: cancel})
		if cancel {
			require.Equal(t, htlc.Failed, w.done[ref].Kind)
			require.Empty(t, w.rows)
			continue
		}
		require.Equal(t, htlc.Fulfilled, w.done[ref].Kind)
		require.Equal(t, lnwire.MilliSat(700), w.rows[tea.Hash()].Paid)
	}
}
