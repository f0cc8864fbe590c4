package channel

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// phases make b stand at every place that a channel can stand at.
var phases = []struct {
	name string
	make func(w *world)
}{
	{"new", func(w *world) { w.up = true; w.b.ch = New(w.b.cfg, w.b.crypto, 1, w.a.ring.NodeID()) }},
	{"asked", func(w *world) { w.ask(usual); w.a, w.b = w.b, w.a }},
	{"accepted", func(w *world) { w.ask(usual); w.b.deliver(1) }},
	{"funding", func(w *world) { w.ask(usual); w.b.deliver(1); w.a.deliver(1); w.a, w.b = w.b, w.a }},
	{"await-ready", func(w *world) { w.ask(usual); w.settle() }},
	{"ready-sent", func(w *world) { w.ask(usual); w.settle(); w.confirm(5); w.blocks(2) }},
	{"open", func(w *world) { w.open(usual) }},
	{"open-funder", func(w *world) { w.open(usual); w.a, w.b = w.b, w.a }},
	{"htlcs", func(w *world) { w.open(usual); w.a.add(9e7, 1); w.b.add(8e7, 2); w.settle() }},
	{"half-signed", func(w *world) { w.open(usual); w.a.add(9e7, 1); w.b.add(8e7, 2); w.b.step(Flush{}) }},
	{"removing", func(w *world) { w.open(usual); w.a.add(9e7, 1); w.settle(); w.b.fulfill(0, 1); w.b.step(Flush{}) }},
	{"offline", func(w *world) { w.open(usual); w.disconnect() }},
	{"greeting", func(w *world) { w.open(usual); w.disconnect(); w.connect(); w.b.inbox = nil }},
	{"shutting-down", func(w *world) { w.open(usual); w.a.add(9e7, 1); w.settle(); w.a.step(CloseAsked{}); w.settle() }},
	{"negotiating", func(w *world) {
		w.open(usual)
		w.b.step(CloseAsked{})
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		w.b.deliver(1)
	}},
	{"zero-conf", func(w *world) {
		w.a.alias, w.b.alias, w.b.trusts = aliasOfA, aliasOfB, true
		w.ask(zeroConf())
		w.settle()
		w.a.add(9e7, 1)
		w.settle()
	}},
	{"silent", func(w *world) {
		w.open(usual)
		w.a.add(9e7, 1)
		w.settle()
		w.b.step(QuiesceAsked{})
		w.b.step(Flush{})
	}},
	{"quiescent", func(w *world) { w.open(usual); w.a.step(QuiesceAsked{}); w.settle() }},
	{"offered-simply", func(w *world) {
		simply(w)
		w.open(usual)
		w.b.step(CloseAsked{FeeRate: 1000})
		w.b.step(Flush{})
		w.a.deliver(-1)
		w.a.step(Flush{})
		w.b.deliver(-1)
		w.b.step(Flush{})
	}},
	{"closed-simply", func(w *world) { simply(w); w.open(usual); w.a.step(CloseAsked{FeeRate: 1000}); w.settle() }},
	{"mutual-close", func(w *world) { w.open(usual); w.a.step(CloseAsked{}); w.settle() }},
	{"failed", func(w *world) { w.open(usual); w.b.step(CloseAsked{Force: true}) }},
	{"closing", func(w *world) {
		w.open(usual)
		w.b.step(CloseAsked{Force: true})
		tx := w.b.published[len(w.b.published)-1]
		w.b.step(Spent{OutPoint: w.b.ch.core.Funding, Tx: tx, At: w.tip})
	}},
	{"closed", func(w *world) { w.ask(usual); w.b.deliver(1); w.disconnect() }},
}

// stand makes b stand at such a place. How it came there is watched by other tests.
func stand(t *testing.T, make func(w *world)) *world {
	w := newWorld(t)
	w.a.quietLaw, w.b.quietLaw = true, true
	make(w)
	w.b.quietLaw = false
	w.b.restore(w.b.rows)
	return w
}

// simply makes both sides know the simple close.
func simply(w *world) {
	for _, n := range w.nodes() {
		n.features = n.features.With(lnwire.SimpleCloseOptional)
	}
}

