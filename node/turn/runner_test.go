package turn

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// scripted answers each event with a message that names it, and panics on demand.
type scripted struct{ log *[]string }

func (m scripted) Step(ev channel.Event) channel.Effects {
	*m.log = append(*m.log, fmt.Sprintf("%T", ev))
	switch ev := ev.(type) {
	case channel.PolicySet:
		panic("invariant")
	case channel.Tick:
		return channel.Effects{
			Delta: channel.Delta{ChanNum: 1, Core: &channel.Core{}}, LockedIn: []htlc.Locked{{}},
		}
	case channel.Disconnected:
		return channel.Effects{Refused: []htlc.Refusal{{ChanNum: 1, Origin: htlc.Attempt(1)}}}
	case channel.Resolve:
		return channel.Effects{Delta: channel.Delta{ChanNum: 1, Core: &channel.Core{}}}
	case channel.Received:
		if ev.Opened != nil {
			*m.log = append(*m.log, "opened")
		}
		return channel.Effects{
			Delta: channel.Delta{ChanNum: 1, Core: &channel.Core{}},
			Send:  [][]lnwire.Message{{ev.Msg}},
		}
	}
	return channel.Effects{}
}

// shell records the order of things and holds releases back until told.
type shell struct {
	log      []string
	releases []func()
	reload   error
	deliver  func()
	refused  *[]htlc.Refusal
	took     []htlc.Origin
}

func (s *shell) Commit(_ *channel.Delta, release func()) {
	s.log = append(s.log, "commit")
	s.releases = append(s.releases, release)
}
func (s *shell) Deliver(_ uint64, fx *channel.Effects) {
	s.log = append(s.log, "deliver")
	if s.refused != nil {
		*s.refused = append(*s.refused, fx.Refused...)
	}
	if s.deliver != nil {
		s.deliver()
	}
}
func (s *shell) Took(adds []htlc.Origin) { s.took = append(s.took, adds...) }
func (s *shell) Ended()                  { s.log = append(s.log, "ended") }
func (s *shell) Release(_ uint64, conn Conn, fx *channel.Effects) {
	s.log = append(s.log, fmt.Sprintf("release %d on %v", len(fx.Send), conn))
}
func (s *shell) Broken(uint64, string) (Machine, error) {
	s.log = append(s.log, "broken")
	return scripted{new([]string)}, s.reload
}

func inline(f func()) { f() }

func rcv() Item { return Item{Event: channel.Received{Msg: &lnwire.Ping{}}} }

// TestTurnStepsAllThenFlushesThenWritesOnce: V-28: what a turn says leaves behind its write.
func TestTurnStepsAllThenFlushesThenWritesOnce(t *testing.T) {
	var steps []string
	sh := &shell{}
	r := NewRunner(1, scripted{&steps}, sh, inline)
	r.turn([]Item{rcv(), rcv(), {Event: channel.Received{}, Opened: func() *htlc.Opened { return &htlc.Opened{} }}})
	require.Equal(t, []string{"channel.Received", "channel.Received", "channel.Received", "opened", "channel.Flush"}, steps)
	require.Equal(t, []string{"commit", "deliver", "ended"}, sh.log, "nothing left before the write")
	sh.releases[0]()
	require.Equal(t, "release 3 on <nil>", sh.log[3])
}

// TestAnswersThatComeBackAtOnceAreSignedWithTheRest: what a turn leads to is committed
// behind it and stepped before the machine signs; the store may write both at once.
func TestAnswersThatComeBackAtOnceAreSignedWithTheRest(t *testing.T) {
	var steps []string
	sh := &shell{}
	var later []func()
	r := NewRunner(1, scripted{&steps}, sh, func(f func()) { later = append(later, f) })
	sh.deliver = func() {
		sh.deliver = nil
		r.Inbox.Put(Item{Event: channel.Resolve{}})
	}
	r.Inbox.Put(Item{Event: channel.Tick{}})
	require.Len(t, later, 1)
	later[0]()
	require.Equal(t, []string{"channel.Tick", "channel.Resolve", "channel.Flush"}, steps)
	require.Equal(t, []string{"commit", "deliver", "commit", "deliver", "ended"}, sh.log)
	require.Len(t, later, 1, "no turn of its own")
}

func TestWhatWasSaidGoesOutOnTheConnectionOfThatTime(t *testing.T) {
	sh := &shell{}
	r := NewRunner(1, scripted{new([]string)}, sh, inline)
	r.turn([]Item{{Event: channel.Connected{}, Conn: "old"}, rcv(), {Event: channel.Disconnected{}}, {Event: channel.Connected{}, Conn: "new"}, rcv()})
	for _, f := range sh.releases {
		f()
	}
	require.Contains(t, sh.log, "release 1 on old")
	require.Contains(t, sh.log, "release 1 on new")
}

