package channeldb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/fulgur-ln/fulgur/htlc/forward"
	"github.com/fulgur-ln/fulgur/invoice"
	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/routing"
)

// someLists writes payments, invoices and forwards whose clock is set back now and then,
// in gaps and over several zones, and what becomes of them.
func someLists(t testing.TB, db *DB, f filler, n int) (pays []*Payment, invs []*invoice.Invoice) {
	hash := func(i int) (h lnwire.Hash) {
		copy(h[:], fmt.Sprintf("%08d", i))
		return h
	}
	at := func(i int) time.Time { return time.Unix(int64(1000+i-f.IntN(2)*f.IntN(50)), int64(f.IntN(1e9))).UTC() }
	var b Batch
	for i := range n {
		p := &routing.Payment{Terms: routing.Terms{Hash: hash(i)}, Status: routing.InFlight, CreatedAt: at(i)}
		b.Payments = append(b.Payments, &routing.Delta{New: true, Payment: p})
		pays = append(pays, &Payment{Index: uint64(i + 1), Payment: *p})
		inv := invoice.Invoice{Hash: hash(i), AddIndex: uint64(i + 1), CreatedAt: at(i), Secret: lnwire.Secret(hash(i))}
		b.Invoices = append(b.Invoices, &invoice.Delta{Invoices: []invoice.Invoice{inv}})
		invs = append(invs, &inv)
		b.Forwards = append(b.Forwards, forward.Record{
			SettledAt: at(60 * i), AmountOut: lnwire.MilliSat(i / 2), InSCID: lnwire.ShortChannelID(f.IntN(5)), OutSCID: lnwire.ShortChannelID(f.IntN(3)), AmountIn: lnwire.MilliSat(i),
		})
	}
	write1(t, db, b)
	b = Batch{}
	for i := range n {
		switch p := pays[i]; f.IntN(4) {
		case 0:
			p.Status = routing.Succeeded
			b.Payments = append(b.Payments, &routing.Delta{Payment: &p.Payment})
			invs[i].State = invoice.Settled
			b.Invoices = append(b.Invoices, &invoice.Delta{Invoices: []invoice.Invoice{*invs[i]}})
		case 1:
			p.Status = routing.Failed
			b.Payments = append(b.Payments, &routing.Delta{Payment: &p.Payment})
			invs[i].State = invoice.Accepted
			b.Invoices = append(b.Invoices, &invoice.Delta{Invoices: []invoice.Invoice{*invs[i]}})
		case 2:
			if f.IntN(2) == 0 || i > n/4 && i < n/2 {
				b.PaymentsGone = append(b.PaymentsGone, p.Terms.Hash)
				b.Invoices = append(b.Invoices, &invoice.Delta{Deleted: []lnwire.Hash{invs[i].Hash}})
				pays[i], invs[i] = nil, nil
			}
		}
	}
	write1(t, db, b)
	gone := func(p *Payment) bool { return p == nil }
	return slices.DeleteFunc(pays, gone), slices.DeleteFunc(invs, func(i *invoice.Invoice) bool { return i == nil })
}

// listed is a page as the rule of the lists has it.
func listed[T any](all []T, q PageQuery, number func(T) uint64, created func(T) time.Time, marked func(T) bool) (page []uint64) {
	all = slices.Clone(all)
	if q.Reverse {
		slices.Reverse(all)
	}
	for _, v := range all {
		n, at := number(v), created(v).Unix()
		switch {
		case q.After != 0 && (!q.Reverse && n <= q.After || q.Reverse && n >= q.After):
		case q.From != 0 && at < q.From, q.To != 0 && at > q.To, q.Marked && !marked(v):
		case len(page) < q.Limit:
			page = append(page, n)
		}
	}
	return page
}

// TestListsAreTheRule: whatever is asked, the page is what a walk over all rows gives.
func TestListsAreTheRule(t *testing.T) {
	const n = 3*zoneSize + 100
	db := open(t)
	pays, invs := someLists(t, db, fillerOf(3), n)
	count, err := db.CountPayments()
	require.NoError(t, err)
	require.Equal(t, uint64(len(pays)), count)
	rapid.Check(t, func(t *rapid.T) {
		q := PageQuery{
			After: rapid.Uint64Range(0, n+3).Draw(t, "after"), Limit: rapid.IntRange(0, 300).Draw(t, "limit"),
			Reverse: rapid.Bool().Draw(t, "reverse"), Marked: rapid.Bool().Draw(t, "marked"),
		}
		if rapid.Bool().Draw(t, "from") {
			q.From = rapid.Int64Range(900, 1100+n).Draw(t, "start")
		}
		if rapid.Bool().Draw(t, "to") {
			q.To = rapid.Int64Range(900, 1100+n).Draw(t, "end")
		}
		gotPays, err := db.Payments(q)
		require.NoError(t, err)
		number := func(p *Payment) uint64 { return p.Index }
		require.Equal(t, listed(pays, q, number, func(p *Payment) time.Time { return p.CreatedAt },
			func(p *Payment) bool { return p.Status == routing.Succeeded }), numbersOf(gotPays, number))
		gotInvs, err := db.InvoicesAdded(q)
		require.NoError(t, err)
		index := func(i *invoice.Invoice) uint64 { return i.AddIndex }
		require.Equal(t, listed(invs, q, index, func(i *invoice.Invoice) time.Time { return i.CreatedAt },
			func(i *invoice.Invoice) bool { return !i.State.Final() }), numbersOf(gotInvs, index))
	})
}