// messages are all messages of a channel, and some that belong to none.
func messages() []lnwire.Message {
	types := lnwire.NewFeatures(lnwire.StaticRemoteKeyRequired)
	return []lnwire.Message{
		&lnwire.OpenChannel{ChannelType: &types}, &lnwire.AcceptChannel{ChannelType: &types}, &lnwire.FundingCreated{}, &lnwire.FundingSigned{},
		&lnwire.ChannelReady{}, &lnwire.AnnouncementSignatures{}, &lnwire.UpdateAddHTLC{}, &lnwire.UpdateFulfillHTLC{},
		&lnwire.UpdateFailHTLC{}, &lnwire.UpdateFailMalformedHTLC{}, &lnwire.UpdateFee{}, &lnwire.CommitmentSigned{},
		&lnwire.RevokeAndAck{}, &lnwire.ChannelReestablish{}, &lnwire.Shutdown{}, &lnwire.ClosingSigned{}, &lnwire.Stfu{},
		&lnwire.ClosingComplete{}, &lnwire.ClosingSig{},
		&lnwire.Error{}, &lnwire.Warning{}, &lnwire.Init{}, &lnwire.Ping{}, &lnwire.ChannelUpdate{}, &lnwire.Unknown{MsgType: 32769},
	}
}

// paint fills every field of a message: with zeros, ones, or the smallest numbers.
func paint(m lnwire.Message, how byte) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		paintValue(v.Field(i), how)
	}
}

