package channeldb

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/htlc"
	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/lnwire/onion"
	"github.com/fulgur-ln/fulgur/routing"
	"github.com/fulgur-ln/fulgur/wallet"
)

func write1(t testing.TB, db *DB, b Batch) Receipt {
	t.Helper()
	r, err := db.Write(b)
	require.NoError(t, err)
	return r
}

func TestOutboxLife(t *testing.T) {
	db := open(t)
	in := htlc.HTLC{Ref: htlc.Ref{ChanNum: 1, ID: 5}, Amount: 1100, Expiry: 90}
	out := htlc.Outcome{
		Ref: htlc.Ref{ChanNum: 2, Dir: htlc.Outgoing, ID: 3}, Origin: htlc.Forward(in), Amount: 1000,
		Resolution: htlc.Resolution{Kind: htlc.Fulfilled, Preimage: lnwire.Preimage{1}},
	}
	own := htlc.Outcome{Origin: htlc.Attempt(77), Resolution: htlc.Resolution{Kind: htlc.TimedOut}}
	ans := invoice.Answer{Ref: htlc.Ref{ChanNum: 1, ID: 6}, Resolution: htlc.Resolution{Kind: htlc.Failed, Reason: []byte{1}}}
	write1(t, db, Batch{
		Channels: []*channel.Delta{{ChanNum: 2, OutboxPut: []htlc.Outcome{out, own}}},
		Invoices: []*invoice.Delta{{Outbox: []invoice.Answer{ans}}},
	})
	db = reopen(t, db)
	outs, answers, err := db.Outbox()
	require.NoError(t, err)
	require.Equal(t, []htlc.Outcome{own, out}, outs)
	require.Equal(t, []invoice.Answer{ans}, answers)
	got, ok, err := db.AnswerOf(ans.Ref)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, ans, got)

	write1(t, db, Batch{
		Channels: []*channel.Delta{{ChanNum: 1, OutboxDone: []htlc.Ref{in.Ref, ans.Ref}}},
		Payments: []*routing.Delta{{Took: []uint64{77}}},
	})
	outs, answers, err = db.Outbox()
	require.NoError(t, err)
	require.Empty(t, outs)
	require.Empty(t, answers)
}

func TestTagsKeepTheirFirstOwner(t *testing.T) {
	db := open(t)
	tag := func(id byte, expiry lnwire.Height, owner uint64) forward.Tag {
		return forward.Tag{Tag: onion.Tag{id}, Expiry: expiry, Owner: htlc.Ref{ChanNum: owner}}
	}
	r := write1(t, db, Batch{Switch: []forward.Delta{{Tags: []forward.Tag{tag(1, 100, 1), tag(2, 200, 1)}}}})
	require.Empty(t, r.Taken)
	r = write1(t, db, Batch{Switch: []forward.Delta{{Tags: []forward.Tag{tag(1, 300, 2), tag(2, 200, 1), tag(3, 300, 2)}}}})
	require.Equal(t, []forward.Tag{tag(1, 300, 2)}, r.Taken, "the same owner again is fine")
	tags, err := db.Tags()
	require.NoError(t, err)
	require.Equal(t, []forward.Tag{tag(1, 100, 1), tag(2, 200, 1), tag(3, 300, 2)}, tags)
	write1(t, db, Batch{Switch: []forward.Delta{{ForgetTags: 200}}})
	tags, err = db.Tags()
	require.NoError(t, err)
	require.Equal(t, []forward.Tag{tag(2, 200, 1), tag(3, 300, 2)}, tags, "what expires at 200 stays")
	r = write1(t, db, Batch{Switch: []forward.Delta{{Tags: []forward.Tag{tag(1, 300, 2)}}}})
	require.Empty(t, r.Taken)
}

func TestForwardPages(t *testing.T) {
	db := open(t)
	at := func(s int) time.Time { return time.Unix(int64(s), 0).UTC() }
	for i := range 10 { // settled in another order than written
		write1(t, db, Batch{Forwards: []forward.Record{{SettledAt: at(100 + (i*3)%10), AmountIn: lnwire.MilliSat((i * 3) % 10)}}})
	}
	query := func(q ForwardQuery) (amounts []int, last ForwardCursor) {
		list, err := db.Forwards(q)
		require.NoError(t, err)
		for _, f := range list {
			amounts = append(amounts, int(f.AmountIn))
			last = f.Cursor
		}
		return amounts, last
	}
	got, last := query(ForwardQuery{Limit: 4})
	require.Equal(t, []int{0, 1, 2, 3}, got)
	got, _ = query(ForwardQuery{Limit: 4, After: last})
	require.Equal(t, []int{4, 5, 6, 7}, got)
	got, last = query(ForwardQuery{Limit: 2, Reverse: true, To: at(107)})
	require.Equal(t, []int{7, 6}, got)
	got, _ = query(ForwardQuery{Limit: 20, Reverse: true, After: last, From: at(102)})
	require.Equal(t, []int{5, 4, 3, 2}, got)
	got, _ = query(ForwardQuery{Limit: 20, From: at(103), To: at(105)})
	require.Equal(t, []int{3, 4, 5}, got)
	got, _ = query(ForwardQuery{Limit: 2, Skip: 7})
	require.Equal(t, []int{7, 8}, got)
	got, _ = query(ForwardQuery{})
	require.Empty(t, got)
}

