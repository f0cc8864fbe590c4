package invoice

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
)

// world is a registry with what stands around it: the store, and the channels with
// the HTLCs that they hold.
type world struct {
	t        require.TestingT
	r        *Registry
	cfg      Config
	now      time.Time
	height   lnwire.Height
	rows     map[lnwire.Hash]Invoice
	counters Counters
	outbox   map[htlc.Ref]htlc.Resolution
	// locked are all HTLCs that were ever offered, done those that are answered.
	locked map[htlc.Ref]htlc.Locked
	done   map[htlc.Ref]htlc.Resolution
	asked  []lnwire.Hash // not yet answered
	slow   bool          // Fetch is answered only when the test says so
	last   Effects
	told   []Notice
	nextID uint64
}

func newWorld(t require.TestingT) *world {
	w := &world{
		t: t, cfg: DefaultConfig, now: time.Unix(1_700_000_000, 0), height: 800_000,
		rows: map[lnwire.Hash]Invoice{}, outbox: map[htlc.Ref]htlc.Resolution{},
		locked: map[htlc.Ref]htlc.Locked{}, done: map[htlc.Ref]htlc.Resolution{},
	}
	w.restart()
	return w
}

// restart makes a new registry from what is stored, replays the outbox and tells
// again what the channels still hold.
func (w *world) restart() {
	w.r, w.asked = New(w.cfg), nil
	var live []Invoice
	for _, row := range w.rows {
		if !row.State.Final() {
			live = append(live, row.clone())
		}
	}
	for ref, res := range w.outbox {
		w.resolve(ref, res)
	}
	w.step(Restarted{Height: w.height, Counters: w.counters, Live: live})
	for _, ref := range w.open() {
		w.step(Arrived{HTLC: w.locked[ref], SCID: 7})
	}
}

// open are the HTLCs that the channels hold, in order.
func (w *world) open() (refs []htlc.Ref) {
	for ref := range w.locked {
		if _, done := w.done[ref]; !done {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b htlc.Ref) int { return cmp.Compare(a.ID, b.ID) })
	return refs
}

// step does what a node does with the effects.
func (w *world) step(ev Event) Effects {
	fx := w.r.Step(w.now, ev)
	w.write(fx.Delta)
	for _, res := range fx.Resolve {
		w.resolve(res.Ref, res.Resolution)
	}
	w.told = append(w.told, fx.Tell...)
	w.asked = append(w.asked, fx.Fetch...)
	w.last = fx
	if !w.slow {
		w.fetch()
	}
	return w.last
}

// fetch answers what the registry asked of the store.
func (w *world) fetch() {
	for len(w.asked) > 0 {
		hash := w.asked[0]
		w.asked = w.asked[1:]
		ev := Fetched{Hash: hash}
		if row, ok := w.rows[hash]; ok {
			c := row.clone()
			ev.Invoice = &c
		}
		w.step(ev)
	}
}

func (w *world) write(d Delta) {
	for _, row := range d.Invoices {
		w.rows[row.Hash] = row
	}
	for _, hash := range d.Deleted {
		delete(w.rows, hash)
	}
	for _, a := range d.Outbox {
		w.outbox[a.Ref] = a.Resolution
	}
	if d.Counters != nil {
		w.counters = *d.Counters
	}
}

// resolve is what a channel does: the first answer counts, and consumes the
// outbox. A second one must not contradict it.
func (w *world) resolve(ref htlc.Ref, res htlc.Resolution) {
	if before, ok := w.done[ref]; ok {
		require.Equal(w.t, before.Kind, res.Kind, "%s is answered twice, differently", ref)
		require.Equal(w.t, before.Preimage, res.Preimage)
	} else {
		w.done[ref] = res
	}
	delete(w.outbox, ref)
}

// offer is an HTLC to come.
type offer struct {
	hash     lnwire.Hash
	secret   lnwire.Secret
	noSecret bool
	amount   lnwire.MilliSat
	total    lnwire.MilliSat // 0: amount
	forward  lnwire.MilliSat // 0: amount
	delta    lnwire.Height   // 0: 100
	metadata []byte
	custom   []lnwire.TLV
	change   func(*htlc.Locked)
}