func numbersOf[T any](list []T, number func(T) uint64) (numbers []uint64) {
	for _, v := range list {
		numbers = append(numbers, number(v))
	}
	return numbers
}

// TestForwardsAreTheRule: the same for forwards, by time, with filters and with skipping.
func TestForwardsAreTheRule(t *testing.T) {
	const n = 2000 // 33 hours
	db := open(t)
	someLists(t, db, fillerOf(4), n)
	all, err := db.Forwards(ForwardQuery{Limit: n + 1})
	require.NoError(t, err)
	require.Len(t, all, n)
	require.True(t, slices.IsSortedFunc(all, func(a, b Forward) int { return a.SettledAt.Compare(b.SettledAt) }))
	ids := func(t *rapid.T, most int, label string) (list []lnwire.ShortChannelID) {
		for _, id := range rapid.SliceOfN(rapid.IntRange(0, most), 0, 3).Draw(t, label) {
			list = append(list, lnwire.ShortChannelID(id))
		}
		if len(list) > 0 && rapid.IntRange(0, 9).Draw(t, label+" many") == 0 {
			for i := range lnwire.ShortChannelID(maxStreams + 1) {
				list = append(list, 100+i)
			}
		}
		return list
	}
	rapid.Check(t, func(t *rapid.T) {
		q := ForwardQuery{
			Skip: rapid.Uint64Range(0, n+3).Draw(t, "skip"), Limit: rapid.IntRange(1, 300).Draw(t, "limit"),
			In: ids(t, 5, "in"), Out: ids(t, 3, "out"),
		}
		if rapid.Bool().Draw(t, "from") {
			q.From = time.Unix(rapid.Int64Range(1, 60*n+1100).Draw(t, "start"), 0)
		}
		if rapid.Bool().Draw(t, "to") {
			q.To = time.Unix(rapid.Int64Range(1, 60*n+1100).Draw(t, "end"), 0)
		}
		for range 2 { // the second page is found by the place of the first
			var want []Forward
			skip := q.Skip
			for _, f := range all {
				switch {
				case f.SettledAt.Before(q.From), !q.To.IsZero() && f.SettledAt.After(q.To):
				case len(q.In) > 0 && !slices.Contains(q.In, f.InSCID), len(q.Out) > 0 && !slices.Contains(q.Out, f.OutSCID):
				case skip > 0:
					skip--
				case len(want) < q.Limit:
					want = append(want, f)
				}
			}
			got, err := db.Forwards(q)
			require.NoError(t, err)
			require.Equal(t, want, got)
			q.Skip += uint64(len(got))
		}
	})
}

// TestForwardFees: the sum since a time is that of the records.
func TestForwardFees(t *testing.T) {
	db := open(t)
	someLists(t, db, fillerOf(6), 1500)
	all, err := db.Forwards(ForwardQuery{Limit: 1500})
	require.NoError(t, err)
	for _, since := range []time.Time{{}, all[0].SettledAt, all[700].SettledAt, all[1300].SettledAt.Add(1), time.Unix(1<<33, 0)} {
		var want lnwire.MilliSat
		for _, f := range all {
			if !f.SettledAt.Before(since) {
				want += f.Fee()
			}
		}
		got, err := db.ForwardFees(since)
		require.NoError(t, err)
		require.Equal(t, want, got, since)
	}
}