func TestInvoicePages(t *testing.T) {
	db := open(t)
	inv := func(n byte, state invoice.State, settle uint64) invoice.Invoice {
		return invoice.Invoice{Hash: lnwire.Hash{n}, AddIndex: uint64(n), State: state, SettleIndex: settle}
	}
	write1(t, db, Batch{Invoices: []*invoice.Delta{{
		Invoices: []invoice.Invoice{inv(1, invoice.Open, 0), inv(2, invoice.Open, 0), inv(3, invoice.Accepted, 0), inv(4, invoice.Open, 0)},
		Counters: &invoice.Counters{AddIndex: 4},
	}}})
	write1(t, db, Batch{Invoices: []*invoice.Delta{{
		Invoices: []invoice.Invoice{inv(4, invoice.Settled, 1), inv(1, invoice.Settled, 2), inv(2, invoice.Canceled, 0)},
		Counters: &invoice.Counters{AddIndex: 4, SettleIndex: 2},
	}}})
	db = reopen(t, db)
	open, counters, err := db.OpenInvoices()
	require.NoError(t, err)
	require.Equal(t, invoice.Counters{AddIndex: 4, SettleIndex: 2}, counters)
	require.Len(t, open, 1)
	require.Equal(t, inv(3, invoice.Accepted, 0), *open[0])

	adds := func(list []*invoice.Invoice, err error) (n []int) {
		require.NoError(t, err)
		for _, i := range list {
			n = append(n, int(i.AddIndex))
		}
		return n
	}
	require.Equal(t, []int{1, 2}, adds(db.InvoicesAdded(PageQuery{Limit: 2})))
	require.Equal(t, []int{3, 4}, adds(db.InvoicesAdded(PageQuery{After: 2, Limit: 9})))
	require.Equal(t, []int{4, 3}, adds(db.InvoicesAdded(PageQuery{Limit: 2, Reverse: true})))
	require.Equal(t, []int{2, 1}, adds(db.InvoicesAdded(PageQuery{After: 3, Limit: 9, Reverse: true})))
	require.Empty(t, adds(db.InvoicesAdded(PageQuery{After: 1, Limit: 9, Reverse: true})))
	require.Equal(t, []int{4, 1}, adds(db.InvoicesSettled(PageQuery{Limit: 9})))

	write1(t, db, Batch{Invoices: []*invoice.Delta{{Deleted: []lnwire.Hash{{2}, {99}}}}})
	got, err := db.Invoice(lnwire.Hash{2})
	require.NoError(t, err)
	require.Nil(t, got)
	require.Equal(t, []int{1, 3, 4}, adds(db.InvoicesAdded(PageQuery{Limit: 9})))
}