// arrive offers an HTLC and gives its name.
func (w *world) arrive(o offer) htlc.Ref {
	ref := htlc.Ref{ChanNum: 3, Dir: htlc.Incoming, ID: w.nextID}
	w.nextID++
	expiry := w.height + cmp.Or(o.delta, 100)
	f := onion.Final{Amount: cmp.Or(o.forward, o.amount), Expiry: expiry, Metadata: o.metadata, Custom: o.custom}
	if !o.noSecret {
		f.Secret, f.Total = &o.secret, cmp.Or(o.total, o.amount)
	}
	p := f.Payload()
	in := htlc.Locked{
		HTLC:   htlc.HTLC{Ref: ref, Amount: o.amount, Expiry: expiry, Hash: o.hash, State: htlc.RcvdAddAckRevocation},
		Opened: htlc.Opened{Payload: &p, Final: true, Secret: lnwire.Secret{byte(ref.ID), byte(ref.ID >> 8), 5}},
	}
	if o.change != nil {
		o.change(&in)
	}
	w.locked[ref] = in
	w.step(Arrived{HTLC: in, SCID: 7})
	return ref
}

var (
	tea       = lnwire.Preimage{1, 2, 3}
	teaSecret = lnwire.Secret{4, 5, 6}
)

func terms() Terms {
	return Terms{Preimage: &tea, Secret: teaSecret, Amount: 10_000, Memo: "tea"}
}

// add makes an invoice and gives its row.
func (w *world) add(t Terms) Invoice {
	inv, err := Draft(Regtest, t, w.now, specSign)
	require.NoError(w.t, err)
	fx := w.step(Add{ID: 1, Invoice: inv})
	require.Len(w.t, fx.Reply, 1)
	require.NoError(w.t, fx.Reply[0].Err)
	return w.rows[inv.Hash]
}

func (w *world) addTea() Invoice { return w.add(terms()) }

func (w *world) addHold() Invoice {
	t := terms()
	t.Preimage, t.Hash = nil, tea.Hash()
	return w.add(t)
}

func part(amount, total lnwire.MilliSat) offer {
	return offer{hash: tea.Hash(), secret: teaSecret, amount: amount, total: total}
}

func (w *world) fulfilled(refs ...htlc.Ref) {
	for _, ref := range refs {
		require.Equal(w.t, htlc.Resolution{Kind: htlc.Fulfilled, Preimage: tea}, w.done[ref])
	}
}

// failed checks what the payer reads.
func (w *world) failed(code onion.Code, refs ...htlc.Ref) {
	for _, ref := range refs {
		res, ok := w.done[ref]
		require.True(w.t, ok, "%s is not answered", ref)
		require.Equal(w.t, htlc.Failed, res.Kind)
		_, f, ok := onion.DecodeFailure([]lnwire.Secret{w.locked[ref].Opened.Secret}, slices.Clone(res.Reason))
		require.True(w.t, ok)
		require.Equal(w.t, code, f.Code)
		if code == onion.IncorrectOrUnknownPaymentDetails {
			require.Equal(w.t, w.locked[ref].HTLC.Amount, f.HTLCMsat)
			require.Equal(w.t, w.height, f.Height)
		}
	}
}

func (w *world) waiting(refs ...htlc.Ref) {
	for _, ref := range refs {
		_, done := w.done[ref]
		require.False(w.t, done, ref)
	}
}

func (w *world) state(want State) {
	require.Equal(w.t, want, w.rows[tea.Hash()].State)
}

func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	w.step(Tick{})
}

const details = onion.IncorrectOrUnknownPaymentDetails

