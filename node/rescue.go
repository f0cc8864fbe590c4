package node

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/wallet"
)

// Rescue explains every channel on its way out.
type Rescue struct {
	Height   lnwire.Height
	Warnings []string // what keeps all of them waiting
	Channels []Closing
}

// Closing is a channel on its way out.
type Closing struct {
	Funding  wire.OutPoint
	Peer     lnwire.PubKey
	Capacity lnwire.Sat
	State    string         // in one sentence
	Reason   string         // as told when it failed
	Txid     chainhash.Hash // that ends it, as far as known; zero: none
	Mined    lnwire.Height  // 0: not yet
	Limbo    lnwire.Sat     // not home, and can still be
	Home     lnwire.Sat
	HomeAt   lnwire.Height // all that can be foreseen is home by then; 0: that depends on others
	Steps    []ClosingStep
}

// ClosingStep is something that waits, or is done.
type ClosingStep struct {
	What     string
	Amount   lnwire.Sat
	WaitsFor string // in one sentence
	Until    lnwire.Height
	OutPoint wire.OutPoint  // zero: it is the closing transaction itself
	Txid     chainhash.Hash // that spends it now; zero: none
	Rate     lnwire.SatPerKW
	Budget   lnwire.Sat
	Deadline lnwire.Height
	Advice   string // what the operator can do; empty: nothing needs to be done
	Done     bool
}

// Rescue tells the state of every channel that is being closed; of one alone, if it is
// named, and then ErrNoChannel when it is none of them.
func (n *Node) Rescue(ctx context.Context, only *wire.OutPoint) (r Rescue, err error) {
	list, err := n.ListChannels(ctx)
	if err != nil {
		return r, err
	}
	r.Height = n.height()
	if state, _ := n.backend.State(); !state.Up {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the chain backend is away (%v): nothing is seen and nothing is published until it is back", state.Why))
	} else if state.Stale != "" {
		r.Warnings = append(r.Warnings, "the chain backend may not know the newest blocks: "+state.Stale)
	}
	x := explainer{tip: r.Height, sweeps: map[wire.OutPoint]wallet.PendingSweep{}, refusal: n.publisher.refusal, own: n.OwnScript}
	for _, s := range n.Sweeps() {
		x.sweeps[s.OutPoint] = s
	}
	for i := range list {
		c := &list[i]
		if only != nil && c.Core.Funding != *only {
			continue
		}
		if c.Core.Phase >= channel.ShuttingDown || c.Anchor != nil {
			r.Channels = append(r.Channels, x.explain(c))
		}
	}
	if only != nil && len(r.Channels) == 0 {
		return r, ErrNoChannel
	}
	return r, nil
}

// explainer puts a close into words.
type explainer struct {
	tip     lnwire.Height
	sweeps  map[wire.OutPoint]wallet.PendingSweep
	refusal func(chainhash.Hash) string // why the backend refused a transaction
	own     func(script []byte) bool
}

func (x *explainer) explain(c *channel.Info) Closing {
	out := Closing{Funding: c.Core.Funding, Peer: c.Terms.Peer, Capacity: c.Terms.Capacity, Reason: c.Core.Reason}
	switch {
	case c.Core.Spend != nil:
		x.mined(c, &out)
	case c.Core.Phase == channel.ShuttingDown:
		x.shuttingDown(c, &out)
	case c.Core.Phase == channel.MutualClose:
		x.agreed(c, &out)
	case c.Core.DataLost:
		out.State = "our record of the channel is older than the peer's: nothing of ours is published, the peer's commitment is waited for"
		if c.Terms.Restored {
			out.State = "only a backup of the channel is left: nothing of ours can be published, the peer's commitment is waited for"
		}
		out.Steps = []ClosingStep{{What: "the peer's commitment", WaitsFor: "the peer, which has to publish it",
			Advice: "connect to the peer (fulgur connect); it publishes when it hears from us. Never publish an old commitment by hand"}}
		out.Limbo = c.LocalOurs.Sat()
	default:
		x.waiting(c, &out)
	}
	x.sum(&out)
	return out
}

// sum finds out by when all is home: never, as far as can be foreseen, while a step has
// no end.
func (x *explainer) sum(out *Closing) {
	for i := range out.Steps {
		s := &out.Steps[i]
		if s.Done {
			continue
		}
		if s.Until == 0 {
			out.HomeAt = 0
			return
		}
		out.HomeAt = max(out.HomeAt, s.Until)
	}
}

