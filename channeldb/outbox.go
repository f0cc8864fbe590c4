package channeldb

import (
	"encoding/binary"
	"fmt"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// Keys of the outbox: what an outcome waits for.
const (
	forAttempt byte = iota + 1 // + id: our own payment
	forForward                 // + incoming ref: the channel that it came in by
	answerTo                   // + incoming ref: likewise; the answer of an invoice
)

func (o *ops) outboxKey(origin htlc.Origin) {
	switch origin.Kind {
	case htlc.FromAttempt:
		o.byte(forAttempt)
		o.u64(origin.AttemptID)
	case htlc.FromForward:
		o.byte(forForward)
		o.ref(origin.Ref)
	case htlc.NoOrigin:
		o.err = fmt.Errorf("write outbox: outcome without an origin")
	}
}

func (o *ops) outcome(out *htlc.Outcome) {
	o.start(inOutbox, put)
	o.outboxKey(out.Origin)
	o.row(1)
	o.refField(0, out.Ref)
	encodeOrigin(&o.enc, 2, out.Origin)
	o.num(4, uint64(out.Amount))
	encodeResolution(&o.enc, 6, &out.Resolution)
	o.end()
}

func decodeOutcome(row []byte) (out htlc.Outcome, err error) {
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			out.Ref = d.ref()
		case 2:
			out.Origin = decodeOrigin(&d)
		case 4:
			out.Amount = lnwire.MilliSat(d.u64())
		case 6:
			out.Resolution = decodeResolution(&d)
		default:
			d.unknown()
		}
	}
	return out, d.end("outcome")
}

func (o *ops) answer(a *invoice.Answer) {
	o.start(inOutbox, put)
	o.byte(answerTo)
	o.ref(a.Ref)
	o.row(1)
	encodeResolution(&o.enc, 0, &a.Resolution)
	o.end()
}

func decodeAnswer(ref htlc.Ref, row []byte) (invoice.Answer, error) {
	a := invoice.Answer{Ref: ref}
	d := read(row, 1)
	for d.next() {
		switch d.t {
		case 0:
			a.Resolution = decodeResolution(&d)
		default:
			d.unknown()
		}
	}
	return a, d.end("answer")
}

// outboxDone deletes whatever waited for the incoming HTLC ref.
func (o *ops) outboxDone(ref htlc.Ref) {
	for _, kind := range []byte{forForward, answerTo} {
		o.start(inOutbox, del)
		o.byte(kind)
		o.ref(ref)
		o.bare()
	}
}

// took deletes the outcome that waited for an attempt.
func (o *ops) took(attempt uint64) {
	o.start(inOutbox, del)
	o.byte(forAttempt)
	o.u64(attempt)
	o.bare()
}

// Outbox reads what was decided and not yet taken: the outcomes of outgoing HTLCs,
// and the answers of invoices to incoming ones.
func (db *DB) Outbox() (outcomes []htlc.Outcome, answers []invoice.Answer, err error) {
	err = db.scan(inOutbox, nil, func(key, row []byte) (bool, error) {
		switch {
		case key[0] == forAttempt, key[0] == forForward:
			out, err := decodeOutcome(row)
			outcomes = append(outcomes, out)
			return true, err
		case key[0] == answerTo && len(key) == 1+refLen:
			a, err := decodeAnswer(refOf(key[1:]), row)
			answers = append(answers, a)
			return true, err
		}
		return false, fmt.Errorf("read outbox: key %x is unknown: %w", key, ErrNewer)
	})
	return outcomes, answers, err
}

func number(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