// One HTLC pays: settled, preimage, answer and indexes in one delta (B4.final.16).
func TestPay(t *testing.T) {
	w := newWorld(t)
	inv := w.addTea()
	require.EqualValues(t, 1, inv.AddIndex)
	ref := w.arrive(part(10_000, 0))
	w.fulfilled(ref)
	d := w.last.Delta
	require.Len(t, d.Invoices, 1)
	row := d.Invoices[0]
	require.Equal(t, Settled, row.State)
	require.Equal(t, &tea, row.Preimage)
	require.EqualValues(t, 1, row.SettleIndex)
	require.EqualValues(t, 10_000, row.Paid)
	require.Equal(t, w.now, row.SettledAt)
	require.Equal(t, Claimed, row.Parts[0].State)
	require.Equal(t, &Counters{1, 1}, d.Counters)
	require.Equal(t, []Answer{{ref, w.done[ref]}}, d.Outbox)
	require.Equal(t, []NoticeKind{WasAdded, WasSettled}, kinds(w.told))

	again := w.arrive(part(10_000, 0)) // a second payment: unknown (B4.final.4)
	w.failed(details, again)
	require.Equal(t, htlc.InvoiceNotOpen, w.last.Resolve[0].Detail)
	require.Equal(t, details, w.last.Resolve[0].Code)
	require.Empty(t, w.r.Rows())
}

func kinds(told []Notice) (k []NoticeKind) {
	for _, n := range told {
		k = append(k, n.Kind)
	}
	return k
}

// Every reason not to pay, and what the payer is told (B4.final.1, B4.final.2,
// B4.final.3, B4.final.5, B4.final.6, B4.final.7, B4.final.8, B4.final.9,
// B4.final.11, V-03).
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*offer)
		code   onion.Code
	}{
		"unknown hash":     {func(o *offer) { o.hash = lnwire.Hash{9} }, details},
		"no secret":        {func(o *offer) { o.noSecret = true }, details},
		"wrong secret":     {func(o *offer) { o.secret[31]++ }, details},
		"too little":       {func(o *offer) { o.amount = 9_999 }, details},
		"too much":         {func(o *offer) { o.amount = 20_001 }, details},
		"below the delta":  {func(o *offer) { o.delta = 79 }, details},
		"HTLC below onion": {func(o *offer) { o.forward = 10_001 }, onion.FinalIncorrectHTLCAmount},
		"expiry below onion": {func(o *offer) {
			o.change = func(in *htlc.Locked) { in.HTLC.Expiry-- }
		}, onion.FinalIncorrectCLTVExpiry},
		"not the last hop": {func(o *offer) { o.change = func(in *htlc.Locked) { in.Opened.Final = false } }, onion.TemporaryNodeFailure},
		"bad payload": {func(o *offer) {
			o.change = func(in *htlc.Locked) { in.Opened.Invalid = &onion.Failure{Code: onion.InvalidOnionPayload} }
		}, onion.InvalidOnionPayload},
		"dust":           {func(o *offer) { o.change = func(in *htlc.Locked) { in.Unfit = htlc.UnfitDust } }, onion.TemporaryChannelFailure},
		"unfunded":       {func(o *offer) { o.change = func(in *htlc.Locked) { in.Unfit = htlc.UnfitUnfunded } }, onion.TemporaryChannelFailure},
		"closed":         {func(o *offer) { o.change = func(in *htlc.Locked) { in.Unfit = htlc.UnfitClosed } }, onion.PermanentChannelFailure},
		"far":            {func(o *offer) { o.change = func(in *htlc.Locked) { in.Unfit = htlc.UnfitFar } }, onion.ExpiryTooFar},
		"no total":       {func(o *offer) { o.change = func(in *htlc.Locked) { in.Opened.Payload.PaymentData.Total = 0 } }, details},
		"amount missing": {func(o *offer) { o.change = func(in *htlc.Locked) { in.Opened.Payload.AmtToForward = nil } }, onion.InvalidOnionPayload},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.addTea()
			o := part(10_000, 0)
			c.change(&o)
			ref := w.arrive(o)
			w.failed(c.code, ref)
			require.NotEmpty(t, w.last.Resolve[0].Why)
			require.Equal(t, map[string]htlc.Detail{
				"unknown hash": htlc.UnknownInvoice, "no secret": htlc.WrongAddress, "wrong secret": htlc.WrongAddress,
				"too little": htlc.InvoiceUnderpaid, "too much": htlc.SetOverpaid, "below the delta": htlc.InvoiceExpirySoon,
				"no total": htlc.SetTotalTooLow,
			}[name], w.last.Resolve[0].Detail)
			w.state(Open)
			require.Empty(t, w.rows[tea.Hash()].Parts)
			require.Empty(t, w.outbox)
			w.fulfilled(w.arrive(part(20_000, 0))) // twice the amount is fine
		})
	}
}

