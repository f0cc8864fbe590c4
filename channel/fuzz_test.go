package channel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// FuzzPeer lets b talk to an honest machine through a wire that is in the fuzzer's
// hand: messages are changed, repeated, swapped and dropped, invented from bytes, and
// signed validly when the fuzzer leaves them alone (the model's signatures are free).
// Nothing may panic, leak a secret that is not durable, break the reload law, or make
// money; and b must go on or end, but in order.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{1, 2, 3, 1, 8, 9, 4, 1, 0, 5, 30, 2, 6, 7, 1, 1, 1, 3, 3, 0, 0, 11, 11})
	f.Add([]byte{1, 1, 9, 0, 0, 3, 9, 0, 0, 0, 4, 0, 0, 0, 10, 11, 0, 0, 0, 12, 13, 14, 0, 0, 0, 0, 5, 200, 1})
	f.Add([]byte{14, 3, 0, 0, 0, 0, 5, 10, 255, 0, 0, 13, 0, 0, 5, 40, 1, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 300 {
			return
		}
		z := &fuzzer{T: t, w: newWorld(t), in: in}
		z.w.a.quietLaw = true // only b is judged: a is fed with answers to forgeries
		z.run()
	})
}

type fuzzer struct {
	*testing.T
	w   *world
	in  []byte
	pre int
}

func (z *fuzzer) byte() byte {
	if len(z.in) == 0 {
		return 0
	}
	b := z.in[0]
	z.in = z.in[1:]
	return b
}

func (z *fuzzer) run() {
	w := z.w
	if z.byte()%4 == 0 {
		w.ask(usual)
		w.b.deliver(1)
		w.a.deliver(1)
	} else {
		w.open(usual)
	}
	for len(z.in) > 0 && w.a.ch != nil && w.b.ch != nil {
		z.act()
		z.judge()
	}
}

// act is one choice of the fuzzer.
func (z *fuzzer) act() {
	w := z.w
	switch z.byte() % 16 {
	case 0:
		w.b.deliver(1)
	case 1:
		w.a.deliver(1)
	case 2:
		w.a.step(Flush{})
	case 3:
		w.b.step(Flush{})
	case 4:
		w.settle()
	case 5:
		z.mutate()
	case 6: // again
		if n := len(w.b.inbox); n > 0 {
			w.b.inbox = append(w.b.inbox, w.b.inbox[0])
		}
	case 7: // out of order
		if n := len(w.b.inbox); n > 1 {
			w.b.inbox[0], w.b.inbox[n-1] = w.b.inbox[n-1], w.b.inbox[0]
		}
	case 8: // lost
		if n := len(w.b.inbox); n > 0 {
			w.b.inbox = w.b.inbox[1:]
		}
	case 9:
		z.pre++
		w.a.add(lnwire.MilliSat(z.byte())*3_000_000, z.pre)
	case 10:
		z.pre++
		w.b.add(lnwire.MilliSat(z.byte())*1_000_000, z.pre)
	case 11:
		z.resolve()
	case 12:
		w.disconnect()
		if w.a.ch.Phase() != Closed && w.b.ch.Phase() != Closed {
			w.connect()
		}
	case 13:
		w.b.crash()
		if w.a.ch.Phase() != Closed && w.b.ch.Phase() != Closed {
			w.connect()
		}
	case 14:
		w.a.step(CloseAsked{FeeRate: lnwire.SatPerKW(z.byte()) * 20})
	case 15:
		z.invent()
	}
}

// mutate changes one byte of the next message to b; what does not decode any more
// never reaches a machine.
func (z *fuzzer) mutate() {
	if len(z.w.b.inbox) == 0 {
		return
	}
	b, err := lnwire.Marshal(z.w.b.inbox[0])
	require.NoError(z, err)
	at := 34 + int(z.byte())*int(z.byte()%8+1) // behind the type and the channel's id
	if at >= len(b) {
		return
	}
	b[at] ^= z.byte()
	if m, err := lnwire.Unmarshal(b); err == nil {
		z.w.b.inbox[0] = m
	}
}

// invent puts a message of the fuzzer's own on the wire.
func (z *fuzzer) invent() {
	all := messages()
	m := all[int(z.byte())%len(all)]
	paint(m, z.byte())
	name(m, z.w.b.ch.id())
	z.w.b.inbox = append(z.w.b.inbox, m)
}

func (z *fuzzer) resolve() {
	n := z.w.b
	if len(n.locked) == 0 {
		return
	}
	l := n.locked[int(z.byte())%len(n.locked)]
	r := htlc.Resolution{Kind: htlc.Failed}
	if p := preimage(int(z.byte())); p.Hash() == l.HTLC.Hash {
		r = htlc.Resolution{Kind: htlc.Fulfilled, Preimage: p}
	}
	n.step(Resolve{Ref: l.HTLC.Ref, Resolution: r})
}

// judge holds b to what is always true.
func (z *fuzzer) judge() {
	b := z.w.b
	for _, x := range b.notices {
		require.False(z, x.Kind == NoticeBug && x.Text[:7] != "message", x.Text)
	}
	b.notices = nil
	if p := b.ch.Phase(); p < AwaitReady || p == Closed {
		return
	}
	requireWhole(z, b.ch, b.ch.localSpec())
	requireWhole(z, b.ch, b.ch.remoteSpec())
	requireWhole(z, b.ch, b.ch.spec(false, remoteHeld))
	seen := map[htlc.Ref]bool{}
	for _, o := range b.outcomes {
		require.False(z, seen[o.Ref], "told twice")
		seen[o.Ref] = true
	}
	if b.drop {
		z.w.disconnect()
	}
}
