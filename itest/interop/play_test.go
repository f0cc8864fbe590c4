package interop

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// play plays every scenario with an implementation, and logs the table of docs/interop.md.
//
// FULGUR_INTEROP_TABLE names a file to which the table is appended.
func play(t *testing.T, i Implementation) {
	res := &results{cells: map[string]map[string]string{}}
	t.Cleanup(func() { res.tell(t) })
	part := func(name string, play func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			if i.Parallel {
				t.Parallel()
			}
			play(t)
		})
	}
	for _, typ := range i.Types {
		for _, weOpen := range []bool{true, false} {
			role := "we open"
			if !weOpen {
				role = i.Name + " opens"
			}
			part(fmt.Sprintf("%s/%s", typ, role), func(t *testing.T) { playPair(t, i, res, typ, weOpen) })
		}
		part(fmt.Sprintf("%s/we forward", typ), func(t *testing.T) { playMiddle(t, i, res, typ, true) })
		part(fmt.Sprintf("%s/%s forwards", typ, i.Name), func(t *testing.T) { playMiddle(t, i, res, typ, false) })
	}
}

// playPair plays what two nodes do with each other, one scenario after the other on the
// same nodes.
func playPair(t *testing.T, i Implementation, res *results, typ ChannelType, weOpen bool) {
	m := newMeeting(t)
	s := Setup{Type: typ, Delay: 12}
	we := m.join(ours(m.w, "ours", s))
	them := m.join(i.Start(m.w, i.Name, s))
	res.met(we, them)
	p := &pair{meeting: m, ours: we, theirs: them, a: we, b: them, typ: typ}
	role := "we open"
	if !weOpen {
		p.a, p.b, role = them, we, i.Name+" opens"
	}
	for _, sc := range pairScenarios {
		lacks := missing(them, sc.needs)
		if !weOpen && lacks == "" {
			lacks = missing(them, sc.opener)
		}
		playOne(t, m, res, string(typ)+", "+role, sc.name, lacks, func() { sc.play(p) })
	}
}

// playMiddle plays what three nodes do: two of one program, with the other between them.
func playMiddle(t *testing.T, i Implementation, res *results, typ ChannelType, weForward bool) {
	m := newMeeting(t)
	s := Setup{Type: typ, Delay: 12}
	start := func(own bool, name string) Peer {
		if own {
			return m.join(ours(m.w, name, s))
		}
		return m.join(i.Start(m.w, name, s))
	}
	l := &line{meeting: m, typ: typ, weForward: weForward}
	l.x, l.mid, l.y = start(!weForward, "x"), start(weForward, "mid"), start(!weForward, "y")
	res.met(l.mid, l.x)
	role, foreign := "we forward", l.x
	if !weForward {
		role, foreign = i.Name+" forwards", l.mid
	}
	for _, sc := range lineScenarios {
		needs := sc.ends
		if !weForward {
			needs = sc.middle
		}
		playOne(t, m, res, string(typ)+", "+role, sc.name, missing(foreign, needs), func() { sc.play(l) })
	}
}

// playOne plays one scenario and notes what came of it.
func playOne(t *testing.T, m *meeting, res *results, cell, name, lacks string, play func()) {
	if lacks != "" {
		res.note(name, cell, "not offered")
		return
	}
	outer := m.t
	defer func() { m.t = outer }()
	ran := false
	good := t.Run(name, func(t *testing.T) {
		m.t, ran = t, true
		play()
	})
	switch {
	case !ran: // not asked for
	case good:
		res.note(name, cell, "yes")
	default:
		res.note(name, cell, "NO")
	}
}

// missing is an ability that a node lacks; empty: none.
func missing(p Peer, needs []Ability) string {
	for _, a := range needs {
		if !p.Offers(a) {
			return string(a)
		}
	}
	return ""
}

// results is what came of each scenario, for the table.
type results struct {
	mu       sync.Mutex
	versions []string
	names    []string // of scenarios, in their order
	columns  []string
	cells    map[string]map[string]string
}

func (r *results) met(peers ...Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range peers {
		if !slices.Contains(r.versions, p.Version()) {
			r.versions = append(r.versions, p.Version())
		}
	}
}

func (r *results) note(name, cell, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells[name] == nil {
		r.cells[name] = map[string]string{}
		r.names = append(r.names, name)
	}
	if !slices.Contains(r.columns, cell) {
		r.columns = append(r.columns, cell)
	}
	r.cells[name][cell] = what
}

// tell logs the table.
func (r *results) tell(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n| what | %s |\n|---|%s\n", strings.Join(r.versions, ", "), strings.Join(r.columns, " | "), strings.Repeat("---|", len(r.columns)))
	for _, name := range r.names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, c := range r.columns {
			fmt.Fprintf(&b, " %s |", r.cells[name][c])
		}
		b.WriteString("\n")
	}
	t.Log(b.String())
	path := os.Getenv("FULGUR_INTEROP_TABLE")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	fmt.Fprintln(f, b.String())
}