// An onion that cannot be read is answered as malformed; one whose payload shows
// nothing is never a reason for a panic.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	o := part(10_000, 0)
	o.change = func(in *htlc.Locked) { in.Opened = htlc.Opened{Bad: &onion.BadOnion{Code: onion.InvalidOnionHMAC}} }
	ref := w.arrive(o)
	require.Equal(t, htlc.Malformed, w.done[ref].Kind)
	o.change = func(in *htlc.Locked) { in.Opened = htlc.Opened{} }
	w.failed(onion.TemporaryNodeFailure, w.arrive(o))
}

// An invoice with metadata is paid only by who sends it along (B4.final.7).
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	tm := terms()
	tm.Metadata = []byte{1, 2}
	w.add(tm)
	w.failed(details, w.arrive(part(10_000, 0)))
	o := part(10_000, 0)
	o.metadata = []byte{1, 2}
	w.fulfilled(w.arrive(o))
}

// Without an amount any amount will do, but not none.
func TestAnyAmount(t *testing.T) {
	w := newWorld(t)
	tm := terms()
	tm.Amount = 0
	w.add(tm)
	ref := w.arrive(part(1, 0))
	w.fulfilled(ref)
	require.EqualValues(t, 1, w.rows[tea.Hash()].Paid)
}

// Parts wait for each other and are claimed together; none before (B4.final.12,
// B4.final.14, B4.final.15).
func TestParts(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	a := w.arrive(part(4_000, 10_000))
	b := w.arrive(part(5_999, 10_000))
	w.waiting(a, b)
	c := w.arrive(part(1, 10_000))
	w.fulfilled(a, b, c)
	require.Len(t, w.last.Delta.Outbox, 3)
	require.Len(t, w.last.Delta.Invoices, 1)
}

// What counts for the set is amt_to_forward, even if the HTLC brings more.
func TestPartsCountByOnion(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	o := part(9_000, 10_000)
	o.forward = 5_000
	a, b := w.arrive(o), w.arrive(part(4_999, 10_000))
	w.waiting(a, b)
	c := w.arrive(part(1, 10_000))
	w.fulfilled(a, b, c)
	require.EqualValues(t, 14_000, w.rows[tea.Hash()].Paid)
}

// Without basic_mpp a part is refused (B4.final.10).
func TestPartWithoutMPP(t *testing.T) {
	w := newWorld(t)
	inv, err := Draft(Regtest, terms(), w.now, specSign)
	require.NoError(t, err)
	inv.Features = lnwire.NewFeatures(lnwire.VarOnionRequired, lnwire.PaymentSecretRequired)
	w.step(Add{Invoice: inv})
	w.failed(details, w.arrive(part(4_000, 10_000)))
	w.fulfilled(w.arrive(part(10_000, 0)))
}

// Parts that disagree about the total fail, all of them (B4.final.13).
func TestTotalsDiffer(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	a := w.arrive(part(4_000, 10_000))
	b := w.arrive(part(4_000, 11_000))
	w.failed(details, a, b)
	w.fulfilled(w.arrive(part(10_000, 0)))
}

// A set that is not whole in time is given back; the invoice stays open
// (B4.final.17, B4.final.18).
func TestSetTimeout(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	a := w.arrive(part(4_000, 10_000))
	require.Equal(t, w.now.Add(2*time.Minute), w.last.Wake)
	w.tick(time.Minute)
	b := w.arrive(part(4_000, 10_000))
	w.tick(59 * time.Second)
	w.waiting(a, b)
	w.tick(time.Second)
	w.failed(onion.MPPTimeout, a, b)
	w.state(Open)
	c := w.arrive(part(10_000, 0))
	w.fulfilled(c)
	require.EqualValues(t, 10_000, w.rows[tea.Hash()].Paid)
}