// TestInvoiceBySecret: it is found until it is deleted, also in files from before the
// index.
func TestInvoiceBySecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fulgur.db")
	old, err := openAt(path, testOptions(t), steps[:2])
	require.NoError(t, err)
	inv := func(n byte, change ...func(*invoice.Invoice)) invoice.Invoice {
		i := invoice.Invoice{Hash: lnwire.Hash{n}, Secret: lnwire.Secret{n, n}, AddIndex: uint64(n), State: invoice.Open}
		for _, f := range change {
			f(&i)
		}
		return i
	}
	keysend := func(i *invoice.Invoice) { i.Secret, i.Keysend = lnwire.Secret{}, true }
	write1(t, old, Batch{Invoices: []*invoice.Delta{{Invoices: []invoice.Invoice{inv(1), inv(2), inv(3, keysend)}}}})
	require.NoError(t, old.bolt.Update(func(tx *bolt.Tx) error { // as it was then
		return tx.DeleteBucket([]byte(inInvoiceSecrets.String()))
	}))
	require.NoError(t, old.Close())
	db, err := Open(path, testOptions(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	settled := func(i *invoice.Invoice) { i.State, i.SettleIndex = invoice.Settled, 1 }
	write1(t, db, Batch{Invoices: []*invoice.Delta{{Invoices: []invoice.Invoice{inv(4), inv(5, keysend), inv(1, settled)}}}})
	find := func(n byte) *invoice.Invoice {
		i, err := db.InvoiceBySecret(lnwire.Secret{n, n})
		require.NoError(t, err)
		return i
	}
	for n, want := range map[byte]*invoice.Invoice{
		0: nil, 1: new(inv(1, settled)), 2: new(inv(2)), 3: nil, 4: new(inv(4)), 5: nil, 6: nil,
	} {
		require.Equal(t, want, find(n), n)
	}
	write1(t, db, Batch{Invoices: []*invoice.Delta{{Deleted: []lnwire.Hash{{2}, {3}}}}})
	require.Nil(t, find(2))
	require.NotNil(t, find(4))
}

func TestPaymentLife(t *testing.T) {
	db := open(t)
	pay := func(n byte, s routing.Status) *routing.Payment {
		return &routing.Payment{Terms: routing.Terms{Hash: lnwire.Hash{n}, Amount: 10}, Status: s}
	}
	att := func(n byte, id uint64, s routing.Status) routing.Attempt {
		return routing.Attempt{ID: id, Hash: lnwire.Hash{n}, Status: s, Route: routing.Route{Hops: []routing.Hop{{Fee: 1}}}}
	}
	first := att(1, 11, routing.InFlight)
	write1(t, db, Batch{Payments: []*routing.Delta{
		{New: true, Payment: pay(1, routing.InFlight)}, {New: true, Payment: pay(2, routing.InFlight)},
	}})
	write1(t, db, Batch{Channels: []*channel.Delta{{ChanNum: 1, Attempts: []channel.AttemptRow{{ID: 11, Row: EncodeAttempt(&first)}}}}})
	db = reopen(t, db)
	open, err := db.OpenPayments()
	require.NoError(t, err)
	require.Len(t, open, 2)
	require.Equal(t, []routing.Attempt{first}, open[0].Attempts)
	require.Equal(t, uint64(1), open[0].Index)

	write1(t, db, Batch{Payments: []*routing.Delta{{
		Payment: pay(1, routing.Failed), Attempts: []routing.Attempt{att(1, 11, routing.Failed)}, Took: []uint64{11},
	}}})
	p, err := db.Payment(lnwire.Hash{1})
	require.NoError(t, err)
	require.Equal(t, routing.Failed, p.Status)
	require.Equal(t, routing.Failed, p.Attempts[0].Status)
	require.Equal(t, uint64(1), p.Index)

	write1(t, db, Batch{Payments: []*routing.Delta{{New: true, Payment: pay(1, routing.InFlight)}}})
	p, err = db.Payment(lnwire.Hash{1})
	require.NoError(t, err)
	require.Equal(t, uint64(3), p.Index, "a number is not used again")
	require.Empty(t, p.Attempts, "the failed one gave way")
	list, err := db.Payments(PageQuery{Limit: 9, Reverse: true})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, uint64(3), list[0].Index)

	ended := &routing.Delta{Payment: pay(1, routing.Failed), Attempts: []routing.Attempt{att(1, 12, routing.Failed), att(1, 13, routing.Failed)}}
	write1(t, db, Batch{Payments: []*routing.Delta{ended}})
	write1(t, db, Batch{AttemptsGone: []AttemptKey{{lnwire.Hash{1}, 12}, {lnwire.Hash{1}, 99}}})
	p, err = db.Payment(lnwire.Hash{1})
	require.NoError(t, err)
	require.Len(t, p.Attempts, 1)
	require.Equal(t, uint64(13), p.Attempts[0].ID)

	write1(t, db, Batch{PaymentsGone: []lnwire.Hash{{1}}})
	p, err = db.Payment(lnwire.Hash{1})
	require.NoError(t, err)
	require.Nil(t, p)
	open, err = db.OpenPayments()
	require.NoError(t, err)
	require.Len(t, open, 1)
}

func TestClosedChannelPages(t *testing.T) {
	db := open(t)
	for n := range uint64(5) {
		write1(t, db, Batch{Channels: []*channel.Delta{{ChanNum: n, Forget: true, Closed: &channel.ClosedRow{ChanNum: n, Reason: "r"}}}})
	}
	list, err := db.ClosedChannels(2, 2)
	require.NoError(t, err)
	require.Equal(t, []channel.ClosedRow{{ChanNum: 2, Reason: "r"}, {ChanNum: 3, Reason: "r"}}, list)
}