// TestDeletedForwards: what is deleted is found by nothing, and the rest as before.
func TestDeletedForwards(t *testing.T) {
	const n = 1500
	db := open(t)
	someLists(t, db, fillerOf(7), n)
	all, err := db.Forwards(ForwardQuery{Limit: n})
	require.NoError(t, err)
	_, err = db.Forwards(ForwardQuery{In: []lnwire.ShortChannelID{1}, Limit: 5}) // places are remembered
	require.NoError(t, err)
	for _, to := range []time.Time{all[0].SettledAt.Add(-1), all[700].SettledAt, all[700].SettledAt, all[n-1].SettledAt} {
		var gone uint64
		var fees, left lnwire.MilliSat
		var rest, in []Forward
		for _, f := range all {
			if !f.SettledAt.After(to) {
				gone, fees = gone+1, fees+f.Fee()
				continue
			}
			left += f.Fee()
			if rest = append(rest, f); f.InSCID == 1 {
				in = append(in, f)
			}
		}
		got, sum, err := db.DeleteForwards(t.Context(), to)
		require.NoError(t, err)
		require.Equal(t, []any{gone, fees}, []any{got, sum})
		list, err := db.Forwards(ForwardQuery{Limit: n})
		require.NoError(t, err)
		require.Equal(t, rest, list)
		list, err = db.Forwards(ForwardQuery{In: []lnwire.ShortChannelID{1}, Limit: n})
		require.NoError(t, err)
		require.Equal(t, in, list)
		if len(rest) > 100 {
			list, err = db.Forwards(ForwardQuery{Skip: 100, Limit: 1})
			require.NoError(t, err)
			require.Equal(t, rest[100:101], list)
		}
		sum, err = db.ForwardFees(time.Time{})
		require.NoError(t, err)
		require.Equal(t, left, sum)
		all = rest
		if len(all) == 0 {
			break
		}
	}
	for _, b := range []bucket{inForwards, inForwardTimes, inForwardCounts, inForwardChannels} {
		require.NoError(t, db.scan(b, nil, func(key, _ []byte) (bool, error) {
			t.Fatalf("%v: %x is left", b, key)
			return false, nil
		}))
	}
	someLists(t, db, fillerOf(8), 3)
	all, err = db.Forwards(ForwardQuery{Limit: n})
	require.NoError(t, err)
	_, _, err = db.DeleteForwards(t.Context(), all[1].SettledAt)
	require.NoError(t, err)
	list, err := db.forwardsAt([]ForwardCursor{all[0].Cursor, all[1].Cursor, all[2].Cursor})
	require.NoError(t, err, "a page was looked for before they were deleted, and is read after")
	require.Equal(t, all[2:], list)
	require.NoError(t, db.update(func(w *write) error { return w.del(inForwards, all[2].Cursor.key()[8:]) }))
	_, err = db.Forwards(ForwardQuery{Limit: n})
	require.ErrorIs(t, err, ErrDamaged, "what finds it is left")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = db.DeleteForwards(ctx, time.Unix(1<<33, 0))
	require.ErrorIs(t, err, context.Canceled)
}

// derived are the rows of what the migration makes, and how the file says that it is done.
func derived(t *testing.T, db *DB) map[string]string {
	rows := map[string]string{}
	for _, b := range []bucket{inZones, inForwardCounts, inForwardChannels} {
		require.NoError(t, db.scan(b, nil, func(key, row []byte) (bool, error) {
			rows[fmt.Sprintf("%v %x", b, key)] = string(row)
			return true, nil
		}))
	}
	return rows
}

// TestListsOfOldFiles: a file from before has the same zones and counts as one that was
// written with them, also when the migration was cut off after any of its parts.
func TestListsOfOldFiles(t *testing.T) {
	defer func(n int) { migrationRows = n }(migrationRows)
	migrationRows = 2*zoneSize - 7
	const n, schema = 3 * zoneSize, 4
	path := filepath.Join(t.TempDir(), "fulgur.db")
	old, err := openAt(path, testOptions(t), steps[:schema])
	require.NoError(t, err)
	pays, _ := someLists(t, old, fillerOf(5), n)
	want := derived(t, old)
	require.NoError(t, old.bolt.Update(func(tx *bolt.Tx) error { // as it was then
		for _, b := range []bucket{inZones, inForwardCounts, inForwardChannels} {
			if err := tx.DeleteBucket([]byte(b.String())); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, old.Close())
	parts := 0
	for {
		opts, commits, cut := testOptions(t), 0, parts < 3
		opts.Commit = func(tx *bolt.Tx) error {
			if commits++; commits > 1 && cut { // one part each time
				return errors.New("out of power")
			}
			return tx.Commit()
		}
		db, err := Open(path, opts)
		if err != nil {
			parts++
			_, err := openAt(path, testOptions(t), steps[:schema])
			require.ErrorIs(t, err, ErrNewer, "an older program would break what is made")
			continue
		}
		got := derived(t, db)
		require.Equal(t, len(want), len(got))
		for key, row := range want {
			if key[:5] == "zones" { // dates are of those that are there, not of all that were
				w, _ := decodeZone([]byte(row))
				g, err := decodeZone([]byte(got[key]))
				require.NoError(t, err)
				require.Equal(t, w.taken, g.taken)
				require.Equal(t, w.marked, g.marked)
				require.LessOrEqual(t, w.first, g.first)
				require.GreaterOrEqual(t, w.last, g.last)
			} else {
				require.Equal(t, row, got[key], key)
			}
		}
		count, err := db.CountPayments()
		require.NoError(t, err)
		require.Equal(t, uint64(len(pays)), count)
		require.NoError(t, db.Close())
		break
	}
	require.Equal(t, 3, parts)
}