// A part that is about to expire takes its set with it.
func TestSetNearExpiry(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	a := w.arrive(part(4_000, 10_000))
	w.height += 100 - DefaultConfig.HoldDelta - 1
	w.step(Block{w.height})
	w.waiting(a)
	w.height++
	w.step(Block{w.height})
	w.failed(onion.MPPTimeout, a)
	w.state(Open)
}

// An expired invoice is canceled, by time or by the HTLC that comes too late
// (B11.payee.1). A set that began in time may still become whole.
func TestExpiry(t *testing.T) {
	w := newWorld(t)
	inv := w.addTea()
	require.Equal(t, inv.ExpiresAt(), w.last.Wake)
	w.tick(24*time.Hour - time.Second)
	w.state(Open)
	a := w.arrive(part(4_000, 10_000))
	w.tick(time.Second)
	w.state(Open)
	b := w.arrive(part(6_000, 10_000))
	w.fulfilled(a, b)

	w = newWorld(t)
	w.addTea()
	w.tick(24 * time.Hour)
	w.state(Canceled)
	require.Equal(t, []NoticeKind{WasAdded, WasCanceled}, kinds(w.told))
	require.True(t, w.last.Wake.IsZero())

	w = newWorld(t)
	w.addTea()
	w.now = w.now.Add(24 * time.Hour)
	w.failed(details, w.arrive(part(10_000, 0)))
	w.state(Canceled)
}

// A hold invoice waits for its preimage.
func TestHold(t *testing.T) {
	w := newWorld(t)
	w.addHold()
	require.ErrorIs(t, w.ask(Settle{Preimage: tea}), ErrStillOpen)
	a, b := w.arrive(part(4_000, 10_000)), w.arrive(part(6_000, 10_000))
	w.waiting(a, b)
	w.state(Accepted)
	require.EqualValues(t, 10_000, w.rows[tea.Hash()].Paid)
	w.failed(details, w.arrive(part(10_000, 0)))
	w.tick(48 * time.Hour) // does not expire any more
	w.state(Accepted)
	require.NoError(t, w.ask(Settle{Preimage: tea}))
	w.fulfilled(a, b)
	require.Equal(t, []NoticeKind{WasAdded, WasAccepted, WasSettled}, kinds(w.told))
	require.ErrorIs(t, w.ask(Settle{Preimage: tea}), ErrAlreadySettled)
	require.ErrorIs(t, w.ask(Cancel{Hash: tea.Hash()}), ErrAlreadySettled)
	require.ErrorIs(t, w.ask(Settle{Preimage: lnwire.Preimage{8}}), ErrNotFound)
	require.ErrorIs(t, w.ask(Cancel{Hash: lnwire.Hash{8}}), ErrNotFound)
	require.ErrorIs(t, w.ask(Delete{Hash: lnwire.Hash{8}}), ErrNotFound)
	require.ErrorIs(t, w.ask(Delete{Hash: tea.Hash()}), ErrNotCanceled)
}

// ask steps an event that is answered, and gives the answer.
func (w *world) ask(ev Event) error {
	fx := w.step(ev)
	require.Len(w.t, fx.Reply, 1)
	return fx.Reply[0].Err
}

// A hold invoice that nobody decides is canceled before its HTLCs expire.
func TestHoldDeadline(t *testing.T) {
	w := newWorld(t)
	w.addHold()
	a, b := w.arrive(part(4_000, 10_000)), w.arrive(part(6_000, 10_000))
	w.height += 100 - DefaultConfig.HoldDelta - 1
	w.step(Block{w.height})
	w.waiting(a, b)
	w.height++
	w.step(Block{w.height})
	w.failed(details, a, b)
	w.state(Canceled)
}

