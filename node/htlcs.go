package node

import (
	"errors"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/channeldb"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
)

// signed tells the switch, for its subscribers, which outgoing HTLCs a turn has signed
// for: they have their numbers from here on.
func (n *Node) signed(e *entry, rows []htlc.HTLC) {
	if !n.HTLCs.Watched() {
		return
	}
	for i := range rows {
		if h := &rows[i]; h.Ref.Dir == htlc.Outgoing && h.State == htlc.SentAddCommit {
			n.toSwitch(&e.pen, forward.Signed{Ref: h.Ref, Origin: h.Origin})
		}
	}
}

// notReceived tells subscribers of HTLCs for us that the invoices did not take, or gave
// back. Of one that has just come, what it brought is told, too.
func (n *Node) notReceived(ev invoice.Event, answers []invoice.Resolve) {
	if len(answers) == 0 || !n.HTLCs.Watched() {
		return
	}
	arrived, _ := ev.(invoice.Arrived)
	for _, a := range answers {
		if a.Resolution.Kind != htlc.Failed {
			continue
		}
		t := forward.Notice{Kind: forward.RefusedHere, In: a.Ref, InSCID: n.scidOf(a.Ref.ChanNum), Received: true, Code: a.Code, Detail: a.Detail, Text: a.Why}
		if l := &arrived.HTLC; l.HTLC.Ref == a.Ref {
			t.AmountIn, t.ExpiryIn = l.HTLC.Amount, l.HTLC.Expiry
		}
		n.HTLCs.Publish(t)
	}
}

// finished tells subscribers of incoming HTLCs that came to their end.
func (n *Node) finished(list []channel.Finish) {
	for _, f := range list {
		n.HTLCs.Publish(forward.Notice{
			Kind: forward.Finished, In: f.Ref, InSCID: n.scidOf(f.Ref.ChanNum), Settled: f.Settled, OnChain: f.OnChain,
		})
	}
}

// keepResolutions has the ends of incoming HTLCs written with what ended them, if the
// operator wants to be able to look them up.
func (n *Node) keepResolutions(d *channel.Delta) {
	if !n.cfg.StoreResolutions || len(d.Finished) == 0 {
		return
	}
	var b channeldb.Batch
	for _, f := range d.Finished {
		b.Resolutions = append(b.Resolutions, channeldb.Resolution{
			SCID: n.scidOf(f.Ref.ChanNum), ID: f.Ref.ID, Settled: f.Settled, OnChain: f.OnChain,
		})
	}
	d.Riders = append(d.Riders, channeldb.Riders(b)...)
}

// Errors of Resolution.
var (
	ErrNotStored   = errors.New("cannot lookup with flag --store-final-htlc-resolutions=false")
	ErrUnknownHTLC = errors.New("htlc unknown")
)

// StoresResolutions reports that ends of incoming HTLCs are kept.
func (n *Node) StoresResolutions() bool { return n.cfg.StoreResolutions }

// RequiresInterceptor reports that nothing is forwarded without an interceptor.
func (n *Node) RequiresInterceptor() bool { return n.cfg.RequireInterceptor }

// Resolution is how an incoming HTLC ended: ErrUnknownHTLC if it has not, or if ends were
// not kept then.
func (n *Node) Resolution(scid lnwire.ShortChannelID, id uint64) (settled, onChain bool, err error) {
	if !n.cfg.StoreResolutions {
		return false, false, ErrNotStored
	}
	r, ok, err := n.db.Resolution(scid, id)
	if err == nil && !ok {
		err = ErrUnknownHTLC
	}
	return r.Settled, r.OnChain, err
}

// scidOf is the id of a channel as the operator knows it; 0 when it has none.
func (n *Node) scidOf(num uint64) lnwire.ShortChannelID {
	if e := n.channels.num(num); e != nil {
		return e.called()
	}
	return 0
}