func (x *explainer) shuttingDown(c *channel.Info, out *Closing) {
	out.Limbo = c.LocalOurs.Sat()
	open := 0
	for i := range c.HTLCs {
		if !c.HTLCs[i].State.Gone() {
			open++
		}
	}
	s := ClosingStep{What: "the closing transaction"}
	switch {
	case !c.Connected:
		s.WaitsFor = "the peer, which is not connected"
		s.Advice = "reconnect (fulgur connect), or close without the peer (fulgur closechannel --force)"
	case open > 0:
		s.WaitsFor = fmt.Sprintf("%d payments under way in it", open)
	default:
		s.WaitsFor = "the peer's agreement on the fee"
	}
	out.State = "it is being closed by agreement"
	out.Steps = []ClosingStep{s}
}

// agreed is a closing transaction that waits to be mined.
func (x *explainer) agreed(c *channel.Info, out *Closing) {
	tx := c.Core.CloseTx
	if tx == nil {
		tx = c.Core.PeerCloseTx
	}
	out.State = "it was closed by agreement; the closing transaction waits to be mined"
	s := ClosingStep{What: "the closing transaction", WaitsFor: "a block"}
	if tx != nil {
		out.Txid = tx.TxHash()
		paid := c.Terms.Capacity
		for i, o := range tx.TxOut {
			paid -= min(paid, lnwire.Sat(o.Value))
			if x.own(o.PkScript) {
				out.Limbo += lnwire.Sat(o.Value)
				s.Advice = fmt.Sprintf("to hasten it: fulgur wallet bumpfee --sat_per_vbyte=N %v:%d", out.Txid, i)
			}
		}
		weight := tx.SerializeSizeStripped()*3 + tx.SerializeSize()
		s.Rate = lnwire.SatPerKW(uint64(paid) * 1000 / uint64(weight))
		if why := x.refusal(out.Txid); why != "" {
			s.WaitsFor = "the chain backend, which refuses it: " + why
		}
	}
	s.Txid = out.Txid
	out.Steps = []ClosingStep{s}
}

// waiting is a commitment that waits to be mined, and the child that lifts it.
func (x *explainer) waiting(c *channel.Info, out *Closing) {
	out.Limbo = c.LocalOurs.Sat()
	out.State, out.Txid = "our commitment waits to be mined", c.CommitTxid
	s := ClosingStep{What: "our commitment", WaitsFor: "a block", Txid: out.Txid}
	if c.CommitWeight > 0 {
		s.Rate = lnwire.SatPerKW(uint64(c.CommitFee) * 1000 / uint64(c.CommitWeight))
	}
	if c.Rival != (chainhash.Hash{}) {
		out.State, out.Txid = "the peer's commitment waits to be mined", c.Rival
		s = ClosingStep{What: "the peer's commitment", WaitsFor: "a block", Txid: c.Rival}
	} else if why := x.refusal(out.Txid); why != "" {
		s.WaitsFor = "the chain backend, which refuses it: " + why
		s.Advice = "it is offered again with every block. Below the least fee that the backend takes not even a child can carry it, " +
			"for it takes no packages: let btcd take it (norelaypriority=1, or a lower minrelaytxfee), or wait for the peer's commitment"
	}
	out.Steps = append(out.Steps, s)
	if c.Anchor == nil {
		return
	}
	lift := ClosingStep{What: "the child that lifts it", OutPoint: *c.Anchor, WaitsFor: "the sweeper"}
	if sw, ok := x.sweeps[*c.Anchor]; ok {
		x.swept(&lift, &sw)
		if sw.Txid == (chainhash.Hash{}) {
			lift.Advice = fmt.Sprintf("to pay more than its fee: fulgur wallet bumpforceclosefee --budget=SATS --sat_per_vbyte=N %v", c.Core.Funding)
		}
		if lift.Deadline != 0 {
			out.Steps[0].Deadline = lift.Deadline
		}
	}
	out.Steps = append(out.Steps, lift)
}

// mined is a channel whose end is in the chain.
func (x *explainer) mined(c *channel.Info, out *Closing) {
	s := c.Core.Spend
	out.Txid, out.Mined = s.Tx.TxHash(), s.Place.At.Height
	how := map[channel.SpendKind]string{
		channel.SpentByMutual:  "it was closed by agreement",
		channel.SpentByUs:      "it was closed by our commitment",
		channel.SpentByThem:    "it was closed by the peer's commitment",
		channel.SpentByRevoked: "the peer has published a commitment that it had revoked: all of it is taken",
		channel.SpentByUnknown: "the peer has published a commitment that we have no record of: only our balance can be claimed",
	}[s.Kind]
	for i := range c.Ends {
		out.Steps = append(out.Steps, x.output(&c.Ends[i]))
		switch e := &c.Ends[i]; {
		case e.End == channel.EndClaimed:
			out.Home += e.Value
		case e.InLimbo(x.tip):
			out.Limbo += e.Value
		}
	}
	x.trimmed(c, out)
	rest := "everything is settled; it is watched until no reorg can take that back"
	for i := range out.Steps {
		if !out.Steps[i].Done {
			rest = "not all of it is settled yet"
		}
	}
	out.State = fmt.Sprintf("%s, in block %d; %s", how, out.Mined, rest)
}