// Canceling returns what is held, twice is fine, and then it can be deleted and
// made anew; the indexes are not used again.
func TestCancelAndDelete(t *testing.T) {
	w := newWorld(t)
	w.addHold()
	a := w.arrive(part(10_000, 0))
	require.NoError(t, w.ask(Cancel{Hash: tea.Hash()}))
	w.failed(details, a)
	w.state(Canceled)
	require.NoError(t, w.ask(Cancel{Hash: tea.Hash()}))
	require.ErrorIs(t, w.ask(Settle{Preimage: tea}), ErrAlreadyCanceled)
	w.failed(details, w.arrive(part(10_000, 0)))
	inv, err := Draft(Regtest, terms(), w.now, specSign)
	require.NoError(t, err)
	require.ErrorIs(t, w.ask(Add{Invoice: inv}), ErrDuplicate)
	require.NoError(t, w.ask(Delete{Hash: tea.Hash()}))
	require.NoError(t, w.ask(Add{Invoice: inv}))
	require.EqualValues(t, 2, w.rows[tea.Hash()].AddIndex)
	require.ErrorIs(t, w.ask(Add{Invoice: inv}), ErrDuplicate)
	w.fulfilled(w.arrive(part(10_000, 0)))
}

// What was decided for a part is answered again by its name, also from the store.
func TestToldAgain(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	a := w.arrive(part(4_000, 10_000))
	w.step(Arrived{HTLC: w.locked[a]})
	w.waiting(a)
	require.Len(t, w.rows[tea.Hash()].Parts, 1)
	w.tick(2 * time.Minute)
	b := w.arrive(part(10_000, 0))
	w.restart()
	w.step(Arrived{HTLC: w.locked[a]})
	w.step(Arrived{HTLC: w.locked[b]})
	w.failed(onion.MPPTimeout, a)
	w.fulfilled(b)
}

// An HTLC that was failed stays failed, even if an invoice comes that it would pay
// before the channel has acted; so many are remembered and no more.
func TestRefusedStaysRefused(t *testing.T) {
	w := newWorld(t)
	ref := w.arrive(part(10_000, 0))
	w.failed(details, ref)
	w.addTea()
	w.step(Arrived{HTLC: w.locked[ref]})
	require.Equal(t, w.done[ref], w.last.Resolve[0].Resolution)
	w.state(Open)
	o := part(10_000, 0)
	o.hash[0]++
	for range maxRefusals + 5 {
		w.arrive(o)
	}
	require.Len(t, w.r.refused.byRef, maxRefusals)
	require.Len(t, w.r.refused.ring, maxRefusals)
	w.fulfilled(w.arrive(part(10_000, 0)))
}

// What was handed out does not change under the writer's hands, nor does what was
// handed in.
// TestAcceptedThoughUnfit: what was accepted stays accepted, though the channel calls
// it unfit when it tells it again: the invoice counts on it.
func TestAcceptedThoughUnfit(t *testing.T) {
	w := newWorld(t)
	w.addHold()
	ref := w.arrive(part(10_000, 0))
	w.state(Accepted)
	in := w.locked[ref]
	in.Unfit = htlc.UnfitDust
	w.locked[ref] = in
	w.restart()
	w.waiting(ref)
	require.NoError(t, w.ask(Settle{Preimage: tea}))
	w.fulfilled(ref)
}

func TestDeltasAreCopies(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	w.arrive(part(4_000, 10_000))
	row := w.rows[tea.Hash()]
	w.r = New(w.cfg)
	w.step(Restarted{Height: w.height, Counters: w.counters, Live: []Invoice{row}})
	w.tick(2 * time.Minute)
	require.Equal(t, Returned, w.rows[tea.Hash()].Parts[0].State)
	require.Equal(t, Held, row.Parts[0].State)

	w.arrive(part(5_000, 10_000))
	row = w.rows[tea.Hash()]
	w.tick(2 * time.Minute)
	require.Equal(t, Held, row.Parts[1].State)
}

