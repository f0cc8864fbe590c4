package scale

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// generator writes the history of a busy node, as the node's own machines would have
// written it: a year of it, whatever the number of rows.
type generator struct {
	rows  int
	begin time.Time
	rng   *rand.Rand
}

const (
	year       = 365 * 24 * time.Hour
	rowsAtOnce = 5_000
	// quiet is the channel over which hardly anything goes: one forward of rareEvery.
	quiet     = lnwire.ShortChannelID(1)
	rareEvery = 5_000
)

func newGenerator(rows int) *generator {
	return &generator{rows: rows, begin: time.Now().Add(-year).Truncate(time.Second), rng: rand.New(rand.NewPCG(1, 2))}
}

func (g *generator) at(i int) time.Time {
	return g.begin.Add(time.Duration(i) * (year / time.Duration(g.rows)).Truncate(time.Second)).UTC()
}

func (g *generator) bytes(p []byte) {
	for i := range p {
		p[i] = byte(g.rng.Uint32())
	}
}

func (g *generator) preimage(kind byte, i int) (p lnwire.Preimage, h lnwire.Hash) {
	p[0] = kind
	binary.BigEndian.PutUint64(p[1:], uint64(i))
	return p, sha256.Sum256(p[:])
}

// write fills the file of a node that is not running, and gives the size of the file
// after each kind of row.
func (g *generator) write(t testing.TB, path string, size func() int64) (payments, invoices, forwards int64) {
	var sizes [4]int64
	sizes[0] = size()
	for kind, one := range []func(*channeldb.Batch, int){g.payment, g.invoice, g.forward} {
		db, err := channeldb.Open(path, channeldb.Options{
			Genesis: *chaincfg.RegressionNetParams.GenesisHash, Fatal: func(err error) { t.Errorf("write rows: %v", err) },
		})
		require.NoError(t, err)
		for i := 0; i < g.rows; {
			var b channeldb.Batch
			for range min(rowsAtOnce, g.rows-i) {
				one(&b, i)
				i++
			}
			_, err := db.Write(b)
			require.NoError(t, err)
		}
		require.NoError(t, db.Close())
		sizes[kind+1] = size()
	}
	return sizes[1] - sizes[0], sizes[2] - sizes[1], sizes[3] - sizes[2]
}

// payment adds one over three hops; every tenth fails, every fifth needs two attempts.
func (g *generator) payment(b *channeldb.Batch, i int) {
	preimage, hash := g.preimage(1, i)
	amount := lnwire.MilliSat(1_000 + g.rng.IntN(1e9))
	p := &routing.Payment{
		Terms:  routing.Terms{Hash: hash, Amount: amount, FinalDelta: 80, Request: "lnbcrt" + strings.Repeat("q", 290), Secret: &lnwire.Secret{9}},
		Status: routing.Succeeded, CreatedAt: g.at(i), EndedAt: g.at(i).Add(time.Second), Preimage: preimage, Paid: amount, Fee: 2_000,
	}
	g.bytes(p.Terms.Payee[:])
	if i%10 == 3 {
		p.Status, p.Preimage, p.Paid, p.Fee, p.Reason = routing.Failed, lnwire.Preimage{}, 0, 0, routing.ReasonNoRoute
	}
	d := &routing.Delta{New: true, Payment: p}
	for n := range 1 + (i%5)/4 {
		a := routing.Attempt{
			ID: uint64(2*i + n + 1), Hash: hash, Number: uint32(n + 1), StartedAt: p.CreatedAt, EndedAt: p.EndedAt, Status: p.Status, Preimage: p.Preimage,
			Route: routing.Route{Amount: amount + 2_000, Expiry: 800_000},
		}
		g.bytes(a.SessionKey[:])
		for hop := range 3 {
			h := routing.Hop{SCID: lnwire.NewShortChannelID(700_000, uint32(hop+1), 0), Forward: amount, Expiry: 800_000, Fee: 1_000}
			g.bytes(h.Node[:])
			a.Route.Hops = append(a.Route.Hops, h)
		}
		d.Attempts = append(d.Attempts, a)
	}
	b.Payments = append(b.Payments, d)
}

// invoice adds one: two of three were paid, one of a thousand is open, the others ran out.
func (g *generator) invoice(b *channeldb.Batch, i int) {
	preimage, hash := g.preimage(2, i)
	inv := invoice.Invoice{
		Hash: hash, AddIndex: uint64(i + 1), Preimage: &preimage, Amount: lnwire.MilliSat(1_000 + g.rng.IntN(1e9)), FinalDelta: 80,
		Memo: "a cup of coffee", Request: "lnbcrt" + strings.Repeat("q", 290), CreatedAt: g.at(i), Expiry: time.Hour, State: invoice.Canceled,
		Features: []byte{0x02, 0x41, 0x00},
	}
	g.bytes(inv.Secret[:])
	d := &invoice.Delta{}
	switch {
	case i%1000 == 999:
		inv.State, inv.Expiry = invoice.Open, 10*year
	case i%3 != 0:
		inv.State, inv.SettleIndex, inv.SettledAt, inv.Paid = invoice.Settled, uint64(i-i/3), g.at(i).Add(time.Minute), inv.Amount
		inv.Parts = []invoice.Part{{
			Ref: htlc.Ref{ChanNum: 1, ID: uint64(i)}, SCID: lnwire.NewShortChannelID(700_000, 1, 0), State: invoice.Claimed, Amount: inv.Amount,
			Total: inv.Amount, Expiry: 800_100, Height: 800_000, AcceptedAt: inv.SettledAt, ResolvedAt: inv.SettledAt,
		}}
	}
	d.Invoices = append(d.Invoices, inv)
	d.Counters = &invoice.Counters{AddIndex: uint64(i + 1), SettleIndex: uint64(i)}
	b.Invoices = append(b.Invoices, d)
}

// forward adds one between two of fifty channels, now and then over the quiet one.
func (g *generator) forward(b *channeldb.Batch, i int) {
	id := func() lnwire.ShortChannelID { return lnwire.NewShortChannelID(700_000, uint32(1+g.rng.IntN(50)), 0) }
	r := forward.Record{
		In: htlc.Ref{ChanNum: 1, ID: uint64(i)}, Out: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing, ID: uint64(i)}, InSCID: id(), OutSCID: id(),
		AmountIn: 1_001_000, AmountOut: 1_000_000, LockedAt: g.at(i), SettledAt: g.at(i).Add(time.Second),
	}
	_, r.Hash = g.preimage(3, i)
	if i%rareEvery == rareEvery-1 {
		r.OutSCID = quiet
	}
	b.Forwards = append(b.Forwards, r)
}