// failUpstream is how deep a commitment must be before an HTLC that it has no output for
// is given up upstream.
const failUpstream = 6

// trimmed are outgoing HTLCs that have no output, and no end yet.
func (x *explainer) trimmed(c *channel.Info, out *Closing) {
	has := map[htlc.Ref]bool{}
	for i := range c.Ends {
		has[c.Ends[i].Ref] = true
	}
	for i := range c.HTLCs {
		h := &c.HTLCs[i]
		if h.Ref.Dir == htlc.Outgoing && !h.Told && !h.State.Gone() && !has[h.Ref] {
			out.Steps = append(out.Steps, ClosingStep{
				What: "an outgoing payment without an output", Amount: h.Amount.Sat(), Until: out.Mined + failUpstream,
				WaitsFor: fmt.Sprintf("the close to be %d blocks deep; then it is failed backwards", failUpstream),
			})
		}
	}
}

// output puts the way of an output into words.
func (x *explainer) output(e *channel.EndOutput) ClosingStep {
	s := ClosingStep{What: outputName(e), Amount: e.Value, OutPoint: e.OutPoint, Txid: e.Txid}
	switch e.End {
	case channel.EndClaimed:
		s.Done, s.WaitsFor = true, "nothing: it is home"
	case channel.EndFirstStage:
		s.Done, s.WaitsFor = true, "nothing: it went on to its second stage"
	case channel.EndLost:
		s.Done, s.WaitsFor = true, "nothing: the peer has taken it, as it may"
	case channel.EndOpen:
		x.open(e, &s)
	}
	return s
}

// open is an output that nothing in the chain has spent.
func (x *explainer) open(e *channel.EndOutput, s *ClosingStep) {
	sw, swept := x.sweeps[e.OutPoint]
	switch {
	case e.Kind == channel.ResolvedAnchor && sw.Txid == (chainhash.Hash{}):
		s.Done = true // nothing waits for it
		s.WaitsFor = "another sweep that it can go along with when that costs less than it brings; alone it never pays, and others may take it, too"
	case swept:
		x.swept(s, &sw)
	case e.Mature > x.tip+1:
		s.WaitsFor, s.Until = fmt.Sprintf("block %d, before which it cannot be spent", e.Mature), e.Mature
	case e.Mature > 0:
		s.WaitsFor, s.Until = "a block: the transaction that takes it is published", x.tip+1
	case e.Kind == channel.ResolvedIncoming && x.tip < e.Expiry:
		s.WaitsFor = fmt.Sprintf("its preimage, until block %d; then it is the peer's", e.Expiry)
		s.Until = e.Expiry
	case e.Kind == channel.ResolvedIncoming:
		s.WaitsFor, s.Until = "the peer, who may take it, for its preimage never came", x.tip+1
	default:
		s.WaitsFor = "the peer's move"
	}
}

// swept is an output that the sweeper has.
func (x *explainer) swept(s *ClosingStep, sw *wallet.PendingSweep) {
	s.Txid, s.Rate, s.Budget, s.Deadline = sw.Txid, sw.Rate, sw.Budget, sw.Deadline
	bump := fmt.Sprintf("fulgur wallet bumpfee --budget=SATS --sat_per_vbyte=N %v", sw.OutPoint)
	switch {
	case sw.Txid != (chainhash.Hash{}) && sw.Held != "":
		s.WaitsFor, s.Advice = "the chain backend: "+sw.Held, bump
	case sw.Txid != (chainhash.Hash{}):
		s.WaitsFor, s.Until = fmt.Sprintf("a block; it was offered %d times", sw.Attempts), max(sw.Maturity, x.tip+1)
		s.Advice = "to hasten it: " + bump
	case sw.Maturity > x.tip+1:
		s.WaitsFor, s.Until = fmt.Sprintf("block %d, before which it cannot be spent", sw.Maturity), sw.Maturity
	case sw.Held != "":
		s.WaitsFor, s.Advice = "better times: "+sw.Held, "to have it now: "+bump+", or send coins to the wallet if it has none (fulgur newaddress)"
	default:
		s.WaitsFor, s.Until = "the next block, with which it is decided", x.tip+2
	}
}
