package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// Plan is what a schedule consists of beyond the order that its seed chooses. It follows
// from the seed too, unless it was shrunk.
type Plan struct {
	Seed      uint64
	Verbose   bool `json:"-"`
	Measure   bool `json:"-"` // of the trade alone: Result.Extent
	Shape     Shape
	Deals     []Deal
	Accidents []Accident
	// How slow things are against each other, of 16: what the nodes hear, what they do,
	// and their disks.
	Slow, SlowNode [3]int
	SlowDisk       int
	// Hostile is a node whose channels may be ended with any commitment that it ever
	// could publish, the revoked ones too; -1: there is none.
	Hostile int
}

// ends: channels may be ended, for good reasons.
func (p *Plan) ends() bool {
	for _, a := range p.Accidents {
		if a.Kind >= ForceClose && a.Kind <= Cheat {
			return true
		}
	}
	return false
}

// opens: channels may be opened.
func (p *Plan) opens() bool {
	return slices.ContainsFunc(p.Accidents, func(a Accident) bool { return a.Kind == Open })
}

// moves: coins may go from one wallet to another, or come from elsewhere.
func (p *Plan) moves() bool {
	return slices.ContainsFunc(p.Accidents, func(a Accident) bool { return a.Kind == Send || a.Kind == Lure })
}

// loose: what everybody has may change by fees.
func (p *Plan) loose() bool { return p.ends() || p.opens() || p.moves() }

// Shape says which nodes have channels with each other. Every channel is of a million
// satoshis, half on each side.
type Shape struct {
	Name  string
	Nodes int
	Chans [][2]int
}

var shapes = []Shape{
	{"pair", 2, [][2]int{{0, 1}}},
	{"line", 3, [][2]int{{0, 1}, {1, 2}}},
	{"ring", 3, [][2]int{{0, 1}, {1, 2}, {2, 0}}},
	{"diamond", 4, [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 3}}},
	{"twin", 2, [][2]int{{0, 1}, {0, 1}}},
	{"chain", 5, [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 4}}},
	{"tree", 6, [][2]int{{0, 1}, {1, 2}, {2, 3}, {1, 4}, {2, 5}}},
}

// Deal is a payment that somebody tries to make.
type Deal struct {
	From, To int
	Amount   lnwire.MilliSat
	At       int // the step from which on it begins
	Hold     int // 0: an ordinary invoice; 1: held and then settled, 2: held and then given up
	Parts    int // how many parts it may have
	Again    int // how often it is tried
	Of       int // if not 0: the invoice is that of deal Of-1, paid a second time
	Wait     time.Duration
}

// AccidentKind says what goes wrong.
type AccidentKind int

// The accidents. The first three come with the At-th write of a node, CutAt with the At-th
// message of an edge, counted from the beginning of the trade, the others at step At.
const (
	CrashBefore AccidentKind = iota + 1 // the process is lost before the write
	CrashAfter                          // .. after it, before anything that waited for it
	CrashTorn                           // .. in the midst of it
	WriteFails                          // .. fails: the process ends, and stands for nothing any more
	SyncFails                           // .. fails, and is on the disk all the same
	CutAt                               // an edge loses its connection
	CrashNow
	Restart // stopped in order
	Cut
	Hole // .. in one direction, for a while
	Mine // a block is found
	Reorg
	Away  // the chain backend cannot be reached for a while
	Spike // fees rise for a while
	ForceClose
	Close
	Bar     // an edge is cut for many blocks
	Cheat   // the hostile node publishes a commitment
	Open    // another channel is opened
	Full    // a disk has no room left for new work, for a while
	Send    // coins go from one wallet to another
	SetBack // the chain backend reads the last blocks again
	Lure    // a stranger sends coins to a wallet, and often takes them back before they are mined
)

var accidentNames = [...]string{
	CrashBefore: "crash before write", CrashAfter: "crash after write", CrashTorn: "torn write", CutAt: "cut at message", CrashNow: "crash",
	Restart: "restart", Cut: "cut", Hole: "hole", Mine: "block", Reorg: "reorg", Away: "chain away", Spike: "fee spike",
	WriteFails: "write fails", SyncFails: "sync fails", Full: "disk full",
	SetBack: "set back", Send: "coins sent", Lure: "coins lured with",
	ForceClose: "force close", Close: "close", Bar: "barred", Cheat: "cheat", Open: "open",
}