func TestLookIsAnsweredWhenWhatItSawIsDurable(t *testing.T) {
	sh := &shell{}
	r := NewRunner(1, scripted{new([]string)}, sh, inline)
	var got Machine
	answered := false
	r.turn([]Item{rcv(), {Look: func(m Machine) func() { got = m; return func() { answered = true } }}})
	require.NotNil(t, got)
	require.Len(t, sh.releases, 2)
	sh.releases[0]()
	require.False(t, answered)
	sh.releases[1]()
	require.True(t, answered)
}

func TestTheEndOfAnotherConnectionIsNone(t *testing.T) {
	var steps []string
	r := NewRunner(1, scripted{&steps}, &shell{}, inline)
	r.turn([]Item{{Event: channel.Connected{}, Conn: "new"}, {Event: channel.Disconnected{}, Conn: "old"}})
	require.Equal(t, []string{"channel.Connected", "channel.Flush"}, steps)
	require.Equal(t, "new", r.conn)
	r.turn([]Item{{Event: channel.Disconnected{}, Conn: "new"}})
	require.Equal(t, "channel.Disconnected", steps[2])
	require.Nil(t, r.conn)
	r.turn([]Item{{Event: channel.Connected{}, Conn: "next"}, {Event: channel.Disconnected{}}})
	require.Nil(t, r.conn)
}

func TestPanicOfALookIsTheMachines(t *testing.T) {
	sh := &shell{}
	r := NewRunner(1, scripted{new([]string)}, sh, inline)
	answered := false
	r.turn([]Item{
		{Look: func(Machine) func() { panic("invariant") }},
		{Look: func(Machine) func() { return func() { answered = true } }},
	})
	require.Equal(t, []string{"broken", "commit", "deliver", "commit", "ended"}, sh.log)
	sh.releases[1]()
	require.True(t, answered)
	require.False(t, r.quarantined)
}

// TestPanicIsAQuarantine: once from the durable state, then only the chain (law 7).
func TestPanicIsAQuarantine(t *testing.T) {
	sh := &shell{}
	r := NewRunner(1, scripted{new([]string)}, sh, inline)
	r.turn([]Item{rcv(), {Event: channel.PolicySet{}}})
	require.Equal(t, []string{"broken", "commit", "deliver", "ended"}, sh.log)
	sh.releases[0]()
	require.Equal(t, "release 0 on <nil>", sh.log[4], "what the broken turn said is dropped")
	require.False(t, r.quarantined)

	r.turn([]Item{{Event: channel.PolicySet{}}})
	require.True(t, r.quarantined)
	var steps []string
	r.machine = scripted{&steps}
	r.turn([]Item{rcv(), {Event: channel.Block{}}})
	require.Equal(t, []string{"channel.Block"}, steps)
}

// TestPanicGivesBackWhatWasAsked: HTLCs that go down with a machine's memory are refused,
// each once; in quarantine every new one is. The answer to an HTLC and the wish to close
// are heard even there: money depends on them.
func TestPanicGivesBackWhatWasAsked(t *testing.T) {
	var refused []htlc.Refusal
	sh := &shell{refused: &refused}
	var steps []string
	r := NewRunner(1, scripted{&steps}, sh, inline)
	add := func(id uint64) Item { return Item{Event: channel.AddHTLC{Origin: htlc.Attempt(id)}} }
	origins := func() (ids []uint64) {
		for _, f := range refused {
			require.Equal(t, uint64(1), f.ChanNum)
			ids = append(ids, f.Origin.AttemptID)
		}
		refused = nil
		return ids
	}
	r.turn([]Item{add(1)}) // the machine holds it: a Disconnected gives it back
	require.Empty(t, origins())
	r.turn([]Item{add(2), {Event: channel.PolicySet{}}, add(3)})
	require.Equal(t, []uint64{1, 2}, origins(), "the third is with the new machine")
	r.turn([]Item{add(4), {Event: channel.PolicySet{}}})
	require.True(t, r.quarantined)
	require.Equal(t, []uint64{1, 4}, origins())
	steps = nil
	r.machine = scripted{&steps}
	r.turn([]Item{add(5), {Event: channel.Resolve{}}, {Event: channel.CloseAsked{}}, rcv()})
	require.Equal(t, []uint64{5}, origins())
	require.Equal(t, []string{"channel.Resolve", "channel.CloseAsked"}, steps)
}

func TestNoDurableStateIsAQuarantineAtOnce(t *testing.T) {
	sh := &shell{reload: errors.New("no rows")}
	r := NewRunner(1, scripted{new([]string)}, sh, inline)
	r.turn([]Item{{Event: channel.PolicySet{}}})
	require.True(t, r.quarantined)
}