// A part that times out before it was told again is answered when it is.
func TestTimeoutBeforeToldAgain(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	a := w.arrive(part(4_000, 10_000))
	w.r = New(w.cfg)
	w.step(Restarted{Height: w.height, Counters: w.counters, Live: []Invoice{w.rows[tea.Hash()]}})
	w.tick(2 * time.Minute)
	w.waiting(a)
	w.step(Arrived{HTLC: w.locked[a]})
	w.failed(onion.MPPTimeout, a)
}

// What is near its expiry when we come back is given back at once.
func TestRestartNearExpiry(t *testing.T) {
	w := newWorld(t)
	w.addHold()
	a := w.arrive(part(10_000, 0))
	w.height += 82
	w.restart()
	w.failed(details, a)
	w.state(Canceled)
}

// Events wait for the store, in order, each hash fetched once; when one of them
// closes the invoice, those behind it ask again.
func TestWaiting(t *testing.T) {
	w := newWorld(t)
	w.slow = true
	inv, err := Draft(Regtest, terms(), w.now, specSign)
	require.NoError(t, err)
	w.step(Add{ID: 1, Invoice: inv})
	w.step(Add{ID: 2, Invoice: inv})
	ref := w.arrive(part(10_000, 0))
	w.step(Cancel{ID: 3, Hash: inv.Hash})
	require.Equal(t, []lnwire.Hash{inv.Hash}, w.asked)
	w.asked = nil
	fx := w.step(Fetched{Hash: inv.Hash})
	require.Len(t, fx.Reply, 2)
	require.NoError(t, fx.Reply[0].Err)
	require.ErrorIs(t, fx.Reply[1].Err, ErrDuplicate)
	w.fulfilled(ref)
	require.Equal(t, []lnwire.Hash{inv.Hash}, fx.Fetch)
	w.fetch()
	require.ErrorIs(t, w.last.Reply[0].Err, ErrAlreadySettled)
	require.Empty(t, w.step(Fetched{Hash: inv.Hash}).Reply)
}

// A spontaneous payment, where it is allowed.
func TestKeysend(t *testing.T) {
	o := offer{hash: tea.Hash(), noSecret: true, amount: 500, custom: []lnwire.TLV{{Type: KeysendType, Value: tea[:]}}}
	w := newWorld(t)
	w.failed(details, w.arrive(o))
	w.cfg.AcceptKeysend = true
	w.restart()
	wrong := o
	wrong.custom = []lnwire.TLV{{Type: KeysendType, Value: make([]byte, 32)}}
	w.failed(details, w.arrive(wrong))
	wrong.hash = lnwire.Preimage{}.Hash()
	w.failed(details, w.arrive(wrong))
	wrong = o
	wrong.delta = DefaultConfig.RejectDelta - 1
	w.failed(details, w.arrive(wrong))
	wrong = o
	wrong.noSecret, wrong.total = false, 1000
	w.failed(details, w.arrive(wrong))
	ref := w.arrive(o)
	w.fulfilled(ref)
	row := w.rows[tea.Hash()]
	require.True(t, row.Keysend)
	require.EqualValues(t, 500, row.Paid)
	require.Equal(t, []NoticeKind{WasAdded, WasSettled}, kinds(w.told))
	w.failed(details, w.arrive(o))
}

// An invoice takes only so many HTLCs in its life.
func TestTooManyParts(t *testing.T) {
	w := newWorld(t)
	w.addTea()
	for range maxParts {
		w.arrive(part(1, 10_000))
	}
	w.failed(details, w.arrive(part(1, 10_000)))
}

// Alarms that are in vain do not pile up.
func TestAlarms(t *testing.T) {
	w := newWorld(t)
	tm := terms()
	for i := range 3 * slack {
		p := lnwire.Preimage{1, byte(i), byte(i >> 8)}
		tm.Preimage = &p
		w.add(tm)
		o := part(10_000, 0)
		o.hash = p.Hash()
		w.arrive(o)
	}
	require.LessOrEqual(t, len(w.r.byTime), slack)
	require.LessOrEqual(t, len(w.r.byHeight), slack)
}