func paintValue(v reflect.Value, how byte) {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n := uint64(how)
		if how == 0xff {
			n = ^uint64(0) >> (64 - v.Type().Bits())
		}
		v.SetUint(n)
	case reflect.Array:
		for i := range v.Len() {
			paintValue(v.Index(i), how)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 && how != 0 {
			v.SetBytes([]byte{how, how, how, how})
		}
	case reflect.Pointer:
		if how == 0 || v.Type().Elem().Kind() == reflect.Slice {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		paintValue(v.Elem(), how)
	case reflect.Struct:
		for i := range v.NumField() {
			paintValue(v.Field(i), how)
		}
	}
}

// name writes the channel's id into a message.
func name(m lnwire.Message, id lnwire.ChannelID) {
	for _, field := range []string{"ChannelID", "TemporaryChannelID"} {
		if f := reflect.ValueOf(m).Elem().FieldByName(field); f.IsValid() {
			f.Set(reflect.ValueOf(id))
		}
	}
}

// TestEveryMessageEverywhere: in every state every message has a defined outcome:
// no panic, what is stored is the machine, and whatever is not taken is answered
// with a warning, an error or an end (V-42, V-58).
func TestEveryMessageEverywhere(t *testing.T) {
	for _, p := range phases {
		for i := range messages() {
			for _, how := range []byte{0, 1, 0xff} {
				w := stand(t, p.make)
				b := w.b
				m := messages()[i]
				paint(m, how)
				name(m, b.ch.id())
				before := b.ch.core
				ev := Received{Msg: m, Features: everything, At: w.tip}
				if _, ok := m.(*lnwire.UpdateAddHTLC); ok {
					ev.Opened = &htlc.Opened{}
				}
				what := fmt.Sprintf("%s, %T, %#x", p.name, m, how)
				b.step(ev)
				b.step(Flush{})
				b.step(ev) // and again
				b.step(Flush{})
				require.Equal(t, before.LocalN, b.ch.core.LocalN, what)
				require.Equal(t, before.RemoteRevoked, b.ch.core.RemoteRevoked, what)
				require.Equal(t, before.Ours, b.ch.core.Ours, what)
				require.Equal(t, before.CloseTx == nil, b.ch.core.CloseTx == nil, what)
				require.Equal(t, before.PeerCloseTx == nil, b.ch.core.PeerCloseTx == nil, what)
			}
		}
	}
}

// TestMessagesAreComplete: every message of the wire that names a channel is in messages.
func TestMessagesAreComplete(t *testing.T) {
	have := map[lnwire.MsgType]bool{}
	for _, m := range messages() {
		have[m.Type()] = true
	}
	for n := range 1 << 16 {
		raw := make([]byte, 2000)
		raw[0], raw[1] = byte(n>>8), byte(n)
		m, err := lnwire.Unmarshal(raw)
		if err != nil { // zeros are too little for it: all that name a channel are longer lived
			continue
		}
		if _, ok := m.(lnwire.ChannelMessage); ok {
			require.True(t, have[m.Type()], "%T", m)
		}
	}
}

// recorded are messages as two honest nodes exchange them over a life, from either side.
func recorded(t *testing.T) (list []lnwire.Message) {
	for _, both := range []bool{false, true} {
		w := newWorld(t)
		if both {
			simply(w)
		}
		w.tap = func(m lnwire.Message) { list = append(list, m) }
		w.open(usual)
		w.blocks(6)
		w.settle()
		w.a.add(9e7, 1)
		w.b.add(8e7, 2)
		w.settle()
		w.b.fulfill(0, 1)
		w.a.fail(0)
		w.a.step(FeeRate{Rate: 4000})
		w.settle()
		w.b.step(QuiesceAsked{})
		w.settle()
		w.disconnect()
		w.connect()
		w.settle()
		w.a.add(7e7, 3)
		w.settle()
		w.b.step(Resolve{Ref: w.b.incoming(1), Resolution: htlc.Resolution{Kind: htlc.Malformed, Code: badOnion}})
		w.a.step(CloseAsked{FeeRate: 1000})
		w.settle()
	}
	return list
}

// TestHonestMessagesEverywhere: V-42, V-58: the same for messages as an honest peer says
// them, valid signatures included, in every state, once and again: what is not taken is
// answered, and what is stored is the machine.
func TestHonestMessagesEverywhere(t *testing.T) {
	seen := map[lnwire.MsgType]int{}
	for _, m := range recorded(t) {
		raw, err := lnwire.Marshal(m)
		require.NoError(t, err)
		if seen[m.Type()]++; seen[m.Type()] > 2 {
			continue
		}
		for _, p := range phases {
			w := stand(t, p.make)
			b := w.b
			m, err := lnwire.Unmarshal(raw)
			require.NoError(t, err)
			name(m, b.ch.id())
			what := fmt.Sprintf("%s, %T", p.name, m)
			was, broken := b.outline(), b.ch.conn.broken
			ev := Received{Msg: m, Features: everything, At: w.tip}
			if _, ok := m.(*lnwire.UpdateAddHTLC); ok {
				ev.Opened = &htlc.Opened{}
			}
			fx := b.step(ev)
			fx.Append(b.step(Flush{}))
			heard := broken || fx.leaves() || !fx.Delta.Empty() || fx.Over || fx.Link != nil || was != b.outline()
			require.True(t, heard || repeats(m), what)
			if b.ch.Phase() != Closed {
				b.step(ev)
				b.step(Flush{})
			}
		}
	}
}

// outline is what a message may have changed without a word.
func (n *node) outline() string {
	c := n.ch
	s := fmt.Sprint(c.core.Phase, c.fee, len(c.in), len(c.out), c.conn.quiet, c.conn.shutGot, c.conn.annOwed, c.conn.greeting != nil, len(c.conn.held))
	c.each(func(e *entry) { s += fmt.Sprint(e.State) })
	if c.opening != nil {
		s += fmt.Sprint(c.opening.step)
	}
	return s
}

// repeats: the message may say what is known already, which needs no answer.
func repeats(m lnwire.Message) bool {
	switch m.(type) {
	case *lnwire.ChannelReady, *lnwire.AnnouncementSignatures, *lnwire.Shutdown:
		return true
	}
	return false
}

// TestEveryEventEverywhere: the same for what the node itself may say.
func TestEveryEventEverywhere(t *testing.T) {
	for _, p := range phases {
		for i := range 25 {
			w := stand(t, p.make)
			b := w.b
			tx := w.a.fundingLike()
			events := []Event{
				OpenAsked{}, Connected{Features: everything}, Disconnected{}, AddHTLC{Amount: 1000, Expiry: 200}, Resolve{Ref: b.incoming(0)},
				Resolve{Ref: b.incoming(7), Resolution: htlc.Resolution{Kind: htlc.Failed}}, Flush{}, Tick{Mono: 1}, Tick{Mono: 1 << 60},
				Block{At: blockRef(1)}, Block{At: blockRef(5000)}, Confirmed{}, Confirmed{Tx: tx, At: blockRef(9)}, Unconfirmed{},
				Spent{}, Spent{OutPoint: b.ch.core.Funding, Tx: tx}, FeeRate{Rate: 1}, FeeRate{Rate: ^lnwire.SatPerKW(0)},
				PolicySet{Policy: Policy{FeeBase: 1}}, CloseAsked{}, CloseAsked{FeeRate: 9999}, CloseAsked{Force: true}, QuiesceAsked{}, Answered{ID: 1, Answer: Funded{Tx: tx}}, Resumed{},
			}
			b.step(events[i])
			b.step(Flush{})
			b.step(Loaded{})
			b.step(Answered{ID: 2, Answer: Accepted{}})
			b.step(events[i])
			b.step(Flush{})
		}
	}
}