func (k AccidentKind) String() string { return accidentNames[k] }

// MarshalText is the name: kept plans outlive the order of the kinds.
func (k AccidentKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText finds a kind by its name.
func (k *AccidentKind) UnmarshalText(b []byte) error {
	i := slices.Index(accidentNames[:], string(b))
	if i <= 0 {
		return fmt.Errorf("accident %q is unknown", b)
	}
	*k = AccidentKind(i)
	return nil
}

func (k AccidentKind) atWrite() bool { return k <= SyncFails }

func (k AccidentKind) atStep() bool { return k > CutAt }

// Accident is something that goes wrong, once.
type Accident struct {
	Kind  AccidentKind
	At    int
	Node  int
	Edge  int    // Cut, Hole: of the shape's edges; ForceClose, Close: of its channels
	First [2]int // Cut: messages under way that still arrive
	Depth int    // Reorg
	Down  time.Duration
}

func (a *Accident) String() string {
	return fmt.Sprintf("%v{at %d, node %d, edge %d, %v, depth %d, %v}", a.Kind, a.At, a.Node, a.Edge, a.First, a.Depth, a.Down)
}

// accident is one in a world.
type accident struct {
	Accident
	over bool
}

// PlanOf draws the plan of a seed.
func PlanOf(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 3))
	p := Plan{Seed: seed, Hostile: -1, Shape: shapes[draw(r, 20, 30, 15, 12, 12, 6, 5)]}
	for range 1 + r.IntN(5) {
		p.Deals = append(p.Deals, drawDeal(r, &p))
	}
	if r.IntN(10) == 0 {
		drawRivals(r, &p)
	}
	for range draw(r, 5, 30, 30, 20, 10, 5) {
		p.Accidents = append(p.Accidents, drawAccident(r, &p))
	}
	drawEnds(r, &p)
	for i := range p.Slow {
		p.Slow[i] = slowness(r)
		p.SlowNode[i] = slowness(r)
	}
	p.SlowDisk = slowness(r)
	drawMoves(r, &p)
	drawSetBacks(r, &p)
	return p
}

// drawMoves lets coins move in every eighth schedule.
func drawMoves(r *rand.Rand, p *Plan) {
	if r.IntN(8) != 0 {
		return
	}
	for range 1 + r.IntN(3) {
		a := drawAccident(r, p)
		a.Kind, a.At = []AccidentKind{Send, Lure}[r.IntN(2)], r.IntN(p.span())
		p.Accidents = append(p.Accidents, a)
	}
}

// drawSetBacks has backends read their chain again in every eighth schedule.
func drawSetBacks(r *rand.Rand, p *Plan) {
	if r.IntN(8) != 0 {
		return
	}
	for range 1 + r.IntN(2) {
		a := drawAccident(r, p)
		a.Kind, a.At = SetBack, r.IntN(p.span())
		p.Accidents = append(p.Accidents, a)
	}
}

// drawEnds makes every fifth schedule one in which channels end.
func drawEnds(r *rand.Rand, p *Plan) {
	if r.IntN(10) == 0 {
		for range 1 + r.IntN(2) {
			a := drawAccident(r, p)
			a.Kind, a.At = Open, r.IntN(p.span()/2)
			p.Accidents = append(p.Accidents, a)
		}
	}
	if r.IntN(5) != 0 {
		return
	}
	for i := range p.Deals { // what is hardly worth its fee
		if d := &p.Deals[i]; d.Of == 0 && r.IntN(4) == 0 {
			d.Amount = lnwire.MilliSat(330_000 + r.Int64N(900_000))
		}
	}
	for i := range p.Deals {
		if d := &p.Deals[i]; d.Of != 0 {
			d.Amount = p.Deals[d.Of-1].Amount
		}
	}
	for range 1 + r.IntN(2) {
		a := drawAccident(r, p)
		a.At = r.IntN(p.span())
		a.Kind = []AccidentKind{ForceClose, Close, Bar, Cheat}[draw(r, 40, 20, 15, 25)]
		if a.Kind == Cheat {
			p.Hostile = r.IntN(p.Shape.Nodes)
		}
		p.Accidents = append(p.Accidents, a)
	}
}