// Many invoices expire in portions.
func TestSweepIsBounded(t *testing.T) {
	w := newWorld(t)
	tm := terms()
	for i := range maxSweep + 10 {
		p := lnwire.Preimage{1, byte(i), byte(i >> 8)}
		tm.Preimage = &p
		w.add(tm)
	}
	w.tick(24 * time.Hour)
	require.Len(t, w.last.Delta.Invoices, maxSweep)
	require.False(t, w.last.Wake.After(w.now))
	w.tick(0)
	require.Empty(t, w.r.Rows())
}

// Draft refuses in lnd's words, and fills in what is not given (B11.field.10).
func TestDraft(t *testing.T) {
	for why, change := range map[string]func(*Terms){
		"memo too large: 1025 bytes (maxsize=1024)":                                     func(tm *Terms) { tm.Memo = string(make([]byte, 1025)) },
		"description hash is 31 bytes, must be 32":                                      func(tm *Terms) { tm.DescriptionHash = make([]byte, 31) },
		"is too large, max is":                                                          func(tm *Terms) { tm.Amount = 1e16 + 1000 },
		"expiry of 3.1536001e+07 seconds greater than max expiry of 3.1536e+07 seconds": func(tm *Terms) { tm.Expiry = MaxExpiry + time.Second },
		"is negative":                            func(tm *Terms) { tm.Expiry = -1 },
		"CLTV delta of 1873 is too large":        func(tm *Terms) { tm.FinalDelta = 1873 },
		"must be greater than minimum of 24":     func(tm *Terms) { tm.FinalDelta = 23 },
		"routing hints must not exceed":          func(tm *Terms) { tm.Hints = make([]RouteHint, 21) },
		"hop hint within a route must be pos":    func(tm *Terms) { tm.Hints = make([]RouteHint, 1) },
		"cannot use hash of all-zeroes preimage": func(tm *Terms) { tm.Preimage = &lnwire.Preimage{} },
		"invalid fallback address":               func(tm *Terms) { tm.Fallback = "x" },
		"description: 700 bytes":                 func(tm *Terms) { tm.Memo = string(make([]byte, 700)) },
	} {
		tm := terms()
		change(&tm)
		_, err := Draft(Regtest, tm, time.Unix(1e9, 0), specSign)
		require.ErrorContains(t, err, why)
	}
	tm := terms()
	tm.Fallback = "2N2PJEucf6QY2kNFuJ4chQEBoyZWszRQE16"
	inv, err := Draft(Regtest, tm, time.Unix(1e9, 5), specSign)
	require.NoError(t, err)
	r, err := Decode(inv.Request)
	require.NoError(t, err)
	require.Equal(t, tea.Hash(), r.Hash)
	require.Equal(t, 24*time.Hour, r.Expiry)
	require.EqualValues(t, 80, r.FinalDelta)
	require.Equal(t, tm.Fallback, r.Fallbacks[0].Address(Regtest))
	require.True(t, r.OffersMPP())
	require.Equal(t, time.Unix(1e9+86400, 0).UTC(), r.ExpiresAt())
	tm.DescriptionHash, tm.Metadata = make([]byte, 32), []byte{}
	inv, err = Draft(Regtest, tm, time.Unix(1e9, 0), specSign)
	require.NoError(t, err)
	r, err = Decode(inv.Request)
	require.NoError(t, err)
	require.NotNil(t, r.DescriptionHash)
	require.True(t, r.Features.Has(lnwire.PaymentMetadataRequired))

	w := newWorld(t)
	inv.Hash[0]++
	require.ErrorIs(t, w.ask(Add{Invoice: inv}), ErrPreimageMismatch)
}

func TestNames(t *testing.T) {
	for s, name := range map[State]string{Open: "open", Settled: "settled", Canceled: "canceled", Accepted: "accepted", 9: "invalid"} {
		require.Equal(t, name, s.String())
	}
	for s, name := range map[PartState]string{Held: "held", Claimed: "claimed", Returned: "returned", 9: "invalid"} {
		require.Equal(t, name, s.String())
	}
	require.True(t, (&Delta{}).Empty())
}
