package channeldb

import (
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// scores adds what was learned of pairs of nodes.
func (o *ops) scores(b *Batch) {
	if b.ForgetScores {
		o.start(inScores, forget)
		o.bare()
	}
	for i := range b.Scores {
		p := &b.Scores[i]
		o.start(inScores, put)
		o.bytes(p.From[:])
		o.bytes(p.To[:])
		o.row(1)
		o.time(0, p.SuccessAt)
		o.num(2, uint64(p.Success))
		o.time(4, p.FailAt)
		o.num(6, uint64(p.Fail))
		o.end()
	}
}

func decodeScore(key, row []byte) (p routing.PairHistory, err error) {
	if len(key) != 66 {
		return p, badKey(inScores, key)
	}
	p.From, p.To = lnwire.PubKey(key[:33]), lnwire.PubKey(key[33:])
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			p.SuccessAt = d.time()
		case 2:
			p.Success = lnwire.MilliSat(d.u64())
		case 4:
			p.FailAt = d.time()
		case 6:
			p.Fail = lnwire.MilliSat(d.u64())
		default:
			d.unknown()
		}
	}
	return p, d.end("pair history")
}

// Scores reads what was learned of all pairs of nodes.
func (db *DB) Scores() ([]routing.PairHistory, error) { return list(db, inScores, decodeScore) }