// draw gives an index, by weights of 100 in all.
func draw(r *rand.Rand, weights ...int) int {
	n := r.IntN(100)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

func slowness(r *rand.Rand) int { return []int{0, 0, 0, 8, 14, 16}[r.IntN(6)] }

// span is how many steps the accidents and the beginnings of deals are spread over.
func (p *Plan) span() int { return 40 * p.Shape.Nodes * (2 + len(p.Deals)) }

func drawDeal(r *rand.Rand, p *Plan) Deal {
	from := r.IntN(p.Shape.Nodes)
	d := Deal{From: from, To: (from + 1 + r.IntN(p.Shape.Nodes-1)) % p.Shape.Nodes, Again: r.IntN(3), Parts: 1}
	d.At = r.IntN(30 * p.Shape.Nodes * (1 + len(p.Deals)))
	switch draw(r, 15, 50, 25, 10) {
	case 0: // dust
		d.Amount = lnwire.MilliSat(1 + r.Int64N(400_000))
	case 1:
		d.Amount = lnwire.MilliSat(400_000 + r.Int64N(40_000_000))
	case 2:
		d.Amount = lnwire.MilliSat(100_000_000 + r.Int64N(100_000_000))
	case 3: // more than one channel may have
		d.Amount, d.Parts = lnwire.MilliSat(300_000_000+r.Int64N(400_000_000)), 4
	}
	d.Hold = draw(r, 70, 15, 15)
	d.Wait = time.Duration(r.IntN(5)) * time.Second
	if n := len(p.Deals); n > 0 && r.IntN(8) == 0 {
		d.Of = 1 + r.IntN(n)
		d.To, d.Amount = p.Deals[d.Of-1].To, p.Deals[d.Of-1].Amount
		if d.From == d.To {
			d.From = p.Deals[d.Of-1].From
		}
		if p.Deals[d.Of-1].Of != 0 {
			d.Of = p.Deals[d.Of-1].Of
		}
	}
	return d
}

// drawRivals has the invoice of one deal paid by several others, at about the same time.
func drawRivals(r *rand.Rand, p *Plan) {
	of := r.IntN(len(p.Deals))
	root := p.Deals[of]
	if root.Of != 0 {
		return
	}
	for range 2 + r.IntN(3) {
		d := root
		d.Of, d.Hold, d.At = of+1, 0, root.At+r.IntN(20)
		d.From = (root.To + 1 + r.IntN(p.Shape.Nodes-1)) % p.Shape.Nodes
		p.Deals = append(p.Deals, d)
	}
}

func drawAccident(r *rand.Rand, p *Plan) Accident {
	kinds := []AccidentKind{CrashBefore, CrashAfter, CrashTorn, CrashNow, Restart, Cut, Hole, Mine, Reorg, Away, Spike, WriteFails, SyncFails, Full}
	a := Accident{
		Kind: kinds[draw(r, 15, 15, 6, 9, 6, 20, 4, 6, 3, 3, 2, 4, 4, 3)], Node: r.IntN(p.Shape.Nodes), Edge: r.IntN(len(p.Shape.Chans)),
		First: [2]int{r.IntN(4), r.IntN(4)}, Depth: 1 + r.IntN(6), At: r.IntN(p.span()),
	}
	if a.Kind == Cut && r.IntN(2) == 0 {
		a.Kind, a.At = CutAt, 1+r.IntN(10*(1+len(p.Deals)))
	}
	if a.Kind.atWrite() {
		a.At = 1 + r.IntN(8*(1+len(p.Deals)))
	}
	if r.IntN(3) == 0 {
		a.Down = time.Duration(r.IntN(20_000)) * time.Millisecond
	}
	return a
}