// TestRidersAreTheBatch: what travels with a channel's delta does what it would
// have done by itself.
func TestRidersAreTheBatch(t *testing.T) {
	f := fillerOf(7)
	b := Batch{
		Wallet: []*wallet.Delta{{
			Leases: []wallet.LeaseRow{fill[wallet.LeaseRow](f)}, Wishes: []wallet.WishRow{fill[wallet.WishRow](f)}, Coins: []wallet.CoinRow{fill[wallet.CoinRow](f)},
			Branches: []wallet.BranchRow{fill[wallet.BranchRow](f)}, Txs: []wallet.TxRow{fill[wallet.TxRow](f)},
			Tip:      &wallet.TipRow{At: lnwire.BlockRef{Height: 5}},
			Accounts: []wallet.AccountRow{fill[wallet.AccountRow](f)}, Keys: []wallet.KeyRow{fill[wallet.KeyRow](f)},
			Families: []wallet.FamilyRow{fill[wallet.FamilyRow](f)},
		}},
		Switch:   []forward.Delta{{Tags: []forward.Tag{{Tag: onion.Tag{1}, Expiry: 3}}}},
		Forwards: []forward.Record{{AmountIn: 5, SettledAt: time.Unix(9, 0).UTC()}},
		Invoices: []*invoice.Delta{{
			Invoices: []invoice.Invoice{{Hash: lnwire.Hash{1}, AddIndex: 1}, {Hash: lnwire.Hash{2}, AddIndex: 2}},
			Outbox:   []invoice.Answer{{Ref: htlc.Ref{ID: 4}}}, Deleted: []lnwire.Hash{{2}},
		}},
		Payments: []*routing.Delta{{New: true, Payment: &routing.Payment{Status: routing.InFlight}}},
		Scores:   []routing.PairHistory{{Success: 4}},
		Peers:    []Peer{{Key: lnwire.PubKey{2}}},
	}
	alone, riding := open(t), open(t)
	write1(t, alone, b)
	write1(t, alone, Batch{Forwards: b.Forwards})
	write1(t, riding, Batch{Channels: []*channel.Delta{{Riders: Riders(b)}, {Riders: Riders(Batch{Forwards: b.Forwards})}}})
	for place := inCounters; place < numBuckets; place++ {
		rows := func(db *DB) (all []string) {
			require.NoError(t, db.scan(place, nil, func(key, row []byte) (bool, error) {
				all = append(all, string(key)+"="+string(row))
				return true, nil
			}))
			return all
		}
		require.Equal(t, rows(alone), rows(riding), place.String())
	}
	w, err := riding.Wallet()
	require.NoError(t, err)
	require.Equal(t, wallet.Rows{
		Branches: b.Wallet[0].Branches, Coins: b.Wallet[0].Coins, Txs: b.Wallet[0].Txs, Leases: b.Wallet[0].Leases, Wishes: b.Wallet[0].Wishes, Tip: b.Wallet[0].Tip,
		Accounts: b.Wallet[0].Accounts, Keys: b.Wallet[0].Keys, Families: b.Wallet[0].Families,
	}, w)
	scores, err := riding.Scores()
	require.NoError(t, err)
	require.Equal(t, b.Scores, scores)
	write1(t, riding, Batch{Wallet: []*wallet.Delta{{
		CoinsGone: []wire.OutPoint{w.Coins[0].OutPoint}, LeasesGone: []wire.OutPoint{w.Leases[0].OutPoint}, WishesGone: []wire.OutPoint{w.Wishes[0].OutPoint},
		TxsGone: []chainhash.Hash{w.Txs[0].Txid},
	}}, ForgetScores: true})
	w, err = riding.Wallet()
	require.NoError(t, err)
	require.Equal(t, wallet.Rows{
		Branches: b.Wallet[0].Branches, Tip: b.Wallet[0].Tip,
		Accounts: b.Wallet[0].Accounts, Keys: b.Wallet[0].Keys, Families: b.Wallet[0].Families,
	}, w)
}

// TestPagesResume: more rows than one transaction may read, both ways.
func TestPagesResume(t *testing.T) {
	db := open(t)
	b := Batch{}
	const n = 2*maxReadRows + 5
	for i := range n {
		b.Forwards = append(b.Forwards, forward.Record{SettledAt: time.Unix(int64(i+1), 0), AmountIn: lnwire.MilliSat(i)})
	}
	write1(t, db, b)
	for _, reverse := range []bool{false, true} {
		list, err := db.Forwards(ForwardQuery{Limit: n + 1, Reverse: reverse})
		require.NoError(t, err)
		require.Len(t, list, n)
		for i, f := range list {
			if reverse {
				i = n - 1 - i
			}
			require.Equal(t, lnwire.MilliSat(i), f.AmountIn)
		}
	}
}
